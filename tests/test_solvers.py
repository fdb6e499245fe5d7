"""Every public solver against the same laws: the truth is np.linalg.solve on the assembled matrix."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator, cg, eigsh, minres

import influstat as ist
from influstat.solvers.base import Inverse
from tests.budget import examples
from tests.solver_cases import (
    CASES,
    Case,
    close,
    each_exact_solver,
    each_solver,
    logistic,
    operators_of,
    right_hand_sides,
    rows_alike,
    suited,
)
from tests.tolerance import CLOSED_FORM, INVERTED, SUMS

# -- the table is complete ----------------------------------------------------------------------------


def test_every_public_solver_is_in_the_table():
    public = {name for name in ist.__all__ if hasattr(getattr(ist, name), "prepare")} - {"Solver"}
    assert public == {str(case) for case in CASES}


@each_solver
def test_settings_are_frozen_and_the_two_verbs_are_there(case):
    assert isinstance(case.solver, ist.Solver)
    assert isinstance(case.solver.prepare(suited(case)), Inverse)
    with pytest.raises(FrozenInstanceError):
        case.solver.damping = 1.0
    assert case.damped(0.25).damping == 0.25
    assert case.damped(0.25) == case.damped(0.25) != case.solver


# -- what is solved -----------------------------------------------------------------------------------


@each_solver
def test_it_solves_rows_that_are_all_alike(case):
    rhs = right_hand_sides(4)
    solution = case.solver.solve(rows_alike(), rhs)
    close(solution.value, np.linalg.solve(rows_alike().to_dense(), rhs))
    assert solution.converged.all()


@each_exact_solver
@pytest.mark.parametrize("form", operators_of(logistic()))
def test_it_solves_every_form_of_an_operator(case, form):
    rhs = right_hand_sides(6)
    solution = case.solver.solve(operators_of(logistic())[form], rhs)
    close(solution.value, np.linalg.solve(logistic().to_dense(), rhs))
    assert solution.converged.all()


@each_exact_solver
@examples(25)
@given(st.integers(1, 12), st.integers(1, 3), st.floats(0.0, 2.0), st.integers(0, 10**6))
def test_it_solves_random_definite_matrices(case, p, m, digits, seed):
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((p, p)))[0]
    matrix = (basis * 10.0 ** -rng.uniform(0.0, digits, p)) @ basis.T
    matrix = (matrix + matrix.T) / 2
    rhs = rng.standard_normal((p, m))
    close(case.solver.solve(matrix, rhs).value, np.linalg.solve(matrix, rhs), 1e-9)


@each_solver
@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_matrix, np.asfortranarray], ids=lambda k: k.__name__)
def test_sparse_and_fortran_data_give_what_dense_data_give(case, kind):
    rhs = right_hand_sides(6)
    dense, other = case.solver.solve(logistic(), rhs), case.solver.solve(logistic(kind=kind), rhs)
    close(other.value, dense.value, 1e-12)
    np.testing.assert_allclose(other.residual, dense.residual, rtol=0, atol=CLOSED_FORM)


@each_solver
def test_float32_data_are_solved_in_float64(case):
    single = logistic(dtype=np.float32)
    rhs = right_hand_sides(6)
    same = logistic(kind=lambda X: np.asarray(X, dtype=np.float64), dtype=np.float32)
    solution = case.solver.solve(single, rhs)
    assert solution.value.dtype == solution.residual.dtype == np.float64
    close(solution.value, case.solver.solve(same, rhs).value, 1e-14)


@each_solver
def test_several_right_hand_sides_give_what_each_gives_alone(case):
    rhs = right_hand_sides(6, m=4)
    together = case.solver.solve(logistic(), rhs)
    alone = [case.solver.solve(logistic(), column) for column in rhs.T]
    close(together.value, np.column_stack([one.value for one in alone]), 1e-12)
    np.testing.assert_allclose(together.residual, [one.residual for one in alone], rtol=0, atol=CLOSED_FORM)
    assert together.converged.tolist() == [bool(one.converged) for one in alone]
    assert together.iterations == max(one.iterations for one in alone)


@each_solver
@pytest.mark.parametrize("form", ["curvature", "array", "operator"])
def test_damping_solves_with_the_same_multiple_of_the_identity_added(case, form):
    if case.draws_rows and form != "curvature":
        form = "curvature"
    operator, rhs = operators_of(suited(case))[form], right_hand_sides(suited(case).shape[0])
    solution = case.damped(0.75).solve(operator, rhs)
    matrix = suited(case).to_dense() + 0.75 * np.eye(len(rhs))
    close(solution.value, np.linalg.solve(matrix, rhs))
    assert solution.residual.max() < 1e-10


@each_solver
def test_damping_equals_a_damped_curvature(case):
    rhs = right_hand_sides(6)
    close(
        case.damped(0.75).solve(logistic(), rhs).value,
        case.solver.solve(logistic().damped(0.75), rhs).value,
        1e-14,
    )


# -- what is reported ---------------------------------------------------------------------------------

SHORT = [
    Case(ist.Cholesky()),
    Case(ist.ConjugateGradient(rtol=1e-2)),
    Case(ist.Taylor(depth=10)),
    Case(ist.LiSSA(depth=50, repeats=2), draws_rows=True),
]


@pytest.mark.parametrize("case", SHORT, ids=str)
def test_the_residual_is_that_of_the_returned_value(case):
    rhs = right_hand_sides(6)
    for damping in (0.0, 0.5):
        solution = case.damped(damping).solve(logistic(), rhs)
        matrix = logistic().to_dense() + damping * np.eye(6)
        truth = np.linalg.norm(matrix @ solution.value - rhs, axis=0) / np.linalg.norm(rhs, axis=0)
        np.testing.assert_allclose(solution.residual, truth, rtol=INVERTED, atol=1e-14)
        if str(case) != "Cholesky":
            assert (truth > 1e-6).all()  # an early stop, so that there is something to measure


@each_solver
@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 3)], ids=str)
def test_shapes_follow_the_right_hand_side(case, shape):
    solution = case.solver.solve(logistic(), np.ones(shape))
    assert solution.value.shape == shape
    assert solution.residual.shape == solution.converged.shape == shape[1:]
    assert solution.converged.dtype == np.bool_
    assert (solution.spread is not None) == case.draws_rows
    assert solution.spread is None or solution.spread.shape == shape[1:]
    assert isinstance(solution.iterations, int)


@each_solver
def test_a_zero_right_hand_side_has_the_answer_zero(case):
    rhs = np.column_stack([np.zeros(4), np.ones(4)])
    solution = case.solver.solve(rows_alike(), rhs)
    assert not solution.value[:, 0].any()
    assert solution.value[:, 1].any()
    assert solution.residual[0] == 0.0
    assert solution.converged.all()
    assert not case.solver.solve(rows_alike(), rhs[:, 0]).value.any()


@each_solver
@pytest.mark.parametrize("power", [-900, 900])
def test_the_size_of_the_right_hand_side_does_not_matter(case, power):
    rhs = right_hand_sides(4)
    plain, scaled = (case.solver.solve(rows_alike(), np.ldexp(rhs, k)) for k in (0, power))
    close(np.ldexp(scaled.value, -power), plain.value, 1e-12)
    np.testing.assert_allclose(scaled.residual, plain.residual, rtol=0, atol=SUMS)


@each_solver
def test_a_prepared_solver_answers_the_same_again(case):
    prepared, rhs = case.solver.prepare(logistic()), right_hand_sides(6)
    first, second = prepared.apply(rhs), prepared.apply(rhs)
    assert np.array_equal(first.value, second.value)
    close(first.value, case.solver.solve(logistic(), rhs).value, 1e-14)
    assert np.array_equal(rhs, right_hand_sides(6))


# -- scipy's own solvers take a Curvature as it is ------------------------------------------------------


def test_scipy_takes_a_curvature_and_its_sum_with_the_identity():
    curvature, rhs = logistic(intercept=True), np.ones(7)
    dense = curvature.to_dense()
    for operator, matrix in [
        (curvature, dense),
        (curvature.damped(2.0), dense + 2.0 * np.eye(7)),
        (curvature + 2.0 * aslinearoperator(np.eye(7)), dense + 2.0 * np.eye(7)),
    ]:
        for method in (cg, minres):
            value, info = method(operator, rhs, rtol=1e-12)
            assert info == 0
            close(value, np.linalg.solve(matrix, rhs), 1e-9)
        close(eigsh(operator, k=2)[0], np.linalg.eigvalsh(matrix)[-2:])
        close(operator.matmat(np.eye(7)), matrix, 1e-14)
        close(operator.rmatvec(rhs), matrix @ rhs, 1e-14)
