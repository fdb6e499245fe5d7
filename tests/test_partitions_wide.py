"""Many sparse columns: fits and influence by conjugate gradients on sums, nothing dense of n x p or p x p."""

import numpy as np
import pytest
import scipy.sparse as sp

import influstat as ist
from influstat.errors import Unsupported

N, P = 400, 4200
RNG = np.random.default_rng(3)
X = sp.random_array((N, P), density=0.004, random_state=RNG, format="csr", dtype=np.float32)
Y = (np.asarray(X.sum(axis=1)).ravel() + RNG.normal(size=N) > 8).astype(float)
TESTS = X[:3].toarray()


@pytest.fixture(scope="module")
def fits():
    """The fit of partitions, and that in memory."""
    model = ist.Logistic(lam=0.5)
    return model.fit(ist.partitions(X, Y, rows=[150, 0, 1, 249])), model.fit(X, Y)


def test_fits_are_those_in_memory(fits):
    fit, whole = fits
    assert fit.risk.data.source.block(0).X.dtype == np.float32
    # Conjugate gradients stop at a relative gradient of 1e-12 in the scale of unit diagonal.
    np.testing.assert_allclose(fit.theta, whole.theta, rtol=1e-9, atol=1e-11)
    vector = RNG.normal(size=P)
    np.testing.assert_allclose(fit.hessian @ vector, whole.hessian @ vector, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fit.hessian.diagonal(), whole.hessian.diagonal(), rtol=1e-9, atol=1e-12)


def test_influence_has_measured_residuals(fits):
    fit, whole = fits
    solver = ist.ConjugateGradient(rtol=1e-12)
    answer = fit.influence(solver=solver).on_loss(TESTS, Y[:3])
    scores = whole.influence(solver=solver).on_loss(TESTS, Y[:3])
    assert (answer.question.solution.residual <= 1e-12).all()
    found = answer.to_frame()[list(answer.columns)]
    np.testing.assert_allclose(found, scores.removal, rtol=0, atol=1e-9 * np.abs(scores.removal).max())
    unit = np.zeros(P)
    unit[7] = 1.0
    one = fit.influence().on(unit).top(2)
    other = whole.influence(solver=ist.ConjugateGradient()).on(unit).top(2)
    assert one.position.tolist() == other.position.tolist()


def test_questions_that_need_a_matrix_are_refused(fits):
    fit, _ = fits
    for question in (
        fit.leave_one_out,
        fit.diagnostics,
        fit.influence().on_theta,
        fit.influence().on_self,
    ):
        with pytest.raises(Unsupported, match="have a Hessian that is factored for"):
            question()
    with pytest.raises(Unsupported, match="ConjugateGradient"):
        fit.influence(solver=ist.Cholesky()).on_loss(TESTS, Y[:3])
    with pytest.raises(Unsupported, match="penalty must hold almost all of more than 4000"):
        ist.Logistic(lam=0.0).fit(ist.partitions(X, Y))


def test_a_plan_of_many_columns_sends_vectors(fits):
    plan = fits[0].risk.plan()
    assert plan.result_bytes == 8 * P
