"""`FitPlots`: the standard pictures of a fit in one call each."""

from __future__ import annotations

from influstat.statistics.pictures.factors import FactorPictures
from influstat.statistics.pictures.influences import InfluencePictures
from influstat.statistics.pictures.losses import LossPictures
from influstat.statistics.pictures.panels import PanelPictures


class FitPlots(PanelPictures, InfluencePictures, FactorPictures, LossPictures):
    """The standard pictures of a fit; `fit.plot` is one of these.

    Every picture takes the `names`, `title`, `size` and `ax` of `influstat.plots`, whose functions draw the
    same from plain arrays, and returns the Axes.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"))
    >>> ax = fit.plot.index("cooks_d", names=1)
    >>> ax.get_ylabel(), [text.get_text() for text in ax.texts][-1]
    ("Cook's distance", 'd')
    """
