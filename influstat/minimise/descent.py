"""One run of Newton's method with backtracking, from one start to one end.

A squared error needs one step and one of refinement. The end is judged by `stationarity`: the largest entry
of the gradient, each relative to the size that it would have without cancellation, so that the units of the
columns do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from influstat.algebra.cholesky import CholeskyInverse
from influstat.errors import IndefiniteHessian, NotConverged, OutsideDomain, SingularHessian
from influstat.input.validation import FloatArray
from influstat.minimise.domain import explain_edge, explain_start
from influstat.minimise.existence import existence_of
from influstat.minimise.kinks import refuse_flat, refuse_kinks
from influstat.risks.contract import Risk
from influstat.risks.linear import as_linear
from influstat.solvers.conjugate_gradient import ConjugateGradient

TOLERANCE = 1e-12
LARGEST_FACTORED = 4000  # coefficients; beyond, and where penalised, steps come from conjugate gradients
LEAST_RTOL = 1e-10  # of conjugate gradients; looser far from the minimum, where a Newton step is no aim
SHORTENINGS = 60  # of a step: by halves to about 1e-6, then by tenths, as far as a step of 1e20 needs
GONE = 1e-12  # of a coefficient and its gradient that one step takes to 0, but for rounding
NOTHING = 1e-140  # a gradient that no step can tell from 0: its square is below float64
SHARED = 1e-4  # of the largest gradient scale, the least that counts where steps are not factored
LEVELLED = 0.5  # of the slope along a step: how much may be left of it at its end
#                 (Hager and Zhang 2005, SIAM Journal on Optimization 16, their approximate Wolfe condition)
NEAR = 1e-6  # stationarity below which a smaller gradient alone shows progress
SHARP = 1e-2  # contraction of a step whose factor is kept for the next, which then contracts no less
WIDE = 64  # coefficients from which a factor costs more than the gradients of a step or two
POLISHING_STEPS = 3  # after the tolerance is met, while each still halves the gradient,
POLISHED = float(np.finfo(np.float64).eps) / 16  # and until so little of its terms is left: their rounding


@dataclass(frozen=True)
class Found:
    """A minimiser with its evidence."""

    theta: FloatArray
    stationarity: float  # max_j |grad_j R| / (size of its terms), at theta
    iterations: int  # Newton steps taken


def stationarity(
    risk: Risk, theta: FloatArray, gradient: FloatArray | None = None, scale: FloatArray | None = None
) -> float:
    """Return max_j |grad_j R(theta)| / scale_j, 0 at a minimum; inf where it is not finite."""
    gradient = risk.gradient(theta) if gradient is None else gradient
    scale = risk.gradient_scale(theta) if scale is None else scale
    if not (np.isfinite(gradient).all() and np.isfinite(scale).all()):
        return float("inf")
    gradient = np.where(np.abs(gradient) > NOTHING, gradient, 0.0)  # at 0 the terms may vanish with it
    if _by_conjugate_gradients(risk):
        # Those are exact relative to the whole gradient, in the scale of unit diagonal: coefficients of
        # words in rows that hardly count are not held to their own size.
        root = np.sqrt(np.abs(risk.curvature(theta).diagonal()))
        root = np.where(root > 0, root, 1.0)
        scale = np.maximum(scale, SHARED * root * np.max(scale / root))
    return float(np.max(np.abs(gradient) / np.where(scale > 0, scale, 1.0)))


UNITS = "and y in units of its residuals: a loss that levels off does not feel rows many units away"


class Descent:
    """One run of Newton's method."""

    def __init__(self, risk: Risk, theta: FloatArray, *, downhill: bool = False) -> None:
        self.risk, self.theta = risk, theta
        with np.errstate(over="ignore", invalid="ignore"):  # a start too far out; see `minimum`
            self.value = risk.value(theta)
            self.gradient = risk.gradient(theta)
            self.scale = risk.gradient_scale(theta)
            self.measure = stationarity(risk, theta, self.gradient, self.scale)
        self.inverse: CholeskyInverse | None = None
        self.kept = False  # whether the next step takes the last factor again
        self.definite = False  # whether the last Hessian was positive definite as it is
        self.existence = existence_of(risk)
        self.by_products = _by_conjugate_gradients(risk)
        self.convex = not downhill and getattr(risk, "convex", True)
        self.steps = 0
        self.direction: FloatArray | None = None  # of the last step

    def minimum(self, max_iterations: int, tolerance: float) -> Found:
        """Return the end of the run, checked to be the one minimum."""
        if not np.isfinite(self.measure):
            explain_start(self.risk, self.theta)
            raise NotConverged(
                "The risk or its gradient is not finite where the minimisation starts. Start nearer to the "
                "minimum: pass another start."
            )
        self.run(max_iterations, tolerance)
        if not self.definite:  # no step was needed, or the last was damped: a saddle looks the same so far
            self._require_definite()
        condition = 1.0 if self.inverse is None else self.inverse.reciprocal_condition
        self.existence.explain(self.theta, condition, only_if_suspect=True)
        return Found(self.theta, self.measure, self.steps)

    def run(self, max_iterations: int, tolerance: float) -> None:
        """Step until stationary, then polish while each step still halves the gradient."""
        polishing = 0
        while self.measure > POLISHED and polishing <= POLISHING_STEPS:
            if self.steps == max_iterations:
                self._fail(tolerance)
            before, previous, kept = self.theta, self.measure, self.kept
            moved = self._step(SHORTENINGS if previous > tolerance else 1)
            if previous <= tolerance:
                polishing += 1
                if self.measure > 0.5 * previous:
                    if self.measure > previous:
                        self.theta, self.measure = before, previous
                    break
            elif moved:
                self.existence.refuse_separating(self.theta)
            elif not kept:  # else the next step has a factor of its own
                self._fail(tolerance)

    def _step(self, lengths: int) -> bool:
        """Return whether one of so many step lengths lowers the risk or its gradient, having moved there."""
        # Within the tolerance a whole step lowers the gradient, or rounding is all that is left of it.
        with np.errstate(over="ignore"):
            self.direction = direction = self._direction()
        self.steps += 1
        self.kept = False
        if not np.isfinite(direction).all():  # hardly any curvature: no step comes back from there
            return False
        slope = float(self.gradient @ direction)
        noise = 64 * np.finfo(np.float64).eps * abs(self.value)
        length = 1.0
        for tried in range(lengths):
            theta = self.theta + length * direction
            with np.errstate(over="ignore", invalid="ignore"):  # too far: half as far next
                value = self._tried(theta)
            lower = bool(value <= self.value + 1e-4 * length * slope + noise)
            if lower or (self.measure < NEAR and value < np.inf):
                gradient = self.risk.gradient(theta)
                gone = (np.abs(theta) <= GONE * np.abs(self.theta)) & (
                    np.abs(gradient) <= GONE * np.abs(self.gradient)
                )
                if gone.any():  # a minimum at 0, where nothing is left to be small relative to
                    theta = np.where(gone, 0.0, theta)
                    value, gradient = self.risk.value(theta), self.risk.gradient(theta)
                # So near, what the gradient is relative to does not change by more than that.
                scale = self.scale if self.measure < NEAR else self.risk.gradient_scale(theta)
                measure = stationarity(self.risk, theta, gradient, scale)
                # Where the value changes by less than its rounding only the gradient can tell: it is smaller,
                # and the slope along the step is not just turned round, as it is beyond a bend of the loss.
                level = lower or abs(gradient @ direction) <= LEVELLED * abs(slope)
                if (lower and -length * slope > noise) or (measure < self.measure and level):
                    sharp = measure <= max(SHARP * self.measure, TOLERANCE) and length == 1.0
                    self.kept = sharp and self.definite and self.risk.shape[1] >= WIDE
                    self.theta, self.value = theta, value
                    self.gradient, self.scale, self.measure = gradient, scale, measure
                    return True
            length *= 0.5 if tried < 20 else 0.1
        return False

    def _tried(self, theta: FloatArray) -> float:
        """Return R(theta), inf where a caller's own loss has no value: less far next, within its domain."""
        try:
            return self.risk.value(theta)
        except OutsideDomain:
            return np.inf

    def _direction(self) -> FloatArray:
        linear = as_linear(self.risk)
        constant = linear is not None and linear.quadratic
        if self.inverse is not None and (constant or self.kept):
            return -self.inverse.solve(self.gradient)
        curvature = self.risk.curvature(self.theta)
        if self.by_products:
            self.definite = curvature.convex
            rtol = LEAST_RTOL if constant else max(LEAST_RTOL, min(0.1, self.measure**0.5))
            return _conjugate_gradient_direction(curvature, self.gradient, rtol)
        self.inverse = self._factor(curvature, constant)
        return -self.inverse.solve(self.gradient)

    def _factor(self, curvature: Any, constant: bool) -> CholeskyInverse:
        """Factor H; where rows too far out leave it singular, with some of its diagonal added."""
        try:
            if as_linear(self.risk) is None:  # a caller's own curvature need only be dense
                inverse = CholeskyInverse(curvature.to_dense(), self.risk.names)
            else:
                rough = None if constant else curvature.rough
                inverse = curvature.cholesky() if rough is None else rough
        except IndefiniteHessian as error:
            if self.steps == 0 and self.convex:  # the loss, or the start, is not what it should be
                raise IndefiniteHessian(
                    "The Hessian is indefinite where the search starts: this is not a minimum, and the loss "
                    "is not convex there, or a sign in it is wrong. Pass start=, a theta near the minimum "
                    f"that you mean, e.g. that of ist.HuberLoss(), {UNITS}. ({error.args[0].split(': ')[0]}.)"
                ) from error
        except SingularHessian:
            if self.steps == 0 and self.convex:
                self.existence.explain(self.theta)
                if self.existence.hopeless:
                    raise
        else:
            self.definite = True
            return inverse
        self.definite = False
        return self._damped(curvature)

    def _damped(self, curvature: Any) -> CholeskyInverse:
        """Factor H plus as much of its diagonal as makes it definite; |H| where nothing says it is convex."""
        if not self.convex:
            return CholeskyInverse(_absolute(curvature.to_dense()), self.risk.names)
        diagonal = np.abs(curvature.diagonal())
        diagonal = np.maximum(diagonal, 1e-8 * diagonal.max() + np.finfo(np.float64).tiny)
        for power in range(-10, 6, 2):
            matrix = curvature.to_dense()
            matrix.flat[:: len(diagonal) + 1] += 10.0**power * diagonal
            try:
                return CholeskyInverse(matrix, self.risk.names)
            except (SingularHessian, IndefiniteHessian):
                continue
        self._require_definite()  # raises what is wrong with it
        return CholeskyInverse(curvature.to_dense(), self.risk.names)

    def _require_definite(self) -> None:
        """Raise unless H at theta is positive definite."""
        curvature = self.risk.curvature(self.theta)
        if self.by_products:
            ConjugateGradient().prepare(curvature)
            return
        try:
            self.inverse = CholeskyInverse(curvature.to_dense(), self.risk.names)
        except SingularHessian as error:
            self.existence.explain(self.theta)
            explain_edge(self.risk, self.theta, self.direction)
            self._explain_start(error)
            linear = as_linear(self.risk)
            if linear is not None and not self.existence.hopeless:
                refuse_flat(linear, self.theta, error, UNITS)
                refuse_kinks(linear, self.theta)
            raise
        except IndefiniteHessian as error:
            self._explain_start(error)
            raise

    def _explain_start(self, error: SingularHessian | IndefiniteHessian) -> None:
        """Raise with the remedy where the search has never begun: the start is a saddle or a plateau."""
        if self.steps == 0 and (as_linear(self.risk) is None or not self.convex):
            raise type(error)(
                "The gradient is 0 where the search starts, and the Hessian is not positive definite there: "
                "this is a saddle or flat, not a minimum. Pass start=, a theta elsewhere, such as small "
                f"random numbers. ({error.args[0].split(': ')[0]}.)"
            ) from error

    def _fail(self, tolerance: float) -> None:
        self.existence.explain(self.theta)
        explain_edge(self.risk, self.theta, self.direction)
        linear = as_linear(self.risk)
        if linear is not None:
            refuse_kinks(linear, self.theta)
        self._require_definite()
        own = linear is not None and not type(linear.loss).__module__.startswith("influstat.")
        raise NotConverged(
            f"Newton's method stopped after {self.steps} steps with a relative gradient of "
            f"{self.measure:.1e}, above {tolerance:.1e}. "
            + (
                "See whether the loss has the derivatives it says: ist.checks.check_loss(loss). "
                if own
                else ""
            )
            + "Rescale the columns of X, start nearer, allow more steps, or strengthen the penalty."
        )


def _absolute(matrix: FloatArray) -> FloatArray:
    """Return the matrix with its eigenvalues in absolute value: it turns saddles into descents."""
    # Dauphin et al. (2014), Advances in Neural Information Processing Systems 27.
    values, vectors = np.linalg.eigh(matrix)
    sizes = np.abs(values)
    sizes = np.maximum(sizes, 1e-6 * sizes.max() + np.finfo(np.float64).tiny)
    return np.asfortranarray((vectors * sizes) @ vectors.T)


def _by_conjugate_gradients(risk: Risk) -> bool:
    linear = as_linear(risk)
    if linear is None:
        return bool(getattr(risk, "by_products", False))
    if risk.shape[1] <= LARGEST_FACTORED:
        return False
    return bool(np.mean(linear.penalty.axes(risk.shape[1])) > 0.9)


def _conjugate_gradient_direction(curvature: Any, gradient: FloatArray, rtol: float) -> FloatArray:
    """Return -H^-1 grad up to a relative residual of rtol: a descent direction all the same."""
    diagonal = curvature.diagonal()
    inverse = 1.0 / np.where(diagonal > 0, diagonal, 1.0)
    p = len(gradient)
    preconditioner: Any = LinearOperator((p, p), matvec=lambda vector: inverse * vector, dtype=np.float64)
    solution, _ = cg(curvature, -gradient, rtol=rtol, maxiter=10 * p, M=preconditioner)
    return np.asarray(solution)
