"""Quantities of a fit that people report, and how they hang on single rows."""

from influstat.statistics.functionals.base import Functional
from influstat.statistics.functionals.change import FunctionalChange
from influstat.statistics.functionals.quantities import contrast, functional, predicted_mean

__all__ = ["Functional", "FunctionalChange", "contrast", "functional", "predicted_mean"]
