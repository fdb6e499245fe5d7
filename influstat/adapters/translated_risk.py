"""Risks that take new rows as the user has them: untransformed, all columns, labels of any kind."""

from __future__ import annotations

from copy import copy
from typing import Any

from numpy.typing import NDArray

from influstat.adapters.scikit_learn.data import Translation, labels_of
from influstat.input.validation import FloatArray, has_index, index_labels
from influstat.losses.base import Loss
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties import L2
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


class TranslatedRisk(_Translated, LinearRisk):
    """`LinearRisk` of translated rows, which may penalise its intercept.

    Parameters
    ----------
    loss : Loss
        The pointwise loss.
    X, y : array_like
        The training rows and targets, translated already.
    translation : Translation
        How the user's rows and targets become those of the risk.
    strength, intercept_strength : float
        kappa of the penalty (kappa / 2) theta_j^2, for the coefficients and for the intercept.
    weights, intercept, protocol, names, row_labels
        As in `LinearRisk`.

    Examples
    --------
    >>> import influstat as ist
    >>> from sklearn.linear_model import RidgeClassifier
    >>> X, y = [[1.0], [-1.0]], ["yes", "no"]
    >>> fit = ist.from_sklearn(RidgeClassifier().fit(X, y), X, y)
    >>> fit.loss([[1.0]], ["yes"]).round(6)      # (1 - 2/3)^2
    array([0.111111])
    """

    def __init__(
        self,
        loss: Loss,
        X: Any,
        y: Any,
        translation: Translation,
        *,
        strength: float,
        intercept_strength: float,
        weights: FloatArray | None,
        intercept: bool,
        protocol: str,
        names: Any,
        row_labels: Any,
    ) -> None:
        super().__init__(
            loss,
            X,
            y,
            penalty=L2(strength),
            weights=weights,
            intercept=intercept,
            protocol=protocol,
            names=names,
            row_labels=row_labels,
        )
        self.translation = translation
        if intercept:
            self.penalty_diagonal[-1] = intercept_strength

    def reweighted(self, weights: Any) -> TranslatedRisk:
        """Return the risk of the same rows with other weights, its penalty as the protocol says."""
        part = copy(self)
        part.__dict__.update(super().reweighted(weights).__dict__)
        return part


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
