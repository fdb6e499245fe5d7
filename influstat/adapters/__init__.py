"""Finished fits of other libraries become a `Fit`; the libraries are imported only when used."""

from influstat.adapters.negative_curvature import negative_curvature_rows
from influstat.adapters.scikit_learn.entry import from_sklearn
from influstat.adapters.statsmodels.entry import from_statsmodels

__all__ = ["from_sklearn", "from_statsmodels", "negative_curvature_rows"]
