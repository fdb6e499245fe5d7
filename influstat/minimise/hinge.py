"""The linear support vector classifier with the hinge loss itself (t = 0), fitted exactly.

    minimise over (beta, b):  sum_i w_i max(0, 1 - y_i (x_i'beta + b + o_i)) + (kappa/2) |beta|^2

With z_i = y_i x_i and c_i = 1 - y_i o_i its dual is the box-constrained quadratic programme

    maximise over alpha:  c'alpha - |Z'alpha|^2 / (2 kappa),   0 <= alpha_i <= w_i,   y'alpha = 0

(the last only with an intercept), and beta = Z'alpha / kappa at the optimum. The duality gap, primal
minus dual value, bounds how far either is from optimal, and (kappa/2) |beta - optimum|^2 as well.
How the pair is found is the business of `influstat.minimise.hinge_dual`; here it is certified.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, NotConverged
from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray
from influstat.minimise.hinge_dual import best_pair
from influstat.minimise.hinge_problem import HingeProblem, central_intercept


@dataclass(frozen=True, eq=False, repr=False)
class HingeSolution(ShortRepr):
    """The optimal pair of the hinge-loss classifier, with its certificate.

    Attributes
    ----------
    theta : ndarray, shape (p,) or (p + 1,)
        beta, then the intercept b if there is one.
    dual : ndarray, shape (n,)
        alpha_i in [0, w_i], sum scale: 0 for rows beyond the margin and rows of weight 0, w_i for
        rows short of it; -y_i alpha_i / w_i is row i's subgradient of the loss in eta.
    duality_gap : float
        (Primal minus dual objective at theta and dual) / W: R(theta) is at most this far above the
        smallest risk. Computed as a sum of terms >= 0, so that nothing cancels.
    margin : ndarray of bool, shape (n,)
        Rows on the margin, y_i eta_i = 1 to rounding, those of weight 0 included.
    iterations : int
        Interior-point steps taken.

    Examples
    --------
    >>> import numpy as np
    >>> from influstat.minimise.hinge import minimise_hinge
    >>> solution = minimise_hinge(
    ...     np.array([[2.0]]), np.array([1.0]),
    ...     weights=np.ones(1), offset=np.zeros(1), kappa=10.0, intercept=False)
    >>> solution.theta, solution.dual, solution.margin        # 2 theta stays short of 1
    (array([0.2]), array([1.]), array([False]))
    """

    theta: FloatArray
    dual: FloatArray
    duality_gap: float
    margin: NDArray[np.bool_]
    iterations: int


def minimise_hinge(
    X: FloatArray,
    y: FloatArray,
    *,
    weights: FloatArray,
    offset: FloatArray,
    kappa: float,
    intercept: bool,
    tolerance: float = 1e-10,
) -> HingeSolution:
    """Return theta and the dual that certifies it, from dense rows X (n, p) and labels y of -1.0 and +1.0."""
    # Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 12.2 and 12.3.2. `tolerance` is
    # the largest duality gap relative to the risk; rounding of y eta on the margin is allowed on top.
    # Memory: five arrays of the size of X.
    kept = np.flatnonzero(weights > 0)
    if intercept:
        _require_both_classes(y[kept])
    rows = np.empty((len(y), X.shape[1] + intercept))
    np.multiply(X, y[:, None], out=rows[:, : X.shape[1]])
    rows[:, X.shape[1] :] = y[:, None]
    # The steps add up squares of the rows; a factor of 4 leaves room for their sums.
    if not np.isfinite(4.0 * float(np.vdot(rows, rows))):
        raise InvalidArgument(
            "X",
            "have squares with a finite sum",
            f"has an entry of size {np.abs(X).max():.1e}",
            "Rescale it.",
        )
    problem = HingeProblem(rows, 1.0 - y * offset, weights, kappa, intercept)
    theta, dual, iterations = np.zeros(rows.shape[1]), np.zeros(len(y)), 0
    if intercept:
        theta[-1] = central_intercept(problem, theta)
    if problem.value(theta) > 0:  # else the offset alone puts every row beyond the margin
        theta, dual[kept], iterations = best_pair(problem if len(kept) == len(y) else problem.take(kept))
    if intercept:
        theta[-1] = central_intercept(problem, theta)
    rounding = problem.rounding(theta)
    margin = np.abs(problem.shortfall(theta)) <= rounding
    gap, allowed = (
        problem.gap(theta, dual),
        tolerance * problem.value(theta) + weights[margin] @ rounding[margin],
    )
    if not gap <= allowed:
        raise NotConverged(
            f"The hinge fit stopped after {iterations} interior-point steps with a duality gap of {gap:.1e}, "
            f"above {allowed:.1e} (sum scale). Rescale the columns of X, or strengthen the penalty."
        )
    return HingeSolution(theta, dual, gap / float(weights.sum()), margin, iterations)


def _require_both_classes(y: FloatArray) -> None:
    if (y == y[0]).all():
        raise InvalidArgument(
            "y",
            "hold both classes in the rows of positive weight, since the intercept is free",
            f"holds only {y[0]:+.0f}",
            "Add rows of the other class, or fit without an intercept.",
        )
