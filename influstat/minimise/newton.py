"""Minimise a risk by Newton's method, and say why where there is no minimum.

From any start; a loss that offers `continuation()` (the smoothed hinge) is first minimised in its smoother
forms. Where the Gram matrix of the rows has too few digits, because columns are far from 0 or one row is in
another unit, the run goes on in coordinates of the rows' own (`influstat.risks.chart`).
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from influstat.errors import InflustatError, NotConverged, SingularHessian
from influstat.input.validation import FloatArray
from influstat.losses.base import Loss
from influstat.losses.squared import SquaredError
from influstat.minimise.descent import TOLERANCE, Descent, Found, stationarity
from influstat.minimise.existence import existence_of
from influstat.minimise.remaining import EPSILON, remaining_step
from influstat.risks.chart import chart_of, regular
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.contract import Risk
from influstat.risks.linear import LinearRisk, as_linear

CHARTS = 5  # changes of coordinates, each at the end of the last
FINISHED = 1e-6  # of what removing a typical row does: a Newton step that no question can feel
DRAWS = 8  # signs of rounding errors, so that they do not cancel along a flat direction by chance
# |l3| <= c l2: over a move of eta of 1 / c the curvature changes by a factor e, and Newton's method is sure
# of itself within about half of that.
TOO_FAR = 0.5


def minimise(
    risk: Risk,
    *,
    start: FloatArray | None = None,
    max_iterations: int = 200,
    tolerance: float = TOLERANCE,
    downhill: bool = False,
) -> Found:
    """Return the minimiser of the risk from `start` (p,), zeros when left out, or raise why there is none."""
    # With `downhill` the loss is known to be right: a start where H is indefinite is left, not refused.
    existence_of(risk).require()
    found = _in_coefficients(risk, start, max_iterations, tolerance, downhill)
    found = _in_coordinates(risk, found, max_iterations, tolerance)
    require_determined(risk, found.theta)
    return found


def minimiser_next_to(risk: Risk, start: FloatArray | None, max_iterations: int) -> FloatArray:
    """Return the minimiser that a start leads to: of many, that with the rest as it is there."""
    # Where columns depend on each other there are many minimisers, and no start chooses one: SingularHessian.
    try:
        return minimise(risk, start=start, max_iterations=max_iterations).theta
    except SingularHessian as error:
        classes = class_predictors_of(risk)
        at = np.zeros(risk.shape[1]) if start is None else start
        at = at if classes is None else classes.levelled(at)
        chart = chart_of(risk, at)
        if chart is None or chart.coordinates.full:
            raise
        if start is None:
            raise SingularHessian(
                f"{error} Or take one of the minimisers: ist.Fit.minimise(risk, start=theta) finishes what "
                "the rows determine, and answers for that."
            ) from error
        found = minimise(chart.risk, start=chart.start, max_iterations=max_iterations)
        return np.asarray(at + chart.lift(found.theta))


def _in_coefficients(
    risk: Risk, start: FloatArray | None, max_iterations: int, tolerance: float, downhill: bool
) -> Found:
    """Return the minimum as the Gram matrix of the rows has it, or where that has no digits left."""
    if start is not None:
        descent = Descent(risk, np.array(start, dtype=np.float64), downhill=downhill)
        try:
            return descent.minimum(max_iterations, tolerance)
        except (NotConverged, SingularHessian) as error:
            if not _surely_convex(risk):  # else its one minimum may be reached from elsewhere
                return _stopped(risk, start, descent, error)
    easy = _easier(risk)
    begun = theta = _start(easy[0] if easy else risk)
    for stage in (*easy, risk):
        descent = Descent(stage, theta)
        try:
            if stage is risk:
                return descent.minimum(max_iterations, tolerance)
            descent.run(max_iterations, tolerance=1e-4)
        except (NotConverged, SingularHessian) as error:
            return _stopped(risk, begun, descent, error)
        theta = descent.theta
    raise AssertionError("the risk itself is the last stage")


def _stopped(risk: Risk, begun: FloatArray, descent: Descent, error: InflustatError) -> Found:
    """Return where a run can go on whose Gram matrix has lost its digits, not the rows theirs; or raise."""
    if isinstance(error, NotConverged) and not _surely_convex(risk):
        raise error
    for theta in (descent.theta, begun):  # far out there may be less curvature than where it began
        chart = chart_of(risk, theta)
        if chart is not None and chart.coordinates.full:
            return Found(np.array(theta, dtype=np.float64), np.inf, descent.steps)
    existence_of(risk).explain(descent.theta)  # which the run itself did of a smoother form, if any
    raise error


def _in_coordinates(risk: Risk, found: Found, max_iterations: int, tolerance: float) -> Found:
    """Go on from there in coordinates of the rows' own, as often as the Hessian at the end asks for them."""
    unsettled: InflustatError | None = None
    for left in reversed(range(CHARTS)):
        chart = chart_of(risk, found.theta)
        if chart is None or not chart.coordinates.full:
            break
        descent, unsettled = Descent(chart.risk, chart.start), None
        try:
            inner = descent.minimum(max_iterations, tolerance)
        except InflustatError as error:
            if left and isinstance(error, (NotConverged, SingularHessian)) and _surely_convex(risk):
                inner = Found(descent.theta, descent.measure, descent.steps)  # others have digits there
                unsettled = error
            else:  # said in the caller's coefficients, if it can be
                existence_of(risk).explain(found.theta)
                raise
        theta = found.theta + chart.lift(inner.theta)
        found = Found(theta, stationarity(risk, theta), found.iterations + inner.iterations)
        if remaining_step(risk, theta) <= FINISHED:
            return found
    if unsettled is not None:
        raise unsettled
    return found


def _start(risk: Risk) -> FloatArray:
    """Return zeros, or where an offset leaves no row with curvature, the theta that cancels it best."""
    zeros = np.zeros(risk.shape[1])
    linear = as_linear(risk)
    if linear is None or not linear.offset.any():
        return zeros
    if (linear.curvature(zeros).diagonal() > 0).all():
        return zeros
    least_squares = LinearRisk(
        SquaredError(), linear.design, -linear.offset, penalty=linear.penalty, weights=linear.weights
    )
    return Descent(least_squares, zeros).minimum(10, TOLERANCE).theta


def _surely_convex(risk: Risk) -> bool:
    """Return whether |l3| <= c l2 is known, which says l2 >= 0: there is one minimum, if any."""
    linear = as_linear(risk)
    return linear is not None and linear.loss.self_concordance < np.inf


def _easier(risk: Risk) -> list[Risk]:
    """Return the same risk with the smoother losses that its own offers to pass through."""
    with_loss = getattr(risk, "with_loss", None)
    if with_loss is None:
        return []
    losses: tuple[Loss, ...] = getattr(getattr(risk, "loss", None), "continuation", tuple)()
    return [with_loss(loss) for loss in losses]


def require_determined(risk: Risk, theta: FloatArray) -> None:
    """Raise SingularHessian where what is left of the gradient, or its rounding, moves some row too far."""
    # Where all rows lie where the loss is straight (a smoothed hinge of small width), their curvature is far
    # below the rounding of their slopes: an unpenalised coefficient can be anything as far as the bend.
    linear = as_linear(risk)
    if linear is None or not 0.0 < linear.loss.self_concordance < inf:
        return
    if not linear.penalty.flat(linear.shape[1]).size:
        return  # every direction is held by the penalty
    chart, inverse = regular(risk, theta)
    if inverse is None:
        return  # said elsewhere
    inner: Any = risk if chart is None else chart.risk
    at = theta if chart is None else chart.start
    gradient = inner.gradient(at)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(len(at), DRAWS))
    slips = 8.0 * EPSILON * inner.gradient_scale(at)[:, None] * signs
    moved = np.abs(inner.design.dot(inverse.solve(np.column_stack([gradient, slips]))))
    farthest = float(np.max(moved[inner.weights > 0], initial=0.0))
    if linear.loss.self_concordance * farthest <= TOO_FAR:
        return
    existence_of(risk).explain(theta)
    raise SingularHessian(
        "The Hessian is singular in float64: where the loss is straight for all rows, their curvature is "
        f"lost in the rounding of their slopes, which alone moves predictions by {farthest:.1g}. "
        "Coefficients that have no penalty, such as an intercept, are not determined. Use a smoother loss "
        "(a larger t) or a smaller penalty, so that some rows reach the bend."
    )
