"""Significance by robust standard errors, squared error: that it is not gained, nor with the other sign.

**Statement.** Terms as in `robust`; omega_i = (1 - H_i)^-power at the fit with all rows, which only grows as
rows leave (1 for HC0, HC1 and clusters). Let v_i = omega_i h xi_i e_i (clusters: their sums), V0 = |v|^2, c =
v / |v|. As V(T) is at least the squared length of (omega h xi(T) e(T))_T, by Cauchy and Schwarz

    V(T)^1/2 >= sum over T of c_i omega_i h xi_i(T) e_i(T) / |c_T|,    |c_T|^2 = 1 - V_S / V0,

V_S the sum of v^2 over S. With xi(T) = xi + z'a and e(T) = e + x'b, |a| <= r_x and |b| <= r_e, the sum is
(V0 - V_S) / V0^1/2 plus three terms that are small, as residuals are nearly orthogonal to everything:

    a'(G - G_S),  b'(L - L_S),  a'(M - M_S)b,    G = sum c omega h e z,  L = sum c omega h xi x,
                                                 M = sum c omega h z x',

G_S, L_S and M_S over S. With E the sum of r_x (|G| + the k largest |G_u|) and its likes, and A the k largest
parts of V0 together, V(T)^1/2 >= (V0 - V_S)^1/2 - E / (1 - A / V0)^1/2, and the root is above its chord:

    (m V(T))^1/2 >= m^1/2 [V0^1/2 - s V_S - E / (1 - A / V0)^1/2],    s = (V0^1/2 - (V0 - A)^1/2) / A.

So t_T > -crit follows from the quick certificate with f' = f + crit m^1/2 s V_u and N0' = N0 + crit m^1/2
(V0^1/2 - E / ...), crit and m with none gone, where both are least; t_T < crit with the signs of f, N0 and B
changed. And a sign that stays is never significant the other way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.conclusion import noise, one_left, turned
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.proofs.sums import largest_sum
from influstat.sets.significance.robust import RobustReference, leverages, moves, scores, variances_left
from influstat.sets.significance.squares import SMALL, Parts, Squares


@dataclass(frozen=True)
class RobustOppose:
    """The conclusion that it is not significant with the sign -1, or (`side` = -1) with the sign 1."""

    demeaned: ClassVar[bool] = False
    reference: RobustReference
    side: float = 1.0

    def views(self, null: NullFit, k: int, leverage: LeverageBounds) -> Iterator[NullFit]:
        """Yield the null fit with the variance's part, and as it is where a sign that stays is enough."""
        narrow = self._narrowed(null, k, leverage)
        if narrow is not None:
            yield narrow
        if self.side > 0.0:
            yield null

    def _narrowed(self, null: NullFit, k: int, leverage: LeverageBounds) -> NullFit | None:
        """Return it; None where k units may leave no information or no variance."""
        factor, squares = self.reference.factor(null, 0), Squares(null)
        moved = moves(null, squares, k, leverage) if squares.D0 > 0.0 else None
        if factor is None or moved is None:
            return None
        units, omega = null.units, self._omega(null, squares)
        v = omega * null.h * null.xi * squares.e
        v = units.sums(v) if self.reference.clustered else v
        V0 = float(np.sum(v**2))
        own = np.where(null.open, v**2 if self.reference.clustered else units.sums(v**2), 0.0)
        A = largest_sum(own, k)
        if not A < V0 * (1.0 - SMALL):
            return None
        root = float(np.sqrt(V0))
        weights = omega * null.h * self._of_rows(null, v / root)
        x = np.column_stack([null.z, null.xi / np.sqrt(squares.D0)])
        away = sum(
            float(reach) * (float(np.linalg.norm(np.sum(rows, axis=0))) + _longest(null, rows, k))
            for reach, rows in (
                (moved.xi, weights[:, None] * squares.e[:, None] * null.z),
                (moved.e, weights[:, None] * null.xi[:, None] * x),
            )
        )
        both = float(np.linalg.norm(null.z.T @ (x * weights[:, None]), 2)) if null.d else 0.0
        lengths = np.abs(weights) * np.linalg.norm(null.z, axis=1) * np.linalg.norm(x, axis=1)
        away += moved.xi * moved.e * (both + largest_sum(np.where(null.open, units.sums(lengths), 0.0), k))
        rounding = SMALL * (root + away) + float(
            np.linalg.norm(omega * null.h * null.xi * squares.residual_noise)
        )
        lost = (away * (1.0 + SMALL) + rounding) / float(np.sqrt(1.0 - A / V0))
        slope = factor * ((root - np.sqrt(V0 - A)) / A if A > 0.0 else 0.0) * (1.0 + SMALL)
        return replace(
            null,
            f=np.where(null.open, self.side * null.f + slope * own, 0.0),
            whitened=null.whitened.but(turns=self.side * null.turns),
            N0=self.side * null.N0 + factor * (root - lost),
            margin=null.margin + SMALL * factor * root,
        )

    def _omega(self, null: NullFit, squares: Squares) -> FloatArray:
        """Return omega, rounded down, shape (n,)."""
        if not self.reference.power:
            return np.ones(len(null.h))
        return np.asarray((1.0 + SMALL - np.minimum(leverages(null, squares), 1.0)) ** -self.reference.power)

    def _of_rows(self, null: NullFit, c: FloatArray) -> FloatArray:
        """Return c of every row, that of its cluster where scores are summed."""
        if not self.reference.clustered:
            return c
        found = np.zeros(len(null.h))
        found[null.units.members] = np.repeat(c, null.units.sizes)
        return found

    def stands(self, null: NullFit) -> bool:
        """Tell whether it holds with the rows that are there."""
        factor = self.reference.factor(null, 0)
        V = float(np.sum(scores(null, self.reference) ** 2))
        return factor is not None and bool(
            self.side * null.N0 + factor * np.sqrt(V) * (1.0 - SMALL) - null.margin > 0.0
        )

    def without_one(self, null: NullFit) -> FloatArray | None:
        """Return the critical value and N without each row."""
        factor, V, score = (
            self.reference.factor(null, 1),
            variances_left(null, self.reference),
            one_left(null),
        )
        if factor is None or V is None or score is None:
            return None
        return turned(score, self.side) - noise(null) + factor * np.sqrt(V) * (1.0 - SMALL)

    def taken(self, null: NullFit) -> FloatArray:
        """Return what each unit, removed or not, takes away from it to first order."""
        parts, V = Parts.of(null), float(np.sum(scores(null, self.reference) ** 2))
        factor = self.reference.factor(null, 0) or 0.0
        return self.side * parts.f + 0.5 * factor * parts.v / (np.sqrt(V) or 1.0)


def _longest(null: NullFit, rows: FloatArray, k: int) -> float:
    """Return the sum of the k largest lengths of the open units' sums."""
    lengths = np.linalg.norm(null.units.sums(rows), axis=1)
    return largest_sum(np.where(null.open, lengths, 0.0), k)
