"""Scores of folds: those of scikit-learn's own cross-validation on the same splits."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, RidgeClassifier
from sklearn.metrics import (
    fbeta_score,
    get_scorer_names,
    make_scorer,
    max_error,
    mean_absolute_error,
    mean_tweedie_deviance,
    roc_auc_score,
)
from sklearn.model_selection import KFold, LeaveOneOut, StratifiedKFold, cross_val_score
from sklearn.svm import LinearSVC

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType, MissingDependency, Unsupported
from influstat.removal.scoring import SHORT

RNG = np.random.default_rng(6)
X = RNG.normal(size=(40, 3))
ETA = X @ [1.0, -0.5, 0.3]
Y = ETA + RNG.normal(size=40)
CLASSES = np.where(ETA + RNG.logistic(size=40) > 0, "yes", "no")
COUNTS = RNG.poisson(np.exp(0.4 * ETA))
EQUAL = 1e-8  # both are refits of the same folds to their own tolerance, here tight
KFOLDS = KFold(4, shuffle=True, random_state=0)
STRATIFIED = StratifiedKFold(4, shuffle=True, random_state=0)
TIGHT = {"tol": 1e-12, "max_iter": 10_000}
REGRESSION = ["r2", "neg_mean_squared_error", "neg_mean_absolute_error", "neg_root_mean_squared_error",
              "explained_variance", "neg_median_absolute_error"]  # fmt: skip
DECISIONS = ["accuracy", "roc_auc", "balanced_accuracy", "matthews_corrcoef", "f1_macro"]
ESTIMATORS = {
    "Ridge": (Ridge(alpha=2.0), Y, KFOLDS, REGRESSION),
    "Poisson": (PoissonRegressor(alpha=0.1, **TIGHT), COUNTS, KFOLDS, ["neg_mean_poisson_deviance", "r2"]),
    "logistic": (LogisticRegression(C=2.0, **TIGHT), CLASSES, STRATIFIED, [*DECISIONS, "neg_log_loss"]),
    "ridge classifier": (RidgeClassifier(), CLASSES, STRATIFIED, DECISIONS[:4]),
    "squared hinge": (LinearSVC(C=0.5, **TIGHT), CLASSES, STRATIFIED, ["accuracy", "roc_auc"]),
}
OWN_SCORERS = {
    "Ridge": [make_scorer(mean_tweedie_deviance, power=0), make_scorer(max_error, greater_is_better=False)],
    "logistic": [
        make_scorer(fbeta_score, beta=2.0, pos_label="yes"),
        make_scorer(roc_auc_score, response_method="predict_proba"),
    ],
}
PAIRS = [(name, scoring) for name, (*_, names) in ESTIMATORS.items() for scoring in names]


@pytest.mark.dear
@pytest.mark.parametrize(("name", "scoring"), PAIRS)
def test_scores_are_those_of_cross_val_score(name, scoring):
    estimator, y, splitter, _ = ESTIMATORS[name]
    fit = ist.from_sklearn(estimator.fit(X, y), X, y)
    splits = list(splitter.split(X, y))
    result = ist.cross_validate(fit, splits, scoring=scoring)
    theirs = cross_val_score(estimator, X, y, cv=splits, scoring=scoring)
    np.testing.assert_allclose(result.scores, theirs, rtol=EQUAL, atol=EQUAL)
    assert result.score_mean == pytest.approx(theirs.mean(), rel=EQUAL, abs=EQUAL)
    assert result.score_std == pytest.approx(theirs.std(), rel=EQUAL, abs=EQUAL)
    assert result.scoring == scoring
    assert result.status == ("",) * 4


@pytest.mark.parametrize("name", ["Ridge", "logistic"])
def test_a_scorer_of_ones_own_is_asked_as_in_cross_val_score(name):
    estimator, y, splitter, _ = ESTIMATORS[name]
    splits = list(splitter.split(X, y))
    for scorer in OWN_SCORERS[name]:
        result = ist.cross_validate(ist.from_sklearn(estimator.fit(X, y), X, y), splits, scoring=scorer)
        theirs = cross_val_score(estimator, X, y, cv=splits, scoring=scorer)
        np.testing.assert_allclose(result.scores, theirs, rtol=EQUAL, atol=EQUAL)
        assert result.scoring == scorer._score_func.__name__


def test_a_model_of_the_paper_is_scored_by_its_own_labels():
    labels = np.where(CLASSES == "yes", 1, -1)
    fit = ist.Logistic(lam=1.0, labels=(-1, 1), protocol="fixed").fit(X, labels)
    splits = list(STRATIFIED.split(X, labels))
    estimator = LogisticRegression(C=0.5, fit_intercept=False, **TIGHT)
    for scoring in ("f1", "neg_log_loss", "neg_brier_score", "average_precision", "accuracy"):
        theirs = cross_val_score(estimator, X, labels, cv=splits, scoring=scoring)
        found = ist.cross_validate(fit, splits, scoring=scoring).scores
        np.testing.assert_allclose(found, theirs, rtol=EQUAL, atol=EQUAL)


def test_every_row_alone():
    fit = ist.from_sklearn(Ridge().fit(X, Y), X, Y)
    found = ist.cross_validate(fit, scoring="neg_mean_absolute_error")
    theirs = cross_val_score(Ridge(), X, Y, cv=LeaveOneOut(), scoring="neg_mean_absolute_error")
    np.testing.assert_allclose(found.scores, theirs, rtol=EQUAL)
    assert f"neg_mean_absolute_error {theirs.mean():.6g} (standard deviation " in str(found)


def test_a_function_of_targets_and_predictions():
    means = ist.from_sklearn(PoissonRegressor(alpha=0.1, **TIGHT).fit(X, COUNTS), X, COUNTS)
    centres = ist.Fit.minimise(ist.LinearRisk(ist.HuberLoss(1.0), X, Y))
    splits = list(KFOLDS.split(X))
    for fit, y in ((means, COUNTS), (centres, Y)):
        found = ist.cross_validate(fit, splits, scoring=mean_absolute_error)
        for score, (_, rows) in zip(found.scores, splits, strict=True):
            eta = found.linear_predictor[rows]
            truth = np.mean(np.abs(y[rows] - (np.exp(eta) if fit is means else eta)))
            assert score == pytest.approx(truth, rel=EQUAL)
        assert found.scoring == "mean_absolute_error"
    assert ist.cross_validate(means, splits).scores is None
    assert np.isnan(ist.cross_validate(means, splits).score_mean)
    assert np.isnan(ist.cross_validate(means, splits).score_std)


def test_the_table_has_the_scores():
    fit = ist.Ridge(lam=1.0).fit(pd.DataFrame(X), Y)
    folds = np.repeat(list("abcd"), 10)
    frame = ist.cross_validate(fit, folds, scoring="r2").to_frame()
    assert frame.columns.tolist() == ["rows", "loss", "score", "status"]
    assert frame.index.tolist() == list("abcd")
    assert ist.cross_validate(fit, folds).top(1).index.tolist() == [frame["loss"].idxmax()]


def test_linear_predictors_are_those_of_the_losses():
    for method in ("exact", "newton"):
        for folds in (None, np.arange(40) % 5):
            for fit in (ist.Ridge(lam=1.0).fit(X, Y, offset=Y / 7), ist.from_sklearn(
                LogisticRegression(**TIGHT).fit(X, CLASSES), X, CLASSES)):  # fmt: skip
                found = ist.cross_validate(fit, folds, method=method)
                losses = fit.risk.loss.value(fit.risk.y, found.linear_predictor)
                np.testing.assert_array_equal(losses, found.row_losses)


# -- what has no score --------------------------------------------------------------------------------------

LOGISTIC = ist.Logistic(lam=1.0).fit(X, CLASSES == "yes")
RIDGE = ist.Ridge(lam=1.0).fit(X, Y)
SVC = ist.SmoothedSVC(lam=1.0, t=0.1).fit(X, np.where(CLASSES == "yes", 1, -1))
REFUSED = [
    (RIDGE, "R2", InvalidArgument, "scoring must name .* is 'R2'; the nearest are 'r2'"),
    (RIDGE, "rmse", InvalidArgument, ".*the nearest are 'neg_root_mean_squared_error'"),
    (RIDGE, "neg_MSE", InvalidArgument, ".*the nearest are 'neg_mean_squared_error'"),
    (RIDGE, "mae", InvalidArgument, ".*the nearest are 'neg_mean_absolute_error'"),
    (RIDGE, "log-loss", InvalidArgument, ".*the nearest are 'neg_log_loss'"),
    (RIDGE, "AUC", InvalidArgument, ".*the nearest are 'roc_auc'"),
    (RIDGE, "neg_mean_square_error", InvalidArgument, ".*the nearest are 'neg_mean_squared_error'"),
    (RIDGE, 3, InvalidType, "scoring must be a scorer's name or a function, but it is 3"),
    (RIDGE, "accuracy", Unsupported, "scoring must suit the fit and its folds, but it is accuracy: "),
    (RIDGE, "neg_log_loss", Unsupported, "scoring must suit the fit and its folds"),
    (SVC, "neg_log_loss", Unsupported, "scoring must suit the fit .*predict_proba"),
    (RIDGE, lambda y, predicted: "good", InvalidType, "scoring must return a number, but it returns 'good'"),
    (RIDGE, lambda y, predicted: np.nan, Unsupported, "scoring must suit .* it is nan"),
    (LOGISTIC, "roc_auc", Unsupported, "scoring must suit the fit and its folds, .* larger folds"),
]


@pytest.mark.parametrize(("fit", "scoring", "error", "sentence"), REFUSED)
def test_what_cannot_be_scored_is_refused(fit, scoring, error, sentence):
    folds = None if scoring == "roc_auc" else np.arange(40) % 4  # one row has no ranking
    with pytest.raises(error, match=f"^{sentence}"):
        ist.cross_validate(fit, folds, scoring=scoring)


def test_one_fold_without_a_score_is_announced():
    folds = np.where(CLASSES == "yes", np.arange(40) % 3, 3)  # the last of one class only
    folds[np.flatnonzero(CLASSES == "no")[:8]] = np.arange(8) % 3
    with pytest.warns(DoubtfulResult, match="^1 of 4 folds have no score .* The first: roc_auc: "):
        result = ist.cross_validate(LOGISTIC, folds, scoring="roc_auc")
    assert np.isnan(result.scores).tolist() == [False, False, False, True]
    assert result.status[:3] == ("",) * 3
    assert result.status[3]


@pytest.mark.filterwarnings("ignore:1 of 4 folds hold rows that nothing predicts")
def test_a_fold_without_a_refit_has_no_score():
    alone = np.column_stack([X, np.arange(40) == 2])
    fit = ist.Ridge(lam=0.0).fit(alone, Y)
    with pytest.warns(DoubtfulResult, match="1 of 4 folds have no score .* no prediction"):
        result = ist.cross_validate(fit, np.arange(40) % 4, scoring="r2")
    assert np.isnan(result.scores).tolist() == [False, False, True, False]


def test_errors_of_a_callers_function_are_its_own():
    def broken(y, predicted):
        raise ZeroDivisionError("of mine")

    with pytest.raises(ZeroDivisionError, match="of mine"):
        ist.cross_validate(RIDGE, np.arange(40) % 4, scoring=broken)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(
        MissingDependency, match=r"pip install 'influstat\[experiments\]', or pass a function"
    ):
        ist.cross_validate(RIDGE, scoring="r2")


def test_short_names_stand_for_scorers_that_exist():
    assert set(SHORT.values()) <= set(get_scorer_names())
