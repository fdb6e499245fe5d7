"""What really happens without a row: first order and exact refits behind one form of result."""

from influstat.removal.leave_out import leave_one_out
from influstat.removal.result import Removal

__all__ = ["Removal", "leave_one_out"]
