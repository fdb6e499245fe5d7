"""What influence is made of: distance to the boundary, and the factors of eq. (17)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.lazy_types import Axes
from influstat.input.settings import entries, optional_text, text
from influstat.input.validation import FloatArray
from influstat.plots import base, lines, points, wording

FLAT = 5.0  # times as large as y: then a line of slope 1 would seem to be upright


def influence_against_distance(
    distance: Any,
    influence: Any,
    *,
    classes: Any = None,
    row_labels: Any = None,
    names: int = 0,
    quantity: str = "influence on the test loss",
    unit: str | None = None,
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the influence of each row against its distance to the decision boundary (Figure 5).

    Parameters
    ----------
    distance : array_like, shape (n,)
        Signed Euclidean distance (x'beta + intercept) / |beta|, in the units of X.
    influence : array_like, shape (n,)
        `Scores.values` or `.removal` of one quantity.
    classes : array_like, shape (n,), optional
        Colours and markers the points.
    names : int
        How many rows of largest |influence| are named, where there is room.
    quantity : str
        What the influence is on.
    unit : str, optional
        That of the distance.
    row_labels, title, size, ax
        As for all pictures: see `influstat.plots`.

    Returns
    -------
    Axes
        The boundary is the vertical line at 0.

    Raises
    ------
    InvalidArgument, InvalidType
        The arrays differ in length, or hold inf or no row without a nan.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan: they are not drawn, and counted below the axis.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.influence_against_distance([-1.0, 2.0], [0.5, -0.1])
    >>> ax.get_xlabel()
    'distance to the boundary'
    """
    quantity, title = text("quantity", quantity), optional_text("title", title)
    unit = optional_text("unit", unit)
    kept, labels, (x, y) = base.rows_of(row_labels, distance=distance, influence=influence)
    groups = points.of_rows(points.classes_of(classes, len(kept)), kept)
    chosen = points.largest(np.abs(y), names)
    ax = base.one_axes(ax, size=size)
    ax.axhline(0.0, color=base.GREY, linewidth=0.6, zorder=1)
    lines.upright(ax, 0.0, "boundary")
    points.scatter(ax, x, y, groups, key=classes is not None)
    points.label_points(ax, x, y, labels, chosen)
    xlabel = base.counted(f"distance to the boundary{f' ({unit})' if unit else ''}", kept)
    base.tidy(ax, xlabel=xlabel, ylabel=quantity, title=title, pad=lines.ABOVE)
    return ax


def factor_panels(
    true: Any,
    variants: Mapping[str, Any],
    *,
    same_label: Any,
    equal_units: Collection[str] = (),
    row_labels: Any = None,
    names: int = 0,
    title: str | None = None,
    size: Any = None,
    ax: Any = None,
) -> NDArray[Any]:
    """Draw the true influence against variants that leave out a factor of eq. (17) (Figure 3).

    Parameters
    ----------
    true : array_like, shape (n,)
        -I of eq. (17), with all factors.
    variants : mapping of str to array_like of shape (n,)
        What is left out -> the value without it.
    same_label : array_like of bool, shape (n,)
        Whether the row has the label of the test row: booleans, or 0 and 1.
    equal_units : collection of str
        The variants in the units of the true influence: these panels get the line where both are equal.
        One that is larger by far has a horizontal axis that is linear as far as the true influence reaches,
        and logarithmic beyond, so that the line is not hidden in the vertical axis.
    names : int
        How many rows of largest |true| are named in each panel.
    row_labels, title, size, ax
        As for all pictures: see `influstat.plots`; one Axes per variant.

    Returns
    -------
    ndarray of Axes
        The variant on the horizontal axis, the true value on the vertical one.

    Raises
    ------
    InvalidArgument, InvalidType
        There are no variants, equal_units names others, same_label holds something else than
        booleans, or arrays or axes do not match, or hold inf or no row without a nan.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan: they are not drawn in any panel, and counted below.

    Examples
    --------
    >>> from influstat import plots
    >>> axes = plots.factor_panels([1.0, -1.0], {"without sigma": [2.0, -3.0]}, same_label=[True, False])
    >>> axes[0].get_xlabel()
    'without sigma'
    """
    panels = base.named_values("variants", variants)
    if not panels:
        raise InvalidArgument("variants", "name at least one variant", "is empty", "Pass {name: values}.")
    equal_units = entries("equal_units", equal_units)
    unknown = {str(name) for name in equal_units} - set(panels)
    if unknown:
        need = f"name variants out of {list(panels)}"
        raise InvalidArgument("equal_units", need, f"names {sorted(unknown)}", "Pass a list of names.")
    title, y = optional_text("title", title), base.column("true", true, holes=True)
    same, labels = _same(same_label, len(y)), base.labels_of(row_labels, len(y))
    columns = {
        name: base.column(f"variants[{name!r}]", values, len(y), holes=True)
        for name, values in panels.items()
    }
    kept = base.drawn(labels, true=y, **{f"variants[{name!r}]": x for name, x in columns.items()})
    y, labels, same = y[kept], labels[kept], same[kept]
    chosen = points.largest(np.abs(y), names)
    axes = base.several_axes(ax, len(panels), height=3.5, size=size)
    base.figure_title(axes, title)
    classes = [
        ("same label as the test row", same, base.BLUE, base.MARKERS[0]),
        ("other label", ~same, base.ORANGE, base.MARKERS[1]),
    ]
    for one, (name, x) in zip(axes, columns.items(), strict=True):
        points.scatter(one, x[kept], y, classes)
        one.axhline(0.0, color=base.GREY, linewidth=0.6, zorder=1)
        one.axvline(0.0, color=base.GREY, linewidth=0.6, zorder=1)
        xlabel = base.counted(name, kept)
        if name in equal_units:
            xlabel += f"\n({_where_equal(one, x[kept], y)})"
        points.label_points(one, x[kept], y, labels, chosen)
        base.tidy(one, xlabel=xlabel, ylabel="-I with all factors, eq. (17)" if one is axes[0] else "")
        wording.scientific(one)
    points.key_above(axes, classes, new=ax is None)
    return axes


def _where_equal(ax: Axes, x: FloatArray, y: FloatArray) -> str:
    """Draw the line of slope 1, and let it be seen where x is much larger than y; return what is drawn."""
    reach = float(np.max(np.abs(y)))
    said = "dashed: y = x"
    if float(np.max(np.abs(x))) > FLAT * reach > 0.0:
        ax.set_xscale("symlog", linthresh=reach, linscale=2.0)
        powers = [10.0 ** np.floor(np.log10(size)) for size in (reach, float(np.max(np.abs(x))))]
        ax.set_xticks(np.unique([sign * power for sign in (-1.0, 0.0, 1.0) for power in powers]), minor=False)
        said += "; logarithmic beyond"
    ax.set_autoscale_on(False)
    ends = np.array([-reach, reach])
    ax.plot(ends, ends, color=base.shade(), linestyle="--", linewidth=1.0, zorder=3)
    return said


def _same(same_label: Any, length: int) -> NDArray[np.bool_]:
    """Return booleans, or raise: of most other things, every entry counts as true."""
    given = base.labels_of(same_label, length, argument="same_label")
    need, remedy = "hold booleans, or 0 and 1", "Compare, e.g. same_label=(y == y_test)."
    if given.dtype.kind not in "biufO":
        raise InvalidType("same_label", need, f"has dtype {given.dtype}", remedy)
    for row, entry in enumerate(given.tolist()):
        if not isinstance(entry, (bool, int, float, np.bool_)) or entry not in (0, 1):
            raise InvalidArgument("same_label", need, f"holds {entry!r} at row {row}", remedy)
    return given.astype(np.bool_)
