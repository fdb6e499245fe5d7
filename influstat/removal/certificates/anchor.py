"""The norm in which certificates measure: a factored Hessian, whole or with a few rows taken out.

Everything is done in whitened coordinates z = L^-1 diag(scale) v, in which |v|_{C^-1} = |z|; C is the
matrix, scaled to a unit diagonal before its Cholesky factor L is taken, so units do not matter.
"""

from __future__ import annotations

from copy import copy
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, eigvalsh, solve_triangular
from scipy.linalg.blas import dtrmm

from influstat.algebra.downdate import Downdate
from influstat.algebra.rounding import unit_rounding
from influstat.algebra.symmetric import Symmetric
from influstat.errors import SingularHessian
from influstat.input.design import Design
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.risks.class_predictors import ClassPredictors

SMALL = 64  # rows of a matrix of which all eigenvalues cost less than the choice of one
NEGLIGIBLE_LEVERAGE = 1e-3  # sum of the leverages of the rows whose curvature is given up


class Anchor:
    """C = X' diag(weights) X + the penalty's Hessian, sum scale, with the norms of all rows in C^-1.

    Weights are w_j l2_j >= 0, shape (n,); with `give_up` the rows of least leverage may be left out of lower
    bounds on the curvature. `summed` is X' diag(weights) X over all rows, and their number, where `design`
    has only some of them, or where rows have several predictors. `relative` is what rounding can do to norms
    and inner products. A C that is singular to working precision raises SingularHessian.
    """

    def __init__(
        self,
        design: Design,
        weights: FloatArray,
        penalty: Symmetric,
        *,
        give_up: bool,
        summed: tuple[FloatArray, int] | None = None,
    ) -> None:
        self.design, self.weights = design, weights
        gram, n = (design.gram(weights), design.shape[0]) if summed is None else summed
        p = len(gram)
        matrix = gram.copy(order="F")
        penalty.add_to(matrix)
        diagonal = matrix.diagonal().copy()
        if not (np.isfinite(matrix).all() and (diagonal > 0).all()):
            raise SingularHessian("The Hessian without the rows is singular or not finite.")
        self._scale = 1.0 / np.sqrt(diagonal)
        matrix *= self._scale
        matrix *= self._scale[:, None]
        rounding = p * (unit_rounding(n) + unit_rounding(p))
        smallest = _smallest_eigenvalue(matrix) - rounding
        if not smallest > 16.0 * rounding:
            raise SingularHessian("The Hessian without the rows is singular to working precision.")
        self.relative = rounding / smallest
        self._smallest = smallest
        try:
            self._factor = cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            raise SingularHessian("The Hessian without the rows is singular.") from None
        self._give_up = give_up

    def giving_up(self) -> Anchor:
        """Return the same, but with the rows of least leverage left out of lower bounds on the curvature."""
        other = copy(self)
        vars(other).update(_give_up=True)
        for name in ("kept", "given_up_leverage"):
            vars(other).pop(name, None)
        return other

    @property
    def entries(self) -> int:
        """Numbers that this keeps in memory."""
        return len(self._scale) ** 2 + 4 * len(self.weights)

    @cached_property
    def leverages(self) -> FloatArray:
        """weights_j |x_j|^2_{C^-1}, shape (n,)."""
        return np.asarray(self.weights * self.row_norms**2)

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """False for the rows given up, whose leverages add up to at most 1e-3; shape (n,)."""
        kept = np.ones(len(self.weights), dtype=np.bool_)
        if self._give_up:
            order = np.argsort(self.leverages)
            kept[order[np.cumsum(self.leverages[order]) <= NEGLIGIBLE_LEVERAGE]] = False
        return kept

    @cached_property
    def given_up_leverage(self) -> float:
        """Sum of the leverages of the rows given up."""
        return float(np.sum(self.leverages[~self.kept]))

    @cached_property
    def row_norms(self) -> FloatArray:
        """|x_j|_{C^-1}, rounded up, shape (n,)."""
        norms = np.empty(self.design.shape[0])
        for rows, block in self.design.dense_blocks():
            whitened = self.whiten(block.T)
            norms[rows] = np.einsum("ij,ij->j", whitened, whitened)
        return np.sqrt(norms) * (1.0 + self.relative)

    def downdate(self, groups: Groups) -> Downdate:
        """Return C without each of the groups, in the whitened coordinates."""
        rows = groups.members
        return Downdate(self.whiten(self.design.rows(rows).T), self.weights[rows], groups)

    def whiten(self, vectors: FloatArray) -> FloatArray:
        """Return z of each column, shape (p, m): |v|_{C^-1} = |z|."""
        scaled = self._scale[:, None] * vectors
        return np.asarray(
            solve_triangular(self._factor, scaled, lower=True, overwrite_b=True, check_finite=False)
        )

    def coordinates(self, vectors: FloatArray) -> FloatArray:
        """Return u of each column v, shape (p, m): |v|_C = |u|, and x'v = z'u for the z of a row x."""
        return np.asarray(dtrmm(1.0, self._factor, vectors / self._scale[:, None], lower=1, trans_a=1))

    def gradients(self, whitened: FloatArray) -> FloatArray:
        """Return the gradients in theta, shape (p, m), that are these in the coordinates u."""
        return np.asarray(dtrmm(1.0, self._factor, whitened, lower=1) / self._scale[:, None])

    @cached_property
    def unit_norms(self) -> FloatArray:
        """|e_k|_{C^-1}, shape (p,): norms of the columns of the inverse factor."""
        inverse = solve_triangular(self._factor, np.eye(len(self._scale)), lower=True, check_finite=False)
        return np.asarray(self._scale * np.linalg.norm(inverse, axis=0))

    @property
    def roots(self) -> FloatArray:
        """Roots of the diagonal of C, shape (p,): |v_k| <= roots_k |v|_{C^-1} for every v."""
        return np.asarray(1.0 / self._scale)

    @property
    def largest(self) -> float:
        """Bound on |v| / |v|_{C^-1} over all v: the root of the trace of C."""
        return float(np.linalg.norm(self.roots))

    def largest_norm(self, size: FloatArray) -> float:
        """Return a bound on |e|_{C^-1} over all e with |e_k| <= size_k."""
        one_by_one = size @ self.unit_norms
        together = np.linalg.norm(self._scale * size) / np.sqrt(self._smallest)
        return float(min(one_by_one, together))


def _smallest_eigenvalue(matrix: FloatArray) -> float:
    if len(matrix) <= SMALL:
        return float(np.linalg.eigvalsh(matrix)[0])
    return float(eigvalsh(matrix, subset_by_index=[0, 0])[0])


class SoftmaxAnchor(Anchor):
    """The Hessian of some weights' risk at theta, sum scale; rows count by the largest of their contrasts.

    `pi` and `rest`, shape (n, K), are the probabilities and 1 less them; `kept` is the share of the penalty.
    """

    def __init__(
        self,
        rows: ClassPredictors,
        weights: FloatArray,
        pi: FloatArray,
        rest: FloatArray,
        kept: float,
        *,
        give_up: bool = True,
    ) -> None:
        gram = rows.data_hessian(pi, weights)
        second = 0.5 * np.sum(pi * rest, axis=1)
        terms = rows.shape[0] + 2 * rows.classes  # an entry's sum, and what its probabilities took
        penalty = rows.penalty.scaled(kept)
        super().__init__(rows.design, weights * second, penalty, give_up=give_up, summed=(gram, terms))
        self._rows, self._row_weights, self._pi, self._rest = rows, weights, pi, rest

    @property
    def entries(self) -> int:
        """Numbers that this keeps in memory."""
        return len(self._scale) ** 2 + (2 * self._rows.classes + 5) * len(self.weights)

    def contrasts(self, block: FloatArray) -> FloatArray:
        """Return the whitened (e_a - e_0) (x) x for rows x (t, q) and all a, shape (p, t, K)."""
        first = np.broadcast_to(np.zeros(1, dtype=np.intp), len(block))
        found = self._rows.functionals(block, first)
        return self.whiten(found.reshape(-1, found.shape[2]).T).reshape(-1, len(block), self._rows.classes)

    @cached_property
    def row_norms(self) -> FloatArray:
        """The largest |(e_a - e_b) (x) x_j|_{C^-1} over pairs of classes, rounded up, shape (n,)."""
        norms = np.zeros(self.design.shape[0])
        for rows, block in self.design.dense_blocks():
            # Contrasts with class 0; those of other pairs are their differences.
            whitened = self.contrasts(block)
            for b in range(1, self._rows.classes):
                distance = np.linalg.norm(whitened[:, :, :b] - whitened[:, :, [b]], axis=0)
                norms[rows] = np.maximum(norms[rows], distance.max(axis=1))
        return norms * (1.0 + self.relative)

    def downdate(self, groups: Groups) -> Downdate:
        """Return C without each of the groups, in the whitened coordinates: K columns for each row."""
        rows = groups.members
        columns, parts = self._rows.roots(groups, self._pi[rows], self._rest[rows])
        return Downdate(self.whiten(columns), np.repeat(self._row_weights[rows], self._rows.classes), parts)
