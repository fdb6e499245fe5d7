"""Leave-one-out loss of a ridge regression for a grid of strengths, by one eigendecomposition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.algebra.coordinates import coordinates
from influstat.algebra.symmetric import both_diagonal
from influstat.errors import InvalidArgument, Unsupported
from influstat.input.groups import read_rows
from influstat.input.printing import short
from influstat.input.validation import FloatArray, vector
from influstat.losses.base import constant_second
from influstat.minimise.minimum import Minimum, require_fit
from influstat.removal.engine.shared import Shared
from influstat.risks.linear import LinearRisk, as_linear
from influstat.risks.penalties import L2

NEAR = 1e-5  # 1 - leverage below which it has less than 11 digits: the other rows are fitted by themselves
BLOCK_ENTRIES = 2**17  # entries of the row blocks in closed forms: 1 MiB, so that they stay in cache


def cross_validate_lam(fit: Minimum, lams: Any) -> FloatArray:
    """Return the leave-one-out loss of a ridge fit's data under other penalties, one eigendecomposition.

    Parameters
    ----------
    fit : Fit
        A fit by squared error with a penalty, e.g. of `Ridge`; its rows, weights, offset, unpenalised
        coefficients and penalty protocol are kept.
    lams : array_like, shape (m,)
        Strengths lam > 0 as in `Ridge`: penalty lam |theta|^2 on the scale of the summed loss.

    Returns
    -------
    ndarray, shape (m,)
        Weighted mean of (y_i - x_i'theta_-i - o_i)^2 for each lam. nan where a row alone determines an
        unpenalised coefficient.

    Raises
    ------
    InvalidArgument, Unsupported
        The loss is not the squared error, the fit has no penalty, or a lam is not positive.
    SingularHessian
        Unpenalised columns are collinear.

    Notes
    -----
    Golub, Heath and Wahba (1979): e_i / (1 - h_i) in the coordinates where Gram matrix and penalty are
    both diagonal; the coordinates serve every lam, and every share of the penalty under "folded".

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=1.0, protocol="fixed").fit([[1.0], [1.0], [1.0]], [1.0, 2.0, 6.0])
    >>> # the mean of (1 - 8/3)^2, (2 - 7/3)^2 and (6 - 1)^2
    >>> ist.cross_validate_lam(fit, [1.0]).round(7), round(ist.cross_validate(fit).mean, 12)
    (array([9.2962963]), 9.296296296296)
    """
    risk = as_linear(require_fit(fit).risk)
    second = None if risk is None else constant_second(risk.loss)
    if risk is None or second is None:
        raise Unsupported("fit", "be by squared error", f"is {fit!r}", "Cross-validate each fit instead.")
    if not isinstance(risk.penalty, L2):
        raise Unsupported(
            "fit",
            "have a ridge penalty of one strength",
            f"has another: {risk.penalty.in_words()}",
            "Cross-validate each fit instead.",
        )
    values = vector("lams", lams)
    if not values.size:
        raise InvalidArgument("lams", "hold at least one strength", "is empty", "Pass e.g. [0.1, 1.0, 10.0].")
    if not (values > 0).all() or not risk.penalty.strength:
        raise InvalidArgument(
            "lams",
            "be positive, for a fit with a penalty",
            f"is {short(lams)}",
            "Use cross_validate for none.",
        )
    found = _Coordinates(risk, second)
    groups = read_rows(None, fit.row_labels)
    kept = Shared.of(fit, risk).expansion.left(groups)
    return np.array([found.mean_loss(2.0 * lam * kept) for lam in values])


class _Coordinates:
    """V with V'A V = diag(a) and V'D0 V = diag(m), A = X' diag(w l2) X, D0 a penalty of A's size.

    V makes A + D0 the identity. But a is not taken as 1 - m, which has no digits left where m is near 1, as
    for columns in units far larger than the others': both are measured in the coordinates found.
    """

    def __init__(self, risk: LinearRisk, second: float) -> None:
        self.risk, self._curvature = risk, second * risk.weights
        gram = risk.design.gram(self._curvature)
        pattern = risk.penalty.axes(risk.shape[1]).astype(np.float64)
        self._pattern = pattern
        self.reference = _typical(gram.diagonal()[pattern > 0])
        matrix = gram.copy(order="F")
        matrix.flat[:: len(matrix) + 1] += self.reference * pattern
        CholeskyInverse(matrix.copy(), risk.names)  # refuses collinear unpenalised columns by name
        basis = both_diagonal(matrix, np.diag(np.sqrt(self.reference * pattern)))[0]
        self.rows = risk.design.dot(basis)
        self.own = self._curvature @ self.rows**2
        self.ratios = self.reference * (pattern @ basis**2)
        self.target = risk.y - risk.offset
        self.right = self.rows.T @ (self._curvature * self.target)

    def mean_loss(self, strengths: FloatArray) -> float:
        """Return the mean leave-one-out loss where row i's refit has the penalty strengths_i."""
        weights = self.risk.weights
        eta, leverage = np.empty(len(weights)), np.empty(len(weights))
        step = max(1, BLOCK_ENTRIES // len(self.ratios))
        common = bool((strengths == strengths[0]).all())
        for start in range(0, len(weights), step):
            chosen = slice(start, start + step)
            strength = strengths[:1] if common else strengths[chosen]
            inverse = 1.0 / (self.own + strength[:, None] / self.reference * self.ratios)
            block = self.rows[chosen]
            eta[chosen] = block @ (inverse[0] * self.right) if common else (block * inverse) @ self.right
            squares = block * block
            leverage[chosen] = squares @ inverse[0] if common else np.sum(squares * inverse, axis=1)
        leverage *= self._curvature
        left = 1.0 - leverage
        near = np.flatnonzero(left < NEAR)  # at most as many as columns
        left[near] = 1.0
        errors = (self.target - eta) / left
        for row in near.tolist():
            errors[row] = self._without(row, float(strengths[0 if common else row]))
        return float(weights @ errors**2 / weights.sum())

    def _without(self, row: int, strength: float) -> float:
        """Return the error in predicting one row by the fit of the others; nan where they do not tell it."""
        roots, design = np.sqrt(self._curvature), self.risk.design
        roots[row] = 0.0
        penalty = np.diag(np.sqrt(strength * self._pattern))[:, self._pattern > 0]

        def blocks() -> Iterator[tuple[FloatArray, FloatArray]]:
            for rows, block in design.dense_blocks():
                yield block, roots[rows]

        found, x = coordinates(blocks, penalty, design.constant_column), design.rows(slice(row, row + 1))
        if not found.estimable(x)[0]:
            return np.nan
        theta = np.zeros(found.transform.shape[1])
        for rows, block in design.dense_blocks():
            theta = theta + (roots[rows] ** 2 * self.target[rows]) @ found.rows(block)
        return float(self.target[row] - found.rows(x)[0] @ theta)


def _typical(sizes: FloatArray) -> float:
    """Return the geometric mean of those above 0: units of one column must not outweigh all others."""
    sizes = sizes[sizes > 0]
    return float(np.exp(np.mean(np.log(sizes)))) if sizes.size else 1.0
