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

The best c is that of `best_shift`.

*Better s.* The best s for a distribution of x, P = E xx', are s_i^2 = E (w_i - tau)^2 = a'P a, a = vec(Q_i) -
tau i, for which tau is where k = sum (1 + E (w_i - tau) / s_i) / 2. P is moved towards the eigenvectors of
the largest eigenvalues, (top + e - matrix)^-1, as in `envelope`, e falling. Units that are nearly the same,
as those of the next node of branch and bound, start from where these ended (`Start`).

Remote rows spoil Lam, which has to hold in all directions at once; here they count in their own direction.
The matrix has (d + 1)(d + 2) / 2 rows. Floating point: `margin`, `cross` and `slack` are taken off 1, as
are the rounding of the eigenvalue and of |b|^2, which is 1 - relative at least.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.leverage_bounds import best_shift, largest_eigenvalue, vectors

MOST_DIRECTIONS = 20
MOST_WORK = 5e7  # units times the square of the matrix's rows
SAMPLES, NEAR = 600, 0.15  # of y to begin with: this times a normal vector beside 1
NEWTONS = 5  # steps to tau: any tau proves it, and near the best one it hardly matters
LARGE, SMALL, FALL = 0.3, 2e-3, 0.75  # e, relative to the top: at first, at last, and from step to step
HOPE = 0.01  # of the distance to 1: a step that gains less is the last one
EARLY, AGAIN = 6, 2  # steps that may gain less, from the first start and from one of similar units
PATIENCE = 40  # steps
BACK = 6  # steps of e that a start from similar units takes back: with the last e it would overshoot


@dataclass(frozen=True, eq=False)
class Start:
    """Where a test begins: E xx', shape (r, r), and how many steps e has fallen."""

    moments: FloatArray
    fallen: int

    @property
    def resumed(self) -> Start:
        """The start for similar units."""
        return Start(self.moments, max(self.fallen - BACK, 0))


class Quartic:
    """The test for the units of one null fit."""

    def __init__(self, null: NullFit) -> None:
        self.null, d = null, null.d
        self.best: Start | None = None  # the one with the least excess
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

    def proves(self, k: int, start: Start | None = None) -> bool:
        """Tell whether it is proven that no k units, nor fewer, flip the conclusion.

        Parameters
        ----------
        k : int
            How many units may leave.
        start : Start, optional
            `best` of similar units.

        Returns
        -------
        bool
        """
        if not self.usable or not self.need > 0.0:
            return False
        known = start is not None and start.moments.shape == self.turn.shape
        now = start.resumed if start is not None and known else self._first()
        before = least = np.inf
        for step in range(PATIENCE):
            q, s, base = self._majorant(k, now.moments)
            matrix = (q / (4.0 * s[:, None])).T @ q
            if not np.isfinite(matrix).all():
                return False
            c, top = best_shift(matrix, self.identity)
            size = float(np.trace(matrix)) + abs(c) * len(matrix)
            excess = base + top - self.need + 16.0 * unit_rounding(len(q) + len(matrix)) * (size + base)
            if excess < 0.0:  # by the same eigenvalue, found in another way
                excess += largest_eigenvalue(matrix + c * self.turn) - top
            if excess < least:
                least, self.best = excess, now
            if excess < 0.0:
                return True
            if step > (AGAIN if known else EARLY) and not excess < (1.0 - HOPE) * before:
                return False
            before = excess
            near = max(LARGE * FALL**now.fallen, SMALL) * abs(top)
            # The inverse itself: its entries are the moments that the next search starts from.
            moved = np.linalg.inv((top + near) * np.eye(len(matrix)) - matrix - c * self.turn)
            moments = 0.5 * (now.moments + moved / float(self.identity @ moved @ self.identity))
            now = Start(moments, now.fallen + 1)
        return False

    def _first(self) -> Start:
        """Return E xx' of y near (1, 0)."""
        d = self.null.d
        y = np.column_stack([np.ones(SAMPLES), NEAR * np.random.default_rng(0).normal(size=(SAMPLES, d))])
        x = vectors(y / np.linalg.norm(y, axis=1)[:, None])
        return Start(x.T @ x / SAMPLES, 0)

    def _majorant(self, k: int, P: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """Return q and s of every unit, and k tau, the best for this P."""
        mean = self.forms @ (P @ self.identity)
        second = np.einsum("ij,ij->i", self.forms @ P, self.forms)
        low, high = 0.0, max(float(np.max(mean)), 0.0) + float(np.sqrt(np.max(second)))
        least = np.finfo(np.float64).eps * (float(np.max(second)) + np.finfo(np.float64).tiny)
        many = float(len(mean) - 2 * k)  # sum (mean - tau) / s falls with tau, and is -that at the best
        tau = 0.25 * high
        for _ in range(NEWTONS):
            away = mean - tau
            s = np.sqrt(np.maximum(second - tau * (mean + away), least))
            ratios = away / s
            excess = float(np.sum(ratios)) + many
            low, high = (tau, high) if excess > 0.0 else (low, tau)
            slope = float(np.sum((1.0 - ratios * ratios) / s))
            step = tau + excess / slope if slope > 0.0 else high
            tau = step if low < step < high else 0.5 * (low + high)
        s = np.sqrt(np.maximum(second - tau * (2.0 * mean - tau), least))
        return self.forms + (s - tau)[:, None] * self.identity, s, k * tau


def usable(null: NullFit) -> bool:
    """Tell whether the test is for such a null fit, and cheap enough."""
    rows = (null.d + 1) * (null.d + 2) / 2.0
    small = 2 <= null.d <= MOST_DIRECTIONS and float(np.count_nonzero(null.open)) * rows**2 <= MOST_WORK
    return null.concordance == 0.0 and null.margin < null.N0 and small
