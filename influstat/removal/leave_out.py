"""Leave rows or groups out, by the method that is asked for, in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from influstat.errors import IndefiniteHessian, SingularHessian, Unsupported
from influstat.input.groups import Groups, read_groups, read_rows
from influstat.input.progress import progress
from influstat.input.validation import choice
from influstat.input.warning import doubt
from influstat.minimise.descent import LARGEST_FACTORED
from influstat.minimise.minimum import Minimum, named_column
from influstat.removal.expansion import Expansion
from influstat.removal.gradients import blocks_of
from influstat.removal.methods.exact import ExactRefit
from influstat.removal.methods.first_order import FirstOrder
from influstat.removal.methods.general import OwnNewtonStep, OwnRefit
from influstat.removal.methods.newton_step import NewtonStep, Outcome
from influstat.removal.methods.quadratic import ClosedForm
from influstat.removal.methods.second_order import SecondOrder
from influstat.removal.result import Removal
from influstat.risks.linear import as_linear

METHODS = ("exact", "newton", "second_order", "influence")


class Method(Protocol):
    """A way to find theta without rows."""

    def remove(self, groups: Groups) -> Outcome:
        """Return theta without each group of one block."""
        ...


def leave_one_out(fit: Minimum, *, method: str = "exact", rows: Any = None) -> Removal:
    """Return the coefficients without each of the rows; `Fit.leave_one_out` says more."""
    return collect(fit, read_rows(rows, fit.row_labels), method)


def leave_groups_out(fit: Minimum, groups: Any, *, method: str = "exact") -> Removal:
    """Return the coefficients without each of the groups; `Fit.leave_groups_out` says more."""
    return collect(fit, read_groups(named_column(fit, groups), fit.row_labels), method)


def prepare(fit: Minimum, groups: Groups, method: str) -> Method:
    """Return the method, ready for these groups."""
    choice("method", method, METHODS)
    if method == "influence":
        return FirstOrder(fit)
    risk = as_linear(fit.risk)
    if risk is None:
        if method == "second_order":
            raise Unsupported(
                "method",
                'be "exact", "newton" or "influence" for a risk that is not a LinearRisk',
                "is 'second_order', which needs the loss's third derivative",
                "Choose one of these.",
            )
        return OwnNewtonStep(fit.risk, fit.theta) if method == "newton" else OwnRefit(fit.risk, fit.theta)
    expansion = Expansion(risk, fit.theta)
    if method == "second_order":
        return SecondOrder(expansion)
    if risk.quadratic and risk.shape[1] <= LARGEST_FACTORED:
        return ClosedForm(expansion, groups)
    if method == "newton":
        return NewtonStep(expansion, groups)
    if risk.shape[1] > LARGEST_FACTORED:
        return OwnRefit(risk, fit.theta)
    try:
        return ExactRefit(expansion, groups)
    except (SingularHessian, IndefiniteHessian):  # flat at theta-hat: nothing to share, not hopeless
        return OwnRefit(risk, fit.theta)


def in_blocks(fit: Minimum, groups: Groups, method: str) -> Iterator[Removal]:
    """Yield the removals of consecutive blocks."""
    prepared = prepare(fit, groups, method)
    for part in progress(blocks_of(fit, groups), "removals"):
        found = prepared.remove(part)
        theta = np.ascontiguousarray(found.theta.T)
        yield Removal(fit, method, part, theta, found.converged, tuple(found.status), found.gradient_norm)


def collect(fit: Minimum, groups: Groups, method: str) -> Removal:
    """Return all removals as one; an interrupt gives those done so far, the others marked."""
    k, p = len(groups), fit.risk.shape[1]
    theta, norms = np.full((k, p), np.nan), np.full(k, np.nan)
    converged = np.zeros(k, dtype=np.bool_)
    status = ["not done"] * k
    measured, done = True, 0
    try:
        for part in in_blocks(fit, groups, method):
            chosen = slice(done, done + len(part.groups))
            theta[chosen], converged[chosen], status[chosen] = part.theta, part.converged, part.status
            if part.measured_norm is None:
                measured = False
            else:
                norms[chosen] = part.measured_norm
            done = chosen.stop
    except KeyboardInterrupt:
        doubt(
            f"Interrupted after {done} of {k} removals: the others have theta nan and status 'not done'. "
            "Ask again for those, e.g. with rows=.",
        )
    return Removal(fit, method, groups, theta, converged, tuple(status), norms if measured else None)
