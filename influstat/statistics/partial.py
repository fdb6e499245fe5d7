"""One coefficient as the slope of points: added variables and partial residuals.

With positive weights v_i the working residuals are e_i = -l1_i / v_i. At the minimum of an unpenalised risk
sum_i w_i v_i e_i x_i = 0, so e is what weighted least squares of the working response eta + e on X leaves,
whatever v is; here v_i = E(l2_i) (Fisher scoring; y - mu for squared error), or the same for all rows where
some row has none that is positive. Everything is in units of l2 of squared error.

- Added variable (Cook and Weisberg 1982, section 2.3.2; Wang 1985): a_i is what the other columns leave of
  column j by weighted least squares. The points (sqrt(v_i w_i) a_i, sqrt(v_i w_i) (e_i + theta_j a_i)) have
  the least squares slope theta_j through 0, and the residuals of the fit about it.
- Component plus residual (Ezekiel 1924; Landwehr, Pregibon and Shoemaker 1984): the points (x_ij,
  e_i + theta_j x_ij) have the slope theta_j by least squares weighted by v_i w_i: with an intercept, if X has
  a constant column, else through 0.

With a penalty the line of slope theta_j is still that of the fit, but least squares would be steeper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influstat.input.validation import FloatArray
from influstat.losses.base import constant_second
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import require_linear
from influstat.statistics.leverage import expected_second


@dataclass(frozen=True, eq=False)
class Working:
    """A fit as weighted least squares.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0], [1.0]], [1.0, 3.0, 8.0])
    >>> working(fit).residuals.round(12), working(fit).weights
    (array([-3., -1.,  4.]), array([1., 1., 1.]))
    """

    X: FloatArray  # the rows, dense, shape (n, p)
    residuals: FloatArray  # e, in the units of the linear predictor, shape (n,)
    weights: FloatArray  # w_i v_i; w_i for squared error, shape (n,)


def working(fit: Minimum) -> Working:
    """Return the fit as weighted least squares; or raise where a row has no linear predictor."""
    risk = require_linear(fit.risk, "added variables and partial residuals")
    eta = risk.linear_predictor(fit.theta)
    there = risk.weights > 0.0
    unit = constant_second(risk.loss) or 1.0
    v = expected_second(risk, eta) / unit
    if not (v[there] > 0.0).all():
        v = np.ones(len(v))
    first = risk.loss.first(risk.y, eta) / unit
    X = np.vstack([block for _, block in risk.design.dense_blocks()])
    residuals = np.full(len(v), np.nan)  # rows without weight have none
    residuals[there] = -first[there] / v[there]
    return Working(X, residuals, np.where(there, risk.weights * v, 0.0))


def added_variable(fit: Minimum, j: int) -> tuple[FloatArray, FloatArray]:
    """Return the points of the added-variable plot of column j, each of shape (n,)."""
    found = working(fit)
    root = np.sqrt(found.weights)
    others = root[:, None] * np.delete(found.X, j, axis=1)
    norms = np.linalg.norm(others, axis=0)
    others = others / np.where(norms > 0.0, norms, 1.0)  # units of columns are no question of rank
    own = root * found.X[:, j]
    left = own - others @ np.linalg.lstsq(others, own, rcond=None)[0]
    return left, root * found.residuals + fit.theta[j] * left


def partial_residuals(fit: Minimum, j: int) -> tuple[FloatArray, FloatArray]:
    """Return column j and its partial residuals, each of shape (n,)."""
    found = working(fit)
    return found.X[:, j], found.residuals + fit.theta[j] * found.X[:, j]
