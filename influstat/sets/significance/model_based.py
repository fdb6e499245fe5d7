"""Significance by the model-based covariance, squared error: lost, gained, or with the other sign.

**Statement.** With squared error, no penalty and the threshold 0, the t value of the focal coefficient in
the fit of the rows T is (`null_fit` has the terms; units such that l2 = 1)

    t_T = N(T) / sqrt(D(T) RSS(T) / nu_T),    nu_T = |T| less the columns that have a row in T,

since theta_T = N(T) / D(T), D(T) = min over l of sum_T h (xi + z'l)^2 what is left of its column given the
nuisance, and 1 / D(T) its entry of the inverse. RSS(T) is the least sum_T h e^2. Let crit(nu) be the
quantile, which falls as nu grows, as does crit / sqrt(nu); nu_k = nu with as many rows gone as any k units
can have and all columns left, nu_0 = nu with none gone, so that nu_k <= nu_T <= nu_0; and e the residuals
with all rows that are there: r / h - (N0 / D0) xi.

*Lose: it stays significant with its sign.* D(T) <= D0 - sum_S h xi^2 and RSS(T) <= RSS - sum_S h e^2 (the
minimum is below the value at l = 0, and at theta), and 2 (D RSS)^1/2 <= tau D + RSS / tau for every tau >
0. With kappa = crit(nu_k) / (2 nu_k^1/2), N(T) - crit (D RSS / nu)^1/2 is at least N(T) of the quick
certificate with

    f' = f - kappa (tau h xi^2 + h e^2 / tau),    N0' = N0 - kappa (tau D0 + RSS / tau).

*Oppose: it is never significant with the other sign.* D0 - D(T) <= sum_S h xi^2 / (1 - Lam) (Woodbury: it
is xi_S'(I - H_S)^-1 xi_S, H_S with the eigenvalues of A_S), and RSS - RSS(T) <= sum_S h e^2 / (1 - Lam_X)
likewise, Lam_X that of all coefficients together. (D0 - a)^1/2 (RSS - b)^1/2, a <= A, b <= B, is a product
of concave functions, each above its chord, and the product of falling chords is above the plane through the
corners (0, 0), (A, 0), (0, B):

    (D(T) RSS(T))^1/2 >= F - sum_S (s_A h xi^2 + s_B h e^2),    F = (D0 RSS)^1/2,
    s_A = (F - ((D0 - A) RSS)^1/2) / A / (1 - Lam),    s_B = (F - (D0 (RSS - B))^1/2) / B / (1 - Lam_X).

With c0 = crit(nu_0) / nu_0^1/2, t_T > -crit follows from the certificate with f' = f + c0 (s_A h xi^2 + s_B
h e^2) and N0' = N0 + c0 F.

*Gain: it stays insignificant.* t_T < crit is the same with the signs of f, N0 and B changed; both sides are
needed.

*Levels that are one cluster's own* (`factor`). What is demeaned within them has the same N(T), D(T) and
RSS(T), and e, xi and z of directions orthogonal to them are demeaned already: it holds in these. Robust
covariances also use leverages of rows, or factors of n - p, that levels change: there it is not done.

Floating point: what rounding does to D0, RSS and the sums is added to `margin`; xi and e are those of t0
and u as they are, for which the two upper bounds hold as well; the lower ones are taken off a little.
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
from influstat.sets.significance.squares import (
    SMALL,
    Parts,
    Reference,
    Squares,
    narrowed,
    rows_gone,
    squares_left,
)

TAUS = (1.0, 0.85, 1.15, 0.7)  # of (RSS / D0)^1/2, the best where nothing is removed: others where much is


@dataclass(frozen=True)
class Lose:
    """The conclusion that the coefficient is significant with its sign."""

    demeaned: ClassVar[bool] = True
    reference: Reference

    def views(self, null: NullFit, k: int, leverage: LeverageBounds) -> Iterator[NullFit]:
        """Yield one null fit for each tau."""
        scaled, squares = self.reference.scaled(null, rows_gone(null, k)), Squares(null)
        if scaled is None or not (squares.D0 > 0.0 and squares.RSS > 0.0):
            return
        for part in TAUS:
            tau = part * squares.balance
            yield narrowed(null, squares, 0.5 * scaled * tau, 0.5 * scaled / tau)

    def stands(self, null: NullFit) -> bool:
        """Tell whether it holds with the rows that are there."""
        scaled, squares = self.reference.scaled(null, 0), Squares(null)
        if scaled is None:
            return False
        top = np.sqrt((squares.D0 + squares.noise[0]) * (squares.RSS + squares.noise[1]))
        return bool(null.N0 - null.margin > scaled * top * (1.0 + SMALL))

    def without_one(self, null: NullFit) -> FloatArray | None:
        """Return N less the critical value without each row."""
        scaled, score = self.reference.scaled(null, 1), one_left(null)
        if score is None or scaled is None:
            return None
        return score - noise(null) - scaled * (1.0 + SMALL) * squares_left(null, 1.0 + SMALL)

    def taken(self, null: NullFit) -> FloatArray:
        """Return what each unit, removed or not, takes away from it to first order."""
        scaled, squares, parts = self.reference.scaled(null, 0) or 0.0, Squares(null), Parts.of(null)
        tau = squares.balance
        return parts.f - 0.5 * scaled * (tau * parts.x2 + parts.e2 / tau)


@dataclass(frozen=True)
class Oppose:
    """The conclusion that it is not significant with the sign -1, or (`side` = -1) with the sign 1."""

    demeaned: ClassVar[bool] = True
    reference: Reference
    side: float = 1.0

    def views(self, null: NullFit, k: int, leverage: LeverageBounds) -> Iterator[NullFit]:
        """Yield the one null fit there is, if k units leave information."""
        scaled, squares = self.reference.scaled(null, 0), Squares(null)
        if scaled is None or not (squares.D0 > 0.0 and squares.RSS > 0.0):
            return
        lam = leverage.any_set(k) + null.relative
        more = squares.x2 / squares.D0
        all_lam = min(largest_sum(null.lev + more, k), lam + largest_sum(more, k)) * (1.0 + SMALL)
        A = largest_sum(squares.x2, k) / (1.0 - lam) if lam < 1.0 else np.inf
        B = largest_sum(squares.e2, k) / (1.0 - all_lam) if all_lam < 1.0 else np.inf
        if not (A < squares.D0 and B < squares.RSS):
            return
        root = float(np.sqrt(squares.D0 * squares.RSS))
        slope_A = (root - np.sqrt((squares.D0 - A) * squares.RSS)) / A / (1.0 - lam) if A > 0.0 else 0.0
        slope_B = (root - np.sqrt(squares.D0 * (squares.RSS - B))) / B / (1.0 - all_lam) if B > 0.0 else 0.0
        slopes = (scaled * slope_A * (1.0 + SMALL), scaled * slope_B * (1.0 + SMALL))
        f = self.side * null.f + slopes[0] * squares.x2 + slopes[1] * squares.e2
        yield replace(
            null,
            f=np.where(null.open, f, 0.0),
            whitened=null.whitened.but(turns=self.side * null.turns),
            N0=self.side * null.N0 + scaled * squares.below,
            margin=null.margin + 2.0 * (slopes[0] * squares.noise[0] + slopes[1] * squares.noise[1]),
        )

    def stands(self, null: NullFit) -> bool:
        """Tell whether it holds with the rows that are there."""
        scaled = self.reference.scaled(null, 0)
        if scaled is None:
            return False
        return bool(self.side * null.N0 + scaled * Squares(null).below - null.margin > 0.0)

    def without_one(self, null: NullFit) -> FloatArray | None:
        """Return the critical value and N without each row."""
        scaled, score = self.reference.scaled(null, 1), one_left(null)
        if score is None or scaled is None:
            return None
        return (
            turned(score, self.side) - noise(null) + scaled * (1.0 - SMALL) * squares_left(null, 1.0 - SMALL)
        )

    def taken(self, null: NullFit) -> FloatArray:
        """Return what each unit, removed or not, takes away from it to first order."""
        scaled, squares, parts = self.reference.scaled(null, 0) or 0.0, Squares(null), Parts.of(null)
        tau = squares.balance
        return self.side * parts.f + 0.5 * scaled * (tau * parts.x2 + parts.e2 / tau)
