"""influstat: closed-form influence functions, and what really happens without a row."""

from influstat import errors
from influstat.curvature import Curvature
from influstat.losses import LogisticLoss, Loss, SignedLogisticLoss, SmoothedHinge, SquaredError
from influstat.penalty import L2
from influstat.risk import LinearRisk
from influstat.solvers import Cholesky, ConjugateGradient, LiSSA, Solution, Solver, Taylor

__all__ = [
    "L2",
    "Cholesky",
    "ConjugateGradient",
    "Curvature",
    "LiSSA",
    "LinearRisk",
    "LogisticLoss",
    "Loss",
    "SignedLogisticLoss",
    "SmoothedHinge",
    "Solution",
    "Solver",
    "SquaredError",
    "Taylor",
    "errors",
]
