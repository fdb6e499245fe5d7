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
What rounding does to eta_i is a part of |x_i|'|t0| and of the target, and to xi_i one of |x_i|'|u|. Sums of
these over the rows are bounded by Cauchy and Schwarz, by lengths of columns that are known:

    sum h |xi| |x|'|t0| <= (l2 sum h xi^2)^1/2 sum_j |t0_j| (sum w x_j^2)^1/2,    l2 the largest of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from influstat.algebra.rounding import EPSILON, unit_rounding
from influstat.errors import NotConverged
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.losses.base import constant_second, target_sizes
from influstat.risks.chart import Chart
from influstat.risks.linear import LinearRisk
from influstat.sets.constrained import Constrained, constrained, everywhere, hessian_of
from influstat.sets.lengths import Mask
from influstat.sets.lessened import lessened
from influstat.sets.whitened import Owned, Whitened


@dataclass(frozen=True, eq=False)
class Problem:
    """The conclusion a'theta > at of a fit, and the units that may leave."""

    risk: LinearRisk  # in coordinates in which its Hessian is regular (`Minimum.regular`)
    theta: FloatArray  # its minimiser, shape (p,)
    a: FloatArray  # the conclusion's direction, turned so that a'theta > at, shape (p,)
    at: float  # the threshold, turned likewise
    units: Groups  # which rows leave together; one without weight changes nothing and is never counted
    chart: Chart | None = (
        None  # how the risk's coordinates are those of the fit; None where they are the same
    )

    @cached_property
    def lengths(self) -> tuple[FloatArray, float, FloatArray | None]:
        """What rounding is relative to: (sum w x^2)^1/2 of the columns, that of targets, w times slopes."""
        risk = self.risk
        w, flat, (as_eta, as_slope) = (
            risk.weights,
            constant_second(risk.loss),
            target_sizes(risk.loss, risk.y),
        )
        if flat and risk.quadratic:  # whose Hessian is known
            squares = hessian_of(risk, self.theta).diagonal() / flat
        else:
            squares = risk.design.square_sums(w)
        targets = sum(np.sqrt(np.einsum("i,i,i", w, size, size)) for size in (as_eta, risk.offset))
        return np.sqrt(squares), float(targets), w * as_slope if as_slope.any() else None


@dataclass(frozen=True, eq=False)
class NullFit:
    """The fit of the rows that are still there under a't = at: arrays over n rows, and over m units."""

    problem: Problem  # what is asked
    kept: Mask  # which rows are there: those of units that are not removed, shape (n,)
    # Which units may leave (further), shape (m,): of weight above 0, not removed, not held. All others have 0
    # in every array over units.
    open: Mask
    theta: FloatArray  # t0, in the coordinates of the risk, shape (p,)
    u: FloatArray  # shape (p,)
    basis: FloatArray  # V: d = p - 1 nuisance directions, whitened, shape (d, p)
    xi: FloatArray  # shape (n,)
    whitened: Whitened  # z_i, C and B, found when they are first asked for
    whole: Whitened  # those in all directions, also of a null fit in some of them (`factor`)
    r: FloatArray  # shape (n,); 0 for rows that are not there
    h: FloatArray  # likewise
    share: FloatArray  # s w_i / W, the part of the penalty that leaves with a row, shape (n,)
    f: FloatArray  # shape (m,)
    lev: FloatArray  # the largest eigenvalue of the unit's A, rounded up, shape (m,)
    x2: FloatArray  # sum of h xi^2, shape (m,)
    penalty: FloatArray  # V K V' of the penalty that is there, shape (d, d)
    lost: int  # columns that no row of weight that is there has, so that no coefficient is estimated for them
    N0: float  # N with all rows that are there: above 0 where the conclusion holds
    stiffness: float  # u'S0 u, by how much the slope along the constrained minima grows; 1 / (a'S0^-1 a)
    concordance: float  # c; 0 for squared error, so that all remainders vanish
    margin: float  # this and the rest: floating point, as in the module's docstring
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
        return len(self.basis)

    @property
    def z(self) -> FloatArray:
        """Whitened rows z_i, shape (n, d)."""
        return self.whitened.z

    @property
    def wide(self) -> FloatArray:
        """The same in all directions, shape (n, D)."""
        return self.whole.z

    @property
    def pulls(self) -> FloatArray:
        """C of the units, shape (m, d)."""
        return self.whitened.pulls

    @property
    def turns(self) -> FloatArray:
        """B of the units, shape (m, d)."""
        return self.whitened.turns

    @property
    def r2h(self) -> FloatArray:
        """Sums of r^2 / h over the units, shape (m,)."""
        return self.whitened.r2h

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
    before: NullFit | None = None,
) -> NullFit:
    """Return the fit under the null without the removed units, of which the held ones may not leave.

    Parameters
    ----------
    problem : Problem
        What is asked.
    removed, held : ndarray of bool, shape (m,), optional
        Units that are gone, and units that stay for good; none when left out.
    before : NullFit, optional
        The one with some of these units still there, from which this one is found.

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
    units, risk = problem.units, problem.risk
    kept = np.ones(len(risk.y), dtype=np.bool_)
    if removed is not None and removed.any():
        kept[units.members[removed] if units.single else units.take(removed).members] = False
        risk = risk.reweighted(np.where(kept, risk.weights, 0.0))
    free = units.sums(risk.weights) > 0.0
    for away in (removed, held):
        if away is not None:
            free &= ~away
    owned = Owned.of(units, free)
    with np.errstate(over="ignore", invalid="ignore"):  # a threshold too far out
        found = None if before is None else _without_one(before, risk, kept)
        if found is None:
            near = problem.theta if before is None else before.theta
            found = constrained(risk, problem.a, problem.at, near)
        null = _filled(problem, risk, kept, owned, found)
    if not np.isfinite([null.N0, null.margin, null.slack, null.cross]).all():
        raise NotConverged("The fit under the null is beyond float64: choose a threshold nearer by.")
    return null


def _without_one(before: NullFit, risk: LinearRisk, kept: Mask) -> Constrained | None:
    """Return the minimum for the kept rows of squared error, if they are all but one; None where not."""
    gone, problem = np.flatnonzero(before.kept & ~kept), before.problem
    if len(gone) != 1 or not (risk.quadratic and before.units.single):
        return None
    known = Constrained(
        before.theta, before.u, before.basis, before.h, before.xi, np.zeros(before.d), before.relative
    )
    return lessened(risk, problem.a, problem.at, known, before.whitened, before.penalty, int(gone[0]))


def around(null: NullFit, theta: FloatArray) -> NullFit:
    """Return what the units hold at the fit of the same rows itself: d = p, and f, B and N0 are 0."""
    risk = null.problem.risk.reweighted(np.where(null.kept, null.problem.risk.weights, 0.0))
    owned = Owned.of(null.units, null.open)
    return _filled(null.problem, risk, null.kept, owned, everywhere(risk, theta))


def _filled(problem: Problem, risk: LinearRisk, kept: Mask, owned: Owned, found: Constrained) -> NullFit:
    """Return the null fit around this constrained minimum."""
    theta, u, basis, relative = found.theta, found.u, found.basis, found.relative
    (n, p), h, xi = risk.shape, found.h, found.xi
    slopes, flat = risk.slopes(theta), constant_second(risk.loss)
    r = -risk.rows.weighted(slopes)
    carried = risk.protocol.carried(risk.total_weight)
    share = carried * risk.weights if carried else np.zeros(n)
    slope, hessian = risk.penalty.gradient(theta), risk.penalty.hessian(theta)
    image, inner = hessian.dot(u), basis @ hessian.dot(basis.T)
    f, x2, pull = xi * r, h * xi, float(u @ slope)
    D0 = float(x2 @ xi)
    x2 *= xi
    if carried:
        f -= share * pull
    whitened = Whitened(risk.design, basis, owned, r, h, xi, share, basis @ slope, basis @ image)
    squares = whitened.squares()
    lev, reach, long = whitened.largest(squares), float(h @ squares), np.sqrt(squares)
    if carried and len(basis):
        lev += owned.sums(share) * float(np.linalg.eigvalsh(inner)[-1])
    lev *= 1.0 + relative
    columns, targets, own = problem.lengths
    size = np.abs(r) if own is None else np.abs(r) + np.where(kept, own, 0.0)
    pulled = float(np.abs(xi) @ size)
    bend = flat or float(np.max(risk.curvatures(theta)[risk.weights > 0.0]))
    noise = unit_rounding(p) * np.sqrt(bend) * (float(np.abs(theta) @ columns) + targets)
    energy = -float(r @ slopes) if flat else float(np.sum(risk.rows.weighted(slopes * slopes)))
    turned = float(np.sqrt(energy) * (np.abs(u) @ columns))
    rounding = unit_rounding(n + p) + 64.0 * EPSILON
    return NullFit(
        problem, kept, owned.free, theta, u, basis, xi, whitened, whitened, r, h, share,
        f=owned.sums(f), lev=lev, x2=owned.sums(x2), penalty=inner,
        lost=p - len(basis) - bool(u.any()),
        N0=float(xi @ r) - pull, stiffness=D0 + float(u @ image),
        concordance=risk.loss.self_concordance,
        margin=float(
            rounding * (pulled + (abs(pull) if carried else 0.0)) + noise * np.sqrt(D0)
            + unit_rounding(p) * (turned + float(np.abs(u) @ np.abs(slope)))
        ),
        slack=float(
            np.linalg.norm(basis @ (risk.gradient(theta) * risk.total_weight))
            + rounding * float(long @ size) + noise * np.sqrt(reach)
        ),
        cross=float(
            np.linalg.norm(found.left)
            + (D0 + float(u @ image)) * np.linalg.norm(basis @ problem.a)
            + unit_rounding(n + p) * np.sqrt(D0 * reach)
        ),
        relative=relative,
    )  # fmt: skip
