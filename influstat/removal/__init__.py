"""What really happens without a row or a group: first order, Newton step, exact refits."""

from influstat.removal.leave_out import leave_groups_out, leave_one_out
from influstat.removal.result import Removal

__all__ = ["Removal", "leave_groups_out", "leave_one_out"]
