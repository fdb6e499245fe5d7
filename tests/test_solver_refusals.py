"""What no solver accepts: operators, right-hand sides, settings, Hessians without an inverse."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import influstat as ist
from influstat.errors import IndefiniteHessian, InvalidArgument, InvalidType, SingularHessian
from tests.solver_cases import CASES, close, each_solver, rows_alike

BAD_OPERATORS = {
    "not symmetric": (np.array([[2.0, 1.0], [0.0, 2.0]]), InvalidArgument, "be symmetric and finite"),
    "sparse, not symmetric": (sp.csr_array([[2.0, 1.0], [0.0, 2.0]]), InvalidArgument, "be symmetric"),
    "operator, not symmetric": (
        aslinearoperator(np.array([[2.0, 1.0], [0.0, 2.0]])),
        InvalidArgument,
        "be symmetric and finite",
    ),
    "not square": (np.ones((2, 3)), InvalidArgument, r"be square, but it has shape \(2, 3\)"),
    "a vector": (np.ones(2), InvalidArgument, "be square"),
    "three-dimensional": (np.ones((2, 2, 2)), InvalidArgument, "be square"),
    "empty": (np.ones((0, 0)), InvalidArgument, "be square"),
    "complex": (np.eye(2) * 1j, InvalidType, "hold real numbers"),
    "complex operator": (aslinearoperator(np.eye(2) * 1j), InvalidType, "be real"),
    "complex sparse": (sp.csr_array(np.eye(2) * 1j), InvalidType, "hold real numbers"),
    "objects": (np.array([[1, {}], [{}, 1]]), InvalidType, "hold real numbers"),
    "missing": (np.array([[1, None], [None, 1]]), InvalidArgument, "be finite, but it holds nan at row 0"),
    "text": ([["1", "0"], ["0", "1"]], InvalidType, "hold real numbers"),
    "nan": (np.diag([1.0, np.nan]), InvalidArgument, "be finite"),
    "sparse inf": (sp.csr_array(np.diag([1.0, np.inf])), InvalidArgument, "be finite"),
}


@each_solver
@pytest.mark.parametrize("name", BAD_OPERATORS)
def test_an_operator_that_cannot_be_a_hessian_is_refused(case, name):
    operator, error, sentence = BAD_OPERATORS[name]
    with pytest.raises(error, match=f"^operator must {sentence}"):
        case.solver.solve(operator, np.ones(2))


BAD_RIGHT_HAND_SIDES = {
    "too long": (np.ones(5), InvalidArgument, r"have shape \(4,\) or \(4, m\), but it has shape \(5,\)"),
    "transposed": (np.ones((2, 4)), InvalidArgument, "have shape"),
    "three-dimensional": (np.ones((4, 1, 1)), InvalidArgument, "have shape"),
    "no columns": (np.ones((4, 0)), InvalidArgument, "have shape"),
    "a number": (1.0, InvalidArgument, "have shape"),
    "nan": ([1.0, np.nan, 0.0, 0.0], InvalidArgument, "be finite, but it holds nan at row 1"),
    "complex": (np.ones(4) * 1j, InvalidType, "hold real numbers"),
    "text": (["a"] * 4, InvalidType, "hold real numbers"),
}


@each_solver
@pytest.mark.parametrize("name", BAD_RIGHT_HAND_SIDES)
def test_a_right_hand_side_that_does_not_fit_is_refused(case, name):
    rhs, error, sentence = BAD_RIGHT_HAND_SIDES[name]
    with pytest.raises(error, match=f"^rhs must {sentence}"):
        case.solver.solve(rows_alike(), rhs)


BAD_SETTINGS = [
    *((type(case.solver), {"damping": -1.0}, "damping must be at least 0, but it is -1") for case in CASES),
    *((type(case.solver), {"damping": "1"}, "damping must be a real number") for case in CASES),
    (ist.ConjugateGradient, {"rtol": 0.0}, "rtol must be greater than 0"),
    (ist.ConjugateGradient, {"max_iterations": 0}, "max_iterations must be at least 1"),
    (ist.ConjugateGradient, {"jacobi": 1}, "jacobi must be True or False"),
    *((kind, {"depth": 0}, "depth must be at least 1") for kind in (ist.Taylor, ist.LiSSA)),
    *((kind, {"depth": 1.5}, "depth must be a whole number") for kind in (ist.Taylor, ist.LiSSA)),
    *((kind, {"scale": 0.0}, "scale must be greater than 0") for kind in (ist.Taylor, ist.LiSSA)),
    *((kind, {"rtol": np.nan}, "rtol must be finite") for kind in (ist.Taylor, ist.LiSSA)),
    (ist.LiSSA, {"repeats": 0}, "repeats must be at least 1"),
    (ist.LiSSA, {"batch_size": 0}, "batch_size must be at least 1"),
    (ist.LiSSA, {"seed": -1}, "seed must be at least 0"),
    (ist.LiSSA, {"seed": None}, "seed must be a whole number"),
]


@pytest.mark.parametrize(("kind", "wrong", "sentence"), BAD_SETTINGS)
def test_settings_out_of_range_are_refused(kind, wrong, sentence):
    with pytest.raises((InvalidArgument, InvalidType), match=f"^{sentence}"):
        kind(**wrong)


@each_solver
def test_a_column_of_zeros_without_a_penalty_is_called_singular(case):
    X = np.column_stack([np.arange(1.0, 6.0), np.zeros(5)])
    risk = ist.LinearRisk(ist.SquaredError(), X, np.zeros(5), names=["age", "empty"])
    if isinstance(case.solver, ist.Cholesky):  # factors the rows: what they determine, and nan for the rest
        found = case.solver.solve(risk.curvature(np.zeros(2)), np.eye(2)).value
        close(found[:, 0], np.array([1.0 / 22.0, 0.0]))  # H = 2 (1 + 4 + 9 + 16 + 25) / 5
        assert np.isnan(found[:, 1]).all()
    else:
        with pytest.raises(SingularHessian, match="(1|empty) do(es)? not affect the risk at all"):
            case.solver.solve(risk.curvature(np.zeros(2)), np.ones(2))
    close(
        case.damped(1.0).prepare(risk.curvature(np.zeros(2))).apply(np.array([0.0, 2.0])).value,
        np.array([0.0, 2.0]),
    )


@each_solver
def test_a_negative_diagonal_is_called_indefinite(case):
    plain = rows_alike()
    concave = ist.Curvature(plain.design, -plain.second, plain.share, plain.ridge)
    with pytest.raises(IndefiniteHessian, match=r"negative diagonal entry -7\.2"):
        case.solver.solve(concave, np.ones(4))


class Squared(LinearOperator):
    """H = A A, which keeps A under the name that SciPy uses for a matrix that is the operator itself."""

    def __init__(self, A):
        super().__init__(dtype=float, shape=A.shape)
        self.A = A

    def _matvec(self, vector):
        return self.A @ (self.A @ vector)

    def _rmatvec(self, vector):
        return self._matvec(vector)


@pytest.mark.parametrize("solver", [ist.Cholesky(), ist.ConjugateGradient(), ist.Taylor(depth=500)], ids=repr)
def test_what_an_operator_calls_a_is_its_own_business(solver):
    found = solver.solve(Squared(np.diag([2.0, 3.0])), np.ones(2)).value
    np.testing.assert_allclose(found, [1.0 / 4.0, 1.0 / 9.0], rtol=1e-9)
