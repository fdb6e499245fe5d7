"""The likelihood of ordered classes: P(y = k) = F(c_k - eta) - F(c_{k-1} - eta).

statsmodels differences this likelihood numerically; here its gradient is in closed form. Parameters as
there: slopes, then the first threshold and the logarithms of the increments to the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.adapters.statsmodels.reading import AS_IN_MODEL
from influstat.input.validation import FloatArray, vector
from influstat.risks.classes import ClassLosses, class_codes
from influstat.risks.likelihood import no_such_rows


@dataclass(frozen=True, eq=False)
class OrderedLikelihoods:
    """Rows of an ordered model."""

    X: FloatArray  # the design without a constant
    codes: NDArray[np.intp]  # classes 0 to K - 1
    offset: FloatArray
    distribution: Any  # of scipy.stats: F with its density; standardised
    classes: int  # K

    @classmethod
    def of(cls, model: Any) -> OrderedLikelihoods:
        """Read a statsmodels OrderedModel."""
        X = np.asarray(model.exog, dtype=np.float64)
        offset = np.zeros(len(X)) if model.offset is None else np.asarray(model.offset, dtype=np.float64)
        return cls(X, np.asarray(model.endog, dtype=int), offset, model.distr, int(model.k_levels))

    def _bounds(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return c_{k-1} - eta, c_k - eta and the probability between them for every row."""
        cuts = theta[self.X.shape[1] :]
        inner = np.concatenate([cuts[:1], np.exp(cuts[1:])]).cumsum()
        thresholds = np.concatenate([[-np.inf], inner, [np.inf]])
        eta = self.X @ theta[: self.X.shape[1]] + self.offset
        low, high = thresholds[self.codes] - eta, thresholds[self.codes + 1] - eta
        F = self.distribution
        # In the upper tail the difference of survival functions does not cancel.
        probability = np.where(low > 0, F.sf(low) - F.sf(high), F.cdf(high) - F.cdf(low))
        return low, high, probability

    def _density(self, at: FloatArray) -> FloatArray:
        """Return f: 0 at infinity, where formulas as that of Gumbel's distribution are no number."""
        return np.where(np.isinf(at), 0.0, self.distribution.pdf(at))

    def losses(self, theta: FloatArray) -> FloatArray:
        """Return -log P."""
        with np.errstate(all="ignore"):
            return np.asarray(-np.log(self._bounds(theta)[2]))

    def gradients(self, theta: FloatArray) -> FloatArray:
        """Return -(f(high) dhigh - f(low) dlow) / P."""
        k = self.X.shape[1]
        with np.errstate(all="ignore"):
            low, high, probability = self._bounds(theta)
            at_low, at_high = (self._density(at) / probability for at in (low, high))
        result = np.empty((len(self.X), len(theta)))
        result[:, :k] = (at_high - at_low)[:, None] * self.X
        # c_j moves by 1 with the first threshold, by the increment with each log increment up to its own.
        with np.errstate(over="ignore"):  # thresholds on their way to infinity
            moves = np.concatenate([[1.0], np.exp(theta[k + 1 :])])
        order = np.arange(self.classes - 1)
        upper = order <= self.codes[:, None]
        lower = order <= self.codes[:, None] - 1
        upper &= (self.codes < self.classes - 1)[:, None]  # the last class has no upper threshold
        with np.errstate(invalid="ignore"):
            result[:, k:] = -moves * (at_high[:, None] * upper - at_low[:, None] * lower)
        return result

    def rounding(self, theta: FloatArray) -> float:
        """Return 0: the gradients are in closed form."""
        return 0.0

    def hessian_diagonal(self, theta: FloatArray) -> FloatArray:
        """Return the squared scores summed: the information identity gives the order of size."""
        return np.asarray(np.sum(self.gradients(theta) ** 2, axis=0))

    def contrasts(self, rows: NDArray[np.intp]) -> FloatArray:
        """Return c_k - eta and eta - c_{k-1} of every row: no probability falls where none of them does."""
        # In slopes and thresholds, (m, p), which are here the exponentials of coefficients: along a direction
        # of those that lets every interval grow, every row's loss falls wherever one starts.
        X, codes, steps = self.X[rows], self.codes[rows], np.eye(self.classes - 1)
        below, above = codes < self.classes - 1, codes > 0  # has an upper threshold, a lower one
        upper = np.hstack([-X[below], steps[codes[below]]])
        lower = np.hstack([X[above], -steps[codes[above] - 1]])
        return np.concatenate([upper, lower])

    def predictor_offset(self) -> None:
        """Return None: classes have no mean."""

    def softmax_classes(self) -> None:
        """Return None: one predictor, between thresholds."""

    def class_losses(self) -> ClassLosses:
        """Return what every row would lose in each of the ordered classes, called by their codes."""

        def losses(theta: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
            own = np.broadcast_to(theta, (len(rows), theta.shape[-1]))
            codes = np.arange(self.classes)
            result = []
            for row, one in zip(rows, own, strict=True):
                X = np.tile(self.X[row], (self.classes, 1))
                offset = np.full(self.classes, self.offset[row])
                everywhere = OrderedLikelihoods(X, codes, offset, self.distribution, self.classes)
                result.append(everywhere.losses(one))
            return np.array(result)

        return ClassLosses(np.arange(self.classes), self.codes, losses)

    def with_rows(self, X: FloatArray, y: Any, offset: FloatArray | None) -> OrderedLikelihoods:
        """Return the same model on other rows; y holds the codes 0 to K - 1."""
        codes = class_codes(vector("y", y, len(X)), self.classes, "the ordered classes", AS_IN_MODEL)
        o = np.zeros(len(X)) if offset is None else offset
        return OrderedLikelihoods(X, codes, o, self.distribution, self.classes)

    def linear(self, theta: FloatArray, X: FloatArray) -> FloatArray:
        """Return X beta, the latent predictor."""
        return np.asarray(X @ theta[: self.X.shape[1]])

    def mean(self, eta: FloatArray) -> FloatArray:
        """Raise: ordered classes have no mean."""
        raise no_such_rows("a mean", "OrderedModel")

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Raise: ordered classes have no mean."""
        return self.mean(eta)
