"""Sums over the rows of each group: slopes, their scale and the Hessian, a column or a matrix a group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from influstat.input.groups import Indices
from influstat.input.validation import FloatArray
from influstat.partitioned.block import Block
from influstat.partitioned.groups.grouping import Grouping
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.removal.center import Moved
from influstat.partitioned.runners.base import Summable
from influstat.partitioned.sums import ArraySum
from influstat.removal.expansion import Expansion
from influstat.risks.linear import LinearRisk


@dataclass(frozen=True, eq=False)
class Chosen:
    """Some groups, one after the other: row codes become their places among these, K for all others."""

    recipe: Recipe  # in sum scale
    grouping: Grouping
    codes: Indices  # increasing, shape (K,)

    def rows(self, partition: int, block: Block) -> tuple[LinearRisk, Indices]:
        """Return a partition's risk and the place of every row."""
        found = self.grouping.codes(partition, block)
        places = np.searchsorted(self.codes, found)
        inside = places < len(self.codes)
        inside[inside] = self.codes[places[inside]] == found[inside]
        return self.recipe.risk(block), np.where(inside, places, len(self.codes))


def runs(places: Indices) -> Iterator[tuple[int, Indices]]:
    """Yield each place that occurs, with the rows that have it."""
    order = np.argsort(places, kind="stable")
    there, starts = np.unique(places[order], return_index=True)
    yield from zip(there.tolist(), np.split(order, starts[1:]), strict=True)


@dataclass(eq=False)
class GroupSums(Summable):
    """Sums at theta-hat over each of K groups, and over all other rows as the last."""

    slopes: FloatArray  # X'(w l1), shape (p, K + 1)
    scales: FloatArray  # see Expansion.gradient_scale, shape (p, K + 1)
    hessians: FloatArray | None  # X' diag(w l2) X, shape (K + 1, p, p)

    def plus(self, other: GroupSums) -> GroupSums:
        """Return both together."""
        self.slopes += other.slopes
        self.scales += other.scales
        if self.hessians is not None and other.hessians is not None:
            self.hessians += other.hessians
        return self


@dataclass(frozen=True, eq=False)
class AtCenter:
    """`GroupSums` of one partition."""

    chosen: Chosen
    theta: FloatArray
    hessians: bool

    def __call__(self, partition: int, block: Block) -> GroupSums:
        """Return them."""
        risk, places = self.chosen.rows(partition, block)
        at = Expansion(risk, self.theta)
        sizes, p, k = at.row_sizes, len(self.theta), len(self.chosen.codes) + 1
        found = GroupSums(np.zeros((p, k)), np.zeros((p, k)), np.zeros((k, p, p)) if self.hessians else None)
        for rows, x in risk.design.dense_blocks():
            first, second, size = at.first[rows], at.second[rows], sizes[rows]
            for place, of in runs(places[rows]):
                own = x[of]
                found.slopes[:, place] += first[of] @ own
                found.scales[:, place] += size[of] @ np.abs(own)
                if found.hessians is not None:
                    found.hessians[place] += own.T @ (second[of, None] * own)
        return found


@dataclass(frozen=True, eq=False)
class SlopesLeft:
    """X'(w l1) over the rows not in group k at each column k of theta, and how far they move at most."""

    chosen: Chosen
    theta: FloatArray  # shape (p, K)
    at: FloatArray

    def __call__(self, partition: int, block: Block) -> Moved:
        """Return them for one partition."""
        risk, places = self.chosen.rows(partition, block)
        k = self.theta.shape[1]
        result, path = np.zeros_like(self.theta), np.zeros(k)
        for rows, x in risk.design.dense_blocks():
            eta = x @ self.theta
            moved = np.abs(x @ (self.theta - self.at[:, None]))
            eta += risk.offset[rows, None]
            slopes = risk.loss.first(risk.y[rows, None], eta)
            slopes *= risk.weights[rows, None]
            of = places[rows]
            gone = np.flatnonzero(of < k)
            slopes[gone, of[gone]] = moved[gone, of[gone]] = 0.0
            result += x.T @ slopes
            np.maximum(path, moved.max(axis=0), out=path)
        return Moved(result, path)


@dataclass(frozen=True, eq=False)
class Bend:
    """X'(w l3 (X d)^2) of one partition for each column d."""

    recipe: Recipe  # in sum scale
    theta: FloatArray
    directions: FloatArray  # shape (p, K)

    def __call__(self, partition: int, block: Block) -> ArraySum:
        """Return them."""
        del partition
        risk = self.recipe.risk(block)
        third = risk.weights * risk.loss.third(risk.y, risk.linear_predictor(self.theta))
        result = np.zeros_like(self.directions)
        for rows, x in risk.design.dense_blocks():
            moved = x @ self.directions
            moved *= moved
            moved *= third[rows, None]
            result += x.T @ moved
        return ArraySum(result)
