"""Names, labels, weights and offsets as the user gave them: arrays, frames, formulas, missing rows."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from numpy.testing import assert_allclose, assert_array_equal
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument
from tests.statsmodels_models import DATA, ROWS
from tests.tolerance import CHANGES, INVERTED, STANDARD_ERRORS, TWO_FITS

POISSON = sm.families.Poisson()


@pytest.fixture
def table():
    """Return a small table with text labels, a category and missing values."""
    rng = np.random.default_rng(3)
    n = 40
    frame = pd.DataFrame(
        {
            "y": rng.poisson(3.0, n).astype(float),
            "x": rng.normal(size=n),
            "kind": np.resize(["a", "b", "c"], n),
            "exposure": rng.uniform(1.0, 2.0, n),
        },
        index=[f"row {i}" for i in range(n)],
    )
    frame.iloc[[3, 7], 1] = np.nan
    return frame


def removed(fit, row):
    return fit.leave_one_out(rows=range(row, row + 1)).theta[0]  # a position, whatever the labels


class TestNamesAndLabels:
    def test_frames(self, table):
        kept = table.dropna()
        results = sm.OLS(kept["y"], sm.add_constant(kept[["x"]])).fit()
        fit = ist.from_statsmodels(results)
        assert fit.names == ("const", "x")
        assert_array_equal(fit.row_labels, kept.index)
        assert list(fit.influence().on_theta().to_frame().columns) == ["const", "x"]

    def test_arrays_are_counted_from_0(self):
        fit = ist.from_statsmodels(sm.OLS(DATA.normal, DATA.X).fit())
        assert fit.names == ("const", "x1", "x2", "x3")
        assert_array_equal(fit.row_labels, np.arange(ROWS))

    @pytest.mark.parametrize("engine", ["patsy", "formulaic"])
    def test_formulas_with_categories(self, table, engine, monkeypatch):
        import statsmodels.formula

        if hasattr(statsmodels.formula, "options"):
            monkeypatch.setattr(statsmodels.formula.options, "formula_engine", engine)
        elif engine != "patsy":
            pytest.skip("statsmodels knows no other engine than patsy before 0.15")
        results = smf.glm("y ~ x + C(kind)", table, family=POISSON).fit(tol=1e-12)
        fit = ist.from_statsmodels(results)
        assert fit.names == tuple(results.params.index)
        assert len(fit.names) == 4
        left = table.dropna()
        assert_array_equal(fit.row_labels, left.index)
        row = left.index[5]
        refit = smf.glm("y ~ x + C(kind)", left.drop(index=row), family=POISSON).fit(tol=1e-12)
        assert_allclose(removed(fit, 5), refit.params, rtol=CHANGES)

    def test_missing_rows_of_arrays_keep_their_positions(self, table):
        X = sm.add_constant(table[["x"]].to_numpy())
        results = sm.OLS(table["y"].to_numpy(), X, missing="drop").fit()
        fit = ist.from_statsmodels(results)
        assert_array_equal(fit.row_labels, np.delete(np.arange(40), [3, 7]))
        refit = sm.OLS(np.delete(table["y"].to_numpy(), [3, 7, 8]), np.delete(X, [3, 7, 8], axis=0)).fit()
        assert_allclose(removed(fit, list(fit.row_labels).index(8)), refit.params, rtol=INVERTED)

    def test_missing_rows_of_frames_keep_their_labels(self, table):
        results = sm.GLM(
            table["y"],
            sm.add_constant(table[["x"]]),
            family=POISSON,
            exposure=table["exposure"],
            missing="drop",
        ).fit()
        fit = ist.from_statsmodels(results)
        assert_array_equal(fit.row_labels, table.dropna().index)
        assert_allclose(np.exp(fit.risk.offset), table.dropna()["exposure"])

    def test_labels_of_several_levels_stay_whole(self, table):
        kept = table.dropna().set_index("kind", append=True)
        fit = ist.from_statsmodels(sm.OLS(kept["y"], sm.add_constant(kept[["x"]])).fit())
        assert fit.row_labels.shape == (38,)
        assert fit.row_labels[0] == ("row 0", "a")

    def test_coefficients_of_several_classes_name_their_class(self, table):
        kept = table.dropna()
        results = sm.MNLogit(kept["kind"].astype("category").cat.codes, sm.add_constant(kept[["x"]])).fit(
            disp=0
        )
        fit = ist.from_statsmodels(results)
        assert fit.names == ("1: const", "1: x", "2: const", "2: x")
        assert_allclose(fit.theta, np.asarray(results.params).ravel(order="F"))

    def test_extra_parameters_have_names(self):
        fit = ist.from_statsmodels(sm.NegativeBinomial(DATA.overdispersed, DATA.X).fit(disp=0, maxiter=200))
        assert fit.names == ("const", "x1", "x2", "x3", "alpha")

    @pytest.mark.parametrize(
        "fit_model",
        [
            lambda y, X: sm.OLS(y, X).fit(),
            lambda y, X: sm.GLM(y, X, family=POISSON).fit(),
            lambda y, X: sm.RLM(y, X).fit(),
            lambda y, X: sm.NegativeBinomial(y, X).fit(disp=0, maxiter=200),
        ],
        ids=["OLS", "GLM", "RLM", "NegativeBinomial"],
    )
    def test_new_rows_must_have_the_columns_of_the_fit(self, fit_model):
        X = pd.DataFrame(DATA.X, columns=["const", "a", "b", "c"])
        fit = ist.from_statsmodels(fit_model(pd.Series(DATA.overdispersed), X))
        assert_allclose(fit.predict(X.iloc[:3]), DATA.X[:3] @ fit.theta[:4])
        assert_allclose(fit.predict(DATA.X[:3]), DATA.X[:3] @ fit.theta[:4])
        with pytest.raises(InvalidArgument, match=r"name its columns as the training rows do \('a' ...\)"):
            fit.predict(X[["const", "b", "a", "c"]])
        with pytest.raises(InvalidArgument, match="have the 4 columns of the training rows, but it has 3"):
            fit.predict(DATA.X[:, :3])
        with pytest.raises(InvalidArgument, match="have the 4 columns of the training rows, but it has 5"):
            fit.loss(np.column_stack([DATA.X, DATA.normal]), DATA.overdispersed)

    def test_one_column_without_a_name(self):
        results = sm.OLS(DATA.normal, DATA.X[:, 1]).fit()
        fit = ist.from_statsmodels(results)
        assert_allclose(fit.theta, results.params)
        assert fit.risk.shape == (ROWS, 1)


class TestWeights:
    frequencies = DATA.frequencies

    def results(self, frequencies=frequencies, rows=slice(None), **kwds):
        model = sm.GLM(
            DATA.counts[rows], DATA.X[rows], family=POISSON, freq_weights=frequencies[rows], **kwds
        )
        return model.fit(tol=1e-13)

    def test_what_a_removal_takes_away_must_be_said(self):
        with pytest.raises(InvalidArgument, match=r'drop must be "row" or "copy" for a fit with freq'):
            ist.from_statsmodels(self.results())
        with pytest.raises(InvalidArgument, match="drop must be 'row' or 'copy'"):
            ist.from_statsmodels(self.results(), drop="all")
        ist.from_statsmodels(self.results(np.ones(ROWS)))  # every row has one copy: nothing to say

    def test_the_row_with_all_copies(self):
        fit = ist.from_statsmodels(self.results(), drop="row")
        assert_allclose(removed(fit, 11), self.results(rows=np.arange(ROWS) != 11).params, rtol=CHANGES)

    def test_one_copy(self):
        fit = ist.from_statsmodels(self.results(), drop="copy")
        row = int(np.argmax(self.frequencies == 3))
        fewer = self.frequencies.astype(float)
        fewer[row] -= 1
        assert_allclose(removed(fit, row), self.results(fewer).params, rtol=CHANGES)
        assert_allclose(fit.theta, self.results().params)
        assert_allclose(fit.risk.weights[:ROWS], 1.0)
        assert_allclose(fit.risk.total_weight, self.frequencies.sum())
        assert_array_equal(fit.row_labels[:ROWS], np.arange(ROWS))
        first = np.flatnonzero(self.frequencies > 1)[0]
        assert fit.row_labels[ROWS] == f"{first} (other {self.frequencies[first] - 1})"

    def test_copies_of_rows_with_variance_weights_share_them(self):
        fit = ist.from_statsmodels(self.results(var_weights=DATA.weights), drop="copy")
        assert_allclose(fit.risk.weights[:ROWS], DATA.weights)

    def test_no_copy_of_less_than_one(self):
        with pytest.raises(InvalidArgument, match=r"drop must be \"row\" where a freq_weight is below 1"):
            ist.from_statsmodels(self.results(DATA.weights), drop="copy")

    def test_integer_frequencies_are_repeated_rows(self):
        repeated = np.repeat(np.arange(ROWS), self.frequencies)
        plain = ist.from_statsmodels(
            sm.GLM(DATA.counts[repeated], DATA.X[repeated], family=POISSON).fit(tol=1e-13)
        )
        first = np.searchsorted(repeated, np.arange(ROWS))
        copies = ist.from_statsmodels(self.results(), drop="copy").influence().on_theta()
        assert_allclose(
            copies.removal[:ROWS], plain.influence().on_theta().removal[first], rtol=STANDARD_ERRORS
        )

    def test_scale_estimates_move_nothing(self):
        gamma = sm.families.Gamma(sm.families.links.Log())
        y = DATA.exposure + 1.0
        model = sm.GLM(y, DATA.X, family=gamma)
        fits = [ist.from_statsmodels(model.fit(scale=scale, tol=1e-13)) for scale in (None, "X2", 3.0)]
        values = [fit.influence().on_theta().values for fit in fits]
        assert_allclose(values[1], values[0])
        assert_allclose(values[2], values[0])


class TestGeneralisedLeastSquares:
    def test_correlated_rows_are_whitened_rows_and_say_so(self):
        sigma = 0.5 ** np.abs(np.subtract.outer(np.arange(30), np.arange(30)))
        model = sm.GLS(DATA.normal[:30], DATA.X[:30], sigma=sigma)
        with pytest.warns(DoubtfulResult, match="row i of cholsigmainv @ X, which mixes observations"):
            fit = ist.from_statsmodels(model.fit())
        keep = np.arange(30) != 4
        refit = sm.OLS(model.wendog[keep], model.wexog[keep]).fit()
        assert_allclose(removed(fit, 4), refit.params, rtol=TWO_FITS)

    def test_a_diagonal_matrix_is_weights(self):
        keep = np.arange(30) != 4
        variances = DATA.weights[:30]
        y, X = DATA.normal[:30], DATA.X[:30]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit = ist.from_statsmodels(sm.GLS(y, X, sigma=np.diag(variances)).fit())
        refit = sm.GLS(y[keep], X[keep], sigma=variances[keep]).fit()
        assert_allclose(removed(fit, 4), refit.params, rtol=TWO_FITS)
        assert_allclose(fit.risk.weights, 1.0 / variances)

    def test_no_sigma_is_ols(self):
        fit = ist.from_statsmodels(sm.GLS(DATA.normal, DATA.X).fit())
        assert_allclose(fit.risk.weights, 1.0)


class TestPenalised:
    def test_rows_that_change_the_active_set_are_flagged(self):
        X, y, alpha = DATA.X[:60], DATA.normal[:60], 0.33

        def fitted(rows):
            return sm.OLS(y[rows], X[rows]).fit_regularized(alpha=alpha, L1_wt=1.0, cnvrg_tol=1e-12).params

        everyone = np.arange(60)
        full = fitted(everyone)
        assert 0 < np.count_nonzero(full) < 4
        results = sm.OLS(y, X).fit_regularized(alpha=alpha, L1_wt=1.0, cnvrg_tol=1e-12)
        fit = ist.from_statsmodels(results, alpha=alpha)
        assert fit.names == tuple(np.array(["const", "x1", "x2", "x3"])[full != 0])
        loo = fit.leave_one_out()
        flagged = loo.active_set_changes()
        refits = np.array([fitted(np.delete(everyone, row)) for row in everyone])
        changed = ((refits != 0) != (full != 0)).any(axis=1)
        assert_array_equal(flagged, changed)
        assert changed.any()
        assert not changed.all()
        assert_allclose(loo.theta[~flagged], refits[~flagged][:, full != 0], atol=1e-7)

    def test_a_refit_with_the_same_alpha_loses_the_row_s_share_of_the_penalty(self):
        fit = ist.from_statsmodels(
            sm.OLS(DATA.normal, DATA.X).fit_regularized(alpha=0.3, L1_wt=0.0), alpha=0.3, L1_wt=0.0
        )
        assert fit.risk.protocol == "folded"
        logit = sm.Logit((DATA.normal > 0.3).astype(float), DATA.X)
        fit = ist.from_statsmodels(logit.fit_regularized(alpha=1.0, disp=0, acc=1e-12))
        assert fit.risk.protocol == "fixed"

    def test_gls_with_a_diagonal_sigma(self):
        def fitted(rows):
            model = sm.GLS(DATA.normal[rows], DATA.X[rows], sigma=DATA.weights[rows])
            return model.fit_regularized(alpha=0.3, L1_wt=0.0)

        fit = ist.from_statsmodels(fitted(slice(None)), alpha=0.3, L1_wt=0.0)
        assert_allclose(removed(fit, 9), fitted(np.arange(ROWS) != 9).params, rtol=TWO_FITS)

    def test_wrong_or_missing_settings_are_told(self):
        results = sm.OLS(DATA.normal, DATA.X).fit_regularized(alpha=0.3, L1_wt=0.0)
        with pytest.raises(InvalidArgument, match="alpha must be given for the results of fit_regularized"):
            ist.from_statsmodels(results)
        with pytest.raises(ist.errors.NotStationary, match="pass those settings"):
            ist.from_statsmodels(results, alpha=0.2, L1_wt=0.0)
        with pytest.raises(InvalidArgument, match="L1_wt must be at most 1, but it is 2"):
            ist.from_statsmodels(results, alpha=0.3, L1_wt=2.0)
        with pytest.raises(InvalidArgument, match="L1_wt must be at most 1, but it is 7"):
            ist.from_statsmodels(sm.OLS(DATA.normal, DATA.X).fit(), L1_wt=7)
        with pytest.raises(InvalidArgument, match="alpha must be at least 0, but it is -1"):
            ist.from_statsmodels(results, alpha=[-1.0, 0.0, 0.0, 0.0])


class TestQuantileRegression:
    def test_it_needs_a_width(self):
        results = sm.QuantReg(DATA.heavy, DATA.X).fit(q=0.5)
        with pytest.raises(ist.errors.Unsupported, match="a kink at 0 and straight elsewhere"):
            ist.from_statsmodels(results)

    @pytest.mark.parametrize("q", [0.25, 0.5])
    def test_the_smoothed_fit_and_its_removals(self, q):
        results = sm.QuantReg(DATA.heavy, DATA.X).fit(q=q)
        fit = ist.from_statsmodels(results, smoothing=0.1)
        assert np.max(np.abs(fit.theta - results.params)) < np.max(results.bse)
        keep = np.arange(ROWS) != 17
        loss = ist.SmoothedCheck(quantile=q, t=0.1)
        refit = ist.Fit.minimise(ist.LinearRisk(loss, DATA.X[keep], DATA.heavy[keep]))
        assert_allclose(removed(fit, 17), refit.theta, atol=CHANGES)

    def test_coefficients_that_are_not_its_minimum_are_refused(self):
        results = sm.QuantReg(DATA.heavy, DATA.X).fit(q=0.5)
        results._results.params = results._results.params + 0.5
        with pytest.raises(ist.errors.NotStationary, match="be at the minimum of the check loss"):
            ist.from_statsmodels(results, smoothing=0.1)


def test_collinear_columns_are_told_when_a_question_needs_the_inverse():
    X = np.column_stack([DATA.X, DATA.X[:, 1] + DATA.X[:, 2]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularMatrixWarning)  # statsmodels says it too, from 0.15 on
        results = sm.OLS(DATA.normal, X).fit()
    fit = ist.from_statsmodels(results)
    with pytest.warns(DoubtfulResult, match="x1, x2, x4 are not determined"):
        values = fit.influence().on_theta().values
    plain = ist.from_statsmodels(sm.OLS(DATA.normal, DATA.X).fit())
    assert np.isnan(values[:, [1, 2, 4]]).all()
    assert_allclose(values[:, [0, 3]], plain.influence().on_theta().values[:, [0, 3]], rtol=TWO_FITS)
    assert_allclose(
        fit.influence().on_prediction(X[:3]).values,
        plain.influence().on_prediction(DATA.X[:3]).values,
        rtol=TWO_FITS,
    )


def test_polishing_finishes_a_fit():
    probit = sm.families.Binomial(sm.families.links.Probit())
    results = sm.GLM((DATA.normal > 0).astype(float), DATA.X, family=probit).fit()
    rough, polished = ist.from_statsmodels(results), ist.from_statsmodels(results, polish=True)
    assert rough.stationarity > 1e-10 > polished.stationarity
    assert_allclose(polished.theta, results.params, rtol=1e-4)
    assert_allclose(rough.theta, results.params, rtol=0)


def test_robust_covariances_change_nothing():
    plain, robust = (
        ist.from_statsmodels(sm.OLS(DATA.normal, DATA.X).fit(cov_type=kind)) for kind in ("nonrobust", "HC3")
    )
    assert_allclose(plain.influence().on_theta().values, robust.influence().on_theta().values)
