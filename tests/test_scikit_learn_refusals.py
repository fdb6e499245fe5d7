"""What from_sklearn refuses, and the remedy that it names."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_selection import RFE
from sklearn.linear_model import (
    ARDRegression,
    ElasticNet,
    GammaRegressor,
    HuberRegressor,
    Lars,
    Lasso,
    LassoLars,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskLasso,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

import influstat as ist
from influstat.adapters.scikit_learn.kinds import MODULES, READERS, REASONS
from influstat.errors import InvalidArgument, Unsupported
from tests.scikit_learn_entry_cases import EXACT, FRAME, LABELS, NUMBER, THREE, X, fit_and_pass
from tests.scikit_learn_versions import HELD_RIDGE, VERSION, elastic

# -- bad input ---------------------------------------------------------------------------------------------


def sparse_svc():
    return SVC(kernel="linear").fit(X, LABELS)


REFUSALS = [
    ("unfitted", lambda: ist.from_sklearn(Ridge(), X, NUMBER), ValueError, "be fitted.*Call estimator.fit"),
    (
        "unfitted svc",
        lambda: ist.from_sklearn(SVC(kernel="linear"), X, LABELS, smoothing=0.1),
        ValueError,
        "be fitted",
    ),
    (
        "unfitted pipeline",
        lambda: ist.from_sklearn(make_pipeline(StandardScaler(), Ridge()), X, NUMBER),
        ValueError,
        "be fitted",
    ),
    ("a class", lambda: ist.from_sklearn(Ridge, X, NUMBER), TypeError, r"is the class Ridge.*Ridge\(\).fit"),
    ("no estimator", lambda: ist.from_sklearn("Ridge", X, NUMBER), ValueError, "is builtins.str"),
    (
        "no linear model",
        lambda: fit_and_pass(KNeighborsClassifier(), y=LABELS),
        ValueError,
        "have coefficients, but it is a KNeighborsClassifier.*keeps the rows themselves",
    ),
    (
        "trees",
        lambda: fit_and_pass(RandomForestRegressor(2)),
        ValueError,
        "smooth risk, but it is a RandomForestRegressor.*trees jump",
    ),
    (
        "a penalised intercept at 0",
        lambda: fit_and_pass(
            LogisticRegression(**elastic(1.0), solver="liblinear", C=0.05, tol=1e-10), y=LABELS, polish=True
        ),
        ValueError,
        "has the intercept 0. Fit with fit_intercept=False",
    ),
    (
        "grid search",
        lambda: fit_and_pass(GridSearchCV(Ridge(), {"alpha": [1.0, 2.0]}, refit=False)),
        ValueError,
        "be fitted to all rows, but it is a GridSearchCV with refit=False",
    ),
    (
        "grid search before",
        lambda: ist.from_sklearn(GridSearchCV(Ridge(), {"alpha": [1.0, 2.0]}), X, NUMBER),
        ValueError,
        "be fitted to all rows, but it is a GridSearchCV that was not fitted",
    ),
    ("huber", lambda: fit_and_pass(HuberRegressor()), ValueError, "fits a scale together"),
    ("nu", lambda: fit_and_pass(NuSVC(kernel="linear"), y=LABELS), ValueError, "nu is a constraint"),
    ("kernel", lambda: fit_and_pass(SVC(), y=LABELS), ValueError, "kernel that is 'linear'.*Nystroem"),
    (
        "hinge",
        lambda: fit_and_pass(SVC(kernel="linear", C=0.5), y=LABELS),
        ValueError,
        r"have a loss with a second derivative.*smoothing=0.1.*HingeSVC\(lam=2, protocol='fixed'\)",
    ),
    ("smoothing of a smooth loss", lambda: fit_and_pass(Ridge(), smoothing=0.1), ValueError, "be left out"),
    ("unknown protocol", lambda: fit_and_pass(Ridge(), protocol="whole"), ValueError, "'folded' or 'fixed'"),
    (
        "two targets",
        lambda: fit_and_pass(Ridge(), y=np.column_stack([NUMBER, NUMBER])),
        ValueError,
        "one target per row.*one estimator per target",
    ),
    (
        "multi-task",
        lambda: fit_and_pass(MultiTaskLasso(), y=np.column_stack([NUMBER, NUMBER])),
        ValueError,
        "one estimator per target",
    ),
    (
        "y of two columns for one target",
        lambda: ist.from_sklearn(Ridge().fit(X, NUMBER), X, np.column_stack([NUMBER, NUMBER])),
        ValueError,
        "one target per row",
    ),
    (
        "columns missing",
        lambda: ist.from_sklearn(Ridge().fit(X, NUMBER), X[:, :2], NUMBER),
        ValueError,
        "have the 3 columns.*has 2",
    ),
    (
        "a column of ones",
        lambda: ist.from_sklearn(Ridge().fit(X, NUMBER), np.column_stack([X, np.ones(80)]), NUMBER),
        ValueError,
        "without a column of ones",
    ),
    (
        "columns in another order",
        lambda: ist.from_sklearn(Ridge().fit(FRAME, NUMBER), FRAME[["b", "a", "c"]], NUMBER),
        ValueError,
        "name its columns as in the fit \\('a' ...\\).*Reorder",
    ),
    (
        "fewer targets",
        lambda: ist.from_sklearn(Ridge().fit(X, NUMBER), X, NUMBER[:79]),
        ValueError,
        r"y must have one entry per row of X \(80\)",
    ),
    (
        "fewer labels",
        lambda: ist.from_sklearn(EXACT.fit(X, LABELS), X, LABELS[:79]),
        ValueError,
        r"y must have one entry per row of X \(80\)",
    ),
    (
        "fewer weights",
        lambda: ist.from_sklearn(Ridge().fit(X, NUMBER), X, NUMBER, sample_weight=[1.0]),
        ValueError,
        "sample_weight must have one entry per row",
    ),
    (
        "targets in another order",
        lambda: ist.from_sklearn(Ridge().fit(FRAME, NUMBER), FRAME, pd.Series(NUMBER)[::-1]),
        ValueError,
        "y must have its labels in the order of X",
    ),
    (
        "a masked table",
        lambda: ist.from_sklearn(Ridge().fit(X, NUMBER), np.ma.masked_greater(X, 1.0), NUMBER),
        ValueError,
        "X must have no masked entries",
    ),
    (
        "a matrix of NumPy's",
        lambda: ist.from_sklearn(Ridge().fit(X, NUMBER), X.view(np.matrix), NUMBER),
        TypeError,
        r"X must be an array, but it is a np.matrix. Pass np.asarray\(X\)",
    ),
    ("a number for X", lambda: ist.from_sklearn(Ridge().fit(X, NUMBER), 3, NUMBER), ValueError, "two-dim"),
    (
        "three dimensions",
        lambda: ist.from_sklearn(EXACT.fit(X, LABELS), X[None], LABELS),
        ValueError,
        "X must be two-dimensional",
    ),
    (
        "negative weights",
        lambda: ist.from_sklearn(Ridge().fit(X, NUMBER), X, NUMBER, sample_weight=-np.ones(80)),
        ValueError,
        "sample_weight must be at least 0, but it is -1 at row 0",
    ),
    (
        "labels in another order",
        lambda: ist.from_sklearn(EXACT.fit(FRAME, LABELS), FRAME, pd.Series(LABELS)[::-1]),
        ValueError,
        "y must have its labels in the order of X",
    ),
    (
        "weights in another order",
        lambda: ist.from_sklearn(
            Ridge().fit(FRAME, NUMBER), FRAME, NUMBER, sample_weight=pd.Series(np.ones(80))[::-1]
        ),
        ValueError,
        "sample_weight must have its labels in the order of X",
    ),
    (
        "labels recoded",
        lambda: ist.from_sklearn(EXACT.fit(X, LABELS), X, (LABELS == "yes").astype(int)),
        ValueError,
        "hold the estimator's classes only \\('no', 'yes'\\)",
    ),
    (
        "missing values",
        lambda: ist.from_sklearn(Ridge().fit(X, NUMBER), np.where(X > 2, np.nan, X), NUMBER),
        ValueError,
        "X must be finite, but it holds nan at row",
    ),
    (
        "missing target",
        lambda: ist.from_sklearn(Ridge().fit(X, NUMBER), X, np.where(NUMBER > 2, np.nan, NUMBER)),
        ValueError,
        "y must be finite",
    ),
    (
        "sparse rows of a table",
        lambda: ist.from_sklearn(Ridge().fit(FRAME, NUMBER), sp.csr_array(X), NUMBER),
        TypeError,
        "X must be dense, as in the fit",
    ),
    (
        "sparse rows of a dense svc",
        lambda: ist.from_sklearn(sparse_svc(), sp.csr_array(X), LABELS, smoothing=0.1),
        TypeError,
        r"X must be dense.*X.toarray\(\)",
    ),
    (
        "transformer refuses",
        lambda: ist.from_sklearn(
            make_pipeline(StandardScaler(), Ridge()).fit(X, NUMBER), sp.csr_array(X), NUMBER
        ),
        ValueError,
        "be a table that the pipeline's transformers take",
    ),
    (
        "negative counts",
        lambda: ist.from_sklearn(PoissonRegressor().fit(X, np.abs(NUMBER)), X, NUMBER),
        ValueError,
        "y must be >= 0 for PoissonRegressor",
    ),
    (
        "zero in a gamma target",
        lambda: ist.from_sklearn(GammaRegressor().fit(X, np.abs(NUMBER)), X, np.maximum(NUMBER, 0.0)),
        ValueError,
        "y must be > 0 for GammaRegressor",
    ),
    ("three classes of ridge", lambda: fit_and_pass(RidgeClassifier(), y=THREE), ValueError, "two classes"),
    ("three classes of svc", lambda: fit_and_pass(LinearSVC(), y=THREE), ValueError, "one class at a time"),
    (
        "three classes with l1",
        lambda: fit_and_pass(LogisticRegression(solver="saga", C=0.1, **elastic(1.0), tol=0.1), y=THREE),
        ValueError,
        "l1_ratio of 0 for more than two classes",
    ),
    *(
        [
            (
                "one class against the rest",
                lambda: fit_and_pass(LogisticRegression(solver="newton-cholesky"), y=THREE),
                ValueError,
                "one softmax risk for all classes, .* with solver='newton-cholesky' in this scikit-learn",
            )
        ]
        if VERSION < (1, 6)
        else []
    ),
    (
        "averaged over folds",
        lambda: fit_and_pass(
            LogisticRegressionCV(refit=False, scoring="accuracy", **HELD_RIDGE),
            y=LABELS,
        ),
        ValueError,
        "refit that is True",
    ),
    (
        "crammer-singer",
        lambda: fit_and_pass(LinearSVC(multi_class="crammer_singer", max_iter=10_000), y=LABELS),
        ValueError,
        "multi_class that is 'ovr'",
    ),
    (
        "sgd of weights",
        lambda: fit_and_pass(SGDClassifier("log_loss", class_weight={"yes": 2.0}), y=LABELS),
        ValueError,
        "no class_weight or sample_weight",
    ),
    (
        "sgd with l1",
        lambda: fit_and_pass(SGDClassifier("log_loss", penalty="l1"), y=LABELS),
        ValueError,
        "penalty that is 'l2' or None",
    ),
    (
        "sgd with another loss",
        lambda: fit_and_pass(SGDClassifier("modified_huber"), y=LABELS),
        ValueError,
        "loss that is 'log_loss' or",
    ),
    (
        "calibrated",
        lambda: fit_and_pass(CalibratedClassifierCV(EXACT, cv=2), y=LABELS),
        ValueError,
        r"one estimator with.*calibrated_classifiers_\[k\].estimator",
    ),
    (
        "transformed target",
        lambda: fit_and_pass(TransformedTargetRegressor(Ridge())),
        ValueError,
        "the y that it gets.*Pass its regressor_ with y=transformer_",
    ),
    (
        "columns left out",
        lambda: fit_and_pass(RFE(Ridge(), n_features_to_select=2)),
        ValueError,
        "Pass its estimator_ with the columns of its support_",
    ),
    (
        "sgd of equal weights",
        lambda: ist.from_sklearn(
            SGDRegressor().fit(X, NUMBER, sample_weight=np.full(80, 2.0)),
            X,
            NUMBER,
            sample_weight=np.full(80, 2.0),
        ),
        ValueError,
        "has weights other than 1",
    ),
    ("no targets", lambda: ist.from_sklearn(Ridge().fit(X, NUMBER), X, None), TypeError, "y must .* is None"),
    ("relevance", lambda: fit_and_pass(ARDRegression()), ValueError, "hold its penalties fixed"),
    ("least angles", lambda: fit_and_pass(Lars()), ValueError, "use LassoLars"),
    ("discriminant", lambda: fit_and_pass(LinearDiscriminantAnalysis(), y=LABELS), ValueError, "class means"),
]


@pytest.mark.parametrize(("what", "call", "kind", "sentence"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_bad_input_is_refused_with_the_remedy(what, call, kind, sentence):
    with pytest.raises(kind, match=f"(?s){sentence}") as caught:
        call()
    assert isinstance(caught.value, ist.errors.InflustatError)


def test_a_refusal_is_about_the_estimator_that_was_given():
    for name, (need, remedy) in [*REASONS.items(), *MODULES.items()]:
        assert name not in READERS
        assert need[0].islower()
        assert remedy.endswith(".")
        assert not set(need.replace(",", "").split()) & set(READERS)  # no list of those that would do


def test_pipelines_in_pipelines_and_frozen_ones_are_one_pipeline():
    flat = make_pipeline(StandardScaler(), MinMaxScaler(), Ridge())
    inner = make_pipeline(MinMaxScaler(), Ridge())
    nested = make_pipeline(StandardScaler(), inner)
    frozen = pytest.importorskip("sklearn.frozen").FrozenEstimator(nested)
    expected = ist.from_sklearn(flat.fit(X, NUMBER), X, NUMBER)
    nested.fit(X, NUMBER)
    for estimator in (nested, frozen):
        found = ist.from_sklearn(estimator, X, NUMBER)
        np.testing.assert_allclose(found.theta, expected.theta, rtol=1e-10)
        np.testing.assert_allclose(found.predict(X), flat.predict(X), rtol=1e-10)


def test_cross_validated_softmax_and_members_of_a_calibration_are_read():
    model = LogisticRegressionCV(Cs=3, tol=1e-10, max_iter=10_000, scoring="neg_log_loss", **HELD_RIDGE)
    fit = fit_and_pass(model, y=THREE, polish=True)
    held = LogisticRegression(C=np.ravel(model.C_)[0], tol=1e-10, max_iter=10_000)
    np.testing.assert_allclose(fit.theta, fit_and_pass(held, y=THREE, polish=True).theta, atol=1e-8)
    calibrated = CalibratedClassifierCV(EXACT, cv=2, ensemble=False).fit(X, LABELS)
    member = calibrated.calibrated_classifiers_[0].estimator
    np.testing.assert_allclose(ist.from_sklearn(member, X, LABELS).theta[:-1], member.coef_[0])


def test_a_constraint_that_does_not_bind_is_no_hindrance():
    y = X @ [1.0, 2.0, 0.5] + NUMBER * 0.1
    free = fit_and_pass(ElasticNet(alpha=0.01, tol=1e-10), y=y).theta
    held = fit_and_pass(ElasticNet(alpha=0.01, tol=1e-10, positive=True), y=y).theta
    np.testing.assert_allclose(held, free, rtol=1e-8)


# -- estimators that were changed after their fit ------------------------------------------------------------

CHANGED = {
    "alpha": (Ridge, NUMBER, ["x", None, np.nan, -1.0], r"the.*'alpha' parameter of Ridge must be"),
    "coef_": (Ridge, NUMBER, [None, [1.0, 2.0, 3.0], np.ones(2), np.array(1.0)], "the coef_ of its fit"),
    "intercept_": (Ridge, NUMBER, [None, [0.0]], "the intercept_ of its fit"),
    "C": (LogisticRegression, LABELS, [None, 0.0, -1.0, "x"], "'C' parameter of LogisticRegression must be"),
    "class_weight": (LogisticRegression, LABELS, ["junk", [1.0, 2.0]], "'class_weight' parameter of"),
}


@pytest.mark.parametrize("polish", [False, True])
@pytest.mark.parametrize("name", CHANGED)
def test_what_no_fit_leaves_or_takes_is_refused_by_its_name(name, polish):
    kind, y, values, sentence = CHANGED[name]
    for value in values:
        estimator = kind().fit(X, y)
        setattr(estimator, name, value)
        with pytest.raises(InvalidArgument, match=f"(?i)^estimator must have .*{sentence}.*fit it again"):
            ist.from_sklearn(estimator, X, y, polish=polish)


class Drawn(BaseEstimator):
    """A step that draws rows, as those of imbalanced-learn."""

    def fit_resample(self, X, y):
        return X, y


def test_a_step_that_transforms_no_rows_is_named():
    pipeline = make_pipeline(StandardScaler(), Ridge()).fit(X, NUMBER)
    pipeline.steps.insert(1, ("drawn", Drawn()))
    with pytest.raises(Unsupported, match="Pipeline of steps that transform rows, but it has a Drawn in it"):
        ist.from_sklearn(pipeline, X, NUMBER)


def test_a_positive_path_that_ends_beside_the_minimum_is_told_from_other_data():
    path = LassoLars(alpha=0.05, positive=True)  # the case of scikit-learn's own documentation
    data = np.random.default_rng(5).normal(size=(60, 4))
    y = data @ [1.0, -0.5, 0.3, 0.0] + 0.2 + 0.5 * np.random.default_rng(6).normal(size=60)
    exact = Lasso(alpha=0.05, positive=True, tol=1e-12).fit(data, y)
    if np.allclose(path.fit(data, y).coef_, exact.coef_):
        pytest.skip("this scikit-learn lets no column go that should stay")
    with pytest.raises(ist.errors.NotStationary, match=r"fit Lasso\(positive=True\)"):
        ist.from_sklearn(path, data, y)
