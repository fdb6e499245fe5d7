"""Pictures of what rows do to the loss of test rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.influence.influence import Influence
from influstat.input.lazy_types import Axes
from influstat.input.validation import FloatArray, choice, whole_number
from influstat.input.warning import doubt, unsaid
from influstat.removal.report import ORDERS, removal_report
from influstat.solvers import Cholesky, ConjugateGradient
from influstat.statistics.pictures.base import Pictures, look_of
from influstat.statistics.pictures.influences import changes

DEFAULT = {"factorisation": Cholesky(), "conjugate gradients": ConjugateGradient()}


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
        title, size, ax
            As for all pictures: see `influstat.plots`.

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
        look, fit = look_of(names, title, size, ax), self._fit
        choice("method", method, ("influence", "newton", "second_order"))
        predicted, exact = (changes(fit, X, y, offset, one) for one in (method, "exact"))
        return self._draw("predicted_against_exact", predicted, exact, **look)

    def solvers(
        self,
        X: Any,
        y: Any = None,
        *,
        solvers: Any = None,
        offset: Any = None,
        columns: int | None = None,
        names: int = 1,
        title: str | None = None,
        size: Any = None,
        ax: Any = None,
    ) -> NDArray[Any]:
        """Draw first-order changes of a test loss by several solvers against those of exact refits.

        Parameters
        ----------
        X, y : array_like, shapes (m, p) and (m,)
            Test rows; the sum of their losses is drawn.
        solvers : mapping of str to Solver, optional
            What a panel is called -> how H^-1 g is found; a factorisation and conjugate gradients when left
            out.
        offset : array_like, shape (m,), optional
            Offsets of the test rows.
        columns : int, optional
            Panels beside each other in a new figure.
        names : int
            How many rows of largest error are named in each panel, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`; one Axes per panel.

        Returns
        -------
        ndarray of Axes
            One per solver, all in one scale.

        Raises
        ------
        InvalidArgument, InvalidType
            There are no solvers, the test rows are not of the fit's columns, or an argument is not as above.

        Warns
        -----
        DoubtfulResult
            Without some rows there is no fit: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [2.0], [3.0]], [1.0, 3.0, 2.0])
        >>> [ax.get_title() for ax in fit.plot.solvers([[1.0]], [2.0])]
        ['factorisation', 'conjugate gradients']
        """
        look, fit = look_of(names, title, size, ax), self._fit
        chosen: Any = DEFAULT if solvers is None else solvers
        if not isinstance(chosen, Mapping) or not chosen:
            was = "is empty" if isinstance(chosen, Mapping) else f"is a {type(chosen).__name__}"
            raise InvalidArgument("solvers", "map names to solvers", was, 'Pass {"LiSSA": ist.LiSSA()}, say.')
        predicted = {
            str(name): Influence(fit, one).on_loss(X, y, offset=offset).removal.sum(axis=1)
            for name, one in chosen.items()
        }
        exact = changes(fit, X, y, offset, "exact")
        return self._draw_panels("solver_panels", predicted, exact, columns=columns, **look)

    def removal_report(
        self,
        X: Any,
        y: Any = None,
        *,
        top: int = 50,
        groups: Any = None,
        offset: Any = None,
        columns: int | None = None,
        names: int = 1,
        title: str | None = None,
        size: Any = None,
        ax: Any = None,
    ) -> NDArray[Any]:
        """Draw the orders of approximation of `Fit.removal_report` against exact refits, a panel each.

        Parameters
        ----------
        X, y, groups, offset
            As for `Fit.removal_report`.
        top : int
            How many removals, those of largest change.
        columns : int, optional
            Panels beside each other in a new figure.
        names : int
            How many removals of largest error are named in each panel, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`; one Axes per panel.

        Returns
        -------
        ndarray of Axes
            First order, the Newton step with the loss along its tangent and evaluated anew, and, where the
            risk has it, second order; all in one scale.

        Raises
        ------
        InvalidArgument, InvalidType
            As `Fit.removal_report`, or an argument is not as above.

        Warns
        -----
        DoubtfulResult
            Some removals have no refit: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [2.0], [3.0]], [1.0, 3.0, 2.0])
        >>> [ax.get_title() for ax in fit.plot.removal_report([[1.0]], [2.0])]
        ['first order', 'Newton, linear', 'Newton', 'second order']
        """
        names = whole_number("names", names, at_least=0)
        with unsaid():  # bounds are not drawn; what has no refit is said below
            report = removal_report(self._fit, X, y, top=top, groups=groups, offset=offset)
        called = {name: text for name, text, _, _ in ORDERS if name != "exact"}
        known = {
            called[name]: change
            for name, change in report.changes.items()
            if name in called and not np.isnan(change).all()
        }
        announce_missing(report.changes["exact"])
        return self._draw_panels(
            "solver_panels",
            known,
            report.changes["exact"],
            row_labels=report.labels,
            columns=columns,
            **look_of(names, title, size, ax),
        )


def announce_missing(exact: FloatArray) -> None:
    """Warn once of removals that have no refit."""
    missing = int(np.isnan(exact).sum())
    if missing:
        doubt(f"{missing} of {len(exact)} removals have no refit: they are not drawn.")
