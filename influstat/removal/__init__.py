"""What really happens without a row or a group: first order, Newton step, exact refits."""

from influstat.removal.cross_validation import cross_validate
from influstat.removal.cross_validation_lam import cross_validate_lam
from influstat.removal.cross_validation_result import CrossValidation
from influstat.removal.intervals import PredictionIntervals, prediction_intervals
from influstat.removal.leave_out import leave_groups_out, leave_one_out
from influstat.removal.result import Removal
from influstat.removal.stream import LossChanges, loss_changes, plan, stream

__all__ = [
    "CrossValidation",
    "LossChanges",
    "PredictionIntervals",
    "Removal",
    "cross_validate",
    "cross_validate_lam",
    "leave_groups_out",
    "leave_one_out",
    "loss_changes",
    "plan",
    "prediction_intervals",
    "stream",
]
