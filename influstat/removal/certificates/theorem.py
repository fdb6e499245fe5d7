"""Certificates: how far coefficients after a removal can be from the true ones, without a refit.

**Setting** (sum scale). The rows S leave, with weight w(S); omega = w(S) / W if folded, 0 if fixed:

    F(t) = sum_{j not in S} w_j l(y_j, x_j't + o_j) + (1 - omega) (kappa / 2) t'D t,   T = its minimiser.

The loss has |l3| <= c l2 (c = `loss.self_concordance`), so it is convex, and as (log l2)' lies between
-c and c:  e^(-c|d|) l2(eta) <= l2(eta + d) <= e^(c|d|) l2(eta).  theta are *any* coefficients: first order,
Newton step, second order or an exact iterate; G = grad F(theta) is measured there. Where theta came
from does not matter: a fit that has not converged, an inexact solve, weights, offset and the penalty's
share enter through G alone. Nothing needs D > 0, so an unpenalised intercept is a column like any other.

**Anchor.** B is positive definite, |v| = (v'Bv)^1/2, |a|* = (a'B^-1 a)^1/2, q = |G|*. Two are used:
`shared`, the Hessian of F at theta-hat, but with the share 1 - omega_0 of the penalty, omega_0 the mean
over all removals, so that B = C - sum_S w l2 x x' for one factored C (Woodbury); and `own`, the Hessian of
F at theta itself (for groups of more than p rows, and tried where the bounds are widest, as far as
`certify.OWN_WORK` goes). Let d_j = x_j'(theta - theta_anchor), pi = |log((1 - omega) / (1 - omega_0))| (0
without a penalty and for `own`), h_j the leverage w_j l2_j |x_j|*^2 at the anchor. A few rows may be *given
up*: those of smallest h_j, as far as their sum eps0 (in S or not) stays near 1e-3; the others are *kept*.
With j running over the kept rows outside S (over all rows outside S in rho'):

    s = c max_j |d_j|      sigma = s + pi      rho = c max_j |x_j|*      rho' = c max_all |x_j|*
    eps1 = sum over rows given up, not in S, of w_j l2_j(theta) |x_j|*^2

1. *Curvature from below.* At theta + v the Hessian is at least that of the kept rows and the penalty.
   Row j's curvature there is at least e^(-s - c|x_j'v|) times that at the anchor, the penalty's at least
   e^-pi times that in B, and B without the rows given up is at least (1 - eps0) B:
       Hess F(theta + v) >= e^(-tau - c max_j |x_j'v|) B,      tau = sigma - log(1 - eps0).
2. *Ball.* For |u| = 1, f(t) = F(theta + t u) has f'(t) >= -q + int_0^t e^(-tau - rho r) dr
   = -q + e^-tau (1 - e^(-rho t)) / rho. So if z = e^tau rho q < 1, f' >= 0 from t = r1 on, whatever u:
       T exists, and |theta - T| <= r1 = -log(1 - z) / rho = e^tau q phi(z),   phi(z) = -log(1 - z) / z.
   Hence |a'(theta - T)| <= |a|* r1 for every a. For c = 0: rho = 0, phi = 1.
3. *One step further.* Let v = -B^-1 G, so |v| = q and T - theta = v + (T - theta - v). At theta + v,
       |grad F|* = |int_0^1 (Hess F(theta + r v) - B) v dr|* <= q delta,
       delta = e^sigma (e^(rho q) - 1) / (rho q) - 1 + max(e^(rho' q) eps1, eps0),
   as the kept part differs from B's by factors within e^-+(sigma + r rho q), and the part given up is at
   most e^(rho' q) eps1 B in F and eps0 B in B. Step 2 at theta + v, where tau grows by rho q, gives r2, and
       |a'(theta - T)| <= |a'B^-1 G| + |a|* r2:   the error to first order, and a remainder of second.

Each bound is the smaller of 2 and 3. Step 3 is what makes it nearly equal to the true error: |a|* q alone
(Cauchy-Schwarz) is often ten times that. For the Newton step D from theta-hat, G could be bounded instead:
|grad F(theta-hat + D)|* <= ((e^s - 1 - s) / s) |D|, as |l1(eta + d) - l1 - l2 d| <= l2 |d| (e^s - 1 - s) / s.
The measured G is never larger and costs one more product with X.

For `shared`, |x_j|* <= |x_j|_{C^-1} / sqrt(1 - h) with 1 - h the smallest eigenvalue of I - K'K,
K = C^-1/2 X_S' (w l2)^1/2 (for one row, h is its leverage), since B = C^1/2 (I - KK') C^1/2 >= (1 - h) C.
This replaces the norms in rho, rho', eps0 and eps1, which need all rows for each S; |a|* and |G|* are exact.

Rows of several predictors, one per class, have the same theorem with other norms (`softmax`).

**Losses and means.** With b = bound on |x'theta - x'T|, a convex l changes by at most
max(l(eta + b), l(eta - b)) - l(eta): upwards it takes its maximum at an end of the interval, and
downwards l(eta) - l(eta + e) <= l(eta - e) - l(eta). A folded loss has P / W besides:
|P(theta) - P(T)| <= |(kappa D theta)'(theta - T)| + (kappa / 2) (theta - T)'D(theta - T), the first as for
any a, the second at most |theta - T|^2 / (2 (1 - omega_0)).

**Floating point.** Sums of m terms are taken as right to u_m = (16 + m) epsilon of the sum of their
absolute values (`rounding.unit_rounding`; not root m: rows that repeat each other round alike). G is the sum
at the anchor, added in extended precision, and what differs from it: each entry is then off by at most
sum_j w_j |x_jk| (64 epsilon |l1_j| + u_n |l1_j - l1_j there| + 3 l2_j u_p (|x_j|'|theta| + |o_j| + |y_j|));
the *-norm of all such errors is added to q, and to |grad F|* in step 3. Norms are off by the relative amount
p (u_n + u_p) / lambda_min, of C scaled to a unit diagonal, over 1 - h: all are enlarged by it. Evaluating
predictions and losses adds its own u.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.downdate import Downdate
from influstat.input.groups import Groups, Indices
from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.certificates.measured import BLOCK_ENTRIES, LinearPoint
from influstat.removal.certificates.softmax import SoftmaxPoint
from influstat.risks.chart import AnyChart
from influstat.risks.row_space import RowSpace


@dataclass(frozen=True)
class Constants:
    """The constants of the module's docstring: arrays of shape (k,), one entry per removal."""

    q: FloatArray  # |G|* with its rounding error
    noise: FloatArray  # that error alone
    rho: FloatArray  # over the kept rows
    rho_all: FloatArray  # rho', over all rows
    sigma: FloatArray  # s + pi
    lost_before: FloatArray  # eps0
    lost_after: FloatArray  # eps1
    relative: FloatArray  # relative rounding error of norms

    def first_radius(self) -> FloatArray:
        """Return r1 of step 2; inf where its condition fails."""
        return ball(self.q, self.rho, self.sigma + self._given_up())

    def next_q(self) -> FloatArray:
        """Return the bound of step 3 on |grad F(theta + v)|*, with its rounding."""
        with np.errstate(over="ignore", invalid="ignore"):
            growth = self.rho * self.q
            mean = np.where(growth > 0, np.expm1(growth) / np.where(growth > 0, growth, 1.0), 1.0)
            lost = np.maximum(np.exp(self.rho_all * self.q) * self.lost_after, self.lost_before)
            delta = np.expm1(self.sigma + np.log(mean)) + lost
            return np.asarray(self.q * (delta + self.relative) + self.noise)

    def second_radius(self) -> FloatArray:
        """Return r2 of step 3, with the rounding of what it is added to; inf where its condition fails."""
        with np.errstate(over="ignore", invalid="ignore"):
            tau = self.sigma + self.rho * self.q + self._given_up()
            return np.asarray(ball(self.next_q(), self.rho, tau) + self.relative * self.q)

    def _given_up(self) -> FloatArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.lost_before < 1, -np.log1p(-self.lost_before), inf)


def ball(q: FloatArray, rho: FloatArray, tau: FloatArray) -> FloatArray:
    """Return e^tau q phi(z), z = e^tau rho q, phi(z) = -log(1 - z) / z: inf where z >= 1 or unknown."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        reach = np.exp(tau) * q
        z = reach * rho
        phi = np.where(z > 0, -np.log1p(-z) / z, 1.0)
        return np.where(z < 1, reach * phi, inf)


Point = LinearPoint | SoftmaxPoint  # a risk with all its rows around coefficients, sum scale


@dataclass(frozen=True, eq=False, repr=False)
class Certificate(ShortRepr):
    """Balls around the coefficients after each of k removals that hold the true ones."""

    point: Point | None  # all rows at theta-hat; None where nothing can be proven about them
    groups: Groups
    theta: FloatArray  # the reported coefficients, shape (k, p)
    status: tuple[str, ...]  # "" for a certified removal, else why it is not
    first_radius: FloatArray  # r1, shape (k,)
    second_radius: FloatArray  # r2, shape (k,)
    shift: FloatArray  # B^-1 G in whitened coordinates, shape (k, p): times a whitened a it is a'B^-1 G
    reach: FloatArray  # bound on |theta - T|, the smaller of r1 and q + r2, shape (k,)
    penalty_left: FloatArray  # share of the penalty in B, 1 - omega_0, or 1 - omega for `own`, shape (k,)
    growth: FloatArray  # how many times that in B the penalty's Hessian can be within `reach`, shape (k,)
    relative: FloatArray  # relative rounding error of norms, shape (k,)
    own: NDArray[np.bool_]  # which anchor holds, shape (k,)
    anchor: Anchor | None  # C of the shared one
    own_anchors: dict[int, Anchor]  # those of `own` that were kept; others are made again when asked for
    coordinates: RowSpace | AnyChart | None = None  # where theta and its risk are those of other coordinates
    reported: FloatArray | None = None  # then the coefficients that were reported, shape (k, p)

    @property
    def coefficients(self) -> FloatArray:
        """The coefficients that were reported, shape (k, p)."""
        return self.theta if self.reported is None else self.reported

    @property
    def sizes(self) -> FloatArray:
        """What rounding of the coefficients is relative to, shape (k, p)."""
        size = np.abs(self.coefficients)
        return size if self.coordinates is None else np.maximum(size, self.coordinates.sizes(self.theta))

    def _there(self, functionals: FloatArray) -> FloatArray:
        """Return the functionals (m, p) in the coordinates in which the bounds are proven, (m, r)."""
        return functionals if self.coordinates is None else self.coordinates.rows(functionals)

    @property
    def certified(self) -> NDArray[np.bool_]:
        """Whether each removal has a certificate, shape (k,)."""
        return np.array([not text for text in self.status], dtype=np.bool_)

    def error(self, functionals: FloatArray) -> FloatArray:
        """Return bounds on |a'(theta - T)| for the rows a of `functionals` (m, p), shape (k, m), or nan."""
        error = np.full((len(self.groups), len(functionals)), np.nan)
        for chosen, low, high in self._intervals(functionals):
            error[chosen] = _largest(low, high)
        return error

    def interval(self, functionals: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the ends between which a'(T - theta) lies, each of shape (k, m), or nan."""
        ends: FloatArray = np.full((2, len(self.groups), len(functionals)), np.nan)
        for chosen, low, high in self._intervals(functionals):
            ends[0, chosen], ends[1, chosen] = low, high
        return ends[0], ends[1]

    def _intervals(
        self, functionals: FloatArray
    ) -> Iterator[tuple[NDArray[np.intp], FloatArray, FloatArray]]:
        """Yield removals that have a certificate, a few at a time, and the ends of their intervals."""
        functionals = self._there(functionals)
        if self.anchor is not None:
            whitened = self.anchor.whiten(functionals.T)
            for chosen, downdate in self._downdates(self.anchor, len(functionals)):
                norms, along = downdate.common(whitened), self.shift[chosen] @ whitened
                yield chosen, *self._ends(chosen[:, None], norms, along)
        for k in self._with_own():
            norms, along = self._own_norms(k, functionals)
            yield np.array([k]), *self._ends(np.array([[k]]), norms[None], along[None])

    def error_each(self, functionals: FloatArray) -> FloatArray:
        """Return bounds on |a_k'(theta_k - T_k)|, shape (k,), from one functional per removal (k, p)."""
        functionals = self._there(functionals)
        norms, along = np.full((2, len(self.groups)), np.nan)
        if self.anchor is not None:
            for chosen, downdate in self._downdates(self.anchor):
                whitened = self.anchor.whiten(functionals[chosen].T)
                along[chosen] = np.sum(self.shift[chosen].T * whitened, axis=0)
                norms[chosen] = downdate.each(whitened)
        for k in self._with_own():
            norms[[k]], along[[k]] = self._own_norms(k, functionals[k : k + 1])
        return _largest(*self._ends(np.arange(len(self.groups)), norms, along))

    def error_of_members(self) -> FloatArray:
        """Return bounds on |x_j'(theta_k - T_k)| for the removed rows j of each k, in their order, (s,)."""
        return _largest(*self.interval_of_members())[:, 0]

    def interval_of_members(self) -> tuple[FloatArray, FloatArray]:
        """Return the ends of `interval` for the c predictors of each removed row, shape (s, c)."""
        groups = self.groups
        if self.point is None:
            nowhere = np.full((len(groups.members), 1), np.nan)
            return nowhere, nowhere
        width = self.point.functionals(groups.members[:1]).shape[1]
        norms, along = np.full((2, len(groups.members), width), np.nan)
        if self.anchor is not None:
            for chosen, downdate in self._downdates(self.anchor):
                part = groups.take(chosen)
                owners = np.repeat(chosen[part.owners], width)
                whitened = self.anchor.whiten(self._of_rows(part.members).T)
                place = _places(groups, chosen)
                along[place] = np.sum(self.shift[owners].T * whitened, axis=0).reshape(-1, width)
                norms[place] = downdate.members(whitened).reshape(-1, width)
        for k in self._with_own():
            place = _places(groups, np.array([k]))
            found = self._own_norms(k, self._of_rows(groups[k]))
            norms[place], along[place] = (one.reshape(-1, width) for one in found)
        return self._ends(groups.owners[:, None], norms, along)

    def _of_rows(self, rows: Indices) -> FloatArray:
        assert self.point is not None  # a removal is certified only where something was proven
        return self.point.functionals(rows).reshape(-1, self.theta.shape[1])

    def _ends(
        self, chosen: NDArray[np.intp], norms: FloatArray, along: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the smaller of the two intervals of the theorem, from |a|* and a'B^-1 G."""
        with np.errstate(over="ignore", invalid="ignore"):  # 0 times an infinite radius; the other is finite
            norms = norms * (1.0 + self.relative[chosen])
            first, second = norms * self.first_radius[chosen], norms * self.second_radius[chosen]
            low, high = np.fmax(-first, -along - second), np.fmin(first, second - along)
        known = self.certified[chosen]
        # |a|* beyond float64: nothing finite is proven.
        return (
            np.where(known & np.isnan(low), -inf, np.where(known, low, np.nan)),
            np.where(known & np.isnan(high), inf, np.where(known, high, np.nan)),
        )

    def _downdates(self, anchor: Anchor, columns: int = 1) -> Iterator[tuple[NDArray[np.intp], Downdate]]:
        wanted = np.flatnonzero(self.certified & ~self.own)
        width = 8 * max(columns, self.theta.shape[1])  # in the arrays of `_ends`
        for chosen in runs(self.groups, wanted, width=width, members=width):
            yield chosen, anchor.downdate(self.groups.take(chosen))

    def _with_own(self) -> list[int]:
        return [int(k) for k in np.flatnonzero(self.certified & self.own)]

    def _own_norms(self, k: int, functionals: FloatArray) -> tuple[FloatArray, FloatArray]:
        anchor = self.own_anchors.get(k)
        if anchor is None:
            assert self.point is not None  # a removal is `own` only where something was proven
            anchor = self.point.around(self.theta[k]).anchor(self.penalty_left[k], self.groups[k])
        whitened = anchor.whiten(functionals.T)
        return np.linalg.norm(whitened, axis=0), self.shift[k] @ whitened


def _largest(low: FloatArray, high: FloatArray) -> FloatArray:
    return np.maximum(np.abs(low), np.abs(high))


def uncertified(groups: Groups, theta: FloatArray, why: str, point: Point | None = None) -> Certificate:
    """Return the certificate of removals of which nothing is proven (yet), for one reason."""
    k = len(groups)
    first, second, reach = np.full((3, k), inf)
    shift, relative = np.full(theta.shape, np.nan), np.zeros(k)
    left, growth = np.ones((2, k))
    status, own = (f"not certified: {why}",) * k, np.zeros(k, dtype=np.bool_)
    radii = first, second, shift, reach
    return Certificate(point, groups, theta, status, *radii, left, growth, relative, own, None, {})


def _places(groups: Groups, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return where the rows of the chosen removals stand in `groups.members`."""
    return np.concatenate([np.arange(groups.starts[k], groups.starts[k + 1]) for k in chosen])


def runs(groups: Groups, wanted: NDArray[np.intp], *, width: int, members: int) -> Iterator[NDArray[np.intp]]:
    """Yield the wanted removals in runs whose arrays, `width` per removal or `members` per row, are small."""
    at_once, rows = (max(1, BLOCK_ENTRIES // length) for length in (width, members))
    done = 0
    for part in groups.take(wanted).blocks(at_once, rows) if wanted.size else ():
        yield wanted[done : done + len(part)]
        done += len(part)
