"""The picture of a categorical: what the fit gives each of its levels, and what it leaves of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from influstat.errors import InvalidArgument
from influstat.input.labels import label_name
from influstat.input.printing import as_drawn, short
from influstat.statistics.categorical import categorical
from influstat.statistics.partial import working
from influstat.statistics.pictures.base import Pictures, look_of
from influstat.statistics.reporting import position_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            The effect of a level, a thick line, is what the columns that are the same in all its rows add up
            to, the constant left out: 0 for the level that others are compared with. Columns that differ
            within a level, such as interactions, have no part in it. Points are the effect plus the working
            residual, which for a GLM is in the units of the linear predictor. Levels stand in the order of a
            pandas categorical, else sorted.

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
        look, fit = look_of(names, title, size, ax), self._fit
        with self._another():
            found, left = categorical(fit, factor), working(fit)
        for j in found.columns:
            position_of(fit, int(j), "factor")  # refuses what the rows do not determine
        effects = found.values @ fit.theta[found.columns]
        called = list(map(label_name, found.labels))
        if len(set(called)) < len(called):
            need = "have levels of different names to be drawn"
            raise InvalidArgument("factor", need, f"has {short(called)}", "Rename one of them.")
        return self._draw(
            "values_by_level",
            [called[k] for k in found.level],
            left.residuals + effects[found.level],
            effects=dict(zip(called, effects.tolist(), strict=True)),
            level_name=as_drawn(factor) if isinstance(factor, str) else "level",
            **look,
        )
