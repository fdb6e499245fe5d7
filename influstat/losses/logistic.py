"""Logistic losses for labels 0 and 1, and for -1 and 1 (eqs. 15 and 17 of Liu, Liu, Qi and Yang)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.input.validation import FloatArray
from influstat.losses.base import Bell, decaying, root_of_slope, sigmoid, softplus, two_labels


class _Logistic(Bell):
    """What both codings share: log(1 + e^(s eta)), s = -1 for the label 1 and +1 for the other."""

    self_concordance = 1.0  # since l3 = -l2 tanh(eta / 2)
    dispersion = 1.0  # the loss is the negative log-likelihood

    _other: float  # the label that is not 1

    def _sign(self, y: FloatArray) -> FloatArray:
        raise NotImplementedError

    def draw(self, mean: FloatArray, precision: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return random labels, with the mean as the probability of label 1."""
        return np.where(rng.random(np.shape(mean)) < mean, 1.0, self._other)

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return log(1 + e^(s eta)): nothing cancels."""
        return softplus(self._sign(y) * eta)

    def deviance(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return twice the loss, which falls to 0."""
        return 2.0 * self.value(y, eta)

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return s sigma(s eta)."""
        sign = self._sign(y)
        return decaying(np.asarray(-sign * eta), sign)

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return sigma(eta) sigma(-eta)."""
        return root_of_slope(eta) ** 2

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -sigma(eta) sigma(-eta) tanh(eta / 2)."""
        return -self.second(y, eta) * np.tanh(eta / 2.0)

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return sigma(eta), the probability of label 1."""
        return sigmoid(eta)

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Return sigma(eta) sigma(-eta)."""
        return root_of_slope(eta) ** 2


@dataclass(frozen=True)
class LogisticLoss(_Logistic):
    """Logistic loss log(1 + e^eta) - y eta for labels 0 and 1 (eq. 15).

    Examples
    --------
    >>> import influstat as ist
    >>> float(ist.LogisticLoss().value(1.0, 0.0) - np.log(2.0))
    0.0
    """

    _other = 0.0

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64 if it holds only 0 and 1."""
        return two_labels(y, (0.0, 1.0), "Recode y to 0/1, or use Logistic(labels=(-1, 1)) for -1/+1.")

    def _sign(self, y: FloatArray) -> FloatArray:
        return 1.0 - 2.0 * y


@dataclass(frozen=True)
class SignedLogisticLoss(_Logistic):
    """Logistic loss log(1 + e^(-y eta)) for labels -1 and +1 (the loss behind eq. 17).

    Examples
    --------
    >>> import influstat as ist
    >>> float(ist.SignedLogisticLoss().first(1.0, 0.0))
    -0.5
    """

    _other = -1.0

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64 if it holds only -1 and +1."""
        return two_labels(y, (-1.0, 1.0), "Recode y to -1/+1, or use Logistic(labels=(0, 1)) for 0/1.")

    def _sign(self, y: FloatArray) -> FloatArray:
        return -y
