"""Significance by HC0 to HC3 or cluster-robust standard errors, squared error: that it is not lost.

**Statement.** Terms as in `null_fit` and `model_based`. With the residuals e_i(T) of the fit of T and
xi_i(T) of its null fit, t_T = N(T) / (m_T V(T))^1/2,

    V(T) = sum over T of (h xi_i(T) e_i(T))^2 (clusters: of the squared sums over each),

m_T = 1 (HC0), n_T / (n_T - p) (HC1), or G_T / (G_T - 1) (n_T - 1) / (n_T - p) (clusters with their factor).
Without S, xi_i(T) = xi_i + z_i'(I - A_S)^-1 B_S, and e_i(T) = e_i + x_i'(X'hX - X_S'hX_S)^-1 X_S'h e_S, so
that

    |xi_i(T)| <= |xi_i| + |z_i| r_x,      r_x = Bmax / (1 - Lam),
    |e_i(T)| <= |e_i| + |x_i| r_e,        r_e = max |X_S'h e_S| / (1 - Lam_X),

lengths of x in the inverse of X'hX: |x_i|^2 = |z_i|^2 + xi_i^2 / D0. With v_i the square of h times the
product of both bounds, and for a cluster

    v_g = (|sum h xi e| + sum h (|xi| |x| r_e + |e| |z| r_x + |z| r_x |x| r_e))^2,

V(T) <= sum over T of v, and from 2 (m V)^1/2 <= m^1/2 (tau V + 1 / tau) the conclusion stands with every
set of at most k units where the quick certificate does with

    f' = f - kappa tau v,    N0' = N0 - kappa (tau sum v + 1 / tau),    kappa = crit m^1/2 / 2,

crit and m with k units gone, where both are largest. Whole clusters leave if the errors are clustered.

*Leverages.* HC2 and HC3 divide e_i by (1 - H_i)^1/2 and by 1 - H_i, H_i = h |x|^2 the leverage in the fit of
T. Without S it is at most H_i / (1 - Lam_X), by which v is divided likewise; none is proven where that is 1.
`robust_against` has the other direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.conclusion import noise, one_left
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.proofs.sums import largest_sum
from influstat.sets.significance.squares import SMALL, Parts, Squares, rows_gone

TAUS = (1.0, 0.8, 1.25)  # of V^-1/2, the best where nothing is removed
MOST_ENTRIES = 4 * 10**6  # of what each row's removal does to each other one


@dataclass(frozen=True)
class RobustReference:
    """What robust t values are compared with."""

    critical: Callable[[float], float]  # the quantile for degrees of freedom; it does not grow with them
    parameters: float  # p
    corrected: bool  # whether there is a factor m: HC1, or clusters with theirs
    # Whether scores are summed over the units, which are clusters then, and degrees of freedom are theirs.
    clustered: bool
    power: float = 0.0  # of 1 - leverage, by which residuals are divided: 1 / 2 for HC2, 1 for HC3

    def factor(self, null: NullFit, k: int) -> float | None:
        """Return crit m^1/2 with any k units gone, None where no degrees of freedom are left."""
        rows = float(np.count_nonzero(null.h > 0.0) - rows_gone(null, k))
        groups = float(np.count_nonzero(null.units.sums(null.h) > 0.0) - k)
        freedom = rows - (self.parameters - null.lost)
        if freedom <= 0.0 or (self.clustered and groups <= 1.0):
            return None
        m = 1.0
        if self.corrected and self.clustered:
            m = groups / (groups - 1.0) * (rows - 1.0) / freedom
        elif self.corrected:
            m = rows / freedom
        return float(self.critical(groups - 1.0 if self.clustered else freedom) * np.sqrt(m))


@dataclass(frozen=True)
class RobustLose:
    """The conclusion that the coefficient is significant with its sign."""

    demeaned: ClassVar[bool] = False
    reference: RobustReference

    def views(self, null: NullFit, k: int, leverage: LeverageBounds) -> Iterator[NullFit]:
        """Yield one null fit for each tau."""
        factor = self.reference.factor(null, k)
        v = None if factor is None else self._bounds(null, k, leverage)
        if v is None or factor is None:
            return
        total, noise = float(np.sum(v)), SMALL
        for part in TAUS if total > 0.0 else ():
            tau = part / float(np.sqrt(total))
            kappa = 0.5 * factor
            f = np.where(null.open, null.f - kappa * tau * v, 0.0)
            N0 = null.N0 - kappa * (tau * total + 1.0 / tau)
            more = noise * kappa * (tau * total + 1.0 / tau)
            yield replace(null, f=f, N0=N0, margin=null.margin + more)

    def _bounds(self, null: NullFit, k: int, leverage: LeverageBounds) -> FloatArray | None:
        """Return v of every unit with rows that are there, None where k units may leave no information."""
        squares = Squares(null)
        moved = moves(null, squares, k, leverage) if squares.D0 > 0.0 else None
        if moved is None:
            return None
        units, h = null.units, null.h
        z, xi = np.linalg.norm(null.z, axis=1) * (1.0 + null.relative), np.abs(null.xi)
        x = np.sqrt(z**2 + xi**2 / squares.D0) * (1.0 + SMALL)
        e = np.abs(squares.e) + squares.residual_noise
        if not self.reference.clustered:
            left = 1.0 - h * x**2 / moved.left * (1.0 + SMALL)
            if self.reference.power and not np.min(left) > 0.0:
                return None
            root = left**self.reference.power if self.reference.power else 1.0
            return units.sums((h * (xi + z * moved.xi) * (e + x * moved.e) / root) ** 2)
        plain = np.abs(units.sums(h * null.xi * squares.e)) + units.sums(h * xi * squares.residual_noise)
        more = xi * x * moved.e + e * z * moved.xi + z * x * moved.xi * moved.e
        return (plain + units.sums(h * more)) ** 2

    def stands(self, null: NullFit) -> bool:
        """Tell whether it holds with the rows that are there."""
        factor = self.reference.factor(null, 0)
        if factor is None:
            return False
        V = float(np.sum(scores(null, self.reference) ** 2))
        return bool(null.N0 - null.margin > factor * np.sqrt(V) * (1.0 + SMALL))

    def without_one(self, null: NullFit) -> FloatArray | None:
        """Return N less the critical value without each row."""
        factor, V, score = (
            self.reference.factor(null, 1),
            variances_left(null, self.reference),
            one_left(null),
        )
        if factor is None or V is None or score is None:
            return None
        return score - noise(null) - factor * np.sqrt(V) * (1.0 + SMALL)

    def taken(self, null: NullFit) -> FloatArray:
        """Return what each unit, removed or not, takes away from it to first order."""
        parts, V = Parts.of(null), float(np.sum(scores(null, self.reference) ** 2))
        factor = self.reference.factor(null, 0) or 0.0
        return parts.f - 0.5 * factor * parts.v / (np.sqrt(V) or 1.0)


@dataclass(frozen=True)
class Moves:
    """How far xi and e move without any k units: r_x and r_e, and 1 - Lam_X."""

    xi: float
    e: float
    left: float


def moves(null: NullFit, squares: Squares, k: int, leverage: LeverageBounds) -> Moves | None:
    """Return them, None where k units may leave no information."""
    lam = leverage.any_set(k) + null.relative
    more = squares.x2 / squares.D0
    all_lam = min(largest_sum(null.lev + more, k), lam + largest_sum(more, k)) * (1.0 + SMALL)
    if not (lam < 1.0 and all_lam < 1.0):
        return None
    score = np.where(null.open, _lengths(null.units, null, squares), 0.0)
    B = min(largest_sum(np.linalg.norm(null.turns, axis=1), k), np.sqrt(lam * largest_sum(squares.x2, k)))
    E = min(largest_sum(score, k), np.sqrt(all_lam * largest_sum(squares.e2, k)))
    return Moves(
        float(B + null.cross) / (1.0 - lam), float(E) * (1.0 + SMALL) / (1.0 - all_lam), 1.0 - all_lam
    )


def _lengths(units: Groups, null: NullFit, squares: Squares) -> FloatArray:
    """Return |X_u'h e_u| of every unit, in the inverse of X'hX; shape (m,)."""
    scores = null.h * squares.e
    along = units.sums(np.column_stack([null.z, null.xi / np.sqrt(squares.D0)]) * scores[:, None])
    rounding = units.sums(null.h * squares.residual_noise * np.linalg.norm(null.z, axis=1))
    return np.asarray(np.linalg.norm(along, axis=1) * (1.0 + SMALL) + rounding)


def scores(null: NullFit, reference: RobustReference) -> FloatArray:
    """Return h xi e of every row, over its power of 1 - leverage, or its sums over the clusters."""
    squares = Squares(null)
    parts = null.h * null.xi * squares.e
    if reference.power:
        parts = parts / np.maximum(1.0 - leverages(null, squares), SMALL) ** reference.power
    return null.units.sums(parts) if reference.clustered else parts


def leverages(null: NullFit, squares: Squares) -> FloatArray:
    """Return h |x|^2 of every row in the fit of all coefficients, shape (n,)."""
    return np.asarray(null.h * (np.einsum("ij,ij->i", null.z, null.z) + null.xi**2 / squares.D0))


def variances_left(null: NullFit, reference: RobustReference) -> FloatArray | None:
    """Return V without each row, shape (m,), 0 for one that must stay; None where it is not looked for."""
    if not null.units.single or reference.clustered or null.folded:
        return None
    rows = null.units.members[null.open]
    if len(rows) * len(null.h) > MOST_ENTRIES:
        return None
    squares = Squares(null)
    x = np.column_stack([null.z, null.xi / np.sqrt(squares.D0)])
    H = leverages(null, squares)
    left, all_left = np.maximum(1.0 - null.lev[null.open], SMALL), np.maximum(1.0 - H[rows], SMALL)
    xi = null.xi[:, None] + null.z @ (null.turns[null.open] / left[:, None]).T
    inner = x @ x[rows].T
    e = squares.e[:, None] + inner * (null.h[rows] * squares.e[rows] / all_left)
    parts = null.h[:, None] * xi * e
    if reference.power:
        leverage = H[:, None] + null.h[:, None] * inner**2 * (null.h[rows] / all_left)
        parts /= np.maximum(1.0 - leverage, SMALL) ** reference.power
    parts[rows, np.arange(len(rows))] = 0.0
    found = np.zeros(len(null.units))
    found[null.open] = np.einsum("ij,ij->j", parts, parts)
    return found
