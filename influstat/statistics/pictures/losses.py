"""Pictures of what rows do to the loss of test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from influstat.influence.influence import Influence
from influstat.input.validation import choice, whole_number
from influstat.removal.leave_out import announced, leave_one_out
from influstat.statistics.pictures.base import Pictures, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LossPictures(Pictures):
    """Pictures of predicted and exact changes."""

    def predicted_against_exact(
        self,
        X: Any,
        y: Any = None,
        *,
        method: str = "influence",
        offset: Any = None,
        names: int = 3,
        title: str | None = None,
        size: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the predicted change of a test loss without each row against that of its exact refit.

        Parameters
        ----------
        X, y : array_like, shapes (m, p) and (m,)
            Test rows; the sum of their losses is drawn.
        method : {"influence", "newton", "second_order"}
            What predicts: influence functions, linear in the row, or the loss at the theta of another method
            of `Fit.leave_one_out`.
        offset : array_like, shape (m,), optional
            Offsets of the test rows.
        names : int
            How many rows of largest error are named, where there is room.
        title : str, optional
            Above the axes.
        size : pair of float, optional
            Width and height of a new figure in inches.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            Exact on the horizontal axis, predicted on the vertical one, in equal scales.

        Raises
        ------
        InvalidArgument, InvalidType
            The test rows are not of the fit's columns, or an argument is not as above.

        Warns
        -----
        DoubtfulResult
            Some rows have no refit: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [2.0], [3.0]], [1.0, 3.0, 2.0])
        >>> fit.plot.predicted_against_exact([[1.0]], [2.0]).get_xlabel()
        'exact change of the test loss'
        """
        names, fit = whole_number("names", names, at_least=0), self._fit
        choice("method", method, ("influence", "newton", "second_order"))
        if method == "influence":
            predicted = Influence(fit).on_loss(X, y, offset=offset).removal
        else:
            predicted = leave_one_out(fit, method=method).loss_change(X, y, offset=offset)
        exact = announced(leave_one_out(fit)).loss_change(X, y, offset=offset)
        with drawing() as plots:
            drawn: Axes = plots.predicted_against_exact(
                predicted.sum(axis=1),
                exact.sum(axis=1),
                row_labels=self._fit.row_labels,
                names=names,
                title=title,
                size=size,
                ax=ax,
            )
        return drawn
