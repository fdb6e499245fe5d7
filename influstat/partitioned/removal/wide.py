"""Newton steps without single rows of wide designs: the rows of largest effect, by products alone.

Without row i, S_-i = S - w_i l2_i x_i x_i', so that a'(theta_-i - theta) needs b = S^-1 a, one vector for
each quantity, and the leverage h_i = w_i l2_i x_i'S^-1 x_i, a solve for each row. The rows left have no
negative curvature: 1 / (1 - h_i) is at least 1 and, where the penalty's curvature is at least kappa in every
direction, at most 1 + w_i l2_i |x_i|^2 / kappa. That tells in one pass which rows can be among the k largest;
leverages are solved for these alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from influstat.errors import NotConverged, Unsupported
from influstat.input.progress import progress
from influstat.input.ranking import Ranking
from influstat.input.validation import FloatArray, whole_number
from influstat.partitioned.block import Block
from influstat.partitioned.hessian import SummedHessian
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.runners.base import Summable
from influstat.solvers import ConjugateGradient

ENTRIES = 2**22  # of a block of vectors of length p: 32 MiB
RTOL = 1e-7  # of |S v - x|: the leverage is right to its square
STEPS = 1000
MOST = 4096  # rows whose leverages are solved for at most
UNPROVEN = 8  # times as many rows are looked at as are wanted, where no penalty bounds their leverages


@dataclass(frozen=True, eq=False)
class Held:
    """What a row needs: solved vectors for every quantity, and what the penalty says of all."""

    recipe: Recipe  # in sum scale
    theta: FloatArray
    solved: FloatArray  # b = S^-1 a, shape (p, m)
    rest: FloatArray  # S^-1 (grad F - the penalty's share that leaves), shape (p,)
    constant: FloatArray  # a' of that, shape (m,)
    floor: float  # kappa; 0 where a coefficient has no penalty
    starts: Any

    def rows(self, partition: int, block: Block) -> Rows:
        """Return what is known of a block's rows."""
        risk = self.recipe.risk(block, int(self.starts[partition]))
        eta = risk.linear_predictor(self.theta)
        pieces = [x for _, x in risk.design.blocks()]
        x: Any = pieces[0] if risk.design.sparse else np.concatenate(pieces)
        first = risk.weights * risk.loss.first(risk.y, eta)
        second = risk.weights * risk.loss.second(risk.y, eta)
        positions = int(self.starts[partition]) + np.arange(len(block))
        square: Any = x.power(2) if risk.design.sparse else x * x
        squares = np.asarray(square.sum(axis=1)).ravel()
        known = x @ self.solved, x @ self.rest
        return Rows(x, first, second, squares, *known, positions, risk.row_labels)


@dataclass(eq=False)
class Rows(Summable):
    """Some rows, and what their Newton steps need besides leverages."""

    x: Any  # shape (k, p), sparse or not
    first: FloatArray
    second: FloatArray
    squares: FloatArray  # |x|^2
    along: FloatArray  # x'b, shape (k, m)
    rest: FloatArray  # x'S^-1 (what leaves with every row alike)
    positions: Any
    labels: Any

    def take(self, chosen: Any) -> Rows:
        """Return the chosen rows."""
        return Rows(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def plus(self, other: Rows) -> Rows:
        """Return both together."""
        x = sp.vstack([sp.csr_array(self.x), sp.csr_array(other.x)], format="csr")
        names = [name for name in self.__dataclass_fields__ if name != "x"]
        return Rows(x, *(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))

    def changes(self, held: Held, leverage: FloatArray) -> FloatArray:
        """Return a'(theta_-i - theta) by one Newton step, shape (k, m); first order at leverage 0."""
        tilt = self.first[:, None] * self.along - held.constant
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = np.where(self.second > 0, self.first * leverage / self.second, 0.0)
            scale = self.second * (self.rest - inside) / (1.0 - leverage)
        return np.asarray(tilt - scale[:, None] * self.along)

    def most(self, floor: float) -> FloatArray:
        """Return the most that a leverage can be; 1 where the penalty says nothing."""
        if floor <= 0.0:
            return np.ones(len(self.first))
        ratio = self.second * self.squares / floor
        return np.asarray(ratio / (1.0 + ratio))


@dataclass(eq=False)
class Candidates(Summable):
    """The rows that may be among the k of largest effect on some quantity."""

    held: Held
    k: int
    rows: Rows

    def plus(self, other: Candidates) -> Candidates:
        """Return those of both, cut anew."""
        return Candidates.of(self.held, self.k, self.rows.plus(other.rows))

    @classmethod
    def of(cls, held: Held, k: int, rows: Rows) -> Candidates:
        """Return the rows that may have a larger effect than k others must have."""
        least, most = _between(held, rows)
        wanted = k if held.floor > 0.0 else UNPROVEN * k
        if len(least) > wanted:
            kth = np.partition(least, len(least) - wanted, axis=0)[len(least) - wanted]
            rows = rows.take(np.flatnonzero((most >= kth).any(axis=1)))
        return cls(held, k, rows)


def _between(held: Held, rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Return the least and the most that |effects| can be, shape (k, m)."""
    # The effect is linear in 1 / (1 - h): its ends are those of the interval that h lies in.
    if held.floor <= 0.0:  # nothing is proven: the rows of largest first-order effect
        first = np.abs(rows.changes(held, np.zeros(len(rows.first))))
        return first, first
    ends = rows.changes(held, np.zeros(len(rows.first))), rows.changes(held, rows.most(held.floor))
    low, high = np.abs(ends[0]), np.abs(ends[1])
    crossing = np.sign(ends[0]) != np.sign(ends[1])
    return np.where(crossing, 0.0, np.minimum(low, high)), np.maximum(low, high)


@dataclass(frozen=True, eq=False)
class Choosing:
    """The candidates of one partition."""

    held: Held
    k: int

    def __call__(self, partition: int, block: Block) -> Candidates:
        """Return them."""
        return Candidates.of(self.held, self.k, self.held.rows(partition, block))


def newton_top(fit: Any, a: FloatArray, names: tuple[str, ...], k: int) -> dict[str, Ranking]:
    """Return the k rows of the largest Newton steps for each quantity; see `PartitionedFit.newton_top`."""
    k = whole_number("k", k, at_least=1)
    risk, theta = fit.risk, np.array(fit.theta)
    weight = risk.total_weight / risk.shape[0]
    share = float(risk.protocol.left(weight, risk.total_weight))
    if share < 1.0 and any(
        risk.data.source.block(j).weights is not None for j in np.flatnonzero(risk.counted.rows)[:1]
    ):
        raise Unsupported(
            "fit",
            'keep the whole penalty (protocol="fixed") where rows have weights',
            "folds the penalty into them, so that every row leaves another Hessian behind",
            'Fit it with protocol="fixed".',
        )
    penalty = risk.penalty.hessian(theta).scaled(share)
    sums = risk.sums(theta)
    if not sums.convex:
        raise Unsupported("fit", "have a convex loss", "has rows of negative curvature", "Use influence().")
    hessian = SummedHessian(risk.data, risk.recipe.summed(), theta, sums, penalty, 1.0)
    solver = ConjugateGradient(rtol=1e-12).prepare(hessian)
    pull = sums.gradient + share * risk.penalty.gradient(theta)
    solution = solver.apply(np.column_stack([a, pull]))
    floor = float(penalty.diagonal().min()) if penalty.terms == 1 else 0.0
    held = Held(
        risk.recipe.summed(),
        theta,
        solution.value[:, :-1],
        solution.value[:, -1],
        solution.value[:, :-1].T @ pull,
        floor,
        fit.starts,
    )
    rows = fit.reduce(Choosing(held, k)).rows
    proven = floor > 0.0 and len(rows.first) <= MOST
    note = "" if proven else "Found among the rows of largest first-order effect."
    if len(rows.first) > MOST:
        most = _between(held, rows)[1]
        rows = rows.take(np.argsort(-most.max(axis=1), kind="stable")[:MOST])
    leverage, error = _leverages(hessian, rows, floor)
    changes = rows.changes(held, leverage)
    slack = np.abs(rows.changes(held, np.minimum(leverage + error, 1.0 - 1e-16)) - changes)
    first = rows.changes(held, np.zeros(len(leverage)))
    found = {}
    for j, name in enumerate(names):
        order = np.argsort(-np.abs(changes[:, j]), kind="stable")[:k]
        more = {
            "first_order": first[order, j],
            "leverage": leverage[order],
            "error": slack[order, j],
        }
        title = f"Change of {name} without the row by a Newton step, after minus before"
        found[name] = Ranking(
            rows.labels[order], rows.positions[order], changes[order, j], title, None, note, more=more
        )
    return found


def _leverages(hessian: SummedHessian, rows: Rows, floor: float) -> tuple[FloatArray, FloatArray]:
    """Return h of every row, and how much larger it may be by what is left of its equations."""
    # x'S^-1 x = x'v + v'r + r'S^-1 r for any v, with r = x - S v: the last term alone is not known.
    k, p = rows.x.shape
    leverage, error = np.empty(k), np.empty(k)
    step = max(1, ENTRIES // p)
    for start in progress(range(0, k, step), "leverages"):
        some = slice(start, min(start + step, k))
        x = np.ascontiguousarray(sp.csr_array(rows.x[some]).toarray().T, dtype=np.float64)
        v, r = together(hessian, x)
        known = np.einsum("pk,pk->k", x + r, v)
        left = np.einsum("pk,pk->k", r, r) / floor if floor > 0.0 else np.full(x.shape[1], np.nan)
        leverage[some], error[some] = rows.second[some] * known, rows.second[some] * left
    return leverage, error


def together(hessian: SummedHessian, rhs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return V and the measured rhs - S V: conjugate gradients whose columns share every pass."""
    # Each has shape (p, K). A column that has not reached `RTOL` has not converged: NotConverged.
    scale = 1.0 / hessian.diagonal()[:, None]
    value, residual = np.zeros_like(rhs), rhs.copy()
    goal = RTOL * np.linalg.norm(rhs, axis=0)
    direction = scale * residual
    rho = np.einsum("pk,pk->k", residual, direction)
    for _ in range(STEPS):
        active = np.flatnonzero(np.linalg.norm(residual, axis=0) > goal)
        if not active.size:
            break
        d = np.ascontiguousarray(direction[:, active])
        image = np.asarray(hessian.matmat(d))
        length = rho[active] / np.einsum("pk,pk->k", d, image)
        value[:, active] += length * d
        residual[:, active] -= length * image
        z = scale * residual[:, active]
        following = np.einsum("pk,pk->k", residual[:, active], z)
        direction[:, active] = z + (following / rho[active]) * d
        rho[active] = following
    else:
        raise NotConverged(
            f"Leverages have not converged in {STEPS} steps of conjugate gradients: penalise more, or "
            "rescale the columns."
        )
    return value, np.asarray(rhs - hessian.matmat(value))
