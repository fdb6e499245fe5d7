"""The Taylor series is the literal recursion (12), and C decides whether it converges."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import influstat as ist
from influstat.errors import Diverged, IndefiniteHessian, SingularHessian
from influstat.solvers.base import as_operator
from tests.budget import examples
from tests.tolerance import CLOSED_FORM, SOLVED


def recursion_12(H, v, depth, C):
    """Return p_depth / C, word for word."""
    p = v
    for _ in range(depth):
        p = v + p - H @ p / C
    return p / C


def definite(p, seed=0, low=0.1):
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((p, p)))[0]
    matrix = (basis * np.linspace(low, 2.0, p)) @ basis.T
    return (matrix + matrix.T) / 2


def curvature_of(n, p, sparse=False, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.5)
    X = sp.csr_array(X) if sparse else X
    risk = ist.LinearRisk(ist.SquaredError(), X, np.zeros(n), penalty=ist.L2(1.0), intercept=True)
    return risk.curvature(np.zeros(p + 1))


# -- the recursion --------------------------------------------------------------------------------------


@examples(30)
@given(
    st.integers(1, 8), st.integers(1, 60), st.floats(0.51, 20.0), st.floats(0.0, 2.0), st.integers(0, 10**6)
)
def test_it_is_the_recursion_of_the_paper(p, depth, ratio, damping, seed):
    matrix = definite(p, seed)
    rhs = np.random.default_rng(seed + 1).standard_normal((p, 2))
    damped = matrix + damping * np.eye(p)
    C = ratio * np.linalg.eigvalsh(damped)[-1]
    solution = ist.Taylor(depth=depth, scale=C, damping=damping).solve(matrix, rhs)
    np.testing.assert_allclose(
        solution.value, recursion_12(damped, rhs, depth, C), rtol=SOLVED, atol=CLOSED_FORM
    )
    assert solution.iterations == depth


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("n", "p", "assembled"), [(300, 4, True), (12, 40, False)])
def test_it_gives_the_same_assembled_and_through_the_rows(n, p, assembled, sparse, monkeypatch):
    curvature = curvature_of(n, p, sparse)
    H, rhs = curvature.to_dense(), np.ones(p + 1)
    calls = []
    monkeypatch.setattr(ist.Curvature, "to_dense", lambda self: calls.append(1) or H.copy())
    solution = ist.Taylor(depth=200).solve(curvature, rhs)
    assert bool(calls) == assembled
    truth = recursion_12(H, rhs, 200, curvature.bound())
    np.testing.assert_allclose(solution.value, truth, rtol=SOLVED)


@pytest.mark.parametrize("depth", [1, 10, 100, 1000])
def test_the_residual_is_the_power_of_the_contraction(depth):
    matrix, C = np.diag([0.01, 0.5, 2.0]), 2.5
    rhs = np.ones(3)
    solution = ist.Taylor(depth=depth, scale=C).solve(matrix, rhs)
    left = (1.0 - matrix.diagonal() / C) ** (depth + 1)
    np.testing.assert_allclose(solution.residual, np.linalg.norm(left) / np.sqrt(3.0), rtol=1e-9)
    np.testing.assert_allclose(solution.value, (1.0 - left) / matrix.diagonal(), rtol=1e-9)
    assert bool(solution.converged) == (float(solution.residual) <= 1e-6)


def test_rtol_only_decides_what_is_called_converged():
    matrix, rhs = definite(5), np.ones(5)
    loose, strict = (ist.Taylor(depth=50, rtol=rtol).solve(matrix, rhs) for rtol in (0.5, 1e-12))
    assert loose.converged
    assert not strict.converged
    assert np.array_equal(loose.value, strict.value)


# -- the scale ------------------------------------------------------------------------------------------

FORMS = {
    "array": lambda matrix: matrix,
    "sparse": sp.csr_array,
    "operator": lambda matrix: LinearOperator(matrix.shape, matvec=lambda v: matrix @ v, dtype=float),
    "sum": lambda matrix: aslinearoperator(matrix) + aslinearoperator(np.zeros_like(matrix)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("p", [1, 2, 30, 100])
@pytest.mark.parametrize("damping", [0.0, 3.0])
def test_the_bound_and_the_largest_eigenvalue(form, p, damping):
    matrix = definite(p, seed=p)
    operator = as_operator(FORMS[form](matrix), damping)
    truth = np.linalg.eigvalsh(matrix)[-1] + damping
    np.testing.assert_allclose(operator.largest_eigenvalue(), truth, rtol=1e-8)
    assert truth * (1 - 1e-12) <= operator.bound() <= truth * 1.02 + (np.sqrt(p) - 1) * 2.0
    if form in ("operator", "sum"):
        np.testing.assert_allclose(operator.bound(), 1.01 * (truth - damping) + damping, rtol=1e-8)


@pytest.mark.parametrize("p", [4, 100])
def test_a_large_negative_eigenvalue_is_not_the_largest(p):
    matrix = definite(p)
    matrix -= 20.0 * np.outer(matrix[0], matrix[0])
    values = np.linalg.eigvalsh(matrix)
    assert -values[0] > 2 * values[-1]
    np.testing.assert_allclose(as_operator(matrix, 0.0).largest_eigenvalue(), values[-1], rtol=1e-7)


def test_without_a_scale_it_is_the_upper_bound():
    curvature = curvature_of(50, 3)
    prepared = ist.Taylor().prepare(curvature)
    assert prepared.scale == curvature.bound()
    assert prepared.scale >= np.linalg.eigvalsh(curvature.to_dense())[-1]


@pytest.mark.parametrize("p", [3, 90])
@pytest.mark.parametrize("sparse", [False, True])
def test_half_of_the_largest_eigenvalue_divides_convergence_from_growth(p, sparse):
    curvature = curvature_of(3 * p, p, sparse)
    largest = np.linalg.eigvalsh(curvature.to_dense())[-1]
    with pytest.raises(
        Diverged, match=rf"C = \S+ is not above half of the largest eigenvalue {largest:.6g} of H"
    ):
        ist.Taylor(scale=0.499 * largest).solve(curvature, np.ones(p + 1))
    few, many = (
        ist.Taylor(depth=depth, scale=0.501 * largest).solve(curvature, np.ones(p + 1))
        for depth in (200, 4000)
    )
    assert many.residual < 0.1 * few.residual
    assert many.residual < 1e-3


def test_the_message_gives_a_scale_that_works():
    matrix = np.diag([1.0, 8.0])
    with pytest.raises(Diverged, match="Use scale >= 8, or leave it out"):
        ist.Taylor(scale=3.0).solve(matrix, np.ones(2))
    assert ist.Taylor(scale=8.0).solve(matrix, np.ones(2)).converged


# -- no minimum -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [3, 10, 5000])
def test_a_negative_eigenvalue_is_found_by_its_growth(depth):
    matrix = np.array([[1.0, 2.0], [2.0, 1.0]])  # eigenvalues 3 and -1
    with pytest.raises(
        IndefiniteHessian, match=r"curvature -[01]\.?\d* along a direction of coefficients 0, 1"
    ):
        ist.Taylor(depth=depth).solve(matrix, np.array([1.0, -0.9]))


def test_a_singular_matrix_leaves_what_it_cannot_reach_in_the_residual():
    direction = np.array([0.6, 0.8])
    matrix = np.outer(direction, direction)
    across = np.array([-0.8, 0.6])
    solver = ist.Taylor(depth=300, scale=1.5)
    reached = solver.solve(matrix, 2.0 * direction)
    np.testing.assert_allclose(reached.value, 2.0 * direction, rtol=CLOSED_FORM)
    missed = solver.solve(matrix, direction + across)
    np.testing.assert_allclose(missed.residual, np.sqrt(0.5), rtol=CLOSED_FORM)
    assert not missed.converged


def test_a_matrix_without_positive_eigenvalues_has_no_scale():
    zero = LinearOperator((3, 3), matvec=lambda v: 0.0 * v, dtype=float)
    with pytest.raises(SingularHessian, match="no positive eigenvalue"):
        ist.Taylor().solve(zero, np.ones(3))
