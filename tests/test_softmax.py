"""The softmax risk against plain loops, and against refits."""

import math
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from tests.budget import examples
from tests.reference import assert_within
from tests.softmax_cases import SoftmaxProblem
from tests.tolerance import CHANGES, CLOSED_FORM, STANDARD_ERRORS, SUMS, TWO_FITS


def plain_value(risk, X, theta, K, kappa, D, protocol_weights):
    """Return R(theta) by loops, without the term that only fixes what the data leave open."""
    total = 0.0
    by_class = theta.reshape(K, -1)
    for x, k, w in zip(X, risk.y, protocol_weights, strict=True):
        eta = [float(b @ x) for b in by_class]
        top = max(eta)
        total += w * (top + math.log(sum(math.exp(e - top) for e in eta)) - eta[k])
    return (total + 0.5 * kappa * np.sum(D * by_class**2)) / sum(protocol_weights)


@st.composite
def problems(draw):
    p, K = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    n = draw(st.integers(2 * K, 12))  # two rows of each class, so that one may go
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = rng.permutation(np.resize(np.arange(K), n))
    arguments = {
        "weights": rng.uniform(0.3, 2.0, n) if draw(st.booleans()) else None,
        "intercept": draw(st.booleans()),
        "protocol": draw(st.sampled_from(["fixed", "folded"])),
        "penalty": ist.L2(draw(st.sampled_from([0.1, 2.0]))),
    }
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.8)
    return X, y, arguments, rng


def at(problem, scale=1.0):
    X, y, arguments, rng = problem
    risk = ist.SoftmaxRisk(X, y, **arguments)
    return risk, scale * rng.normal(size=risk.shape[1])


def slopes(function, theta, h=1e-5):
    steps = h * np.eye(len(theta))
    return np.array([(function(theta + s) - function(theta - s)) / (2.0 * h) for s in steps])


@given(problems())
def test_value_is_the_plain_sum(problem):
    risk, theta = at(problem)
    X, K = risk.design.rows(slice(None)), len(risk.classes)
    centred = (theta.reshape(K, -1) - theta.reshape(K, -1).mean(axis=0)).ravel()
    kappa = problem[2]["penalty"].strength
    D = np.ones(X.shape[1])
    if problem[2]["intercept"]:
        D[-1] = 0.0
    expected = plain_value(risk, X, centred, K, kappa, D, risk.weights)
    assert_within(risk.value(centred), expected, max(abs(expected), 1.0))


@given(problems())
def test_gradient_and_hessian_are_the_derivatives_of_the_value(problem):
    risk, theta = at(problem)
    np.testing.assert_allclose(risk.gradient(theta), slopes(risk.value, theta), atol=1e-8)
    H = risk.curvature(theta)
    np.testing.assert_allclose(H.to_dense(), slopes(risk.gradient, theta), atol=1e-8)
    np.testing.assert_allclose(H @ np.eye(len(theta)), H.to_dense(), atol=1e-14)
    np.testing.assert_allclose(H @ theta, H.to_dense() @ theta, atol=SUMS)
    np.testing.assert_allclose(H @ np.eye(len(theta), 1), H.to_dense()[:, :1], atol=1e-14)
    np.testing.assert_array_equal(H.to_dense(), H.to_dense().T)
    np.testing.assert_allclose(H.diagonal(), np.diag(H.to_dense()), rtol=SUMS)


@given(problems())
def test_rows_add_up_and_differentiate(problem):
    risk, theta = at(problem)
    K = len(risk.classes)
    centred = (theta.reshape(K, -1) - theta.reshape(K, -1).mean(axis=0)).ravel()  # no gauge there
    g = risk.row_gradients(centred)
    fixed = risk.protocol == "fixed"
    penalty = risk._strengths * centred.reshape(K, -1) / risk.total_weight
    total = risk.weights @ g / risk.total_weight + (penalty.ravel() if fixed else 0.0)
    np.testing.assert_allclose(total, risk.gradient(centred), atol=SUMS)
    np.testing.assert_allclose(g, slopes(risk.row_losses, centred).T, atol=1e-8)
    V = np.random.default_rng(0).normal(size=(len(theta), 2))
    np.testing.assert_allclose(risk.row_gradients_dot(centred, V), g @ V, atol=CLOSED_FORM)
    np.testing.assert_allclose(risk.row_gradients(centred, [2, 0]), g[[2, 0]], rtol=SUMS)
    both = risk.row_losses(np.column_stack([centred, theta]))
    np.testing.assert_allclose(both[:, 1], risk.row_losses(theta), rtol=SUMS)


@given(problems())
def test_predictions_have_their_gradients(problem):
    risk, theta = at(problem)
    X = problem[0][:2]
    for kind in ("linear", "mean"):
        gradients, labels = risk.prediction_gradients(theta, X, kind=kind)
        found = slopes(lambda t, kind=kind: risk.predictions(t, X, kind=kind), theta)
        np.testing.assert_allclose(gradients, found, atol=1e-8)
        assert len(labels) == gradients.shape[1] == 2 * len(risk.classes)
    probabilities = risk.predictions(theta, X, kind="mean").reshape(2, -1)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


@examples(30)
@given(problems())
def test_dropping_a_row_is_a_fit_without_it(problem):
    X, y, arguments, _ = problem
    risk = ist.SoftmaxRisk(X, y, **arguments)
    w = risk.weights.copy()
    w[0] = 0.0
    kept = {**arguments, "classes": risk.classes}
    if arguments["weights"] is not None:
        kept["weights"] = arguments["weights"][1:]
    if arguments["protocol"] == "folded":
        kept["penalty"] = ist.L2(arguments["penalty"].strength * w.sum() / risk.total_weight)
    again = ist.Fit.minimise(ist.SoftmaxRisk(X[1:], y[1:], **kept)).theta
    np.testing.assert_allclose(ist.Fit.minimise(risk.reweighted(w)).theta, again, atol=CHANGES)


@examples(30)
@given(problems())
def test_two_classes_are_logistic_regression(problem):
    X, y, arguments, _ = problem
    y = y % 2
    softmax = ist.Fit.minimise(ist.SoftmaxRisk(X, y, classes=("no", "yes"), **arguments))
    kappa = arguments["penalty"].strength
    logistic = ist.Fit.minimise(
        ist.LinearRisk(ist.LogisticLoss(), X, y, **{**arguments, "penalty": ist.L2(kappa / 2.0)})
    )
    no, yes = softmax.theta.reshape(2, -1)
    np.testing.assert_allclose(yes - no, logistic.theta, atol=CHANGES)
    np.testing.assert_allclose(yes + no, 0.0, atol=TWO_FITS)
    ours = softmax.influence().on_loss(X[:2], y[:2]).values
    theirs = logistic.influence().on_loss(X[:2], y[:2]).values
    np.testing.assert_allclose(ours, theirs, atol=STANDARD_ERRORS * max(1.0, np.abs(theirs).max()))


def test_without_the_last_row_of_a_class_its_intercept_has_no_minimum():
    risk = ist.SoftmaxRisk([[0.1], [0.5], [-0.2], [0.3]], [0, 0, 1, 1], intercept=True, penalty=ist.L2(1.0))
    with pytest.raises(ist.errors.InflustatError):
        ist.Fit.minimise(risk.reweighted([1.0, 1.0, 0.0, 0.0]))


def test_names_say_class_and_column():
    risk = ist.SoftmaxRisk([[1.0], [2.0]], [0, 1], classes=("a", "b"), names=["age"], intercept=True)
    assert risk.names == ("a: age", "a: intercept", "b: age", "b: intercept")


def test_sparse_rows_are_the_same_and_the_risk_can_be_pickled():
    X, y = np.random.default_rng(3).normal(size=(9, 2)), [0, 1, 2] * 3
    dense, sparse = (ist.SoftmaxRisk(x, y, intercept=True, penalty=ist.L2(1.0)) for x in (X, sp.csr_array(X)))
    theta = np.arange(9) / 9.0
    np.testing.assert_allclose(sparse.gradient(theta), dense.gradient(theta), rtol=CLOSED_FORM)
    np.testing.assert_allclose(sparse.curvature(theta).to_dense(), dense.curvature(theta).to_dense())
    assert pickle.loads(pickle.dumps(dense)).value(theta) == dense.value(theta)


def test_large_predictors_do_not_overflow():
    risk = ist.SoftmaxRisk([[1.0], [-1.0], [1.0]], [0, 1, 2], penalty=ist.L2(1.0))
    theta = np.array([1e3, -1e3, 0.0])
    assert np.isfinite(risk.value(theta))
    assert np.isfinite(risk.gradient(theta)).all()


@pytest.mark.parametrize(
    ("y", "sentence"),
    [([0, 1, 1.5], "the codes 0 to 1"), ([0, -1, 1], "the codes 0 to 1"), ([0, 0, 0], "two or more")],
)
def test_bad_classes_are_refused(y, sentence):
    with pytest.raises(ist.errors.InvalidArgument, match=sentence):
        ist.SoftmaxRisk([[1.0], [2.0], [3.0]], y)


def test_offsets_and_unknown_classes_are_refused():
    risk = ist.SoftmaxRisk([[1.0], [2.0]], [0, 1])
    with pytest.raises(ist.errors.InvalidArgument, match="offset must be left out"):
        risk.predictions(np.zeros(2), [[1.0]], offset=[1.0])
    with pytest.raises(ist.errors.InvalidArgument, match="0 to 1"):
        risk.test_rows([[1.0]], [2])


def test_the_last_row_of_a_class_is_named_where_its_intercept_is_free():
    X = np.random.default_rng(0).normal(size=(12, 2))
    y = np.array([0, 1, 2] + [0, 1] * 4 + [0])  # one row of class 2
    risk = ist.SoftmaxRisk(X, y, penalty=ist.L2(1.0), intercept=True, classes=["a", "b", "c"])
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 2 removals"):
        removal = ist.Fit.minimise(risk).leave_one_out(rows=[2, 3])
    assert "c: intercept are not determined; the others are." in removal.status[0]
    assert np.isnan(removal.theta[0]).nonzero()[0].tolist() == [2, 5, 8]  # the intercepts, up to a level
    assert removal.converged.all()
    penalised = ist.SoftmaxRisk(X, y, penalty=ist.L2(1.0), classes=["a", "b", "c"])
    assert ist.Fit.minimise(penalised).leave_one_out(rows=[2]).converged.all()


def of_both_parametrisations():
    """Return a softmax fit, the fit of MNLogit to the same rows, and C with C theta the latter's theta."""
    rng = np.random.default_rng(3)
    X = np.column_stack([np.ones(80), rng.normal(size=(80, 2))])
    y = rng.integers(0, 3, 80)
    by_reference = ist.from_statsmodels(sm.MNLogit(y, X).fit(disp=0, tol=1e-14))
    softmax = ist.Fit.minimise(ist.SoftmaxRisk(X, y))
    return softmax, by_reference, np.kron([[-1, 1, 0], [-1, 0, 1]], np.eye(3))


@pytest.mark.parametrize("kind", ["model", "HC0", "HC1", "cluster", "jackknife", "infinitesimal jackknife"])
def test_covariances_of_contrasts_do_not_depend_on_the_parametrisation(kind):
    softmax, by_reference, C = of_both_parametrisations()
    groups = {"groups": np.arange(80) % 7} if kind == "cluster" else {}
    found, truth = softmax.covariance(kind, **groups), by_reference.covariance(kind, **groups)
    assert_within(C @ found @ C.T, truth, np.abs(truth).max(), rtol=TWO_FITS)
    level = np.kron(np.ones(3), np.eye(3))  # coefficients add up to 0, so that their sum has no error
    assert np.abs(level @ found).max() <= CLOSED_FORM * np.abs(found).max()


@pytest.mark.parametrize("measure", ["cooks_d", "likelihood_displacement"])
def test_diagnostics_do_not_depend_on_the_parametrisation(measure):
    softmax, by_reference, _ = of_both_parametrisations()
    found, truth = (fit.diagnostics([measure])[measure] for fit in (softmax, by_reference))
    assert_within(found, truth, truth, rtol=TWO_FITS)


def test_changes_in_standard_errors_are_by_those_of_the_model():
    softmax, _, _ = of_both_parametrisations()
    errors = np.sqrt(np.diag(softmax.covariance("model")))
    truth = softmax.diagnostics(["dfbeta"]).to_numpy() / errors
    assert_within(softmax.diagnostics(["dfbetas"]).to_numpy(), truth, np.abs(truth), rtol=CLOSED_FORM)


def test_dependent_columns_of_classes_leave_the_standard_errors_of_the_others():
    rng = np.random.default_rng(3)
    X = np.column_stack([np.ones(80), rng.normal(size=(80, 2))])
    y = rng.integers(0, 3, 80)
    risk = SoftmaxProblem(np.column_stack([X, X[:, 1]]), y, 3, np.ones(80), 0.0, False, False, True).risk()
    with pytest.warns(ist.errors.DoubtfulResult, match="nan for 4 of 8"):
        found = np.diag(ist.Fit.minimise(risk, start=np.zeros(8)).covariance("model"))
    truth = np.diag(ist.from_statsmodels(sm.MNLogit(y, X).fit(disp=0, tol=1e-14)).covariance("model"))
    lost = np.tile([False, True, False, True], 2)
    np.testing.assert_array_equal(np.isnan(found), lost)
    assert_within(found[~lost], truth.reshape(2, 3)[:, [0, 2]].ravel(), 1.0, rtol=TWO_FITS)


def test_standard_errors_of_penalised_classes_are_called_what_they_are():
    for strength, said in ((0.0, False), (1.0, True)):
        fit = ist.Fit.minimise(
            ist.SoftmaxRisk(np.arange(6.0)[:, None], [0, 1, 2] * 2, penalty=ist.L2(strength))
        )
        for kind in ("model", "HC0"):
            assert ("Of a penalised fit" in repr(fit.inference(kind))) is said
