"""Pictures of single coefficients: as a slope, and without rows or groups."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.labels import label_name
from influstat.input.lazy_types import Axes
from influstat.input.printing import as_drawn
from influstat.input.settings import flag
from influstat.input.validation import whole_number
from influstat.losses.base import constant_second
from influstat.removal.leave_out import announced, leave_groups_out
from influstat.risks.linear import require_linear
from influstat.statistics.inference import Inference
from influstat.statistics.partial import added_variable, partial_residuals
from influstat.statistics.pictures.base import Pictures, drawing, look_of
from influstat.statistics.read_inference import inference
from influstat.statistics.reporting import coefficient_report, position_of


class ColumnPictures(Pictures):
    """Pictures of what rows and groups do to one coefficient."""

    def added_variable(
        self,
        column: Any,
        *,
        names: int = 3,
        title: str | None = None,
        size: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw what a column adds: its coefficient as a slope, the other columns taken out of both axes.

        Parameters
        ----------
        column : str or int
            Name or position of the coefficient.
        names : int
            How many rows of largest pull on the line are named, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            The line has the coefficient as its slope, which is that of least squares through the points (not
            with a penalty), and the points are about it as the residuals of the fit. Weights and, for a GLM,
            those of Fisher scoring enter as their roots: `influstat.statistics.partial` has the formulas.

        Raises
        ------
        Unsupported
            The risk has no linear predictor.
        InvalidArgument, InvalidType
            There is no such column, the rows do not determine its coefficient, or an argument is not as
            above.

        Examples
        --------
        >>> import influstat as ist
        >>> X = [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]
        >>> fit = ist.Ridge(lam=0.0).fit(X, [1.0, 3.0, 8.0], names=["one", "x"])
        >>> ax = fit.plot.added_variable("x")
        >>> ax.get_ylabel(), round(ax.lines[0].get_slope(), 9)       # (8 - 1) / 2
        ('response | others', 3.5)
        """
        look, j = look_of(names, title, size, ax), position_of(self._fit, column, "column")
        with self._another():
            x, y = added_variable(self._fit, j)
        squared = constant_second(require_linear(self._fit.risk, "residuals").loss) is not None
        return self._draw(
            "coefficient_slope",
            x,
            y,
            float(self._fit.theta[j]),
            xlabel=f"{as_drawn(self._fit.names[j])} | others",
            ylabel="response | others" if squared else "working response | others",
            **look,
        )

    def component_residual(
        self,
        column: Any,
        *,
        smooth: bool = True,
        names: int = 3,
        title: str | None = None,
        size: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw a column against its component plus residual: a bend of the local mean asks for another form.

        Parameters
        ----------
        column : str or int
            Name or position of the coefficient.
        smooth : bool
            Draw the local mean (lowess with two thirds of the rows).
        names : int
            How many rows of largest pull on the line are named, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            Working residual plus coefficient times column, over the column; the line is the component, whose
            slope is the coefficient. The working residuals of a GLM are in the units of the linear predictor.

        Raises
        ------
        Unsupported
            The risk has no linear predictor.
        InvalidArgument, InvalidType
            There is no such column, the rows do not determine its coefficient, or an argument is not as
            above.

        Examples
        --------
        >>> import influstat as ist
        >>> X = [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]
        >>> fit = ist.Ridge(lam=0.0).fit(X, [1.0, 3.0, 8.0], names=["one", "x"])
        >>> fit.plot.component_residual("x").get_ylabel()
        'component + residual'
        """
        look, j = look_of(names, title, size, ax), position_of(self._fit, column, "column")
        smooth = flag("smooth", smooth)
        with self._another():
            x, y = partial_residuals(self._fit, j)
        return self._draw(
            "coefficient_slope",
            x,
            y,
            float(self._fit.theta[j]),
            xlabel=as_drawn(self._fit.names[j]),
            ylabel="component + residual",
            smooth=smooth,
            **look,
        )

    def forest(
        self,
        coefficient: Any,
        *,
        groups: Any = None,
        inference: Inference | None = None,
        names: int = 8,
        title: str | None = None,
        size: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw a coefficient and its interval with all rows, and without each of those that move it most.

        Parameters
        ----------
        coefficient, groups, inference
            As for `Fit.report`, whose table this draws.
        names : int
            How many rows or groups have a line.
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            As `influstat.plots.coefficient_forest` draws it.

        Raises
        ------
        Unsupported, InvalidArgument, InvalidType
            As `Fit.report`, or an argument is not as above.

        Warns
        -----
        DoubtfulResult
            A line has nan: it is not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"))
        >>> [label.get_text() for label in fit.plot.forest("x0", names=1).get_yticklabels()]
        ['all rows', 'without d']
        """
        names = whole_number("names", names, at_least=1)
        report = coefficient_report(self._fit, coefficient, top=names, groups=groups, by=inference)
        with drawing():
            return report.plot(title=title, size=size, ax=ax)

    def groups(
        self,
        groups: Any,
        coefficient: Any,
        *,
        method: str = "exact",
        names: int = 3,
        title: str | None = None,
        size: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw how much a coefficient changes without each group, as a stem per group.

        Parameters
        ----------
        groups : array_like, str, list, dict or splitter
            As for `Fit.leave_groups_out`.
        coefficient : str or int
            Its name, or its position.
        method : {"exact", "newton", "second_order", "influence"}
            As for `Fit.leave_groups_out`.
        names : int
            How many groups that move it most are marked and, where there is room, named.
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            After minus before, in the order of `Fit.leave_groups_out`; lines at one standard error of the
            coefficient where the fit has one.

        Raises
        ------
        InvalidArgument, InvalidType
            As for `Fit.leave_groups_out`; there is no such coefficient, or an argument is not as above.

        Warns
        -----
        DoubtfulResult
            Without some groups there is no fit: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0])
        >>> ax = fit.plot.groups(["a", "a", "b", "b"], "x0", names=1)
        >>> ax.get_ylabel(), [text.get_text() for text in ax.texts][-1]
        ('change of x0', 'a')
        """
        fit = self._fit
        look, j = look_of(names, title, size, ax), position_of(fit, coefficient)
        removal = leave_groups_out(fit, groups, method=method)
        if np.isnan(removal.delta[:, j]).any():  # other coefficients are not drawn
            announced(removal)
        limit = None
        with suppress(InvalidArgument):  # no variance, or no more rows than coefficients
            limit = float(inference(fit).table.standard_errors[j])
        return self._draw(
            "influence_index",
            removal.delta[:, j],
            name=f"change of {as_drawn(fit.names[j])}",
            row_labels=np.array(list(map(label_name, removal.labels)), dtype=object),
            threshold=limit,
            threshold_name="1 SE" if limit is not None else None,
            unit="group",
            **look,
        )
