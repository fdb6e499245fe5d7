"""What a small change of a training row's *inputs* does: I_pert,loss of Koh and Liang (2017, section 2.2).

A training row z_i = (x_i, y_i) enters theta through its gradient g_i = l1_i x_i + s kappa D theta / W
alone. Moving x_i by d moves w_i g_i / W by w_i (l1_i d + l2_i (theta'd) x_i) / W, and theta by minus
H^-1 times that, to first order in d. With s_te = H^-1 g_te the loss of a test row therefore changes by

    (w_i / W) d' I_pert(i, te),    I_pert(i, te) = -(l1_i s_te + l2_i (x_i's_te) theta).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, Unsupported
from influstat.influence.changes import slopes_of
from influstat.influence.influence import Influence
from influstat.influence.user_columns import user_columns
from influstat.input.groups import read_rows
from influstat.input.labels import index_of
from influstat.input.ranking import Moves, Ranked
from influstat.input.validation import FloatArray, check_finite, numeric_array
from influstat.minimise.minimum import Minimum, require_fit
from influstat.risks.linear import LinearRisk, as_linear
from influstat.solvers import Solution, Solver


@dataclass(frozen=True, eq=False, repr=False)
class InputScores(Ranked):
    """The derivative of one quantity in the inputs of each chosen training row.

    Attributes
    ----------
    values : ndarray, shape (k, q)
        I_pert for each row and each column of X (not the intercept), in units of the loss times n per
        unit of x (mean scale, as eq. 10). Through a Pipeline or a formula: per unit of each column of the
        user's table that the design follows smoothly; columns of categories are left out.
    share : ndarray, shape (k,)
        w_i / W.
    rows : ndarray of int, shape (k,)
        Positions of the training rows.
    names : tuple of str
        What the q columns are called.
    solution : Solution
        The solve with H behind the values.
    row_labels : ndarray, shape (k,)
        What the training rows are called.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> ist.input_influence(fit, [[1.0]], [0.0]).values.shape
    (2, 1)
    """

    values: FloatArray
    share: FloatArray
    rows: NDArray[np.intp]
    names: tuple[str, ...]
    solution: Solution
    row_labels: NDArray[Any]

    HEADING = "Derivative of the loss in the inputs of each row, per unit of x"

    @property
    def gradient(self) -> FloatArray:
        """(w_i / W) values: d loss / d x_i, shape (k, q), after minus before per unit of x."""
        return np.asarray(self.share[:, None] * self.values)

    def to_frame(self) -> Any:
        """Return `gradient` as a pandas DataFrame: rows labelled, one column per input."""
        import pandas as pd

        return pd.DataFrame(self.gradient, index=index_of(self.row_labels), columns=list(self.names))

    def moves(self) -> Moves:
        """Return `gradient`, a column for each input."""
        return Moves(self.gradient, self.row_labels, self.names, "Derivative of the loss per unit of x")

    def effect(self, steps: Any) -> FloatArray:
        """Return the first-order change of the loss when each row's inputs move by its step.

        Parameters
        ----------
        steps : array_like, shape (k, q)
            Changes of the chosen rows of X. Add up the effects of rows that move together.

        Returns
        -------
        ndarray, shape (k,)
            In the units of the loss, after minus before.

        Raises
        ------
        InvalidArgument, InvalidType
            The steps have another shape, or are not finite numbers.
        """
        moved = np.asarray(numeric_array("steps", steps), dtype=np.float64)
        check_finite("steps", moved)
        if moved.shape != self.values.shape:
            raise InvalidArgument(
                "steps",
                f"have shape {self.values.shape}",
                f"has shape {moved.shape}",
                "Pass one step per row.",
            )
        return np.asarray(np.einsum("ij,ij->i", self.gradient, moved))


def input_influence(
    fit: Minimum, X: Any, y: Any = None, *, rows: Any = None, offset: Any = None, solver: Solver | None = None
) -> InputScores:
    """Return how the summed loss of test rows responds to the inputs of each training row.

    Parameters
    ----------
    fit : Fit
        A fit of a LinearRisk.
    X, y : array_like, shapes (m, p) and (m,)
        Test rows; their losses are added up.
    rows : array_like of int, optional
        Training rows, by position; all when left out.
    offset : array_like, shape (m,), optional
        Offsets of the test rows.
    solver : Solver, optional
        How H^-1 g is found; `Cholesky()` when left out.

    Returns
    -------
    InputScores
        values (k, q): positive where a larger input makes the test loss larger.

    Raises
    ------
    Unsupported
        The risk is not a LinearRisk: its inputs are unknown.
    InvalidArgument, InvalidType
        A row does not exist, or the test rows do not suit the fit.

    Notes
    -----
    Koh and Liang (2017), section 2.2, I_pert,loss, in the closed form of the module's docstring. The
    penalty's share does not depend on x and drops out.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [2.0]], [1.0, 3.0])        # theta = 7 / 5
    >>> scores = ist.input_influence(fit, [[1.0]], [1.0])               # loss (1 - 7/5)^2
    >>> moved = ist.Ridge(lam=0.0).fit([[1.0], [2.001]], [1.0, 3.0])
    >>> actual = moved.loss([[1.0]], [1.0])[0] - fit.loss([[1.0]], [1.0])[0]
    >>> bool(abs(scores.effect([[0.0], [0.001]])[1] / actual - 1.0) < 0.01)
    True
    """
    risk = _linear_risk(fit)
    chosen = read_rows(rows, risk.row_labels).members
    gradient = fit.test_rows(X, y, offset=offset).row_gradients(fit.theta).sum(axis=0)
    solution = Influence(fit, solver).solver.prepare(fit.hessian).apply(gradient)
    design = risk.design.rows(chosen)
    eta = design @ fit.theta + risk.offset[chosen]
    first, second = risk.loss.first(risk.y[chosen], eta), risk.loss.second(risk.y[chosen], eta)
    inputs = risk.shape[1] - risk.design.intercept
    values = np.outer(-first, solution.value[:inputs])
    values -= np.outer(second * (design @ solution.value), fit.theta[:inputs])
    share, labels = risk.weights[chosen] / risk.total_weight, risk.row_labels[chosen]
    user = user_columns(fit)
    if user is None:
        return InputScores(values, share, chosen, tuple(risk.names[:inputs]), solution, labels)
    slopes = slopes_of(user)
    if not slopes:
        for name in user.names:
            user.require_own(name)
        raise Unsupported(
            "fit",
            "have columns of numbers that its design follows smoothly",
            f"was given {', '.join(user.names[:6])}, and moves with none of them a little",
            "Compare refits with other categories.",
        )
    per_unit = [np.einsum("ij,ij->i", values, slope[chosen, :inputs]) for slope in slopes.values()]
    return InputScores(np.column_stack(per_unit), share, chosen, tuple(slopes), solution, labels)


def _linear_risk(fit: Any) -> LinearRisk:
    risk = as_linear(require_fit(fit).risk)
    if risk is None:
        raise Unsupported(
            "fit",
            "be a fit of a LinearRisk",
            f"is one of {type(fit.risk).__name__}",
            "Its inputs are not known.",
        )
    return risk
