"""Squared error (eq. 13 of Liu, Liu, Qi and Yang's reproduction of Koh and Liang, 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influstat.input.validation import FloatArray
from influstat.losses.base import Location
from influstat.losses.drawing import normal


@dataclass(frozen=True)
class SquaredError(Location):
    """Squared error (y - eta)^2 of eq. 13, without a factor 1/2.

    Examples
    --------
    >>> import influstat as ist
    >>> ist.SquaredError().value(3.0, 1.0), ist.SquaredError().first(3.0, 1.0)
    (4.0, -4.0)
    """

    quadratic = 2.0
    self_concordance = 0.0  # the third derivative vanishes
    dispersion = None  # the variance is to be estimated (phi = 2 sigma^2, as there is no factor 1/2)

    def draw(self, mean: FloatArray, precision: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return normal targets; the dispersion is twice their variance."""
        return normal(mean, 2.0 * precision, rng)

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return (y - eta)^2."""
        return (y - eta) ** 2

    def deviance(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 2 (y - eta)^2: twice the loss, which is 0 at its best."""
        return 2.0 * (y - eta) ** 2

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -2 (y - eta)."""
        return -2.0 * (y - eta)

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 2."""
        return np.full(np.shape(eta), 2.0)

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 0."""
        return np.zeros(np.shape(eta))
