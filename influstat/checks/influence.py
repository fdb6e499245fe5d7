"""`check_influence`: whether influences are the derivatives of refits in the weights of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from influstat.checks.compare import Place, compare, row_of
from influstat.checks.refitted import Influences
from influstat.checks.report import Finding, Report, run
from influstat.errors import Unsupported
from influstat.influence.influence import Influence
from influstat.input.groups import one_by_one
from influstat.input.validation import FloatArray, whole_number
from influstat.minimise.minimum import require_fit
from influstat.numerics.derivatives import Derivative
from influstat.removal.leave_out import collect
from influstat.solvers import Solver

TOLERANCE = 1e-5  # of derivatives of refits: a refit carries about 12 digits, its differences 8
STOPPED = 1e-10  # in the same steps: what a refit that stops at a relative gradient of 1e-12 leaves open
LEAST = 1e-6  # what counts as nothing, in steps that move linear predictors by 1


def check_influence(
    fit: Any,
    *,
    solver: Solver | None = None,
    values: Any = None,
    rows: Any = None,
    X: Any = None,
    y: Any = None,
    seed: int = 0,
    laws: Sequence[str] | None = None,
) -> Report:
    """Check influences against refits with shifted weights.

    Parameters
    ----------
    fit : Fit
        The fit.
    solver : Solver, optional
        What the fit's influence functions solve with; `Cholesky()` when left out.
    values : array_like, shape (n, p), optional
        Influences on theta to be checked in place of ``fit.influence().on_theta().values``: your own
        formula for -H^-1 g_i (eq. 9).
    rows : sequence of int, optional
        The rows to refit; a few at random, of positive weight, when left out.
    X, y : array_like, optional
        Test rows for the laws of losses and predictions, which pass without them.
    seed : int
        Of the random rows.
    laws : sequence of str, optional
        Which laws of `INFLUENCE_LAWS`; all when left out.

    Returns
    -------
    Report
        One line per law. "derivative of the refit": -H^-1 g_i is d theta / d eps for weights
        w_i + eps W. "order": a removal of a share a of the row is right up to order a^2, so halving a
        divides the error by four. "exact refits": `fit.leave_one_out` gives the minimisers found anew.

    Raises
    ------
    InvalidArgument, InvalidType
        `fit` is no Fit, or `values` or `rows` have another shape.

    Examples
    --------
    >>> import numpy as np, influstat as ist
    >>> from influstat import checks
    >>> X, y = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), np.array([1.0, 2.0, 4.0])
    >>> fit = ist.Ridge(lam=1.0).fit(X, y)
    >>> checks.check_influence(fit, X=X, y=y).assert_ok()
    >>> mine = -fit.influence().on_theta().values
    >>> report = checks.check_influence(fit, values=mine, laws=["derivative of the refit"])
    >>> print(report.failures[0].cause.split("; ")[1])
    the sign is reversed
    """
    require_fit(fit)
    at = Influences(fit, solver, values, rows, X, y, whole_number("seed", seed, at_least=0))
    return run(repr(fit), {name: partial(law, at) for name, law in LAWS.items()}, laws)


def _derivative(at: Influences) -> Finding:
    found = at.influences()[at.rows] / at.point.unit
    slopes = at.slopes(lambda theta: theta / at.point.unit)
    error = float(np.median(slopes.error) / (np.max(np.abs(slopes.value)) + LEAST))
    # With fewer than three digits in most entries there is no verdict on five.
    if error > 1e-3:
        cause = "refits are too inexact to be differenced: check the risk first"
        return Finding("", False, error, 1e-3, "refits", cause)
    risk, H = at.fit.risk, np.asarray(at.fit.hessian.to_dense())
    penalty = at.point.penalty_gradient() / risk.total_weight
    share = np.tile(np.linalg.solve(H, penalty) / at.point.unit, (len(at.rows), 1))
    gradients = np.asarray(risk.row_gradients(at.fit.theta, at.rows))
    shifts = {"every row lacks or repeats the penalty's share, {:.3g} H^-1 grad P / W": share}
    finding = _judged(at, found, slopes, at.row, errors_up_to=TOLERANCE, shifts=shifts)
    # Wordings of what is already wrong: formulas of the same numbers agree to rounding, 1e-6 leaves room.
    if np.allclose(found, -gradients / np.diag(H) / at.point.unit, rtol=1e-6):
        return finding.because("only H's diagonal is inverted")
    if np.allclose(found, -gradients / at.point.unit, rtol=1e-6):
        return finding.because("H^-1 is left out")
    return finding


def _judged(
    at: Influences,
    found: FloatArray,
    slopes: Derivative,
    place: Place,
    errors_up_to: float,
    shifts: Any = None,
) -> Finding:
    """Return whether influences are the slopes of refits, whose errors excuse a share of the largest."""
    factors: dict[str, float] = {}
    for name, number in (("n", float(at.fit.risk.shape[0])), ("W", at.fit.risk.total_weight)):
        change = f"it is -1/{name} of the derivative: the change when the row goes, not the influence"
        factors[change] = -1.0 / number
        factors[f"a factor 1/{name} too small: is H or g in mean scale on one side only?"] = 1.0 / number
        factors[f"a factor {name} too large: is H or g in mean scale on one side only?"] = number
    size = np.max(np.abs(slopes.value)) + LEAST
    excused = np.minimum(slopes.error, errors_up_to * size)
    near = partial(compare, tolerance=TOLERANCE, size=size, allowance=excused)
    return near(found, slopes.value, place=place, factors=factors, shifts=shifts)


def _order(at: Influences) -> Finding:
    """Halve the share of the row that goes: the error of the first-order change falls fourfold."""
    risk, unit = at.fit.risk, at.point.unit
    worst = Finding("", True, 0.0, 1.0)
    for row in at.rows:
        first = -risk.weights[row] / risk.total_weight * at.influences()[row] / unit
        # Below it the error is that of the refits themselves: see STOPPED.
        level = 1e-9 * float(np.linalg.norm(first)) + 1e-10
        errors: list[float] = []
        for power in range(4, 14):  # a far step may cross a bend of the loss: go on halving
            share = 0.5**power
            change = (at.refit(row, -share * risk.weights[row]) - at.fit.theta) / unit
            errors.append(float(np.linalg.norm(change - share * first)))
            ratio = errors[-2] / errors[-1] if len(errors) > 1 and errors[-1] > 0 else 0.0
            # Nearer to 4 than to 2 (an error of first order) or to 8, as ratios go.
            if errors[-1] <= level or 2.8 < ratio < 5.6:
                break
        else:
            where = f"row {row}, errors {errors[-2]:.3g} and {errors[-1]:.3g}"
            cause = f"halving the weight divides the error by {ratio:.2f}, not by 4: not the derivative"
            return Finding("", False, abs(ratio - 4.0), 1.6, where, cause)
        if errors[-1] > level:
            last = Finding("", True, abs(ratio - 4.0), 1.6, f"row {row}, ratio {ratio:.2f}")
            worst = max(worst, last, key=lambda f: f.worst)
    return worst


def _exact(at: Influences) -> Finding:
    """Exact leave-one-out gives the minimisers that refits find anew."""
    unit = at.point.unit
    # Two minimisations of one risk agree to 1e-9 or so; a wrong removal is off in the first digits.
    removal = collect(at.fit, one_by_one(np.asarray(at.rows), at.fit.row_labels), "exact")
    done = [k for k in range(len(at.rows)) if removal.converged[k]]
    if not done:
        return Finding("", True, where=f"no row has a refit: {removal.status[0]}")
    found = removal.theta[done] / unit
    truth = np.array([at.refit(at.rows[k], -np.inf) for k in done]) / unit
    near = partial(compare, tolerance=1e-6, size=np.max(np.abs(truth)) + LEAST, allowance=STOPPED)
    return near(found, truth, place=lambda index: f"row {at.rows[done[index[0]]]}")


def _on(at: Influences, scores: Any, function: Callable[[FloatArray], FloatArray]) -> Finding:
    def place(index: tuple[int, ...]) -> str:
        return f"row {at.rows[index[0]]}, test row {index[1]}"

    # A loss of theta adds its own differences to those of the refits: ten times as much as for theta.
    found = np.asarray(scores.values)[at.rows]
    return _judged(at, found, at.slopes(function), place, errors_up_to=10.0 * TOLERANCE)


def _loss(at: Influences) -> Finding:
    if at.X is None or at.y is None or at.given:
        return Finding("", True, where="no test rows given")
    try:
        tests = at.fit.test_rows(at.X, at.y)
    except Unsupported:
        return Finding("", True, where="the risk has no losses of new rows")
    scores = Influence(at.fit, at.solver).on_loss(at.X, at.y)
    return _on(at, scores, tests.row_losses)


def _prediction(at: Influences) -> Finding:
    if at.X is None or at.given:
        return Finding("", True, where="no test rows given")
    try:
        scores = Influence(at.fit, at.solver).on_prediction(at.X)
    except Unsupported:
        return Finding("", True, where="the risk predicts nothing")
    return _on(at, scores, lambda theta: np.asarray(at.fit.predictions(theta, at.X)))


def _own(at: Influences) -> Finding:
    """On its own loss a row's influence is g_i' times its influence on theta."""
    if at.given:
        return Finding("", True, where="given values")
    gradients = np.asarray(at.fit.risk.row_gradients(at.fit.theta))
    truth = np.sum(gradients * at.influences(), axis=1)
    # A solver may be iterative, to a residual of 1e-10 or so: g_i times it loses digits to its condition.
    found = Influence(at.fit, at.solver).on_self().values
    size, rounding = np.max(np.abs(truth), initial=0.0), _rounding_of_own(at)
    return compare(found, truth, tolerance=1e-6, size=size, allowance=rounding, place=row_of)


def _rounding_of_own(at: Influences) -> FloatArray:
    """Return what rounding of g_i by e does to g_i'H^-1 g_i: 2 |H^-1 g_i|'e + e'|H^-1|e, shape (n,)."""
    risk = at.fit.risk
    terms = risk.shape[0] * np.asarray(risk.gradient_scale(at.fit.theta))  # a sum over all rows
    # Each term of the sums is rounded a few times; 64 leaves room for losses with exponentials.
    e = 64.0 * np.finfo(np.float64).eps * terms
    moved = np.linalg.solve(np.asarray(at.fit.hessian.to_dense()), np.diag(e))  # H^-1 diag(e)
    return np.asarray(2.0 * np.abs(at.influences()) @ e + np.sum(e @ np.abs(moved)))


LAWS: dict[str, Callable[[Influences], Finding]] = {
    "derivative of the refit": _derivative,
    "order": _order,
    "exact refits": _exact,
    "loss": _loss,
    "prediction": _prediction,
    "own loss": _own,
}
INFLUENCE_LAWS = tuple(LAWS)
