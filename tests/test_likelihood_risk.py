"""Risks of likelihoods with extra parameters: scores, Hessians, reweighting, new rows."""

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from statsmodels.miscmodels.ordinal_model import OrderedModel

import influstat as ist
from influstat.errors import InvalidArgument, Unsupported
from influstat.risks.likelihood import LikelihoodRisk
from tests.statsmodels_models import LIKELIHOODS, ROWS
from tests.tolerance import CHANGES, CLOSED_FORM, INVERTED, TWO_FITS

LINEAR = ("Logit", "Probit", "Poisson, offset and exposure", "NegativeBinomial geometric")
CASES = [case for case in LIKELIHOODS if case.name not in LINEAR]
# statsmodels 0.15.0 has wrong mixed derivatives in these Hessians; ours are tested against its scores.
WRONG_HESSIAN = ("NegativeBinomialP 1.5", "ZeroInflatedPoisson")


def named(name):
    return next(case for case in CASES if case.name == name)


def fitted(case):
    results = case.refitted()
    return results, ist.from_statsmodels(results)


@pytest.mark.dear
@pytest.mark.parametrize("case", CASES, ids=str)
def test_scores_and_hessian_are_the_library_s(case):
    results, fit = fitted(case)
    risk, model = fit.risk, results.model
    assert isinstance(risk, ist.Risk)
    assert isinstance(risk, LikelihoodRisk)
    accuracy = 1e-5 if case.tolerance > 1e-6 else 1e-8  # some are differenced to first order by statsmodels
    theta = fit.theta + 0.01  # away from the minimum, where nothing cancels
    assert_allclose(risk.value(theta) * ROWS, -model.loglike(theta), rtol=INVERTED)
    assert_allclose(risk.gradient(theta) * ROWS, -model.score(theta), rtol=accuracy, atol=1e2 * accuracy)
    H = risk.curvature(theta).to_dense()
    theirs = -np.asarray(model.hessian(theta)) / ROWS
    agree = np.allclose(H, theirs, rtol=0, atol=(1e-4 if accuracy > 1e-8 else 1e-7) * np.abs(theirs).max())
    assert agree is (case.name not in WRONG_HESSIAN)


@pytest.mark.dear
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_hessian_is_the_derivative_of_the_gradient_under_any_weights(case):
    _, fit = fitted(case)
    weights = np.random.default_rng(1).uniform(0.0, 2.0, ROWS)
    weights[3] = 0.0
    risk, theta = fit.risk.reweighted(weights), fit.theta + 0.01
    direction = np.cos(np.arange(len(theta))) * 0.5
    h = 1e-4
    found = (risk.gradient(theta + h * direction) - risk.gradient(theta - h * direction)) / (2 * h)
    H = risk.curvature(theta)
    assert_allclose(H @ direction, found, atol=2e-6 * np.abs(H.to_dense()).max())
    assert_allclose(risk.total_weight, weights.sum())
    assert_allclose(
        risk.gradient(theta), weights @ fit.risk.row_gradients(theta) / weights.sum(), rtol=CLOSED_FORM
    )
    losses = fit.risk.row_losses(theta)
    assert_allclose(risk.value(theta), weights @ losses / weights.sum(), rtol=CLOSED_FORM)
    assert_allclose(fit.risk.row_losses(np.column_stack([theta, fit.theta]))[:, 0], losses)


def test_hessians_do_not_change_where_they_are_not_all_held(monkeypatch):
    _, fit = fitted(CASES[0])
    held = fit.risk.curvature(fit.theta).to_dense()
    monkeypatch.setitem(LikelihoodRisk.value.__globals__, "HELD", 0)
    assert_allclose(
        fit.risk.reweighted(np.ones(ROWS)).curvature(fit.theta).to_dense(), held, rtol=CLOSED_FORM
    )


@pytest.mark.parametrize("distribution", ["logit", "probit"])
def test_ordered_gradients_are_differences_of_the_library_s_log_likelihood(distribution):
    results, fit = fitted(named(f"OrderedModel {distribution}"))
    theta, h = fit.theta + 0.05, 1e-4
    for k in range(len(theta)):
        step = h * np.eye(len(theta))[k]
        change = results.model.loglikeobs(theta + step) - results.model.loglikeobs(theta - step)
        assert_allclose(fit.risk.row_gradients(theta)[:, k], -change / (2 * h), atol=1e-6)
    tail = OrderedModel(np.array([0, 1, 2, 2]), np.array([[9.0], [0.0], [1.0], [2.0]]), distr=distribution)
    rows = type(fit.risk.likelihood).of(tail)
    assert np.isfinite(rows.gradients(np.array([-3.0, 1.0, 0.5]))).all()


class TestNewRows:
    def test_training_rows_as_new_rows_have_the_same_losses(self):
        for name in ("NegativeBinomialP 1.5", "GeneralizedPoisson", "MNLogit", "OrderedModel logit"):
            results, fit = fitted(named(name))
            exog = np.asarray(results.model.exog)
            assert_allclose(
                fit.loss(exog, results.model.endog), fit.risk.row_losses(fit.theta), rtol=CLOSED_FORM
            )
            scores = fit.influence().on_loss(exog[:3], results.model.endog[:3]).values
            own = fit.influence().on_self().values[:3]
            assert_allclose(np.diagonal(scores[:3]), own, rtol=TWO_FITS)

    def test_predictions(self):
        results, fit = fitted(named("GeneralizedPoisson"))
        X = np.asarray(results.model.exog)[:4]
        assert_allclose(fit.predict(X, kind="mean"), results.predict(X), rtol=CLOSED_FORM)
        assert_allclose(fit.predict(X, offset=np.ones(4)), np.log(results.predict(X)) + 1.0, rtol=CLOSED_FORM)
        by_callable = fit.influence().on(lambda theta: np.exp(X @ theta[:-1])).values
        by_gradient = fit.influence().on_prediction(X, kind="mean").values
        assert_allclose(by_gradient, by_callable, rtol=TWO_FITS, atol=CHANGES)

    def test_questions_without_an_answer_say_so(self):
        _, fit = fitted(named("MNLogit"))
        for ask in (fit.predict, fit.influence().on_prediction):
            with pytest.raises(InvalidArgument, match="offset must be left out"):
                ask(np.ones((1, 4)), offset=[1.0])
        with pytest.raises(InvalidArgument, match="hold the codes 0 to 2"):
            fit.loss(np.ones((1, 4)), [3.0])
        _, fit = fitted(named("OrderedModel logit"))
        with pytest.raises(InvalidArgument, match="hold the codes 0 to 3"):
            fit.loss(np.ones((1, 3)), [4.0])
        with pytest.raises(Unsupported, match="with a mean"):
            fit.predict(np.ones((1, 3)), kind="mean")
        _, fit = fitted(named("ZeroInflatedPoisson"))
        with pytest.raises(Unsupported, match="one design matrix and one response"):
            fit.loss(np.ones((1, 4)), [1.0])
        with pytest.raises(Unsupported, match="a model with one linear predictor, but it is for Zero"):
            fit.predict(np.ones((1, 4)))

    def test_classes_have_as_many_predictions_as_there_are(self):
        results, fit = fitted(named("MNLogit"))
        X = np.asarray(results.model.exog)[:4]
        probabilities = np.asarray(results.predict(X))
        assert_allclose(fit.predict(X, kind="mean"), probabilities.ravel(), rtol=CLOSED_FORM)
        eta = fit.predict(X).reshape(probabilities.shape)
        assert (eta[:, 0] == 0).all()  # of the first class, to which the others are compared
        assert_allclose(eta, np.log(probabilities / probabilities[:, :1]), rtol=0, atol=CLOSED_FORM)
        classes = probabilities.shape[1]

        def probability(theta):
            free = np.exp(X @ theta.reshape(classes - 1, -1).T)
            whole = np.column_stack([np.ones(len(X)), free])
            return (whole / whole.sum(axis=1, keepdims=True)).ravel()

        by_callable = fit.influence().on(probability).values
        by_gradient = fit.influence().on_prediction(X, kind="mean")
        assert_allclose(by_gradient.values, by_callable, rtol=TWO_FITS, atol=CHANGES)
        removal = fit.leave_one_out(rows=[2])
        truth = probability(removal.theta[0]) - probability(fit.theta)
        assert_allclose(removal.prediction_change(X, kind="mean")[0], truth, rtol=0, atol=CLOSED_FORM)
        assert ist.predicted_mean(fit, X[:1]).to_frame()["value"].to_numpy() == pytest.approx(
            probabilities[0]
        )


def test_unusable_weights_are_refused():
    _, fit = fitted(CASES[0])
    with pytest.raises(InvalidArgument, match="weights must be at least 0, but it has -1 at row 0"):
        fit.risk.reweighted(np.append(-1.0, np.ones(ROWS - 1)))


def test_rows_of_negative_curvature_are_told():
    results, fit = fitted(named("a user's Student likelihood"))
    told = ist.negative_curvature_rows(fit)
    residuals = np.abs(results.model.endog - results.model.exog @ fit.theta[:-1]) / np.exp(fit.theta[-1])
    far = np.flatnonzero(residuals > np.sqrt(5.0))  # where the density of Student's t bends back
    assert set(far) <= set(told.index)
    assert (told < 0).all()
    assert told.is_monotonic_increasing
    logit = sm.Logit(np.tile([0.0, 1.0], 10), np.linspace(0.0, 1.0, 20)).fit(disp=0)
    assert ist.negative_curvature_rows(ist.from_statsmodels(logit)).empty
