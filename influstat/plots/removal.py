"""Predicted removal against exact refits: how far to trust an approximation, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.plots.base import (
    GREY,
    SMALL,
    column,
    label_points,
    labels_of,
    largest,
    one_axes,
    scatter,
    scientific,
    several_axes,
    tidy,
)
from influstat.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def predicted_against_exact(
    predicted: Any,
    exact: Any,
    *,
    row_labels: Any = None,
    classes: Any = None,
    outliers: int = 3,
    quantity: str = "test loss",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the predicted change on removal of each row against that of an exact refit.

    The 45-degree line is where predictions are right; the slope of least squares (predicted on exact)
    and the largest error are written into the corner, because a correlation hides a wrong scale.

    Parameters
    ----------
    predicted, exact : array_like, shape (n,)
        After minus before, for instance `Scores.removal` and `Removal.loss_change`, one column of each.
    row_labels : array_like, shape (n,), optional
        What the rows are called; positions when left out.
    classes : array_like, shape (n,), optional
        Colours and markers the points, for instance the labels of the rows.
    outliers : int
        How many rows with the largest errors are named.
    quantity : str
        What changes, with its unit.
    title : str, optional
        Above the axes.
    ax : Axes, optional
        Where to draw; a new figure of 3.3 inches when left out.

    Returns
    -------
    Axes
        Exact on the horizontal axis, predicted on the vertical one, in equal scales.

    Raises
    ------
    InvalidArgument, InvalidType
        The arrays differ in length or are not finite.
    MissingDependency
        matplotlib is not installed; so for every plot.

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
    y = column("predicted", predicted)
    x = column("exact", exact, len(y))
    labels = labels_of(row_labels, len(y))
    ax = one_axes(ax, height=3.1)
    _square(ax, x, y)
    scatter(ax, x, y, classes)
    label_points(ax, x, y, labels, largest(np.abs(y - x), outliers), from_line=True)
    ax.text(
        0.03, 0.97, _summary(y, x, labels), transform=ax.transAxes, ha="left", va="top", fontsize=SMALL,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1.0}, zorder=5,
    )  # fmt: skip
    if classes is not None:
        ax.legend(fontsize=SMALL, loc="lower right", frameon=False, handletextpad=0.2)
    tidy(ax, xlabel=f"exact change of the {quantity}", ylabel="predicted change", title=title)
    scientific(ax)
    return ax


def solver_panels(
    predictions: Mapping[str, Any],
    exact: Any,
    *,
    row_labels: Any = None,
    classes: Any = None,
    outliers: int = 1,
    quantity: str = "test loss",
    columns: int = 2,
    ax: Any = None,
) -> NDArray[Any]:
    """Draw one panel of predicted against exact changes per solver, all in the same scales.

    Parameters
    ----------
    predictions : mapping of str to array_like of shape (n,)
        Name of a solver -> its predicted changes.
    exact : array_like, shape (n,)
        Changes by exact refits.
    row_labels, classes, outliers, quantity
        As for `predicted_against_exact`.
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
        There are no predictions, or arrays or axes do not match.

    Examples
    --------
    >>> from influstat import plots
    >>> axes = plots.solver_panels({"explicit": [0.1, 0.2], "LiSSA": [0.0, 0.3]}, [0.1, 0.2])
    >>> [one.get_title() for one in axes]
    ['explicit', 'LiSSA']
    """
    if not predictions:
        raise InvalidArgument("predictions", "name at least one solver", "is empty", "Pass {'CG': changes}.")
    x = column("exact", exact)
    panels = {name: column(f"predictions[{name!r}]", y, len(x)) for name, y in predictions.items()}
    axes = several_axes(ax, len(panels), columns=columns, height=3.1)
    everything = np.concatenate([x, *panels.values()])
    for one, (name, y) in zip(axes, panels.items(), strict=True):
        predicted_against_exact(
            y, x, row_labels=row_labels, classes=classes, outliers=outliers, quantity=quantity,
            title=name, ax=one,
        )  # fmt: skip
        _square(one, everything, everything, line=False)
    return axes


def _square(ax: Axes, x: FloatArray, y: FloatArray, *, line: bool = True) -> None:
    """Give both axes the same range, with the line of equality."""
    low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
    margin = 0.06 * (high - low) or 1.0
    if line:
        ax.axline((0.0, 0.0), slope=1.0, color=GREY, linestyle="--", linewidth=0.8, zorder=1)
    ax.set_xlim(low - margin, high + margin)
    ax.set_ylim(low - margin, high + margin)
    ax.set_aspect("equal", adjustable="box")


def _summary(predicted: FloatArray, exact: FloatArray, labels: NDArray[Any]) -> str:
    error = np.abs(predicted - exact)
    worst = int(np.argmax(error))
    centred = exact - exact.mean()
    spread = float(centred @ centred)
    if spread == 0.0:
        slope = "none"
    else:
        value = float(centred @ predicted) / spread
        slope = f"{value:.3f}" if abs(value) < 100.0 else f"{value:.3g}"
    return f"slope {slope}\nlargest error {error[worst]:.2g}\n(row {labels[worst]})"
