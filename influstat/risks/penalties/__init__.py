"""Penalties P(theta), one file each; `p + q` is their sum."""

from influstat.risks.penalties.base import Penalty, PenaltySum
from influstat.risks.penalties.l2 import L2
from influstat.risks.penalties.linear import Linear
from influstat.risks.penalties.quadratic import Quadratic
from influstat.risks.penalties.smoothed_l1 import SmoothedL1
from influstat.risks.penalties.toward import Toward

__all__ = ["L2", "Linear", "Penalty", "PenaltySum", "Quadratic", "SmoothedL1", "Toward"]
