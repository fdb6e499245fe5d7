"""Coordinates in which the Hessian is the identity: leverages and removals become sums of squares.

Sum scale: S = sum_i w_i l2_i x_i x_i' + K, K = kappa D. With U'SU = I and U'KU = diag(lambda), a row becomes
y_i = U'x_i, its leverage w_i l2_i |y_i|^2, and the Hessian that keeps only a part (1 - c) of the penalty is
U^-T diag(1 - c lambda) U^-1: one factorisation serves every row under both protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, solve_triangular

from influstat.algebra.cholesky import CholeskyInverse
from influstat.errors import Unsupported
from influstat.input.matrix import BLOCK_ENTRIES
from influstat.input.validation import FloatArray, choice
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import LinearRisk, require_linear
from influstat.statistics import residuals
from influstat.statistics.apart import Apart, rows_apart

INFORMATION = ("observed", "expected")
NEAR = 1e-5  # 1 - leverage below which it has less than 11 digits, and the other rows tell it better
WELL_CONDITIONED = 1e-3  # reciprocal condition number of S above which one factorisation is exact enough


class Leverage:
    """Leverages of a fit's rows and the coordinates they come from.

    Parameters
    ----------
    fit : Fit
        A fit of a LinearRisk.
    information : {"observed", "expected"}
        Whether l2 is that of the targets, as in a refit's own Newton step, or its expectation, as in Fisher
        scoring (R's and most tables' leverages); the same with a canonical link.

    Notes
    -----
    The leverage h_i = w_i l2_i x_i'S^-1 x_i is the rate at which the fitted linear predictor of row i
    follows its own working response. The leverages sum to the effective degrees of freedom
    p - trace(S^-1 K): p without a penalty. A row of negative curvature l2 has a negative leverage.

    S is factored a second time in its own coordinates where it is ill-conditioned. Where its Gram matrix has
    too few digits, or columns depend on each other, `risk` and `theta` are those of `Minimum.regular`.

    Raises
    ------
    Unsupported
        The risk has no linear predictor.
    SingularHessian, IndefiniteHessian
        S has no inverse.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.statistics.leverage import Leverage
    >>> fit = ist.Ridge(lam=1.0, protocol="fixed").fit([[1.0], [2.0]], [1.0, 3.0])
    >>> Leverage(fit).values.round(12)          # x^2 / (1 + 4 + lam)
    array([0.16666667, 0.66666667])
    """

    def __init__(self, fit: Minimum, information: str = "observed") -> None:
        choice("information", information, INFORMATION)
        require_linear(fit.risk, "leverages")
        self._chart = fit.chart
        inner = fit.regular
        risk = self.risk = require_linear(inner.risk, "leverages")
        self.penalty: FloatArray = risk.penalty.hessian(inner.theta).dense()  # K, sum scale
        self.theta = inner.theta
        self.linear_predictor: FloatArray = risk.linear_predictor(inner.theta)
        self.second: FloatArray = (
            self.expected_second if information == "expected" else risk.curvatures(inner.theta)
        )
        self._curvature: FloatArray = risk.weights * self.second
        self.transform, self.penalty_share = self._coordinates()

    def _coordinates(self) -> tuple[FloatArray, FloatArray]:
        """Return U and lambda: of the Hessian's own factor, where it is exact enough."""
        if np.array_equal(self.second, self.risk.curvatures(self.theta)):
            inverse = self.risk.curvature(self.theta).cholesky()
            if inverse.reciprocal_condition >= WELL_CONDITIONED:
                root = inverse.whiten(np.eye(len(self.theta))) / np.sqrt(self.risk.total_weight)
                return with_shares(np.asarray(root.T), self.penalty)
        return coordinates_of(self.gram(), self.penalty, self.risk.names, self.gram_of)

    @cached_property
    def to_theta(self) -> FloatArray:
        """From these coordinates to the coefficients, shape (p, r); nan for those that are not determined."""
        if self._chart is None:
            return self.transform
        found = self._chart.coordinates
        return np.where(found.determined[:, None], found.lift(self.transform), np.nan)

    @cached_property
    def expected_second(self) -> FloatArray:
        """E(l2_i), shape (n,)."""
        return expected_second(self.risk, self.linear_predictor)

    @cached_property
    def mean_slope(self) -> FloatArray:
        """The derivative of each row's mean in its linear predictor, shape (n,); 1 for a loss without."""
        return residuals.mean_slope(self.risk, self.linear_predictor)

    @cached_property
    def direction(self) -> FloatArray:
        """Whether the mean of each row grows with its linear predictor, 1 or -1, shape (n,)."""
        return residuals.direction(self.mean_slope)

    def gram(self) -> FloatArray:
        """Return the sum of w_i l2_i x_i x_i', shape (p, p)."""
        return self.risk.design.gram(self._curvature)

    def gram_of(self, transform: FloatArray) -> FloatArray:
        """Return the sum of w_i l2_i (U'x_i)(U'x_i)'."""
        total = np.zeros(transform.shape)
        for rows, block in self.risk.design.dense_blocks():
            moved = block @ transform
            total += moved.T @ (self._curvature[rows, None] * moved)
        return total

    def runs(self, chosen: NDArray[np.intp] | None = None) -> Iterator[Any]:
        """Yield the rows, or those chosen, a few thousand at a time: slices, or positions."""
        n, p = self.risk.shape
        step = max(1, BLOCK_ENTRIES // p)
        for start in range(0, n if chosen is None else len(chosen), step):
            if chosen is None:
                yield slice(start, min(start + step, n))
            else:
                yield chosen[start : start + step]

    def coordinates(self, rows: Any) -> FloatArray:
        """Return y_i = U'x_i of rows, shape (k, r)."""
        return np.asarray(self.risk.design.rows(rows) @ self.transform)

    @cached_property
    def squares(self) -> FloatArray:
        """x_i'S^-1 x_i, shape (n,)."""
        result = np.empty(self.risk.shape[0])
        for rows in self.runs():
            y = self.coordinates(rows)
            result[rows] = np.einsum("ij,ij->i", y, y)
        return result

    @cached_property
    def values(self) -> FloatArray:
        """h_i, shape (n,)."""
        return np.asarray(self._curvature * self.squares)

    @cached_property
    def left(self) -> FloatArray:
        """1 - h_i, shape (n,), with all its digits for the rows of `apart`."""
        result = 1.0 - self.values
        result[self.apart.rows] = self.apart.left
        return result

    @cached_property
    def first(self) -> FloatArray:
        """l1_i, shape (n,), with all its digits for the rows of `apart`."""
        slopes = self.risk.slopes(self.theta)
        if self.apart.rows.size:
            slopes = slopes.copy()
            slopes[self.apart.rows] = self.apart.first
        return slopes

    @cached_property
    def apart(self) -> Apart:
        """What the other rows say of those whose leverage is nearly 1."""
        near = np.flatnonzero(np.abs(1.0 - self.values) < NEAR)  # at most p
        if not near.size:
            return Apart.none(len(self.theta))
        return rows_apart(self.risk, self.theta, self._curvature, self.penalty, near)

    @property
    def effective_degrees_of_freedom(self) -> float:
        """Return p - trace(S^-1 K), the sum of the leverages."""
        return float(len(self.penalty_share) - self.penalty_share.sum())

    @property
    def inverse_diagonal(self) -> FloatArray:
        """The diagonal of S^-1, sum scale, shape (p,); nan for coefficients that are not determined."""
        return np.asarray(np.einsum("jk,jk->j", self.to_theta, self.to_theta))

    @property
    def inverse(self) -> FloatArray:
        """S^-1 = UU' of `risk`, sum scale, shape (r, r)."""
        return np.asarray(self.transform @ self.transform.T)

    @property
    def covariance(self) -> FloatArray:
        """The covariance of theta at dispersion 1, shape (p, p); nan for what is not determined."""
        return np.asarray(self.to_theta @ self.to_theta.T)

    def penalty_part(self, weights: FloatArray) -> FloatArray:
        """Return the part w_i / W of the penalty that leaves with each row: 0 under "fixed"."""
        return weights * self.risk.protocol.carried(self.risk.total_weight)


def leverage_of(fit: Minimum, information: str = "observed") -> Leverage:
    """Return the leverages of a fit, the same again to all who ask."""
    choice("information", information, INFORMATION)
    return fit.kept.once(f"leverage, {information}", None, lambda: Leverage(fit, information))


def coordinates_of(
    gram: FloatArray,
    penalty: FloatArray,
    names: tuple[str, ...],
    gram_of: Callable[[FloatArray], FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Return U (p, p) and lambda (p,) of the Gram matrix, which is written to, and of the penalty's K."""
    # `gram_of` goes from U to the sum of w_i l2_i (U'x_i)(U'x_i)'; asked where S is ill-conditioned.
    gram += penalty
    inverse = CholeskyInverse(gram.copy(order="F"), names)  # explains what is wrong with S
    transform = inverse.scale[:, None] * _inverse_root(inverse.scale * gram * inverse.scale[:, None])
    if inverse.reciprocal_condition < WELL_CONDITIONED:
        again = gram_of(transform)
        again += transform.T @ penalty @ transform
        transform = transform @ _inverse_root(again)
    return with_shares(transform, penalty)


def with_shares(transform: FloatArray, penalty: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return U and lambda for a matrix (p, p) with U'SU = I, turned so that U'KU is a diagonal."""
    if not penalty.any():
        return transform, np.zeros(len(penalty))
    shares, rotation = eigh(transform.T @ penalty @ transform)
    return transform @ rotation, np.clip(shares, 0.0, None)


def _inverse_root(matrix: FloatArray) -> FloatArray:
    """Return the upper triangular R with R'MR = I."""
    lower = np.linalg.cholesky(matrix)
    return np.asarray(solve_triangular(lower, np.eye(len(matrix)), lower=True).T)


def expected_second(risk: LinearRisk, eta: FloatArray) -> FloatArray:
    """Return E(l2_i), shape (n,): l2 at the target that equals its mean, as likelihoods are linear in y."""
    # A loss without a mean has its own l2 taken instead.
    try:
        mean = risk.loss.mean(eta)
    except Unsupported:
        return risk.loss.second(risk.y, eta)
    return risk.loss.second(mean, eta)
