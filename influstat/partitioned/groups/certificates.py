"""Certified bounds for groups left out over partitions: the theorem of `certificates`, by sums over rows.

Each group has an anchor of its own, B_k: the Hessian at theta-hat of the rows that stay, with the share of
the penalty that stays; where curvatures change too much from there on, that at the coefficients found. What
the theorem asks of all rows is summed in one pass at the coefficients found: the gradient as what differs
from that at theta-hat, its rounding, the longest way of a row, and the largest norm of each group's rows.
Norms are taken in C, the Hessian of all rows at theta-hat; B_k >= headroom_k C then bounds those in B_k.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from influstat.errors import SingularHessian, Unsupported
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.partitioned.groups.expansion import GroupExpansion, hessians_left
from influstat.partitioned.groups.grouping import Counts, Grouping
from influstat.partitioned.groups.measures import Measures, Measuring, OwnHessians
from influstat.partitioned.part import PartMinimum
from influstat.partitioned.removal.center import Center, center_of
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.certificates.certify import LOOSE, OWN_WORK
from influstat.removal.certificates.measured import LinearPoint
from influstat.removal.certificates.theorem import Certificate, Constants, uncertified
from influstat.risks.linear import require_linear

KEPT_ENTRIES = 2**25  # of the factors of all groups, which bounds are asked of later: 256 MiB
FEWEST_DIGITS = 64.0  # times the rounding of norms: a headroom below cannot be told from 0


def require_few(groups: int, p: int) -> None:
    """Raise where the factors of all groups would take too much memory."""
    most = KEPT_ENTRIES // p**2
    if groups > most:
        need = f"be at most {most} for bounds of {p} coefficients, whose Hessians are held"
        raise Unsupported("groups", need, f"are {groups}", "Ask for some of them: groups={name: positions}.")


def certificate_of(fit: Any, grouping: Grouping, counts: Counts, theta: FloatArray, step: int) -> Certificate:
    """Return what is proven of theta (K, p), any coefficients without each group: two passes and more."""
    # Sums are held for `step` groups at a time: two passes for each lot.
    require_few(len(counts.names), theta.shape[1])
    n = len(counts.names)
    names = Groups(np.zeros(n, dtype=np.intp), np.arange(n + 1), counts.names)  # whose rows are elsewhere
    point = LinearPoint(fit.sample.risk, np.array(fit.theta))
    why = point.impossible()
    if why:
        return uncertified(names, theta, why)
    found = uncertified(names, theta, "", point)
    work = _Work(fit, center_of(fit.risk, fit.theta), found)
    for start in range(0, n, step):
        work.add(GroupExpansion(fit, grouping, counts, np.arange(start, min(start + step, n)), hessians=True))
    status = [f"not certified: {why}" if why else "" for why in work.why]
    return replace(found, status=tuple(status), own=np.isfinite(found.reach))


@dataclass(frozen=True, eq=False)
class _Group:
    """What is known of one group."""

    code: int
    theta: FloatArray  # found without it, shape (p,)
    left: float  # share of the penalty
    gradient: FloatArray  # of the objective without it there, shape (p,)
    doubt: FloatArray  # its rounding, shape (p,)
    norm: float  # the largest of the rows that stay, in C
    path: float
    slip: float


class _Work:
    """The making of one certificate, some groups after the others."""

    def __init__(self, fit: Any, center: Center, found: Certificate) -> None:
        self.fit, self.center, self.found = fit, center, found
        self.n = fit.risk.shape[0]
        self.why = [""] * len(found.groups)
        self.quotient = np.ones(len(found.groups))  # reach over |G|
        try:
            self.anchor: Anchor | None = self._anchor(center.data_hessian, center.theta, 1.0)
        except SingularHessian as error:
            self.anchor, self.why = None, [str(error)] * len(found.groups)

    def _anchor(self, summed: FloatArray, theta: FloatArray, left: float) -> Anchor:
        risk = self.fit.sample.risk
        penalty = risk.penalty.hessian(theta).scaled(left)
        return Anchor(risk.design, np.zeros(risk.shape[0]), penalty, give_up=False, summed=(summed, self.n))

    def add(self, expansion: GroupExpansion) -> None:
        """Fill in some groups."""
        if self.anchor is None:
            return
        with np.errstate(over="ignore", invalid="ignore"):  # coefficients far off: their bounds come out inf
            known = self._known(expansion)
            own = expansion.sums.hessians
            assert own is not None  # wanted
            for code, hessian in zip(expansion.codes.tolist(), hessians_left(own), strict=True):
                if code in known:
                    one = known[code]
                    away = np.max(np.abs(one.theta - self.center.theta))
                    self._one(one, hessian, self.center.theta, one.path, away)
            loose = self._loose(list(known.values()))
            if loose:
                codes = np.array([one.code for one in loose])
                theta = np.stack([one.theta for one in loose], axis=1)
                work = OwnHessians(expansion.chosen(codes), theta)
                for one, hessian in zip(loose, self.fit.reduce(work).values, strict=True):
                    self._one(one, hessian, one.theta, one.slip, 0.0)

    def _loose(self, known: list[_Group]) -> list[_Group]:
        """Return the groups whose curvature changes too much from theta-hat on, as many as work allows."""
        p = len(self.center.theta)
        most = int(OWN_WORK / (4.0 * self.n * p**2))
        return [one for one in known if not self.quotient[one.code] < LOOSE][:most]

    def _known(self, expansion: GroupExpansion) -> dict[int, _Group]:
        """Return what is summed at the coefficients without each group that has some: one pass."""
        assert self.anchor is not None  # else nothing is added
        codes, center, penalty = expansion.codes, self.center, self.fit.risk.penalty
        theta = self.found.theta[codes]
        usable = np.asarray(np.isfinite(theta).all(axis=1))
        for code in codes[~usable].tolist():
            self.why[code] = "there are no coefficients"
        # In place of coefficients that there are not: those with all rows, which harm no sum.
        columns = np.ascontiguousarray(np.where(usable[:, None], theta, center.theta).T)
        work = Measuring(expansion.chosen(codes), columns, np.array(center.theta), self.anchor, self.n)
        sums: Measures = self.fit.reduce(work)
        left = expansion.left(Groups(np.arange(len(codes)), np.arange(len(codes) + 1), codes))
        gradients = center.data_gradient[:, None] - sums.own.astype(np.float64) + sums.moved
        gradients += left * penalty.gradient(columns)
        known = {}
        for j in np.flatnonzero(usable).tolist():
            size = np.maximum(np.abs(columns[:, j]), np.abs(center.theta))
            doubt = sums.error[:, j] + center.slope_error + expansion.held_error(size)
            norm = float(np.delete(sums.norms, j).max(initial=0.0)) * (1.0 + self.anchor.relative)
            of = columns[:, j], float(left[j]), gradients[:, j], doubt
            known[int(codes[j])] = _Group(int(codes[j]), *of, norm, float(sums.path[j]), float(sums.slip[j]))
        return known

    def _one(self, one: _Group, hessian: FloatArray, at: FloatArray, path: float, away: float) -> None:
        """Fill in one group, around the Hessian of the rows that stay at `at`, if that is better."""
        assert self.anchor is not None  # else nothing is added
        try:
            anchor = self._anchor(hessian, at, one.left)
        except SingularHessian as error:
            self.why[one.code] = self.why[one.code] or str(error)
            return
        whole = np.array(hessian, order="F")
        self.fit.risk.penalty.hessian(at).add_to(whole, one.left)
        headroom = float(np.linalg.eigvalsh(self.anchor.whiten(self.anchor.whiten(whole).T))[0])
        if not headroom > FEWEST_DIGITS * self.anchor.relative:
            why = "up to rounding the group's rows are all that is known of a coefficient (leverage 1)"
            self.why[one.code] = self.why[one.code] or why
            return
        relative = max(anchor.relative, 2.0 * self.anchor.relative / headroom)
        norm = one.norm * (1.0 + relative) / np.sqrt(headroom)
        point = self.found.point
        assert point is not None  # something can be proven
        sigma = max(point.concordance * path, point.penalty_concordance * away) + relative
        constants = replace(self._constants(anchor, one, norm, relative), sigma=np.array([sigma]))
        self._record(one, constants, anchor)

    def _constants(self, anchor: Anchor, one: _Group, norm: float, relative: float) -> Constants:
        point = self.found.point
        assert point is not None  # something can be proven
        noise = np.array([anchor.largest_norm(one.doubt) * (1.0 + relative)])
        q = np.linalg.norm(anchor.whiten(one.gradient[:, None])) * (1.0 + relative) + noise
        # A penalty whose Hessian changes counts like rows x_j = e_j with a constant of their own.
        units = np.max(anchor.unit_norms) * (1.0 + relative) if point.penalty_concordance else 0.0
        rho = np.array([max(point.concordance * norm, point.penalty_concordance * units)])
        nothing = np.zeros(1)
        return Constants(q, noise, rho, rho, nothing, nothing, nothing, np.array([relative]))

    def _record(self, one: _Group, constants: Constants, anchor: Anchor) -> None:
        """Keep what is better than what is there."""
        found, code = self.found, one.code
        first, second = constants.first_radius()[0], constants.second_radius()[0]
        q, sigma = float(constants.q[0]), float(constants.sigma[0])
        reach = min(first, q + second)
        if not np.isfinite(found.reach[code]):
            self.why[code] = (
                ""
                if np.isfinite(reach)
                else (
                    "the curvature may change too much between these coefficients and the true ones"
                    f" (|G| = {q:.2g}, rho = {constants.rho[0]:.2g}, sigma = {sigma:.2g};"
                    " e^sigma rho |G| must be below 1)"
                )
            )
        if not reach < found.reach[code]:
            self.quotient[code] = found.reach[code] / q if np.isfinite(found.reach[code]) else np.inf
            return
        self.quotient[code] = reach / q if q > 0.0 else 1.0
        found.first_radius[code], found.second_radius[code], found.reach[code] = first, second, reach
        found.shift[code] = anchor.whiten(one.gradient[:, None])[:, 0]
        found.relative[code], found.penalty_left[code] = constants.relative[0], one.left
        if self.fit.risk.penalty.self_concordance:
            found.growth[code] = np.exp(sigma + constants.rho_all[0] * reach)
        found.own_anchors[code] = anchor


def of_members(certificate: Certificate, code: int, rows: Indices, minimum: PartMinimum) -> Certificate:
    """Return the certificate of one group, whose rows are some of those of a partition."""
    one = np.array([code])
    names = ("first_radius", "second_radius", "shift", "reach", "penalty_left", "growth", "relative", "own")
    known = {name: getattr(certificate, name)[one] for name in names}
    anchors = {0: certificate.own_anchors[code]} if code in certificate.own_anchors else {}
    return replace(
        certificate,
        point=LinearPoint(require_linear(minimum.risk, "bounds"), minimum.theta),
        groups=Groups(rows, np.array([0, len(rows)]), certificate.groups.labels[one]),
        theta=certificate.theta[one],
        status=(certificate.status[code],),
        own_anchors=anchors,
        **known,
    )
