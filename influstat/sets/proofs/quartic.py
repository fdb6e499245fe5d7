"""The quartic envelope, squared error: each unit's own leverage counts in the direction in question alone.

**Statement.** As in `envelope`, with b = g_T / t and D_i = t B_i + C_i / t, squared error has exactly

    N(T) = N0 + |b|^2 - sum_S (f_i - D_i'b + b'A_i b).

There A_i is bounded by Lam, whatever b; here it stays. With b = N0^1/2 beta and y = (1, beta), all of this
is N0 times a quadratic form in y, so that no S of at most k units flips the conclusion if

    the k largest y'Q_i y add up to less than 1 for every |y| = 1,    Q_i = (f_i, -D_i / 2 | . , A_i) scaled.

For any tau >= 0 and s_i > 0 the k largest w_i add up to at most k tau + sum (w_i - tau + s_i)^2 / (4 s_i).
Let x = vec(yy'), i = vec(I): i'x = |y|^2 = 1 and |x| = 1, so that w_i - tau + s_i = q_i'x with q_i = vec(Q_i)
+ (s_i - tau) i, and for every number c

    the sum is at most   k tau + largest eigenvalue of [sum q_i q_i' / (4 s_i) + c (1 - ii')].

*Better s.* The best s for a distribution of x, P = E xx', are s_i^2 = E (w_i - tau)^2 = a'P a, a = vec(Q_i) -
tau i, for which tau is where k = sum (1 + E (w_i - tau) / s_i) / 2. P is moved towards the eigenvectors of
the largest eigenvalues, (top + e - matrix)^-1, as in `envelope`, e falling.

Remote rows spoil Lam, which has to hold in all directions at once; here they count in their own direction.
The matrix has (d + 1)(d + 2) / 2 rows. Floating point: `margin`, `cross` and `slack` are taken off 1, as
are the rounding of the eigenvalue and of |b|^2, which is 1 - relative at least.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import minimize_scalar

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.leverage_bounds import largest_eigenvalue, vectors

MOST_DIRECTIONS = 20
MOST_WORK = 5e7  # units times the square of the matrix's rows
SAMPLES, NEAR = 600, 0.15  # of y to begin with: this times a normal vector beside 1
HALVINGS = 16  # of where tau is: any tau proves it, and near the best one it hardly matters
FIRST, LATER = 15, 4  # trials of c
WIDTH = 0.3  # of where c is looked for again
LARGE, SMALL, FALL = 0.3, 2e-3, 0.75  # e, relative to the top: at first, at last, and from step to step
HOPE = 0.01  # of the distance to 1: a step that gains less is the last one
EARLY = 6  # steps that may gain less
PATIENCE = 40  # steps


class Quartic:
    """The test for the units of one null fit."""

    def __init__(self, null: NullFit) -> None:
        self.null, d = null, null.d
        units, chosen = null.units, null.open
        size = float(np.linalg.norm(null.B[chosen])), float(np.linalg.norm(null.C[chosen]))
        self.usable = usable(null) and min(size) > 0.0
        if not self.usable:
            return
        t = float(np.sqrt(size[1] / size[0]))
        D = t * null.B[chosen] + null.C[chosen] / t
        A = units.sums(vectors(null.z) * null.h[:, None])[chosen]
        if null.folded:
            first, second = np.triu_indices(d)
            penalty = null.penalty[first, second] * np.where(first == second, 1.0, np.sqrt(2.0))
            A = A + units.sums(null.share)[chosen, None] * penalty
        root = float(np.sqrt(null.N0))
        self.forms = np.column_stack([null.f[chosen], -D * (root / np.sqrt(2.0)), A * null.N0]) / null.N0
        first, second = np.triu_indices(d + 1)
        self.identity = np.where(first == second, 1.0, 0.0)
        self.turn = np.eye(len(first)) - np.outer(self.identity, self.identity)
        noise = null.margin / null.N0 + (null.cross * t + null.slack / t) / root
        self.need = 1.0 - noise - 2.0 * null.relative

    def proves(self, k: int, steps: int = PATIENCE) -> bool:
        """Tell whether it is proven that no k units, nor fewer, flip the conclusion."""
        if not self.usable or not self.need > 0.0:
            return False
        P, c, before = self._start(), 0.0, np.inf
        for step in range(steps):
            q, s, base = self._majorant(k, P)
            matrix = (q / (4.0 * s[:, None])).T @ q
            c, top = self._shifted(matrix, c, first=step == 0)
            size = float(np.trace(matrix)) + abs(c) * len(matrix)
            excess = base + top + 16.0 * unit_rounding(len(q) + len(matrix)) * (size + base) - self.need
            if excess < 0.0:
                return True
            if step > EARLY and not excess < (1.0 - HOPE) * before:
                return False
            before = excess
            values, axes = eigh(matrix + c * self.turn, check_finite=False)
            near = max(LARGE * FALL**step, SMALL) * abs(values[-1])
            moved = (axes / (values[-1] + near - values)) @ axes.T
            P = 0.5 * P + 0.5 * moved / float(self.identity @ moved @ self.identity)
        return False

    def _start(self) -> FloatArray:
        """Return E xx' of y near (1, 0)."""
        d = self.null.d
        y = np.column_stack([np.ones(SAMPLES), NEAR * np.random.default_rng(0).normal(size=(SAMPLES, d))])
        x = vectors(y / np.linalg.norm(y, axis=1)[:, None])
        return np.asarray(x.T @ x / SAMPLES)

    def _majorant(self, k: int, P: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """Return q and s of every unit, and k tau, the best for this P."""
        mean = self.forms @ (P @ self.identity)
        second = np.einsum("ij,ij->i", self.forms @ P, self.forms)
        low, high = 0.0, max(float(np.max(mean)), 0.0) + float(np.sqrt(np.max(second)))
        least = np.finfo(np.float64).eps * (float(np.max(second)) + np.finfo(np.float64).tiny)
        for _ in range(HALVINGS):
            tau = 0.5 * (low + high)
            s = np.sqrt(np.maximum(second - 2.0 * tau * mean + tau * tau, least))
            low, high = (tau, high) if k < 0.5 * float(np.sum(1.0 + (mean - tau) / s)) else (low, tau)
        return self.forms + (s - tau)[:, None] * self.identity, s, k * tau

    def _shifted(self, matrix: FloatArray, c: float, *, first: bool) -> tuple[float, float]:
        """Return c, and the largest eigenvalue with it, both about the best."""
        size = float(np.trace(matrix)) if first else WIDTH * max(abs(c), 0.1)
        found = minimize_scalar(
            lambda c: largest_eigenvalue(matrix + c * self.turn),
            bounds=(c - size, c + size), method="bounded", options={"maxiter": FIRST if first else LATER},
        )  # fmt: skip
        return float(found.x), float(found.fun)


def usable(null: NullFit) -> bool:
    """Tell whether the test is for such a null fit, and cheap enough."""
    rows = (null.d + 1) * (null.d + 2) / 2.0
    small = 2 <= null.d <= MOST_DIRECTIONS and float(np.count_nonzero(null.open)) * rows**2 <= MOST_WORK
    return null.concordance == 0.0 and null.margin < null.N0 and small
