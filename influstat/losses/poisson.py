"""The loss of counts: Poisson with a logarithmic link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import xlogy

from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray, vector
from influstat.losses.base import Bell
from influstat.losses.drawing import counts


@dataclass(frozen=True)
class PoissonLoss(Bell):
    """Poisson loss e^eta - y eta with log link, the negative log-likelihood without log y!.

    Notes
    -----
    Source: McCullagh and Nelder (1989), Generalized Linear Models, chapter 6. y may be any number of
    at least 0 (quasi-Poisson). Above eta = 709.78 the loss is inf: e^eta leaves float64.

    Examples
    --------
    >>> import influstat as ist
    >>> float(ist.PoissonLoss().value(3.0, 0.0)), float(ist.PoissonLoss().first(3.0, 0.0))
    (1.0, -2.0)
    """

    self_concordance = 1.0  # since l3 = l2
    dispersion = 1.0  # the loss is the negative log-likelihood

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64 if it holds no negative number."""
        targets = vector("y", y)
        if (targets < 0).any():
            row = int(np.argmax(targets < 0))
            was = f"holds {targets[row]:g} at row {row}"
            raise InvalidArgument("y", "hold counts or rates of at least 0", was, "Correct it.")
        return targets

    draw = staticmethod(counts)

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return e^eta - y eta."""
        return _exp(eta) - y * eta

    def deviance(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 2 [y log(y / mu) - (y - mu)], mu = e^eta."""
        return 2.0 * (xlogy(y, y) - y * eta - y + _exp(eta))

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return e^eta - y, to the last digit also where y = 1 and eta is next to 0."""
        with np.errstate(over="ignore"):
            return np.where(y == 1.0, np.expm1(eta), np.exp(eta) - y)

    def slope_size(self, y: FloatArray) -> FloatArray:
        """Return y: e^eta is at most that and the slope."""
        return np.abs(y)

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return e^eta."""
        return _exp(eta)

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return e^eta."""
        return _exp(eta)

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return e^eta."""
        return _exp(eta)

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Return e^eta."""
        return _exp(eta)


def _exp(eta: FloatArray) -> FloatArray:
    """Return e^eta, inf beyond float64: a line search must be able to look there and turn back."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(eta))
