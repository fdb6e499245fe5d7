"""Pointwise losses l(y, eta), one file a family."""

from influstat.losses.base import Loss
from influstat.losses.differenced import DifferencedLoss
from influstat.losses.hinge import SmoothedHinge, SquaredHinge
from influstat.losses.logistic import LogisticLoss, SignedLogisticLoss
from influstat.losses.numerical import NumericalLoss
from influstat.losses.poisson import PoissonLoss
from influstat.losses.residual import HuberLoss, PseudoHuberLoss, SmoothedCheck
from influstat.losses.squared import SquaredError

__all__ = [
    "DifferencedLoss",
    "HuberLoss",
    "LogisticLoss",
    "Loss",
    "NumericalLoss",
    "PoissonLoss",
    "PseudoHuberLoss",
    "SignedLogisticLoss",
    "SmoothedCheck",
    "SmoothedHinge",
    "SquaredError",
    "SquaredHinge",
]
