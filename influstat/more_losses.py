"""More pointwise losses: counts and the squared hinge; outliers and quantiles come from `residual_losses`.

Each has its value and first three derivatives in the linear predictor eta, elementwise. A loss whose
second derivative jumps says where in `kinks`: influence is not a derivative for a row that sits there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.losses import two_labels
from influstat.residual_losses import HuberLoss, NoMean, PseudoHuberLoss, SmoothedCheck
from influstat.validation import FloatArray, vector

__all__ = ["HuberLoss", "PoissonLoss", "PseudoHuberLoss", "SmoothedCheck", "SquaredHinge"]


@dataclass(frozen=True)
class PoissonLoss:
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

    @property
    def self_concordance(self) -> float:
        """Return 1, since l3 = l2."""
        return 1.0

    @property
    def dispersion(self) -> float | None:
        """Return 1: the loss is the negative log-likelihood."""
        return 1.0

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64 if it holds no negative number."""
        targets = vector("y", y)
        if (targets < 0).any():
            row = int(np.argmax(targets < 0))
            raise InvalidArgument(
                "y",
                "hold counts or rates of at least 0",
                f"holds {targets[row]:g} at row {row}",
                "Correct it.",
            )
        return targets

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return e^eta - y eta."""
        return _exp(eta) - y * eta

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return e^eta - y, to the last digit also where y = 1 and eta is next to 0."""
        with np.errstate(over="ignore"):
            return np.where(y == 1.0, np.expm1(eta), np.exp(eta) - y)

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


@dataclass(frozen=True)
class SquaredHinge(NoMean):
    """Squared hinge max(0, 1 - y eta)^2 for labels -1 and +1, without a factor 1/2.

    Notes
    -----
    Source: Chang, Hsieh and Lin (2008), JMLR 9 (the L2-loss SVM). The second derivative jumps at the
    margin y eta = 1 (2 inside, 0 there and outside), so there is no self-concordance constant.

    Examples
    --------
    >>> import influstat as ist
    >>> float(ist.SquaredHinge().value(1.0, -1.0)), float(ist.SquaredHinge().first(1.0, -1.0))
    (4.0, -4.0)
    """

    _models = "a decision"

    @property
    def self_concordance(self) -> float:
        """Return inf: the second derivative jumps."""
        return float("inf")

    def kinks(self, y: FloatArray) -> FloatArray:
        """Return the eta at which the second derivative jumps, shape (1, n)."""
        return np.array([y])

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64 if it holds only -1 and +1."""
        return two_labels(y, (-1.0, 1.0), "Recode y to -1/+1, for instance 2 * y - 1 from 0/1.")

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return max(0, 1 - y eta)^2."""
        return np.asarray(np.maximum(0.0, 1.0 - y * eta) ** 2)

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -2 y max(0, 1 - y eta)."""
        return np.asarray(-2.0 * y * np.maximum(0.0, 1.0 - y * eta))

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 2 where y eta < 1, else 0."""
        return np.where(y * eta < 1.0, 2.0, 0.0)

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 0, which holds everywhere but at the margin."""
        return np.zeros(np.broadcast_shapes(np.shape(y), np.shape(eta)))


def _exp(eta: FloatArray) -> FloatArray:
    """Return e^eta, inf beyond float64: a line search must be able to look there and turn back."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(eta))
