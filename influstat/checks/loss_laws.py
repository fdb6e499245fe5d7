"""Laws of a pointwise loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from influstat.checks.compare import compare, fewest_digits
from influstat.checks.report import CALLERS_ERRORS, Finding
from influstat.checks.sample import TARGETS, Sample
from influstat.checks.second_order_laws import fourth_derivative
from influstat.errors import InvalidArgument, Unsupported
from influstat.input.validation import FloatArray
from influstat.losses.alone import CAUSES, other_rows_matter
from influstat.losses.base import kink_distance
from influstat.losses.numerical import NumericalLoss
from influstat.numerics.derivatives import NEAR, Derivative, noise, ridders

NAMES = ("value", "first", "second", "third")
TOLERANCE = 1e-8  # of derivatives, relative to their size around: between float64's and float32's digits
COMPUTED = 1e-6  # of third derivatives by differences of a value: two of them agree to about 7 digits


def _frozen(*arrays: FloatArray) -> list[FloatArray]:
    copies = [array.copy() for array in arrays]
    for copy in copies:
        copy.flags.writeable = False
    return copies


def _form(loss: Any, sample: Sample) -> Finding:
    """Shapes, dtype, finite results, the same results again, and input left alone."""
    y, eta = _frozen(sample.y, sample.eta)
    mixed = other_rows_matter(loss, sample.y, sample.eta)
    if mixed is not None:
        name, row = mixed
        cause = f"mixes rows: it changes with the other rows of the call. {CAUSES}"
        return Finding("", False, where=f"{name}, {sample.place((row,))}", cause=cause)
    wide = np.column_stack([eta, eta + 0.5])
    wide.flags.writeable = False
    for name in NAMES:
        function = getattr(loss, name)
        try:
            once, again, both = function(y, eta), function(y, eta), function(y[:, None], wide)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            return Finding("", False, where=name, cause="changes its input: work on a copy")
        result = np.asarray(once)
        if result.shape != eta.shape or np.shape(both) != wide.shape:
            shape = result.shape if result.shape != eta.shape else np.shape(both)
            wanted = eta.shape if result.shape != eta.shape else wide.shape
            return Finding("", False, where=name, cause=f"has shape {shape} in place of eta's {wanted}")
        if result.dtype != np.float64:
            return Finding("", False, where=name, cause=f"returns {result.dtype} in place of float64")
        if not np.isfinite(result).all():
            index = int(np.argmax(~np.isfinite(result)))
            return Finding("", False, where=f"{name}, {sample.place((index,))}", cause=f"is {result[index]}")
        if not np.array_equal(result, np.asarray(again)):
            return Finding("", False, where=name, cause="gives different results for the same input")
        allowed = np.max(_uncertainty(loss, name, sample), initial=0.0)
        # A vectorised function may round an entry in another way in a larger array, by an epsilon or two.
        if not np.allclose(np.asarray(both)[:, 0], result, rtol=1e-12, atol=allowed):
            return Finding("", False, where=name, cause="mixes rows: columns of eta are not treated alike")
    return Finding("", True)


def _targets(loss: Any, sample: Sample) -> Finding:
    """Bad targets are refused, and every target moves the loss."""
    try:
        loss.check_targets(np.array([sample.targets[0], np.nan]))
    except CALLERS_ERRORS:
        pass
    else:
        return Finding("", False, where="check_targets", cause="accepts nan as a target")
    checked = np.asarray(loss.check_targets(sample.targets.copy()))
    if checked.shape != sample.targets.shape or not np.array_equal(checked, sample.targets):
        return Finding("", False, where="check_targets", cause="changes the targets that it accepts")
    eta = np.linspace(-30.0, 30.0, 121) * max(1.0, sample.width)
    for target, centre in zip(sample.targets, sample.centres, strict=True):
        losses = loss.value(np.full(eta.shape, target), eta + centre * (sample.kind == "real"))
        losses = losses[np.isfinite(losses)]  # inf at a pole says nothing of the others
        # Constant to rounding: a loss made for other labels often multiplies eta by 0.
        if len(losses) > 1 and np.ptp(losses) <= 1e-12 * np.max(np.abs(losses)):
            cause = "the loss is the same for every eta: is the formula made for another coding of y?"
            return Finding("", False, where=f"y = {target:g}", cause=cause)
    return Finding("", True)


def _digits(loss: Any, sample: Sample) -> Finding:
    # What is computed by differences carries fewer digits, and says so.
    given = ("value",) if isinstance(loss, NumericalLoss) else ("value", "first", "second")
    # Steps are 1e-6 of the width, four to either side: well inside 1e-4.
    part = sample.part(~_near_kinks(loss, sample, 1e-4 * sample.width))
    functions = {name: partial(_moved, getattr(loss, name), part) for name in given}
    return fewest_digits(functions, step=1e-6 * sample.width, place=part.place)


def _moved(function: Any, part: Sample, r: float) -> Any:
    return function(part.y, part.eta + r)


def _near_kinks(loss: Any, sample: Sample, distance: float) -> Any:
    shape = np.shape(loss.kinks(sample.y)) if hasattr(loss, "kinks") else (0, len(sample.y))
    if len(shape) != 2 or shape[1] != len(sample.y):
        need = f"return shape (k, {len(sample.y)}), one column per row"
        raise InvalidArgument("kinks", need, f"returned shape {shape}", "Put the k places of a row below it.")
    return kink_distance(loss, sample.y, sample.eta) <= distance


def _differenced(loss: Any, sample: Sample, order: int) -> Derivative:
    """Return differences of the derivative below, or of the value where that is computed itself."""
    computed = isinstance(loss, NumericalLoss)
    function = loss.value if computed else getattr(loss, NAMES[order - 1])
    with np.errstate(all="ignore"):
        elsewhere = np.abs(function(sample.y, np.zeros_like(sample.eta)))
    # Over equal steps rounding can repeat itself and look like none: three lengths do not agree on that.
    steps = (NEAR * sample.width * length for length in (1.0, 0.61, 1.37))
    scatter = np.max([noise(lambda r: function(sample.y, sample.eta + r), step=s) for s in steps], axis=0)
    return ridders(
        lambda r, rows: function(sample.y[rows], sample.eta[rows] + r),
        order if computed else 1,
        n=len(sample.eta),
        width=0.7 * sample.width if computed else sample.width,
        size=np.abs(sample.eta),
        rounding=np.maximum(scatter, np.finfo(np.float64).eps * np.where(elsewhere < np.inf, elsewhere, 0.0)),
    )


def _derivative(loss: Any, sample: Sample, order: int) -> Finding:
    """Each derivative against differences of the one below it."""
    # Nearer by, extrapolation would have no steps left that do not cross the kink.
    sample = sample.part(~_near_kinks(loss, sample, 1e-3 * sample.width))
    truth = _differenced(loss, sample, order)
    found = np.asarray(getattr(loss, NAMES[order])(sample.y, sample.eta), dtype=np.float64)
    # Far from its bends a derivative is small; there its size within one width is what rounding sees.
    below = np.abs(getattr(loss, NAMES[order - 1])(sample.y, sample.eta)) / sample.width
    # What a loss says of its own errors excuses no more than five digits: a loss cannot excuse itself.
    own = np.minimum(_uncertainty(loss, NAMES[order], sample), 1e-5 * (np.abs(truth.value) + below))
    computed = order == 3 and isinstance(loss, NumericalLoss)
    # A truth known to less than four digits judges nothing; a tenth of the rows may be so.
    largest = np.max(np.abs(truth.value)) + 1e-3 * np.max(below)
    unsettled = truth.error > 1e-4 * (np.abs(truth.value) + below + largest)
    if np.mean(unsettled) > 0.1:
        index = (int(np.argmax(unsettled)),)
        cause = f"steps do not agree on the derivative of `{NAMES[order - 1]}`: noise, or kinks"
        return Finding("", False, float(np.max(truth.error)), TOLERANCE, sample.place(index), cause)
    if isinstance(loss, NumericalLoss):  # where the loss is tiny it has no digits beyond those of 1
        # Third derivatives lose all their digits there, second ones keep four of those of the largest.
        below = below + (1.0 if order == 3 else 1e-4) * np.max(np.abs(truth.value))
    rounding = 8.0 * np.finfo(np.float64).eps * np.max(below)  # the function's own, where it is nearly 0
    return compare(
        found,
        truth.value,
        tolerance=COMPUTED if computed else TOLERANCE,
        size=below,
        allowance=np.where(unsettled, np.inf, truth.error + own + rounding),
        place=sample.place,
        shifts={"it lacks or repeats a term proportional to eta ({:g} eta)": sample.eta},
    )


def _smoothness(loss: Any, sample: Sample) -> Finding:
    """No jump of the first two derivatives but at the loss's own `kinks`; jumps are found by bisection."""
    reach = 6.0 * max(1.0, sample.width)
    for target, centre in zip(sample.targets, sample.centres, strict=True):
        # Off the round numbers, where a declared kink would lie on the grid itself.
        grid = centre + np.linspace(-reach, reach, 601) + 1e-5 * sample.width
        for name in ("first", "second"):
            function = getattr(loss, name)
            at, gap, scale = _largest_jump(function, target, grid)
            undeclared = kink_distance(loss, np.array([target]), np.array([at]))[0] > 1e-6 * (1.0 + abs(at))
            # 40 bisections leave 1e-14 of the grid: a smooth function changes there by nothing near 0.001.
            if gap > 1e-3 * scale and undeclared:
                cause = f"the {name} derivative jumps by {gap:.3g}: not twice differentiable; "
                cause += "declare it in `kinks(y)` if it is meant, or smooth it"
                return Finding("", False, gap / scale, 1e-3, f"y = {target:g}, eta = {at:.10g}", cause)
    return Finding("", True)


def _largest_jump(function: Any, target: float, grid: FloatArray) -> tuple[float, float, float]:
    """Return place and size of the largest change left of the four largest, after 40 bisections each."""
    values = np.asarray(function(np.full(grid.shape, target), grid), dtype=np.float64)
    k = np.argsort(np.abs(np.diff(values)))[-4:]
    left, right, low, high = grid[k], grid[k + 1], values[k], values[k + 1]
    for _ in range(40):
        middle = 0.5 * (left + right)
        between = np.asarray(function(np.full(middle.shape, target), middle), dtype=np.float64)
        in_left_half = np.abs(between - low) > np.abs(high - between)
        left, right = np.where(in_left_half, left, middle), np.where(in_left_half, middle, right)
        low, high = np.where(in_left_half, low, between), np.where(in_left_half, between, high)
    gaps = np.abs(high - low)
    worst = int(np.argmax(gaps))
    scale = float(np.max(np.abs(values)) + np.finfo(np.float64).tiny)
    return float(left[worst]), float(gaps[worst]), scale


def _uncertainty(loss: Any, name: str, sample: Sample) -> FloatArray:
    """Return what a loss's own numerical derivatives say they may be wrong by; 0 for formulas."""
    if name == "value" or not isinstance(loss, NumericalLoss):
        return np.zeros(sample.eta.shape)
    return np.asarray(loss.derivative(NAMES.index(name), sample.y, sample.eta).error)


def _convexity(loss: Any, sample: Sample) -> Finding:
    second = np.asarray(loss.second(sample.y, sample.eta)) + _uncertainty(loss, "second", sample)
    index = (int(np.argmin(second)),)
    worst = float(max(0.0, -second[index]) / np.max(np.abs(second), initial=np.finfo(float).tiny))
    # Below 0 by rounding only: 1e-12 of the largest is some thousand epsilons.
    cause = "" if worst <= 1e-12 else f"the second derivative is {second[index]:.3g}: sign, or not convex"
    return Finding("", worst <= 1e-12, worst, 1e-12, sample.place(index), cause)


def _bounded(loss: Any, sample: Sample) -> Finding:
    """Far out, the values no longer fall, or by less and less: else the loss falls for ever."""
    reach = np.abs(sample.centres) + 30.0 * max(1.0, sample.width)
    for sign, end in ((1.0, "+inf"), (-1.0, "-inf")):
        with np.errstate(all="ignore"):  # a loss may overflow there
            near, far, farther = (
                np.asarray(loss.value(sample.targets, sign * times * reach)) for times in (1.0, 2.0, 3.0)
            )
            fall, later = near - far, far - farther
        unknown = np.isnan(near) | np.isnan(far)
        if unknown.any():
            target = sample.targets[int(np.argmax(unknown))]
            return Finding("", False, where=f"y = {target:g}, eta near {end}", cause="`value` is nan there")
        # What goes to a limit falls less over each further stretch, by 1/3 of that before if like 1 / eta; a
        # logarithm by 0.58, a straight line as much again.
        if (unbounded := (fall > 1e-9 * (1.0 + np.abs(near))) & ~(later < 0.5 * fall)).any():
            slopes = np.where(unbounded, -fall / reach, 0.0)
            target = sample.targets[int(np.argmin(slopes))]
            cause = f"the loss falls for ever as eta goes to {end}: "
            cause += "is the formula made for another coding of y, or is a sign wrong?"
            return Finding("", False, float(-np.min(slopes)), 1e-9, f"y = {target:g}", cause)
    return Finding("", True)


def _self_concordance(loss: Any, sample: Sample) -> Finding:
    c = float(loss.self_concordance)
    if c == np.inf:
        return Finding("", True)
    if not c >= 0:
        return Finding("", False, cause=f"self_concordance is {c}: it must be at least 0, or inf")
    second, third = loss.second(sample.y, sample.eta), np.abs(loss.third(sample.y, sample.eta))
    second = second + _uncertainty(loss, "second", sample)
    third = np.maximum(0.0, third - _uncertainty(loss, "third", sample))
    excess = np.asarray(third - c * second) / np.max(third + c * np.abs(second) + np.finfo(float).tiny)
    index = (int(np.argmax(excess)),)
    worst = float(max(0.0, excess[index]))
    # c l2 and l3 nearly cancel where the bound is attained, each with the rounding of its exponentials.
    cause = "" if worst <= 1e-10 else f"|l3| <= c l2 does not hold for c = {c:g}"
    return Finding("", worst <= 1e-10, worst, 1e-10, sample.place(index), cause)


def _mean(loss: Any, sample: Sample) -> Finding:
    """At y = mean(eta) the expected slope is 0; mean_derivative is the mean's derivative."""
    eta = np.sort(sample.eta)[:: max(1, len(sample.eta) // 40)]
    try:
        mean = np.asarray(loss.mean(eta), dtype=np.float64)
    except (Unsupported, NotImplementedError):
        return Finding("", True, where="no mean")
    if sample.kind in ("0/1", "-1/+1"):
        low, high = (np.full(eta.shape, target) for target in TARGETS[sample.kind])
        parts = (1.0 - mean) * loss.first(low, eta), mean * loss.first(high, eta)
    else:
        parts = loss.first(mean, eta), 0.0 * eta
    # 1e-6 is for slopes that are 0 on both sides, far out.
    slope, size = parts[0] + parts[1], np.abs(parts[0]) + np.abs(parts[1]) + 1e-6
    size = size + sample.width * np.abs(loss.second(mean, eta))  # the slope that one width away has

    def place(index: tuple[int, ...]) -> str:
        return f"eta = {eta[index[0]]:.6g}"

    # A formula in float64 leaves 1e-15; one in float32 would leave 1e-7.
    finding = compare(slope, 0.0 * slope, tolerance=1e-8, size=size, place=place)
    if not finding.passed:
        return finding.because("the expected slope at y = mean(eta) is not 0: mean is not the loss's own")
    truth = ridders(lambda r, rows: loss.mean(eta[rows] + r), 1, n=len(eta), width=sample.width)
    # Differences of a mean, which may be one by differences itself, agree to 7 digits and more.
    near = partial(compare, tolerance=1e-7, size=1e-6, allowance=truth.error)
    return near(loss.mean_derivative(eta), truth.value, place=place)


LAWS: dict[str, Callable[[Any, Sample], Finding]] = {
    "form": _form,
    "targets": _targets,
    "digits": _digits,
    "first derivative": lambda loss, sample: _derivative(loss, sample, 1),
    "second derivative": lambda loss, sample: _derivative(loss, sample, 2),
    "third derivative": lambda loss, sample: _derivative(loss, sample, 3),
    "smoothness": _smoothness,
    "convexity": _convexity,
    "bounded below": _bounded,
    "self-concordance": _self_concordance,
    "fourth derivative": fourth_derivative,
    "mean": _mean,
}
