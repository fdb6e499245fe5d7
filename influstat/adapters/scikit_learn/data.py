"""The rows that an estimator was fitted with: X, y and weights as its risk needs them.

A `Translation` is kept with the fit, so that test rows can be given as the user has them: untransformed,
with all columns, and with the estimator's own labels.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from inspect import signature
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.input.labels import label_text, own_labels
from influstat.input.tables import as_array, as_pandas, has_fields, is_foreign, is_lazy
from influstat.input.validation import FloatArray, any_array, numeric_array, real_number, vector
from influstat.input.warning import doubt_once
from influstat.risks.rows import require_sum


@dataclass(frozen=True)
class Translation:
    """From the user's X and y to those of the risk."""

    transformers: Any  # all steps but the last (`Steps`), or None
    features: int  # columns of X after the transformers
    names: tuple[str, ...] | None  # of these, where scikit-learn knows them
    classes: NDArray[Any] | None = None  # the estimator's classes_, where y holds labels
    codes: tuple[float, ...] = ()  # what the classes are called in the loss
    active: NDArray[np.intp] | None = None  # columns of coefficients other than 0, if a penalty makes zeros
    training: Any = None  # the user's own training rows, where transformers make other columns of them
    of_other_rows: str = ""  # transformers whose columns depend on which rows are in the table

    def columns(self, X: Any) -> Any:
        """Return X after the transformers, the active columns of it, shape (m, q)."""
        return self.taken(self.transformed(X))

    def taken(self, table: Any) -> Any:
        """Return the active columns of a transformed table."""
        return table if self.active is None else _take(table, self.active)

    def transformed(self, X: Any) -> Any:
        """Return X after the transformers, all columns."""
        if self.transformers is not None:
            self._doubt_other_rows(X)
            X = as_pandas("X", X) if has_fields(X) else X  # whose columns they find by name
            if is_lazy(X):
                as_pandas("X", X)  # which refuses it: transformers speak of something else
            try:
                X = _numbers(self.transformers.transform(X))
            except (ValueError, TypeError) as error:
                raise InvalidArgument(
                    "X",
                    "be a table that the pipeline's transformers take",
                    f"is refused by them: {str(error).rstrip('.')}",
                    "Pass the same columns as to the pipeline's fit, untransformed.",
                ) from error
        foreign = is_foreign(X)
        has_shape = isinstance(getattr(X, "shape", None), tuple)
        table: Any = as_pandas("X", X) if foreign or has_shape else numeric_array("X", X)
        if len(table.shape) == 2:  # else the design says what is wrong
            self._check_columns(table)
        return numeric_array("X", table) if foreign else table  # whose rows have no labels

    def _doubt_other_rows(self, X: Any) -> None:
        """Warn where columns follow from the table that new rows come in, as in scikit-learn."""
        if not self.of_other_rows or X is self.training:
            return
        doubt_once(
            self.transformers,
            f"The columns that {self.of_other_rows} makes depend on which rows are in the same table: here "
            "on those of X, and not on those of the fit. Use a transformer whose fit remembers them, such as "
            "StandardScaler.",
        )

    def _check_columns(self, X: Any) -> None:
        if X.shape[1] != self.features:
            raise InvalidArgument(
                "X",
                f"have the {self.features} columns that the estimator was fitted with",
                f"has {X.shape[1]}",
                "Pass the same columns in the same order, without a column of ones.",
            )
        columns = getattr(X, "columns", None)
        if self.transformers is None and self.names is not None and columns is not None:
            found = tuple(str(name) for name in columns)
            if found != self.names:
                ours, other = next((a, b) for a, b in zip(self.names, found, strict=True) if a != b)
                raise InvalidArgument(
                    "X",
                    f"name its columns as in the fit ({ours!r} ...)",
                    f"has {other!r} in that place",
                    "Reorder or rename its columns.",
                )

    def targets(self, y: Any) -> Any:
        """Return y as the loss needs it, shape (m,): numbers as they are, labels as their codes."""
        y = as_array("y", y)
        if self.classes is None:
            return y
        labels = any_array("y", y)
        if labels.dtype.names:
            raise InvalidType("y", "hold labels", "is a structured array", "Pass one of its fields.")
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        if labels.ndim != 1:
            raise several_targets(f"has shape {labels.shape}")
        # A set of labels of mixed types cannot be sorted; comparing with each class needs no order.
        position = np.full(len(labels), -1)
        for k, label in enumerate(self.classes):
            position[np.asarray(labels == label, dtype=np.bool_)] = k
        if (position < 0).any():
            row = int(np.argmax(position < 0))
            raise InvalidArgument(
                "y",
                f"hold the estimator's classes only ({', '.join(map(repr, self.classes.tolist()[:6]))})",
                f"holds {label_text(labels[row])} at row {row}",
                "Pass the labels as in the fit, not recoded.",
            )
        return np.asarray(self.codes)[position]

    def labels(self, X: Any, y: Any) -> NDArray[Any] | None:
        """Return the row labels of a DataFrame X or of a Series y; None where both have none."""
        return own_labels(X, y)

    def with_active(self, active: NDArray[np.intp]) -> Translation:
        """Return the translation that leaves out all but the active columns."""
        return replace(self, active=active)


def _numbers(made: Any) -> Any:
    """Return numbers that transformers made as objects as numbers, as estimators read them."""
    # A ColumnTransformer that passes booleans beside numbers makes such an array.
    if not (isinstance(made, np.ndarray) and made.dtype.kind == "O"):
        return made
    with suppress(TypeError, ValueError):  # else the design says what is no number
        return made.astype(np.float64)
    return made


def _take(table: Any, columns: NDArray[np.intp]) -> Any:
    if hasattr(table, "iloc"):
        return table.iloc[:, columns]
    if hasattr(table, "tocsc"):
        return table.tocsc()[:, columns]
    return np.asarray(table)[:, columns]


def several_targets(found: str) -> Unsupported:
    """Return the error for a y of several columns."""
    return Unsupported(
        "y",
        "hold one target per row",
        found,
        "Fit one estimator per target, and pass each with its own column of y.",
    )


# -- what the estimator was fitted with -------------------------------------------------------------------


def translation_of(estimator: Any, transformers: Any) -> Translation:
    """Return how the final estimator's X and y follow from the user's."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None and transformers is not None:
        names = _names_out(transformers)
    return Translation(
        transformers,
        int(estimator.n_features_in_),
        None if names is None else tuple(str(name) for name in names),
    )


def _names_out(transformers: Any) -> Any:
    """Return the transformers' names of their columns; None where one of them gives none."""
    try:
        return transformers.get_feature_names_out()
    except (AttributeError, ValueError):
        return None


def check_table(X: Any, estimator: Any) -> None:
    """Raise where X cannot be what the estimator was fitted with: sparse beside dense rows, a np.matrix."""
    if isinstance(X, np.matrix):
        raise InvalidType("X", "be an array", "is a np.matrix", "Pass np.asarray(X), as scikit-learn needs.")
    if not sp.issparse(X):
        return
    dense = hasattr(estimator, "feature_names_in_") or getattr(estimator, "_sparse", True) is False
    if dense:
        raise InvalidType(
            "X",
            "be dense, as in the fit",
            "is scipy.sparse",
            "Pass the table that the estimator was fitted with, e.g. X.toarray().",
        )


def one_target(y: Any, coefficients: FloatArray) -> Any:
    """Return y with one target per row: a single column becomes a vector, several are refused."""
    shape = np.shape(any_array("y", y))
    if len(shape) == 2 and shape[1] == 1:
        return y.iloc[:, 0] if hasattr(y, "iloc") else np.asarray(y)[:, 0]
    if len(shape) != 1 or (coefficients.ndim == 2 and coefficients.shape[0] > 1):
        raise several_targets(
            f"has shape {shape}, and the estimator has coefficients of shape {coefficients.shape}"
        )
    return y


def weights_of(
    estimator: Any, sample_weight: Any, position: NDArray[np.intp] | None, n: int
) -> FloatArray | None:
    """Return sample_weight times the class weights, shape (n,); None where all are 1."""
    # `position` says which class each row has; None where y is a number.
    if isinstance(sample_weight, Real):  # the weight of each row, there as here
        sample_weight = np.full(n, real_number("sample_weight", sample_weight))
    weights = None if sample_weight is None else vector("sample_weight", sample_weight, n)
    if weights is not None and (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise InvalidArgument(
            "sample_weight",
            "be at least 0",
            f"is {weights[row]:g} at row {row}",
            "Pass what the estimator was fitted with; negative weights have no minimum in general.",
        )
    if weights is not None:
        require_sum("sample_weight", weights)
    class_weight = getattr(estimator, "class_weight", None)
    if class_weight is None or position is None:
        return weights
    ones = np.ones(n) if weights is None else weights
    return ones * _class_weights(estimator, class_weight, position, ones)[position]


def _counts_rows(estimator: Any) -> bool:
    """Tell whether "balanced" counts rows (the ridge classifier; in old versions all), or adds weights."""
    from sklearn.utils.class_weight import compute_class_weight

    by_weight = "sample_weight" in signature(compute_class_weight).parameters
    return hasattr(estimator, "_label_binarizer") or not by_weight


def _class_weights(
    estimator: Any, class_weight: Any, position: NDArray[np.intp], weights: FloatArray
) -> FloatArray:
    """Return one factor per class; "balanced" is W / (K W_k), as scikit-learn computes it."""
    K = len(estimator.classes_)
    if hasattr(estimator, "class_weight_"):  # support vector machines keep theirs
        return np.asarray(estimator.class_weight_, dtype=np.float64)
    if isinstance(class_weight, str):
        counted = np.ones_like(weights) if _counts_rows(estimator) else weights
        sums = np.bincount(position, weights=counted, minlength=K)
        return np.asarray(counted.sum() / (K * sums))
    return np.array([float(class_weight.get(label, 1.0)) for label in estimator.classes_.tolist()])
