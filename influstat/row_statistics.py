"""`RowStatistics`: what a fit says about its rows and coefficients in the terms of regression diagnostics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from influstat.input.validation import FloatArray

if TYPE_CHECKING:
    import pandas as pd

    from influstat.fit import Fit
    from influstat.statistics.inference import Inference


class RowStatistics:
    """The methods of `Fit` for measures of rows, covariances of theta and inference.

    The rooms behind them are imported where they are asked for, as in `Fit`.
    """

    def diagnostics(
        self,
        columns: Sequence[str] | str | None = None,
        *,
        method: str = "newton",
        dispersion: float | None = None,
        frequency: bool = False,
        deleted_scale: bool = True,
    ) -> pd.DataFrame:
        """Return leverage, Cook's distance, DFBETAS and the like of every row, as statsmodels names them.

        Parameters
        ----------
        columns : sequence of str, optional
            Out of "cooks_d", "standard_resid", "hat_diag", "dffits_internal", "student_resid", "dffits",
            "cov_ratio" (these when left out), and "dfbetas", "dfbeta", "likelihood_displacement", which
            cost more. `influstat.statistics.diagnostics` defines each.
        method : {"newton", "exact"}
            How theta_-i, the fit without the row, is found for the columns that need it: by a Newton step
            (exact for squared error; statsmodels' one-step measures for the rest) or by a refit.
        dispersion : float, optional
            phi, if it is known; else 1 or estimated, as the loss has it.
        frequency : bool
            Whether weights are counts of equal rows: the residual degrees of freedom are then W - edf
            instead of n - edf. Either way the row goes with its whole weight.
        deleted_scale : bool
            Divide DFBETAS by the dispersion without the row (as OLSInfluence does), or by that of the fit
            (as GLMInfluence and MLEInfluence do).

        Returns
        -------
        DataFrame
            One line per row, labelled. `attrs["undefined"]` says, by position, why a row has nan.

        Raises
        ------
        Unsupported
            The risk has no linear predictor, or a column needs the variance of y and the loss has none
            (columns=None then gives what does not need it).
        InvalidArgument, InvalidType
            A name or a setting is not one of those above, or no residual degrees of freedom are left.

        Warns
        -----
        DoubtfulResult
            Some rows have nan: at leverage 1 there is no fit without the row.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0], [1.0]], [1.0, 3.0, 8.0])
        >>> fit.diagnostics(["hat_diag", "dfbeta"])["dfbeta_x0"].round(9).tolist()   # 4 - 5.5, ...
        [-1.5, -0.5, 2.0]
        """
        from influstat.statistics.diagnostics import diagnostics

        return diagnostics(
            cast("Fit", self),
            columns,
            method=method,
            dispersion=dispersion,
            frequency=frequency,
            deleted_scale=deleted_scale,
        )

    def covariance(
        self,
        kind: str = "model",
        *,
        groups: Any = None,
        dispersion: float | None = None,
        frequency: bool = False,
    ) -> FloatArray:
        """Return a covariance of theta, shape (p, p).

        Parameters
        ----------
        kind : str
            "model", "HC0", "HC1", "HC2", "HC3", "cluster", "infinitesimal jackknife", "jackknife" or
            "cluster jackknife" (CRV3), as `influstat.statistics.covariance` defines them.
        groups : array_like, shape (n,)
            The cluster of each row, for the two kinds with clusters.
        dispersion : float, optional
            phi, if it is known.
        frequency : bool
            Whether weights are counts of equal rows.

        Raises
        ------
        Unsupported
            "model" for a loss that says nothing of the variance of y; HC2 or HC3 without leverages.
        InvalidArgument
            The kind is unknown, groups do not suit it, or a row that it leaves out cannot be.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0], [1.0]], [1.0, 3.0, 8.0])
        >>> fit.covariance(), fit.covariance("HC0")         # 26 / 2 / 3 and 26 / 9
        (array([[4.33333333]]), array([[2.88888889]]))
        """
        from influstat.statistics.covariance import covariance

        return covariance(cast("Fit", self), kind, groups=groups, dispersion=dispersion, frequency=frequency)

    def inference(
        self,
        kind: str = "model",
        *,
        groups: Any = None,
        use_t: bool | None = None,
        level: float = 0.95,
        dispersion: float | None = None,
        frequency: bool = False,
    ) -> Inference:
        """Return standard errors, t and p values, limits, and what each row does to them.

        Parameters
        ----------
        kind, groups, dispersion, frequency
            As in `covariance`.
        use_t : bool, optional
            Student's t with N - edf degrees of freedom (clusters: their number less 1), or the normal
            distribution. Left out: t for squared error with an estimated variance.
        level : float
            Of the confidence intervals, between 0 and 1.

        Raises
        ------
        Unsupported, InvalidArgument, InvalidType
            As in `covariance`; level is not between 0 and 1.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0], [1.0]], [1.0, 3.0, 8.0])
        >>> fit.inference().table.t_values          # 4 / sqrt(26 / 6)
        array([1.92153785])
        """
        from influstat.statistics.inference import inference

        return inference(
            cast("Fit", self),
            kind,
            groups=groups,
            use_t=use_t,
            level=level,
            dispersion=dispersion,
            frequency=frequency,
        )
