"""What certificates of groups ask of all rows, summed over partitions at the coefficients found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.algebra.rounding import unit_rounding
from influstat.input.groups import Indices
from influstat.input.validation import FloatArray
from influstat.partitioned.block import Block
from influstat.partitioned.groups.sums import Chosen, runs
from influstat.partitioned.runners.base import Summable
from influstat.partitioned.sums import ArraySum
from influstat.removal.certificates.anchor import Anchor


@dataclass(eq=False)
class Measures(Summable):
    """What the theorem asks of the rows that stay without each of K groups, sum scale."""

    moved: FloatArray  # X'(w (l1 there - l1 at theta-hat)), shape (p, K)
    own: Any  # X'(w l1) at theta-hat over the group itself, in extended precision, shape (p, K)
    error: FloatArray  # rounding of the slopes there, shape (p, K)
    path: FloatArray  # max_j |x_j'(theta_k - theta-hat)|, rounded up, shape (K,)
    slip: FloatArray  # the part of that which is rounding, shape (K,)
    norms: FloatArray  # the largest |x_j|_{C^-1} of each group, and of the other rows as the last, (K + 1,)

    def plus(self, other: Measures) -> Measures:
        """Return both together."""
        self.moved += other.moved
        self.own = self.own + other.own
        self.error += other.error
        np.maximum(self.path, other.path, out=self.path)
        np.maximum(self.slip, other.slip, out=self.slip)
        np.maximum(self.norms, other.norms, out=self.norms)
        return self


@dataclass(frozen=True, eq=False)
class Measuring:
    """`Measures` of one partition."""

    chosen: Chosen
    theta: FloatArray  # shape (p, K)
    at: FloatArray  # theta-hat
    anchor: Anchor  # C
    rows: int  # n

    def __call__(self, partition: int, block: Block) -> Measures:
        """Return them."""
        risk, places = self.chosen.rows(partition, block)
        p, k = self.theta.shape
        found = Measures(
            np.zeros((p, k)),
            np.zeros((p, k), dtype=np.longdouble),
            np.zeros((p, k)),
            np.zeros(k),
            np.zeros(k),
            np.zeros(k + 1),
        )
        for rows, x in risk.design.dense_blocks():
            present = risk.weights[rows] > 0
            if present.all():
                of = rows, x, places[rows]
            else:  # rows without weight say nothing
                kept = np.flatnonzero(present)
                of = rows.start + kept, x[kept], places[rows][kept]
            self._add(found, risk, *of)
        return found

    def _add(self, found: Measures, risk: Any, rows: Any, x: FloatArray, places: Indices) -> None:
        """Add some rows."""
        loss, k = risk.loss, self.theta.shape[1]
        y, weights, offset = risk.y[rows], risk.weights[rows], risk.offset[rows]
        there = x @ self.at + offset
        before = loss.first(y, there)
        eta = x @ self.theta
        eta += offset[:, None]
        first = loss.first(y[:, None], eta) - before[:, None]
        size = loss.second(y[:, None], eta)
        largest = np.maximum(np.abs(self.theta), np.abs(self.at)[:, None])
        slip = np.abs(x) @ largest
        slip += (np.abs(offset) + np.abs(y))[:, None]
        slip *= unit_rounding(len(self.at))
        size *= slip
        size += unit_rounding(self.rows) * np.abs(first)
        slip *= 4.0  # l2 at theta-hat, l2 there, and the way between
        path = np.abs(eta - there[:, None])
        path += slip
        gone = np.flatnonzero(places < k)
        first[gone, places[gone]] = size[gone, places[gone]] = path[gone, places[gone]] = 0.0
        first *= weights[:, None]
        size *= weights[:, None]
        found.moved += x.T @ first
        found.error += np.abs(x).T @ size
        np.maximum(found.path, path.max(axis=0, initial=0.0), out=found.path)
        np.maximum(found.slip, slip.max(axis=0, initial=0.0), out=found.slip)
        whitened = self.anchor.whiten(x.T)
        np.maximum.at(found.norms, places, np.sqrt(np.einsum("ps,ps->s", whitened, whitened)))
        for place, some in runs(places):
            if place < k:
                slopes = weights[some] * before[some]
                found.own[:, place] += np.einsum("kp,k->p", x[some], slopes, dtype=np.longdouble)


@dataclass(frozen=True, eq=False)
class OwnHessians:
    """X' diag(w l2) X over the rows of a partition not in each of K groups, at the group's own theta."""

    chosen: Chosen
    theta: FloatArray  # shape (p, K)

    def __call__(self, partition: int, block: Block) -> ArraySum:
        """Return them, shape (K, p, p)."""
        risk, places = self.chosen.rows(partition, block)
        p, k = self.theta.shape
        total = np.zeros((k, p, p))
        for rows, x in risk.design.dense_blocks():
            eta = x @ self.theta
            eta += risk.offset[rows, None]
            second = risk.loss.second(risk.y[rows, None], eta)
            second *= risk.weights[rows, None]
            of = places[rows]
            gone = np.flatnonzero(of < k)
            second[gone, of[gone]] = 0.0
            for j in range(k):
                total[j] += x.T @ (second[:, j, None] * x)
        return ArraySum(total)
