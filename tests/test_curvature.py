"""The Hessian as an operator: the sum of the rows' Hessians, symmetric, bounded, sampled, damped."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator, cg, eigsh, minres

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType
from influstat.input import design as design_module
from influstat.solvers.base import as_operator
from tests.budget import examples
from tests.cases import LOSSES, make_problem, problems
from tests.reference import assert_within
from tests.tolerance import CLOSED_FORM, INVERTED, SOLVED, TWO_FITS

few = examples(50)
dense_or_sparse = st.sampled_from([np.asarray, sp.csr_array])


def well_conditioned(case=LOSSES[1], **settings):
    return make_problem(case, 30, 5, seed=3, weights="positive", strength=2.0, **settings)


# -- the sum of the rows' Hessians ----------------------------------------------------------------------


@examples(100)
@given(problems(), dense_or_sparse, st.integers(1, 80))
def test_every_product_is_that_of_the_sum_of_the_row_hessians(problem, form, entries):
    plain, theta = problem.plain(), problem.theta
    hessian, size = plain.hessian(theta), plain.hessian_size(theta)
    rng = np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(design_module, "BLOCK_ENTRIES", entries)
        H = problem.risk(X=form(problem.X)).curvature(theta)
        assert H.shape == hessian.shape
        assert H.dtype == np.float64
        dense = H.to_dense()
        assert_within(dense, hessian, size)
        assert np.array_equal(dense, dense.T)
        assert dense.flags.f_contiguous
        assert_within(H.diagonal(), np.diag(hessian), np.diag(size))
        for vectors in (rng.normal(size=len(theta)), rng.normal(size=(len(theta), 3))):
            products = [H @ vectors, H.T @ vectors, H.H @ vectors, H.dot(vectors), (-H) @ -vectors]
            if vectors.ndim == 1:
                products += [H.matvec(vectors), H.rmatvec(vectors), H.matmat(vectors[:, None])[:, 0]]
            else:
                products += [H.matmat(vectors), H.rmatmat(vectors)]
            for product in products:
                assert_within(product, hessian @ vectors, size @ np.abs(vectors))


@few
@given(problems(), dense_or_sparse)
def test_products_are_symmetric(problem, form):
    H = problem.risk(X=form(problem.X)).curvature(problem.theta)
    u, v = np.random.default_rng(1).normal(size=(2, len(problem.theta)))
    size = np.abs(u) @ problem.plain().hessian_size(problem.theta) @ np.abs(v)
    assert_within(u @ (H @ v), v @ (H @ u), size)


def test_negative_curvature_is_kept():
    # A loss that is not convex gives rows of negative weight; a square root must not lose their sign.
    design = well_conditioned().risk().design
    second, share = np.linspace(-1.0, 2.0, 30), np.full(30, 1.0 / 30)
    X = design.rows(slice(None))
    for scale in (1.0, -1.0):
        H = ist.Curvature(design, scale * second, share, np.zeros(5))
        truth = scale * sum(share[i] * second[i] * np.outer(X[i], X[i]) for i in range(30))
        np.testing.assert_allclose(H.to_dense(), truth, atol=1e-14)
        np.testing.assert_allclose(H @ np.eye(5), truth, atol=1e-14)
        assert H.bound() >= np.max(np.abs(np.linalg.eigvalsh(truth)))


# -- bounds ---------------------------------------------------------------------------------------------


@examples(150)
@given(problems(), dense_or_sparse)
def test_the_bound_is_above_every_eigenvalue_and_at_most_p_times_the_largest(problem, form):
    H = problem.risk(X=form(problem.X)).curvature(problem.theta)
    largest = np.linalg.eigvalsh(H.to_dense())[-1]
    assert largest * (1.0 - 1e-13) <= H.bound() <= len(problem.theta) * largest * (1.0 + 1e-13)


@few
@given(problems())
def test_the_row_bound_is_above_the_hessian_of_every_row(problem):
    risk, plain, theta = problem.risk(), problem.plain(), problem.theta
    bound = risk.curvature(theta).row_sampler().bound()
    ridge = plain.kappa * plain.D / plain.total_weight
    largest = 0.0
    for x, y, o, w in plain.rows:
        if w > 0:
            row = plain.loss.second(y, x @ theta + o) * np.outer(x, x)
            largest = max(largest, np.linalg.eigvalsh(row)[-1])
            assert np.linalg.eigvalsh(row + np.diag(ridge))[-1] <= bound * (1.0 + 1e-12)
    np.testing.assert_allclose(bound, largest + ridge.max(), rtol=CLOSED_FORM)


def test_rows_that_cannot_be_drawn_do_not_count_in_the_row_bound():
    X = np.array([[1.0], [2.0], [100.0]])
    risk = ist.LinearRisk(ist.SquaredError(), X, np.zeros(3), weights=[1.0, 1.0, 0.0])
    assert risk.curvature(np.zeros(1)).row_sampler().bound() == 2.0 * 4.0


def test_the_smaller_of_trace_and_row_sum_is_the_bound():
    row_sum = ist.LinearRisk(ist.SquaredError(), np.eye(3), np.zeros(3)).curvature(np.zeros(3))
    assert row_sum.bound() == 2.0 / 3.0  # the trace is 2
    one_row = ist.LinearRisk(ist.SquaredError(), [[3.0, 1.0], [0.0, 0.0]], np.zeros(2)).curvature(np.zeros(2))
    assert one_row.bound() == 10.0  # the row sum is 12


# -- sampled rows ---------------------------------------------------------------------------------------


@few
@given(problems(), dense_or_sparse, st.data())
def test_sampled_rows_give_the_mean_of_their_hessians(problem, form, data):
    plain, theta = problem.plain(), problem.theta
    H = problem.risk(X=form(problem.X)).curvature(theta)
    rows = data.draw(st.lists(st.integers(0, problem.n - 1), min_size=1, max_size=6))
    ridge = np.diag(plain.kappa * plain.D / plain.total_weight)
    mean = sum(
        plain.loss.second(plain.y[i], plain.X[i] @ theta + plain.offset[i]) * np.outer(plain.X[i], plain.X[i])
        for i in rows
    ) / len(rows)
    root = np.sqrt(np.diag(mean + ridge))
    size = np.outer(root, root) * (1.0 + (1.0 + np.max(plain.eta_spread(theta))) / plain.loss.width)
    assert_within(H.sampled(rows).to_dense(), mean + ridge, size)


@few
@given(problems())
def test_the_expectation_over_rows_is_the_hessian(problem):
    plain, theta = problem.plain(), problem.theta
    H = problem.risk().curvature(theta)
    expectation = sum(share * H.sampled([i]).to_dense() for i, share in enumerate(H.share))
    assert_within(expectation, plain.hessian(theta), plain.hessian_size(theta))
    assert_within(H.share.sum(), 1.0, 1.0)


@pytest.mark.parametrize(
    "rows", [[], [-1], [30], [0.0], [True] * 30, "0", None, [[0, 1]], slice(None)], ids=repr
)
def test_rows_that_do_not_exist_cannot_be_sampled(rows):
    H = well_conditioned().risk().curvature(np.zeros(5))
    with pytest.raises(
        InvalidArgument, match="rows must hold at least one whole number from 0 to 29, but it is"
    ):
        H.sampled(rows)


def test_one_row_may_be_given_as_a_number():
    H = well_conditioned().risk().curvature(np.zeros(5))
    assert np.array_equal(H.sampled(7).to_dense(), H.sampled([7]).to_dense())


# -- damping --------------------------------------------------------------------------------------------


@few
@given(problems(), st.floats(0.0, 1e3))
def test_damping_adds_to_the_diagonal(problem, damping):
    plain, theta = problem.plain(), problem.theta
    p = len(theta)
    H = problem.risk().curvature(theta)
    before = H.to_dense()
    damped = H.damped(damping)
    truth = plain.hessian(theta) + damping * np.eye(p)
    size = plain.hessian_size(theta) + damping * np.eye(p)
    assert isinstance(damped, ist.Curvature)
    assert_within(damped.to_dense(), truth, size)
    identity = LinearOperator((p, p), matvec=lambda v: v, rmatvec=lambda v: v, dtype=np.float64)
    for added in (H + damping * identity, damping * identity + H, H + damping * aslinearoperator(np.eye(p))):
        assert_within(added.matmat(np.eye(p)), truth, size)
        assert_within(added @ np.ones(p), truth @ np.ones(p), size @ np.ones(p))
    largest = np.linalg.eigvalsh(truth)[-1]
    assert damped.bound() >= largest * (1.0 - 1e-13)
    ridge = H.ridge.diagonal() + damping
    assert_within(damped.sampled([0]).ridge.diagonal(), ridge, ridge)
    assert np.array_equal(H.to_dense(), before)


@pytest.mark.parametrize(
    ("damping", "error", "sentence"),
    [
        (-1e-9, InvalidArgument, "damping must be at least 0, but it is -1e-09"),
        (np.nan, InvalidArgument, "damping must be finite"),
        ("1", InvalidType, "damping must be a real number, but it is a str"),
    ],
)
def test_damping_out_of_range_is_refused(damping, error, sentence):
    with pytest.raises(error, match=sentence):
        well_conditioned().risk().curvature(np.zeros(5)).damped(damping)


# -- scipy, and memory ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LOSSES, ids=str)
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_scipy_takes_it_as_it_is(case, form):
    problem = well_conditioned(case, offset=True, intercept=case.targets == "real")
    H = problem.risk(X=form(problem.X)).curvature(problem.theta)
    hessian, rhs = problem.plain().hessian(problem.theta), problem.theta
    for solver in (cg, minres):
        solution, info = solver(H, rhs, rtol=1e-13)
        assert info == 0
        np.testing.assert_allclose(hessian @ solution, rhs, atol=SOLVED * np.linalg.norm(rhs))
    for which, expected in [
        ("LA", np.linalg.eigvalsh(hessian)[-2:]),
        ("SA", np.linalg.eigvalsh(hessian)[:2]),
    ]:
        np.testing.assert_allclose(np.sort(eigsh(H, k=2, which=which)[0]), expected, rtol=TWO_FITS)


@pytest.mark.parametrize("columns", [1, 5])
def test_products_need_no_more_memory_than_a_few_blocks(columns):
    n, p = 200_000, 40
    X = np.ones((n, p), dtype=np.float32)
    H = ist.LinearRisk(ist.SquaredError(), X, np.zeros(n), intercept=True).curvature(np.zeros(p + 1))
    vectors, block = np.ones((p + 1, columns)), 8 * design_module.BLOCK_ENTRIES
    tracemalloc.start()
    try:
        for work in (lambda: H @ vectors, H.to_dense, H.diagonal, H.bound, lambda: H.row_sampler().bound()):
            work()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    four_vectors = 4 * 8 * n
    assert four_vectors + 3 * block < X.nbytes
    assert peak < four_vectors + 3 * block


# -- what every Hessian offers ----------------------------------------------------------------------------

SMOOTHING = ist.Quadratic([[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]])


def of_a_smoothing_penalty(n=30):
    """Return a logistic Curvature whose penalty has a full matrix."""
    X = np.random.default_rng(3).normal(size=(n, 3))
    return ist.LinearRisk(ist.LogisticLoss(), X, np.arange(n) % 2, penalty=SMOOTHING).curvature(np.zeros(3))


@pytest.mark.parametrize(
    ("solver", "accuracy"),
    [
        (ist.Cholesky(), 1e-13),
        (ist.ConjugateGradient(), 1e-9),  # its rtol
        (ist.Taylor(depth=2000), 1e-9),
        (ist.LiSSA(depth=3000, repeats=40), 0.1),  # 40 repeats: a standard error of about 2 %
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_penalty_with_a_full_matrix_in_every_solver(solver, accuracy):
    H, rhs = of_a_smoothing_penalty(), np.array([1.0, -2.0, 0.5])
    X = H.design.rows(slice(None))
    dense = (X.T * (H.share * H.second)) @ X + np.asarray(SMOOTHING.S) / 30
    assert_within(H.to_dense(), dense, np.abs(dense).max())
    truth = np.linalg.solve(dense, rhs)
    np.testing.assert_allclose(solver.solve(H, rhs).value, truth, rtol=0, atol=accuracy * np.abs(truth).max())


def test_the_inverse_is_an_operator_and_damping_an_addition():
    H = of_a_smoothing_penalty()
    inverse = (H + 0.5).inverse(ist.Cholesky())
    truth = np.linalg.inv(H.to_dense() + 0.5 * np.eye(3))
    np.testing.assert_allclose(inverse @ np.eye(3), truth, rtol=CLOSED_FORM)
    np.testing.assert_allclose(inverse @ np.ones(3), truth.sum(axis=1), rtol=CLOSED_FORM)
    assert isinstance(inverse, LinearOperator)


@pytest.mark.parametrize("damping", [0.0, 0.5])
def test_every_kind_answers_the_same_questions(damping):
    H = of_a_smoothing_penalty()
    truth = H.to_dense() + damping * np.eye(3)
    for kind in (H, H.to_dense(), sp.csr_array(H.to_dense()), H + 0.0 * aslinearoperator(np.eye(3))):
        hessian = as_operator(kind, damping)
        np.testing.assert_allclose(hessian.to_dense(), truth, rtol=1e-14, atol=1e-16)
        assert hessian.diagonal() is None or np.allclose(hessian.diagonal(), np.diag(truth), rtol=1e-14)
        largest = np.linalg.eigvalsh(truth)[-1]
        assert hessian.bound() >= largest * (1.0 - 1e-12)
        np.testing.assert_allclose(hessian.largest_eigenvalue(), largest, rtol=INVERTED)
