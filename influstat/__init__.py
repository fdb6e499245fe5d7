"""influstat: closed-form influence functions, and what really happens without a row.

"The paper" of the docstrings, and the source of equation numbers, is Liu, Liu, Qi and Yang, *Understanding
Model Predictions via Influence Functions*, which reproduces Koh and Liang (2017, ICML).
"""

from influstat import checks, errors
from influstat.adapters import from_sklearn, from_statsmodels, negative_curvature_rows
from influstat.black_box import BlackBoxRisk
from influstat.contract import Risk
from influstat.curvature import Curvature
from influstat.effects import average_marginal_effect, odds_ratio
from influstat.fit import Fit
from influstat.functionals import Functional, contrast, functional, predicted_mean
from influstat.influence import Influence
from influstat.input_influence import InputScores, input_influence
from influstat.losses import LogisticLoss, Loss, SignedLogisticLoss, SmoothedHinge, SquaredError
from influstat.mislabelled import Suspects, find_mislabelled
from influstat.models import HingeSVC, Logistic, Ridge, SmoothedSVC
from influstat.more_losses import HuberLoss, PoissonLoss, PseudoHuberLoss, SmoothedCheck, SquaredHinge
from influstat.numerical_loss import NumericalLoss
from influstat.penalty import L2
from influstat.removal import CrossValidation, Removal, cross_validate, cross_validate_lam
from influstat.removal.report import RemovalReport
from influstat.risk import LinearRisk
from influstat.scores import Ranking, Scores
from influstat.smoothed_l1 import SmoothedL1, SmoothedL1Risk
from influstat.softmax import SoftmaxRisk
from influstat.solvers import Cholesky, ConjugateGradient, LiSSA, Solution, Solver, Taylor

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
    "LinearRisk",
    "Logistic",
    "LogisticLoss",
    "Loss",
    "NumericalLoss",
    "PoissonLoss",
    "PseudoHuberLoss",
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
    "SmoothedL1Risk",
    "SmoothedSVC",
    "SoftmaxRisk",
    "Solution",
    "Solver",
    "SquaredError",
    "SquaredHinge",
    "Suspects",
    "Taylor",
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
