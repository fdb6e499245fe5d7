"""The table of public solvers, and Hessians to try them on."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import influstat as ist


@dataclass(frozen=True)
class Case:
    """A solver with settings under which it is exact, and what it needs for that."""

    solver: object
    draws_rows: bool = False  # needs a Curvature; exact only where all rows have the same Hessian

    def __str__(self):
        return type(self.solver).__name__

    def damped(self, damping):
        return replace(self.solver, damping=damping)


CASES = [
    Case(ist.Cholesky()),
    Case(ist.ConjugateGradient(rtol=1e-13)),
    Case(ist.Taylor(depth=4000)),
    Case(ist.LiSSA(depth=4000, repeats=3, seed=5), draws_rows=True),
]
each_solver = pytest.mark.parametrize("case", CASES, ids=str)
each_exact_solver = pytest.mark.parametrize("case", [c for c in CASES if not c.draws_rows], ids=str)


def rows_alike(kind=np.asarray):
    """Return a Curvature whose rows are plus and minus one row: each row's Hessian is H."""
    row = np.array([1.0, -0.5, 0.25, 2.0])
    X = kind(np.outer([1.0, -1.0, 1.0, -1.0, 1.0], row))
    penalty = ist.L2(4.0, unpenalised=())
    return ist.LinearRisk(ist.SquaredError(), X, np.zeros(5), penalty=penalty).curvature(np.zeros(4))


def logistic(n=40, p=6, kind=np.asarray, weights=None, kappa=3.0, seed=0, dtype=np.float64, **options):
    """Return the Curvature of a weighted logistic risk with uneven columns."""
    rng = np.random.default_rng(seed)
    X = (rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.6) * np.geomspace(0.5, 2.0, p)).astype(dtype)
    risk = ist.LinearRisk(
        ist.LogisticLoss(),
        kind(X),
        np.arange(n) % 2,
        penalty=ist.L2(kappa),
        weights=rng.integers(1, 4, n) if weights is None else weights,
        **options,
    )
    return risk.curvature(np.linspace(-0.5, 0.5, p + bool(options.get("intercept"))))


def right_hand_sides(p, m=3, seed=1):
    return np.random.default_rng(seed).standard_normal((p, m))


def operators_of(curvature):
    """Return the same matrix in every form that a solver takes."""
    dense = curvature.to_dense()
    return {
        "curvature": curvature,
        "array": dense,
        "list": dense.tolist(),
        "sparse array": sp.csr_array(dense),
        "sparse matrix": sp.csc_matrix(dense),
        "operator": LinearOperator(dense.shape, matvec=lambda v: dense @ v, dtype=np.float64),
        "sum of operators": curvature.damped(1.0) + aslinearoperator(-np.eye(len(dense))),
    }


def suited(case):
    return rows_alike() if case.draws_rows else logistic()


def close(value, truth, tolerance=1e-10):
    assert value.shape == truth.shape
    np.testing.assert_allclose(value, truth, rtol=0, atol=tolerance * np.abs(truth).max())
