"""What is asked: a conclusion {a'theta > at} about one fit, and the units of rows that may leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import unit_rounding
from influstat.errors import InflustatError, InvalidArgument, InvalidType, NotStationary
from influstat.input.groups import Groups, all_alone, read_clusters
from influstat.input.labels import index_of, require_position
from influstat.input.printing import nearest_first, short
from influstat.input.validation import FloatArray, numeric_array, real_number, vector
from influstat.losses.base import has_estimated_derivatives
from influstat.minimise.minimum import Minimum, require_fit
from influstat.minimise.named_column import named_column
from influstat.minimise.remaining import STATIONARITY
from influstat.risks.chart import Chart
from influstat.risks.contract import Risk
from influstat.risks.linear import as_linear
from influstat.risks.penalties.active_l1 import active_l1
from influstat.sets.null_fit import NullFit, Problem, null_fit

LARGEST = 4000  # coefficients: beyond, nothing is factored
NEED = "name a coefficient, give its position, or be one number per coefficient (a contrast)"


@dataclass(frozen=True, eq=False)
class Question:
    """A conclusion and who may leave."""

    fit: Minimum  # the fit with all rows
    quantity: str  # what a'theta + shift is called
    a: FloatArray  # its direction, shape (p,)
    shift: float  # what is added to it, an offset
    at: float  # the threshold
    units: Groups  # rows, or clusters of them
    clusters: bool  # which of the two

    @cached_property
    def value(self) -> float:
        """The quantity with all rows."""
        return float(self.a @ self.fit.theta) + self.shift

    @cached_property
    def free(self) -> NDArray[np.intp]:
        """The units of weight above 0: those that count, and may leave."""
        return np.flatnonzero(self.units.sums(self.fit.risk.weights) > 0.0)

    def most(self, largest: int | None) -> int:
        """Return the size of the largest sets to look at: at least one unit stays."""
        return len(self.free) - 1 if largest is None else min(largest, len(self.free) - 1)

    def counted(self, units: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the units in order, without those that are never counted."""
        units = np.sort(np.asarray(units, dtype=np.intp))
        return units if len(self.free) == len(self.units) else units[np.isin(units, self.free)]

    @property
    def sign(self) -> float:
        """1 where the quantity is above the threshold, -1 where it is below."""
        return 1.0 if self.value > self.at else -1.0

    @cached_property
    def problem(self) -> Problem | None:
        """The conclusion in coordinates in which proofs are made; None for risks that have none."""
        regular = self.fit.regular
        risk = as_linear(regular.risk)
        if risk is None or risk.shape[1] > LARGEST:
            return None
        a, at = self.a, self.at - self.shift
        chart = self.fit.chart if isinstance(self.fit.chart, Chart) else None  # no linear risk has another
        if chart is not None:
            at -= float(a @ self.fit.theta)
            a = chart.rows(a[None])[0]
        return Problem(risk, regular.theta, self.sign * a, self.sign * at, self.units, chart)

    @cached_property
    def null(self) -> NullFit | InflustatError | None:
        """The fit of all rows under the null, or why there is none; None for risks that have no `problem`."""
        if self.problem is None:
            return None
        try:
            return null_fit(self.problem)
        except InflustatError as error:
            return error

    @property
    def touching(self) -> bool:
        """Whether the value is at the threshold as far as float64 can tell."""
        size = float(np.abs(self.a) @ np.abs(self.fit.theta)) + abs(self.shift) + abs(self.at)
        if abs(self.value - self.at) <= unit_rounding(len(self.a)) * size:
            return True
        # A coefficient that is 0 by symmetry, or by a perfect fit, comes out as rounding: so does its score.
        null = self.null
        return isinstance(null, NullFit) and abs(null.N0) <= null.margin

    def moved(self, at: float) -> Question:
        """Return the question for another threshold."""
        return replace(self, at=at)

    @property
    def unproven(self) -> str:
        """Why nothing can be proven about this risk, "" where something can."""
        return _unproven(self.fit.risk)


def _unproven(risk: Risk) -> str:
    linear = as_linear(risk)
    if linear is None:
        return f"a {type(risk).__name__} has no linear predictor per row"
    if linear.shape[1] > LARGEST:
        return f"there are more than {LARGEST} coefficients"
    if not np.isfinite(linear.loss.self_concordance):
        return f"{linear.loss!r} has no finite self_concordance"
    if has_estimated_derivatives(linear.loss):
        return f"the derivatives of {linear.loss!r} are estimated"
    if active_l1(linear.penalty) is not None:
        return "columns can enter or leave under an absolute-value penalty"
    if not linear.penalty.constant_hessian:
        return f"{linear.penalty!r} is not quadratic"
    return ""


def question(
    fit: Minimum,
    quantity: str,
    a: FloatArray,
    *,
    shift: float = 0.0,
    at: Any = 0.0,
    groups: Any = None,
    beside: bool = True,
) -> Question:
    """Return the question, its arguments checked; with `beside` the value may not be at the threshold."""
    threshold = real_number("at", at)
    _require_minimum(fit)
    if not a.any():
        raise InvalidArgument(
            "fit", f"have a {quantity} that depends on its coefficients", "has one that depends on none",
            "Ask about another row or quantity: no removal moves this one.",
        )  # fmt: skip
    _require_determined(fit, quantity, a)
    labels = fit.row_labels
    units = all_alone(labels) if groups is None else _clusters(fit, groups)
    found = Question(fit, quantity, a, shift, threshold, units, groups is not None)
    _require_two(found)
    if beside and found.touching:
        raise InvalidArgument(
            "at",
            f"differ from the value of {quantity}, {found.value:.6g}",
            f"is {threshold:.6g}",
            "A conclusion without any margin is flipped as it is: choose another threshold.",
        )
    return found


def signed_question(fit: Minimum, name: str, a: FloatArray, groups: Any) -> Question:
    """Return the question about the sign of a coefficient where no threshold can be chosen."""
    found = question(fit, name, a, groups=groups, beside=False)
    if found.touching:
        raise InvalidArgument(
            "coefficient", "have a sign", f"is {name}, which is 0 up to rounding", "Ask about another one."
        )
    return found


def _clusters(fit: Minimum, groups: Any) -> Groups:
    """Return the clusters that a caller gives by one label per row."""
    names, owner = read_clusters(named_column(fit, groups), fit.row_labels)
    order = np.argsort(owner, kind="stable")
    return Groups(order, np.searchsorted(owner[order], np.arange(len(names) + 1)).astype(np.intp), names)


def _require_two(asked: Question) -> None:
    """Raise unless a unit of weight above 0 is left without any other."""
    if len(asked.free) > 1:
        return
    label = short(asked.units.labels.tolist()[int(asked.free[0]) if len(asked.free) else 0])
    if asked.clusters:
        where = "" if len(asked.units) == 1 else " in all rows of weight above 0"
        was = f"is {label} throughout" if not where else f"is {label}{where}"
        raise InvalidArgument("groups", "have two or more values" + where, was, "No row would be left.")
    raise InvalidArgument(
        "fit", "have two or more rows of weight above 0", f"has only row {label}", "No row would be left."
    )


def _require_minimum(fit: Minimum) -> None:
    if require_fit(fit).stationarity > STATIONARITY:
        raise NotStationary(
            "fit",
            f"be at the minimum of its risk (a relative gradient of at most {STATIONARITY:.0e})",
            f"has {fit.stationarity:.3g}",
            "Pass polish=True to ist.from_sklearn or ist.from_statsmodels if it comes from there: libraries "
            "often stop near enough for removals, but not for proofs. Finish another with "
            "ist.Fit.minimise(risk, start=theta).",
        )


def _require_determined(fit: Minimum, quantity: str, a: FloatArray) -> None:
    chart = fit.chart
    if chart is not None and not chart.coordinates.full and not chart.coordinates.estimable(a[None])[0]:
        raise InvalidArgument(
            "coefficient",
            "be determined by the rows",
            f"is {quantity}, which is not, since columns depend on each other",
            f"Ask about another one; not determined are {', '.join(fit.lost[:5])}.",
        )


def coefficient_of(fit: Minimum, coefficient: Any) -> tuple[str, FloatArray]:
    """Return what a coefficient is called and its direction, from its name, its position or a contrast."""
    names = require_fit(fit).names
    p = len(names)
    if isinstance(coefficient, str):
        if names.count(coefficient) != 1:
            many = names.count(coefficient)
            was = f"is {short(coefficient)}" + (f", the name of {many}" if many else "")
            raise InvalidArgument(
                "coefficient", NEED, f"{was}; the names are {nearest_first(coefficient, names)}",
                "Pass one of these names, or a position.",
            )  # fmt: skip
        return _axis(names, names.index(coefficient))
    if isinstance(coefficient, (int, np.integer)) and not isinstance(coefficient, (bool, np.bool_)):
        if not -p <= coefficient < p:
            raise InvalidArgument(
                "coefficient", NEED, f"is {int(coefficient)}", f"Pass a position from 0 to {p - 1}."
            )
        require_position("coefficient", int(coefficient), names)
        return _axis(names, int(coefficient) % p)
    numeric = isinstance(coefficient, (Sequence, np.ndarray)) or hasattr(coefficient, "to_numpy")
    if not numeric or isinstance(coefficient, bytes):
        raise InvalidType("coefficient", NEED, f"is {short(coefficient)}", "Pass one of fit.names.")
    if np.shape(numeric_array("coefficient", coefficient)) != (p,):
        raise InvalidArgument(
            "coefficient",
            NEED,
            f"has shape {np.shape(coefficient)}",
            f"Pass {p} numbers, one per coefficient.",
        )
    a = vector("coefficient", coefficient, p, per="coefficient")
    single = np.flatnonzero(a)
    if not len(single):
        raise InvalidArgument("coefficient", NEED, "is 0 for every coefficient", "Name one of fit.names.")
    if len(single) == 1 and a[single[0]] == 1.0:
        return names[single[0]], a
    return _contrast_text(names, a), a


def _axis(names: tuple[str, ...], position: int) -> tuple[str, FloatArray]:
    a = np.zeros(len(names))
    a[position] = 1.0
    return names[position], a


def _contrast_text(names: tuple[str, ...], a: FloatArray) -> str:
    """Return a contrast in words, its first terms."""
    terms = [f"{a[j]:+.4g} {names[j]}" for j in np.flatnonzero(a)]
    return " ".join(terms[:3]) + (" ..." if len(terms) > 3 else "")


def labels_of(units: Groups, chosen: Any) -> Any:
    """Return the labels of the chosen units as a pandas index: what `DataFrame.drop(index=...)` takes."""
    return index_of(units.labels[np.asarray(chosen, dtype=np.intp)])
