"""Laws of a risk that need no Hessian: value, gradient and rows."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from influstat.checks.compare import compare, fewest_digits, row_of
from influstat.checks.point import ALGEBRA, EXACT, TOLERANCE, Point, unsettled
from influstat.checks.report import CALLERS_ERRORS, Finding
from influstat.input.validation import FloatArray
from influstat.numerics.derivatives import Derivative
from influstat.risks.protocol import Protocol


def _form(at: Point) -> Finding:
    """Shapes, finite numbers, the same results again, and theta left alone."""
    risk, (n, p) = at.risk, at.risk.shape
    theta = at.theta.copy()
    theta.flags.writeable = False
    shapes: dict[str, Any] = {
        "value": lambda: (risk.value(theta), ()),
        "gradient": lambda: (risk.gradient(theta), (p,)),
        "gradient_scale": lambda: (risk.gradient_scale(theta), (p,)),
        "row_losses": lambda: (risk.row_losses(theta), (n,)),
        "row_gradients": lambda: (risk.row_gradients(theta), (n, p)),
        "row_gradients_dot": lambda: (risk.row_gradients_dot(theta, np.eye(p)[:, :1]), (n, 1)),
        "weights": lambda: (risk.weights, (n,)),
    }
    for name, call in shapes.items():
        try:
            (found, shape), (again, _) = call(), call()
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            return Finding("", False, where=name, cause="changes theta: work on a copy")
        if np.shape(found) != shape:
            return Finding("", False, where=name, cause=f"has shape {np.shape(found)} in place of {shape}")
        if np.asarray(found).dtype.kind != "f" or np.asarray(found).dtype.itemsize < 8:
            return Finding("", False, where=name, cause=f"is {np.asarray(found).dtype} in place of float64")
        if not np.isfinite(found).all():
            return Finding("", False, where=name, cause="is not finite everywhere")
        if not np.array_equal(found, again):
            return Finding("", False, where=name, cause="gives different results for the same theta")
    if risk.curvature(theta).shape != (p, p):
        return Finding("", False, where="curvature", cause=f"is not {p} x {p}")
    return Finding("", True)


def _rows_add_up(at: Point) -> Finding:
    """Under folding W R = sum w_i L_i and W grad R = sum w_i g_i; fixed: what is left over is P >= 0."""
    risk, theta = at.risk, at.theta
    total, rows = risk.total_weight * risk.value(theta), np.asarray(risk.row_losses(theta))
    size = float(risk.weights @ np.abs(rows)) + abs(total)
    left = total - float(risk.weights @ rows)
    weight = compare(risk.total_weight, np.sum(risk.weights), tolerance=EXACT, place=lambda _: "total_weight")
    if not weight.passed:
        return weight
    if Protocol(risk.protocol).carried(risk.total_weight):
        same = partial(compare, tolerance=EXACT, size=size, factors=at.factors)
        finding = same(total, float(risk.weights @ rows), place=lambda _: "value")
        if not finding.passed:
            return finding
        share = at.penalty_gradient()
        sizes = risk.total_weight * np.asarray(risk.gradient_scale(theta))
        found = compare(share, 0.0 * share, tolerance=ALGEBRA, size=sizes, place=at.coefficient)
        return found.because("sum w_i g_i is not W grad R: do the rows lack their share of the penalty?")
    if left < -ALGEBRA * size:
        cause = "W R is below sum w_i l_i: is the penalty in the rows too, or 1/W lost in the rows?"
        return Finding("", False, -left / size, ALGEBRA, "value", cause)
    return Finding("", True)


def _gradient(at: Point) -> Finding:
    risk, theta = at.risk, at.theta
    slopes = at.derivatives(risk.value, 1)
    truth = Derivative(slopes.value[0], slopes.error[0])
    found = np.asarray(risk.gradient(theta)) @ at.directions
    scale = np.asarray(risk.gradient_scale(theta)) @ np.abs(at.directions)
    doubt = unsettled(truth.error, np.abs(truth.value) + scale, "value")
    return doubt or at.judge(found, truth, scale, at.coefficient, _penalty_shifts(at))


def _penalty_shifts(at: Point) -> dict[str, Any]:
    text = "off by {:.3g} theta: has the penalty the factor (lam or 2 lam) and the 1/W of `value`?"
    shifts: dict[str, Any] = {text: at.theta @ at.directions}
    if Protocol(at.risk.protocol).carried(at.risk.total_weight):
        try:
            rows = at.risk.row_gradients(at.theta)
            weighted = at.risk.weights @ np.asarray(rows) / at.risk.total_weight
            shifts["it lacks {:.3g} times the rows' part"] = weighted @ at.directions
        except CALLERS_ERRORS:
            pass
    return shifts


def _row_gradients(at: Point) -> Finding:
    risk, theta, n = at.risk, at.theta, at.risk.shape[0]
    found = np.asarray(risk.row_gradients(theta)) @ at.directions
    truth = at.derivatives(risk.row_losses, n)
    size = np.abs(truth.value) + np.median(np.abs(truth.value), axis=0)
    share = (at.theta @ at.directions) * np.ones((n, 1))
    losses = np.abs(np.asarray(risk.row_losses(theta)))[:, None]
    # A gradient that vanishes cannot be settled to its own size: to a thousandth of the loss instead.
    doubt = unsettled(truth.error, size + 1e-3 * losses, "row_losses")
    shifts = {"every row is off by {:.3g} theta: its share of the penalty, kappa D theta / W?": share}
    return doubt or at.judge(found, truth, size, at.row, shifts)


def _rows_chosen(at: Point) -> Finding:
    risk, theta, n = at.risk, at.theta, at.risk.shape[0]
    whole = np.asarray(risk.row_gradients(theta))
    for rows in (np.array([n - 1, 0]), slice(1, n)):
        found, size = risk.row_gradients(theta, rows), np.max(np.abs(whole), axis=0)
        finding = compare(
            found, whole[rows], tolerance=EXACT, size=size, place="entry {} of the chosen rows".format
        )
        if not finding.passed:
            return finding
    return Finding("", True, 0.0, EXACT)


def _products(at: Point) -> Finding:
    rows = np.asarray(at.risk.row_gradients(at.theta))
    vectors = at.unit[:, None] * at.rng.normal(size=(len(at.unit), 2))
    found, size = at.risk.row_gradients_dot(at.theta, vectors), np.abs(rows) @ np.abs(vectors)
    return compare(found, rows @ vectors, tolerance=ALGEBRA, size=size, place=row_of, factors=at.factors)


def _several(at: Point) -> Finding:
    thetas = np.column_stack([at.theta, 0.5 * at.theta])
    truth = np.column_stack([at.risk.row_losses(theta) for theta in np.ascontiguousarray(thetas.T)])
    found = at.risk.row_losses(thetas)
    return compare(found, truth, tolerance=ALGEBRA, size=np.max(np.abs(truth)), place=row_of)


def _scale(at: Point) -> Finding:
    size, gradient = np.asarray(at.risk.gradient_scale(at.theta)), np.abs(at.risk.gradient(at.theta))
    short = gradient * (1.0 - ALGEBRA) > size
    if not short.any():
        return Finding("", True)
    j = int(np.argmax(short))
    cause = "is below the gradient: stationarity is misjudged"
    return Finding("", False, where=at.risk.names[j], cause=cause)


def _digits(at: Point) -> Finding:
    direction = at.unit * (0.7 + 0.3 * np.cos(np.arange(len(at.unit)))) / np.sqrt(len(at.unit))
    scale = at.unit * np.asarray(at.risk.gradient_scale(at.theta))
    size = float(np.max(scale, initial=0.0)) + np.finfo(float).tiny

    def gradient(r: float) -> FloatArray:
        return np.append(at.unit * np.asarray(at.risk.gradient(at.theta + r * direction)), size)

    def losses(r: float) -> FloatArray:
        return np.asarray(at.risk.row_losses(at.theta + r * direction))

    def value(r: float) -> FloatArray:
        return np.atleast_1d(at.risk.value(at.theta + r * direction))

    functions = {"value": value, "row_losses": losses, "gradient": gradient}
    return fewest_digits(functions, step=1e-6, place=lambda index: f"entry {index[0]}")


def _test_rows(at: Point) -> Finding:
    """Training rows given as new rows have their own losses; of any new rows gradients are derivatives."""
    if at.X is None:
        return Finding("", True, where="no X and y given")
    tests = at.risk.test_rows(at.X, at.y)
    losses = np.asarray(tests.row_losses(at.theta))
    own = _own_rows(at, losses)
    if not own.passed:
        return own
    found = np.asarray(tests.row_gradients(at.theta)) @ at.directions
    truth = at.derivatives(tests.row_losses, len(losses))
    size = np.max(np.abs(truth.value))
    return compare(found, truth.value, tolerance=TOLERANCE, size=size, allowance=truth.error, place=at.row)


def _own_rows(at: Point, losses: FloatArray) -> Finding:
    """Training rows given as new rows have their own losses; one difference for all is a share left out."""
    own = np.asarray(at.risk.row_losses(at.theta))
    if losses.shape != own.shape:
        return Finding("", True)
    if getattr(at.risk, "test_protocol", at.risk.protocol) != at.risk.protocol:
        return Finding("", True)  # it says of itself that a new row holds more or less of the penalty
    left_out, size = own - losses, float(np.max(np.abs(own)))
    share, spread = float(np.mean(left_out)), float(np.ptp(left_out))
    if abs(share) <= ALGEBRA * size or spread > ALGEBRA * (abs(share) + size):
        return Finding("", True)
    cause = "training rows given as new rows have other losses: is the penalty's share, kappa / W, left out?"
    return Finding("", False, abs(share) / size, ALGEBRA, "row 0", cause)


FIRST_ORDER_LAWS = {
    "form": _form,
    "rows add up": _rows_add_up,
    "gradient": _gradient,
    "row gradients": _row_gradients,
    "rows chosen": _rows_chosen,
    "products with row gradients": _products,
    "several thetas": _several,
    "gradient scale": _scale,
    "digits": _digits,
    "test rows": _test_rows,
}
