"""What a scikit-learn estimator has kept beside its coefficients is what the rows give, or it is refused."""

import copy
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LassoLars,
    LassoLarsCV,
    LassoLarsIC,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeClassifierCV,
    RidgeCV,
    SGDRegressor,
)
from sklearn.model_selection import KFold
from sklearn.svm import SVC

import influstat as ist
from influstat.errors import NotStationary

RNG = np.random.default_rng(7)
N = 40
X = RNG.normal(size=(N, 3)) * [1.0, 20.0, 0.1] + [0.0, 300.0, 5.0]
Y = (X - X.mean(axis=0)) / X.std(axis=0) @ [1.0, 2.0, -0.5] + RNG.normal(size=N) + 3.0
WEIGHTS = RNG.uniform(0.2, 5.0, N)
TIGHT = {"tol": 1e-12, "max_iter": 100_000}

KEPT = {  # the estimator, what it has kept, and what it is called
    "LinearRegression": (LinearRegression(), "singular_", "singular values"),
    "LinearRegression through 0": (LinearRegression(fit_intercept=False), "singular_", "singular values"),
    "RidgeCV": (RidgeCV([0.1, 1.0, 10.0]), "best_score_", "score of leaving one out"),
    "RidgeClassifierCV": (RidgeClassifierCV([0.1, 1.0]), "best_score_", "score of leaving one out"),
    "BayesianRidge": (BayesianRidge(), "sigma_", "sum of the correlations of its posterior"),
    "BayesianRidge, scores": (BayesianRidge(compute_score=True), "scores_", "log marginal likelihood"),
    "LassoCV": (LassoCV(**TIGHT), "alphas_", "largest alpha"),
    "LassoCV, positive": (LassoCV(positive=True, **TIGHT), "alphas_", "largest alpha"),
    "ElasticNetCV": (ElasticNetCV(l1_ratio=[0.4, 0.9], **TIGHT), "alphas_", "largest alpha"),
    "LassoCV, errors": (LassoCV(alphas=[500.0, 0.05], **TIGHT), "mse_path_", "errors of its folds"),
    "LassoCV, gap": (LassoCV(**TIGHT), "dual_gap_", "duality gap"),
    "ElasticNetCV, errors": (
        ElasticNetCV(l1_ratio=[0.9, 0.4], cv=KFold(4, shuffle=True, random_state=3), **TIGHT),
        "mse_path_",
        "errors of its folds",
    ),
    "Lasso": (Lasso(0.05, **TIGHT), "dual_gap_", "duality gap"),
    "Lasso, positive": (Lasso(0.05, positive=True, **TIGHT), "dual_gap_", "duality gap"),
    "ElasticNet": (ElasticNet(0.05, l1_ratio=0.3, **TIGHT), "dual_gap_", "duality gap"),
    "LogisticRegressionCV": (
        LogisticRegressionCV(Cs=3, cv=4, max_iter=9999),
        "scores_",
        "accuracy of fold",
    ),
    "LassoLars": (LassoLars(alpha=0.05), "alphas_", "largest alpha"),
    "LassoLarsCV": (LassoLarsCV(), "alphas_", "largest alpha"),
    "LassoLarsIC": (LassoLarsIC(), "criterion_", "AIC"),
    "LassoLarsIC, BIC": (LassoLarsIC("bic"), "criterion_", "BIC"),
    "SVC": (SVC(kernel="linear"), "support_vectors_", "number of support vectors"),
    "SVC, rows": (SVC(kernel="linear"), "shape_fit_", "number of rows"),
    "SGDRegressor": (
        SGDRegressor(alpha=0.1, max_iter=3000, tol=1e-12, random_state=0),
        "t_",
        "number of rows",
    ),
}
WEIGHTED = (
    *("LinearRegression", "RidgeCV", "RidgeClassifierCV", "BayesianRidge"),
    *("Lasso", "ElasticNet", "LassoCV", "ElasticNetCV", "LogisticRegressionCV"),
)
CHANGED = {  # another value of what was kept; a thousandth more of all else
    "shape_fit_": lambda value: tuple(k + 1 for k in value),
    "dual_gap_": lambda value: value + 0.1,
    "scores_": lambda value: (
        {label: one - 0.1 for label, one in value.items()} if isinstance(value, dict) else 1.1 * value
    ),
}


def fitted(name, weighted=False):
    """Return the estimator, its targets and what else it takes on entry."""
    estimator = copy.deepcopy(KEPT[name][0])
    table = (X - X.mean(axis=0)) / X.std(axis=0) if name.startswith(("SVC", "SGD", "Logistic")) else X
    y = (np.median(Y) < Y).astype(int) if name.startswith(("SVC", "RidgeClass", "Logistic")) else Y
    options = {"sample_weight": WEIGHTS} if weighted else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of what LogisticRegressionCV will keep
        estimator.fit(table, y, **options)
    return estimator, table, y, options | ({"smoothing": 0.1} if name.startswith("SVC") else {})


CASES = [
    *[(name, False) for name in KEPT],
    *[(name, True) for name in KEPT if name.split(",")[0].split(" ")[0] in WEIGHTED],
]


@pytest.mark.parametrize(("name", "weighted"), CASES)
@pytest.mark.parametrize("polish", [False, True])
def test_another_number_than_the_rows_give_is_refused_by_its_name(name, weighted, polish):
    estimator, table, y, options = fitted(name, weighted)
    polish = polish or name == "SGDRegressor"  # whose tolerance is coarse
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.errors.DoubtfulResult)
        ist.from_sklearn(estimator, table, y, polish=polish, **options)
    _, attribute, called = KEPT[name]
    change = CHANGED.get(attribute, lambda value: 1.001 * np.asarray(value))
    setattr(estimator, attribute, change(getattr(estimator, attribute)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a refusal is enough
        with pytest.raises(
            NotStationary, match=f"say the .*{called}.* that the rows given give, but it says"
        ):
            ist.from_sklearn(estimator, table, y, polish=polish, **options)


@pytest.mark.parametrize(
    "name",
    [
        *("RidgeCV", "BayesianRidge, scores", "LassoLarsIC", "LassoLarsIC, BIC"),
        *("LassoCV", "ElasticNetCV, errors"),
    ],
)
@pytest.mark.parametrize("polish", [False, True])
def test_other_targets_with_the_same_minimum_are_refused(name, polish):
    rng = np.random.default_rng(727)
    estimator, table, y, _ = fitted(name)
    design = np.column_stack([np.ones(N), table])
    noise = rng.normal(size=N)
    other = y + noise - design @ np.linalg.lstsq(design, noise, rcond=None)[0]
    with pytest.raises(NotStationary, match="that the rows given give"):
        ist.from_sklearn(estimator, table, other, polish=polish)


@pytest.mark.parametrize("name", ["Lasso", "Lasso, positive", "ElasticNet", "LassoCV", "ElasticNetCV"])
def test_polishing_does_not_hide_forgotten_weights_or_other_settings_of_a_lasso(name):
    estimator, table, y, _ = fitted(name, weighted=True)
    with pytest.raises(NotStationary, match="duality gap|largest alpha"):
        ist.from_sklearn(estimator, table, y, polish=True)
    estimator, table, y, _ = fitted(name)
    setattr(estimator, "alpha_" if hasattr(estimator, "alpha_") else "alpha", 0.5)
    with pytest.raises(NotStationary, match="duality gap .* leave its settings as they were"):
        ist.from_sklearn(estimator, table, y, polish=True)


def test_folds_that_are_drawn_anew_are_not_compared():
    estimator = LassoCV(cv=KFold(4, shuffle=True), **TIGHT).fit(X, Y)
    estimator.mse_path_ = 2.0 * estimator.mse_path_
    ist.from_sklearn(estimator, X, Y)


@pytest.mark.parametrize("polish", [False, True])
def test_half_of_the_rows_is_refused_where_it_has_the_same_minimum(polish):
    twice = LinearRegression().fit(np.vstack([X, X]), np.tile(Y, 2))
    with pytest.raises(NotStationary, match="singular values"):
        ist.from_sklearn(twice, X, Y, polish=polish)
    ist.from_sklearn(twice, X, Y, sample_weight=np.full(N, 2.0), polish=polish)  # the same fit


def test_sparse_rows_and_single_precision_pass():
    table = (X - X.mean(axis=0)) / X.std(axis=0)
    labels = (np.median(Y) < Y).astype(int)
    for rows in (sp.csr_matrix(table), table.astype(np.float32)):
        ist.from_sklearn(SVC(kernel="linear").fit(rows, labels), rows, labels, smoothing=0.1)
        ist.from_sklearn(RidgeCV([0.1, 1.0]).fit(rows, Y), rows, Y, polish=True)
        ist.from_sklearn(LinearRegression().fit(rows, Y), rows, Y, polish=True)
        ist.from_sklearn(LassoCV(tol=1e-6).fit(rows, Y), rows, Y, polish=True)


def test_what_is_given_is_not_of_the_rows():
    """Alphas and a variance that the caller chose, other scores, jitter: nothing of it is compared."""
    for estimator in (
        LassoCV(alphas=[0.01, 0.1], **TIGHT),
        RidgeCV([0.1, 1.0], cv=3),
        RidgeCV([0.1, 1.0], scoring="r2"),
        LassoLarsIC(noise_variance=2.0),
        LassoLars(alpha=0.05, jitter=1e-3, random_state=0),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ist.errors.DoubtfulResult)
            ist.from_sklearn(estimator.fit(X, Y), X, Y, polish=True)


@pytest.mark.parametrize("name", KEPT)
def test_targets_of_pandas_are_those_of_arrays(name):
    import pandas as pd

    estimator, table, y, options = fitted(name)
    series = pd.Series(y, index=[f"row {i}" for i in range(len(y))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.errors.DoubtfulResult)
        fits = [ist.from_sklearn(estimator, table, one, polish=True, **options) for one in (y, series)]
    np.testing.assert_array_equal(fits[0].theta, fits[1].theta)


def test_a_path_of_which_the_end_alone_is_kept_passes():
    ist.from_sklearn(LassoLars(alpha=0.05, fit_path=False).fit(X, Y), X, Y)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_support_vectors_pass_where_rows_have_no_weight(form):
    table = form((X - X.mean(axis=0)) / X.std(axis=0))
    labels, weights = (np.median(Y) < Y).astype(int), np.where(np.arange(N) % 5 == 0, 0.0, WEIGHTS)
    estimator = SVC(kernel="linear").fit(table, labels, sample_weight=weights)
    ist.from_sklearn(estimator, table, labels, sample_weight=weights, smoothing=0.1)
    with pytest.raises(NotStationary, match="number of support vectors"):
        ist.from_sklearn(estimator, table[::-1], labels[::-1], sample_weight=weights[::-1], smoothing=0.1)


def test_a_criterion_that_is_rounding_is_not_compared():
    perfect, constant = X @ [1.0, 2.0, -0.5] + 3.0, np.ones(N)
    ist.from_sklearn(LassoLarsIC().fit(X, perfect), X, perfect)
    with np.errstate(divide="ignore", invalid="ignore"):  # scikit-learn's own, of a variance that is 0
        estimator = LassoLarsIC().fit(X, constant)
    assert estimator.noise_variance_ == 0.0
    ist.from_sklearn(estimator, X, constant)


def test_steps_of_batches_are_no_passes():
    """Batches of any rows, as `partial_fit` takes them, pass; half of the rows of a fit do not."""
    table, rng = (X - X.mean(axis=0)) / X.std(axis=0), np.random.default_rng(1)
    online = SGDRegressor(alpha=0.1, eta0=0.05, random_state=0)
    for _ in range(300):
        batch = rng.integers(0, N, 7)
        online.partial_fit(table[batch], Y[batch])
    twice = SGDRegressor(alpha=0.1, max_iter=300, tol=1e-12, random_state=0)
    twice.fit(np.vstack([table, table]), np.tile(Y, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.errors.DoubtfulResult)
        ist.from_sklearn(online, table, Y, polish=True)
        with pytest.raises(NotStationary, match="number of rows"):
            ist.from_sklearn(twice, table, Y, polish=True)


def test_a_class_that_no_row_has_is_refused():
    rng = np.random.default_rng(726)
    y = np.arange(N) % 3
    table = rng.normal(size=(N, 2))
    estimator = LogisticRegression(tol=1e-10).fit(table, y)
    with pytest.raises(NotStationary, match="knows the class 2, which no row has"):
        ist.from_sklearn(estimator, table, np.minimum(y, 1))
    two = LogisticRegression(tol=1e-10).fit(table, y > 0)
    with pytest.raises(NotStationary, match="knows the class False, which no row has"):
        ist.from_sklearn(two, table, np.ones(N, dtype=bool), polish=True)


@pytest.mark.parametrize(
    "estimator", [LinearRegression(), Ridge(1.0), Ridge(1.0, solver="svd"), BayesianRidge()]
)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_polishing_does_not_hide_a_small_change_of_one_target_of_a_closed_form(estimator, weights):
    estimator = copy.deepcopy(estimator).fit(X, Y, sample_weight=weights)
    ist.from_sklearn(estimator, X, Y, sample_weight=weights, polish=True)
    other = Y + 0.1 * (np.arange(N) == 7)
    with pytest.raises(NotStationary, match="closed form: polish=True would hide that"):
        ist.from_sklearn(estimator, X, other, sample_weight=weights, polish=True)


def tables(seed):
    """Return tables whose columns have other units, are far from 0, or hardly differ, and targets."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(12, 3)) * 10.0 ** rng.uniform(-4, 4, 3)
    far = rows + rng.choice([1, 100, 1e5]) * rng.normal(size=3)
    alike = np.column_stack([rows, rows[:, 0] * (1.0 + 1e-6 * rng.normal(size=12))])
    years = (rng.integers(1950, 2020, 12) + 0.0)[:, None] ** [1, 2, 3]
    return (rows, far, alike, years), rng.normal(size=12) + rows[:, 0] / np.abs(rows[:, 0]).max()


CLOSED_FORMS = (LinearRegression(), Ridge(1e-3), RidgeCV([1e-4, 1.0]), BayesianRidge(compute_score=True))


@pytest.mark.parametrize("seed", [0, 9])  # 9: the score of RidgeCV is 1e-5 off in scikit-learn
@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_rounding_is_no_other_fit(seed, precision):
    all_of, y = tables(seed)
    for table in all_of:
        for estimator in CLOSED_FORMS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the condition, and how far polishing moved it
                rows = table.astype(precision)
                ist.from_sklearn(copy.deepcopy(estimator).fit(rows, y), rows, y, polish=True)


@pytest.mark.filterwarnings("ignore:With alpha=0:UserWarning")
@pytest.mark.filterwarnings("ignore:Coordinate descent with:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_lasso_without_a_penalty_is_least_squares():
    lasso, plain = Lasso(alpha=0.0, **TIGHT).fit(X, Y), LinearRegression().fit(X, Y)
    found, expected = (ist.from_sklearn(one, X, Y).leave_one_out().theta for one in (lasso, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_splitter_that_draws_its_folds_anew_says_nothing():
    class Drawn:
        def get_n_splits(self, X=None, y=None, groups=None):
            return 4

        def split(self, X, y=None, groups=None):
            for test in np.array_split(np.random.default_rng().permutation(N), 4):
                yield np.setdiff1d(np.arange(N), test), test

    assert ist.from_sklearn(LassoCV(cv=Drawn(), **TIGHT).fit(X, Y), X, Y).names
