"""Conjugate gradients: never a wrong answer without a word, and vectors only."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator

import influstat as ist
from influstat.errors import DoubtfulResult, IndefiniteHessian, SingularHessian
from influstat.solvers import conjugate_gradient
from tests.budget import examples

CG = ist.ConjugateGradient


def with_eigenvalues(values, seed, units=0.0):
    """Return a symmetric matrix with these eigenvalues, its rows and columns in uneven units."""
    rng = np.random.default_rng(seed)
    p = len(values)
    basis = np.linalg.qr(rng.standard_normal((p, p)))[0]
    unit = 10.0 ** rng.uniform(-units, units, p)
    matrix = (basis * values) @ basis.T * unit * unit[:, None]
    return (matrix + matrix.T) / 2


def operator_of(matrix):
    """Return an operator that knows products only, no diagonal."""
    return LinearOperator(matrix.shape, matvec=lambda v: matrix @ v, dtype=np.float64)


# -- singular and indefinite --------------------------------------------------------------------------


@examples(40)
@given(st.integers(2, 30), st.data(), st.booleans(), st.booleans(), st.integers(0, 10**6))
def test_a_singular_matrix_is_never_solved_not_even_in_its_range(p, data, in_range, known, seed):
    rank = data.draw(st.integers(1, p - 1))
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((p, rank)) * 10.0 ** rng.uniform(-3.0, 3.0, (p if known else 1, 1))
    matrix = factor @ factor.T
    rhs = rng.standard_normal(p)
    with pytest.raises(SingularHessian, match="coefficients .* are collinear and not determined"):
        CG().solve(matrix if known else operator_of(matrix), matrix @ rhs if in_range else rhs)


@examples(40)
@given(st.integers(2, 30), st.floats(0.01, 2.0), st.booleans(), st.integers(0, 10**6))
def test_one_negative_eigenvalue_is_found(p, size, known, seed):
    values = np.random.default_rng(seed).uniform(0.1, 1.0, p)
    values[0] = -size
    matrix = with_eigenvalues(values, seed)
    with pytest.raises(IndefiniteHessian, match="this is not a minimum"):
        CG().solve(matrix if known else operator_of(matrix), np.ones(p))


def test_a_negative_eigenvalue_behind_a_positive_diagonal_is_named_and_damping_is_the_remedy():
    matrix = np.array([[100.0, 200.0], [200.0, 100.0]])  # eigenvalues 300 and -100
    with pytest.raises(IndefiniteHessian, match=r"coefficients 0, 1 its curvature is -\d\d(\.\d)?,"):
        CG().solve(matrix, [1.0, 1.0])
    np.testing.assert_allclose(CG(damping=101.0).solve(matrix, [1.0, 1.0]).value, 1.0 / 401.0, rtol=1e-9)


def test_a_saddle_is_found_although_the_right_hand_side_avoids_it():
    X = np.array([[1.0, 1.0], [1.0, -1.0]])
    plain = ist.LinearRisk(ist.SquaredError(), X, np.zeros(2), penalty=ist.L2(0.2)).curvature(np.zeros(2))
    saddle = ist.Curvature(plain.design, np.array([2.0, -1.0]), plain.share, plain.ridge)
    with pytest.raises(IndefiniteHessian, match=r"coefficients x0, x1 its curvature is -0\.\d+, so this is"):
        CG().solve(saddle, np.array([1.0, 1.0]))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_two_collinear_columns_are_found_in_any_units_and_by_any_probe(sign, monkeypatch):
    for seed in range(200):
        monkeypatch.setattr(conjugate_gradient, "PROBE_SEED", seed)
        units = 10.0 ** np.random.default_rng(seed).uniform(-3.0, 3.0, 2) * [1.0, sign]
        matrix = np.outer(units, units) * 0.3
        with pytest.raises(SingularHessian, match="coefficients 0, 1 are collinear"):
            CG().solve(matrix, matrix @ np.ones(2))


def test_collinear_columns_are_named_and_a_penalty_or_damping_is_the_remedy():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4))
    X[:, 3] = 2.0 * X[:, 1] - X[:, 2]
    names = ["price", "width", "height", "sum"]

    def hessian(kappa):
        risk = ist.LinearRisk(ist.SquaredError(), X, np.zeros(30), penalty=ist.L2(kappa), names=names)
        return risk.curvature(np.zeros(4))

    with pytest.raises(SingularHessian, match=r"coefficients width, height, sum are collinear.*lam > 0"):
        CG().solve(hessian(0.0), X[0])
    for operator, damping in [(hessian(0.3), 0.0), (hessian(0.0), 0.01)]:
        solution = CG(damping=damping).solve(operator, X[0])
        truth = np.linalg.solve(operator.to_dense() + damping * np.eye(4), X[0])
        np.testing.assert_allclose(solution.value, truth, rtol=1e-8)


def test_a_hessian_that_is_zero_or_has_the_wrong_sign_everywhere():
    with pytest.raises(SingularHessian):
        CG().solve(operator_of(np.zeros((3, 3))), np.ones(3))
    with pytest.raises(IndefiniteHessian):
        CG().solve(operator_of(-np.eye(3)), np.ones(3))


# -- how far to trust it ------------------------------------------------------------------------------


def test_the_step_limit_gives_the_value_so_far_and_a_warning():
    matrix = with_eigenvalues(np.geomspace(1e-4, 1.0, 40), seed=1)
    easy = np.linalg.eigh(matrix)[1][:, -1]
    rhs = np.column_stack([easy, np.ones(40)])
    with pytest.warns(DoubtfulResult, match=r"in 1 of 2 right-hand sides.*step limit of 9\. Raise max_iter"):
        solution = CG(jacobi=False, max_iterations=9).solve(matrix, rhs)
    assert solution.converged.tolist() == [True, False]
    assert solution.iterations == 9
    residual = np.linalg.norm(matrix @ solution.value - rhs, axis=0) / np.linalg.norm(rhs, axis=0)
    np.testing.assert_allclose(solution.residual, residual, rtol=1e-8, atol=1e-14)
    truth = np.linalg.solve(matrix, rhs)

    def energy(value):
        error = (value - truth)[:, 1]
        return error @ matrix @ error

    assert 0 < energy(solution.value) < energy(np.zeros_like(rhs))


@examples(60)
@given(st.integers(2, 30), st.floats(0.0, 14.0), st.floats(0.0, 4.0), st.integers(0, 10**6))
def test_without_a_warning_the_value_is_as_good_as_a_factorisation_gives(p, digits, units, seed):
    rng = np.random.default_rng(seed)
    matrix = with_eigenvalues(10.0 ** -rng.uniform(0.0, digits, p), seed, units)
    rhs = rng.standard_normal(p)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            solution = CG().solve(matrix, rhs)
        except SingularHessian:
            root = np.sqrt(matrix.diagonal())
            assert np.linalg.cond(matrix / root / root[:, None]) > 1e12
            return
    assert bool(solution.converged) == (not caught)
    remainder = matrix @ solution.value - rhs
    measured = np.linalg.norm(remainder) / np.linalg.norm(rhs)
    np.testing.assert_allclose(solution.residual, measured, rtol=1e-3, atol=1e-10)
    if solution.converged and measured > 1e-10:  # the best in the scale of unit diagonal
        root = np.sqrt(matrix.diagonal())
        backward = np.linalg.norm(remainder / root) / np.linalg.norm(root * solution.value)
        assert backward <= 30 * 30 * np.finfo(np.float64).eps


def test_units_of_the_columns_do_not_matter_with_the_diagonal_as_preconditioner():
    matrix = np.diag(10.0 ** np.arange(-4.0, 4.0))
    rhs = np.ones(8)
    scaled, plain = (CG(jacobi=jacobi).solve(matrix, rhs) for jacobi in (True, False))
    assert scaled.iterations == 1
    assert plain.iterations >= 8
    for solution in (scaled, plain):
        np.testing.assert_allclose(solution.value, 1.0 / matrix.diagonal(), rtol=1e-8)


@pytest.mark.parametrize("rtol", [1e-2, 1e-6, 1e-13])
def test_the_residual_asked_for_is_reached(rtol):
    matrix = with_eigenvalues(np.geomspace(1e-2, 1.0, 30), seed=3)
    rhs = np.random.default_rng(4).standard_normal((30, 5))
    solution = CG(rtol=rtol).solve(matrix, rhs)
    measured = np.linalg.norm(matrix @ solution.value - rhs, axis=0) / np.linalg.norm(rhs, axis=0)
    assert (measured <= rtol).all()
    assert measured.max() > 1e-4 * rtol


def test_rounding_in_badly_scaled_columns_is_no_failure():
    matrix = with_eigenvalues(np.geomspace(1e-2, 1.0, 20), seed=7, units=4.0)
    rhs = np.random.default_rng(8).standard_normal(20)
    solution = CG().solve(matrix, rhs)  # warns nothing
    assert solution.converged
    assert solution.residual > 1e-10  # because entries of H p that cancel are far larger than g
    np.testing.assert_allclose(solution.value, ist.Cholesky().solve(matrix, rhs).value, rtol=1e-10)


@pytest.mark.parametrize("rtol", [*np.geomspace(3e-9, 3e-7, 15), 1e-10])
@pytest.mark.parametrize("limit", [None, 14, 20, 25])
def test_where_the_updated_residual_drifts_the_measured_one_decides(rtol, limit):
    matrix = with_eigenvalues(np.geomspace(1e-2, 1.0, 12), seed=5)

    def product(vector):  # a Hessian that answers in float32
        return (matrix @ vector.ravel()).astype(np.float32).astype(np.float64)

    inverse = CG(rtol=rtol, max_iterations=limit).prepare(matrix)
    inverse.operator = LinearOperator(matrix.shape, matvec=product, dtype=np.float64)
    rhs = np.full(12, 0.1)  # which float32 does not hold
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        solution = inverse.apply(rhs)
    measured = np.linalg.norm(product(solution.value) - rhs) / np.linalg.norm(rhs)
    np.testing.assert_allclose(solution.residual, measured, rtol=1e-6)
    assert bool(solution.converged) == bool(measured <= rtol) == (not caught)
    assert solution.iterations <= (limit or 120)
    if rtol == 1e-10 and limit is None:
        assert not solution.converged
        assert "because of rounding: H is ill-conditioned. Raise rtol" in str(caught[0].message)


# -- vectors only ---------------------------------------------------------------------------------------


def test_it_asks_for_products_with_single_vectors_only():
    asked = []
    diagonal = np.linspace(1.0, 2.0, 5000)

    def product(vector):
        asked.append(vector.shape)
        return diagonal * np.ravel(vector)

    operator = LinearOperator((5000, 5000), matvec=product, dtype=np.float64)
    solution = CG().solve(operator, np.ones(5000))
    np.testing.assert_allclose(solution.value, 1.0 / diagonal, rtol=1e-9)
    assert set(map(np.prod, asked)) == {5000}
    assert len(asked) < 60
