"""Predicted removal against exact refits: how far to trust an approximation, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.lazy_types import Axes, Text
from influstat.input.settings import flag, optional_text, text
from influstat.input.validation import FloatArray, choice, whole_number
from influstat.plots import base, points, wording
from influstat.plots.placing import widened

ROUNDING = 1e-12  # of the largest change: such errors belong to no row
NARROW = 150.0  # points: there the numbers need all of the width
VISIBLE = 1.0 / 200.0  # of the range of the axes: smaller errors cannot be seen (one pixel)


def predicted_against_exact(
    predicted: Any,
    exact: Any,
    *,
    row_labels: Any = None,
    classes: Any = None,
    names: int = 3,
    quantity: str = "test loss",
    reference: str | None = None,
    agreement: str = "slope",
    equal: bool = True,
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the predicted change on removal of each row against that of an exact refit.

    The dashed line is where predictions are right; the slope of least squares (predicted on exact)
    and the largest error are written where no point is, because a correlation hides a wrong scale.

    Parameters
    ----------
    predicted, exact : array_like, shape (n,)
        After minus before, for instance `Scores.removal` and `Removal.loss_change`, one column of each.
    classes : array_like, shape (n,), optional
        Colours and markers the points, for instance the labels of the rows.
    names : int
        How many rows with the largest errors are named, at most: an error of less than 1/200 of the
        range of the axes names none, and neither does one whose name would lie over another.
    quantity : str
        What changes, with its unit.
    reference : str, optional
        What `exact` is, for the horizontal axis: the default is "exact change of the <quantity>".
    agreement : {"slope", "correlation"}
        What is written of predicted and exact beside the largest error: the slope, or Pearson's correlation.
    equal : bool
        Whether both axes have the same limits. Without it each spans its own values, so that predictions
        that are too large by orders of magnitude can be told apart.
    row_labels, title, size, ax
        As for all pictures: see `influstat.plots`.

    Returns
    -------
    Axes
        Exact on the horizontal axis, predicted on the vertical one.

    Raises
    ------
    InvalidArgument, InvalidType
        The arrays differ in length, or hold inf or no row without a nan.
    MissingDependency
        matplotlib is not installed; so for every plot.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan, having no refit: they are not drawn, and counted below the axis.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat import plots
    >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [2.0], [3.0]], [1.0, 3.0, 2.0])
    >>> predicted = fit.influence().on_loss([[1.0]], [2.0]).removal[:, 0]
    >>> exact = fit.leave_one_out().loss_change([[1.0]], [2.0])[:, 0]
    >>> ax = plots.predicted_against_exact(predicted, exact)
    >>> ax.get_xlabel()
    'exact change of the test loss'
    """
    title = optional_text("title", title)
    y = base.column("predicted", predicted, holes=True)
    x = base.column("exact", exact, len(y), holes=True)
    style = _Style(len(y), row_labels, classes, names, quantity, reference, agreement, flag("equal", equal))
    kept = style.keep(predicted=y, exact=x)
    ax = base.one_axes(ax, height=4.1, size=size)
    _draw([(ax, title, y[kept])], x[kept], style)
    return ax


def solver_panels(
    predictions: Mapping[str, Any],
    exact: Any,
    *,
    row_labels: Any = None,
    classes: Any = None,
    names: int = 1,
    quantity: str = "test loss",
    reference: str | None = None,
    agreement: str = "slope",
    columns: int | None = None,
    title: str | None = None,
    size: Any = None,
    ax: Any = None,
) -> NDArray[Any]:
    """Draw one panel of predicted against exact changes per solver, all in the same scales.

    Parameters
    ----------
    predictions : mapping of str to array_like of shape (n,)
        Name of a solver -> its predicted changes.
    exact : array_like, shape (n,)
        Changes by exact refits, or another reference.
    row_labels, classes, names, quantity, agreement
        As for `predicted_against_exact`.
    reference : str, optional
        What `exact` is where no row was refitted, for instance "-I/n, explicit solution": it is
        written at the horizontal axis in place of "exact change of the <quantity>".
    columns : int, optional
        Panels beside each other in a new figure: all of up to three, two of four, else three.
    title, size, ax
        As for all pictures: see `influstat.plots`; one Axes per solver.

    Returns
    -------
    ndarray of Axes
        In the order of `predictions`.

    Raises
    ------
    InvalidArgument, InvalidType
        There are no predictions, arrays or axes do not match, or no row is without inf and nan.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan, in one panel or as a reference: they are not drawn in any, and counted below.

    Examples
    --------
    >>> from influstat import plots
    >>> axes = plots.solver_panels({"explicit": [0.1, 0.2], "LiSSA": [0.0, 0.3]}, [0.1, 0.2])
    >>> [one.get_title() for one in axes]
    ['explicit', 'LiSSA']
    """
    given = base.named_values("predictions", predictions)
    if not given:
        raise InvalidArgument("predictions", "name at least one solver", "is empty", "Pass {'CG': changes}.")
    x = base.column("exact", exact, holes=True)
    panels = {name: base.column(f"predictions[{name!r}]", y, len(x), holes=True) for name, y in given.items()}
    style = _Style(len(x), row_labels, classes, names, quantity, reference, agreement, equal=True)
    title, beside = optional_text("title", title), base.beside(columns, len(panels))
    kept = style.keep(exact=x, **{f"predictions[{name!r}]": y for name, y in panels.items()})
    height = 4.1 if beside < 3 else 3.2
    axes = base.several_axes(ax, len(panels), columns=beside, height=height, size=size)
    base.figure_title(axes, title)
    _draw([(one, name, y[kept]) for one, (name, y) in zip(axes, panels.items(), strict=True)], x[kept], style)
    return axes


class _Style:
    """What all panels of one figure share: the arguments of the public functions, checked for n rows."""

    def __init__(
        self,
        n: int,
        labels: Any,
        classes: Any,
        names: int,
        quantity: str,
        reference: str | None,
        agreement: str,
        equal: bool,
    ) -> None:
        self.labels = base.labels_of(labels, n)
        self.classes = points.classes_of(classes, n)
        self.names = whole_number("names", names, at_least=0)
        self.agreement, self.equal = choice("agreement", agreement, ("slope", "correlation")), equal
        quantity, reference = text("quantity", quantity), optional_text("reference", reference)
        self.xlabel = reference or f"exact change of the {quantity}"

    def keep(self, **columns: FloatArray) -> NDArray[np.bool_]:
        """Return which rows can be drawn, keep the names and classes of these, and count the others."""
        kept = base.drawn(self.labels, **columns)
        self.labels = self.labels[kept]
        self.classes = points.of_rows(self.classes, kept)
        self.xlabel = base.counted(self.xlabel, kept)
        return kept


def _draw(panels: list[tuple[Axes, str | None, FloatArray]], x: FloatArray, style: _Style) -> None:
    """Draw panels of (axes, title, predictions), all in one range with room for their boxes."""
    everything = np.concatenate([x, *(y for _, _, y in panels)])
    low, high = _range(everything)
    boxes = [_box(ax, _summary(y, x, style)) for ax, _, y in panels]
    drawn = [np.column_stack([x, y]) for _, _, y in panels]
    top = max(widened(*pair, low, high) for pair in zip(boxes, drawn, strict=True))
    for box, (ax, title, y) in zip(boxes, panels, strict=True):
        if style.equal:
            ax.set(xlim=(low, top), ylim=(low, top))
            ax.set_aspect("equal", adjustable="box")
        else:
            ax.set(xlim=_range(x), ylim=_range(y))
        _where_right(ax)
        points.scatter(ax, x, y, style.classes, key=bool(style.classes[0][0]))
        error = np.abs(y - x)
        chosen = points.largest(error, style.names, above=VISIBLE * float(np.ptp(ax.get_ylim())))
        points.label_points(ax, x, y, style.labels, chosen, box=box)
        base.tidy(ax, xlabel=style.xlabel, ylabel="predicted change", title=title)
        wording.scientific(ax)


def _range(values: FloatArray) -> tuple[float, float]:
    """Return limits of an axis that holds the values."""
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def _where_right(ax: Axes) -> None:
    """Draw the line of equal changes, named where it leaves the axes on the right if these are not narrow."""
    ax.axline((0.0, 0.0), slope=1.0, color=base.GREY, linestyle="--", linewidth=0.8, zorder=1)
    (_, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    if base.width_of(ax) < NARROW:
        return
    ax.text(
        1.01, (right - low) / (high - low), "y = x", transform=ax.transAxes, ha="left", va="center",
        fontsize=base.SMALL, color=base.shade(base.NAME_OF_LINE),
    )  # fmt: skip


def _box(ax: Axes, text: str) -> Text:
    """Write the summary; `label_points` moves it to a place that is free. Points are drawn over it."""
    return ax.text(
        0.03, 0.97, text, transform=ax.transAxes, ha="left", va="top", fontsize=base.SMALL, zorder=1.5,
        bbox={"facecolor": base.shade(0.0), "edgecolor": "none", "alpha": 0.7, "pad": 1.0},
    )  # fmt: skip


def _summary(predicted: FloatArray, exact: FloatArray, style: _Style) -> str:
    """Return slope or correlation, and the largest error with its row, unless that is of rounding only."""
    error = np.abs(predicted - exact)
    worst = int(np.argmax(error))
    first = f"{style.agreement} {_number(_agreement(predicted, exact, style.agreement), 3)}"
    if error[worst] <= ROUNDING * float(np.max(np.abs(exact))):
        return f"{first}\nequal up to rounding"
    return (
        f"{first}\nlargest error {_number(float(error[worst]), 2)}\n"
        f"(row {points.row_name(style.labels[worst])})"
    )


def _agreement(predicted: FloatArray, exact: FloatArray, kind: str) -> float:
    """Return the slope of predicted on exact, or their correlation; nan where there is none."""
    x, y = exact - exact.mean(), predicted - predicted.mean()
    scale = float(x @ x) if kind == "slope" else float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0.0 else np.nan


def _number(value: float, digits: int) -> str:
    """Return a slope or an error in words."""
    if np.isnan(value):
        return "none"
    if digits == 3 and abs(value) < 100.0:
        return f"{value:.3f}"
    return f"{value:.{digits if abs(value) < 100.0 else 3}g}"
