"""Make a certificate: all removals around one Hessian, those that need it around one of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import Blur
from influstat.algebra.symmetric import packed_size
from influstat.errors import SingularHessian
from influstat.input.groups import Groups
from influstat.input.kept import Kept
from influstat.input.progress import progress
from influstat.input.validation import FloatArray
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.certificates.measured import LinearPoint, Measured, measure_expanded
from influstat.removal.certificates.softmax import SoftmaxPoint
from influstat.removal.certificates.theorem import Certificate, Constants, Point, runs, uncertified
from influstat.removal.engine.expanded import AllRows, ExpandedSum
from influstat.risks.chart import AnyChart
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.contract import Risk
from influstat.risks.linear import as_linear
from influstat.risks.row_space import RowSpace

LARGEST = 4000  # coefficients: a dense Hessian and its eigenvalues are needed
OWN_WORK = 1e12  # floating-point operations that Hessians of single removals may cost in all
KEPT_ENTRIES = 2**24  # of factors of such Hessians that are kept: 128 MiB
LARGEST_BLUR = 1e-2  # of rows in coordinates of their own, beyond which nothing is proven there
BLURRED = (
    "rows have too few digits in the coordinates that this design needs, or columns depend on each other to "
    "rounding, and whether they do so exactly cannot be proven"
)
NO_BLUR = Blur()
LOOSE = 2.0  # reach / q beyond which a removal's own Hessian is tried

Chosen = NDArray[np.intp]
_Largest = tuple[NDArray[np.intp], FloatArray]


def certify_in(
    there: RowSpace | AnyChart,
    groups: Groups,
    u: FloatArray,
    theta: FloatArray,
    kept: Kept | None = None,
) -> Certificate:
    """Return the certificate of theta (k, p), proven in other coordinates, in which it is u (k, r)."""
    found = certify(there.risk, there.start, groups, u, blur=there.blur(), kept=kept)
    return replace(found, coordinates=there, reported=theta)


def certify(
    risk: Risk,
    at: FloatArray,
    groups: Groups,
    theta: FloatArray,
    *,
    blur: Blur = NO_BLUR,  # how far the rows of the risk are off those that are meant
    kept: Kept | None = None,  # what the minimum at theta-hat has been asked for already
) -> Certificate:
    """Return the certificate of theta (k, p), any coefficients without each group; `at` is theta-hat (p,)."""
    linear, classes = as_linear(risk), class_predictors_of(risk)
    point: Point
    if linear is not None:
        point = LinearPoint(linear, at, kept)
    elif classes is not None:
        point = SoftmaxPoint(classes, at)
    else:
        why = f"{type(risk).__name__} is not a LinearRisk, nor a softmax risk"
        return uncertified(groups, theta, why)
    why = _impossible(point) or (BLURRED if blur.relative > LARGEST_BLUR else "")
    return uncertified(groups, theta, why) if why else _Work(point, groups, theta, blur).run()


def certify_expanded(
    rows: AllRows, groups: Groups, theta: FloatArray, kept: float, largest: _Largest
) -> Certificate:
    """Return the certificate of theta (k, p) from sums over all rows that are expanded already."""
    # `kept` is the share of the penalty in the anchor of `rows`; `largest` are the two rows of largest norm
    # in it, -1 for one that is not among the rows here, with those norms.
    risk, at = rows.expansion.risk, rows.expansion.theta
    point = LinearPoint(risk, at)
    why = _impossible(point)
    if why:
        return uncertified(groups, theta, why)
    return _Work(point, groups, theta, NO_BLUR).run_expanded(rows, kept, largest)


def _impossible(point: Point) -> str:
    """Return why nothing of this risk can be certified, "" where something can."""
    p = point.shape[1]
    return point.impossible() or (
        f"{p} coefficients are more than {LARGEST}, the most whose Hessian is factored" if p > LARGEST else ""
    )


class _Work:
    """The making of one certificate: arrays filled removal by removal."""

    def __init__(self, point: Point, groups: Groups, theta: FloatArray, blur: Blur) -> None:
        k = len(groups)
        self._blur = blur
        self.point, self.groups, self.theta = point, groups, theta
        self.c, self.c_penalty = point.concordance, point.penalty_concordance
        gone = groups.sums(point.weights)
        self.left = np.asarray(point.protocol.left(gone, point.total_weight))
        self.emptied = gone >= point.total_weight
        self.status, self.q = [""] * k, np.full(k, inf)
        self.found = uncertified(groups, theta, "", point)  # its arrays are filled in
        self.found.penalty_left[:] = self.left
        self.anchor: Anchor | None = None
        self._outside: tuple[Anchor, tuple[_Largest, _Largest]] | None = None

    def run(self) -> Certificate:
        """Fill everything; removals that cannot be certified are named."""
        usable = np.isfinite(self.theta).all(axis=1) & ~self.emptied
        with np.errstate(over="ignore", invalid="ignore"):  # coefficients far off: their bounds come out inf
            self._shared(np.flatnonzero(usable & (self.groups.sizes <= self.theta.shape[1])))
            self._own(np.flatnonzero(usable))
        return self._named()

    def run_expanded(self, rows: AllRows, kept: float, largest: _Largest) -> Certificate:
        """Fill in what sums that are expanded already can say."""
        self.anchor, self._outside = rows.anchor, (rows.anchor, (largest, largest))
        usable = np.isfinite(self.theta).all(axis=1) & ~self.emptied
        with np.errstate(over="ignore", invalid="ignore"):
            if usable.any():
                self._expanded(rows.anchor, kept, np.flatnonzero(usable), rows)
        return self._named()

    def _named(self) -> Certificate:
        for k in np.flatnonzero(np.isinf(self.found.reach)).tolist():
            unusable = "no weight is left" if self.emptied[k] else "there are no coefficients"
            self.status[k] = f"not certified: {self.status[k] or unusable}"
        return replace(self.found, status=tuple(self.status), anchor=self.anchor)

    # -- all removals around the Hessian at theta-hat ------------------------------------------------

    def _shared(self, wanted: Chosen) -> None:
        if not wanted.size:
            return
        kept = float(np.mean(self.left[wanted]))
        try:
            self.anchor = self.point.anchor(kept)
        except SingularHessian as error:
            for k in wanted:
                self.status[k] = str(error)
            return
        expanded = self.point.expanded(self.anchor, self.groups.take(wanted))
        if expanded is not None:
            wanted = self._expanded(self.anchor, kept, wanted, expanded)
        measure = self.point.measuring(self.anchor)
        for chosen in self._runs(wanted, width=self.point.width):
            measured = measure(self.groups.take(chosen), self.theta[chosen], self.left[chosen])
            self._shared_run(self.anchor, kept, chosen, measured)

    def _runs(self, wanted: Chosen, *, width: int) -> Iterator[Chosen]:
        """Yield the wanted removals in runs that need little memory, and show how far they are."""
        parts = list(runs(self.groups, wanted, width=width, members=self.theta.shape[1]))
        return progress(parts, "certificates")

    def _expanded(self, anchor: Anchor, kept: float, wanted: Chosen, rows: ExpandedSum) -> Chosen:
        """Measure by the expansion; return the removals for which it is not sharp enough."""
        others = []
        for chosen in self._runs(wanted, width=packed_size(self.theta.shape[1])):
            groups = self.groups.take(chosen)
            measured, sharp = measure_expanded(rows, anchor, groups, self.theta[chosen], self.left[chosen])
            self._shared_run(anchor, kept, chosen, measured)
            others.append(chosen[~sharp])
        return np.concatenate(others)

    def _shared_run(self, anchor: Anchor, kept: float, chosen: Chosen, measured: Measured) -> None:
        groups, left = self.groups.take(chosen), self.left[chosen]
        downdate = anchor.downdate(groups)
        whitened = anchor.whiten(measured.gradient)
        headroom = np.where(
            downdate.headroom > 64.0 * (anchor.relative + self._blur.relative), downdate.headroom, np.nan
        )
        mismatch = np.zeros(len(left)) if self.point.unpenalised else np.abs(np.log(left / kept))
        constants = self._constants(
            anchor,
            groups,
            self.theta[chosen],
            measured,
            headroom,
            norm=downdate.each(whitened),
            mismatch=mismatch,
        )
        self._record(chosen, constants, downdate.solve_each(whitened).T, own=False)
        self.found.penalty_left[chosen] = kept

    def _constants(
        self,
        anchor: Anchor,
        groups: Groups,
        theta: FloatArray,
        measured: Measured,
        headroom: FloatArray,
        *,
        norm: FloatArray,
        mismatch: FloatArray,
    ) -> Constants:
        """Return the theorem's constants; nan where the headroom is nan."""
        relative = 2.0 * (anchor.relative + 2.0 * self._blur.relative) / headroom
        stretch = (1.0 + relative) / np.sqrt(headroom)
        moved = np.linalg.norm(anchor.coordinates((theta - self.point.theta).T), axis=0)
        blurred = self._blur.base + self._blur.slope * moved
        noise = (anchor.largest_norm(measured.error) + measured.remainder + blurred) * stretch
        norms, kept_norms = self._norms(anchor)
        # A penalty whose Hessian changes counts like rows x_j = e_j with a constant of their own.
        units = self.c_penalty * np.max(anchor.unit_norms) if self.c_penalty else 0.0
        return Constants(
            q=norm * (1.0 + relative) + noise,
            noise=noise,
            rho=np.maximum(self.c * _largest_outside(kept_norms, groups), units) * stretch,
            rho_all=np.maximum(self.c * _largest_outside(norms, groups), units) * stretch,
            sigma=np.maximum(self.c * measured.path, self.c_penalty * measured.penalty_path)
            + mismatch
            + relative,
            lost_before=anchor.given_up_leverage / headroom,
            lost_after=measured.given_up / headroom,
            relative=relative,
        )

    def _norms(self, anchor: Anchor) -> tuple[_Largest, _Largest]:
        """Return the largest norms of rows that count, and of those of them that are not given up."""
        if self._outside is None or self._outside[0] is not anchor:
            norms = np.where(self.point.weights > 0, anchor.row_norms, 0.0)
            most = int(np.max(self.groups.sizes)) + 1
            kept = np.where(anchor.kept, norms, 0.0)
            self._outside = anchor, (_largest(norms, most), _largest(kept, most))
        return self._outside[1]

    def _record(self, chosen: Chosen, constants: Constants, shift: FloatArray, *, own: bool) -> None:
        """Keep what is better than what is there."""
        first, second = constants.first_radius(), constants.second_radius()
        reach = np.minimum(first, constants.q + second)
        reach[np.isnan(reach)] = inf
        found = self.found
        better = reach < found.reach[chosen]
        kept = chosen[better]
        found.first_radius[kept], found.second_radius[kept] = first[better], second[better]
        found.reach[kept], found.shift[kept] = reach[better], shift[better]
        self.q[kept], found.relative[kept] = constants.q[better], constants.relative[better]
        if self.c_penalty:
            found.growth[kept] = np.exp(constants.sigma[better] + constants.rho_all[better] * reach[better])
        found.own[kept] = own
        for place, k in enumerate(chosen):
            self.status[k] = "" if np.isfinite(found.reach[k]) else _why(constants, place)

    # -- single removals around the Hessian at their own coefficients ----------------------------------

    def _own(self, usable: Chosen) -> None:
        n, p = self.point.shape
        affordable = int(OWN_WORK / (4.0 * n * p**2 + 4.0 * p**3))
        reach = self.found.reach
        looseness = reach[usable] / self.q[usable]  # nan where there is no certificate yet
        looseness[np.isnan(looseness)] = inf
        looseness[reach[usable] == 0] = 1.0
        loosest = np.argsort(-looseness, kind="stable")[: np.sum(looseness >= LOOSE)]
        for k in progress(usable[loosest][:affordable].tolist(), "certificates, one Hessian each"):
            try:
                self._own_one(k)
            except SingularHessian as error:
                self.status[k] = "" if np.isfinite(reach[k]) else str(error)

    def _own_one(self, k: int) -> None:
        chosen = np.array([k])
        groups, left, theta = self.groups.take(chosen), self.left[chosen], self.theta[chosen]
        point = self.point.around(theta[0])
        anchor = point.anchor(left[0], groups[0])
        measured = point.measure(anchor, groups, theta, left)
        whitened = anchor.whiten(measured.gradient)
        norm, none = np.linalg.norm(whitened, axis=0), np.zeros(1)
        constants = self._constants(anchor, groups, theta, measured, np.ones(1), norm=norm, mismatch=none)
        self._record(chosen, constants, whitened.T, own=True)
        if self.found.own[k]:
            self.found.penalty_left[k] = left[0]
            if len(self.found.own_anchors) * anchor.entries < KEPT_ENTRIES:
                self.found.own_anchors[k] = anchor


def _why(constants: Constants, place: int) -> str:
    if np.isnan(constants.q[place]):
        return "the rows removed determine a coefficient alone (leverage 1)"
    return (
        "the curvature may change too much between these coefficients and the true ones"
        f" (|G| = {constants.q[place]:.2g}, rho = {constants.rho[place]:.2g},"
        f" sigma = {constants.sigma[place]:.2g}; e^sigma rho |G| must be below 1)"
    )


def _largest(values: FloatArray, most: int) -> _Largest:
    """Return the rows of the largest values, at most so many, and the values, from the largest on."""
    rows = np.argsort(-values)[:most]
    return rows, values[rows]


def _largest_outside(largest: _Largest, groups: Groups) -> FloatArray:
    """Return the largest of the values over rows outside each group, 0 where there are none."""
    result = np.zeros(len(groups))
    pending = np.ones(len(groups), dtype=np.bool_)
    for row, value in zip(*largest, strict=True):
        inside = np.zeros(len(groups), dtype=np.bool_)
        inside[groups.owners[groups.members == row]] = True
        result[pending & ~inside] = value
        pending &= inside
        if not pending.any():
            break
    return result
