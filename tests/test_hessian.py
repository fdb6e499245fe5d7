"""Every kind of Hessian against the same laws; the truth is its own matrix, or one written by hand."""

from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

import influstat as ist
from influstat.algebra.symmetric import Matrix
from influstat.curvature.base import Hessian
from influstat.curvature.dense import DenseCurvature
from influstat.errors import InvalidArgument, SingularHessian, Unsupported
from influstat.partitioned.hessian import SummedHessian
from influstat.risks.class_predictors import ClassCurvature
from influstat.solvers.base import as_operator
from tests.solver_cases import CASES, close, each_exact_solver, each_solver, rows_alike
from tests.tolerance import ROUNDING

P = 6
NAMES = tuple("abcdef")
V = np.random.default_rng(1).standard_normal((P, 3))


def smoothing(p=P):
    """Return the matrix of squared second differences: a penalty with a null space of lines."""
    D = np.diff(np.eye(p), 2, axis=0)
    return D.T @ D


def linear(ridge, kind=np.asarray):
    """Return a Curvature and its matrix, written by hand."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, P)) * (rng.random((20, P)) < 0.6)
    second, share = rng.uniform(0.1, 2.0, 20), np.full(20, 0.05)
    design = ist.LinearRisk(ist.SquaredError(), kind(X), np.zeros(20), names=NAMES).design
    entries = np.diag(ridge) if isinstance(ridge, np.ndarray) else ridge.entries
    return ist.Curvature(design, second, share, ridge), (X.T * share * second) @ X + entries


@cache
def definite():
    """Return a matrix; read only, for it is built once."""
    matrix = linear(np.full(P, 0.3))[1]
    matrix.flags.writeable = False
    return matrix


def softmax():
    """Return the Hessian of three classes and its matrix: by rows, P_k (1{k=l} - P_l) x x'."""
    rng = np.random.default_rng(2)
    X, theta = rng.standard_normal((15, 2)), rng.standard_normal(P)
    risk = ist.SoftmaxRisk(X, np.arange(15) % 3, penalty=ist.L2(1.5))
    score = np.exp(X @ theta.reshape(3, 2).T)
    chance = score / score.sum(axis=1, keepdims=True)
    truth = np.kron(np.eye(3), 0.1 * np.eye(2)) + np.kron(np.ones((3, 3)), np.diag(risk._gauge) / 15)
    for x, q in zip(X, chance, strict=True):
        truth += np.kron(np.diag(q) - np.outer(q, q), np.outer(x, x)) / 15
    return risk.curvature(theta), truth


def black_box(skew=0.0, calls=None):
    """Return the Hessian of a box of half the squared residuals, with `skew` in one off-diagonal entry."""
    X = np.random.default_rng(3).standard_normal((12, P))
    H = X.T @ X

    def hvp(theta, v, weights):
        if calls is not None:
            calls.append(v)
        image = H @ v
        image[0] += skew * v[1]
        return image

    risk = ist.BlackBoxRisk(
        lambda theta: 0.5 * (X @ theta) ** 2,
        P,
        row_gradients=lambda theta: (X @ theta)[:, None] * X,
        hvp=hvp,
        penalty=ist.Quadratic(smoothing()),
        names=NAMES,
    )
    return risk.curvature(np.ones(P)), (H + smoothing()) / 12


def summed():
    """Return the Hessian of rows in partitions by its products, and its matrix."""
    rng = np.random.default_rng(4)
    X, theta = rng.standard_normal((15, P)), 0.2 * rng.standard_normal(P)
    data = ist.partitions(X, np.zeros(15), rows=4, columns=list(NAMES), runner="serial")
    risk = ist.PartitionedRisk(ist.PoissonLoss(), data, penalty=ist.L2(1.5))
    penalty = risk.penalty.hessian(theta)
    found = SummedHessian(data, risk.recipe.summed(), theta, risk.sums(theta), penalty, 15.0)
    return found, ((X.T * np.exp(X @ theta)) @ X + 1.5 * np.eye(P)) / 15


CLASSES = ist.SoftmaxRisk([[1.0], [2.0]], [0, 1]).class_predictors()
KINDS = {
    "summed": summed,
    "linear": lambda: linear(np.linspace(0.1, 1.0, P)),
    "linear, sparse": lambda: linear(np.linspace(0.1, 1.0, P), sp.csr_array),
    "linear, smoothing": lambda: linear(Matrix(smoothing())),
    "softmax": softmax,
    "black box": black_box,
    "classes": lambda: (ClassCurvature(definite(), NAMES, CLASSES), definite()),
    "dense": lambda: (DenseCurvature(definite(), NAMES), definite()),
    "given array": lambda: (as_operator(definite(), 0.0), definite()),
    "given sparse": lambda: (as_operator(sp.csc_matrix(definite()), 0.0), definite()),
    "given operator": lambda: (
        as_operator(LinearOperator((P, P), matvec=lambda v: definite() @ v, dtype=float), 0.0),
        definite(),
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def near(found, truth):
    """Compare entries: each is a sum of at most 20 products, rounded a few times."""
    np.testing.assert_allclose(found, truth, rtol=0, atol=20 * ROUNDING * np.abs(truth).max())


@each_kind
@pytest.mark.parametrize("damping", [0.0, 0.7])
def test_it_is_its_matrix(kind, damping):
    plain, truth = KINDS[kind]()
    H, truth = plain + damping, truth + damping * np.eye(P)
    assert isinstance(H, Hessian)
    dense = H.to_dense()
    near(dense, truth)
    assert dense.flags.f_contiguous
    assert dense.dtype == np.float64
    near(H.diagonal(), truth.diagonal())
    for product in (H @ V, H.T @ V, H.H @ V, H.product(1)(V), H.product(10**6)(V)):
        near(product, truth @ V)
    near(H @ V[:, 0], truth @ V[:, 0])
    dense[:] = 0.0  # a copy
    near(H @ V, truth @ V)


@each_kind
@pytest.mark.parametrize("damping", [0.0, 0.7])
def test_bounds_are_above_the_largest_eigenvalue(kind, damping):
    plain, truth = KINDS[kind]()
    H, largest = plain + damping, np.linalg.eigvalsh(truth)[-1] + damping
    near(H.largest_eigenvalue(), largest)
    assert largest * (1.0 - ROUNDING) <= H.bound() <= P * largest


@each_kind
def test_damping_adds_up(kind):
    H, truth = KINDS[kind]()
    twice = (H + 0.5) + 0.25
    near(twice.to_dense(), truth + 0.75 * np.eye(P))
    assert twice.names == H.names
    assert (
        twice.offers_diagonal == H.offers_diagonal == (kind not in ("softmax", "black box", "given operator"))
    )
    near((H + np.float32(0.5)).to_dense(), truth + 0.5 * np.eye(P))
    near((H + np.int64(2)).to_dense(), truth + 2.0 * np.eye(P))
    assert not isinstance(H + H, Hessian)  # scipy's sum
    near((H + H) @ V, 2.0 * truth @ V)
    with pytest.raises(InvalidArgument, match="damping must be at least 0, but it is -1"):
        H + -1.0


@each_kind
@each_exact_solver
def test_its_inverse_is_an_operator(kind, case):
    H, truth = KINDS[kind]()
    inverse = H.inverse(case.damped(0.5))
    assert isinstance(inverse, LinearOperator)
    close(inverse @ V, np.linalg.solve(truth + 0.5 * np.eye(P), V))
    close(inverse.T @ V[:, 0], np.linalg.solve(truth + 0.5 * np.eye(P), V[:, 0]))
    close(inverse @ (H + 0.5).matmat(V), V)


@each_kind
def test_errors_call_the_coefficients_by_their_names(kind):
    H, _ = KINDS[kind]()
    if kind.startswith("given"):
        assert H.names is None
    elif kind == "softmax":
        assert H.names == ("0: x0", "0: x1", "1: x0", "1: x1", "2: x0", "2: x1")
    else:
        assert H.names == NAMES


# -- rows to draw -----------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("damping", [0.0, 0.7])
def test_rows_have_the_hessian_as_their_mean_or_there_are_none(kind, damping):
    plain, truth = KINDS[kind]()
    H, truth, C = plain + damping, truth + damping * np.eye(P), 5.0
    if not kind.startswith(("linear", "black box")):
        with pytest.raises(Unsupported, match=r"is a matrix or an operator without rows.*use ist\.Cholesky"):
            H.row_sampler()
        return
    rows = H.row_sampler()
    after = []
    for row in range(len(rows.share)):
        recursion = rows.begin(C, V, 1, 1)
        recursion.advance(np.array([[[row]]]))
        after.append(recursion.state[0])
    mean = np.einsum("i,ipm->pm", rows.share, np.array(after))
    np.testing.assert_allclose(mean, 2.0 * V - truth @ V / C, rtol=0, atol=1e-6)  # row_hessians: 1e-7
    own = [np.linalg.eigvalsh(hessian_of(rows, row, C))[-1] for row in range(len(rows.share))]
    assert max(own) <= rows.bound() * (1.0 + 1e-6)


def hessian_of(rows, row, C):
    """Return the Hessian that one step with a row multiplies with: u_1 = 2 v - H_row v / C."""
    recursion = rows.begin(C, np.eye(P), 1, 1)
    recursion.advance(np.array([[[row]]]))
    matrix = C * (2.0 * np.eye(P) - recursion.state[0])
    return 0.5 * (matrix + matrix.T)


# -- penalties with a full matrix -------------------------------------------------------------------------


@each_solver
@pytest.mark.parametrize("damping", [0.0, 0.4])
def test_every_solver_takes_a_full_penalty(case, damping):
    plain = rows_alike()
    S = smoothing(4) + 0.2 * np.eye(4)
    H = ist.Curvature(plain.design, plain.second, plain.share, Matrix(S))
    truth = plain.to_dense() - np.diag(plain.ridge.diagonal()) + S + damping * np.eye(4)
    close(case.damped(damping).solve(H, V[:4]).value, np.linalg.solve(truth, V[:4]))


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
@each_exact_solver
def test_a_smoothing_penalty_stands_where_the_rows_do_not_reach(case, kind):
    S, X = smoothing(), kind(np.eye(P)[[0, 3, 5]])
    risk = ist.LinearRisk(ist.SquaredError(), X, np.zeros(3), penalty=ist.Quadratic(3.0 * S))
    truth = 2.0 / 3.0 * np.diag([1.0, 0.0, 0.0, 1.0, 0.0, 1.0]) + S
    close(case.solver.solve(risk.curvature(np.zeros(P)), V).value, np.linalg.solve(truth, V))


def test_a_penalty_matrix_with_a_null_space_is_not_evidently_definite():
    # All entries of both diagonals are positive, and every l2 is; still nothing holds the constants.
    X = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])
    risk = ist.LinearRisk(ist.SquaredError(), X, np.zeros(2), penalty=ist.Quadratic(X.T @ X))
    with pytest.raises(SingularHessian, match="x0, x1, x2 are collinear and not determined"):
        ist.ConjugateGradient().prepare(risk.curvature(np.zeros(3)))
    prepared = ist.Cholesky().prepare(risk.curvature(np.zeros(3)))
    found = prepared.apply(
        np.array([[1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]])
    ).value  # a difference, and one alone
    np.testing.assert_allclose(X @ found[:, 0], [2.0 / 3.0, 0.0], atol=1e-15)  # H = X'X + X'X / 2
    assert np.isnan(found[:, 1]).all()


def test_the_bound_counts_what_lies_off_the_diagonal():
    design = ist.LinearRisk(ist.SquaredError(), np.eye(2), np.zeros(2)).design
    H = ist.Curvature(design, np.zeros(2), np.full(2, 0.5), Matrix(np.array([[0.0, 3.0], [3.0, 0.0]])))
    assert H.bound() == 3.0  # the trace is 0
    assert H.row_sampler().bound() == 3.0


# -- what callers hand in ---------------------------------------------------------------------------------


class Gram(LinearOperator):
    """A'A, with an attribute that happens to be called as scipy's matrices of operators are."""

    def __init__(self, A):
        super().__init__(dtype=np.dtype(float), shape=(A.shape[1],) * 2)
        self.A = A

    def _matvec(self, v):
        return self.A.T @ (self.A @ v)


@each_exact_solver
def test_an_attribute_of_a_foreign_operator_is_not_taken_for_its_matrix(case):
    A = np.array([[0.0, 3.0], [1.0, 1.0]])  # its diagonal has a zero, its row sums are below 9
    close(case.solver.solve(Gram(A), V[:2]).value, np.linalg.solve(A.T @ A, V[:2]))


@each_solver
def test_products_of_a_function_that_are_not_symmetric_are_refused_by_every_solver(case):
    for H in (black_box(skew=1e-4)[0], black_box(skew=1e-4)[0] + 0.5):
        with pytest.raises(InvalidArgument, match="^operator must be symmetric and finite, but it gives"):
            case.solver.prepare(H)


def test_conjugate_gradients_do_not_assemble_what_only_has_products():
    calls = []
    H, _ = black_box(calls=calls)
    ist.ConjugateGradient(max_iterations=1).prepare(H)
    assert len(calls) < P


@pytest.mark.parametrize("kind", ["linear", "softmax"])
def test_what_is_symmetric_by_construction_is_not_tried(kind, monkeypatch):
    H, _ = KINDS[kind]()
    monkeypatch.setattr(type(H), "_matmat", None)
    for damping in (0.0, 0.1):
        as_operator(H, damping)


def test_the_table_has_every_kind():
    def kinds(cls):
        return {cls} | {kind for sub in cls.__subclasses__() for kind in kinds(sub)}

    tried = {type(H + d) for make in KINDS.values() for H in [make()[0]] for d in (0.0, 1.0)}
    package = {kind for kind in kinds(Hessian) if kind.__module__.startswith("influstat")}
    assert package - {Hessian} == tried
    assert len(CASES) == 4
