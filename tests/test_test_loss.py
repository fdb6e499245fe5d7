"""What the loss of a new row holds, whatever leaves with a row: the loss alone, or a share of the penalty."""

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.base import clone
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDRegressor,
    TweedieRegressor,
)

import influstat as ist
from tests.certificate_cases import UNSAID
from tests.tolerance import CLOSED_FORM, STANDARD_ERRORS, TWO_FITS

RNG = np.random.default_rng(8)
N = 14
X = RNG.normal(size=(N, 2))
ETA = X @ [0.7, -0.4]
NEW = RNG.normal(size=(3, 2))
TIGHT = {"tol": 1e-12, "max_iter": 100_000}


def squared(y, mean, eta):
    return (y - mean) ** 2


def poisson(y, mean, eta):
    return mean - y * eta


def gamma(y, mean, eta):
    return y / mean + eta


def tweedie(y, mean, eta):
    return y * mean**-0.5 / 0.5 + mean**0.5 / 0.5


# name: estimator, targets, new targets, the plain loss of (y, mean, eta)
NUMBER, COUNT = ETA + RNG.normal(size=N), RNG.poisson(np.exp(ETA)).astype(float)
POSITIVE = np.exp(ETA) * RNG.uniform(0.5, 1.5, N)
KINDS = {
    "Lasso": (Lasso(alpha=0.05, **TIGHT), NUMBER, squared),
    "elastic net": (ElasticNet(alpha=0.05, **TIGHT), NUMBER, squared),
    "ridge": (Ridge(alpha=2.0), NUMBER, squared),
    "Poisson": (PoissonRegressor(alpha=0.5, solver="newton-cholesky", tol=1e-10), COUNT, poisson),
    "gamma": (GammaRegressor(alpha=0.5, solver="newton-cholesky", tol=1e-10), POSITIVE, gamma),
    "Tweedie": (
        TweedieRegressor(power=1.5, alpha=0.5, solver="newton-cholesky", tol=1e-10),
        COUNT,
        tweedie,
    ),
    "SGD": (SGDRegressor(alpha=0.1, max_iter=20_000, tol=1e-9, random_state=0), NUMBER, squared),
}
CASES = pytest.mark.parametrize("kind", KINDS, ids=str)


def adapted(kind):
    estimator, y, plain = KINDS[kind]
    estimator = clone(estimator).fit(X, y)
    fit = ist.from_sklearn(estimator, X, y, polish=kind == "SGD")
    return fit, y, lambda theta: plain_loss(plain, kind, y, theta)


def plain_loss(plain, kind, y, theta):
    eta = NEW @ theta[:2] + theta[2]
    return plain(y[:3], eta if plain is squared else np.exp(eta), eta)


@CASES
def test_a_fit_of_another_library_has_the_plain_loss(kind):
    fit, y, plain = adapted(kind)
    np.testing.assert_allclose(fit.loss(NEW, y[:3]), plain(fit.theta), rtol=CLOSED_FORM)
    assert "test loss plain" in repr(fit)


@pytest.mark.dear
@CASES
def test_changes_of_a_loss_are_those_of_the_plain_loss(kind):
    fit, y, plain = adapted(kind)
    removal = fit.leave_one_out()
    truth = np.array([plain(theta) - plain(fit.theta) for theta in removal.theta])
    np.testing.assert_allclose(removal.loss_change(NEW, y[:3]), truth, rtol=TWO_FITS, atol=1e-14)


@pytest.mark.dear
@CASES
def test_influence_on_a_loss_is_that_of_the_plain_loss(kind):
    fit, y, plain = adapted(kind)
    step = 1e-5 * np.eye(3)
    slopes = np.array([(plain(fit.theta + h) - plain(fit.theta - h)) / 2e-5 for h in step])  # (p, m)
    truth = fit.influence().on_theta().values @ slopes
    np.testing.assert_allclose(
        fit.influence().on_loss(NEW, y[:3]).values, truth, rtol=STANDARD_ERRORS, atol=TWO_FITS
    )


@UNSAID
@pytest.mark.dear
@CASES
def test_bounds_of_a_loss_are_those_of_the_plain_loss(kind):
    fit, y, _ = adapted(kind)
    newton, exact = fit.leave_one_out(method="newton"), fit.leave_one_out()
    error = np.abs(newton.loss_change(NEW, y[:3]) - exact.loss_change(NEW, y[:3]))
    bound = newton.loss_bound(NEW, y[:3])
    assert (np.isnan(bound) | (error <= bound)).all()


def test_softmax_has_the_plain_loss_under_both_protocols():
    classes = np.arange(N) % 3
    model = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(X, classes)
    chances = model.predict_proba(NEW)
    for protocol in ("fixed", "folded"):
        fit = ist.from_sklearn(model, X, classes, polish=True, protocol=protocol)
        np.testing.assert_allclose(fit.loss(NEW, [0, 1, 2]), -np.log(np.diag(chances)), rtol=1e-6)
        assert f"protocol {protocol}, test loss plain" in repr(fit)


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["ridge", "lasso"])
def test_fit_regularized_has_the_plain_loss(share):
    model = sm.OLS(NUMBER, X)
    results = model.fit_regularized(alpha=0.1, L1_wt=share, cnvrg_tol=1e-14)
    fit = ist.from_statsmodels(results, alpha=0.1, L1_wt=share)
    plain = (NUMBER[:3] - NEW @ results.params) ** 2
    np.testing.assert_allclose(fit.loss(NEW, NUMBER[:3]), plain, rtol=TWO_FITS)
    assert "protocol folded, test loss plain" in repr(fit)


def test_the_papers_models_keep_the_share_of_the_penalty():
    labels = (NUMBER > 0).astype(float)
    for model in (ist.Ridge(lam=2.0), ist.Logistic(lam=2.0), ist.SmoothedSVC(lam=2.0, t=0.1)):
        y = np.where(labels > 0, 1.0, -1.0) if isinstance(model, ist.SmoothedSVC) else labels
        fit = model.fit(X, y)
        risk = fit.risk
        share = risk.penalty.value(fit.theta) / N
        eta = fit.predict(NEW)
        np.testing.assert_allclose(
            fit.loss(NEW, y[:3]), risk.loss.value(y[:3], eta) + share, rtol=CLOSED_FORM
        )
        assert "protocol folded, test loss with its share of the penalty" in repr(fit)


def test_the_choice_is_read_like_the_protocol():
    with pytest.raises(ist.errors.InvalidArgument, match="test_protocol"):
        ist.LinearRisk(ist.SquaredError(), X, NUMBER, test_protocol="none")
    risk = ist.LinearRisk(ist.SquaredError(), X, NUMBER, penalty=ist.L2(3.0), test_protocol="folded")
    theta = np.ones(2)
    np.testing.assert_allclose(
        risk.test_rows(NEW, NUMBER[:3]).row_losses(theta) - (NUMBER[:3] - NEW @ theta) ** 2, 3.0 / N
    )
