"""Several standard pictures in one figure: the four of R's plot of a fit, and index plots of measures."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.settings import entries, optional_text
from influstat.input.validation import whole_number
from influstat.statistics.pictures.residuals import MOST, ResidualPictures
from influstat.statistics.pictures.slopes import SlopePictures

MEASURES = ("cooks_d", "student_resid", "bonferroni", "hat_diag")


class PanelPictures(ResidualPictures, SlopePictures):
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
        # What is refused is refused before a figure is made.
        whole_number("simulations", simulations, at_least=0, at_most=MOST)
        whole_number("seed", seed, at_least=0)
        self._columns("student_resid", "standard_resid_deviance")
        axes = self._panels(4, columns=2, height=3.8, title=title, size=size, ax=ax)
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
        axes = self._panels(len(chosen), columns=1, height=2.2, title=title, size=size, ax=ax)
        for one, measure in zip(axes, chosen, strict=True):
            self.index(measure, rules=rules, names=names, ax=one)
            first, *notes = one.get_xlabel().split("\n")
            if one is not axes[-1] and first == "row":  # said once, below the last
                one.set_xlabel("\n".join(notes))
        return axes
