"""Several standard pictures in one figure: the four of R's plot of a fit, and index plots of measures."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.settings import entries, flag, optional_text
from influstat.input.validation import whole_number
from influstat.risks.linear import require_linear
from influstat.statistics.partial import partial_residuals
from influstat.statistics.pictures.base import drawing
from influstat.statistics.pictures.columns import ColumnPictures
from influstat.statistics.pictures.residuals import MOST, ResidualPictures
from influstat.statistics.pictures.rows import RowPictures

MEASURES = ("cooks_d", "student_resid", "bonferroni", "hat_diag")


class PanelPictures(RowPictures, ResidualPictures, ColumnPictures):
    """Figures of several pictures."""

    def overview(
        self,
        *,
        simulations: int = 99,
        seed: int = 0,
        names: int = 3,
        title: str | None = None,
        size: Any = None,
        ax: Any = None,
    ) -> NDArray[Any]:
        """Draw the four pictures of R's ``plot(fit)``: residuals, quantiles, spread, and leverage.

        Parameters
        ----------
        simulations, seed
            As for `qq`.
        names : int
            How many rows are named in each panel, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`; one Axes per panel.

        Returns
        -------
        ndarray of Axes, shape (4,)
            Those of `residuals`, `qq`, `scale_location` and `cooks_contours`.

        Raises
        ------
        Unsupported
            The risk has no linear predictor, or its loss no variance.
        InvalidArgument, InvalidType
            An argument is not as above.

        Warns
        -----
        DoubtfulResult
            Some rows have measures that do not exist: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"))
        >>> [ax.get_title() for ax in fit.plot.overview(simulations=0)]
        ['residuals', 'quantiles', 'spread', 'leverage']
        """
        names, title = whole_number("names", names, at_least=0), optional_text("title", title)
        (
            whole_number("simulations", simulations, at_least=0, at_most=MOST),
            whole_number("seed", seed, at_least=0),
        )
        self._columns(
            "student_resid", "standard_resid_deviance"
        )  # refuses, if it must, before a figure is made
        with drawing() as plots:
            axes: NDArray[Any] = plots.base.several_axes(ax, 4, columns=2, height=3.8, size=size)
            plots.base.figure_title(axes, title)
        self.residuals(names=names, title="residuals", ax=axes[0])
        self.qq(simulations=simulations, seed=seed, names=names, title="quantiles", ax=axes[1])
        self.scale_location(names=names, title="spread", ax=axes[2])
        self.cooks_contours(names=names, title="leverage", ax=axes[3])
        return axes

    def indices(
        self,
        measures: Any = MEASURES,
        *,
        rules: str | None = "R",
        names: int = 3,
        title: str | None = None,
        size: Any = None,
        ax: Any = None,
    ) -> NDArray[Any]:
        """Draw index plots of several measures below each other, each in its own scale.

        When no measures are named they are those of ``influenceIndexPlot`` of R's package car: Cook's
        distance, studentised residuals, their Bonferroni p values as outliers, and leverage.

        Parameters
        ----------
        measures : list of str
            As for `index`, which draws each.
        rules : {"R", "size-adjusted"}, optional
            Whose thresholds are drawn, as `Fit.flags` has them; None for no lines.
        names : int
            How many of the largest are marked and, where there is room, named, in each panel.
        title, size, ax
            As for all pictures: see `influstat.plots`; one Axes per panel.

        Returns
        -------
        ndarray of Axes
            In the order of the measures.

        Raises
        ------
        Unsupported
            This fit has no such measure.
        InvalidArgument, InvalidType
            There are no measures or no such measure, or an argument is not as above.

        Warns
        -----
        DoubtfulResult
            Some rows have measures that do not exist: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"))
        >>> [ax.get_ylabel() for ax in fit.plot.indices()]
        ["Cook's distance", 'studentised residual', 'Bonferroni p value', 'leverage']
        """
        names, title = whole_number("names", names, at_least=0), optional_text("title", title)
        chosen = entries("measures", measures)
        if not chosen:
            raise InvalidArgument("measures", "name at least one", "is empty", 'Pass ["cooks_d"], say.')
        for one in chosen:
            self._measure(one)  # what is refused is refused before a figure is made
            self._limit("", rules)
        with drawing() as plots:
            axes: NDArray[Any] = plots.base.several_axes(ax, len(chosen), columns=1, height=2.2, size=size)
            plots.base.figure_title(axes, title)
        for one, measure in zip(axes, chosen, strict=True):
            self.index(measure, rules=rules, names=names, ax=one)
            first, *notes = one.get_xlabel().split("\n")
            if one is not axes[-1] and first == "row":  # said once, below the last
                one.set_xlabel("\n".join(notes))
        return axes

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
        chosen, names = self._sloped(coefficients), whole_number("names", names, at_least=0)
        axes = self._panels(len(chosen), columns, title, size, ax)
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
        r"""Draw each column against its component plus residual, a panel per coefficient.

        Parameters
        ----------
        coefficients : list of str or int, optional
            Names or positions; all that the rows determine but the constant when left out, if these are at
            most 24.
        smooth : bool
            Draw the local means (lowess with two thirds of the rows).
        columns : int
            Panels beside each other in a new figure.
        names : int
            How many rows of largest pull on the line are named in each panel, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`; one Axes per panel.

        Returns
        -------
        ndarray of Axes
            Each as `component_residual` draws it, in the order of the coefficients.

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
        chosen, names = self._sloped(coefficients), whole_number("names", names, at_least=0)
        axes = self._panels(len(chosen), columns, title, size, ax)
        for one, k in zip(axes, chosen, strict=True):
            self.component_residual(k, smooth=smooth, names=names, ax=one)
        return axes

    def _sloped(self, coefficients: Any) -> list[int]:
        """Return the positions of the coefficients to draw: when left out, all but that of a constant."""
        risk = require_linear(self._fit.risk, "residuals")
        chosen = self._coefficients(coefficients)
        if coefficients is None and len(chosen) > 1:
            chosen = [k for k in chosen if k != risk.design.constant_column]
        for k in chosen:
            partial_residuals(self._fit, k)  # what is refused is refused before a figure is made
        return chosen

    def _panels(self, count: int, columns: Any, title: Any, size: Any, ax: Any) -> NDArray[Any]:
        """Return the axes of a figure of panels."""
        beside, title = whole_number("columns", columns, at_least=1), optional_text("title", title)
        with drawing() as plots:
            axes: NDArray[Any] = plots.base.several_axes(ax, count, columns=beside, height=3.2, size=size)
            plots.base.figure_title(axes, title)
        return axes
