"""Risks that take new rows as the user has them: untransformed, all columns, labels of any kind."""

from __future__ import annotations

from copy import copy
from typing import Any

from numpy.typing import NDArray

from influstat.adapters.scikit_learn.data import Translation, labels_of
from influstat.input.validation import FloatArray, has_index, index_labels
from influstat.risks.softmax import SoftmaxRisk


class _Translated:
    """Translates new rows before the risk sees them; stands before the risk's class among the bases."""

    translation: Translation | None  # None: rows are the risk's own already

    def _columns(self, X: Any) -> Any:
        return X if self.translation is None else self.translation.columns(X)

    def test_rows(self, X: Any, y: Any, *, offset: Any = None) -> Any:
        """Return held-out rows, X and y as the estimator takes them."""
        parent: Any = super()
        targets = y if self.translation is None else self.translation.targets(y)
        tests = parent.test_rows(self._columns(X), targets, offset=offset)
        labels = labels_of(X, y)
        if labels is not None:
            tests.row_labels = labels
        return tests

    def predictions(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> FloatArray:
        """Return predictions for rows as the estimator takes them."""
        parent: Any = super()
        found: FloatArray = parent.predictions(theta, self._columns(X), kind=kind, offset=offset)
        return found

    def prediction_gradients(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> tuple[FloatArray, NDArray[Any]]:
        """Return the gradients of the predictions for rows as the estimator takes them."""
        plain = copy(self)
        plain.translation = None  # the parent asks for predictions of the rows translated here
        parent: Any = super(_Translated, plain)
        gradients, labels = parent.prediction_gradients(theta, self._columns(X), kind=kind, offset=offset)
        if has_index(X) and len(labels) == len(X):
            labels = index_labels(X.index)
        return gradients, labels


class TranslatedSoftmax(_Translated, SoftmaxRisk):
    """`SoftmaxRisk` of translated rows; the parameters are those of `SoftmaxRisk`.

    Examples
    --------
    >>> import influstat as ist
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = [[1.0], [0.0], [-1.0]], ["a", "b", "c"]
    >>> fit = ist.from_sklearn(LogisticRegression(tol=1e-8).fit(X, y), X, y, polish=True)
    >>> fit.names[:2], fit.loss([[1.0]], ["a"]).shape
    (('a: x0', 'a: intercept'), (1,))
    """

    def __init__(self, X: Any, y: Any, translation: Translation, **settings: Any) -> None:
        super().__init__(X, y, **settings)
        self.translation = translation
