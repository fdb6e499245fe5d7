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

*Some units decided.* Of those sets that have units F, and none of E, the same bound with the forms of F as
they are, and without those of E: in

    (k - |F|) tau + largest eigenvalue of [sum over others of q_i q_i' / (4 s_i) + q_F + c (1 - ii')],

q_F = sum over F of (vec(Q_i) i' + i vec(Q_i)') / 2, tau, s and c are those that were best for all sets, so
that one factorisation tells.

*Better s.* The best s for a distribution of x, P = E xx', are s_i^2 = E (w_i - tau)^2 = a'P a, a = vec(Q_i) -
tau i, for which tau is where k = sum (1 + E (w_i - tau) / s_i) / 2. P is moved towards the eigenvectors of
the largest eigenvalues, (top + e - matrix)^-1, as in `envelope`, e falling. Units that are nearly the same,
as those of the next node of branch and bound, start from where these ended (`Start`); from near the best
place e is no more than what is missing, as a longer step overshoots.

Remote rows spoil Lam, which has to hold in all directions at once; here they count in their own direction.
The matrix has (d + 1)(d + 2) / 2 rows. Floating point: `margin`, `cross` and `slack` are taken off 1, as
are the rounding of the eigenvalue and of |b|^2, which is 1 - relative at least.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.leverage_bounds import best_shift, symmetric, vectors

MOST_DIRECTIONS = 20
MOST_WORK = 5e7  # units times the square of the matrix's rows
SAMPLES, NEAR = 600, 0.15  # of y to begin with: this times a normal vector beside 1
NEWTONS = 5  # steps to tau: any tau proves it, and near the best one it hardly matters
CLOSE = 0.002  # of k: by so much the units above tau may be more or fewer
LARGE, SMALL, FALL = 0.1, 2e-3, 0.5  # e, relative to the top: at first, at last, and from step to step
HOPE = 0.01  # of the distance to 1: a step that gains less is the last one
ELSEWHERE = 0.1  # of 1: a start that misses by more is of units that are not similar after all
NEAREST = 0.005  # of 1: a start from similar units that misses by less gains nothing by steps
EARLY, AGAIN = 6, 0  # steps that may gain less, from the first start and from one of similar units
PATIENCE = 40  # steps
BACK = 2  # steps of e that a start from similar units takes back: with the last e it would overshoot


@dataclass(frozen=True, eq=False)
class Start:
    """Where a test begins: E xx', shape (r, r), the c and tau with it, and how many steps e has fallen."""

    moments: FloatArray
    c: float
    tau: float | None
    fallen: int

    @property
    def resumed(self) -> Start:
        """The start for similar units."""
        return replace(self, fallen=max(self.fallen - BACK, 0))


@dataclass(frozen=True, eq=False)
class Bound:
    """Numbers for which the statement holds, and the matrix that they make, without c."""

    q: FloatArray  # q_i, shape (m, r)
    s: FloatArray
    tau: float
    c: float
    matrix: FloatArray  # shape (r, r)


class Quartic:
    """The test for the units of one null fit."""

    def __init__(self, null: NullFit) -> None:
        self.null, d = null, null.d
        self.excess = np.inf  # the least by which a proof was missed, of N0
        self.best: Start | None = None  # where that was
        self.bound: Bound | None = None  # that it has led to
        units, chosen = null.units, null.open
        B, C = null.turns[chosen], null.pulls[chosen]
        size = float(np.linalg.norm(B)), float(np.linalg.norm(C))
        self.usable = usable(null) and min(size) > 0.0
        if not self.usable:
            return
        t = float(np.sqrt(size[1] / size[0]))
        root = float(np.sqrt(null.N0))
        self.identity, self.turn = _turn(d + 1)
        self.forms = np.empty((len(B), len(self.identity)))
        self.forms[:, 0] = null.f[chosen] / null.N0
        self.forms[:, 1 : d + 1] = (t * B + C / t) * (-np.sqrt(0.5) / root)
        self.forms[:, d + 1 :] = units.sums(vectors(null.z) * null.h[:, None])[chosen]
        if null.folded:
            first, second, factors, _ = symmetric(d)
            penalty = null.penalty[first, second] * factors
            self.forms[:, d + 1 :] += units.sums(null.share)[chosen, None] * penalty
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
        now = start.resumed if start is not None and known else _first(self.null.d)
        self.excess = before = np.inf
        for step in range(PATIENCE):
            q, s, tau = self._majorant(k, now.moments, now.tau)
            rooted = q * (0.5 / np.sqrt(s))[:, None]
            matrix = rooted.T @ rooted
            if not np.isfinite(matrix).all():
                return False
            c, excess, top = now.c, -np.inf, 0.0
            if step or not known or not self._excluded(k, Bound(q, s, tau, c, matrix)):
                c, top = best_shift(matrix, self.identity)
                excess = k * tau + top - self.need
            if excess < self.excess:
                self.excess, self.best = excess, Start(now.moments, c, tau, now.fallen)
                self.bound = Bound(q, s, tau, c, matrix)
                if excess < 0.0 and self._excluded(k, self.bound):
                    return True
            if known and not step and excess > ELSEWHERE:
                now, known = _first(self.null.d), False
                continue
            if step > (AGAIN if known else EARLY) and not excess < (1.0 - HOPE) * before:
                return False
            before = excess
            near = max(LARGE * FALL**now.fallen, SMALL) * abs(top)
            if known:  # from near the best place, a step that is longer than what is missing overshoots
                if excess < NEAREST:
                    return False
                near = min(near, max(excess, SMALL * abs(top)))
            # The inverse itself: its entries are the moments that the next search starts from.
            moved = _inverse(matrix + c * self.turn, top + near)
            moments = 0.5 * (now.moments + moved / float(self.identity @ moved @ self.identity))
            now = Start(moments, c, tau, now.fallen + 1)
        return False

    def _excluded(self, k: int, bound: Bound) -> bool:
        """Tell whether these numbers prove it."""
        matrix = bound.matrix
        size = float(np.trace(matrix)) + (abs(bound.c) + 1.0) * len(matrix) + k * bound.tau
        rounding = 16.0 * unit_rounding(len(bound.q) + len(matrix)) * size
        return _below(matrix + bound.c * self.turn, self.need - k * bound.tau - rounding)

    def decided(self, k: int, units: NDArray[np.intp]) -> tuple[list[bool], bool]:
        """Tell which part of the sets is proven where the units are decided one after the other.

        Parameters
        ----------
        k : int
            How many units may leave.
        units : ndarray of int
            Some of the units that may, by position among these.

        Returns
        -------
        list of bool
            For each unit whether no set flips that has it and none of those before it.
        bool
            Whether no set flips that has none of them. Units after those that are enough for this, and after
            one of which nothing is proven, are left out.
        """
        found, bound = list[bool](), self.bound
        if bound is None:
            return found, False
        matrix = bound.matrix + bound.c * self.turn
        size = float(np.trace(bound.matrix)) + (abs(bound.c) + 1.0) * len(matrix) + k * bound.tau
        rounding = 32.0 * unit_rounding(len(bound.q) + len(matrix))
        for unit in units.tolist():
            q, form = bound.q[unit], self.forms[unit]
            matrix = matrix - np.outer(q / (4.0 * bound.s[unit]), q)
            half = np.outer(0.5 * form, self.identity)
            larger = size + 2.0 * float(np.abs(form).sum())
            below = self.need - (k - 1) * bound.tau - rounding * larger
            found.append(_below(matrix + half + half.T, below))
            if _below(matrix, self.need - k * bound.tau - rounding * size):
                return found, True
            if not found[-1]:  # for these sets, and for those without the unit, other numbers do better
                break
        return found, False

    def _majorant(self, k: int, P: FloatArray, near: float | None) -> tuple[FloatArray, FloatArray, float]:
        """Return q and s of every unit, and tau, about the best for this P; it is looked for from `near`."""
        mean = self.forms @ (P @ self.identity)
        second = np.einsum("ij,ij->i", self.forms @ P, self.forms)
        highest = float(second.max())
        low, high = 0.0, max(float(mean.max()), 0.0) + float(np.sqrt(highest))
        least = np.finfo(np.float64).eps * (highest + np.finfo(np.float64).tiny)
        many = float(len(mean) - 2 * k)  # sum (mean - tau) / s falls with tau, and is -that at the best
        tau = 0.25 * high if near is None or not low < near < high else near
        for _ in range(NEWTONS):
            away = mean - tau
            s = np.sqrt(np.maximum(second - tau * (mean + away), least))
            ratios = away / s
            excess = float(ratios.sum()) + many
            if abs(excess) < CLOSE * k:
                break
            low, high = (tau, high) if excess > 0.0 else (low, tau)
            slope = float(((1.0 - ratios * ratios) / s).sum())
            step = tau + excess / slope if slope > 0.0 else high
            tau = step if low < step < high else 0.5 * (low + high)
        s = np.sqrt(np.maximum(second - tau * (2.0 * mean - tau), least))
        return self.forms + (s - tau)[:, None] * self.identity, s, tau


def usable(null: NullFit) -> bool:
    """Tell whether the test is for such a null fit, and cheap enough."""
    rows = (null.d + 1) * (null.d + 2) / 2.0
    small = 2 <= null.d <= MOST_DIRECTIONS and float(np.count_nonzero(null.open)) * rows**2 <= MOST_WORK
    return null.concordance == 0.0 and null.margin < null.N0 and small


@lru_cache(maxsize=64)
def _first(d: int) -> Start:
    """Return E xx' of y near (1, 0)."""
    y = np.column_stack([np.ones(SAMPLES), NEAR * np.random.default_rng(0).normal(size=(SAMPLES, d))])
    x = vectors(y / np.linalg.norm(y, axis=1)[:, None])
    return Start(x.T @ x / SAMPLES, 0.0, None, 0)


@lru_cache(maxsize=64)
def _turn(d: int) -> tuple[FloatArray, FloatArray]:
    """Return i of symmetric matrices with d rows, and 1 - ii'."""
    identity = symmetric(d)[3]
    return identity, np.eye(len(identity)) - np.outer(identity, identity)


@lru_cache(maxsize=64)
def _below_diagonal(rows: int) -> NDArray[np.bool_]:
    """Return where a matrix has its lower triangle."""
    return np.tri(rows, dtype=np.bool_)


def _inverse(matrix: FloatArray, top: float) -> FloatArray:
    """Return the inverse of a number above all eigenvalues less a symmetric matrix."""
    lower = dpotri(_factor(matrix, top)[0], lower=1, overwrite_c=1)[0]
    return np.asarray(np.where(_below_diagonal(len(lower)), lower, lower.T))


def _below(matrix: FloatArray, top: float) -> bool:
    """Tell whether all eigenvalues of a symmetric matrix are below a number."""
    factor, failed = _factor(matrix, top)
    return bool(failed == 0 and factor[-1, -1] > 0.0)  # which is nan if anything is


def _factor(matrix: FloatArray, top: float) -> tuple[FloatArray, int]:
    """Return the lower Cholesky factor of a number less a symmetric matrix, and where it failed, 0 if not."""
    shifted = -matrix
    shifted.ravel()[:: len(matrix) + 1] += top
    factor, failed = dpotrf(shifted.T, lower=1, clean=0, overwrite_a=1)
    return factor, int(failed)
