"""The second test: a quadratic that lies above what any k units take away, for every place of the null fit.

**Statement.** Let b = g_T / t for some t > 0, g_T the nuisance without S, and D_i = t B_i + C_i / t. Adding g_T / t^2
times G(T, g_T) = 0 to N(T, g_T) (`null_fit` has both)

    N(T) = N0 + |b|^2 - sum_S (f_i - D_i'b + b'A_i b) - R,          |R| <= rho_c |b|^2,
    rho_c = t^2 c lambda(sum h |xi| gamma zz') + c gamma(c max|z| r) R3 r,    gamma(x) = (e^x - 1 - x) / x^2,

|g_T| <= r, since |sum_T xi rho| <= |g|^2 c lambda(...) and |sum_T (z'g) rho| <= c gamma R3 |g|^3. With lambda(A_S) <=
Lam and rho = Lam + rho_c, it suffices that for all b

    max over S of sum_S (f_i - D_i'b) < N0 + (1 - rho) |b|^2.

For any tau >= 0 and s_i > 0 the sum of the k largest v_i is at most k tau + sum (v_i - tau + s_i)^2 / (4 s_i), as
max(x, 0) <= (x + s)^2 / (4 s). With m = f - tau the test is then a quadratic in b, which is below 0 everywhere if

    M = (1 - rho) I - sum DD' / (4 s) > 0    and    k tau + sum (m + s)^2 / (4 s) - N0 + v'M^-1 v / 4 < 0,
    v = - sum (m + s) / (2 s) D.

Any t, tau and s prove it. Here t balances C and B, tau is the f of a rank near k, and s_i^2 = m_i^2 + |D_i|^2 sigma^2,
sigma by a search on a line: the units near rank k are bent over the width over which b moves them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize_scalar

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray

RANKS = (0.9, 1.0, 1.15)  # of k: where tau is
WIDTHS = (-1.5, 4.0)  # log of sigma, in units of the root of d
SEARCHED = 8  # widths tried for each tau


@dataclass(frozen=True, eq=False)
class Envelope:
    """The test for the units of one null fit, prepared for a k.

    Attributes
    ----------
    f : ndarray, shape (m,)
        What each unit takes to first order.
    D : ndarray, shape (m, d)
        t B + C / t.
    squares : ndarray, shape (m,)
        |D_i|^2 / d.
    """

    f: FloatArray
    D: FloatArray
    squares: FloatArray

    @classmethod
    def of(cls, f: FloatArray, B: FloatArray, C: FloatArray, t: float) -> Envelope:
        """Return the test of units with these f, B and C at balance t."""
        D = t * B + C / t
        return cls(f, D, np.einsum("ij,ij->i", D, D) / max(D.shape[1], 1))

    def proves(self, k: int, ordered: FloatArray, rho: float, need: float) -> bool:
        """Tell whether no k units take as much as `need` away; `ordered` are the f, largest first."""
        for rank in RANKS:
            place = min(max(round(rank * k), 1), len(ordered)) - 1
            tau = max(float(ordered[place]), 0.0)
            if self._with_tau(k, tau, rho, need):
                return True
        return False

    def _with_tau(self, k: int, tau: float, rho: float, need: float) -> bool:
        """Tell it for one tau."""
        m = self.f - tau

        def excess(log_width: float) -> float:
            return self._excess(k, tau, m, float(np.exp(log_width)), rho, need)

        found = minimize_scalar(excess, bounds=WIDTHS, method="bounded", options={"maxiter": SEARCHED})
        return bool(found.fun < 0.0)

    def _excess(self, k: int, tau: float, m: FloatArray, width: float, rho: float, need: float) -> float:
        """Return the quadratic at its highest place, rounded up: below 0 proves it."""
        d = self.D.shape[1]
        s = np.sqrt(m * m + self.squares * width**2)
        s = np.maximum(s, np.finfo(np.float64).tiny)
        above = np.maximum(m + s, 0.0)  # s >= |m|
        value = k * tau + float(np.sum(above * above / (4.0 * s)))
        scaled = self.D / (2.0 * np.sqrt(s))[:, None]
        bent = scaled.T @ scaled
        rounding = unit_rounding(len(m) + d)
        M = (1.0 - rho - rounding * (1.0 + float(np.trace(bent)))) * np.eye(d) - bent
        v = (above / (2.0 * s)) @ self.D
        try:
            solved = cho_solve(cho_factor(M, lower=True), v)
        except LinAlgError:
            return float("inf") if not np.isfinite(value) else abs(need) + value
        quarter = float(v @ solved) / 4.0
        return value + quarter - need + 16.0 * rounding * (value + quarter + abs(need))
