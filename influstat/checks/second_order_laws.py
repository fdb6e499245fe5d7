"""Laws of a risk's Hessian, and of what changes with the weights."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from influstat.checks.compare import compare
from influstat.checks.point import ALGEBRA, DIRECTIONS, Point, unsettled
from influstat.checks.report import Finding
from influstat.checks.sample import Sample
from influstat.input.validation import FloatArray
from influstat.losses.base import higher_bounds
from influstat.numerics.derivatives import ridders
from influstat.risks.protocol import Protocol

ROWS = 4  # left out one at a time
TOLERANCE = 1e-7  # differences of a third derivative, relative to what it is within one width
SLACK = 1.0 + 1e-6  # of a bound that is attained, each side with the rounding of its exponentials


def _reweighted(at: Point) -> Finding:
    """With other weights H is again the derivative of the gradient: removals rest on that."""
    weights = np.array(at.risk.weights) * at.rng.uniform(0.5, 2.0, at.risk.shape[0])
    other = Point(at.risk.reweighted(weights), at.theta, at.X, at.y, at.seed)
    found = _hessian(other)
    why = "does the Hessian take the weights that it is asked with?"
    return found.because(f"with other weights {found.cause}: {why}")


def _hessian(at: Point) -> Finding:
    """H u, in the units of theta, for every direction u against differences of the gradient."""
    risk, p = at.risk, at.risk.shape[1]
    found = at.unit[:, None] * np.asarray(risk.curvature(at.theta) @ at.directions)
    truth = at.derivatives(lambda theta: at.unit * np.asarray(risk.gradient(theta)), p)
    # Where no row bends H is tiny beside the gradient; there nothing finer than rounding can be asked.
    largest = np.max(np.abs(truth.value)) + np.max(at.unit * risk.gradient_scale(at.theta))
    size = np.full(found.shape, largest)
    shifts = {}
    if at.risk.shape[1] <= DIRECTIONS:
        shifts["the diagonal is off by {:.3g}: the penalty's kappa D / W?"] = np.diag(at.unit**2)
    place = "entry {} of H (in the units of `theta`)".format
    return unsettled(truth.error, size, "gradient") or at.judge(found, truth, size, place, shifts)


def _pairs(at: Point) -> tuple[Any, FloatArray, FloatArray, float]:
    H = at.risk.curvature(at.theta)
    u, v = at.unit * at.rng.normal(size=(2, len(at.unit)))
    size = float(np.linalg.norm(at.unit * (H @ v)) * np.linalg.norm(u / at.unit))
    return H, u, v, size


def _symmetry(at: Point) -> Finding:
    H, u, v, size = _pairs(at)
    found = compare(u @ (H @ v), v @ (H @ u), tolerance=ALGEBRA, size=size, place=lambda _: "u'Hv and v'Hu")
    return found.because("H is not symmetric: is a factor left on one side, or a matrix transposed?")


def _adjoint(at: Point) -> Finding:
    H, u, v, size = _pairs(at)
    return compare(
        H.T @ u @ v, u @ (H @ v), tolerance=ALGEBRA, size=size, place=lambda _: "(H'u)'v and u'(Hv)"
    )


def _semidefinite(at: Point) -> Finding:
    H = at.risk.curvature(at.theta)
    scaled = at.unit[:, None] * np.asarray(H.to_dense()) * at.unit
    values = np.linalg.eigvalsh(0.5 * (scaled + scaled.T))
    worst = float(max(0.0, -values[0]) / max(abs(values[-1]), abs(values[0]), np.finfo(float).tiny))
    cause = "" if worst <= ALGEBRA else f"the smallest eigenvalue is {values[0]:.3g}: a sign, or not convex"
    return Finding("", worst <= ALGEBRA, worst, ALGEBRA, "smallest eigenvalue", cause)


def _dense(at: Point) -> Finding:
    H, p = at.risk.curvature(at.theta), at.risk.shape[1]
    scale = at.unit[:, None] * at.unit
    dense = scale * np.asarray(H.to_dense())
    same = partial(compare, tolerance=ALGEBRA, size=np.max(np.abs(dense)))
    finding = same(scale * (H @ np.eye(p)), dense, place="entry {}".format)
    if not finding.passed:
        return finding
    return same(at.unit**2 * H.diagonal(), np.diag(dense), place=at.coefficient)


def _removal(at: Point) -> Finding:
    """Without row i the gradient is W grad R - w_i g_i, under both protocols."""
    risk, theta, n = at.risk, at.theta, at.risk.shape[0]
    gradient = risk.total_weight * np.asarray(risk.gradient(theta))
    rows = np.asarray(risk.row_gradients(theta))
    size = risk.total_weight * np.asarray(risk.gradient_scale(theta))
    shifts = {"off by {:.3g} theta: the row's share of the penalty, kappa D theta / W?": theta}
    same = partial(compare, tolerance=ALGEBRA, size=size, shifts=shifts)
    for row in at.rng.choice(n, min(n, ROWS), replace=False):
        weights = np.array(risk.weights)
        weights[row] = 0.0
        if not weights.any():
            continue
        part = risk.reweighted(weights)
        change = part.total_weight * np.asarray(part.gradient(theta)) - gradient
        place = partial(_left_out, risk.names, int(row))
        finding = same(change, -risk.weights[row] * rows[row], place=place)
        if not finding.passed:
            return finding
    return Finding("", True, 0.0, ALGEBRA)


def _left_out(names: Any, row: int, index: tuple[int, ...]) -> str:
    return f"row {row} left out, coefficient {names[index[0]]!r}"


def _protocol(at: Point) -> Finding:
    """Whatever the weights, P is the same (fixed), or L_i is (folded)."""
    risk, theta = at.risk, at.theta
    weights = np.array(risk.weights) * at.rng.uniform(0.5, 2.0, risk.shape[0])
    part = risk.reweighted(weights)
    rows, others = np.asarray(risk.row_losses(theta)), np.asarray(part.row_losses(theta))
    finding = compare(
        others, rows, tolerance=ALGEBRA, size=np.max(np.abs(rows)), place=at.row, factors=at.factors
    )
    if not finding.passed or Protocol(risk.protocol).carried(risk.total_weight):
        return finding
    penalties = [r.total_weight * r.value(theta) - float(r.weights @ rows) for r in (part, risk)]
    size = float(weights @ np.abs(rows)) + float(risk.weights @ np.abs(rows)) + abs(penalties[1])
    finding = compare(*penalties, tolerance=ALGEBRA, size=size, place=lambda _: "P with other weights")
    return finding.because("P changes with the weights although the protocol is 'fixed'")


SECOND_ORDER_LAWS = {
    "Hessian": _hessian,
    "Hessian with other weights": _reweighted,
    "symmetry": _symmetry,
    "adjoint": _adjoint,
    "semidefinite": _semidefinite,
    "dense Hessian": _dense,
    "removal": _removal,
    "penalty protocol": _protocol,
}


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
