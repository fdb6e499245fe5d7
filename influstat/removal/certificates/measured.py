"""What certificates measure at the coefficients after each removal: gradients, and how far rows moved.

By passes over the rows, or from sums over all of them that are expanded once (see `engine.expanded`).
`LinearPoint` is a risk with one linear predictor per row around one point, as certificates ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import unit_rounding
from influstat.input.groups import Groups, Indices
from influstat.input.kept import Kept
from influstat.input.validation import FloatArray
from influstat.losses.base import has_estimated_derivatives, target_sizes
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.engine.expanded import AllRows, ExpandedSum
from influstat.removal.engine.plan import TOLERANCE
from influstat.removal.engine.shared import Shared
from influstat.removal.expansion import Expansion, Remainder
from influstat.risks.linear import LinearRisk

LEAST_ROWS, AT_ONCE = 64, 2**16  # rows in a block, and numbers of rows and removals: 512 KiB
BLOCK_ENTRIES = 2**18  # in each array that is worked on: 2 MiB
HOPELESS = 100.0  # c times a path beyond which there is no certificate: e^100
TOGETHER = 1024  # removals


@dataclass(frozen=True)
class Measured:
    """Measurements at theta_k, without the rows of group k, sum scale."""

    gradient: FloatArray  # sum_{j not in S} w_j l1_j x_j + (1 - omega_S) grad P(theta_k), shape (p, k)
    error: FloatArray  # bound on the rounding error of each entry of `gradient`, for all k, shape (p,)
    path: FloatArray  # max over kept j not in S of |x_j'(theta_k - theta-hat)|, rounded up, or inf; (k,)
    penalty_path: FloatArray  # max_j |theta_kj - theta-hat_j|, by which a penalty's Hessian changes; (k,)
    given_up: FloatArray  # sum over given-up j not in S of w_j l2_j(theta_k) |x_j|^2_{C^-1}; (k,)
    remainder: FloatArray  # bound on what is missing in `gradient`, in the norm of C^-1; (k,)


def measure(
    expansion: Expansion, anchor: Anchor, groups: Groups, theta: FloatArray, left: FloatArray
) -> Measured:
    """Measure at theta (k, p); the anchor was taken where `expansion` is, `left` is 1 - omega_S of groups."""
    risk, at = expansion.risk, expansion.theta
    design, loss, weights = risk.design, risk.loss, risk.weights
    away = np.max(np.abs(theta - at), axis=1)
    wild = _wild(expansion, anchor, groups, theta, away)
    theta = np.where(wild[:, None], at, theta)  # they would only add to the rounding of the others
    largest = np.maximum(np.max(np.abs(theta), axis=0), np.abs(at))
    slip = unit_rounding(design.shape[1]) * (
        design.absolute_dot(largest) + np.abs(risk.offset) + target_sizes(loss, risk.y)[0]
    )
    doubt = 4.0 * np.max(slip[weights > 0], initial=0.0)  # l2 at the anchor, l2 here, and their distance
    lost = np.where(anchor.kept, 0.0, weights * anchor.row_norms**2)
    path, given_up = np.zeros((2, len(left)))
    gradient, size = np.zeros((design.shape[1], len(left))), np.empty(design.shape[0])
    there = risk.slopes(at)  # the sum of these is known better than float64 could add it
    for rows, block, eta, gone in _predictors(expansion, groups, theta):
        first = np.asarray(loss.first(risk.y[rows, None], eta))
        second = np.asarray(loss.second(risk.y[rows, None], eta))
        first -= there[rows, None]  # only what differs is added here
        first[gone] = second[gone] = 0.0
        first[:, wild] = second[:, wild] = 0.0
        np.maximum(path, _movement(expansion, anchor, rows, eta, gone), out=path)
        given_up += lost[rows] @ second
        second *= slip[rows, None]
        second += unit_rounding(design.shape[0]) * np.abs(first)
        size[rows] = np.max(second, axis=1)
        first *= weights[rows, None]
        gradient += block.T @ first
    path = np.where(wild, np.inf, path + doubt)
    given_up *= np.exp(min(loss.self_concordance * doubt, 700.0))
    error = design.absolute_transpose_dot(weights * size)
    error += expansion.held_error(largest)
    error += expansion.slope_error
    gradient += expansion.data_gradient[:, None] - expansion.own_slopes(groups)
    gradient += left * risk.penalty.gradient(np.ascontiguousarray(theta.T))
    return Measured(gradient, error, path, away, given_up, np.zeros(len(left)))


def _wild(
    expansion: Expansion, anchor: Anchor, groups: Groups, theta: FloatArray, away: FloatArray
) -> NDArray[np.bool_]:
    """Tell which theta (k, p) are so far from theta-hat that nothing can be certified there."""
    risk, delta = expansion.risk, (theta - expansion.theta).T
    wild = ~(risk.penalty.self_concordance * away < HOPELESS)
    # |x_j'delta| <= |x_j| |delta|, in the anchor's norms, spares a pass over the rows nearly always.
    most = np.max(anchor.row_norms) * np.linalg.norm(anchor.coordinates(delta), axis=0)
    far = np.flatnonzero(~(2.0 * risk.loss.self_concordance * most < HOPELESS))
    if far.size:
        part, path = groups.take(far), np.zeros(far.size)
        for rows, _, eta, gone in _predictors(expansion, part, theta[far]):
            np.maximum(path, _movement(expansion, anchor, rows, eta, gone), out=path)
        wild[far] |= ~(risk.loss.self_concordance * path < HOPELESS)
    return wild


def _predictors(
    expansion: Expansion, groups: Groups, theta: FloatArray
) -> Iterator[tuple[slice, FloatArray, FloatArray, Any]]:
    """Yield rows, what they are, their predictors at theta (k, p), and which are those of rows that leave."""
    risk, remainder = expansion.risk, expansion.remainder(groups)
    columns = np.ascontiguousarray(theta.T)
    for rows, block in risk.design.blocks(max(LEAST_ROWS, AT_ONCE // len(groups))):
        eta = block @ columns
        eta += risk.offset[rows, None]
        yield rows, block, eta, remainder.gone(rows)


def _movement(expansion: Expansion, anchor: Anchor, rows: slice, eta: FloatArray, gone: Any) -> FloatArray:
    """Return how far the predictors have moved at most, of rows that count and stay; shape (k,)."""
    eta -= expansion.eta[rows, None]
    moved = np.abs(eta, out=eta)
    moved[gone] = 0.0
    counted = anchor.kept[rows] & (expansion.risk.weights[rows] > 0)
    return np.asarray(np.max(moved[counted], axis=0, initial=0.0))


class QuadraticMeasure:
    """The same for a loss without third derivative: no product with X, as the gradient is linear in theta.

    grad F_-S(theta) = grad F_-S(theta-hat) + (X'diag(w l2)X - that of S + (1 - omega_S) K) delta.
    """

    def __init__(self, expansion: Expansion) -> None:
        self._expansion, risk, at = expansion, expansion.risk, expansion.theta
        slip = risk.design.absolute_dot(np.abs(at)) + np.abs(risk.offset) + np.abs(risk.y)
        n, p = risk.shape
        size = unit_rounding(n) * np.abs(self._expansion.first)
        size += unit_rounding(p) * self._expansion.second * slip
        self._error = risk.design.absolute_transpose_dot(size)
        self._error += unit_rounding(self._expansion.penalty_hessian.terms) * risk.penalty.gradient_scale(at)

    def measure(self, groups: Groups, theta: FloatArray, left: FloatArray) -> Measured:
        """Measure at theta (k, p)."""
        delta = theta.T - self._expansion.theta[:, None]
        gradient = Remainder(self._expansion, groups).quadratic_gradients(delta)
        error = self._rounding(np.max(np.abs(delta), axis=1))
        nowhere = np.zeros(len(left))
        return Measured(gradient, error, nowhere, nowhere, given_up=nowhere, remainder=nowhere)

    def _rounding(self, delta: FloatArray) -> FloatArray:
        """Return the error at theta-hat, that of the rows taken off (hence 2), and that of delta's part."""
        risk = self._expansion.risk
        n, p = risk.shape
        spread = self._expansion.second * risk.design.absolute_dot(delta)
        moved = risk.design.absolute_transpose_dot(spread)
        moved += self._expansion.penalty_hessian.absolute_dot(delta)
        return np.asarray(2.0 * (self._error + (unit_rounding(n) + unit_rounding(p)) * moved))


def measure_expanded(
    rows: ExpandedSum, anchor: Anchor, groups: Groups, theta: FloatArray, left: FloatArray
) -> tuple[Measured, NDArray[np.bool_]]:
    """Measure at theta (k, p); also tell which removals the expansion is sharp enough for, shape (k,)."""
    # The anchor is that of `rows`, with what the certificate gives up. The Hessian's and the tensors' sums
    # are right to `anchor.relative` of what they are multiplied by, the sum of slopes at theta-hat as
    # `Expansion.slope_error` says.
    expansion, c, relative = rows.expansion, rows.concordance, anchor.relative
    found = rows.at(groups, left, np.ascontiguousarray(theta.T), fourth=rows.has_fourth)
    with np.errstate(over="ignore"):
        given_up = np.exp(np.minimum(c * found.path, 700.0)) * anchor.given_up_leverage
    rounding = 4.0 * relative * found.moved * (1.0 + c * found.path)
    largest = np.maximum(np.max(np.abs(theta), axis=0), np.abs(expansion.theta))
    error = expansion.slope_error + expansion.held_error(largest)
    path = found.path * (1.0 + relative) + relative * found.moved
    away = np.max(np.abs(theta - expansion.theta), axis=1)
    remainder = found.remainder * (1.0 + relative) + rounding
    sharp = found.remainder <= TOLERANCE * found.moved
    return Measured(found.gradient, error, path, away, given_up, remainder), sharp


class LinearPoint:
    """A `LinearRisk` around theta (p,), as certificates ask for it."""

    def __init__(self, risk: LinearRisk, theta: FloatArray, kept: Kept | None = None) -> None:
        self.risk, self.theta = risk, theta
        self._kept = Kept() if kept is None else kept
        self.shape, self.weights, self.total_weight = risk.shape, risk.weights, risk.total_weight
        self.protocol = risk.protocol
        self.concordance = risk.loss.self_concordance
        self.penalty_concordance = risk.penalty.self_concordance
        # Sparse rows are worked on all at once; of others, blocks with so many removals at the most.
        least = risk.shape[0] // 8 if risk.design.sparse else BLOCK_ENTRIES // TOGETHER
        self.width = max(least, risk.shape[1])

    def impossible(self) -> str:
        """Return why nothing can be certified, "" where something can."""
        loss, penalty = self.risk.loss, self.risk.penalty
        if not np.isfinite(self.concordance):
            return f"{loss!r} has no finite self_concordance"
        if has_estimated_derivatives(loss):
            return (
                f"{loss!r} computes its derivatives, and their errors are estimated, not proven: give a "
                "loss class with derivatives of its own"
            )
        return "" if np.isfinite(self.penalty_concordance) else f"{penalty!r} has no finite self_concordance"

    @property
    def unpenalised(self) -> bool:
        """Whether there is no penalty that could leave with a row."""
        return self.risk.penalty.hessian(self.theta).zero

    def around(self, theta: FloatArray) -> LinearPoint:
        """Return the same risk around other coefficients."""
        return LinearPoint(self.risk, theta)

    @cached_property
    def _shared(self) -> Shared:
        expansion = self._kept.once("expansion", None, lambda: Expansion(self.risk, self.theta))
        return Shared(expansion, self._kept)

    def anchor(self, kept: float, without: Indices | None = None) -> Anchor:
        """Return the Hessian here, with this share of the penalty, of all rows or without some."""
        risk = self.risk
        if without is None:
            anchor = self._shared.anchor(kept)
            return anchor.giving_up() if self.concordance > 0 else anchor
        weights = risk.weights * risk.loss.second(risk.y, risk.linear_predictor(self.theta))
        weights[without] = 0.0
        penalty = risk.penalty.hessian(self.theta).scaled(kept)
        return Anchor(risk.design, weights, penalty, give_up=self.concordance > 0)

    def functionals(self, rows: Indices) -> FloatArray:
        """Return x_j of the rows, shape (s, 1, p)."""
        return self.risk.design.rows(rows)[:, None]

    def measuring(self, anchor: Anchor) -> Callable[[Groups, FloatArray, FloatArray], Measured]:
        """Return what measures many removals around this point."""
        if self.risk.quadratic:
            return QuadraticMeasure(self._shared.expansion).measure
        return lambda groups, theta, left: self.measure(anchor, groups, theta, left)

    def measure(self, anchor: Anchor, groups: Groups, theta: FloatArray, left: FloatArray) -> Measured:
        """Measure by sums over all rows."""
        return measure(self._shared.expansion, anchor, groups, theta, left)

    def expanded(self, anchor: Anchor, groups: Groups) -> AllRows | None:
        """Return the sums over all rows, expanded once, where that is cheaper; else None."""
        del anchor  # the minimum keeps one
        return None if self.risk.quadratic else self._shared.planned(groups)[1]
