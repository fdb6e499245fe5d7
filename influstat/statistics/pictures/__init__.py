"""`FitPlots`: what `fit.plot` is, the standard pictures of a fit in one call each."""

from influstat.statistics.pictures.fit_plots import FitPlots

__all__ = ["FitPlots"]
