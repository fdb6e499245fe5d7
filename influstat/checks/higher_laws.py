"""The law of a loss's fourth derivative and of its bounds, on which refits in linear time rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.checks.compare import compare
from influstat.checks.report import Finding
from influstat.checks.sample import Sample
from influstat.losses.base import higher_bounds
from influstat.numerics.derivatives import ridders

TOLERANCE = 1e-7  # differences of a third derivative, relative to what it is within one width
SLACK = 1.0 + 1e-6  # of a bound that is attained, each side with the rounding of its exponentials


def fourth_derivative(loss: Any, sample: Sample) -> Finding:
    """`fourth` against differences of `third`; |l4| <= c4 l2, |l5| <= c5 l2: where the loss declares them."""
    bounds = higher_bounds(loss)
    if bounds is None:
        return Finding("", True, where="not declared")
    c4, c5 = (float(c) for c in bounds)
    if not (0.0 <= c4 < np.inf and 0.0 <= c5 < np.inf):
        return Finding("", False, cause=f"higher_bounds is {bounds}: leave it out where there are none")
    y, eta, n = sample.y, sample.eta, len(sample.eta)
    fourth, third, second = (np.asarray(f(y, eta)) for f in (loss.fourth, loss.third, loss.second))
    truth = ridders(lambda r, rows: loss.third(y[rows], eta[rows] + r), 1, n=n, width=sample.width)
    below = np.abs(third) / sample.width + c4 * second
    finding = compare(
        fourth, truth.value, tolerance=TOLERANCE, size=below, allowance=truth.error, place=sample.place
    )
    if not finding.passed:
        return finding.because("`fourth` is not the derivative of `third`")
    fifth = ridders(lambda r, rows: loss.fourth(y[rows], eta[rows] + r), 1, n=n, width=sample.width)
    for name, value, error, c in (("l4", fourth, 0.0, c4), ("l5", fifth.value, fifth.error, c5)):
        excess = np.abs(value) - error - SLACK * c * second
        worst = (int(np.argmax(excess)),)
        limit = TOLERANCE * float(np.max(c * second))
        if excess[worst] > limit:
            cause = f"|{name}| <= {c:g} l2 does not hold: higher_bounds must hold for every y and eta"
            return Finding("", False, float(excess[worst]), limit, sample.place(worst), cause)
    return Finding("", True)
