"""Results in the states in which users have them: models fitted twice, weights left out, complex data."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.base.model import GenericLikelihoodModel
from statsmodels.discrete.truncated_model import _RCensoredPoisson
from statsmodels.gam.api import BSplines, GLMGam
from statsmodels.imputation.mice import MICE, MICEData
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.regression.dimred import SIR

import influstat as ist
from influstat.adapters.statsmodels.ordered_likelihood import OrderedLikelihoods
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType, NotStationary, Unsupported
from tests.budget import some
from tests.statsmodels_data import DATA
from tests.tolerance import CLOSED_FORM, TWO_FITS

X, ROWS = DATA.X[:60], np.arange(60)
COUNTS, POSITIVE, NORMAL = DATA.counts[:60], DATA.exposure[:60], DATA.normal[:60]
log = sm.families.links.Log
FAMILIES = {
    "Poisson": (COUNTS, sm.families.Poisson()),
    "Gamma": (POSITIVE, sm.families.Gamma(log())),
    "Tweedie": (POSITIVE, sm.families.Tweedie(log(), var_power=1.5)),
}

# -- a model that was fitted twice ---------------------------------------------------------------------------


@pytest.mark.parametrize("later", [None, "X2", "dev", 2.5], ids=str)
@pytest.mark.parametrize("scale", [None, "X2", "dev"], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_scale_is_that_of_the_fit_and_not_of_the_model_s_last_one(family, scale, later):
    y, kind = FAMILIES[family]
    model = sm.GLM(y, X, family=kind)
    results = model.fit(scale=scale, tol=1e-13)
    model.fit(scale=later)
    found = ist.from_statsmodels(results).inference().table.standard_errors
    np.testing.assert_allclose(found, results.bse, rtol=TWO_FITS)


def test_a_number_that_only_another_fit_of_the_model_had_is_named_as_the_cause():
    model = sm.GLM(POSITIVE, X, family=sm.families.Gamma(log()))
    results = model.fit(scale=2.5)
    model.fit()
    with pytest.raises(NotStationary, match=r"says 2\.5 where .* keeps the scale= of its last fit alone"):
        ist.from_statsmodels(results)


# -- weights that GLMGam leaves out --------------------------------------------------------------------------

WEIGHTS = 1.0 + ROWS % 4
TRIALS = np.column_stack([ROWS % 3, 1 + ROWS % 4])
WEIGHTED = {
    "var_weights": (COUNTS, sm.families.Poisson(), {"var_weights": WEIGHTS}, WEIGHTS, None),
    "freq_weights": (COUNTS, sm.families.Poisson(), {"freq_weights": WEIGHTS}, WEIGHTS, "row"),
    "trials": (TRIALS, sm.families.Binomial(), {}, TRIALS.sum(axis=1), None),
}


def gam(case, **options):
    y, family, weights, _, _ = WEIGHTED[case]
    smoother = BSplines(X[:, [1]], df=[5], degree=[3])
    model = GLMGam(y, exog=X[:, [0, 2]], smoother=smoother, alpha=[1.0], family=family, **weights)
    return model.fit(tol=1e-10, **options)


@pytest.mark.parametrize("case", WEIGHTED)
def test_a_gam_whose_iterations_left_its_weights_out_says_so_and_the_remedy_works(case):
    drop, weights = WEIGHTED[case][4], WEIGHTED[case][3]
    with pytest.raises(Unsupported, match=r"iterations had other weights than its rows.*fit\(weights=\)"):
        ist.from_statsmodels(gam(case), drop=drop)
    results = gam(case, weights=weights)
    assert ist.from_statsmodels(results, drop=drop).stationarity < 1e-8
    with pytest.raises(Unsupported, match="iterations had other weights"):
        ist.from_statsmodels(gam(case, weights=weights[::-1].copy()), drop=drop)


@pytest.mark.parametrize("case", ["var_weights", "trials"])
def test_a_gam_fitted_by_newton_s_method_ends_at_its_penalised_likelihood(case):
    assert ist.from_statsmodels(gam(case, method="newton")).stationarity < 1e-8


# -- likelihoods whose entries are no terms of single rows ---------------------------------------------------


class Own(GenericLikelihoodModel):
    """Normal errors, in closed form."""

    def loglikeobs(self, params):
        return stats.norm.logpdf(self.endog - self.exog @ params)

    def score_obs(self, params):
        return (self.endog - self.exog @ params)[:, None] * self.exog


class Weighted(Own):
    """With an array per row of its own."""

    def __init__(self, endog, exog, w=None, **kwds):
        super().__init__(endog, exog, w=w, **kwds)

    def loglikeobs(self, params):
        return self.w * super().loglikeobs(params)

    def score_obs(self, params):
        return self.w[:, None] * super().score_obs(params)


class Kept(Weighted):
    """With an array of its own that statsmodels does not hand on, and that can be left out."""

    def __init__(self, endog, exog, w=None):
        Own.__init__(self, endog, exog)
        self.w = np.ones(len(endog)) if w is None else w


class Demeaned(Own):
    """With a mean over all rows."""

    def loglikeobs(self, params):
        return stats.norm.logpdf(self.endog - self.endog.mean() - self.exog @ params)

    def score_obs(self, params):
        return (self.endog - self.endog.mean() - self.exog @ params)[:, None] * self.exog


class AtRisk(GenericLikelihoodModel):
    """Cox's partial likelihood."""

    def loglikeobs(self, params):
        eta = self.exog @ params
        return np.array(
            [e - np.log(np.exp(eta[self.endog >= t]).sum()) for e, t in zip(eta, self.endog, strict=True)]
        )


class Undefined(Own):
    """Whose score is no number for one row."""

    def score_obs(self, params):
        scores = super().score_obs(params)
        scores[3] = np.nan
        return scores


class Impossible(Own):
    """Which gives one row no probability."""

    def loglikeobs(self, params):
        values = super().loglikeobs(params)
        values[3] = -np.inf
        return values


class Beyond(Own):
    """Which gives no row one."""

    def loglikeobs(self, params):
        return super().loglikeobs(params) - np.inf


def fitted(model, y=NORMAL, exog=X, **arrays):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = np.zeros(exog.shape[1])
        return model(y, exog, **arrays).fit(start_params=start, method="bfgs", disp=0, gtol=1e-8, maxiter=500)


@pytest.mark.parametrize(
    "results",
    [
        lambda: fitted(
            _RCensoredPoisson, np.minimum(COUNTS, 2)
        ),  # zeros first, whatever the order of the rows
        lambda: fitted(Demeaned),
        lambda: fitted(AtRisk, POSITIVE, X[:, 1:]),
    ],
    ids=["another order", "a mean", "everyone at risk"],
)
def test_entries_that_are_no_terms_of_single_rows_are_refused(results):
    with pytest.raises(Unsupported, match="gives some rows other values when other rows are missing"):
        ist.from_statsmodels(results())


@pytest.mark.parametrize(
    ("model", "arrays"),
    [(Own, {}), (Weighted, {"w": WEIGHTS}), (Kept, {"w": WEIGHTS})],
    ids=["own", "weighted", "kept"],
)
def test_likelihoods_of_single_rows_pass(model, arrays):
    fit = ist.from_statsmodels(fitted(model, **arrays))
    kept = ROWS != 7
    weights = arrays.get("w", np.ones(60))[kept]
    truth = sm.WLS(NORMAL[kept], X[kept], weights=weights).fit().params
    np.testing.assert_allclose(fit.leave_one_out(rows=[7]).theta[0], truth, rtol=TWO_FITS)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (Undefined, "finite score_obs .* has nan for row 3"),
        (Impossible, "finite loglikeobs .* has inf for row 3. Fit again"),
        (Beyond, "finite loglikeobs .* has inf for row 0 and 59 more. Fit again from other start values"),
    ],
)
def test_rows_without_a_finite_likelihood_or_score_are_named(model, sentence):
    with pytest.raises(InvalidArgument, match=sentence):
        ist.from_statsmodels(fitted(model))


# -- ordered classes under distributions whose density is no number at infinity ------------------------------


@pytest.mark.parametrize("name", ["gumbel_r", "gumbel_l", "logistic", "norm", "cauchy", "laplace"])
def test_ordered_likelihoods_have_the_gradient_of_their_losses(name):
    classes = np.digitize(NORMAL, np.quantile(NORMAL, [0.3, 0.7]))
    model = OrderedModel(classes, X[:, 1:], distr=getattr(stats, name))
    rows, theta = OrderedLikelihoods.of(model), np.linspace(-0.3, 0.4, X.shape[1] + 1)
    step = 1e-5 * np.eye(len(theta))
    truth = np.column_stack([(rows.losses(theta + h) - rows.losses(theta - h)) / 2e-5 for h in step])
    np.testing.assert_allclose(rows.gradients(theta), truth, rtol=0, atol=1e-7)


def test_an_ordered_fit_by_gumbel_s_distribution_is_taken():
    classes = np.digitize(NORMAL, np.quantile(NORMAL, [0.3, 0.7]))
    results = OrderedModel(classes, X[:, 1:], distr=stats.gumbel_r).fit(method="bfgs", disp=0, gtol=1e-7)
    assert ist.from_statsmodels(results).leave_one_out(rows=[0, 5]).status == ("", "")


# -- what was never real, or never one fit -------------------------------------------------------------------


@pytest.mark.parametrize("which", ["y", "X"])
@pytest.mark.parametrize("model", [sm.OLS, sm.WLS, sm.GLS])
def test_complex_data_are_refused(model, which):
    y, exog = (NORMAL * (1 + 0.5j), X) if which == "y" else (NORMAL, X * (1 + 0.5j))
    with pytest.raises(InvalidType, match=f"comes from {which} of dtype complex128"):
        ist.from_statsmodels(model(y, exog).fit())


@pytest.mark.parametrize("model", [sm.OLS, sm.GLM, sm.RLM])
def test_new_rows_have_the_columns_of_several_levels_that_the_fit_had(model):
    table = pd.DataFrame(X[:, :2], columns=pd.MultiIndex.from_tuples([("lag", "one"), ("lag", "two")]))
    fit = ist.from_statsmodels(model(X.sum(axis=1), table).fit(), polish=True)
    assert fit.names == ("lag_one", "lag_two")  # as statsmodels calls them
    for new in (table[:3], table[:3].set_axis(fit.names, axis=1)):
        np.testing.assert_allclose(fit.predict(new), X[:3, :2] @ fit.theta, rtol=CLOSED_FORM)
    with pytest.raises(InvalidArgument, match="X must name its columns as the training rows do"):
        fit.predict(table[:3].iloc[:, ::-1])


@pytest.mark.parametrize("model", [sm.OLS, sm.GLM])
def test_names_that_statsmodels_cannot_make_are_refused_as_that(model):
    table = pd.DataFrame(X[:, :2], columns=pd.MultiIndex.from_tuples([("lag", 0), ("lag", 1)]))
    with pytest.raises(InvalidArgument, match="MultiIndex of other things than text .*X.columns = "):
        ist.from_statsmodels(model(NORMAL, table).fit())
    table.columns = [str(name) for name in table.columns]
    assert ist.from_statsmodels(model(NORMAL, table).fit()).names == ("('lag', 0)", "('lag', 1)")


def test_averages_over_tables_and_over_slices_are_refused_as_that():
    table = pd.DataFrame(X[:, 1:3], columns=["a", "b"]).assign(y=NORMAL)
    table.loc[[2, 5], "a"] = np.nan
    with pytest.raises(Unsupported, match="averages over imputed tables"):
        ist.from_statsmodels(MICE("y ~ a + b", sm.OLS, MICEData(table)).fit(2, 2))
    with pytest.raises(Unsupported, match="means of slices of all rows"):
        ist.from_statsmodels(SIR(NORMAL, X[:, 1:]).fit())


# -- units of y under links that are no identity -------------------------------------------------------------


@pytest.mark.parametrize("unit", [1e-7, 1e12])
@pytest.mark.parametrize("family", [sm.families.Gamma, sm.families.Gaussian, sm.families.InverseGaussian])
def test_large_and_small_units_are_no_perfect_fits_and_have_every_measure(family, unit):
    y = np.exp(0.2 * NORMAL)
    plain = sm.GLM(y, X, family=family(log())).fit(tol=1e-9, tol_criterion="params")
    start = np.asarray(plain.params) + np.log(unit) * np.eye(X.shape[1])[0]
    results = sm.GLM(unit * y, X, family=family(log())).fit(
        tol=1e-9, tol_criterion="params", start_params=start
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", DoubtfulResult)
        fit = ist.from_statsmodels(results)
        errors = fit.inference().table.standard_errors
        found = fit.diagnostics()
    np.testing.assert_allclose(errors, plain.bse, rtol=1e-7)
    np.testing.assert_allclose(found, ist.from_statsmodels(plain).diagnostics(), rtol=1e-6)


# -- copies of rows under a formula --------------------------------------------------------------------------

COPIED = pd.DataFrame(
    {"x": X[:, 1], "g": np.tile(list("abc"), 20), "h": ROWS % 7, "y": COUNTS, "copies": WEIGHTS}
)


def test_questions_about_variables_see_copies_as_repeated_rows():
    repeated = COPIED.loc[COPIED.index.repeat(COPIED["copies"].astype(int))].reset_index(drop=True)
    first = np.concatenate([[0], np.cumsum(WEIGHTS)[:-1]]).astype(int)

    def fitted(table, **weights):
        family = sm.families.Poisson()
        return smf.glm("y ~ x + I(x**2) + C(g)", table, family=family, **weights).fit(tol=1e-13)

    fit = ist.from_statsmodels(fitted(COPIED, freq_weights=COPIED["copies"]), drop="copy")
    truth = ist.from_statsmodels(fitted(repeated))
    for one in some([pickle.loads(pickle.dumps(fit)), fit]):
        for column in ("x", "g"):
            ours, theirs = (ist.average_marginal_effect(this, column) for this in (one, truth))
            np.testing.assert_allclose(ours.value, theirs.value, rtol=TWO_FITS)
            moved = ours.leave_one_out(rows=ROWS).change, theirs.leave_one_out(rows=first).change
            np.testing.assert_allclose(*moved, rtol=0, atol=TWO_FITS)
        gradients = (ist.input_influence(this, COPIED.head(3)).values for this in (one, truth))
        np.testing.assert_allclose(next(gradients)[:60], next(gradients)[first], rtol=1e-7)
        groups = (this.leave_groups_out("h").theta[:, 0] for this in (one, truth))
        np.testing.assert_allclose(next(groups), next(groups), rtol=TWO_FITS)


@pytest.mark.parametrize("give", [lambda column: column, pd.Series.to_numpy, pd.Series.tolist])
def test_copies_are_in_the_group_of_their_row(give):
    results = smf.glm("y ~ x", COPIED, family=sm.families.Poisson(), freq_weights=COPIED["copies"]).fit()
    fit, labels = ist.from_statsmodels(results, drop="copy"), give(COPIED["h"])
    removal, named = fit.leave_groups_out(labels), fit.leave_groups_out("h")
    np.testing.assert_array_equal(removal.theta, named.theta)
    for kind in ("cluster", "CR2"):
        found, truth = (fit.covariance(kind, groups=one) for one in (labels, "h"))
        np.testing.assert_array_equal(found, truth)
    np.testing.assert_array_equal(ist.cross_validate(fit, labels).row_losses, _row_losses(fit))
    sets = [[0, 1], [2]]
    np.testing.assert_array_equal(fit.leave_groups_out(sets).groups.members, [0, 1, 2])
    with pytest.raises(ist.errors.InvalidArgument, match=r"one label for each row of the model \(\d+\)"):
        fit.leave_groups_out(np.repeat(COPIED["h"].to_numpy(), 7))


def _row_losses(fit):
    return ist.cross_validate(fit, "h").row_losses
