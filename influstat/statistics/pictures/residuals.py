"""Pictures of residuals: against fitted values, and against their quantiles with an envelope."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.lazy_types import Axes
from influstat.input.settings import flag
from influstat.input.validation import choice, real_number, whole_number
from influstat.losses.base import constant_second
from influstat.risks.linear import require_linear
from influstat.statistics.diagnostics import RESIDUALS
from influstat.statistics.envelope import residual_quantiles
from influstat.statistics.pictures.base import NAMES, Pictures, look_of, require_some
from influstat.statistics.residuals import has_deviance

KINDS = (*(name for name in RESIDUALS if name != "resid_std"), "standard_resid", "student_resid")
MOST = 10_000  # simulations: more would say nothing more
STANDARDISED = ("standard_resid", "student_resid", "standard_resid_deviance")


class ResidualPictures(Pictures):
    """Pictures of the residuals of a fit."""

    def residuals(
        self,
        kind: str | None = None,
        *,
        smooth: bool = True,
        names: int = 3,
        title: str | None = None,
        size: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw residuals against fitted values, with their local mean: a bend says that the form is wrong.

        Parameters
        ----------
        kind : str, optional
            Which residuals of `Fit.diagnostics`: "resid_deviance" (the default, y - mean times sqrt(w) for
            squared error), "resid_response" (the default for losses without a deviance), "resid_pearson",
            "standard_resid", "standard_resid_deviance" or "student_resid".
        smooth : bool
            Draw the local mean of the residuals (lowess with two thirds of the rows).
        names : int
            How many rows of largest absolute residual are named, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            Over the linear predictor; residuals divided by their standard errors have lines at 2 and -2.

        Raises
        ------
        Unsupported
            The risk has no linear predictor, or its loss has no such residual.
        InvalidArgument, InvalidType
            An argument is not as above.

        Warns
        -----
        DoubtfulResult
            Some rows have no such residual: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Logistic(lam=1.0).fit([[1.0], [2.0], [-1.0]], [1, 0, 0])
        >>> ax = fit.plot.residuals()
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('linear predictor', 'deviance residual')
        """
        look, smooth = look_of(names, title, size, ax), flag("smooth", smooth)
        with self._another():
            risk = require_linear(self._fit.risk, "residuals")
        if kind is None:
            kind = "resid_deviance" if has_deviance(risk.loss) else "resid_response"
        kind = choice("kind", kind, KINDS)
        plain = constant_second(risk.loss) is not None and kind == "resid_deviance"
        weighted = bool((risk.weights != 1.0).any())
        said = ("residual, weighted" if weighted else "residual") if plain else NAMES[kind]
        (values,) = self._columns(kind)
        return self._draw(
            "residuals_against_fitted",
            risk.linear_predictor(self._fit.theta),
            values,
            name=said,
            fitted_name="fitted value" if constant_second(risk.loss) is not None else "linear predictor",
            smooth=smooth,
            limit=2.0 if kind in STANDARDISED else None,
            **look,
        )

    def scale_location(
        self,
        *,
        smooth: bool = True,
        names: int = 3,
        title: str | None = None,
        size: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw roots of absolute standardised residuals against fitted values, to see where the spread grows.

        Parameters
        ----------
        smooth : bool
            Draw the local mean (lowess with two thirds of the rows): where it rises, so does the spread.
        names : int
            How many of the largest are named, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            Residuals are `standard_resid_deviance` of `Fit.diagnostics`, as in R; for squared error these
            are the standardised residuals.

        Raises
        ------
        Unsupported
            The risk has no linear predictor, or its loss no deviance or variance.
        InvalidArgument, InvalidType
            An argument is not as above.

        Warns
        -----
        DoubtfulResult
            Some rows have no such residual: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"))
        >>> fit.plot.scale_location().get_ylabel()
        'root of |standardised residual|'
        """
        look, smooth = look_of(names, title, size, ax), flag("smooth", smooth)
        with self._another():
            risk = require_linear(self._fit.risk, "residuals")
        squared = constant_second(risk.loss) is not None
        (values,) = self._columns("standard_resid_deviance")
        return self._draw(
            "residuals_against_fitted",
            risk.linear_predictor(self._fit.theta),
            np.sqrt(np.abs(values)),
            name=f"root of |standardised {'' if squared else 'deviance '}residual|",
            fitted_name="fitted value" if squared else "linear predictor",
            smooth=smooth,
            **look,
        )

    def qq(
        self,
        *,
        simulations: int = 99,
        level: float = 0.95,
        seed: int = 0,
        names: int = 3,
        title: str | None = None,
        size: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        r"""Draw sorted studentised residuals against the quantiles they should have, with an envelope.

        Parameters
        ----------
        simulations : int
            How many data sets are drawn from the fitted model, and fitted, for the envelope, at most 10,000;
            0 for none.
        level : float
            Which share of the simulated residuals of each rank the envelope holds, between 0 and 1.
        seed : int
            Of the simulation.
        names : int
            How many rows of largest absolute residual are named, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            Student's t with the degrees of freedom without the row for squared error, else normal quantiles;
            there the residuals of a right model need not follow the line, but should lie in the envelope.
            Rows outside of it have another colour. A loss that cannot draw targets (robust norms, one of
            your own without a method ``draw(mean, precision, rng)``) has no envelope, which is said below.

        Raises
        ------
        Unsupported
            The risk has no linear predictor, or its loss no variance.
        InvalidArgument, InvalidType
            An argument is not as above; no residual degrees of freedom are left.

        Warns
        -----
        DoubtfulResult
            Some rows have no studentised residual: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"))
        >>> fit.plot.qq(simulations=19).get_xlabel()
        't quantile\n(band: 95 % of 19 simulations; orange: outside)'
        """
        look = look_of(names, title, size, ax)
        many = whole_number("simulations", simulations, at_least=0, at_most=MOST)
        share = real_number("level", level, above=0.0)
        if share >= 1.0:
            raise InvalidArgument("level", "be between 0 and 1", f"is {share:g}", "Pass 0.95, say.")
        seed = whole_number("seed", seed, at_least=0)
        with self._another():
            found = residual_quantiles(self._fit, simulations=many, level=share, seed=seed)
        require_some(found.residuals)
        note = f"(band: {100.0 * share:g} % of {found.simulations} simulations; orange: outside)"
        return self._draw(
            "residual_quantiles",
            found.residuals,
            found.quantiles,
            envelope=found.envelope,
            quantile_name=f"{found.distribution} quantile",
            note="(no envelope)" if found.envelope is None else note,
            **look,
        )
