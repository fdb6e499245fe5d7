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
    rng = np.random.default_rng(721)
    fit, whole = fits
    assert fit.risk.data.source.block(0).X.dtype == np.float32
    # Conjugate gradients stop at a relative gradient of 1e-12 in the scale of unit diagonal.
    np.testing.assert_allclose(fit.theta, whole.theta, rtol=1e-9, atol=1e-11)
    vector = rng.normal(size=P)
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


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("rows", [7, [150, 0, 1, 249]])
def test_newton_steps_are_those_in_memory(protocol, rows):
    few = sp.csr_array(X[:, :60])  # few columns, so that memory has the truth
    n, k = (400, 9) if isinstance(rows, list) else (56, 60)
    model = ist.Logistic(lam=0.5, protocol=protocol)
    fit, whole = model.fit(ist.partitions(few[:n], Y[:n], rows=rows)), model.fit(few[:n], Y[:n])
    tests = few[:3].toarray() + 0.1
    found = fit.newton_top(tests, Y[:3], k)
    gradients = whole.test_rows(tests, Y[:3]).row_gradients(whole.theta)
    for j, name in enumerate(found):
        steps = whole.leave_one_out(method="newton").delta @ gradients[j]
        ours = found[name]
        largest = np.sort(np.abs(steps))[::-1][:k]
        # Conjugate gradients stop at 1e-12, and leverages are right to the square of 1e-7.
        np.testing.assert_allclose(np.abs(ours.change), largest[: len(ours.change)], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(ours.change, steps[ours.position], rtol=1e-9, atol=1e-12)
        assert (ours.to_frame()["error"] <= 1e-9 * np.abs(ours.change) + 1e-15).all()
        assert not ours.note


@pytest.mark.slow
def test_newton_steps_of_many_columns_have_measured_residuals(fits):
    fit, whole = fits
    found = fit.newton_top(TESTS[:1], Y[:1], 4)["0"]
    frame = found.to_frame()
    assert (frame["error"] < 1e-9 * frame["change"].abs()).all()
    dense = X.toarray().astype(float)
    mean = 1.0 / (1.0 + np.exp(-dense @ whole.theta))
    factor = (dense * (mean * (1 - mean))[:, None]).T @ dense + (1 - 1 / N) * np.eye(P)
    rows = dense[found.position]
    truth = np.einsum("kp,pk->k", rows, np.linalg.solve(factor, rows.T))
    truth *= (mean * (1 - mean))[found.position]
    np.testing.assert_allclose(frame["leverage"], truth, rtol=1e-7)


def test_an_unpenalised_intercept_is_said_in_a_note():
    fit = ist.Logistic(lam=0.5, intercept=True, protocol="fixed").fit(ist.partitions(X[:, :30], Y, rows=90))
    whole = ist.Logistic(lam=0.5, intercept=True, protocol="fixed").fit(X[:, :30], Y)
    found = fit.newton_top(TESTS[:1, :30], Y[:1], 5)["0"]
    assert "largest first-order effect" in found.note
    gradient = whole.test_rows(TESTS[:1, :30], Y[:1]).row_gradients(whole.theta)[0]
    steps = whole.leave_one_out(method="newton").delta @ gradient
    np.testing.assert_allclose(found.change, steps[found.position], rtol=1e-6)  # residuals of 1e-7


def test_newton_steps_that_cannot_be_had_are_refused():
    data = ist.partitions(X[:, :30], Y, rows=90, weights=np.linspace(0.5, 1.5, N))
    with pytest.raises(Unsupported, match="keep the whole penalty"):
        ist.Logistic(lam=0.5, protocol="folded").fit(data).newton_top(TESTS[:1, :30], Y[:1])
