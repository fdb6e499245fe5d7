"""What was found on all rows and is held when rows go: who says so, once, and who has nothing to say."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNetCV,
    LassoCV,
    LassoLarsIC,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
)
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)

import influstat as ist
from influstat.adapters.scikit_learn.held import held_of

RNG = np.random.default_rng(7)
X = RNG.normal(size=(40, 3)) + 2.0
Y = X @ [1.0, -0.5, 0.0] + RNG.normal(size=40)
LABELS = (np.median(Y) < Y).astype(int)


class Untagged(TransformerMixin, BaseEstimator):
    """A transformer of the user's own that says nothing of what it learns."""

    def fit(self, X: Any, y: Any = None) -> Untagged:
        self.mean_ = np.mean(X, axis=0)
        return self

    def transform(self, X: Any) -> Any:
        return X - self.mean_


class Doubled(TransformerMixin, BaseEstimator):
    """One that learns nothing, and keeps nothing."""

    def fit(self, X: Any, y: Any = None) -> Doubled:
        return self

    def transform(self, X: Any) -> Any:
        return 2.0 * X


STEPS = {
    "none": ((), ()),
    "scaler": ((StandardScaler(),), ("StandardScaler",)),
    "two": ((StandardScaler(), PCA(2)), ("StandardScaler", "PCA")),
    "own": ((Untagged(), Doubled()), ("Untagged",)),
    "stateless": ((FunctionTransformer(), Normalizer(), PolynomialFeatures(), "passthrough"), ()),
    "constant": ((SimpleImputer(strategy="constant"),), ()),
    "mean": ((SimpleImputer(),), ("SimpleImputer",)),
    "nested": ((make_pipeline(make_union(Normalizer(), MinMaxScaler())),), ("MinMaxScaler",)),
    "columns": (
        (make_column_transformer((StandardScaler(), [0]), ("drop", [1]), remainder="passthrough"),),
        ("StandardScaler",),
    ),
    "told": ((OneHotEncoder(categories=[[0.0, 1.0]] * 3, handle_unknown="ignore"),), ()),
    "elementwise": ((FunctionTransformer(lambda X: np.abs(X) + 1.0),), ()),
    "rare": (
        (OneHotEncoder(categories=[np.unique(X[:, j]) for j in range(3)], min_frequency=2),),
        ("OneHotEncoder",),
    ),
}
CHOSEN = {
    "RidgeCV": (RidgeCV(), "The alpha of RidgeCV was chosen"),
    "one alpha": (RidgeCV(alphas=[1.0]), ""),
    "LassoCV": (LassoCV(), "The alpha of LassoCV was chosen"),
    "ElasticNetCV": (ElasticNetCV(l1_ratio=[0.3, 0.6]), "The alpha and l1_ratio of ElasticNetCV were chosen"),
    "LassoLarsIC": (LassoLarsIC(), "The alpha of LassoLarsIC was chosen"),
    "BayesianRidge": (BayesianRidge(), "The precisions of BayesianRidge were estimated"),
    "Ridge": (Ridge(), ""),
    "balanced": (LogisticRegression(class_weight="balanced"), "The class weights were balanced"),
    "LogisticRegressionCV": (LogisticRegressionCV(Cs=[0.1, 1.0]), "The C"),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_that_learn_are_named_and_others_are_not(name: str) -> None:
    steps, expected = STEPS[name]
    pipeline = make_pipeline(*steps).fit(X) if steps else None
    held = held_of(Ridge(), pipeline)
    assert held == tuple(f"The {one} was fitted on all rows, and is held when rows go." for one in expected)


@pytest.mark.parametrize("name", CHOSEN)
def test_what_an_estimator_chose_is_named(name: str) -> None:
    estimator, expected = CHOSEN[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn's, about its own coming versions
        estimator.fit(X, LABELS if hasattr(estimator, "predict_proba") else Y)
    held = held_of(estimator, None)
    assert len(held) == bool(expected)
    assert all(text.startswith(expected) for text in held)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("function", [lambda X: X - X.mean(axis=0), lambda X: 1.0 * (np.median(X) < X)])
def test_a_step_that_looks_at_the_other_rows_of_its_table_is_named_and_warns(
    function: Any, nested: bool
) -> None:
    step: Any = FunctionTransformer(function)
    step = make_column_transformer((step, [0]), remainder="passthrough") if nested else step
    model = make_pipeline(step, Ridge()).fit(X, Y)
    fit = ist.from_sklearn(model, X, Y)
    (text,) = fit.stated.held
    assert text.startswith("The columns that FunctionTransformer makes depend on which rows are in the table")
    fit.loss(X, Y)  # the table of the fit itself
    with pytest.warns(ist.errors.DoubtfulResult, match="those of X, and not on those of the fit"):
        np.testing.assert_allclose(fit.predict(X[:3]), model.predict(X[:3]))  # the library's own


def test_new_rows_of_a_term_that_looks_at_other_rows_are_doubted() -> None:
    table = pd.DataFrame({"y": Y, "x": X[:, 0], "z": X[:, 1]})
    results = sm.OLS.from_formula("y ~ I(x - x.mean()) + z", table).fit()
    fit = ist.from_statsmodels(results)
    np.testing.assert_allclose(fit.loss(table), results.resid**2)
    with pytest.raises(
        ist.errors.Unsupported, match=r"has I\(x - x.mean\(\)\), which looks at the other rows"
    ):
        ist.average_marginal_effect(fit, "x")
    assert ist.average_marginal_effect(fit, "z").value == pytest.approx(results.params["z"])
    with pytest.warns(ist.errors.DoubtfulResult, match="on those of X, and not on those of the fit"):
        np.testing.assert_allclose(fit.predict(table.head(3)), results.predict(table.head(3)))


def test_a_search_is_read_as_its_best_estimator_and_names_what_it_chose() -> None:
    pipe = make_pipeline(StandardScaler(), GridSearchCV(Ridge(), {"alpha": [0.1, 1.0], "solver": ["svd"]}))
    outer = GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [0.1, 1.0]})
    alone = GridSearchCV(Ridge(), {"alpha": [0.5]})
    for model, names in ((pipe, "alpha and solver"), (outer, "ridge__alpha"), (alone, "")):
        fit = ist.from_sklearn(model.fit(X, Y), X, Y)
        np.testing.assert_allclose(fit.predict(X), model.predict(X))
        said = [text for text in fit.stated.held if "GridSearchCV" in text]
        assert len(said) == bool(names)
        assert not names or said[0].startswith(f"The {names} of GridSearchCV w")


def test_a_frozen_step_is_held_by_scikit_learn_too() -> None:
    frozen = pytest.importorskip("sklearn.frozen").FrozenEstimator(StandardScaler().fit(X))
    assert held_of(Ridge(), make_pipeline(frozen).fit(X)) == ()


def outlier_in_pipeline() -> tuple[Any, Any, Any]:
    moved = X.copy()
    moved[0] = [400.0, 2.0, 2.0]  # alone it sets the scale of its column
    model = make_pipeline(StandardScaler(), Ridge(alpha=5.0)).fit(moved, Y)
    return model, moved, ist.from_sklearn(model, moved, Y)


def test_cross_validation_says_once_that_its_scores_are_not_the_pipelines() -> None:
    model, moved, fit = outlier_in_pipeline()
    folds = KFold(5)
    with pytest.warns(ist.errors.DoubtfulResult, match="StandardScaler was fitted on all rows") as said:
        found = ist.cross_validate(fit, folds, scoring="r2")
    assert [one.filename for one in said] == [__file__]
    anew = cross_val_score(model, moved, Y, cv=folds, scoring="r2")
    held = cross_val_score(model[-1], model[:-1].transform(moved), Y, cv=folds, scoring="r2")
    np.testing.assert_allclose(found.scores, held, rtol=1e-8)  # both solve to rounding
    assert abs(found.scores[0] - anew[0]) > 1.0  # so that there is something to be said
    ist.cross_validate(fit, folds, scoring="r2")  # once for each fit: an error if said again
    with pytest.warns(ist.errors.DoubtfulResult, match="errors behind these intervals"):
        ist.prediction_intervals(fit, moved[:2], level=0.8)


def test_stateless_pipelines_have_the_pipelines_scores_without_a_word() -> None:
    model = make_pipeline(PolynomialFeatures(include_bias=False), Ridge()).fit(X, Y)
    fit = ist.from_sklearn(model, X, Y)
    assert fit.stated.held == ()
    scores = ist.cross_validate(fit, KFold(5), scoring="r2").scores
    # Both solve to rounding.
    np.testing.assert_allclose(scores, cross_val_score(model, X, Y, cv=KFold(5), scoring="r2"), rtol=1e-8)


FORMULAS = {
    "y ~ x": (),
    "y ~ np.log(x + 9) + C(g)": (),
    "y ~ center(x)": ("center(x)",),
    "center(y) ~ x": ("center(y)",),
    "y ~ bs(x, df=4) + scale(z):x": ("bs(x, df=4)", "scale(z)"),
    "y ~ I(x - x.mean()) * z": ("I(x - x.mean())",),
    "y ~ x.rank() + I(z > z.median())": ("x.rank()", "I(z > z.median())"),
    "y ~ x.shift(1) + z": ("x.shift(1)",),
    "I(y / y.max()) ~ pd.cut(z, 3)": ("I(y / y.max())", "pd.cut(z, 3)"),
    "np.log(y + 9) ~ pd.cut(z, [-9, 2, 9]) + I(x**2):g": (),
}


@pytest.mark.dear
@pytest.mark.parametrize("engine", ["patsy", "formulaic"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_terms_of_a_formula_that_learn_are_named(
    formula: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = getattr(pytest.importorskip("statsmodels.formula"), "options", None)  # from 0.15 on
    pytest.importorskip(engine)
    if options is not None:
        monkeypatch.setattr(options, "formula_engine", engine)
    elif engine != "patsy":
        pytest.skip("this statsmodels knows patsy alone")
    table = pd.DataFrame({"y": Y, "x": X[:, 0], "z": X[:, 1], "g": ["a", "b"] * 20})
    fit = ist.from_statsmodels(sm.OLS.from_formula(formula, table).fit())
    (text,) = fit.stated.held or ("",)
    assert bool(text) == bool(FORMULAS[formula])
    for term in FORMULAS[formula]:
        assert term.replace(" ", "") in text.replace(" ", "")
    assert all((one.replace(" ", "") in str(fit.summary()).replace(" ", "")) for one in FORMULAS[formula])
    if text:
        with pytest.warns(ist.errors.DoubtfulResult, match="computed with all rows"):
            ist.cross_validate(fit)
    else:
        ist.cross_validate(fit)


def test_the_scale_of_rlm_is_said_where_refits_are_claimed() -> None:
    fit = ist.from_statsmodels(sm.RLM(Y, sm.add_constant(X)).fit())
    scale = "The scale of RLM was estimated on all rows, and is held when rows go."
    assert fit.stated.held == (scale,)
    report, found = fit.report("x1", top=2), fit.breakdown("x1", budget_seconds=0.0)
    assert "Estimated anew without each but for what is held" in repr(report)
    assert scale in repr(report)
    assert scale in report._repr_html_()
    assert f"refits hold               {scale}" in repr(found)
    assert scale in str(fit.reach("x1", k=1))


def test_without_anything_held_nothing_is_added() -> None:
    fit = ist.Ridge(lam=0.0).fit(X, Y)
    assert "Estimated anew without each, with" in repr(fit.report(0, top=2))
    assert "refits hold" not in repr(fit.breakdown(0, budget_seconds=0.0))


def test_the_knots_of_a_smoother_are_named_and_a_plain_model_has_nothing_to_say() -> None:
    from statsmodels.gam.api import BSplines, GLMGam

    smoother = BSplines(X[:, [0]], df=[5], degree=[3])
    fit = ist.from_statsmodels(GLMGam(Y, np.ones((40, 1)), smoother=smoother, alpha=1.0).fit())
    assert fit.stated.held == (
        "The knots of the smoother were placed by all rows, and are held when rows go.",
    )
    assert ist.from_statsmodels(sm.GLM(Y, X).fit()).stated.held == ()
