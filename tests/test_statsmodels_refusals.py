"""Results that cannot be used, each refused with the reason and the remedy."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.base import _penalties as penalties
from statsmodels.base._penalized import PenalizedMixin
from statsmodels.discrete.truncated_model import HurdleCountModel
from statsmodels.sandbox.regression.gmm import IV2SLS
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.arima.model import ARIMA

import influstat as ist
from influstat.errors import (
    DoubtfulResult,
    IndefiniteHessian,
    InvalidArgument,
    InvalidType,
    NotConverged,
    NotStationary,
    Unsupported,
)
from tests.statsmodels_models import DATA, LABELS

X, GROUPS = DATA.X, np.repeat(np.arange(40), 5)


def glm(**kwds):
    return sm.GLM(DATA.counts, X, family=sm.families.Poisson(), **kwds)


REFUSED = [
    ("MixedLM", lambda: sm.MixedLM(DATA.normal, X, groups=GROUPS).fit(), "couples all rows of a group"),
    ("PHReg", lambda: sm.PHReg(DATA.exposure, X[:, 1:], status=LABELS).fit(), "everyone still at risk"),
    ("GEE", lambda: sm.GEE(DATA.normal, X, groups=GROUPS).fit(), "clusters, not rows, as terms"),
    ("IV2SLS", lambda: IV2SLS(DATA.normal, X, X).fit(), "moment conditions"),
    ("AutoReg", lambda: AutoReg(DATA.normal, 1).fit(), "rows follow one another"),
    ("ARIMA", lambda: ARIMA(DATA.normal, order=(1, 0, 0)).fit(), "rows follow one another"),
    ("GLSAR", lambda: sm.GLSAR(DATA.normal, X, rho=1).fit(), "estimates the autocorrelation"),
    ("RecursiveLS", lambda: sm.RecursiveLS(DATA.normal, X).fit(), "Fit sm.OLS"),
    ("ConditionalLogit", lambda: sm.ConditionalLogit(LABELS, X[:, 1:], groups=GROUPS).fit(), "of a group"),
    ("HurdleCountModel", lambda: HurdleCountModel(DATA.counts, X).fit(disp=0), "two parts are separate"),
    ("fit_constrained", lambda: glm().fit_constrained("x1 = 0.5"), "on a subspace only"),
    (
        r"fit_regularized\(refit=True\)",
        lambda: glm().fit_regularized(alpha=0.1, refit=True),
        "those of a smaller model",
    ),
    (
        "GLM.fit_regularized with the Gamma family",
        lambda: sm.GLM(DATA.exposure, X, family=sm.families.Gamma(sm.families.links.Log())).fit_regularized(
            alpha=0.01, L1_wt=0.0
        ),
        "estimated scale sets the strength",
    ),
    (
        "MNLogit.fit_regularized",
        lambda: sm.MNLogit(DATA.classes, X).fit_regularized(alpha=1.0, disp=0),
        "Penalised fits are supported for",
    ),
]


@pytest.mark.parametrize(("name", "results", "why"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_unsupported_models_say_what_is_supported_and_why_not(name, results, why):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whatever the library says while it fits
        refused = results()
    with pytest.raises(Unsupported, match=rf"supported model, but it comes from {name}.*{why}.* OLS, WLS, "):
        ist.from_statsmodels(refused, alpha=0.01, L1_wt=0.0)


def test_coefficients_all_zero_are_refused():
    results = sm.OLS(DATA.normal, X).fit_regularized(alpha=50.0, L1_wt=1.0)
    with pytest.raises(Unsupported, match="All coefficients are zero"):
        ist.from_statsmodels(results, alpha=50.0)


def test_an_elastic_net_of_several_strengths_is_refitted_without_a_row():
    alpha, kept = [0.0, 0.01, 0.02, 0.03], np.arange(len(DATA.normal)) != 4
    settings = {"alpha": alpha, "L1_wt": 0.5}
    results = sm.OLS(DATA.normal, X).fit_regularized(**settings, cnvrg_tol=1e-13, maxiter=2000)
    fit = ist.from_statsmodels(results, **settings, polish=True)
    again = sm.OLS(DATA.normal[kept], X[kept]).fit_regularized(**settings, cnvrg_tol=1e-13, maxiter=2000)
    removal = fit.leave_one_out(rows=[4])
    assert not removal.active_set_changes()[0]
    active = np.asarray(results.params) != 0
    np.testing.assert_allclose(removal.theta[0], again.params[active], rtol=0, atol=1e-8)  # its own tolerance


class TestResultsWithoutData:
    def test_remove_data(self):
        results = sm.OLS(DATA.normal, X).fit()
        results.remove_data()
        with pytest.raises(InvalidArgument, match=r"still hold their data, but it lost them to remove_data"):
            ist.from_statsmodels(results)

    def test_a_model_is_no_result(self):
        with pytest.raises(InvalidType, match="is a model that was not fitted. Pass what model.fit"):
            ist.from_statsmodels(sm.OLS(DATA.normal, X))

    @pytest.mark.parametrize("wrong", [None, 3.0, np.ones(3), "OLS"])
    def test_anything_else_is_no_result(self, wrong):
        with pytest.raises(InvalidType, match="results must be the fitted results of a statsmodels model"):
            ist.from_statsmodels(wrong)


class TestUnconverged:
    def unconverged(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return sm.Logit(LABELS, X).fit(maxiter=1, disp=0)

    def test_the_library_s_own_word_is_heard(self):
        with pytest.raises(NotConverged, match=r"Logit fit did not converge: the library itself says so"):
            ist.from_statsmodels(self.unconverged())

    def test_polishing_helps(self):
        with pytest.warns(DoubtfulResult, match="standard errors away from where the library stopped"):
            fit = ist.from_statsmodels(self.unconverged(), polish=True)
        np.testing.assert_allclose(fit.theta, sm.Logit(LABELS, X).fit(disp=0).params, rtol=1e-8)

    def test_a_fit_stopped_early_without_a_word_is_measured(self):
        results = glm().fit(maxiter=200, tol=50.0)  # "converged" by a tolerance of 50
        with pytest.raises(NotStationary, match=r"is .* times the effect of removing a typical row away"):
            ist.from_statsmodels(results)
        with pytest.warns(DoubtfulResult, match="standard errors away from where the library stopped"):
            assert ist.from_statsmodels(results, polish=True).stationarity < 1e-12

    def test_hurdles_of_glm_iterations(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = glm().fit(maxiter=1)
        with pytest.raises(NotConverged, match="GLM fit did not converge"):
            ist.from_statsmodels(results)


class TestMutatedModels:
    @pytest.mark.parametrize("model", [sm.OLS, sm.Logit, sm.MNLogit], ids=["OLS", "Logit", "MNLogit"])
    def test_data_changed_after_the_fit(self, model):
        y = {"OLS": DATA.normal, "Logit": LABELS, "MNLogit": DATA.classes}[model.__name__]
        results = model(y, X.copy()).fit(**({} if model is sm.OLS else {"disp": 0}))
        results.model.exog[:20, 1] += 1.0
        with pytest.raises(NotStationary, match="changed after the fit, fit again"):
            ist.from_statsmodels(results)

    def test_weights_changed_after_the_fit(self):
        results = sm.WLS(DATA.normal, X, weights=DATA.weights.copy()).fit()
        results.model.weights[:50] *= 3.0
        with pytest.raises(NotStationary, match="fit again"):
            ist.from_statsmodels(results)

    def test_parameters_changed_after_the_fit(self):
        results = sm.Logit(LABELS, X).fit(disp=0)
        results._results.params = results._results.params * 1.01
        with pytest.raises(NotStationary, match=r"largest|relative gradient of"):
            ist.from_statsmodels(results)


class Subclass(sm.OLS):
    """A model of a user's own, of which nothing is known."""


class PenalisedPoisson(PenalizedMixin, sm.Poisson):
    """A penalised likelihood."""


def test_what_is_not_known_is_not_guessed():
    with pytest.raises(Unsupported, match="Subclass. It has no loglikeobs and score_obs"):
        ist.from_statsmodels(Subclass(DATA.normal, X).fit())
    results = PenalisedPoisson(DATA.counts, X, penal=penalties.L2(), pen_weight=5.0).fit(disp=0)
    with pytest.raises(Unsupported, match="PenalisedPoisson. Its penalty is not known here"):
        ist.from_statsmodels(results)
    with pytest.raises(Unsupported, match="OLS with 2 responses. They share no risk"):
        ist.from_statsmodels(sm.OLS(np.column_stack([DATA.normal, DATA.heavy]), X).fit())


def test_constrained_count_models_are_refused():
    results = sm.Poisson(DATA.counts, X).fit_constrained("x1 = 0.5", disp=0)
    with pytest.raises(Unsupported, match="on a subspace only"):
        ist.from_statsmodels(results)


def test_penalties_that_belong_to_no_row_are_refused():
    trials = sm.GLM(DATA.binomial(0.5), X, family=sm.families.Binomial())
    with pytest.raises(Unsupported, match="GLM.fit_regularized with weights"):
        ist.from_statsmodels(trials.fit_regularized(alpha=0.01, L1_wt=0.0), alpha=0.01, L1_wt=0.0)
    full = sm.GLS(DATA.normal[:20], X[:20], sigma=np.eye(20) + 0.1)
    results = full.fit_regularized(alpha=0.01, L1_wt=0.0)
    with pytest.warns(ist.errors.DoubtfulResult), pytest.raises(Unsupported, match="with a full sigma"):
        ist.from_statsmodels(results, alpha=0.01, L1_wt=0.0)


def test_settings_that_do_nothing_are_refused():
    results = sm.OLS(DATA.normal, X).fit()
    with pytest.raises(InvalidArgument, match="alpha must be left out unless .* fit_regularized, but"):
        ist.from_statsmodels(results, alpha=0.1)
    with pytest.raises(InvalidArgument, match="smoothing must be left out unless .* QuantReg, but"):
        ist.from_statsmodels(results, smoothing=0.1)
    l1 = sm.Logit(LABELS, X).fit_regularized(alpha=1.0, disp=0)
    with pytest.raises(InvalidArgument, match="alpha must be that of the fit, but it is 3.0"):
        ist.from_statsmodels(l1, alpha=3.0)


def test_settings_are_checked():
    results = sm.OLS(DATA.normal, X).fit()
    with pytest.raises(InvalidArgument, match="polish must be True or False, but it is 'yes'"):
        ist.from_statsmodels(results, polish="yes")


def test_a_separable_logit_is_not_polished_into_nonsense():
    y = (X[:, 1] > 0).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = sm.Logit(y, X).fit(disp=0, maxiter=15)
    with pytest.raises(ist.errors.InflustatError):
        ist.from_statsmodels(results)
    with pytest.raises(ist.errors.NoMinimiser, match="no finite minimiser"):
        ist.from_statsmodels(results, polish=True)


def test_formula_results_of_refused_models_are_refused_too():
    frame = pd.DataFrame({"y": DATA.normal, "x": X[:, 1], "g": GROUPS})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = smf.mixedlm("y ~ x", frame, groups="g").fit()
    with pytest.raises(Unsupported, match="MixedLM"):
        ist.from_statsmodels(results)


def test_polishing_that_finds_no_minimum_names_remedies_of_the_library():
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=60), rng.uniform(1.0, 5.0, 60)
    counts = rng.poisson(np.exp(0.3 + 0.3 * x))  # nothing is inflated: its logit runs away
    model = sm.ZeroInflatedGeneralizedPoisson(counts, sm.add_constant(x), exog_infl=sm.add_constant(z))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = model.fit(disp=0, method="bfgs", maxiter=3)
    with pytest.raises((NotConverged, IndefiniteHessian), match="polish=True found no minimum") as caught:
        ist.from_statsmodels(results, polish=True)
    assert "Fit the model again so that it ends near one" in str(caught.value)
    assert "start=" not in str(caught.value)


def test_results_of_another_library_are_called_that():
    model = type("PanelOLS", (), {"__module__": "linearmodels.panel.model"})()
    kind = type("PanelEffectsResults", (), {"__module__": "linearmodels.panel.results"})
    results = kind()
    results.params, results.model = np.ones(2), model
    with pytest.raises(
        InvalidType, match="is a PanelEffectsResults of linearmodels. Fit the same model with"
    ):
        ist.from_statsmodels(results)
