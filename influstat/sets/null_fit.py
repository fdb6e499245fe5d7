"""The fit under the null: what each unit of rows holds of a conclusion {a'theta > at}, to second order.

**Setting** (sum scale). Units are rows or clusters; S is removed, T is kept. W is the total weight, s = 1
where rows take their share of the penalty P along (folded), 0 where it stays whole (fixed); P is quadratic.

    F_T(t) = sum_{i in T} w_i l(y_i, x_i't + o_i) + pi_T P(t),       pi_T = 1 - s w(S) / W.

**Score at the null.** Let F_T be convex with a minimiser theta_T. phi(q) = min {F_T(t): a't = q} is convex
in q and minimal at a'theta_T, so a'theta_T > at exactly where the slope of phi at `at` is negative. Any t is

    t = t0 + (q - at) u + V'g,     a'u = 1,  V a = 0,  V S0 V' = I,  V S0 u = 0,

t0 the minimiser of F with all rows under a't = at, S0 its Hessian there. With xi_i = x_i'u, z_i = V x_i,
r_i = -w_i l1_i and h_i = w_i l2_i at t0, K the Hessian of P and g_P its gradient at t0, per row

    f_i = xi_i r_i - s (w_i / W) u'g_P             N0 = sum of xi_i r_i - u'g_P
    C_i = z_i r_i - s (w_i / W) V g_P              B_i = h_i xi_i z_i + s (w_i / W) V K u

and per cluster their sums. Minus the slope at `at`, given the nuisance g, is N(T, g), and the score of the
nuisance is G(T, g). As V S0 u = 0 and G(all, 0) = 0, sums over T are those over all less those over S:

    N(T, g) = N0 - f_S + B_S'g - sum_T xi_i rho_i           G(T, g) = C_S + (I - A_S) g + sum_T z_i rho_i
    A_S = sum_S [h_i z_i z_i' + s (w_i / W) V K V']
    |rho_i| <= h_i (e^(c|d|) - 1 - c|d|) / c,   d = z_i'g

(rho = 0 for squared error; c = `loss.self_concordance`, since |l3| <= c l2 bounds how l2 grows along eta).
**The conclusion stands without S exactly where N(T) = N(T, g_T) > 0, G(T, g_T) = 0.** For squared error

    N(T) = N0 - f_S - B_S'(I - A_S)^-1 C_S.

f is what N loses to first order; with one regressor and no nuisance there is nothing else, and sorting f is
exact.

**Floating point.** f_S is off by at most `margin`: the rounding of sums, of r (that of eta included) and of
xi, added up over all rows. The null fit's own gradient |V grad F(t0)| and the rounding of C are in `slack`;
what is left of V S0 u, and of V a, is in `cross` and acts like a B that is never removed. Lengths of z are
off by the relative amount `relative` (`Anchor.relative`: columns are scaled first). Comparisons leave room.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influstat.algebra.rounding import EPSILON, unit_rounding
from influstat.errors import NotConverged
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.losses.base import target_sizes
from influstat.risks.chart import Chart
from influstat.risks.linear import LinearRisk
from influstat.sets.constrained import Constrained, constrained, everywhere
from influstat.sets.lengths import Mask, largest_leverages, square_lengths


@dataclass(frozen=True, eq=False)
class Problem:
    """The conclusion a'theta > at of a fit, and the units that may leave.

    Attributes
    ----------
    risk : LinearRisk
        The risk, in coordinates in which its Hessian is regular (`Minimum.regular`).
    theta : ndarray, shape (p,)
        Its minimiser.
    a : ndarray, shape (p,)
        The conclusion's direction, turned so that a'theta > at.
    at : float
        The threshold, turned likewise.
    units : Groups
        Which rows leave together; a unit without weight changes nothing and is never counted.
    chart : Chart, optional
        How the risk's coordinates are those of the fit; None where they are the same.
    """

    risk: LinearRisk
    theta: FloatArray
    a: FloatArray
    at: float
    units: Groups
    chart: Chart | None = None


@dataclass(frozen=True, eq=False)
class NullFit:
    """The fit of the rows that are still there under a't = at: arrays over n rows, and over m units.

    Attributes
    ----------
    problem : Problem
        What is asked.
    kept : ndarray of bool, shape (n,)
        Which rows are there: those of units that are not removed.
    open : ndarray of bool, shape (m,)
        Which units may leave (further): of weight above 0, not removed, not held. All others have 0 in every
        array over units.
    theta, u : ndarray, shape (p,)
        t0 and u, in the coordinates of the risk.
    basis : ndarray, shape (d, p)
        V: d = p - 1 nuisance directions, whitened.
    xi, r, h : ndarray, shape (n,)
        As in the module's docstring; 0 for r and h of rows that are not there.
    z : ndarray, shape (n, d)
        Whitened rows z_i.
    wide : ndarray, shape (n, D)
        The same; of a null fit in some of its directions, those in all (`factor`).
    share : ndarray, shape (n,)
        s w_i / W, the part of the penalty that leaves with a row.
    f, lev, r2h, x2 : ndarray, shape (m,)
        f; the largest eigenvalue of the unit's A, rounded up; sum of r^2 / h and of h xi^2.
    C, B : ndarray, shape (m, d)
        Per unit.
    penalty : ndarray, shape (d, d)
        V K V' of the penalty that is there.
    lost : int
        How many columns have no row of weight that is there, so that no coefficient is estimated for them.
    N0 : float
        N with all rows that are there: above 0 where the conclusion holds.
    concordance : float
        c; 0 for squared error, so that all remainders vanish.
    margin, slack, cross, relative : float
        Floating point, as in the module's docstring.
    """

    problem: Problem
    kept: Mask
    open: Mask
    theta: FloatArray
    u: FloatArray
    basis: FloatArray
    xi: FloatArray
    z: FloatArray
    wide: FloatArray
    r: FloatArray
    h: FloatArray
    share: FloatArray
    f: FloatArray
    C: FloatArray
    B: FloatArray
    lev: FloatArray
    r2h: FloatArray
    x2: FloatArray
    penalty: FloatArray
    lost: int
    N0: float
    concordance: float
    margin: float
    slack: float
    cross: float
    relative: float

    @property
    def units(self) -> Groups:
        """Which rows leave together."""
        return self.problem.units

    @property
    def d(self) -> int:
        """How many nuisance directions there are."""
        return int(self.z.shape[1])

    @property
    def stiffness(self) -> float:
        """u'S0 u, by how much the slope along the constrained minima grows; 1 / (a'S0^-1 a)."""
        image = self.problem.risk.penalty.hessian(self.theta).dot(self.u)
        return float(self.h @ self.xi**2) + float(self.u @ image)

    def of_open(self, values: FloatArray) -> FloatArray:
        """Return what has one entry per unit for those that may leave alone: itself where all may."""
        return values if self.open.all() else values[self.open]

    @property
    def folded(self) -> bool:
        """Whether part of the penalty leaves with the rows."""
        return bool(self.share.any() and self.penalty.any())


def null_fit(
    problem: Problem,
    *,
    removed: Mask | None = None,
    held: Mask | None = None,
    start: FloatArray | None = None,
) -> NullFit:
    """Return the fit under the null without the removed units, of which the held ones may not leave.

    Parameters
    ----------
    problem : Problem
        What is asked.
    removed, held : ndarray of bool, shape (m,), optional
        Units that are gone, and units that stay for good; none when left out.
    start : ndarray, shape (p,), optional
        t0 of a similar problem, from where Newton's method starts.

    Returns
    -------
    NullFit

    Raises
    ------
    SingularHessian
        The rows left do not determine a nuisance direction.
    NoMinimiser, NotConverged, IndefiniteHessian
        There is no finite fit under the null.
    """
    m = len(problem.units)
    gone = np.zeros(m, dtype=np.bool_) if removed is None else removed
    stays = np.zeros(m, dtype=np.bool_) if held is None else held
    kept = np.ones(len(problem.risk.y), dtype=np.bool_)
    kept[problem.units.take(gone).members] = False
    risk = problem.risk if kept.all() else problem.risk.reweighted(np.where(kept, problem.risk.weights, 0.0))
    weighted = problem.units.sums(risk.weights) > 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # a threshold too far out
        found = constrained(risk, problem.a, problem.at, problem.theta if start is None else start)
        null = _Work(problem, risk, kept, weighted & ~gone & ~stays, found).filled()
    if not np.isfinite([null.N0, null.margin, null.slack, null.cross]).all():
        raise NotConverged("The fit under the null is beyond float64: choose a threshold nearer by.")
    return null


def around(null: NullFit, theta: FloatArray) -> NullFit:
    """Return what the units hold at the fit of the same rows itself: d = p, and f, B and N0 are 0.

    Returns
    -------
    NullFit

    Raises
    ------
    SingularHessian
        The rows do not determine a direction.
    """
    risk = null.problem.risk.reweighted(np.where(null.kept, null.problem.risk.weights, 0.0))
    return _Work(null.problem, risk, null.kept, null.open, everywhere(risk, theta)).filled()


class _Work:
    """The making of one null fit."""

    def __init__(
        self, problem: Problem, risk: LinearRisk, kept: Mask, free: Mask, found: Constrained
    ) -> None:
        self.problem, self.risk, self.kept, self.free, self.found = problem, risk, kept, free, found
        members = problem.units.members
        self.in_order = len(members) == len(kept) and bool((members == np.arange(len(kept))).all())
        self.all_free = bool(free.all())

    def filled(self) -> NullFit:
        """Return it."""
        risk, design = self.risk, self.risk.design
        theta, u, basis, relative = self.found.theta, self.found.u, self.found.basis, self.found.relative
        (n, p), h, xi = risk.shape, self.found.h, self.found.xi
        z = design.dot(np.ascontiguousarray(basis.T))
        r = -risk.rows.weighted(risk.slopes(theta))
        share = risk.protocol.carried(risk.total_weight) * risk.weights
        slope, hessian = risk.penalty.gradient(theta), risk.penalty.hessian(theta)
        image, inner = hessian.dot(u), basis @ hessian.dot(basis.T)
        f, hxi = xi * r, h * xi
        C, B, x2 = z * r[:, None], z * hxi[:, None], hxi * xi
        sizes = np.abs(f)
        if share.any():
            f -= share * float(u @ slope)
            C -= share[:, None] * (basis @ slope)
            B += share[:, None] * (basis @ image)
            sizes += share * abs(float(u @ slope))
        r2h = np.zeros(n)
        with np.errstate(divide="ignore", over="ignore"):
            np.divide(r * r, h, out=r2h, where=r != 0.0)
        spread, noise = self._noise(r, h)
        squares = square_lengths(z)
        long = np.sqrt(squares)
        lev = largest_leverages(self.problem.units, self.free, z, h, squares)
        if share.any() and len(basis):
            lev = lev + self._sums(share) * float(np.linalg.eigvalsh(inner)[-1])
        N0 = float(xi @ r - u @ slope)
        stiffness = float(np.sum(x2) + u @ image)
        return NullFit(
            self.problem, self.kept, self.free, theta, u, basis, xi, z, z, r, h, share,
            f=self._sums(f), C=self._sums(C), B=self._sums(B),
            lev=lev * (1.0 + relative), r2h=self._sums(r2h), x2=self._sums(x2), penalty=inner,
            lost=p - len(basis) - bool(u.any()),
            N0=N0,
            concordance=risk.loss.self_concordance,
            margin=float(
                unit_rounding(n + p) * np.sum(sizes)
                + np.abs(xi) @ noise + unit_rounding(p) * float(np.abs(r) @ spread)
                + unit_rounding(p) * float(np.abs(u) @ np.abs(slope))
            ),
            slack=float(
                np.linalg.norm(basis @ (risk.gradient(theta) * risk.total_weight))
                + long @ noise + unit_rounding(n + p) * float(long @ np.abs(r))
            ),
            cross=float(
                np.linalg.norm(self.found.left)
                + stiffness * np.linalg.norm(basis @ self.problem.a)
                + unit_rounding(n + p) * float(np.abs(hxi) @ long)
            ),
            relative=relative,
        )  # fmt: skip

    def _noise(self, r: FloatArray, h: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return |x_i|'|u|, and what rounding can do to each r_i, that of eta included, shape (n,) each."""
        risk, found = self.risk, self.found
        both = risk.design.absolute_dot(np.abs(np.column_stack([found.u, found.theta])))
        as_eta, as_slope = target_sizes(risk.loss, risk.y)
        size = both[:, 1] + as_eta
        if risk.offset.any():
            size += np.abs(risk.offset)
        size *= h
        size *= unit_rounding(risk.shape[1])
        size += 64.0 * EPSILON * (np.abs(r) + risk.weights * as_slope)
        return both[:, 0], size

    def _sums(self, rows: FloatArray) -> FloatArray:
        """Return the sum over each unit that may leave, 0 for the others; shape (m, ...)."""
        units = self.problem.units
        sums = units.sums(rows) if not units.single else rows if self.in_order else rows[units.members]
        if not self.all_free:
            sums = np.where(self.free if sums.ndim == 1 else self.free[:, None], sums, 0.0)
        return sums
