"""Gradients without rows from an expansion of the sum over all of them: nothing grows with n x K.

In coordinates u with x_j'delta = z_j'u and sum_j w_j l2_j z_j z_j' <= I, delta = theta - theta-hat,

    sum_j w_j l1(eta_j + z_j'u) z_j = (the same at 0) + A u + T3[u, u] / 2 + T4[u, u, u] / 6
                                      + sum_{j kept} w_j z_j rest_j(u) + remainder,

A = sum_j w_j l2_j z_j z_j', T3 and T4 over the rows that are not kept, weighted by w_j l3_j and w_j l4_j, and
rest_j(u) = l1(eta_j + d_j) - l1_j - l2_j d_j, d_j = z_j'u, for the few rows of largest |z_j|, which are kept.
With c = `self_concordance`, |l4| <= c4 l2, |l5| <= c5 l2, m = the largest |z_j| not kept and D = m |u|,

    |remainder| <= (c5 / 24) e^(c D) D^3 |u|,     without T4:  (c4 / 6) e^(c D) D^2 |u|.

Proof: |sum_j w_j z_j r_j|^2 <= sum_j w_j r_j^2 / l2_j, as sum_j w_j l2_j z_j z_j' <= I; by Taylor's theorem
|r_j| <= c_(k+1) e^(c |d_j|) l2_j |d_j|^k / k!; and sum_j w_j l2_j d_j^2 <= |u|^2. What leaves with a group is
taken off exactly, and the penalty is evaluated as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.symmetric import packed, packed_norms, packed_size, unpacked
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.losses.base import constant_second, higher_bounds
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.engine.plan import Plan, counted_norms
from influstat.removal.engine.tensors import Tensors
from influstat.removal.expansion import Expansion

AT_ONCE = 2**18  # entries of packed products worked on together: 2 MiB
KEPT_AT_ONCE = 2**17  # entries of the rests of kept rows worked on together, a few of them: 1 MiB
WILD = 700.0  # c D beyond which e^(c D) leaves float64


@dataclass(frozen=True)
class Expanded:
    """What the expansion says at theta_k, one entry per removal, sum scale."""

    gradient: FloatArray  # grad F_k in theta, shape (p, K)
    remainder: FloatArray  # bound on what is missing in it, in the norm of C^-1, shape (K,)
    moved: FloatArray  # |u_k| = |theta_k - theta-hat|_C, shape (K,)
    path: FloatArray  # bound on max_j |x_j'(theta_k - theta-hat)|, rows left that count, shape (K,)


@dataclass(frozen=True, eq=False)
class KeptRows:
    """Rows whose terms are kept as they are."""

    x: FloatArray  # shape (s, p)
    y: FloatArray
    eta: FloatArray  # at theta-hat
    weights: FloatArray


def whitened(
    expansion: Expansion, anchor: Anchor, others: NDArray[np.bool_], *, fourth: bool
) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
    """Yield the rows, those of `others` with w l3 and w l4, the rest with 0, in whitened coordinates."""
    risk, eta = expansion.risk, expansion.eta
    p = risk.shape[1]
    step = max(16, AT_ONCE // (p * (p + 1)))
    weights = np.where(others, risk.weights, 0.0)
    third: FloatArray = weights * risk.loss.third(risk.y, eta)
    loss: Any = risk.loss  # which has a fourth derivative, as `higher_bounds` says
    last = weights * loss.fourth(risk.y, eta) if fourth else third
    for rows, block in risk.design.dense_blocks():
        for start in range(0, len(block), step):
            part = slice(start, start + step)
            yield anchor.whiten(block[part].T), third[rows][part], last[rows][part]


class ExpandedSum:
    """A sum over all rows that is expanded once, around theta-hat, whatever its rows' losses are."""

    def __init__(
        self,
        expansion: Any,  # an Expansion or a ClassExpansion
        anchor: Anchor,  # C, whose coordinates are used
        place: Indices,  # of each row of `expansion` among those kept, -1 for the others
        largest: float,  # |z_j| of all rows that are not kept
        tensors: Tensors,  # sums over all rows that are not kept
        fixed: FloatArray,  # the gradient at theta-hat without the penalty, shape (p,)
        bounds: tuple[float, float],  # c4 and c5
    ) -> None:
        self.expansion, self.anchor, self.largest, self._place = expansion, anchor, largest, place
        self._kept_rows = int(np.max(place, initial=-1)) + 1
        self._tensors, self.has_fourth, self._fixed = tensors, tensors.has_fourth, fixed[:, None]
        self.concordance, (self._c4, self._c5) = float(expansion.concordance), bounds

    def remainders(self, moved: FloatArray, *, fourth: bool) -> FloatArray:
        """Return the bound on the remainder for displacements of these lengths |u|, inf beyond float64."""
        far = self.largest * moved
        with np.errstate(over="ignore", invalid="ignore"):
            missing = (self._c5 / 24.0) * far**3 if fourth else (self._c4 / 6.0) * far**2
            return np.asarray(missing * self._growth(far) * moved)

    def _growth(self, far: FloatArray) -> FloatArray:
        """Return e^(c D)."""
        return np.where(self.concordance * far < WILD, np.exp(self.concordance * far), np.inf)

    def at(self, groups: Groups, left: FloatArray, theta: FloatArray, *, fourth: bool) -> Expanded:
        """Return gradients without each group, whose penalty shares left are `left`, at columns of theta."""
        delta = theta - self.expansion.theta[:, None]
        u = self.anchor.coordinates(delta)
        moved = np.linalg.norm(u, axis=0)
        gradient = self.anchor.gradients(self._tensors.second_order(u, fourth=fourth))
        gradient += self._fixed
        gradient += self.expansion.data_hessian @ delta
        gradient += left * self._penalty(theta)
        gradient -= self._own(groups, delta)
        path = self.largest * moved
        place, owners = self._place[groups.members], groups.owners
        step = max(1, KEPT_AT_ONCE // max(1, self._kept_rows))
        for start in range(0, len(moved), step):
            part = slice(start, start + step)
            kept, shift = self._kept(delta[:, part])
            gradient[:, part] += kept
            gone = (place >= 0) & (owners >= start) & (owners < part.stop)  # rows that leave
            shift[place[gone], owners[gone] - start] = 0.0
            np.maximum(path[part], np.max(shift, axis=0, initial=0.0), out=path[part])
        return Expanded(gradient, self.remainders(moved, fourth=fourth), moved, path)

    def _penalty(self, theta: FloatArray) -> FloatArray:
        """Return the gradient of the penalty that may leave, shape (p, K)."""
        raise NotImplementedError  # pragma: no cover - each has its own

    def _kept(self, delta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what the rests of the kept rows add, shape (p, k), and how far these move, (kept, k)."""
        raise NotImplementedError  # pragma: no cover - each has its own

    def _own(self, groups: Groups, delta: FloatArray) -> FloatArray:
        """Return the gradients of every group's own rows at its own theta, shape (p, K)."""
        raise NotImplementedError  # pragma: no cover - each has its own


class AllRows(ExpandedSum):
    """The sum over all rows of one predictor each, or over some with sums over all.

    `kept` are the rows of all that are kept as they are, `others` those of `expansion` that the tensors sum,
    None where these are not at hand; the rest is said of `ExpandedSum`.
    """

    expansion: Expansion

    def __init__(
        self,
        expansion: Expansion,
        anchor: Anchor,
        kept: KeptRows,
        place: Indices,
        largest: float,
        tensors: Tensors,
        others: NDArray[np.bool_] | None = None,
    ) -> None:
        loss = expansion.risk.loss
        bounds = higher_bounds(loss) if constant_second(loss) is None else (0.0, 0.0)
        assert bounds is not None  # the plan has asked for it
        super().__init__(expansion, anchor, place, largest, tensors, expansion.data_gradient, bounds)
        self._others = others
        self._kept_x, self._kept_weights = kept.x, kept.weights[:, None]
        self._kept_y, self._kept_eta = kept.y[:, None], kept.eta[:, None]
        self._kept_first = loss.first(self._kept_y, self._kept_eta)
        self._kept_second = loss.second(self._kept_y, self._kept_eta)

    @classmethod
    def of(cls, expansion: Expansion, anchor: Anchor, kept: Indices, *, fourth: bool) -> AllRows:
        """Return the sum with these rows kept as they are; T4 is built where `fourth`."""
        risk = expansion.risk
        place = np.full(risk.shape[0], -1)
        place[kept] = np.arange(len(kept))
        norms = counted_norms(expansion, anchor)
        norms[kept] = 0.0
        others = norms > 0
        tensors = Tensors(whitened(expansion, anchor, others, fourth=fourth), risk.shape[1], fourth=fourth)
        rows = KeptRows(risk.design.rows(kept), risk.y[kept], expansion.eta[kept], risk.weights[kept])
        return cls(expansion, anchor, rows, place, float(np.max(norms, initial=0.0)), tensors, others)

    @classmethod
    def planned(cls, expansion: Expansion, anchor: Anchor, plan: Plan) -> AllRows:
        """Return the sum, expanded as the plan says."""
        kept = np.argsort(-anchor.row_norms, kind="stable")[: plan.kept]
        return cls.of(expansion, anchor, kept, fourth=plan.order == 4)

    def _penalty(self, theta: FloatArray) -> FloatArray:
        return self.expansion.risk.penalty.gradient(theta)

    def _kept(self, delta: FloatArray) -> tuple[FloatArray, FloatArray]:
        shift = self._kept_x @ delta
        rest = self.expansion.risk.loss.first(self._kept_y, self._kept_eta + shift)
        rest = rest - self._kept_first
        rest -= self._kept_second * shift
        rest *= self._kept_weights
        return self._kept_x.T @ rest, np.abs(shift)

    def hessians(
        self, groups: Groups, left: FloatArray, theta: FloatArray, *, fourth: bool, sharp: float = np.inf
    ) -> tuple[FloatArray, FloatArray]:
        """Return Hessians of what is left at columns of theta, (K, p, p) in u, and what is missing, (K,)."""
        # The penalty's Hessian is that at theta-hat. What may be missing is a bound on the largest eigenvalue
        # of what the expansion leaves out, where C is the identity: at first (c5 / 6) e^(c D) D^3; where that
        # is above `sharp`, one D is kept and the squares d_j^2 of the others are summed,
        # sum_j w_j l2_j d_j^2 z_j z_j' instead of D^2.
        expansion, risk, p = self.expansion, self.expansion.risk, len(theta)
        delta = theta - expansion.theta[:, None]
        u = self.anchor.coordinates(delta)
        products = self._tensors.first_order(u, fourth=fourth)
        kept_z = self.anchor.whiten(self._kept_x.T)
        bend = risk.loss.second(self._kept_y, self._kept_eta + self._kept_x @ delta) - self._kept_second
        products += packed(kept_z) @ (self._kept_weights * bend)
        members = groups.members
        x = risk.design.rows(members)
        moved = expansion.own_movement(groups, x, delta)
        second = risk.weights[members] * risk.loss.second(risk.y[members], expansion.eta[members] + moved)
        own = packed(self.anchor.whiten(x.T)) * second
        products -= groups.added(own, axis=1)
        result = unpacked(products, p) + self.whitened(expansion.data_hessian)
        result += left[:, None, None] * self.whitened(expansion.penalty_hessian.dense())
        far = self.largest * np.linalg.norm(u, axis=0)
        missing = self._missing(far, fourth=fourth)
        loose = np.flatnonzero(missing > sharp)
        if fourth and loose.size and self._others is not None:
            with np.errstate(over="ignore"):
                spread = self._spread.first_order(u[:, loose], fourth=True)
                sharper = (
                    2.0 * self._c5 / 6.0 * self._growth(far[loose]) * far[loose] * packed_norms(spread, p)
                )
            missing[loose] = np.minimum(missing[loose], sharper)
        return result, missing

    def _missing(self, far: FloatArray, *, fourth: bool) -> FloatArray:
        """Return the first of the bounds of `hessians` for displacements D, shape (K,)."""
        with np.errstate(over="ignore"):
            missing = self._c5 / 6.0 * far**3 if fourth else self._c4 / 2.0 * far**2
            return np.asarray(self._growth(far) * missing)

    def worth_sharpening(self, theta: FloatArray, sharp: float) -> float:
        """Return `sharp` for `hessians` at rows of theta (K, p), inf where too few would be sharper."""
        loose, step = 0, max(1, AT_ONCE // theta.shape[1])
        for start in range(0, len(theta), step):
            delta = (theta[start : start + step] - self.expansion.theta).T
            far = self.largest * np.linalg.norm(self.anchor.coordinates(delta), axis=0)
            loose += int(np.count_nonzero(self._missing(far, fourth=self.has_fourth) > sharp))
        return sharp if loose > packed_size(theta.shape[1]) else np.inf

    @cached_property
    def _spread(self) -> Tensors:
        """The sum of w_j l2_j z_j (x) z_j (x) z_j (x) z_j over the rows that are not kept."""
        others = self._others
        assert others is not None
        second = np.where(others, self.expansion.second, 0.0)

        def blocks() -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
            start = 0
            for z, third, _ in whitened(self.expansion, self.anchor, others, fourth=False):
                yield z, np.zeros_like(third), second[start : (start := start + len(third))]

        return Tensors(blocks(), len(self.expansion.theta), fourth=True)

    def whitened(self, matrix: FloatArray) -> FloatArray:
        """Return a symmetric matrix (p, p), a quadratic form of theta, in the coordinates u."""
        return self.anchor.whiten(self.anchor.whiten(matrix).T)

    def _own(self, groups: Groups, delta: FloatArray) -> FloatArray:
        """Return sum_{i in S_k} w_i l1(eta_i + x_i'delta_k) x_i for every group, shape (p, K)."""
        expansion, risk = self.expansion, self.expansion.risk
        members: NDArray[np.intp] = groups.members
        x = risk.design.rows(members)
        moved = expansion.own_movement(groups, x, delta)
        slopes = risk.weights[members] * risk.loss.first(risk.y[members], expansion.eta[members] + moved)
        x *= slopes[:, None]
        return groups.added(x).T
