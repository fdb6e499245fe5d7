"""`Source`: what a fitted estimator and its data say, checked, before any risk is built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.adapters.origin import refuse_of_others
from influstat.adapters.scikit_learn import data
from influstat.adapters.scikit_learn.batch_steps import batch_steps
from influstat.adapters.scikit_learn.kinds import kind_of, objective_of
from influstat.adapters.scikit_learn.objectives import Size
from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.input.design import Design
from influstat.input.labels import check_labels, has_index, index_labels, own_labels
from influstat.input.tables import as_array
from influstat.input.validation import FloatArray


@dataclass(frozen=True)
class Source:
    """A fitted estimator with its rows."""

    estimator: Any  # the final one
    translation: data.Translation  # from the user's rows to the risk's; labels become 0, 1, 2, ... so far
    table: Any  # X after the transformers, shape (n, p)
    y: Any  # the user's targets, shape (n,)
    weights: FloatArray | None  # sample_weight times class weights
    row_labels: NDArray[Any] | None  # from a DataFrame or Series
    coefficients: FloatArray  # one row per linear predictor, shape (K, p)
    intercepts: FloatArray | None  # shape (K,); None without intercept
    searches: tuple[Any, ...] = ()  # for settings, such as GridSearchCV, that it is the best estimator of

    @property
    def size(self) -> Size:
        """Return the number of rows and their total weight."""
        n = self.table.shape[0]
        return Size(n, float(n) if self.weights is None else float(self.weights.sum()))

    @property
    def positive(self) -> bool:
        """Return whether no coefficient but the intercept may be negative."""
        return bool(getattr(self.estimator, "positive", False))

    @property
    def classes(self) -> int:
        """Return the number of classes, 0 where y is a number."""
        return 0 if self.translation.classes is None else len(self.translation.classes)

    @property
    def theta(self) -> FloatArray:
        """Return the coefficients of the one linear predictor, its intercept last."""
        parts = [self.coefficients[0]] + ([] if self.intercepts is None else [self.intercepts])
        return np.concatenate(parts)

    def coded(self, codes: tuple[float, float] | None) -> Source:
        """Return the source with the two classes named as a loss needs them."""
        return self if codes is None else replace(self, translation=replace(self.translation, codes=codes))


def source_of(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Source:
    """Return the estimator and its data, checked."""
    refuse_of_others("estimator", estimator, own="sklearn", need="be a fitted estimator of scikit-learn")
    last, transformers, searches = _last_step(estimator)
    kind_of(last)  # refuses what there are no formulas for before anything is read from it
    _require_fitted(last)
    _require_own_numbers(last)
    data.check_table(X, last)
    y = as_array("y", y)
    named = [(name, value) for name, value in (("X", X), ("y", y)) if has_index(value)]
    for argument, value in (("y", y), ("sample_weight", sample_weight)):
        if named:
            check_labels(argument, value, index_labels(named[0][1].index), of=named[0][0])
    coefficients = dense(last.coef_)
    classes = getattr(last, "classes_", None)
    target = data.one_target(y, coefficients if classes is None else coefficients[:1])
    translation = data.translation_of(last, transformers)
    if transformers is not None and not hasattr(X, "tocsr"):
        translation = replace(translation, training=X)
    table = translation.columns(X)
    if transformers is not None:
        translation = replace(translation, of_other_rows=batch_steps(transformers, X))
    n = Design(table).shape[0]  # says what is wrong with a table that is not one
    position = None
    if classes is not None:
        translation = replace(
            translation, classes=np.asarray(classes), codes=tuple(float(k) for k in range(len(classes)))
        )
        position = translation.targets(target).astype(np.intp)
        if len(position) != n:
            raise InvalidArgument(
                "y", f"have one entry per row of X ({n})", f"has {len(position)}", f"Pass shape ({n},)."
            )
    return Source(
        last,
        translation,
        table,
        target,
        data.weights_of(last, sample_weight, position, n),
        own_labels(X, y),
        np.atleast_2d(coefficients),
        _intercepts(last),
        searches,
    )


def _last_step(estimator: Any) -> tuple[Any, Any, tuple[Any, ...]]:
    """Return the final estimator, all the steps before it or None, and searches around it."""
    if isinstance(estimator, type):
        raise InvalidType(
            "estimator",
            "be a fitted estimator",
            f"is the class {estimator.__name__}",
            f"Pass {estimator.__name__}().fit(X, y).",
        )
    before, searches = list[tuple[str, Any]](), list[Any]()
    while True:
        if type(estimator).__name__ == "FrozenEstimator":
            estimator = estimator.estimator
        elif type(estimator).__name__.endswith("SearchCV"):
            searches.append(estimator)
            estimator = _best_of(estimator)
        elif hasattr(estimator, "steps"):
            before, estimator = before + list(estimator.steps[:-1]), estimator.steps[-1][1]
        else:
            break
    return estimator, Steps(before) if before else None, tuple(searches)


def _best_of(search: Any) -> Any:
    """Return the estimator that a search has fitted to all rows with the settings that it chose, or raise."""
    if hasattr(search, "best_estimator_"):
        return search.best_estimator_
    fitted = hasattr(search, "cv_results_")
    raise InvalidArgument(
        "estimator",
        "be fitted to all rows",
        f"is a {type(search).__name__} " + ("with refit=False" if fitted else "that was not fitted"),
        "Fit it with refit=True (or the name of a score), and pass the same X and y here.",
    )


def _require_fitted(estimator: Any) -> None:
    # A support vector machine computes coef_ from its support vectors, so look at n_features_in_ too.
    if hasattr(estimator, "n_features_in_") and hasattr(estimator, "coef_"):
        return
    if hasattr(estimator, "n_features_in_"):
        objective_of(estimator, Size(1, 1.0))  # says what is wrong with a kernel that has no coefficients
    raise InvalidArgument(
        "estimator",
        "be fitted",
        "has no coefficients yet",
        "Call estimator.fit(X, y), and pass the same X and y here.",
    )


def _require_own_numbers(estimator: Any) -> None:
    """Raise where coefficients or settings were replaced after the fit by what no fit leaves or takes."""
    columns, fitted = int(estimator.n_features_in_), {"coef_": estimator.coef_}
    if getattr(estimator, "fit_intercept", True):
        fitted["intercept_"] = getattr(estimator, "intercept_", None)
    for name, value in fitted.items():
        shape = getattr(value, "shape", () if isinstance(value, float) else None)
        if shape is None or (name == "coef_" and shape[-1:] != (columns,)):
            was = f"a {type(value).__name__}" if shape is None else f"of shape {shape}"
            raise InvalidArgument(
                "estimator",
                f"have the {name} of its fit, for {columns} columns",
                f"has one that is {was}",
                "Its coefficients were changed after the fit: fit it again.",
            )
    try:
        getattr(estimator, "_validate_params", lambda: None)()  # as its fit does
    except ValueError as error:
        raise InvalidArgument(
            "estimator",
            "have settings that its own fit takes",
            f"has others: {str(error).rstrip('.')}",
            "They were changed after the fit: set them back, or fit it again.",
        ) from error


def dense(values: Any) -> FloatArray:
    """Return a matrix, sparse or not (sparsify() makes coef_ so), as an array of float64."""
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=np.float64)


def _intercepts(estimator: Any) -> FloatArray | None:
    """Return the intercepts, None where the estimator was told to fit none."""
    if not getattr(estimator, "fit_intercept", True):
        return None
    return np.atleast_1d(np.asarray(estimator.intercept_, dtype=np.float64)).ravel()


@dataclass(frozen=True, eq=False)
class Steps:
    """What stands before the final estimator: a Pipeline of it would ask whether its last step learned.

    A transformer of the user's own that learns nothing has nothing to show for its fit, and scikit-learn
    then takes the whole Pipeline for unfitted.

    Examples
    --------
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> Steps([("double", FunctionTransformer(lambda X: 2 * X)), ("rest", "passthrough")]).transform(3)
    6
    """

    steps: list[tuple[str, Any]]

    def __post_init__(self) -> None:
        """Raise where a step cannot transform new rows, as one that draws rows."""
        for step in self._working():
            if not hasattr(step, "transform"):
                raise Unsupported(
                    "estimator",
                    "be a Pipeline of steps that transform rows",
                    f"has a {type(step).__name__} in it",
                    "Pass its last step, with the rows that it got.",
                )

    def transform(self, X: Any) -> Any:
        """Return the rows after all steps."""
        for step in self._working():
            X = step.transform(X)
        return X

    def get_feature_names_out(self) -> Any:
        """Return the names of their columns, or raise AttributeError or ValueError where a step has none."""
        names = None
        for step in self._working():
            names = step.get_feature_names_out(names)
        return names

    def _working(self) -> list[Any]:
        """Return the steps that do something."""
        return [step for _, step in self.steps if step is not None and not isinstance(step, str)]
