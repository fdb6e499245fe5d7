"""Finished fits of other libraries become a `Fit`; the libraries are imported only when used."""

from influstat.adapters.statsmodels import from_statsmodels

__all__ = ["from_statsmodels"]
