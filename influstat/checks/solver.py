"""`check_solver`: whether a solver of H p = g solves it, and judges itself rightly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from influstat.checks.compare import compare
from influstat.checks.report import Finding, Report, run
from influstat.errors import InvalidArgument
from influstat.input.settings import require_parts
from influstat.input.validation import (
    FloatArray,
    check_finite,
    numeric_array,
    real_number,
    whole_number,
)
from influstat.solvers import Solution, Solver


def check_solver(
    solver: Any,
    operator: Any = None,
    *,
    rtol: float = 1e-6,
    seed: int = 0,
    laws: Sequence[str] | None = None,
) -> Report:
    """Check a solver on one symmetric positive definite operator.

    Parameters
    ----------
    solver : Solver
        What to check.
    operator : LinearOperator or array_like, shape (p, p), optional
        The operator; a random matrix of order 8 and condition 100 when left out. A solver that draws
        rows needs a `Curvature`.
    rtol : float
        How exact the solver must be, relative to the solution's norm.
    seed : int
        Of the right-hand sides.
    laws : sequence of str, optional
        Which laws of `SOLVER_LAWS`; all when left out.

    Returns
    -------
    Report
        One line per law: solutions, reported residuals, several columns at once, symmetry and linearity
        of the inverse, a right-hand side of 0, damping as H + delta I, and input left alone.

    Raises
    ------
    InvalidArgument, InvalidType
        `solver` is no solver, or rtol is not positive.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat import checks
    >>> checks.check_solver(ist.ConjugateGradient()).assert_ok()
    >>> checks.check_solver(ist.Taylor(depth=5)).passed        # far too short
    False
    """
    require_parts("solver", solver, Solver, need="be a solver", example="ist.Cholesky()")
    rtol = real_number("rtol", rtol, above=0.0)
    rng = np.random.default_rng(whole_number("seed", seed, at_least=0))
    A = _matrix(rng) if operator is None else _checked(operator)
    at = _System(solver, A, rng, rtol)
    return run(repr(solver), {name: partial(law, at) for name, law in LAWS.items()}, laws)


def _matrix(rng: np.random.Generator) -> FloatArray:
    """Return a symmetric matrix with eigenvalues from 0.1 to 10."""
    axes, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    matrix = (axes * np.geomspace(0.1, 10.0, 8)) @ axes.T
    return np.asarray(0.5 * (matrix + matrix.T))


def _checked(operator: Any) -> Any:
    """Return a linear operator or a square matrix, or raise."""
    given = isinstance(operator, LinearOperator)
    matrix: Any = operator if given else numeric_array("operator", operator)
    if len(matrix.shape) != 2 or matrix.shape[0] != matrix.shape[1] or 0 in matrix.shape:
        need, found = "be a square matrix or operator", f"has shape {matrix.shape}"
        raise InvalidArgument("operator", need, found, "Pass a Hessian, e.g. fit.hessian.")
    if not given:
        check_finite("operator", matrix)
    return matrix


class _System:
    def __init__(self, solver: Any, operator: Any, rng: np.random.Generator, rtol: float) -> None:
        self.solver, self.operator, self.rng, self.rtol = solver, operator, rng, rtol
        linear = operator if isinstance(operator, LinearOperator) else aslinearoperator(np.asarray(operator))
        self.p = linear.shape[0]
        self.H: FloatArray = np.asarray(linear.matmat(np.eye(self.p)))
        self.damped: FloatArray = self.H + float(solver.damping) * np.eye(self.p)
        self.rhs: FloatArray = rng.normal(size=(self.p, 3))

    def solve(self, rhs: FloatArray) -> Solution:
        return self.solver.solve(self.operator, rhs)  # type: ignore[no-any-return]  # any user's solver

    def near(self, found: Any, truth: Any, *, slack: float = 1.0) -> Finding:
        """Compare columns, relative to the norm of each."""
        norms = np.linalg.norm(truth, axis=0)
        return compare(
            found,
            truth,
            tolerance=slack * self.rtol,
            size=norms,
            place=lambda index: f"entry {index}",
            factors={"a factor p too large": float(self.p), "a factor p too small": 1.0 / self.p},
        )


def _solution(at: _System) -> Finding:
    return at.near(at.solve(at.rhs).value, np.linalg.solve(at.damped, at.rhs))


def _residual(at: _System) -> Finding:
    """Compare reported residuals with measured ones."""
    found = at.solve(at.rhs)
    measured = np.linalg.norm(at.damped @ found.value - at.rhs, axis=0) / np.linalg.norm(at.rhs, axis=0)
    shape = np.shape(found.converged)
    if np.shape(found.residual) != (3,) or shape != (3,):
        return Finding("", False, where="residual, converged", cause="must have one entry per column")
    # Residuals below the rounding of H p say nothing, and two digits of the others are honest enough.
    floor = 1e3 * np.finfo(float).eps * np.linalg.cond(at.damped)
    return compare(
        found.residual, measured, tolerance=1e-2, allowance=floor, place=lambda index: f"column {index[0]}"
    )


def _columns(at: _System) -> Finding:
    whole = at.solve(at.rhs).value
    single = np.column_stack([at.solve(at.rhs[:, k].copy()).value for k in range(3)])
    return at.near(whole, single)


def _one_column(at: _System) -> Finding:
    """Require a vector for a vector, a (p, 1) matrix for a (p, 1) matrix."""
    vector, column = at.solve(at.rhs[:, 0].copy()), at.solve(at.rhs[:, :1].copy())
    shapes = tuple(map(np.shape, (vector.value, column.value, vector.residual, column.residual)))
    wanted = (at.p,), (at.p, 1), (), (1,)
    if shapes != wanted:
        return Finding("", False, cause=f"shapes of value and residual are {shapes}, must be {wanted}")
    return Finding("", True)


def _symmetry(at: _System) -> Finding:
    u, v = at.rhs[:, 0], at.rhs[:, 1]
    images = at.solve(at.rhs[:, :2].copy()).value
    size = float(np.linalg.norm(images[:, 1]) * np.linalg.norm(u))
    return compare(
        # Each of the two solutions may be off by rtol; 10 leaves room for the ill-conditioned.
        u @ images[:, 1],
        v @ images[:, 0],
        tolerance=10.0 * at.rtol,
        size=size,
        place=lambda _: "u'H^-1 v",
    )


def _linearity(at: _System) -> Finding:
    combined = at.solve(2.0 * at.rhs[:, 0] - 3.0 * at.rhs[:, 1]).value
    images = at.solve(at.rhs).value
    return at.near(combined, 2.0 * images[:, 0] - 3.0 * images[:, 1], slack=10.0)


def _zero(at: _System) -> Finding:
    found = at.solve(np.zeros(at.p))
    passed = not np.any(found.value) and float(found.residual) == 0.0
    return Finding("", passed, cause="" if passed else "H p = 0 must give p = 0 with residual 0")


def _damping(at: _System) -> Finding:
    """Solve with H + delta I: not H + delta C I, nor delta in other units."""
    if not is_dataclass(at.solver):
        return Finding("", True, where="settings that cannot be replaced")
    delta = 0.5 * float(np.trace(at.H)) / at.p
    solver: Any = replace(at.solver, damping=delta)  # type: ignore[type-var]  # an instance, as checked above
    truth = np.linalg.solve(at.H + delta * np.eye(at.p), at.rhs)
    return at.near(solver.solve(at.operator, at.rhs).value, truth)


def _input(at: _System) -> Finding:
    rhs, before = at.rhs.copy(), at.H.copy()
    at.solve(rhs)
    operator = at.operator if isinstance(at.operator, LinearOperator) else np.asarray(at.operator)
    # A LinearOperator may sum in another order from call to call: by rounding, not by 1e-9.
    same = np.array_equal(rhs, at.rhs) and np.allclose(operator @ np.eye(at.p), before, rtol=1e-9, atol=0.0)
    return Finding("", same, cause="" if same else "the right-hand side or the operator is written to")


LAWS: dict[str, Callable[[_System], Finding]] = {
    "solution": _solution,
    "residual": _residual,
    "columns": _columns,
    "one column": _one_column,
    "symmetry": _symmetry,
    "linearity": _linearity,
    "zero": _zero,
    "damping": _damping,
    "input": _input,
}
SOLVER_LAWS = tuple(LAWS)
