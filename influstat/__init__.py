"""influstat: closed-form influence functions, and what really happens without a row.

"The paper" of the docstrings, and the source of equation numbers, is Liu, Liu, Qi and Yang, *Understanding
Model Predictions via Influence Functions*, which reproduces Koh and Liang (2017, ICML).
"""

from influstat import checks, errors
from influstat.adapters import from_sklearn, from_statsmodels, negative_curvature_rows
from influstat.applications.mislabelled import Suspects, find_mislabelled
from influstat.curvature.linear import Curvature
from influstat.fit import Fit
from influstat.influence.influence import Influence
from influstat.influence.inputs import InputScores, input_influence
from influstat.influence.scores import Ranking, Scores
from influstat.losses.base import Loss
from influstat.losses.hinge import SmoothedHinge, SquaredHinge
from influstat.losses.logistic import LogisticLoss, SignedLogisticLoss
from influstat.losses.numerical import NumericalLoss
from influstat.losses.poisson import PoissonLoss
from influstat.losses.residual import HuberLoss, PseudoHuberLoss, SmoothedCheck
from influstat.losses.squared import SquaredError
from influstat.models.linear import HingeSVC, Logistic, Ridge, SmoothedSVC
from influstat.removal import CrossValidation, Removal, cross_validate, cross_validate_lam
from influstat.removal.report import RemovalReport
from influstat.risks.black_box import BlackBoxRisk
from influstat.risks.contract import Risk
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties import L2, Linear, Penalty, Quadratic, SmoothedL1, Toward
from influstat.risks.softmax import SoftmaxRisk
from influstat.solvers import Cholesky, ConjugateGradient, LiSSA, Solution, Solver, Taylor
from influstat.statistics.effects import average_marginal_effect, odds_ratio
from influstat.statistics.functionals import Functional, contrast, functional, predicted_mean

__all__ = [
    "L2",
    "BlackBoxRisk",
    "Cholesky",
    "ConjugateGradient",
    "CrossValidation",
    "Curvature",
    "Fit",
    "Functional",
    "HingeSVC",
    "HuberLoss",
    "Influence",
    "InputScores",
    "LiSSA",
    "Linear",
    "LinearRisk",
    "Logistic",
    "LogisticLoss",
    "Loss",
    "NumericalLoss",
    "Penalty",
    "PoissonLoss",
    "PseudoHuberLoss",
    "Quadratic",
    "Ranking",
    "Removal",
    "RemovalReport",
    "Ridge",
    "Risk",
    "Scores",
    "SignedLogisticLoss",
    "SmoothedCheck",
    "SmoothedHinge",
    "SmoothedL1",
    "SmoothedSVC",
    "SoftmaxRisk",
    "Solution",
    "Solver",
    "SquaredError",
    "SquaredHinge",
    "Suspects",
    "Taylor",
    "Toward",
    "average_marginal_effect",
    "checks",
    "contrast",
    "cross_validate",
    "cross_validate_lam",
    "errors",
    "find_mislabelled",
    "from_sklearn",
    "from_statsmodels",
    "functional",
    "input_influence",
    "negative_curvature_rows",
    "odds_ratio",
    "predicted_mean",
]
