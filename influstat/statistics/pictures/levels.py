"""The picture of a categorical: what the fit gives each of its levels, and what it leaves of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.groups import Groups, read_groups
from influstat.input.labels import label_name
from influstat.input.validation import FloatArray, whole_number
from influstat.minimise.minimum import Minimum
from influstat.minimise.named_column import named_column
from influstat.statistics.partial import working
from influstat.statistics.pictures.base import Pictures, drawing
from influstat.statistics.reporting import position_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOULD = "part all rows into levels, which each row has one of"
CATEGORICAL = "Pass the name of a categorical of the formula, or its labels, one per row."


class LevelPictures(Pictures):
    """The picture of a categorical."""

    def levels(
        self,
        factor: Any,
        *,
        names: int = 3,
        title: str | None = None,
        size: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw component plus residual by the levels of a categorical, as R's ``crPlots`` draws factors.

        What happens to a coefficient without a level is drawn by `forest`, with ``groups=`` of the same
        categorical, and by `groups`.

        Parameters
        ----------
        factor : str, array_like or dict
            As `groups` of `Fit.leave_groups_out`: the name of a column of the table that a formula was fitted
            with, or one label per row, at most 40 kinds.
        names : int
            How many rows of largest residual are named, where there is room.
        title : str, optional
            Above the axes.
        size : pair of float, optional
            Width and height of a new figure in inches.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            The effect of a level, a black line, is what the columns that are the same in all its rows add up
            to, the constant left out: 0 for the level that others are compared with. Columns that differ
            within a level, such as interactions, have no part in it. Points are the effect plus the working
            residual, which for a GLM is in the units of the linear predictor.

        Raises
        ------
        Unsupported
            The risk has no linear predictor.
        InvalidArgument, InvalidType
            The levels do not part the rows, no column is made of them or its coefficient is not determined,
            or an argument is not as above.

        Examples
        --------
        >>> import influstat as ist
        >>> X = [[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]]
        >>> fit = ist.Ridge(lam=0.0).fit(X, [1.0, 3.0, 7.0, 9.0], names=["one", "treated"])
        >>> ax = fit.plot.levels(["no", "no", "yes", "yes"])
        >>> [label.get_text() for label in ax.get_xticklabels()]      # effects 0 and 6, the means' difference
        ['no', 'yes']
        """
        names, fit = whole_number("names", names, at_least=0), self._fit
        found = read_groups(named_column(fit, factor, "factor"), fit.row_labels, "factor")
        level, left = _level_of_each(found, len(fit.row_labels)), working(fit)
        effects = _effects(fit, left.X, found)
        called = list(map(label_name, found.labels))
        with drawing() as plots:
            drawn: Axes = plots.values_by_level(
                [called[k] for k in level],
                left.residuals + effects[level],
                effects=dict(zip(called, effects.tolist(), strict=True)),
                level_name=factor if isinstance(factor, str) else "level",
                row_labels=fit.row_labels,
                names=names,
                title=title,
                size=size,
                ax=ax,
            )
        return drawn


def _level_of_each(found: Groups, n: int) -> Any:
    """Return the position of each row's level, shape (n,); or raise where a row has none or several."""
    times = np.bincount(found.members, minlength=n)
    if (times != 1).any():
        row = int(np.argmax(times != 1))
        was = f"gives the row at position {row} {'no level' if times[row] == 0 else f'{times[row]} levels'}"
        raise InvalidArgument("factor", SHOULD, was, CATEGORICAL)
    levels = np.empty(n, dtype=np.intp)
    levels[found.members] = np.repeat(np.arange(len(found)), found.sizes)
    return levels


def _effects(fit: Minimum, X: FloatArray, found: Groups) -> FloatArray:
    """Return what the columns that are constant within every level add up to, shape (K,); or raise."""
    first = X[found.members[found.starts[:-1]]]
    of_levels = (X[found.members] == np.repeat(first, found.sizes, axis=0)).all(axis=0)
    of_levels &= (first != first[0]).any(axis=0)  # not the constant
    columns = np.flatnonzero(of_levels)
    if not len(columns):
        need = "be what some column of the fit is made of"
        was = "has no column that is the same in all rows of each level and differs between levels"
        raise InvalidArgument("factor", need, was, CATEGORICAL)
    for j in columns:
        position_of(fit, int(j), "factor")  # refuses what the rows do not determine
    return np.asarray(first[:, columns] @ fit.theta[columns])
