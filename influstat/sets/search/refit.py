"""The refit without a set of units, by the library's own exact removal: nothing else counts as found.

A set has no refit where the rows left do not determine the quantity, or have no finite fit: where classes
are separated by some column then, the loss falls for ever as its coefficient grows, whatever becomes of the
quantity on the way. (A column that no row has any more is another matter: its coefficient is not missed.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.minimise.existence import existence_of
from influstat.minimise.minimum import Minimum
from influstat.removal.leave_out import collect
from influstat.removal.result import Removal
from influstat.risks.contract import left_over
from influstat.risks.linear import as_linear
from influstat.sets.question import Question

CLEAR = 1e-9  # of the distance to the threshold, where a refit has no certificate: its own relative gradient
LOST, ENDLESS = "lost", "endless"  # why there is no refit


@dataclass(frozen=True, eq=False)
class Left:
    """What is left without a set of units."""

    # Why there is no refit, so that nothing can flip: "lost", the rows left do not determine the quantity;
    # "endless", their risk has no finite minimiser; "" where there is one.
    missing: str
    removal: Removal | None = None  # None where no row is left

    @property
    def theta(self) -> FloatArray:
        """A minimiser, shape (p,), where there is a refit: any one will do for what is determined."""
        assert self.removal is not None
        return np.asarray(self.removal.solution[0])

    @property
    def converged(self) -> bool:
        """Whether there is a refit that has come to its end."""
        return not self.missing and self.removal is not None and bool(self.removal.converged[0])


def left_without(asked: Question, units: Indices) -> Left:
    """Return what is left of the question without these units."""
    rows = asked.units.members[units] if asked.units.single else asked.units.take(units).members
    if not np.delete(asked.fit.risk.weights, rows).any():
        return Left(LOST)
    group = Groups(rows, np.array([0, len(rows)], dtype=np.intp), np.array(["removed"]))
    removal = collect(asked.fit, group, "exact", whole=True)
    if removal.determined is not None and not removal.determined.of(asked.a[None])[0, 0]:
        return Left(LOST, removal)
    if not np.isfinite(removal.solution[0]).all():
        return Left(ENDLESS, removal)
    partly = removal.determined is not None
    return Left(ENDLESS if partly and falls_without(asked.fit, rows) else "", removal)


def falls_without(fit: Minimum, rows: Indices) -> bool:
    """Tell whether the risk of the other rows falls for ever where that of all rows does not."""
    known = fit.regular
    risk = as_linear(known.risk)
    if risk is not None and risk.quadratic:
        return False
    return existence_of(left_over(known.risk, rows)).flight(known.theta) is not None


@dataclass(frozen=True, eq=False)
class Refit:
    """What a refit without a set of units says."""

    units: Indices  # the set, shape (k,)
    value: float  # the quantity without it; nan where it is not determined
    error: float  # proven bound on the value's error; nan without a certificate
    flips: bool  # whether the value is at the threshold or beyond, by more than the error
    missing: str = ""  # why there is no value, as in `Left`


def refitted(asked: Question, units: Indices) -> Refit:
    """Return what the refit without these units says about the question."""
    left = left_without(asked, units)
    if left.missing or left.removal is None:
        return Refit(units, np.nan, np.nan, False, left.missing)
    value = float(asked.a @ left.theta) + asked.shift
    whole = left.removal.determined is None
    error = float(left.removal.certificate.error(asked.a[None])[0, 0]) if whole else np.nan
    beyond = asked.sign * (asked.at - value)
    if np.isfinite(error):
        flips = beyond >= error
    else:  # an absolute-value penalty brings coefficients to 0 itself
        flips = beyond >= CLEAR * abs(asked.value - asked.at) or value == asked.at
    return Refit(units, value, error, left.converged and flips)
