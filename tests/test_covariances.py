"""Covariances for leverage, time and clusters: R's figures, refits without rows, and what is refused."""

import pickle

import numpy as np
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.statistics.inference_table import QUANTITIES
from tests.cases import LOSSES, make_problem
from tests.reference import derivative
from tests.tolerance import CLOSED_FORM, INVERTED, SLOPES, STANDARD_ERRORS, TWO_FITS

# Roots of the diagonals (two-way: the diagonals) of R 4's sandwich and clubSandwich for
# stack.loss ~ Air.Flow + Water.Temp + Acid.Conc. of its `stackloss`, weights 1 + (1:21) %% 3,
# clusters (0:20) %/% 3 and (0:20) %% 5: vcovHC, NeweyWest(lag=2, prewhite=FALSE), with adjust=TRUE,
# kernHAC("Parzen", bw=3), vcovCL(type="HC1"), vcovCL(type="HC0", cadjust=FALSE), vcovCL by both, vcovCR.
R = {
    "lm": {
        "HC4": [8.67068247509, 0.195616258715, 0.53898364151, 0.115088759707],
        "HC4m": [9.66299557344, 0.226674620987, 0.619509966692, 0.129140160843],
        "HC5": [7.3740467038, 0.176045994012, 0.489637547846, 0.0987907318498],
        "HAC": [8.09464181493, 0.160880840096, 0.48340852395, 0.105895617544],
        "HAC, corrected": [8.99669137992, 0.178809056704, 0.537278535584, 0.117696398594],
        "HAC, parzen": [7.54559987462, 0.155816033486, 0.475408179596, 0.098138076585],
        "cluster": [9.27753019595, 0.197906162219, 0.56827930986, 0.120036566375],
        "cluster, uncorrected": [7.9189653846, 0.168925566924, 0.485062736366, 0.102458886571],
        "two-way": [49.3623946106, 0.0195416125813, 0.239615540184, 0.00883809042427],
        "CR2": [11.5830410825, 0.239313605065, 0.635315542597, 0.150597641257],
    },
    "wls": {
        "HC4": [10.7218740377, 0.157668892257, 0.407587483252, 0.13693378511],
        "HC4m": [10.2996440756, 0.17067256033, 0.442190321619, 0.134748680848],
        "HC5": [7.30395181435, 0.140400980449, 0.385017014264, 0.0954533702113],
        "HAC": [6.40469457747, 0.130330765262, 0.397652959494, 0.0816840220963],
        "HAC, corrected": [7.11842003804, 0.144854546894, 0.441966554503, 0.0907867147519],
        "HAC, parzen": [6.0553736953, 0.124307197373, 0.392708083976, 0.0768761933366],
        "cluster": [7.40147524315, 0.156542807518, 0.481082064346, 0.0924068919849],
        "cluster, uncorrected": [6.31763249567, 0.133619298214, 0.410634310452, 0.0788751923703],
        "two-way": [26.3675729004, 0.00760834119265, 0.160020609198, 0.00502684660453],
        "CR2": [10.1138356938, 0.189871879246, 0.535576472817, 0.128380238665],
    },
    "poisson": {
        "HC4": [0.647208827598, 0.00914298376475, 0.0291927812604, 0.00863042147087],
        "HC4m": [0.725093111804, 0.0101607022006, 0.0325607367456, 0.00969352820936],
        "HC5": [0.576857558408, 0.00807098940248, 0.0260325811385, 0.00743663985134],
        "HAC": [0.601393401389, 0.00738571690998, 0.0254175334864, 0.00703940829415],
        "HAC, corrected": [0.66841139533, 0.00820876540033, 0.0282500090361, 0.0078238648933],
        "HAC, parzen": [0.59147661823, 0.00710317575631, 0.0251413986723, 0.00717136813695],
        "cluster": [0.693205562324, 0.00856907519856, 0.0315031711183, 0.00761038675697],
        "cluster, uncorrected": [0.591695282743, 0.00731425373372, 0.0268899713956, 0.00649595183406],
        "two-way": [0.652959338495, 3.87305534466e-05, 0.000846562984626, 8.94723179113e-05],
        "CR2": [0.830284065717, 0.00968326770595, 0.0341391123379, 0.00956914582921],
    },
    "gammalog": {
        "HC4": [0.619059651778, 0.00863428135132, 0.025918672838, 0.00789020151159],
        "HC4m": [0.678880674603, 0.00984225012673, 0.0290595071734, 0.0087096413428],
        "HC5": [0.525307216395, 0.00788013256577, 0.0240951106927, 0.00671919241668],
        "HAC": [0.504326722174, 0.00784089100499, 0.0252996720262, 0.00569560184903],
        "HAC, corrected": [0.560527813062, 0.00871466312262, 0.028119013347, 0.00633030753308],
        "HAC, parzen": [0.50812067702, 0.00755507325095, 0.0248335263355, 0.0060422397417],
        "cluster": [0.579576412729, 0.00902465777171, 0.0319743744917, 0.00545723909827],
        "cluster, uncorrected": [0.494705536193, 0.00770312259757, 0.0272921736115, 0.00465810259864],
        "two-way": [0.532460123689, 4.86677422605e-05, 0.000880701748922, 7.59125569909e-05],
        "CR2": [0.742111029242, 0.0105113648442, 0.0354451760179, 0.00745329520084],
    },
}
DATA = sm.datasets.stackloss.load_pandas()
X, Y = sm.add_constant(DATA.exog), DATA.endog
ROWS = np.arange(21)
CLUSTERS, OTHERS = ROWS // 3, ROWS % 5
KINDS = {
    "HC4": ("HC4", {}),
    "HC4m": ("HC4m", {}),
    "HC5": ("HC5", {}),
    "HAC": ("HAC", {"lags": 2}),
    "HAC, corrected": ("HAC", {"lags": 2, "correction": True}),
    "HAC, parzen": ("HAC", {"lags": 2, "kernel": "parzen"}),
    "cluster": ("cluster", {"groups": CLUSTERS}),
    "cluster, uncorrected": ("cluster", {"groups": CLUSTERS, "correction": False}),
    "two-way": ("cluster", {"groups": np.c_[CLUSTERS, OTHERS]}),
    "CR2": ("CR2", {"groups": CLUSTERS}),
}


def results_of(model, rows=ROWS):
    tight = {"tol": 1e-14, "tol_criterion": "params", "maxiter": 200}
    y, x, w = Y.iloc[rows], X.iloc[rows], (1.0 + (ROWS[rows] + 1) % 3)
    if model == "lm":
        return sm.OLS(y, x).fit()
    if model == "wls":
        return sm.WLS(y, x, weights=w).fit()
    family = {"poisson": sm.families.Poisson(), "gammalog": sm.families.Gamma(sm.families.links.Log())}
    return sm.GLM(y, x, family=family[model]).fit(**tight)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("model", R)
def test_covariances_are_those_of_r(model, name):
    kind, settings = KINDS[name]
    fit = ist.from_statsmodels(results_of(model))
    found = np.diag(fit.covariance(kind, information="expected", **settings))
    truth = np.array(R[model][name])
    # R prints 12 digits, and its glm stops a little short of them
    np.testing.assert_allclose(found if name == "two-way" else np.sqrt(found), truth, rtol=STANDARD_ERRORS)


@pytest.mark.parametrize("name", [name for name in KINDS if "HAC" not in name])
@pytest.mark.parametrize("model", ["lm", "gammalog"])
def test_without_a_row_it_is_that_of_the_refit(model, name):
    kind, settings = KINDS[name]
    fit = ist.from_statsmodels(results_of(model))
    found = fit.inference(kind, **settings)
    changes = found.leave_one_out(rows=[3, 20])
    for k, row in enumerate((3, 20)):
        left = np.delete(ROWS, row)
        own = {key: value[left] if key == "groups" else value for key, value in settings.items()}
        refit = ist.from_statsmodels(results_of(model, left)).inference(kind, **own).table
        for quantity in QUANTITIES:
            before, change = getattr(found.table, quantity), getattr(changes, quantity)[k]
            np.testing.assert_allclose(
                before + change, getattr(refit, quantity), rtol=STANDARD_ERRORS, atol=TWO_FITS
            )


def test_a_row_left_out_of_a_time_series_keeps_its_place():
    fit = ist.from_statsmodels(results_of("lm"))
    change = fit.inference("HAC", lags=2).leave_one_out(rows=[7]).standard_errors[0]
    left = np.delete(ROWS, 7)
    refit = results_of("lm", left)
    scores = np.zeros((21, 4))
    scores[left] = refit.resid.to_numpy()[:, None] * X.to_numpy()[left]
    middle = scores.T @ scores
    for lag, weight in ((1, 2.0 / 3.0), (2, 1.0 / 3.0)):
        product = scores[lag:].T @ scores[:-lag]
        middle += weight * (product + product.T)
    bread = np.asarray(refit.normalized_cov_params)
    after = np.sqrt(np.diag(bread @ middle @ bread))
    before = fit.inference("HAC", lags=2).table.standard_errors
    np.testing.assert_allclose(before + change, after, rtol=TWO_FITS)


@pytest.mark.parametrize("case", LOSSES[:2], ids=str)
def test_derivatives_of_two_way_clusters(case):
    problem = make_problem(case, 40, 2, 3, weights="positive", strength=0.5, intercept=True)
    groups = np.c_[np.arange(40) % 9, np.arange(40) // 4]
    fit = ist.Fit.minimise(problem.risk())
    found = fit.inference("cluster", groups=groups, use_t=False).derivative().standard_errors[7]
    unit = np.eye(40)[7]

    def errors(e):
        """Return the standard errors at case weight 1 + e, by the definition of each part."""
        plain = problem.plain()
        risk = plain.reweighted(plain.weights * (1.0 + e * unit))
        theta = risk.minimiser()
        total = risk.weights.sum()
        inverse = np.linalg.inv(total * risk.hessian(theta))
        edf = len(theta) - np.trace(inverse @ np.diag(risk.kappa * risk.D))
        count = 40.0 + e
        both = np.unique(groups, axis=0, return_inverse=True)[1].ravel()
        value = 0.0
        scores = risk.weights[:, None] * risk.row_gradients(theta)
        for sign, codes in ((1, groups[:, 0]), (1, groups[:, 1]), (-1, both)):
            sums = np.array([scores[codes == c].sum(axis=0) for c in np.unique(codes)])
            k = len(sums)
            value = value + sign * k / (k - 1) * (count - 1) / (count - edf) * sums.T @ sums
        return np.sqrt(np.diag(inverse @ value @ inverse))

    np.testing.assert_allclose(found, derivative(errors, 1e-3), rtol=SLOPES, atol=TWO_FITS)


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC3", "model"])
def test_derivatives_by_the_expected_information(kind):
    fit = ist.from_statsmodels(results_of("gammalog"))
    settings = {"information": "expected", "frequency": True, "use_t": True}
    found = fit.inference(kind, **settings).derivative()
    unit = np.eye(21)[3]

    def table(e):
        """Return the inference at case weight 1 + e, which as a count multiplies the row everywhere."""
        moved = ist.Fit.minimise(fit.risk.reweighted(1.0 + e * unit), start=fit.theta)
        values = moved.inference(kind, **settings).table
        return np.array([getattr(values, name) for name in QUANTITIES])

    truth = derivative(table, 1e-3)
    for name, one in zip(QUANTITIES, truth, strict=True):
        np.testing.assert_allclose(getattr(found, name)[3], one, rtol=SLOPES, atol=TWO_FITS, err_msg=name)


# -- what is refused ---------------------------------------------------------------------------------------


def small(**arguments):
    return ist.Ridge(lam=0.0, protocol="fixed").fit([[1.0], [2.0], [3.0]], [1.0, 3.0, 2.0], **arguments)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"kind": "HC0", "lags": 1}, "lags must be left out for 'HC0'"),
        ({"kind": "HC0", "kernel": "parzen"}, "kernel must be left out for 'HC0'"),
        ({"kind": "HC0", "correction": True}, "correction must be left out for 'HC0'"),
        ({"kind": "jackknife", "information": "expected"}, "information must be left out for 'jackknife'"),
        ({"kind": "model", "information": "none"}, "information must be 'observed' or 'expected'"),
        ({"kind": "HAC", "lags": 3}, "lags must be below the number of rows in time .3."),
        ({"kind": "HAC", "lags": -1}, "lags must be"),
        ({"kind": "HAC", "kernel": "box"}, "kernel must be 'bartlett'"),
        ({"kind": "HAC", "correction": "clusters"}, "correction must be True or False, but"),
        ({"kind": "panel HAC", "groups": [1, 1, 2], "lags": 2}, "lags must be below .* in time .2."),
        ({"kind": "panel HAC", "groups": [1, 1, 2], "correction": "both"}, "or 'clusters', but"),
        ({"kind": "panel HAC"}, "Pass the series of each row"),
        (
            {"kind": "panel HAC", "groups": [1, 2, 1]},
            "one after the other, .* 2 series in 3 pieces",
        ),
        ({"kind": "Driscoll-Kraay"}, "Pass the period, a whole number, of each row"),
        ({"kind": "Driscoll-Kraay", "groups": [4, 4, 4]}, "groups must hold at least 2 clusters"),
        ({"kind": "Driscoll-Kraay", "groups": list("abc")}, "groups must number the periods .* holds 'a'"),
        ({"kind": "Driscoll-Kraay", "groups": [1.0, 1.5, 2.0]}, "groups must number the periods"),
        ({"kind": "Driscoll-Kraay", "groups": [1, 1, 2], "lags": 2}, "lags must be below .* in time .2."),
        ({"kind": "HC0", "dispersion": "junk"}, "dispersion must be"),
        ({"kind": "CR2", "groups": [[1, 2], [1, 3], [2, 2]]}, "groups must have one label per row"),
        ({"kind": "cluster", "groups": ["a", None, "b"]}, "groups must have no missing entries"),
    ],
)
def test_arguments_that_do_not_suit_the_kind_are_refused(arguments, sentence):
    with pytest.raises((ist.errors.InvalidArgument, ist.errors.InvalidType), match=sentence):
        small().covariance(**arguments)


@pytest.mark.parametrize(
    ("kind", "groups"),
    [
        *[(kind, None) for kind in ("HC4", "HC4m", "HC5", "HAC")],
        *[(kind, [0, 1, 1]) for kind in ("CR2", "panel HAC", "Driscoll-Kraay")],
    ],
)
def test_kinds_without_derivatives_say_so(kind, groups):
    with pytest.raises(ist.errors.Unsupported, match="kind must be one of model"):
        small().inference(kind, groups=groups).derivative()


@pytest.mark.filterwarnings("ignore:.* takes residuals of 0 for errors of 0")  # test_own_clusters
@pytest.mark.parametrize("kind", ["HC1", "cluster"])
def test_no_residual_degrees_of_freedom(kind):
    X = np.eye(3) + 1.0
    groups = [0, 1, 2] if kind == "cluster" else None
    fit = ist.Ridge(lam=0.0, protocol="fixed").fit(X, [1.0, 2.0, 4.0])
    with pytest.raises(ist.errors.InvalidArgument, match="where no residual degrees of freedom are left"):
        fit.covariance(kind, groups=groups)
    one_more = ist.Ridge(lam=0.0, protocol="fixed").fit(np.vstack([X, [3.0, 1.0, 4.0]]), [1.0, 2.0, 4.0, 3.0])
    groups = [0, 1, 2, 2] if kind == "cluster" else None
    for chosen, labels in ((kind, groups), ("model", None)):
        found = one_more.inference(chosen, groups=labels)
        with pytest.warns(ist.errors.DoubtfulResult, match="no inference without them"):
            status = found.leave_one_out().status
        assert all("degrees of freedom" in text for text in status)


def test_a_negative_variance_is_said():
    X = np.ones((4, 1))
    fit = ist.Ridge(lam=0.0, protocol="fixed").fit(X, [1.0, -1.0, -1.0, 1.0])
    found = fit.inference("cluster", groups=[[0, 0], [0, 1], [1, 0], [1, 1]])
    with pytest.warns(ist.errors.DoubtfulResult, match="variance of 'x0' comes out negative"):
        assert np.isnan(found.table.standard_errors).all()


def test_what_is_public_pickles():
    fit = ist.Logistic(lam=1.0).fit([[1.0, 2.0], [-1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [1, 0, 0, 1])
    for made in (
        ist.predicted_mean(fit, [[1.0, 2.0]]),
        ist.odds_ratio(fit),
        ist.contrast(fit, [1.0, 0.0]),
        ist.average_marginal_effect(fit),
        ist.average_marginal_effect(fit, X=[[1.0, 1.0], [2.0, 2.0]]),
        fit.inference(),
    ):
        back = pickle.loads(pickle.dumps(made))
        before, after = made.leave_one_out(), back.leave_one_out()
        for name in ("change", "standard_errors"):
            if hasattr(before, name):
                np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_dispersion_is_the_variance_of_y():
    x = sm.add_constant(np.arange(6.0))
    y = np.array([1.0, 3, 2, 5, 4, 6])
    truth = np.linalg.inv(x.T @ x)
    for results in (sm.OLS(y, x).fit(), sm.WLS(y, x).fit(), sm.GLM(y, x).fit()):
        fit = ist.from_statsmodels(results)
        np.testing.assert_allclose(fit.covariance(dispersion=1.0), truth, rtol=CLOSED_FORM)
        cook = fit.diagnostics(["cooks_d"], dispersion=1.0)["cooks_d"]
        np.testing.assert_allclose(
            cook, results.scale * fit.diagnostics(["cooks_d"])["cooks_d"], rtol=INVERTED
        )


def test_series_of_one_row_each_have_no_lags():
    rng = np.random.default_rng(2)
    X = np.column_stack([np.ones(20), rng.normal(size=20)])
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, rng.normal(size=20)))
    found = fit.covariance("panel HAC", groups=np.arange(20), correction=False)
    np.testing.assert_allclose(found, fit.covariance("HC0"), rtol=1e-12)
