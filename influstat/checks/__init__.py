"""Checks of a user's own loss, risk, fit, solver or influences: each returns a readable `Report`.

What is checked are laws that need no second implementation: derivatives are those of the function
below them, rows add up to the whole, a weight's derivative is that of a refit. NumPy and SciPy only.
"""

from influstat.checks.breakdown import BREAKDOWN_LAWS, check_breakdown
from influstat.checks.fit import FIT_LAWS, check_fit
from influstat.checks.influence import INFLUENCE_LAWS, check_influence
from influstat.checks.laws import laws
from influstat.checks.loss import LOSS_LAWS, check_loss
from influstat.checks.refit import REFIT_LAWS, check_refit
from influstat.checks.report import Finding, Report
from influstat.checks.risk import RISK_LAWS, check_risk
from influstat.checks.solver import SOLVER_LAWS, check_solver

__all__ = [
    "BREAKDOWN_LAWS",
    "FIT_LAWS",
    "INFLUENCE_LAWS",
    "LOSS_LAWS",
    "REFIT_LAWS",
    "RISK_LAWS",
    "SOLVER_LAWS",
    "Finding",
    "Report",
    "check_breakdown",
    "check_fit",
    "check_influence",
    "check_loss",
    "check_refit",
    "check_risk",
    "check_solver",
    "laws",
]
