"""Scores of held-out predictions, by scikit-learn's scorers or a caller's function.

scikit-learn's scorers ask an estimator for predictions of rows X. Here the "rows" are positions of training
rows, and the estimator looks up what was predicted for each by the fit without its fold.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType, MissingDependency, Unsupported
from influstat.input.groups import Groups
from influstat.input.printing import nearest_first, short
from influstat.input.validation import FloatArray
from influstat.input.warning import doubt
from influstat.losses.alone import mean_of
from influstat.minimise.minimum import Minimum
from influstat.numerics.watched import called
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.classes import REACH, tells_apart
from influstat.risks.linear import LinearRisk, require_linear

OfRows = Callable[[NDArray[np.intp]], tuple[float, str]]  # positions of rows: their score, why it is nan
SHORT = {  # what scorers are called elsewhere, without signs between the letters, by scikit-learn's names
    "rmse": "neg_root_mean_squared_error",
    "mse": "neg_mean_squared_error",
    "mae": "neg_mean_absolute_error",
    "mape": "neg_mean_absolute_percentage_error",
    "medae": "neg_median_absolute_error",
    "msle": "neg_mean_squared_log_error",
    "rmsle": "neg_root_mean_squared_log_error",
    "rsquared": "r2",
    "rsq": "r2",
    "auc": "roc_auc",
    "rocauc": "roc_auc",
    "acc": "accuracy",
    "brier": "neg_brier_score",
    "logloss": "neg_log_loss",
    "crossentropy": "neg_log_loss",
    "loglikelihood": "neg_log_loss",
}
NO_PREDICTION = "a row of it has no prediction"


@dataclass(frozen=True, eq=False)
class Scorer:
    """One score of the folds of one fit."""

    name: str
    y: NDArray[Any]  # targets as the score needs them: numbers, or the classes by their own names
    score: Callable[[FloatArray], OfRows]  # from all linear predictors, shape (n,)

    def of_folds(self, linear_predictor: FloatArray, folds: Groups) -> tuple[FloatArray, list[str]]:
        """Return the score of each fold, shape (k,), nan where there is none, and why; raise if none has."""
        scores, reasons = np.full(len(folds), np.nan), [""] * len(folds)
        score = self.score(linear_predictor)
        for k in range(len(folds)):
            rows = folds[k]
            if np.isnan(linear_predictor[rows]).any():
                reasons[k] = NO_PREDICTION
                continue
            scores[k], reasons[k] = score(rows)
        warn_of_no_scores(self.name, reasons)
        return scores, reasons


def warn_of_no_scores(name: str, reasons: list[str]) -> None:
    """Say once how many folds have no score, and why; raise where none has that has predictions."""
    why = [f"{name}: {text}" for text in reasons if text]
    judged = [text for text in reasons if text != NO_PREDICTION]
    if judged and all(judged):
        raise Unsupported(
            "scoring", "suit the fit and its folds", f"is {why[0]}", "Choose another, or larger folds."
        )
    if why:
        doubt(f"{len(why)} of {len(reasons)} folds have no score (`status` says why). The first: {why[0]}")


def _number(found: Any) -> float:
    """Return what a caller's function returned, if it is a number."""
    try:
        return float(found)
    except (TypeError, ValueError):
        what = f"returns {short(found)}"
        raise InvalidType("scoring", "return a number", what, "Return one number for a fold.") from None


def scorer_of(fit: Minimum, scoring: Any) -> Scorer:
    """Return the scorer that a caller named, or whose function this is; or raise."""
    if class_predictors_of(fit.risk) is not None:
        need = "be left out for several classes"
        remedy = "Leave it out: row_losses of the answer are -log of the probabilities of the rows held out."
        raise Unsupported("scoring", need, f"is {short(scoring)}", remedy)
    risk = require_linear(fit.risk, "scores")
    mean = mean_of(risk.loss)
    if type(scoring).__module__.startswith("sklearn."):  # of make_scorer
        function = getattr(scoring, "_score_func", None)
        return _by_scorer(fit, risk, scoring, str(getattr(function, "__name__", "score")), mean)
    if callable(scoring):

        def by_function(linear_predictor: FloatArray) -> OfRows:
            predicted = linear_predictor if mean is None else mean(linear_predictor)

            def of(rows: NDArray[np.intp]) -> tuple[float, str]:
                found = _number(called("scoring", scoring, y=risk.y[rows], prediction=predicted[rows]))
                return found, "it is nan" if np.isnan(found) else ""

            return of

        return Scorer(str(getattr(scoring, "__name__", "score")), risk.y, by_function)
    if not isinstance(scoring, str):
        need, remedy = "be a scorer's name or a function", 'Pass e.g. "r2".'
        raise InvalidType("scoring", need, f"is {short(scoring)}", remedy)
    return _by_scorer(fit, risk, _of_scikit_learn(scoring), scoring, mean)


def _of_scikit_learn(name: str) -> Any:
    """Return scikit-learn's scorer of this name, or raise with those that it may have meant."""
    try:
        from sklearn.metrics import get_scorer, get_scorer_names
    except ImportError as error:
        raise MissingDependency(
            f"scoring is {name!r}, a scorer of scikit-learn, which is not installed. Run pip install "
            "'influstat[experiments]', or pass a function (y, prediction) -> number."
        ) from error
    names = get_scorer_names()
    if name not in names:
        meant = SHORT.get(re.sub("[^a-z0-9]", "", name.lower().removeprefix("neg_")), name)
        was = f"is {short(name)}; the nearest are {nearest_first(meant, names)}"
        raise InvalidArgument("scoring", "name a scorer of scikit-learn", was, "Pass one of these.")
    return get_scorer(name)


def _by_scorer(fit: Minimum, risk: LinearRisk, scorer: Any, name: str, mean: Any) -> Scorer:
    """Return the scores that a scorer of scikit-learn gives, one that asks an estimator."""
    classes = classes_of(fit, risk)
    y = risk.y if classes is None else classes[np.searchsorted(np.unique(risk.y), risk.y)]

    def score(linear_predictor: FloatArray) -> OfRows:
        estimator = _estimator(linear_predictor, classes, mean)

        def of(rows: NDArray[np.intp]) -> tuple[float, str]:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                try:
                    found = scorer(estimator, rows, y[rows])
                except (ValueError, TypeError, AttributeError) as error:  # how metrics and estimators refuse
                    return np.nan, str(error).partition("\n")[0].rstrip(".")
            reason = str(said[0].message).rstrip(".") if said else "it is nan"
            return float(found), reason if np.isnan(found) else ""

        return of

    return Scorer(name, y, score)


def classes_of(fit: Minimum, risk: LinearRisk) -> NDArray[Any] | None:
    """Return what the two classes of a classifier are called, None for a regression."""
    named = getattr(fit.reader, "classes", None)
    if named is not None:
        return np.asarray(named)
    return np.unique(risk.y) if tells_apart(risk.loss, risk.y) else None


def _estimator(linear_predictor: FloatArray, classes: NDArray[Any] | None, mean: Any) -> Any:
    """Return an estimator of scikit-learn that predicts the rows at these positions, already fitted."""
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    predicted = linear_predictor if mean is None else mean(linear_predictor)

    class Looked(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        """What both have: nothing is fitted."""

        def __sklearn_is_fitted__(self) -> bool:
            return True

    class Regressor(RegressorMixin, Looked):  # type: ignore[misc]  # nor are these
        """Predicts the mean."""

        def predict(self, rows: NDArray[np.intp]) -> FloatArray:
            return np.asarray(predicted[rows])

    if classes is None:
        return Regressor()
    labels = classes

    class Classifier(ClassifierMixin, Looked):  # type: ignore[misc]
        """Decides by the linear predictor."""

        classes_ = labels

        def decision_function(self, rows: NDArray[np.intp]) -> FloatArray:
            return np.asarray(linear_predictor[rows])

        def predict(self, rows: NDArray[np.intp]) -> NDArray[Any]:
            return np.asarray(labels[(linear_predictor[rows] > 0.0).astype(np.intp)])

    class Probabilistic(Classifier):
        """Decides by the probability of the second class."""

        def predict_proba(self, rows: NDArray[np.intp]) -> FloatArray:
            return np.column_stack([1.0 - predicted[rows], predicted[rows]])

        def predict(self, rows: NDArray[np.intp]) -> NDArray[Any]:
            return np.asarray(labels[(predicted[rows] > 0.5).astype(np.intp)])

    return Probabilistic() if mean is not None and _probability(mean) else Classifier()


def _probability(mean: Any) -> bool:
    """Tell whether the mean is the probability of the second class: whether it stays between 0 and 1."""
    values = mean(np.linspace(-REACH, REACH, 61))
    return bool(np.all((values >= 0.0) & (values <= 1.0)))
