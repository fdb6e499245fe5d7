"""Sums over all partitions that are expanded once: what a partition's refits and bounds work on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.symmetric import packed_size
from influstat.input.groups import Groups, Indices
from influstat.input.largest import largest_first
from influstat.input.validation import FloatArray
from influstat.losses.base import constant_second, higher_bounds
from influstat.partitioned.block import Block
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.removal.center import Center, PartExpansion
from influstat.partitioned.risk import PartitionedRisk
from influstat.partitioned.runners.base import Summable
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.certificates.certify import certify_expanded
from influstat.removal.certificates.theorem import Certificate
from influstat.removal.engine.expanded import AllRows, KeptRows, whitened
from influstat.removal.engine.plan import (
    KEPT,
    Plan,
    cheapest_of,
    counted_norms,
    lengths_of,
    sums,
    worth_expanding,
)
from influstat.removal.engine.tensors import Tensors

MOST = KEPT[-1] + 1  # rows of largest norm that are looked at
FINENESS, LOWEST, HIGHEST = 16, -80, 40  # lengths are counted in 16 bins per power of 2, from 2^-80 to 2^40
SMALL_FOURTH = 2**22  # entries of T4 that bounds alone are worth: 32 MiB


def every_row(labels: NDArray[Any]) -> Groups:
    """Return the removals of every row alone."""
    n = len(labels)
    return Groups(np.arange(n), np.arange(n + 1), labels)


@dataclass(eq=False)
class Scan(Summable):
    """The rows of largest norm, and how far removals move theta."""

    norms: FloatArray  # from the largest on
    positions: Indices
    kept: KeptRows
    counts: NDArray[np.intp]  # of lengths, by power of 2

    def plus(self, other: Scan) -> Scan:
        """Return those of both."""
        norms = np.concatenate([self.norms, other.norms])
        positions = np.concatenate([self.positions, other.positions])
        order = np.lexsort((positions, -norms))[:MOST]
        return Scan(
            norms[order], positions[order], _both(self.kept, other.kept, order), self.counts + other.counts
        )

    def first(self, count: int) -> Scan:
        """Return the rows of largest norm alone."""
        rows = np.arange(count)
        return Scan(self.norms[rows], self.positions[rows], _taken(self.kept, rows), self.counts)


def _taken(kept: KeptRows, rows: Indices) -> KeptRows:
    return KeptRows(kept.x[rows], kept.y[rows], kept.eta[rows], kept.weights[rows])


def _both(one: KeptRows, other: KeptRows, rows: Indices) -> KeptRows:
    names = ("x", "y", "eta", "weights")
    return _taken(KeptRows(*(np.concatenate([getattr(one, k), getattr(other, k)]) for k in names)), rows)


@dataclass(frozen=True, eq=False)
class Around:
    """How rows of any partition are seen at theta-hat."""

    recipe: Recipe  # W known
    center: Center
    share: float  # of the penalty in the anchor: what stays on average
    starts: Indices
    rows: int  # of all partitions

    def expansion(self, partition: int, block: Block) -> PartExpansion:
        """Return the rows of a partition around theta-hat."""
        return PartExpansion(self.recipe.risk(block, int(self.starts[partition])), self.center)

    def anchor(self, expansion: PartExpansion) -> Anchor:
        """Return the norm of the Hessian over all rows, which knows these; or raise SingularHessian."""
        penalty = expansion.penalty_hessian.scaled(self.share)
        summed = self.center.data_hessian, self.rows
        return Anchor(expansion.risk.design, expansion.second, penalty, give_up=False, summed=summed)


@dataclass(frozen=True, eq=False)
class Scanning:
    """The scan of one partition."""

    around: Around

    def __call__(self, partition: int, block: Block) -> Scan:
        """Return it."""
        expansion = self.around.expansion(partition, block)
        risk = expansion.risk
        norms = counted_norms(expansion, self.around.anchor(expansion))
        lengths = lengths_of(expansion, every_row(risk.row_labels), norms)
        with np.errstate(divide="ignore"):
            bins = np.ceil(FINENESS * (np.log2(lengths) - LOWEST))
        size = FINENESS * (HIGHEST - LOWEST) + 1
        counts = np.bincount(
            np.clip(np.nan_to_num(bins, nan=size - 1), 0, size - 1).astype(int), minlength=size
        )
        order = largest_first(norms, MOST)
        kept = KeptRows(risk.design.rows(order), risk.y[order], expansion.eta[order], risk.weights[order])
        return Scan(norms[order], int(self.around.starts[partition]) + order, kept, counts)


@dataclass(frozen=True, eq=False)
class TensorSums:
    """T3 and T4 of one partition, but for the rows that are kept."""

    around: Around
    kept: Indices  # their positions
    fourth: bool

    def __call__(self, partition: int, block: Block) -> Tensors:
        """Return them."""
        expansion = self.around.expansion(partition, block)
        anchor = self.around.anchor(expansion)
        others = np.ones(len(block), dtype=np.bool_)
        here = self.kept - int(self.around.starts[partition])
        others[here[(here >= 0) & (here < len(block))]] = False
        blocks = whitened(expansion, anchor, others, fourth=self.fourth)
        return Tensors(blocks, len(self.around.center.theta), fourth=self.fourth)


@dataclass(frozen=True, eq=False)
class ExpandedSums:
    """The sums over all partitions, expanded; they serve the rows of any."""

    around: Around
    plan: Plan
    kept: Scan  # the rows that are kept
    largest: float  # of the norms of the others
    two: tuple[Indices, FloatArray]  # positions and norms of the two rows of largest norm
    tensors: Tensors

    def rows(self, expansion: PartExpansion, positions: Indices) -> AllRows:
        """Return the sums for removals of these rows."""
        place = np.full(len(positions), -1)
        order = np.argsort(self.kept.positions)
        known = self.kept.positions[order]
        at = np.searchsorted(known, positions)
        found = at < len(known)
        found[found] = known[at[found]] == positions[found]
        place[found] = order[at[found]]
        anchor = self.around.anchor(expansion)
        return AllRows(expansion, anchor, self.kept.kept, place, self.largest, self.tensors)

    def certificate(
        self, rows: AllRows, positions: Indices, groups: Groups, theta: FloatArray
    ) -> Certificate:
        """Return what is proven of theta (k, p) without each of some of the rows at these positions."""
        here = np.array(
            [np.flatnonzero(positions == one)[0] if one in positions else -1 for one in self.two[0]]
        )
        return certify_expanded(rows, groups, theta, self.around.share, (here, self.two[1]))


def scan_of(around: Around, risk: PartitionedRisk) -> Scan:
    """Return the scan of all rows: one pass."""
    found: Scan = risk.data.runner.reduce(risk.data.source, Scanning(around))
    return found


def plan_of(around: Around, risk: PartitionedRisk, *, bounds: bool) -> tuple[Plan, Scan | None]:
    """Return how refits without every row are found, or their bounds, and the scan that this has needed."""
    n, p = risk.shape
    wanted = worth_expanding(risk.loss, n, n, p)
    quadratic = constant_second(risk.loss) is not None
    if not (wanted or bounds) or (higher_bounds(risk.loss) is None and not quadratic):
        return sums(n, n, p), None
    scan = scan_of(around, risk)
    if wanted:
        edges = 2.0 ** (np.arange(len(scan.counts)) / FINENESS + LOWEST)
        plan = cheapest_of(risk.loss, n, (n, p), (scan.norms, edges, scan.counts))
        if plan.order > 2:
            return plan, scan
    order = 4 if packed_size(p) ** 2 <= SMALL_FOURTH and not quadratic else 3
    kept = 0 if quadratic else min(n, KEPT[-1])
    return (Plan(n, order, kept, n, sums(n, n, p).operations), scan) if bounds else (sums(n, n, p), scan)


def expanded_sums(around: Around, risk: PartitionedRisk, plan: Plan, scan: Scan) -> ExpandedSums:
    """Return the sums that the plan asks for: one pass, none where every row is kept or T3 is 0."""
    p = len(around.center.theta)
    kept = scan.first(min(plan.kept, len(scan.positions)))
    two = scan.positions[:2], scan.norms[:2]
    n = risk.shape[0]
    if len(kept.positions) == n or constant_second(risk.loss) is not None:
        tensors = Tensors([], p, fourth=plan.order == 4)
    else:
        work = TensorSums(around, kept.positions, plan.order == 4)
        tensors = risk.data.runner.reduce(risk.data.source, work)
    others = scan.norms[len(kept.positions) : len(kept.positions) + 1]
    return ExpandedSums(around, plan, kept, float(others[0]) if others.size else 0.0, two, tensors)
