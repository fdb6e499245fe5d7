"""Predicted removal against exact refits: how far to trust an approximation, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.settings import optional_text, text
from influstat.input.validation import FloatArray, whole_number
from influstat.plots import base
from influstat.plots.placing import widened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

VISIBLE = 1.0 / 200.0  # of the range of the axes: smaller errors cannot be seen (one pixel)


def predicted_against_exact(
    predicted: Any,
    exact: Any,
    *,
    row_labels: Any = None,
    classes: Any = None,
    outliers: int = 3,
    quantity: str = "test loss",
    reference: str | None = None,
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the predicted change on removal of each row against that of an exact refit.

    The 45-degree line is where predictions are right; the slope of least squares (predicted on exact)
    and the largest error are written where no point is, because a correlation hides a wrong scale.

    Parameters
    ----------
    predicted, exact : array_like, shape (n,)
        After minus before, for instance `Scores.removal` and `Removal.loss_change`, one column of each.
    row_labels : array_like, shape (n,), optional
        What the rows are called; positions when left out.
    classes : array_like, shape (n,), optional
        Colours and markers the points, for instance the labels of the rows.
    outliers : int
        How many rows with the largest errors are named, at most: an error of less than 1/200 of the
        range of the axes names none, and neither does one whose name would lie over another.
    quantity : str
        What changes, with its unit.
    reference : str, optional
        What `exact` is, for the horizontal axis: the default is "exact change of the <quantity>".
    title : str, optional
        Above the axes.
    size : pair of float, optional
        Width and height of a new figure in inches.
    ax : Axes, optional
        Where to draw; a new figure of 4.4 inches when left out.

    Returns
    -------
    Axes
        Exact on the horizontal axis, predicted on the vertical one, in equal scales.

    Raises
    ------
    InvalidArgument, InvalidType
        The arrays differ in length, or hold inf or no row without a nan.
    MissingDependency
        matplotlib is not installed; so for every plot.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan, having no refit: they are not drawn.

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
    style = _Style(len(y), row_labels, classes, outliers, quantity, reference)
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
    outliers: int = 1,
    quantity: str = "test loss",
    reference: str | None = None,
    columns: int = 2,
    ax: Any = None,
) -> NDArray[Any]:
    """Draw one panel of predicted against exact changes per solver, all in the same scales.

    Parameters
    ----------
    predictions : mapping of str to array_like of shape (n,)
        Name of a solver -> its predicted changes.
    exact : array_like, shape (n,)
        Changes by exact refits, or another reference.
    row_labels, classes, outliers, quantity
        As for `predicted_against_exact`.
    reference : str, optional
        What `exact` is where no row was refitted, for instance "-I/n, explicit solution": it is
        written at the horizontal axis in place of "exact change of the <quantity>".
    columns : int
        Panels beside each other in a new figure.
    ax : sequence of Axes, optional
        One per solver.

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
        Some rows hold a nan, in one panel or as a reference: they are not drawn in any.

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
    style = _Style(len(x), row_labels, classes, outliers, quantity, reference)
    columns = whole_number("columns", columns, at_least=1)
    kept = style.keep(exact=x, **{f"predictions[{name!r}]": y for name, y in panels.items()})
    axes = base.several_axes(ax, len(panels), columns=columns, height=4.1)
    _draw([(one, name, y[kept]) for one, (name, y) in zip(axes, panels.items(), strict=True)], x[kept], style)
    return axes


class _Style:
    """What all panels of one figure share: the arguments of the public functions, checked for n rows."""

    def __init__(
        self, n: int, labels: Any, classes: Any, outliers: int, quantity: str, reference: str | None
    ) -> None:
        self.labels = base.labels_of(labels, n)
        self.classes = base.classes_of(classes, n)
        self.outliers = whole_number("outliers", outliers, at_least=0)
        quantity, reference = text("quantity", quantity), optional_text("reference", reference)
        self.xlabel = reference or f"exact change of the {quantity}"

    def keep(self, **columns: FloatArray) -> NDArray[np.bool_]:
        """Return which rows can be drawn, and keep the names and classes of these."""
        kept = base.drawn(self.labels, **columns)
        self.labels = self.labels[kept]
        self.classes = [(name, mask[kept], colour, marker) for name, mask, colour, marker in self.classes]
        return kept


def _draw(panels: list[tuple[Axes, str | None, FloatArray]], x: FloatArray, style: _Style) -> None:
    """Draw panels of (axes, title, predictions), all in one range with room for their boxes."""
    everything = np.concatenate([x, *(y for _, _, y in panels)])
    low, high = float(everything.min()), float(everything.max())
    margin = 0.06 * (high - low) or 1.0
    low, high = low - margin, high + margin
    boxes = [_box(ax, _summary(y, x, style.labels)) for ax, _, y in panels]
    points = [np.column_stack([x, y]) for _, _, y in panels]
    top = max(widened(*pair, low, high) for pair in zip(boxes, points, strict=True))
    for box, (ax, title, y) in zip(boxes, panels, strict=True):
        ax.axline((0.0, 0.0), slope=1.0, color=base.GREY, linestyle="--", linewidth=0.8, zorder=1)
        ax.set(xlim=(low, top), ylim=(low, top))
        ax.set_aspect("equal", adjustable="box")
        base.scatter(ax, x, y, style.classes)
        error = np.abs(y - x)
        chosen = base.largest(error, style.outliers, above=VISIBLE * (top - low))
        base.label_points(ax, x, y, style.labels, chosen, box=box)
        if any(name for name, *_ in style.classes):
            ax.legend(fontsize=base.SMALL, loc="best", frameon=False, handletextpad=0.2)
        base.tidy(ax, xlabel=style.xlabel, ylabel="predicted change", title=title)
        base.scientific(ax)


def _box(ax: Axes, text: str) -> Text:
    """Write the summary; `label_points` moves it to a place that is free. Points are drawn over it."""
    return ax.text(
        0.03, 0.97, text, transform=ax.transAxes, ha="left", va="top", fontsize=base.SMALL, zorder=1.5,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1.0},
    )  # fmt: skip


def _summary(predicted: FloatArray, exact: FloatArray, labels: NDArray[Any]) -> str:
    error = np.abs(predicted - exact)
    worst = int(np.argmax(error))
    centred = exact - exact.mean()
    spread, slope = float(centred @ centred), "none"
    if spread != 0.0:
        value = float(centred @ predicted) / spread
        slope = f"{value:.3f}" if abs(value) < 100.0 else f"{value:.3g}"
    size = f"{error[worst]:.2g}" if error[worst] < 100.0 else f"{error[worst]:.3g}"
    return f"slope {slope}\nlargest error {size}\n(row {base.row_name(labels[worst])})"
