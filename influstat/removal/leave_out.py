"""Leave rows or groups out, by the method that is asked for, in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from influstat.algebra.coordinates import Coordinates
from influstat.errors import IndefiniteHessian, InvalidArgument, SingularHessian, Unsupported
from influstat.input.groups import Groups, read_groups, read_rows
from influstat.input.labels import label_text
from influstat.input.progress import progress
from influstat.input.validation import FloatArray, choice
from influstat.input.warning import doubt, doubt_once
from influstat.minimise.descent import LARGEST_FACTORED
from influstat.minimise.minimum import Minimum, require_fit
from influstat.minimise.named_column import named_column
from influstat.removal.class_expansion import ClassExpansion
from influstat.removal.determined import Determined, partial_refit
from influstat.removal.elsewhere import doubt_elsewhere
from influstat.removal.engine.class_rows import planned_classes, planned_rows
from influstat.removal.engine.plan import Plan, seconds_of
from influstat.removal.engine.shared import Shared
from influstat.removal.gradients import blocks
from influstat.removal.in_use import in_use
from influstat.removal.methods.active_set import refit_of
from influstat.removal.methods.base import Method, Outcome, without
from influstat.removal.methods.exact import ExactRefit
from influstat.removal.methods.first_order import FirstOrder
from influstat.removal.methods.general import OwnNewtonStep, OwnRefit
from influstat.removal.methods.newton_step import NewtonStep
from influstat.removal.methods.quadratic import ClosedForm
from influstat.removal.methods.second_order import SecondOrder
from influstat.removal.result import Removal
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.linear import LinearRisk, as_linear

NOT_DONE = "not done"
LONG = 1e12  # operations below which nobody waits an hour, on any machine
OWN_PRODUCTS = 100.0  # products with the Hessian in a Newton iteration by conjugate gradients
METHODS = ("exact", "newton", "second_order", "influence")


def leave_one_out(fit: Minimum, *, method: str = "exact", rows: Any = None) -> Removal:
    """Return the coefficients without each of the rows; `Fit.leave_one_out` says more."""
    return collect(fit, read_rows(rows, require_fit(fit).row_labels), method)


def leave_groups_out(fit: Minimum, groups: Any, *, method: str = "exact") -> Removal:
    """Return the coefficients without each of the groups; `Fit.leave_groups_out` says more."""
    read = read_groups(named_column(require_fit(fit), groups), fit.row_labels)
    removal = collect(fit, read, method)
    return replace(removal, status=read.named(removal.status, but=NOT_DONE))


def announced(removal: Removal) -> Removal:
    """Return the removals; warn once for each fit of those that hold a nan, and of other local minima."""
    doubt_elsewhere(removal)
    marked = np.array([k for k, text in enumerate(removal.status) if text not in ("", NOT_DONE)], dtype=int)
    bad = marked[np.isnan(removal.theta[marked]).any(axis=1)]
    if bad.size:
        first = int(bad[0])
        single = removal.groups.single
        row = f", row {label_text(removal.fit.row_labels[removal.rows[first]])}" if single else ""
        doubt_once(
            removal.fit,
            f"{len(bad)} of {len(removal.groups)} removals hold coefficients that are nan (`status` says "
            f"why). The first{row}: {removal.status[first]}",
            removal.method,
        )
    elif removal.fit.lost:
        doubt_once(
            removal.fit,
            f"{len(removal.fit.lost)} of {len(removal.fit.names)} coefficients are nan without any row too: "
            f"{_lost(removal.fit)}. Predictions and losses that the rows determine are right.",
            removal.method,
        )
    return removal


def _lost(fit: Minimum) -> str:
    """Return which coefficients are not determined, and why."""
    named = as_linear(fit.risk) is not None or class_predictors_of(fit.risk) is not None
    why = "columns depend on each other" if named else "no row's loss changes along some direction of them"
    return f"{', '.join(fit.lost[:5])} {'is' if len(fit.lost) == 1 else 'are'} not determined, since {why}"


def prepare(fit: Minimum, groups: Groups, method: str) -> Method:
    """Return the method, ready for these groups."""
    choice("method", method, METHODS)
    if method == "influence":
        return FirstOrder(fit)
    risk = as_linear(fit.risk)
    classes = class_predictors_of(fit.risk)
    if classes is not None and fit.risk.shape[1] <= LARGEST_FACTORED:
        return _class_method(ClassExpansion(classes, fit.theta, fit.risk), groups, method)
    if risk is None:
        if method == "second_order":
            raise Unsupported(
                "method",
                'be "exact", "newton" or "influence" for a risk that is not a LinearRisk or softmax',
                "is 'second_order', which needs the loss's third derivative",
                "Choose one of these.",
            )
        return OwnNewtonStep(fit.risk, fit.theta) if method == "newton" else OwnRefit(fit.risk, fit.theta)
    shared = Shared.of(fit, risk)
    if method == "second_order":
        return SecondOrder(shared.expansion)
    return _linear_method(risk, fit, shared, groups, method)


def _class_method(expansion: ClassExpansion, groups: Groups, method: str) -> Method:
    """Return the method for rows with one predictor per class."""
    if method == "second_order":
        return SecondOrder(expansion)
    try:
        if method == "newton":
            return NewtonStep(expansion, groups)
        return ExactRefit(expansion, groups, *planned_rows(expansion, groups))
    except (SingularHessian, IndefiniteHessian):  # flat at theta-hat: nothing to share
        kind = OwnNewtonStep if method == "newton" else OwnRefit
        return kind(expansion.risk, expansion.theta)


def _linear_method(risk: LinearRisk, fit: Minimum, shared: Shared, groups: Groups, method: str) -> Method:
    """Return the Newton step or the exact refit of one linear predictor per row."""
    if risk.quadratic and risk.shape[1] <= LARGEST_FACTORED:
        return ClosedForm(shared.expansion, groups)
    if method == "newton":
        return NewtonStep(shared.expansion, groups)
    if risk.shape[1] > LARGEST_FACTORED:
        own = OwnRefit(risk, fit.theta)
        own.operations = _own_refits(risk, len(groups)).operations
        return own
    try:
        plan, rows = shared.planned(groups)
        return ExactRefit(shared.expansion, groups, plan, rows, shared.third_order(groups, plan.swept))
    except (SingularHessian, IndefiniteHessian):  # flat at theta-hat: nothing to share, not hopeless
        return OwnRefit(risk, fit.theta)


def plan_of(fit: Minimum, groups: Groups) -> Plan:
    """Return how `prepare` goes about exact refits."""
    fit, _ = _coordinates(fit)
    n, p = fit.risk.shape
    risk, k = as_linear(fit.risk), len(groups)
    classes = class_predictors_of(fit.risk)
    if classes is not None and p <= LARGEST_FACTORED:
        return planned_classes(ClassExpansion(classes, fit.theta), groups)[0]
    if risk is None:
        return Plan(k, order=1, kept=0, swept=k, operations=np.nan)
    if risk.quadratic and p <= LARGEST_FACTORED:
        return Plan(k, order=0, kept=0, swept=0, operations=8.0 * (n + k) * p**2)
    if p > LARGEST_FACTORED:
        return _own_refits(risk, k)
    return Shared.of(fit, risk).plan(groups)


def _own_refits(risk: LinearRisk, k: int) -> Plan:
    n, p = risk.shape
    stored = min(p, risk.design.most_in_row)
    return Plan(k, order=1, kept=0, swept=k, operations=k * OWN_PRODUCTS * 4.0 * n * stored)


def _say_if_long(prepared: Method) -> None:
    """Warn before removals that would take more than an hour are begun."""
    if prepared.operations < LONG:
        return
    hours = seconds_of(prepared.operations) / 3600.0
    if hours > 1.0:
        doubt(
            f"These removals will take about {hours:.1f} hours (ist.removal.plan). Ask for fewer with rows= "
            'or groups=, or use method="newton", whose bounds need no refit. An interrupt keeps what is done.'
        )


def in_blocks(fit: Minimum, groups: Groups, method: str) -> Iterator[Removal]:
    """Yield the removals of consecutive blocks."""
    inner, lift = _coordinates(fit)
    prepared = prepare(inner, groups, method)
    _say_if_long(prepared)
    settle = refit_of(fit) if method == "exact" else None
    parts = list(blocks(fit.risk, groups, prepared.at_once))
    for part in progress(parts, "removals"):
        found, there = _removed(prepared, part, inner.risk.shape[1]), None
        if lift is not None:
            there = np.ascontiguousarray(found.theta.T)
            found = Outcome(fit.theta[:, None] + lift(found.theta), found.converged, found.status)
        if settle is not None:
            found, changed = settle.settled(found, part)
            if there is not None:
                there[changed] = np.nan  # found in columns of its own
        yield _removal(fit, method, part, found, there)


def _coordinates(fit: Minimum) -> tuple[Minimum, Callable[[FloatArray], FloatArray] | None]:
    """Return the minimum in the coordinates to work in, and what takes changes there back to theta."""
    space, chart = fit.row_space, fit.chart
    if space is not None:
        return Minimum(space.risk, space.start, tolerance=np.inf), space.lift
    if chart is None:
        return in_use(fit) or (fit, None)
    return fit.regular, chart.lift


def _removal(
    fit: Minimum, method: str, groups: Groups, found: Outcome, inner: FloatArray | None = None
) -> Removal:
    """Return the removals of one block, those that leave something undetermined refitted for the rest."""
    theta, status = np.ascontiguousarray(found.theta.T), list(found.status)
    converged, norm = found.converged.copy(), found.gradient_norm
    shared = None if fit.chart is None else fit.chart.coordinates
    coordinates: list[Coordinates | None] = [shared] * len(groups)
    linear = as_linear(fit.risk)
    exact = method == "exact" or (linear is not None and linear.quadratic)
    for k in [k for k, text in enumerate(status) if text]:
        again = partial_refit(fit.risk, fit.theta, groups[k], exact=exact)
        if again is not None:
            theta[k], coordinates[k], status[k] = again.theta, again.coordinates, again.reason
            converged[k], norm = exact, None
            if inner is not None:
                inner[k] = np.nan  # found in coordinates of its own
    determined = None
    if any(one is not None and not one.full for one in coordinates):
        determined, norm = Determined(theta.copy(), tuple(coordinates)), None
        for row, one in zip(theta, coordinates, strict=True):
            if one is not None:
                row[~one.determined] = np.nan
    known = theta, converged, tuple(status), norm, found.entering
    return Removal(fit, method, groups, *known, determined, inner)


def _removed(prepared: Method, groups: Groups, p: int) -> Outcome:
    """Return theta without each group of a block; one whose refit a caller's function refuses fails alone."""
    try:
        return prepared.remove(groups)
    except Unsupported:  # of every group
        raise
    except InvalidArgument as error:
        if len(groups) == 1:
            nowhere = np.full((p, 1), np.nan)
            return Outcome(
                nowhere, np.zeros(1, dtype=np.bool_), [without(groups[0], str(error))], np.full(1, np.nan)
            )
        halves = np.array_split(np.arange(len(groups)), 2)
        found = [_removed(prepared, groups.take(half), p) for half in halves]
    norms = [part.gradient_norm for part in found if part.gradient_norm is not None]
    return Outcome(
        np.concatenate([part.theta for part in found], axis=1),
        np.concatenate([part.converged for part in found]),
        [text for part in found for text in part.status],
        np.concatenate(norms) if len(norms) == len(found) else None,
        _stacked([part.entering for part in found if part.entering is not None], len(groups)),
    )


def marked_blocks(fit: Minimum, groups: Groups, method: str) -> Iterator[Removal]:
    """Yield the removals of consecutive blocks; an interrupt leaves the others nan, marked."""
    done = 0
    try:
        for part in in_blocks(fit, groups, method):
            yield part
            done += len(part.groups)
    except KeyboardInterrupt:
        doubt(
            f"Interrupted after {done} of {len(groups)} removals: the others have theta nan and status "
            f"{NOT_DONE!r}. Ask again for those, e.g. with rows=.",
        )
        left = groups.take(slice(done, None))
        k = len(left)
        nowhere, no_norms = np.full((k, fit.risk.shape[1]), np.nan), np.full(k, np.nan)
        yield Removal(fit, method, left, nowhere, np.zeros(k, dtype=np.bool_), (NOT_DONE,) * k, no_norms)


def collect(fit: Minimum, groups: Groups, method: str, *, whole: bool = False) -> Removal:
    """Return all removals as one; an interrupt marks those not done, or passes where the `whole` counts."""
    parts, theta, done = list[Removal](), np.empty((len(groups), fit.risk.shape[1])), 0
    # What ranks or adds up removals needs every one of them.
    for part in in_blocks(fit, groups, method) if whole else marked_blocks(fit, groups, method):
        place = slice(done, done := done + len(part.groups))
        theta[place] = part.theta
        parts.append(replace(part, theta=theta[place]))
    measured = [part.measured_norm for part in parts if part.measured_norm is not None]
    partly = any(part.determined is not None for part in parts)
    found = [part.inner for part in parts if part.inner is not None]
    inner = np.full((len(groups), found[0].shape[1]), np.nan) if found else None  # nan: not done
    if inner is not None:
        np.concatenate(found, out=inner[: sum(map(len, found))])
    return Removal(
        fit,
        method,
        groups,
        theta,
        np.concatenate([part.converged for part in parts]),
        tuple(text for part in parts for text in part.status),
        np.concatenate(measured) if len(measured) == len(parts) else None,
        _stacked([part.entering for part in parts if part.entering is not None], len(groups)),
        Determined.joined(parts) if partly else None,
        inner,
    )


def _stacked(parts: list[Any], k: int) -> Any:
    """Return the coefficients of columns let in as one csr_array (k, q), 0 for removals not done."""
    if not parts:
        return None
    done = sp.vstack(parts, format="csr")
    done.resize((k, done.shape[1]))
    return done
