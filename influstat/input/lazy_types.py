"""Types of packages that are imported only where they are used, for annotations: `Any` when code runs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text
    from pandas import DataFrame, Index, Series
    from statsmodels.iolib.summary import Summary
    from statsmodels.iolib.table import SimpleTable
else:
    Axes = DataFrame = Index = Series = SimpleTable = Summary = Text = Any

__all__ = ["Axes", "DataFrame", "Index", "Series", "SimpleTable", "Summary", "Text"]
