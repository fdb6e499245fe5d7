"""Pictures of measures of rows: bubbles, index plots, DFBETAS, contours of Cook's distance."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, Unsupported
from influstat.input.lazy_types import Axes
from influstat.input.printing import as_drawn
from influstat.input.settings import entries
from influstat.input.validation import choice
from influstat.statistics.flags import RULES, rules_of
from influstat.statistics.pictures.base import NAMES, P_VALUES, Pictures, look_of, require_some
from influstat.statistics.reporting import position_of

MOST_PANELS = 24
LEVEL = 0.05  # below which p values are looked at, by habit


class RowPictures(Pictures):
    """Pictures of the measures of `Fit.diagnostics`."""

    def bubble(
        self, *, names: int = 2, title: str | None = None, size: Any = None, ax: Axes | None = None
    ) -> Axes:
        """Draw studentised residuals against leverage, the area of each circle Cook's distance.

        Parameters
        ----------
        names : int
            How many rows are coloured and, where there is room, named: so many of largest Cook's distance,
            of largest residual and of largest leverage, as car's ``influencePlot``.
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            With lines at twice the mean leverage, and at residuals of plus and minus 2. The residuals are
            `student_resid` of `Fit.diagnostics`, those of a GLM after Williams (deviance and Pearson).

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
        >>> fit.plot.bubble(names=1).get_xlabel()
        'leverage'
        """
        look = look_of(names, title, size, ax)
        leverage, residual, distance = self._columns("hat_diag", "student_resid", "cooks_d")
        return self._draw(
            "influence_bubble",
            leverage,
            residual,
            distance,
            coefficients=float(np.nansum(leverage)),
            limit=2.0,
            **look,
        )

    def index(
        self,
        measure: str = "cooks_d",
        *,
        rules: str | None = "R",
        names: int = 3,
        title: str | None = None,
        size: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        r"""Draw one measure of every row as a stem over its position.

        Parameters
        ----------
        measure : str
            A column of `Fit.diagnostics`, such as "cooks_d", "hat_diag", "student_resid" or "cov_ratio";
            "dfb_<name>" (DFBETAS) and "dfbeta_<name>" for a coefficient; or a p value of
            `Fit.outlier_test`, such as "bonferroni".
        rules : {"R", "size-adjusted"}, optional
            Whose threshold is drawn, for the measures that `Fit.flags` has a rule for, and 0.05 for p values;
            None for no line.
        names : int
            How many of the largest are marked and, where there is room, named.
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            Stems start at 0, those of "cov_ratio" and of p values, which go down, at 1. Where most rows
            have a p value of 1 only those below it are named.

        Raises
        ------
        Unsupported
            This fit has no such measure.
        InvalidArgument, InvalidType
            There is no such measure, or an argument is not as above.

        Warns
        -----
        DoubtfulResult
            Some rows have measures that do not exist: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"))
        >>> [text.get_text() for text in fit.plot.index("dfb_x0", names=1).texts]
        ['limit of R\n= 1', '-1', 'd']
        """
        look = look_of(names, title, size, ax)
        values, said, kind = self._measure(measure)
        limit, name = self._limit(kind, rules)
        return self._draw(
            "influence_index",
            values,
            name=said,
            threshold=limit,
            threshold_name=name,
            origin=1.0 if kind == "cov_ratio" or kind in P_VALUES else 0.0,
            **look,
        )

    def dfbetas(
        self,
        coefficients: Any = None,
        *,
        rules: str | None = "R",
        names: int = 2,
        columns: int = 2,
        title: str | None = None,
        size: Any = None,
        ax: Any = None,
    ) -> NDArray[Any]:
        """Draw the DFBETAS of every row, one panel per coefficient, all in the same scale.

        Parameters
        ----------
        coefficients : list of str or int, optional
            Names or positions; all that the rows determine when left out, if these are at most 24.
        rules : {"R", "size-adjusted"}, optional
            Whose threshold is drawn, as `Fit.flags` has it; None for no line.
        names : int
            How many of the largest are marked and, where there is room, named, in each panel.
        columns : int
            Panels beside each other in a new figure.
        title, size, ax
            As for all pictures: see `influstat.plots`; one Axes per coefficient.

        Returns
        -------
        ndarray of Axes
            In the order of the coefficients. The sign is that of `Fit.diagnostics`: before minus after.

        Raises
        ------
        Unsupported
            The loss says nothing of the variance of y.
        InvalidArgument, InvalidType
            There is no such coefficient, they are too many, or an argument is not as above.

        Warns
        -----
        DoubtfulResult
            Some rows have no DFBETAS: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> X = [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 5.0]]
        >>> fit = ist.Ridge(lam=0.0).fit(X, [1.0, 3.0, 2.0, 9.0], names=["one", "age"])
        >>> [ax.get_title() for ax in fit.plot.dfbetas()]
        ['one', 'age']
        """
        look = look_of(names, title, size, ax)
        chosen = self._coefficients(coefficients)
        limit, name = self._limit("dfbetas", rules)
        table = self._diagnostics("dfbetas").to_numpy()
        require_some(table[:, chosen])
        return self._draw_panels(
            "influence_panels",
            {as_drawn(self._fit.names[k]): table[:, k] for k in chosen},
            threshold=limit,
            threshold_name=name,
            columns=columns,
            **look,
        )

    def cooks_contours(
        self, *, names: int = 3, title: str | None = None, size: Any = None, ax: Axes | None = None
    ) -> Axes:
        """Draw standardised residuals against leverage with contours of Cook's distance, as R does.

        Parameters
        ----------
        names : int
            How many rows of largest Cook's distance are named, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            Contours at 0.5 and 1. The residuals are `standard_resid` of `Fit.diagnostics`, Pearson's for a
            GLM, since the contours are r^2 h / ((1 - h) p) = c in these.

        Raises
        ------
        Unsupported
            The risk has no linear predictor, or its loss no variance.
        InvalidArgument, InvalidType
            An argument is not as above.

        Warns
        -----
        DoubtfulResult
            Some rows have no such residual, those of leverage 1: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"))
        >>> fit.plot.cooks_contours().get_ylabel()
        'standardised residual'
        """
        look = look_of(names, title, size, ax)
        leverage, residual = self._columns("hat_diag", "standard_resid")
        return self._draw(
            "leverage_contours",
            leverage,
            residual,
            float(np.nansum(leverage)),
            residual_name=NAMES["standard_resid"],
            **look,
        )

    def _limit(self, kind: str, rules: str | None) -> tuple[float | None, str | None]:
        """Return the threshold of a measure and its formula, None where there is no rule for it."""
        if rules is None or kind not in {**RULES[choice("rules", rules, tuple(RULES))], **P_VALUES}:
            return None, None
        if kind in P_VALUES:
            return LEVEL - 1.0, "5 % level"
        with suppress(Unsupported, InvalidArgument):  # no leverages, or not more rows than coefficients
            chosen, limits = rules_of(self._fit, rules)
            symbol = chosen[kind].symbol
            return limits[kind], f"limit of {rules}" if symbol == f"{limits[kind]:g}" else symbol
        return None, None

    def _coefficients(self, coefficients: Any) -> list[int]:
        """Return the positions of the coefficients to draw, or raise."""
        fit = self._fit
        if coefficients is None:
            chosen = self._determined()
        else:
            given = entries("coefficients", coefficients)
            chosen = [position_of(fit, one, f"coefficients[{k}]") for k, one in enumerate(given)]
        require_few([fit.names[k] for k in chosen])
        return chosen

    def _determined(self) -> list[int]:
        """Return the positions of the coefficients that the rows determine."""
        return [k for k, name in enumerate(self._fit.names) if name not in self._fit.lost]


def require_few(chosen: list[str]) -> None:
    """Raise where the coefficients to draw are none, too many for one figure, or share a name."""
    names = set(chosen)
    if not 0 < len(chosen) <= MOST_PANELS or len(names) < len(chosen):
        was = f"names {len(chosen)}, {len(names)} of them with names of their own"
        need = f"name 1 to {MOST_PANELS} coefficients, once each"
        raise InvalidArgument("coefficients", need, was, 'Pass a list such as ["age"].')
