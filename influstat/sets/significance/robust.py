"""Significance by HC0, HC1 or cluster-robust standard errors, squared error: that it is not lost.

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
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.proofs.sums import largest_sum
from influstat.sets.significance.squares import SMALL, Parts, Squares, rows_gone

TAUS = (1.0, 0.8, 1.25)  # of V^-1/2, the best where nothing is removed


@dataclass(frozen=True)
class RobustReference:
    """What robust t values are compared with.

    Attributes
    ----------
    critical : callable
        The quantile for degrees of freedom; it does not grow with them.
    parameters : float
        p.
    corrected : bool
        Whether there is a factor m: HC1, or clusters with theirs.
    clustered : bool
        Whether scores are summed over the units, which are clusters then, and degrees of freedom are theirs.
    """

    critical: Callable[[float], float]
    parameters: float
    corrected: bool
    clustered: bool

    def factor(self, null: NullFit, k: int) -> float | None:
        """Return crit m^1/2 with any k units gone, None where no degrees of freedom are left."""
        rows = float(np.count_nonzero(null.h > 0.0) - rows_gone(null, k))
        groups = float(np.count_nonzero(null.units.sums(null.h) > 0.0) - k)
        freedom = rows - self.parameters
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
        if not squares.D0 > 0.0:
            return None
        lam = leverage.any_set(k) + null.relative
        more = squares.x2 / squares.D0
        all_lam = min(largest_sum(null.lev + more, k), lam + largest_sum(more, k)) * (1.0 + SMALL)
        if not (lam < 1.0 and all_lam < 1.0):
            return None
        units, h = null.units, null.h
        z, xi = np.linalg.norm(null.z, axis=1) * (1.0 + null.relative), np.abs(null.xi)
        x = np.sqrt(z**2 + xi**2 / squares.D0) * (1.0 + SMALL)
        e = np.abs(squares.e) + squares.residual_noise
        score = np.where(null.open, _lengths(units, null, squares), 0.0)
        B = min(largest_sum(np.linalg.norm(null.B, axis=1), k), np.sqrt(lam * largest_sum(squares.x2, k)))
        E = min(largest_sum(score, k), np.sqrt(all_lam * largest_sum(squares.e2, k)))
        to_x, to_e = (B + null.cross) / (1.0 - lam), E * (1.0 + SMALL) / (1.0 - all_lam)
        if not self.reference.clustered:
            return units.sums((h * (xi + z * to_x) * (e + x * to_e)) ** 2)
        plain = np.abs(units.sums(h * null.xi * squares.e)) + units.sums(h * xi * squares.residual_noise)
        return (plain + units.sums(h * (xi * x * to_e + e * z * to_x + z * x * to_x * to_e))) ** 2

    def stands(self, null: NullFit) -> bool:
        """Tell whether it holds with the rows that are there."""
        factor = self.reference.factor(null, 0)
        if factor is None:
            return False
        V = float(np.sum(scores(null, self.reference) ** 2))
        return bool(null.N0 - null.margin > factor * np.sqrt(V) * (1.0 + SMALL))

    def without_one(self, null: NullFit) -> FloatArray | None:
        """Return None: there is no closed form."""
        return None

    def taken(self, null: NullFit) -> FloatArray:
        """Return what each unit, removed or not, takes away from it to first order."""
        parts, V = Parts.of(null), float(np.sum(scores(null, self.reference) ** 2))
        factor = self.reference.factor(null, 0) or 0.0
        return parts.f - 0.5 * factor * parts.v / (np.sqrt(V) or 1.0)


def _lengths(units: Groups, null: NullFit, squares: Squares) -> FloatArray:
    """Return |X_u'h e_u| of every unit, in the inverse of X'hX; shape (m,)."""
    scores = null.h * squares.e
    along = units.sums(np.column_stack([null.z, null.xi / np.sqrt(squares.D0)]) * scores[:, None])
    rounding = units.sums(null.h * squares.residual_noise * np.linalg.norm(null.z, axis=1))
    return np.asarray(np.linalg.norm(along, axis=1) * (1.0 + SMALL) + rounding)


@dataclass(frozen=True)
class RobustOppose:
    """That it is not significant with the sign -1, or (`side` = -1) with the sign 1: searched, not proven."""

    reference: RobustReference
    side: float = 1.0

    def views(self, null: NullFit, k: int, leverage: LeverageBounds) -> Iterator[NullFit]:
        """Yield nothing: no lower bound on a robust variance is derived here."""
        return iter(())

    def stands(self, null: NullFit) -> bool:
        """Tell whether it holds with the rows that are there."""
        factor = self.reference.factor(null, 0)
        V = float(np.sum(scores(null, self.reference) ** 2))
        return factor is not None and bool(self.side * null.N0 + factor * np.sqrt(V) - null.margin > 0.0)

    def without_one(self, null: NullFit) -> FloatArray | None:
        """Return None: there is no closed form."""
        return None

    def taken(self, null: NullFit) -> FloatArray:
        """Return what each unit, removed or not, takes away from it to first order."""
        parts, V = Parts.of(null), float(np.sum(scores(null, self.reference) ** 2))
        factor = self.reference.factor(null, 0) or 0.0
        return self.side * parts.f + 0.5 * factor * parts.v / (np.sqrt(V) or 1.0)


def scores(null: NullFit, reference: RobustReference) -> FloatArray:
    """Return h xi e of every row, or its sums over the clusters."""
    parts = null.h * null.xi * Squares(null).e
    return null.units.sums(parts) if reference.clustered else parts
