"""Solve H p = g by conjugate gradients: products with H only, no p x p matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from influstat.algebra.cholesky import ROUNDING
from influstat.curvature.base import Hessian
from influstat.errors import IndefiniteHessian, SingularHessian
from influstat.input.validation import FloatArray, choice, real_number, whole_number
from influstat.input.warning import doubt
from influstat.solvers.base import OneCall, Solution, as_operator
from influstat.solvers.columns import in_shape_of, scaled_columns
from influstat.solvers.spectrum import checked_diagonal, coefficient_names, rounding_level

PROBE_RTOL = 1e-6  # a random vector has a larger share than this in any null space
PROBE_STEPS = 1000
PROBE_SEED = 20_170_806  # unlike any seed that data are made from


@dataclass(frozen=True, kw_only=True)
class ConjugateGradient(OneCall):
    """SciPy's `cg`, column by column: one product with H and a few vectors of length p per step.

    Parameters
    ----------
    rtol : float
        The residual |H p - g| / |g| to reach, as measured after the last step.
    max_iterations : int, optional
        Most steps per right-hand side; 10 p when left out.
    jacobi : bool
        Precondition with the diagonal of H where it is known (Curvature, array, sparse matrix), so
        that units of the columns do not matter. Where the penalty outweighs the rows for most
        coefficients, as with rare words, plain cg (False) can take fewer steps.
    damping : float
        delta >= 0; solves with H + delta I.

    Notes
    -----
    Source: Hestenes and Stiefel (1952). `Solution.converged` means a measured residual of at most
    `rtol`, or one that is all rounding: the value solves exactly for some H' with
    |H' - H| <= p epsilon |H| in the scale of unit diagonal, which is what a stable factorisation
    achieves. Where SciPy's updated residual has drifted from the measured one, cg starts anew on what
    remains; where that no longer helps, or at the step limit, the value comes with a `DoubtfulResult`
    warning.

    Every search direction d must have d'Hd > 0. Unless H is evidently definite (l2 >= 0 and every
    coefficient penalised or damped), `prepare` also solves for one fixed random vector: a right-hand
    side that happens to lie in the range of a singular H would not show that H has no inverse.

    Examples
    --------
    >>> import influstat as ist
    >>> solution = ist.ConjugateGradient().solve([[2.0, 1.0], [1.0, 2.0]], [3.0, 3.0])
    >>> solution.value, solution.iterations
    (array([1., 1.]), 1)
    """

    rtol: float = 1e-10
    max_iterations: int | None = None
    jacobi: bool = True
    damping: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        object.__setattr__(self, "rtol", real_number("rtol", self.rtol, above=0.0))
        if self.max_iterations is not None:
            limit = whole_number("max_iterations", self.max_iterations, at_least=1)
            object.__setattr__(self, "max_iterations", limit)
        choice("jacobi", self.jacobi, (True, False))
        object.__setattr__(self, "damping", real_number("damping", self.damping, at_least=0.0))

    def prepare(self, operator: Any) -> ConjugateGradientInverse:
        """Return the operator with its preconditioner, or raise along a direction without curvature."""
        return ConjugateGradientInverse(as_operator(operator, self.damping), self)


class ConjugateGradientInverse:
    """One operator with its preconditioner."""

    def __init__(self, operator: Hessian, settings: ConjugateGradient) -> None:
        p = operator.shape[0]
        self.operator, self.rtol = operator, settings.rtol
        self.step_limit = 10 * p if settings.max_iterations is None else settings.max_iterations
        diagonal = checked_diagonal(operator)
        self._metric = np.ones(p) if diagonal is None else diagonal
        self._norm = 0.0 if diagonal is None else 1.0  # a matrix with unit diagonal has at least this norm
        wanted = settings.jacobi and diagonal is not None
        self._preconditioner = _diagonal_operator(1.0 / self._metric) if wanted else None
        if not operator.evidently_definite(rounding_level(p)):
            self._probe()

    def _probe(self) -> None:
        """Raise if a random right-hand side meets a direction without positive curvature."""
        # In the scale of unit diagonal: what of the vector lies in the null space stays in the residual.
        root = 1.0 / np.sqrt(self._metric)
        start = np.random.default_rng(PROBE_SEED).standard_normal(len(root))
        watch = _Watch(self.operator, np.ones(len(root)), self._norm, root)
        _descend(watch, start / np.linalg.norm(start), PROBE_RTOL, min(self.step_limit, PROBE_STEPS), None)
        self._norm = watch.norm

    def apply(self, rhs: FloatArray) -> Solution:
        """Return the solution with its residual; warn where a column has not converged."""
        columns, size = scaled_columns(rhs)
        value, residual = np.zeros_like(columns), np.zeros(len(size))
        steps, converged = np.zeros(len(size), dtype=np.int64), np.ones(len(size), dtype=np.bool_)
        for j, column in enumerate(columns.T):
            if column.any():
                value[:, j], residual[j], steps[j], converged[j] = self._column(np.ascontiguousarray(column))
        if not converged.all():
            self._warn(residual, converged, at_limit=bool((steps[~converged] >= self.step_limit).any()))
        return in_shape_of(rhs, value * size, residual, int(steps.max()), converged)

    def _column(self, target: FloatArray) -> tuple[FloatArray, float, int, bool]:
        """Return the solution for one vector, its measured relative residual, steps and success."""
        norm = float(np.linalg.norm(target))
        watch = _Watch(self.operator, self._metric, self._norm)
        value, remainder, size, steps = np.zeros_like(target), target, norm, 0
        while not (done := size <= self.rtol * norm or self._is_rounding(value, remainder, watch.norm)):
            if steps >= self.step_limit:
                break
            # Aim at half of rtol, so that a little drift of cg's own residual does no harm.
            rtol, limit = 0.5 * self.rtol * norm / size, self.step_limit - steps
            change, taken = _descend(watch, remainder / size, rtol, limit, self._preconditioner)
            steps += taken
            nearer = value + size * change
            left = target - self.operator.matvec(nearer)
            left_size = float(np.linalg.norm(left))
            if left_size >= size and steps < self.step_limit:
                break
            value, remainder, size = nearer, left, left_size
        return value, size / norm, steps, done

    def _is_rounding(self, value: FloatArray, remainder: FloatArray, norm: float) -> bool:
        """Tell whether a change of H by rounding alone explains what remains."""
        root = np.sqrt(self._metric)
        reach = norm * np.linalg.norm(root * value)
        return bool(np.linalg.norm(remainder / root) <= rounding_level(len(value)) * reach)

    def _warn(self, residual: FloatArray, converged: Any, *, at_limit: bool) -> None:
        reason = f"the step limit of {self.step_limit}" if at_limit else "rounding: H is ill-conditioned"
        remedy = "Raise max_iterations" if at_limit else "Raise rtol, rescale the columns of X"
        doubt(
            f"Conjugate gradients reached a relative residual of {residual.max():.1e}, not rtol = "
            f"{self.rtol:.1e}, in {int((~converged).sum())} of {len(residual)} right-hand sides, because of "
            f"{reason}. {remedy}, add damping, or use ist.Cholesky().",
        )


class _Watch:
    """Products of H with search directions d of cg, each of which must have d'Hd > 0.

    Rounding in d'Hd is about p epsilons of |H| d'Dd, D being the metric (H's diagonal, or I) and |H| the
    largest |Hd| / |d| met so far in it: below that H is singular. With `units` u, H is diag(u) H diag(u).
    """

    def __init__(
        self, operator: Hessian, metric: FloatArray, norm: float, units: FloatArray | float = 1.0
    ) -> None:
        self.operator, self.metric, self.norm, self.units = operator, metric, norm, units

    def __call__(self, direction: FloatArray) -> FloatArray:
        image = np.asarray(self.units * self.operator.matvec(self.units * direction))
        length = float(direction @ (self.metric * direction))
        curvature = float(direction @ image)
        self.norm = max(self.norm, float(np.sqrt(image @ (image / self.metric) / length)))
        if curvature > rounding_level(len(direction)) * self.norm * length:
            return image
        names = coefficient_names(self.operator, np.sqrt(self.metric) * direction)
        if curvature < -ROUNDING * self.norm * length:
            moved = self.units * direction
            raise IndefiniteHessian(
                f"The Hessian is indefinite: along a direction of coefficients {names} its curvature is "
                f"{curvature / float(moved @ moved):.3g}, so this is not a minimum. Check the loss and "
                "theta, or add damping well above that size."
            )
        relative = curvature / (self.norm * length) if self.norm > 0 else 0.0
        raise SingularHessian(
            f"The Hessian is singular to working precision (curvature {relative:.1e} of its largest): "
            f"coefficients {names} are collinear and not determined. Drop a column, add a penalty (lam > 0), "
            "or pass damping > 0."
        )


def _descend(
    watch: _Watch, target: FloatArray, rtol: float, limit: int, preconditioner: LinearOperator | None
) -> tuple[FloatArray, int]:
    """Return SciPy's cg solution from a start of zero, and the steps it took."""
    taken = 0

    def count(_: FloatArray) -> None:
        nonlocal taken
        taken += 1

    p = len(target)
    operator = LinearOperator((p, p), matvec=watch, dtype=np.float64)
    value, _ = cg(operator, target, rtol=rtol, maxiter=limit, M=preconditioner, callback=count)
    return np.asarray(value), taken


def _diagonal_operator(diagonal: FloatArray) -> LinearOperator:
    p = len(diagonal)
    return LinearOperator((p, p), matvec=lambda vector: diagonal * vector, dtype=np.float64)
