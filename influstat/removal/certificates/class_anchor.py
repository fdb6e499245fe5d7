"""The norm in which certificates of several classes measure (see `softmax`)."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from influstat.algebra.downdate import Downdate
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.removal.certificates.anchor import Anchor
from influstat.risks.class_predictors import ClassPredictors


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
