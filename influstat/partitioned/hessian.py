"""The Hessian of many coefficients by products: each is one pass over the partitions, never p x p."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.algebra.symmetric import Symmetric
from influstat.curvature.base import Hessian
from influstat.errors import Unsupported
from influstat.input.validation import FloatArray
from influstat.minimise.descent import LARGEST_FACTORED
from influstat.partitioned.block import Block
from influstat.partitioned.data import Partitions
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.sums import ArraySum, NewtonSums


@dataclass(frozen=True, eq=False)
class Products:
    """X' diag(w l2) X V of one partition."""

    recipe: Recipe  # in sum scale
    theta: FloatArray
    vectors: FloatArray

    def __call__(self, partition: int, block: Block) -> ArraySum:
        """Return them."""
        del partition
        return ArraySum(np.asarray(self.recipe.risk(block).curvature(self.theta).matmat(self.vectors)))


class SummedHessian(Hessian):
    """H(theta) = [X' diag(w l2) X + K] / W, whose products are sums over partitions."""

    # `recipe` gives risks in sum scale; `sums` are what is known of the rows at theta: the diagonal, and
    # whether any has negative curvature. K is the penalty's Hessian, W the total.

    symmetric = True

    def __init__(
        self,
        data: Partitions,
        recipe: Recipe,
        theta: FloatArray,
        sums: NewtonSums,
        penalty: Symmetric,
        total: float,
    ) -> None:
        super().__init__(len(theta))
        self.names, self.convex = recipe.names, sums.convex
        self._data, self._recipe, self._theta = data, recipe, theta
        self._penalty, self._total, self._diagonal = penalty, total, sums.diagonal

    def _matmat(self, vectors: FloatArray) -> FloatArray:
        work = Products(self._recipe, self._theta, np.ascontiguousarray(vectors))
        found: ArraySum = self._data.runner.reduce(self._data.source, work)
        return np.asarray((found.values + self._penalty.dot(vectors)) / self._total)

    def to_dense(self) -> FloatArray:
        """Return H by products with the unit vectors, or raise where p x p numbers are too many."""
        p = self.shape[0]
        if p > LARGEST_FACTORED:
            need = f"do without the matrix of {p} coefficients"
            raise Unsupported("solver", need, "asks for it", "Use ist.ConjugateGradient().")
        dense = np.array(self.matmat(np.eye(p)), order="F")
        return np.asfortranarray((dense + dense.T) / 2.0)  # symmetric up to rounding

    def diagonal(self) -> FloatArray:
        """Return the diagonal, shape (p,)."""
        return np.asarray((self._diagonal + self._penalty.diagonal()) / self._total)

    def evidently_definite(self, level: float) -> bool:
        """Tell whether no direction can lack curvature: l2 >= 0, and a penalty on every coefficient."""
        counts = self._penalty.diagonal() / self._total > level * self.diagonal()
        return bool(self._penalty.terms == 1 and self.convex and counts.all())


def require_matrix(hessian: Any, what: str) -> None:
    """Raise where the Hessian is known by its products alone, and a question needs its inverse."""
    if isinstance(hessian, SummedHessian):
        raise Unsupported(
            "fit",
            f"have a Hessian that is factored for {what}",
            f"has {hessian.shape[0]} coefficients",
            "Ask fit.influence() for test losses, predictions or single quantities.",
        )
