"""What influence is made of: distance to the boundary, and the factors of eq. (17)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.settings import entries, optional_text, text
from influstat.plots import base

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def influence_against_distance(
    distance: Any,
    influence: Any,
    *,
    classes: Any = None,
    row_labels: Any = None,
    outliers: int = 0,
    title: str | None = None,
    quantity: str = "influence on the test loss",
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
    row_labels, outliers
        The rows of largest |influence| to name, and what they are called.
    title, quantity : str, optional
        Above and beside the axes.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
        The boundary is the vertical line at 0.

    Raises
    ------
    InvalidArgument, InvalidType
        The arrays differ in length or are not finite.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.influence_against_distance([-1.0, 2.0], [0.5, -0.1])
    >>> ax.get_xlabel()
    'distance to the boundary'
    """
    quantity, title = text("quantity", quantity), optional_text("title", title)
    x = base.column("distance", distance)
    y = base.column("influence", influence, len(x))
    labels, groups = base.labels_of(row_labels, len(x)), base.classes_of(classes, len(x))
    chosen = base.largest(np.abs(y), outliers)
    ax = base.one_axes(ax)
    ax.axhline(0.0, color=base.GREY, linewidth=0.6, zorder=1)
    ax.axvline(0.0, color=base.GREY, linewidth=0.8, linestyle="--", zorder=1)
    base.scatter(ax, x, y, groups)
    base.label_points(ax, x, y, labels, chosen)
    if classes is not None:
        ax.legend(fontsize=base.SMALL, frameon=False, handletextpad=0.2)
    base.tidy(ax, xlabel="distance to the boundary", ylabel=quantity, title=title)
    return ax


def factor_panels(
    true: Any,
    variants: Mapping[str, Any],
    *,
    same_label: Any,
    equal_units: Collection[str] = (),
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
        The variants in the units of the true influence: these panels get the line of slope 1.
    ax : sequence of Axes, optional
        One per variant.

    Returns
    -------
    ndarray of Axes
        The variant on the horizontal axis, the true value on the vertical one.

    Raises
    ------
    InvalidArgument, InvalidType
        There are no variants, equal_units names others, same_label holds something else than
        booleans, or arrays or axes do not match.

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
    y = base.column("true", true)
    same = _same(same_label, len(y))
    columns = {name: base.column(f"variants[{name!r}]", values, len(y)) for name, values in panels.items()}
    axes = base.several_axes(ax, len(panels), height=3.3)
    classes = [
        ("same label as the test row", same, base.BLUE, base.MARKERS[0]),
        ("other label", ~same, base.ORANGE, base.MARKERS[1]),
    ]
    for one, (name, x) in zip(axes, columns.items(), strict=True):
        base.scatter(one, x, y, classes)
        one.axhline(0.0, color=base.GREY, linewidth=0.6, zorder=1)
        one.axvline(0.0, color=base.GREY, linewidth=0.6, zorder=1)
        if name in equal_units:
            one.set_autoscale_on(False)
            one.axline((0.0, 0.0), slope=1.0, color=base.BLACK, linestyle="--", linewidth=0.8, zorder=1)
        base.tidy(one, xlabel=name, ylabel="-I with all factors, eq. (17)" if one is axes[0] else "")
        base.scientific(one)
    axes[0].legend(fontsize=base.SMALL, loc="best", frameon=False, handletextpad=0.1, borderpad=0.1)
    return axes


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
