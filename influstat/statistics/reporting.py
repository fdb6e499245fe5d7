"""What goes into a `CoefficientReport`: which rows or groups, their measures, and what flags them.

For rows `hat_diag` and `cooks_d` are those of `Fit.diagnostics`. For groups `hat_diag` is the sum of the
leverages, the trace of the group's block of the hat matrix (MacKinnon, Nielsen and Webb 2023), and `cooks_d`
Cook's distance of the group left out and refitted, (theta - theta_-g)'S(theta - theta_-g) / (phi edf) (Cook
and Weisberg 1982, section 3.6), with S, phi and edf as in `influstat.statistics.diagnostics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.input.groups import Groups
from influstat.input.labels import label_text, require_position
from influstat.input.printing import among, nearest_first, short
from influstat.input.validation import FloatArray, whole_number
from influstat.input.warning import doubt, unsaid
from influstat.minimise.minimum import Minimum
from influstat.minimise.named_column import groups_or_rows
from influstat.removal.leave_out import collect
from influstat.risks.linear import require_linear
from influstat.statistics.diagnostics import diagnostics
from influstat.statistics.dispersion import counts_of
from influstat.statistics.dispersion import dispersion as dispersion_from
from influstat.statistics.flags import RULES, flags
from influstat.statistics.inference import Inference
from influstat.statistics.leverage import leverage_of
from influstat.statistics.read_inference import inference
from influstat.statistics.refusals import remedied
from influstat.statistics.report import SHOWN, CoefficientReport

SIGN, SIGNIFICANCE = "sign changes", "significance changes"
Measures = dict[str, FloatArray]
Marks = NDArray[np.bool_]


def coefficient_report(
    fit: Minimum, coefficient: Any, *, top: int, groups: Any, by: Inference | None
) -> CoefficientReport:
    """Return the report; `Fit.report` says more."""
    j, many = position_of(fit, coefficient), whole_number("top", top, at_least=1)
    made_by = checked(fit, by, 'Call fit.report(name, inference=fit.inference("HC0")).')
    everything = groups_or_rows(fit, groups)
    size = np.abs(collect(fit, everything, "newton", whole=True).delta[:, j])
    # Removals without a Newton step come first: something is the matter with them.
    found = made_by.without_each(everything.take(_largest(size)[:many]))
    order = _largest(np.abs(found.change("estimates")[:, j]))
    chosen = found.groups.take(order)
    values = {name: found.after(name)[order, j] for name in SHOWN}
    whole = {name: float(found.before(name)[j]) for name in SHOWN}
    with unsaid():  # of rows not shown; those shown have a status
        if everything.single:
            measures, marks, reasons = _of_rows(fit, chosen.members, j)
            unflagged = "" if marks else "Fit.flags has no rules for the rows of this fit"
        else:
            measures, reasons = _of_groups(fit, chosen, found.estimates[order]), [""] * len(chosen)
            marks, unflagged = {}, "Fit.flags has rules for single rows, not for groups"
    lost = np.isnan(values["lower"])
    status = [found.status[k] if gone else why for k, gone, why in zip(order, lost, reasons, strict=True)]
    bad = [f"without {label_text(chosen.labels[k])}: {text}" for k, text in enumerate(status) if text]
    if bad:
        doubt(f"{len(bad)} of {len(chosen)} lines of the report hold a nan (`status` says why), {bad[0]}")
    marks |= _crossings(values, whole)
    words = _in_words(marks, len(chosen))
    called = "" if everything.single else _called(groups, chosen.labels)
    return CoefficientReport(
        fit.names[j], chosen, measures, values, whole, words, tuple(status), made_by, unflagged, called
    )


def _called(groups: Any, labels: NDArray[Any]) -> str:
    """Return the name of the groups' column; without one "group" before numbers, nothing before names."""
    name = groups if isinstance(groups, str) else getattr(groups, "name", None)
    if isinstance(name, str) and name:
        return name
    return "group" if all(isinstance(label, Number) for label in labels.tolist()) else ""


def _largest(sizes: FloatArray) -> NDArray[np.intp]:
    """Return the positions of the largest sizes, nan before all others."""
    return np.argsort(-np.where(np.isnan(sizes), np.inf, sizes), kind="stable")


def position_of(
    fit: Minimum, coefficient: Any, argument: str = "coefficient", categoricals: Sequence[str] = ()
) -> int:
    """Return the position of a coefficient, given by name or position, that the fit determines; or raise."""
    # Where categoricals may be asked for too, their names are offered, of which "C(group)" is none.
    if isinstance(coefficient, str):
        found = [k for k, name in enumerate(fit.names) if name == coefficient]
        if len(found) != 1:
            was = f"{among(coefficient, len(found))}; there are "
            raise InvalidArgument(
                argument,
                f"be the name of one coefficient{' or categorical' if categoricals else ''}, or its position",
                was + nearest_first(coefficient, (*categoricals, *fit.names)),
                "Pass one of these, or a position.",
            )
        position = found[0]
    elif coefficient is None or hasattr(coefficient, "__iter__"):
        raise InvalidType(
            argument,
            "be the name of one coefficient, or its position",
            f"is {short(coefficient)}",
            f"Ask for one at a time: {fit.names[0]!r}, for example.",
        )
    else:
        position = whole_number(argument, coefficient, at_least=0)
        if position >= len(fit.names):
            need = f"be a name or a position below {len(fit.names)}"
            raise InvalidArgument(argument, need, f"is {position}", "Pass a smaller one.")
        require_position(argument, position, fit.names)
    if fit.names[position] in fit.lost:
        raise InvalidArgument(
            argument,
            "be one that the rows determine",
            f"is {fit.names[position]!r}, whose column depends on others",
            f"Drop one of {', '.join(fit.lost[:5])}, and fit again.",
        )
    return position


def checked(fit: Minimum, by: Inference | None, remedy: str) -> Inference:
    """Return the inference to report by: the fit's own where nothing is said, which `remedy` avoids."""
    if by is None:
        with remedied(remedy):
            own = inference(fit)
            own.table  # noqa: B018  some settings are refused only here
        return own
    if not isinstance(by, Inference):
        raise InvalidType("inference", "be an Inference", f"is {short(by)}", 'Pass fit.inference("HC3").')
    if by.fit is not fit:
        was = "is about another one"
        raise InvalidArgument("inference", "be about this fit", was, "Pass what fit.inference() returns.")
    return by


def _of_rows(fit: Minimum, rows: NDArray[np.intp], j: int) -> tuple[Measures, dict[str, Marks], list[str]]:
    """Return leverage and Cook's distance of the rows, what R's rules flag, and why something is nan."""
    measures: Measures = {}
    marks: dict[str, Marks] = {}
    reasons = [""] * len(rows)
    with suppress(Unsupported):
        frame = diagnostics(fit)
        known = [column for column in ("hat_diag", "cooks_d") if column in frame]
        measures = {column: frame[column].to_numpy()[rows] for column in known}
        missing: Marks = np.isnan(np.array(list(measures.values()))).any(axis=0)
        reasons = [frame.attrs["status"][row] if missing[k] else "" for k, row in enumerate(rows)]
        flagged = flags(fit)
        called = flagged.columns.to_numpy() == f"dfb_{fit.names[j]}"
        own = np.flatnonzero(called)[fit.names[:j].count(fit.names[j])]  # of several with one name, the j-th
        marks = {"dfbetas": flagged.iloc[:, own].to_numpy()[rows]}
        marks |= {one: flagged[one].to_numpy()[rows] for one in RULES["R"] if one in flagged}
    return measures, marks, reasons


def _of_groups(fit: Minimum, groups: Groups, theta: FloatArray) -> Measures:
    """Return the sum of the leverages and Cook's distance of groups whose refits are theta, (k, p)."""
    measures: Measures = {}
    with suppress(Unsupported):
        leverage = leverage_of(fit, fit.stated.information)
        measures["hat_diag"] = groups.sums(leverage.values)
        phi = dispersion_from(leverage, counts_of(fit, None), given=fit.stated.dispersion)
        risk, freedom = require_linear(fit.risk, "leverages"), leverage.effective_degrees_of_freedom
        delta = (theta - fit.theta).T
        moved = risk.design.dot(np.ascontiguousarray(delta))
        squares = (risk.weights * leverage.second) @ moved**2
        squares += np.einsum("jk,jk->k", delta, risk.penalty.hessian(fit.theta).dense() @ delta)
        measures["cooks_d"] = squares / (phi.value * freedom)
    return measures


def _crossings(values: Measures, whole: dict[str, float]) -> dict[str, Marks]:
    """Return where the estimate changes its sign, and where its interval comes to cover 0 or ceases to."""
    covers = (values["lower"] <= 0.0) & (values["upper"] >= 0.0)
    covered = whole["lower"] <= 0.0 <= whole["upper"]
    return {
        SIGN: np.asarray(values["estimates"] * whole["estimates"] < 0.0),
        SIGNIFICANCE: np.asarray((covers != covered) & ~np.isnan(values["lower"])),
    }


def _in_words(marks: dict[str, Marks], k: int) -> tuple[str, ...]:
    """Return the names of the marks that each of the k lines has."""
    return tuple(", ".join(name for name, marked in marks.items() if marked[i]) for i in range(k))
