"""influstat: closed-form influence functions, and what really happens without a row.

"The paper" of the docstrings, and the source of equation numbers, is Liu, Liu, Qi and Yang, *Understanding
Model Predictions via Influence Functions*, which reproduces Koh and Liang (2017, ICML).
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from influstat import checks, errors
from influstat.adapters import from_sklearn, from_statsmodels, negative_curvature_rows
from influstat.applications.mislabelled import Suspects, find_mislabelled
from influstat.curvature.linear import Curvature
from influstat.fit import Fit
from influstat.influence.influence import Influence
from influstat.influence.inputs import InputScores, input_influence
from influstat.influence.scores import Scores
from influstat.input.ranking import Ranking
from influstat.losses.base import Loss
from influstat.losses.differenced import DifferencedLoss
from influstat.losses.hinge import SmoothedHinge, SquaredHinge
from influstat.losses.logistic import LogisticLoss, SignedLogisticLoss
from influstat.losses.numerical import NumericalLoss
from influstat.losses.poisson import PoissonLoss
from influstat.losses.residual import HuberLoss, PseudoHuberLoss, SmoothedCheck
from influstat.losses.squared import SquaredError
from influstat.models.linear import HingeSVC, Logistic, Ridge, SmoothedSVC
from influstat.partitioned.answers.answer import Answer
from influstat.partitioned.data import Partitions, partitions
from influstat.partitioned.fit import PartitionedFit
from influstat.partitioned.groups.cross_validation import PartitionedCrossValidation
from influstat.partitioned.groups.leave_out import GroupRemoval
from influstat.partitioned.influence import PartitionedInfluence
from influstat.partitioned.removal.leave_out import PartitionedRemoval
from influstat.partitioned.risk import PartitionedRisk
from influstat.removal import (
    CrossValidation,
    PredictionIntervals,
    Removal,
    cross_validate,
    cross_validate_lam,
    prediction_intervals,
)
from influstat.removal.report import RemovalReport
from influstat.risks.black_box import BlackBoxRisk
from influstat.risks.contract import Risk
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties import L2, Linear, Penalty, Quadratic, SmoothedL1, Toward
from influstat.risks.softmax import SoftmaxRisk
from influstat.sets.reach import Reach
from influstat.sets.result import Breakdown
from influstat.sets.table import BreakdownTable, breakdown_table
from influstat.solvers import Cholesky, ConjugateGradient, LiSSA, Solution, Solver, Taylor
from influstat.statistics.effects import average_marginal_effect, odds_ratio
from influstat.statistics.functionals import Functional, contrast, functional, predicted_mean

__all__ = [
    "L2",
    "Answer",
    "BlackBoxRisk",
    "Breakdown",
    "BreakdownTable",
    "Cholesky",
    "ConjugateGradient",
    "CrossValidation",
    "Curvature",
    "DifferencedLoss",
    "Fit",
    "Functional",
    "GroupRemoval",
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
    "PartitionedCrossValidation",
    "PartitionedFit",
    "PartitionedInfluence",
    "PartitionedRemoval",
    "PartitionedRisk",
    "Partitions",
    "Penalty",
    "PoissonLoss",
    "PredictionIntervals",
    "PseudoHuberLoss",
    "Quadratic",
    "Ranking",
    "Reach",
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
    "breakdown_table",
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
    "partitions",
    "predicted_mean",
    "prediction_intervals",
]

# Parts that are loaded when they are first asked for, as `ist.plots`: they need more time, or more packages.
ON_DEMAND = ("datasets", "experiments", "plots", "strategies")

if TYPE_CHECKING:
    from influstat import datasets as datasets
    from influstat import experiments as experiments
    from influstat import plots as plots
    from influstat import strategies as strategies

    __version__: str
else:

    def __getattr__(name: str) -> object:
        """Load a part, or look up the version, when it is first asked for."""
        if name == "__version__":
            from influstat.version import version

            value = version()
        elif name in ON_DEMAND:
            value = import_module(f"influstat.{name}")
        else:
            raise AttributeError(f"module 'influstat' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """Return what users look for, without the inner modules that an import leaves behind."""
    # Completion at the prompt gives up where a name that is listed cannot be had.
    parts = [part for part in ON_DEMAND if part != "strategies" or find_spec("hypothesis") is not None]
    special = {"__version__", *(name for name in globals() if name.startswith("__"))}
    return sorted([*__all__, *parts, *special])
