"""Names, labels, weights and test rows: everything is asked and answered in the user's own terms."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

import influstat as ist
from influstat.errors import InvalidArgument
from tests.scikit_learn_versions import SOFTMAX, elastic
from tests.tolerance import CHANGES, CLOSED_FORM, TWO_FITS

RNG = np.random.default_rng(5)
N = 50
X = RNG.normal(size=(N, 3))
NUMBER = X @ [1.0, -1.0, 0.0] + RNG.normal(size=N)
LABELS = np.where(NUMBER > 0, "spam", "ham")
LABELS[:6] = np.where(LABELS[:6] == "spam", "ham", "spam")
THREE = np.array(["a", "b", "c"])[np.digitize(NUMBER + RNG.normal(size=N), [-0.7, 0.7])]
W = RNG.uniform(0.5, 2.0, N)
ROWS = [f"r{i}" for i in range(N)]
FRAME = pd.DataFrame(X, columns=["a", "b", "c"], index=ROWS)
NEWTON = {"solver": "newton-cholesky", "tol": 1e-10}


# -- names and labels ----------------------------------------------------------------------------------


def test_a_dataframe_names_coefficients_and_rows():
    fit = ist.from_sklearn(Ridge().fit(FRAME, NUMBER), FRAME, NUMBER)
    assert fit.names == ("a", "b", "c", "intercept")
    assert fit.row_labels.tolist() == ROWS
    scores = fit.influence().on_prediction(FRAME.iloc[:2])
    assert scores.columns == ("r0", "r1")
    assert scores.to_frame().index.tolist() == ROWS


def test_names_come_from_the_fit_where_rows_come_as_an_array():
    fit = ist.from_sklearn(Ridge().fit(FRAME, NUMBER), X, pd.Series(NUMBER, index=ROWS))
    assert fit.names == ("a", "b", "c", "intercept")
    assert fit.row_labels.tolist() == ROWS


def test_theta_is_coef_with_the_intercept_last():
    ridge = Ridge().fit(X, NUMBER)
    fit = ist.from_sklearn(ridge, X, NUMBER)
    np.testing.assert_array_equal(fit.theta, [*ridge.coef_, ridge.intercept_])
    free = Ridge(fit_intercept=False).fit(X, NUMBER)
    np.testing.assert_array_equal(ist.from_sklearn(free, X, NUMBER).theta, free.coef_)


def test_theta_of_three_classes_is_one_class_after_the_other():
    model = LogisticRegression(**SOFTMAX).fit(FRAME, THREE)
    fit = ist.from_sklearn(model, FRAME, THREE)
    assert fit.names[:5] == ("a: a", "a: b", "a: c", "a: intercept", "b: a")
    expected = np.column_stack([model.coef_, model.intercept_ - model.intercept_.mean()])
    np.testing.assert_allclose(fit.theta, expected.ravel(), atol=TWO_FITS)
    np.testing.assert_allclose(
        fit.predict(FRAME, kind="mean").reshape(N, 3), model.predict_proba(FRAME), atol=TWO_FITS
    )
    assert fit.influence().on_loss(FRAME.iloc[:2], THREE[:2]).columns == ("r0", "r1")


def test_pipeline_names_its_columns_and_labels_its_rows():
    rng = np.random.default_rng(725)
    table = FRAME.assign(kind=rng.choice(["x", "y"], N))
    pipeline = make_pipeline(
        make_column_transformer((OneHotEncoder(drop="first"), ["kind"]), (StandardScaler(), ["a", "b"])),
        Ridge(),
    ).fit(table, NUMBER)
    fit = ist.from_sklearn(pipeline, table, NUMBER)
    assert fit.names == ("onehotencoder__kind_y", "standardscaler__a", "standardscaler__b", "intercept")
    assert fit.row_labels.tolist() == ROWS
    np.testing.assert_allclose(fit.predict(table), pipeline.predict(table))
    assert fit.influence().on_prediction(table.iloc[:1], kind="mean").columns == ("r0",)


def test_pipeline_of_nameless_transformers_numbers_its_columns():
    pipeline = make_pipeline(FunctionTransformer(np.abs), Ridge()).fit(X, NUMBER)
    assert ist.from_sklearn(pipeline, X, NUMBER).names == ("x0", "x1", "x2", "intercept")


def test_pipeline_of_texts():
    texts = ["good deal", "buy now", "see you", "you buy", "good now", "see deal"] * 3
    y = np.array([1, 1, 0, 0, 1, 0] * 3)
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression(tol=1e-9)).fit(texts, y)
    fit = ist.from_sklearn(pipeline, texts, y, polish=True)
    assert fit.names == ("buy", "deal", "good", "now", "see", "you", "intercept")
    np.testing.assert_allclose(fit.predict(["buy deal"]), pipeline.decision_function(["buy deal"]), atol=1e-6)


def test_missing_values_that_the_pipeline_fills_are_no_hindrance():
    rng = np.random.default_rng(724)
    holes = np.where(rng.random((N, 3)) < 0.1, np.nan, X)
    pipeline = make_pipeline(SimpleImputer(), Ridge()).fit(holes, NUMBER)
    np.testing.assert_allclose(
        ist.from_sklearn(pipeline, holes, NUMBER).predict(holes), pipeline.predict(holes)
    )


def test_pipeline_of_an_estimator_alone():
    pipeline = make_pipeline(Ridge()).fit(X, NUMBER)
    np.testing.assert_array_equal(
        ist.from_sklearn(pipeline, X, NUMBER).theta, [*pipeline[-1].coef_, pipeline[-1].intercept_]
    )


# -- test rows as the user has them ------------------------------------------------------------------------


def test_labels_of_test_rows_are_the_estimators_own():
    model = LogisticRegression(**NEWTON).fit(X, LABELS)
    fit = ist.from_sklearn(model, X, LABELS)
    expected = -model.predict_log_proba(X)[np.arange(N), (LABELS == "spam").astype(int)]
    np.testing.assert_allclose(fit.loss(X, LABELS), expected, atol=TWO_FITS)
    np.testing.assert_allclose(fit.predict(X, kind="mean"), model.predict_proba(X)[:, 1], atol=TWO_FITS)
    with pytest.raises(ist.errors.InvalidArgument, match="hold the estimator's classes only"):
        fit.loss(X[:1], ["eggs"])


@pytest.mark.parametrize(
    "y", [LABELS == "spam", np.where(LABELS == "spam", 7, 3), np.array(LABELS, dtype=object)], ids=str
)
def test_labels_may_be_of_any_kind(y):
    model = LogisticRegression(**NEWTON).fit(X, y)
    fit = ist.from_sklearn(model, X, list(y))
    np.testing.assert_allclose(fit.predict(X), model.decision_function(X), atol=TWO_FITS)


def test_test_rows_of_a_lasso_have_all_columns():
    lasso = Lasso(alpha=0.3, tol=1e-10).fit(FRAME, NUMBER)
    assert (lasso.coef_ == 0).tolist() == [False, False, True]
    fit = ist.from_sklearn(lasso, FRAME, NUMBER)
    assert fit.names == ("a", "b", "intercept")
    np.testing.assert_allclose(fit.predict(FRAME), lasso.predict(FRAME))
    np.testing.assert_allclose(fit.loss(FRAME, NUMBER), (NUMBER - lasso.predict(FRAME)) ** 2)
    assert fit.influence().on_loss(FRAME.iloc[:2], NUMBER[:2]).columns == ("r0", "r1")
    with pytest.raises(ist.errors.InvalidArgument, match="have the 3 columns"):
        fit.predict(X[:, :2])


def test_influence_of_a_pipeline_is_that_of_the_transformed_rows():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(**NEWTON)).fit(X, LABELS)
    fit = ist.from_sklearn(pipeline, X, LABELS)
    Z = pipeline[:-1].transform(X)
    plain = ist.from_sklearn(pipeline[-1], Z, LABELS)
    new, labels = X[:4] + 0.1, LABELS[:4]
    moved = pipeline[:-1].transform(new)
    for ours, theirs in [
        (fit.influence().on_loss(new, labels), plain.influence().on_loss(moved, labels)),
        (
            fit.influence().on_prediction(new, kind="mean"),
            plain.influence().on_prediction(moved, kind="mean"),
        ),
    ]:
        np.testing.assert_array_equal(ours.values, theirs.values)
    np.testing.assert_array_equal(
        fit.leave_one_out(method="newton").loss_change(new, labels),
        plain.leave_one_out(method="newton").loss_change(moved, labels),
    )


def test_the_reader_serves_the_risk_with_other_weights_too():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(solver="liblinear", tol=1e-9)).fit(
        X, LABELS
    )
    fit = ist.from_sklearn(pipeline, X, LABELS, protocol="folded")
    half = ist.Fit(fit.risk.reweighted(np.full(N, 0.5)), fit.theta, reader=fit.reader)
    np.testing.assert_allclose(half.risk.gradient(fit.theta), fit.risk.gradient(fit.theta), atol=CLOSED_FORM)
    np.testing.assert_allclose(half.predict(X), pipeline.decision_function(X))
    np.testing.assert_allclose(half.loss(X, LABELS), fit.loss(X, LABELS))


# -- dense, sparse, weights, protocols -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (Ridge(solver="sparse_cg", tol=1e-12), NUMBER),
        (LogisticRegression(C=2.0, **NEWTON), LABELS),
        (LogisticRegression(**SOFTMAX), THREE),
        (ElasticNet(alpha=0.2, tol=1e-12), NUMBER),
        (PoissonRegressor(**NEWTON), np.round(np.abs(NUMBER))),
    ],
    ids=["ridge", "logistic", "softmax", "elastic net", "poisson"],
)
def test_sparse_rows_give_what_dense_rows_give(estimator, y):
    S = X * (np.abs(X) > 0.5)
    dense = ist.from_sklearn(estimator.fit(S, y), S, y)
    sparse = ist.from_sklearn(estimator.fit(sp.csr_array(S), y), sp.csr_array(S), y, polish=True)
    np.testing.assert_allclose(
        sparse.influence().on_theta().values, dense.influence().on_theta().values, atol=1e-6
    )


@pytest.mark.parametrize("estimator", [Ridge(), Lasso(alpha=0.1, tol=1e-12), PoissonRegressor(tol=1e-10)])
def test_a_number_is_the_weight_of_each_row(estimator):
    y = np.exp(X[:, 0])
    fits = [
        ist.from_sklearn(clone(estimator).fit(X, y, sample_weight=w), X, y, sample_weight=w)
        for w in (3.0, np.int64(3), np.full(len(y), 3.0))
    ]
    for fit in fits[:2]:
        np.testing.assert_array_equal(fit.risk.weights, fits[2].risk.weights)
        np.testing.assert_array_equal(fit.leave_one_out().theta, fits[2].leave_one_out().theta)
    with pytest.raises(InvalidArgument, match="sample_weight must be at least 0, but it is -3 at row 0"):
        ist.from_sklearn(estimator.fit(X, y), X, y, sample_weight=-3.0)
    for weight in (1e308, 1e-320):
        with pytest.raises(InvalidArgument, match=r"sample_weight must have a (finite )?sum"):
            ist.from_sklearn(estimator, X, y, sample_weight=weight)


@pytest.mark.parametrize(
    ("estimator", "y"),
    [(RidgeClassifier(), LABELS), (LogisticRegression(**NEWTON), LABELS), (LinearSVC(tol=1e-9), LABELS)],
    ids=["ridge", "logistic", "svc"],
)
def test_class_weights_multiply_sample_weights(estimator, y):
    estimator.set_params(class_weight={"spam": 3.0})
    fit = ist.from_sklearn(estimator.fit(X, y, sample_weight=W), X, y, sample_weight=W)
    np.testing.assert_array_equal(fit.risk.weights, W * np.where(y == "spam", 3.0, 1.0))


def test_a_weight_of_two_is_the_row_twice():
    twice = np.ones(N)
    twice[3] = 2.0
    once = np.r_[np.arange(N), 3]
    for estimator, y in [
        (PoissonRegressor(alpha=0.5, **NEWTON), np.round(np.abs(NUMBER))),
        (Ridge(), NUMBER),
    ]:
        weighted = ist.from_sklearn(estimator.fit(X, y, sample_weight=twice), X, y, sample_weight=twice)
        doubled = ist.from_sklearn(estimator.fit(X[once], y[once]), X[once], y[once])
        np.testing.assert_allclose(
            weighted.influence().on_theta().values, doubled.influence().on_theta().values[:N], atol=CHANGES
        )


@pytest.mark.parametrize(
    ("estimator", "y", "protocol"),
    [
        (LinearRegression(), NUMBER, "fixed"),
        (Ridge(), NUMBER, "fixed"),
        (LogisticRegression(**NEWTON), LABELS, "fixed"),
        (LogisticRegression(**SOFTMAX), THREE, "fixed"),
        (LinearSVC(tol=1e-9), LABELS, "fixed"),
        (PoissonRegressor(**NEWTON), np.round(np.abs(NUMBER)), "folded"),
        (ElasticNet(alpha=0.1, tol=1e-12), NUMBER, "folded"),
    ],
    ids=str,
)
def test_protocol_is_that_of_the_librarys_refit_and_can_be_chosen(estimator, y, protocol):
    estimator.fit(X, y)
    assert ist.from_sklearn(estimator, X, y).risk.protocol == protocol
    for choice in ("fixed", "folded"):
        assert ist.from_sklearn(estimator, X, y, protocol=choice).risk.protocol == choice


def test_total_penalties_are_those_of_the_table():
    """The sum scale of each estimator, written out: R(theta) W = sum of losses + this."""
    y = np.round(np.abs(NUMBER))
    cases = [
        (Ridge(alpha=3.0), NUMBER, lambda b, c: 3.0 * b @ b),
        (LogisticRegression(C=0.2, **NEWTON), LABELS, lambda b, c: b @ b / (2 * 0.2)),
        (
            LogisticRegression(C=0.2, solver="liblinear", tol=1e-9, intercept_scaling=3.0),
            LABELS,
            lambda b, c: (b @ b + (c / 3.0) ** 2) / (2 * 0.2),
        ),
        (LinearSVC(C=0.2, tol=1e-9), LABELS, lambda b, c: (b @ b + c**2) / (2 * 0.2)),
        (PoissonRegressor(alpha=0.7, **NEWTON), y, lambda b, c: N * 0.7 / 2 * b @ b),
        (
            ElasticNet(alpha=0.1, l1_ratio=0.3, tol=1e-12),
            NUMBER,
            lambda b, c: 2 * N * 0.1 * (0.3 * np.abs(b).sum() + 0.35 * b @ b),
        ),
    ]
    for estimator, target, penalty in cases:
        estimator.fit(X, target)
        fit = ist.from_sklearn(estimator, X, target, protocol="fixed")
        b, c = np.ravel(estimator.coef_), float(np.ravel(estimator.intercept_)[0])
        total = fit.risk.value(fit.theta) * N - fit.loss(X, target).sum()
        np.testing.assert_allclose(total, penalty(b, c), rtol=TWO_FITS)


def test_an_sgd_fit_that_has_converged_passes_without_polish():
    sgd = SGDClassifier("log_loss", alpha=0.05, average=True, max_iter=5000, tol=None, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.errors.DoubtfulResult)
        fit = ist.from_sklearn(sgd.fit(X, LABELS), X, LABELS)
    exact = LogisticRegression(C=1.0 / (N * 0.05), **NEWTON).fit(X, LABELS)
    np.testing.assert_allclose(fit.theta, [*exact.coef_[0], *exact.intercept_], atol=5e-3)


def test_a_fit_of_coefficients_made_sparse():
    model = LogisticRegression(**NEWTON).fit(X, LABELS)
    dense = ist.from_sklearn(model, X, LABELS).theta
    np.testing.assert_array_equal(ist.from_sklearn(model.sparsify(), X, LABELS).theta, dense)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"penalty": None}, {"C": np.inf}),
        ({"penalty": "l2"}, elastic(0.0)),
        ({"penalty": "l1"}, elastic(1.0)),
        ({"penalty": "elasticnet", "l1_ratio": 0.4}, elastic(0.4)),
    ],
    ids=str,
)
def test_a_penalty_by_its_old_name_is_understood(old, new):
    saga = {"solver": "saga", "tol": 1e-9, "max_iter": 20_000, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn 1.8 renamed it, and says so twice
        before = LogisticRegression(**{"C": 0.5, **old}, **saga).fit(X, LABELS)
    after = LogisticRegression(**{"C": 0.5, **new}, **saga).fit(X, LABELS)
    ours = [ist.from_sklearn(model, X, LABELS).theta for model in (before, after)]
    np.testing.assert_allclose(*ours, atol=1e-6)


def test_a_subclass_is_recognised():
    class OurRidge(Ridge):
        pass

    assert ist.from_sklearn(OurRidge().fit(X, NUMBER), X, NUMBER).names[-1] == "intercept"


def test_a_column_of_targets_is_one_target():
    y = NUMBER[:, None]
    fit = ist.from_sklearn(Ridge().fit(X, y), X, y)
    np.testing.assert_allclose(fit.theta, ist.from_sklearn(Ridge().fit(X, NUMBER), X, NUMBER).theta)


class Doubled(TransformerMixin, BaseEstimator):
    """A transformer of the user's own that learns nothing: scikit-learn cannot tell that it was fitted."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 2.0 * X


def test_a_pipeline_of_a_transformer_that_learns_nothing():
    for steps in ((Doubled(),), (StandardScaler(), Doubled()), (Doubled(), "passthrough", StandardScaler())):
        pipeline = make_pipeline(*steps, Ridge()).fit(FRAME, NUMBER)
        fit = ist.from_sklearn(pipeline, FRAME, NUMBER)
        np.testing.assert_allclose(fit.predict(FRAME), pipeline.predict(FRAME), rtol=CLOSED_FORM)
        assert fit.row_labels.tolist() == ROWS or len(steps) > 1


def test_a_table_with_a_name_twice_is_that_of_its_numbers():
    named = pd.DataFrame(X, columns=["a", "a", "b"])
    fit = ist.from_sklearn(Ridge().fit(X, NUMBER), named, NUMBER)
    assert fit.names == ("a", "a", "b", "intercept")
    expected = ist.from_sklearn(Ridge().fit(X, NUMBER), X, NUMBER)
    np.testing.assert_array_equal(fit.leave_one_out().theta, expected.leave_one_out().theta)


def test_removals_of_a_polished_huber_fit_minimise_the_same():
    huber = SGDRegressor("huber", epsilon=0.3, alpha=0.05, average=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how far it was
        fit = ist.from_sklearn(huber.fit(X, NUMBER), X, NUMBER, polish=True)
    removal = fit.leave_one_out(rows=[3])
    rows = np.delete(np.column_stack([X, np.ones(N)]), 3, axis=0)
    residual = rows @ removal.theta[0] - np.delete(NUMBER, 3)
    gradient = rows.T @ np.clip(residual, -0.3, 0.3) / (N - 1) + 0.05 * np.append(removal.theta[0, :3], 0.0)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-14 * N)


def test_numbers_that_transformers_make_as_objects_are_numbers():
    """Booleans that are passed beside numbers make a ColumnTransformer's columns objects."""
    table = pd.DataFrame({"a": X[:, 0], "member": X[:, 1] > 0, "kind": THREE}, index=ROWS)
    made = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough", sparse_threshold=0)
    pipeline = make_pipeline(made, Ridge(1.0)).fit(table, NUMBER)
    columns = pipeline[:-1].transform(table)
    assert columns.dtype == object
    fit = ist.from_sklearn(pipeline, table, NUMBER)
    right = ist.from_sklearn(pipeline[-1], columns.astype(float), NUMBER)
    np.testing.assert_array_equal(fit.leave_one_out().theta, right.leave_one_out().theta)
    np.testing.assert_array_equal(
        fit.loss(table[:3], NUMBER[:3]), right.loss(columns[:3].astype(float), NUMBER[:3])
    )
