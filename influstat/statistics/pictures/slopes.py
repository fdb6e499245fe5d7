"""A coefficient as a slope in each panel of one figure, and categoricals by their levels."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.labels import label_name
from influstat.input.lazy_types import Axes
from influstat.input.printing import as_drawn, short
from influstat.input.settings import entries, flag, optional_text
from influstat.input.validation import whole_number
from influstat.risks.linear import require_linear
from influstat.statistics.categorical import categorical, categoricals
from influstat.statistics.partial import working
from influstat.statistics.pictures.base import look_of
from influstat.statistics.pictures.columns import ColumnPictures
from influstat.statistics.pictures.rows import RowPictures, require_few
from influstat.statistics.reporting import position_of

MOST_LEVELS = 40  # that are drawn in one panel


class SlopePictures(RowPictures, ColumnPictures):
    """Figures with a panel for each coefficient, and pictures of categoricals."""

    def added_variables(
        self,
        coefficients: Any = None,
        *,
        columns: int = 2,
        names: int = 2,
        title: str | None = None,
        size: Any = None,
        ax: Any = None,
    ) -> NDArray[Any]:
        r"""Draw what each column adds, a panel per coefficient.

        Parameters
        ----------
        coefficients : list of str or int, optional
            Names or positions; all that the rows determine but the constant when left out, if these are at
            most 24.
        columns : int
            Panels beside each other in a new figure.
        names : int
            How many rows of largest pull on the line are named in each panel, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`; one Axes per panel.

        Returns
        -------
        ndarray of Axes
            Each as `added_variable` draws it, in the order of the coefficients.

        Raises
        ------
        Unsupported
            The risk has no linear predictor.
        InvalidArgument, InvalidType
            There is no such coefficient, they are too many, the rows do not determine one, or an argument is
            not as above.

        Examples
        --------
        >>> import influstat as ist
        >>> X = [[1.0, 0.0, 3.0], [1.0, 1.0, 1.0], [1.0, 2.0, 2.0], [1.0, 5.0, 0.0]]
        >>> fit = ist.Ridge(lam=0.0).fit(X, [1.0, 3.0, 8.0, 9.0], names=["one", "x", "z"])
        >>> [ax.get_xlabel().partition("\n")[0] for ax in fit.plot.added_variables()]
        ['x | others', 'z | others']
        """
        sloped = self._sloped()  # what is refused is refused before a figure is made
        chosen = self._coefficients(sloped if coefficients is None else coefficients)
        names = whole_number("names", names, at_least=0)
        beside, title = whole_number("columns", columns, at_least=1), optional_text("title", title)
        axes = self._panels(len(chosen), columns=beside, height=3.2, title=title, size=size, ax=ax)
        for one, k in zip(axes, chosen, strict=True):
            self.added_variable(k, names=names, ax=one)
        return axes

    def component_residuals(
        self,
        coefficients: Any = None,
        *,
        smooth: bool = True,
        columns: int = 2,
        names: int = 2,
        title: str | None = None,
        size: Any = None,
        ax: Any = None,
    ) -> NDArray[Any]:
        r"""Draw each column against its component plus residual, and each categorical by its levels.

        Parameters
        ----------
        coefficients : list of str or int, optional
            Names or positions, and names of categoricals of the formula of at most 40 levels; all that the
            rows determine but the constant when left out, if these are at most 24. The columns of a
            categorical then have one panel together, as in ``crPlots`` of R's package car.
        smooth : bool
            Draw the local means of columns (lowess with two thirds of the rows).
        columns : int
            Panels beside each other in a new figure.
        names : int
            How many rows of largest pull on the line are named in each panel, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`; one Axes per panel.

        Returns
        -------
        ndarray of Axes
            Each as `component_residual` draws it, a categorical as `levels` does, in the order of the
            coefficients.

        Raises
        ------
        Unsupported
            The risk has no linear predictor.
        InvalidArgument, InvalidType
            There is no such coefficient, they are too many, the rows do not determine one, or an argument is
            not as above.

        Examples
        --------
        >>> import influstat as ist
        >>> X = [[1.0, 0.0, 3.0], [1.0, 1.0, 1.0], [1.0, 2.0, 2.0], [1.0, 5.0, 0.0]]
        >>> fit = ist.Ridge(lam=0.0).fit(X, [1.0, 3.0, 8.0, 9.0], names=["one", "x", "z"])
        >>> [ax.get_xlabel().partition("\n")[0] for ax in fit.plot.component_residuals()]
        ['x', 'z']
        """
        smooth = flag("smooth", smooth)
        chosen, names = self._components(coefficients), whole_number("names", names, at_least=0)
        beside, title = whole_number("columns", columns, at_least=1), optional_text("title", title)
        axes = self._panels(len(chosen), columns=beside, height=3.2, title=title, size=size, ax=ax)
        for one, panel in zip(axes, chosen, strict=True):
            if isinstance(panel, str):
                self.levels(panel, names=names, ax=one)
            else:
                self.component_residual(panel, smooth=smooth, names=names, ax=one)
        return axes

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

    def _sloped(self) -> list[int]:
        """Return the positions of the coefficients that the rows determine, without that of a constant."""
        with self._another():
            constant = require_linear(self._fit.risk, "residuals").design.constant_column
        chosen = self._determined()
        return [k for k in chosen if k != constant] or chosen

    def _components(self, coefficients: Any) -> list[int | str]:
        """Return what has a panel: positions of coefficients, names of categoricals in place of theirs."""
        fit, sloped = self._fit, self._sloped()
        found = categoricals(fit, most=MOST_LEVELS)
        factors = {name: one.columns.tolist() for name, one in found.items()}
        if coefficients is None:
            owners = {j: name for name, own in factors.items() if set(own) <= set(sloped) for j in own}
            chosen = list(dict.fromkeys(owners.get(k, k) for k in sloped))
        else:
            given = enumerate(entries("coefficients", coefficients))
            asked = [(f"coefficients[{k}]", one, isinstance(one, str) and one in factors) for k, one in given]
            chosen = [
                one if of_table else position_of(fit, one, name, list(factors))
                for name, one, of_table in asked
            ]
        require_few([one if isinstance(one, str) else fit.names[one] for one in chosen])
        return chosen
