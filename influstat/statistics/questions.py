"""What a fit is asked in the terms of regression diagnostics and inference; `Fit` is one of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from influstat.input.lazy_types import DataFrame, Summary
from influstat.input.settings import optional_text
from influstat.input.validation import FloatArray
from influstat.statistics.covariance import covariance
from influstat.statistics.diagnostics import diagnostics
from influstat.statistics.inference import Inference
from influstat.statistics.pictures import FitPlots
from influstat.statistics.read_inference import inference
from influstat.statistics.row_questions import RowQuestions
from influstat.statistics.summary import summary


class StatisticalQuestions(RowQuestions):
    """A minimum that answers for its rows and coefficients as regression software does."""

    @property
    def plot(self) -> FitPlots:
        """The standard pictures of this fit: ``fit.plot.bubble()``, ``fit.plot.index("cooks_d")``, ...

        `FitPlots` lists them. Drawing needs matplotlib (``pip install 'influstat[plot]'``).
        """
        return FitPlots(self)

    def summary(self, *, inference: Inference | None = None, title: str | None = None) -> Summary:
        """Return what was fitted, the table of coefficients, and what deserves a look, in statsmodels' form.

        Parameters
        ----------
        inference : Inference, optional
            The covariance and the level to report by, such as ``fit.inference("HC3", level=0.9)``; the
            fit's own when left out.
        title : str, optional
            Above the tables.

        Returns
        -------
        statsmodels.iolib.summary.Summary
            It prints, also in notebooks, and has `as_text`, `as_html`, `as_latex`, `as_csv` and `tables`:
            what was fitted (model, loss, penalty, protocol, covariance, rows, scale); the coefficients of
            `Fit.inference`, or their estimates alone where the fit has no standard errors, which a note then
            says; rows that `Fit.flags` flags; the Newton step that is left (0 at the minimum); and for how
            many rows a bound on the error of the Newton step without them is proven, where X has at most
            50,000 entries (else ask for ``fit.leave_one_out(method="newton").certificate``).

        Raises
        ------
        InvalidArgument, InvalidType
            inference is none of this fit, or title is no text.

        Examples
        --------
        >>> import influstat as ist
        >>> X, y = [[1.0]] * 4, [1.0, 3.0, 2.0, 9.0]
        >>> fit = ist.Ridge(lam=0.0).fit(X, y, row_labels=list("abcd"), names=["mean"])
        >>> print(fit.summary().tables[1])
        ==============================================================================
                         coef    std err          t      P>|t|      [0.025      0.975]
        ------------------------------------------------------------------------------
        mean           3.7500      1.797      2.087      0.128      -1.969       9.469
        ==============================================================================
        """
        return summary(self, by=inference, title=optional_text("title", title))

    def diagnostics(
        self,
        columns: Sequence[str] | str | None = None,
        *,
        method: str = "newton",
        dispersion: float | str | None = None,
        frequency: bool | None = None,
        deleted_scale: bool = True,
        information: str | None = None,
    ) -> DataFrame:
        """Return leverage, Cook's distance, DFBETAS and the like of every row, as statsmodels names them.

        Parameters
        ----------
        columns : sequence of str, optional
            Out of "cooks_d", "standard_resid", "hat_diag", "dffits_internal", "student_resid", "dffits",
            "cov_ratio" (these when left out), "resid_response", "resid_pearson", "resid_std",
            "resid_deviance", "standard_resid_deviance", "resid_press", and "dfbetas", "dfbeta",
            "likelihood_displacement", which cost more; or "all" for all that this fit has.
            `influstat.statistics.diagnostics` defines each.
        method : {"newton", "exact"}
            How theta_-i, the fit without the row, is found for the columns that need it: by a Newton step
            (exact for squared error; statsmodels' one-step measures for the rest) or by a refit.
        dispersion, frequency, information
            As in `covariance`; leverages too are by this information. A row goes with its whole weight.
        deleted_scale : bool
            Divide DFBETAS by the dispersion without the row (as OLSInfluence does), or by that of the fit
            (as GLMInfluence and MLEInfluence do).

        Returns
        -------
        DataFrame
            One line per row, labelled. `attrs["status"]` says of every row "" or why it has nan.

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
        return diagnostics(
            self,
            columns,
            method=method,
            dispersion=dispersion,
            frequency=frequency,
            deleted_scale=deleted_scale,
            information=information,
        )

    def covariance(
        self,
        kind: str | None = None,
        *,
        groups: Any = None,
        lags: int | None = None,
        kernel: str | None = None,
        correction: bool | str | None = None,
        dispersion: float | str | None = None,
        frequency: bool | None = None,
        information: str | None = None,
    ) -> FloatArray:
        """Return a covariance of theta; what is left out is as the library fitted it, else as said here.

        Parameters
        ----------
        kind : str, optional
            "model" (the default), "HC0" to "HC5", "HC4m", "HAC", "panel HAC", "Driscoll-Kraay", "cluster",
            "CR2", "infinitesimal jackknife", "jackknife", "cluster jackknife" (CRV3), "centred cluster
            jackknife", "H1", "H2" or "H3", as `influstat.statistics.covariance` defines them.
        groups : array_like, shape (n,) or (n, 2)
            The cluster of each row, for the kinds with clusters; two columns for two-way "cluster". The
            series of each row ("panel HAC"), whose rows stand one after the other, or its period as a whole
            number ("Driscoll-Kraay"; a second column of series makes degrees of freedom count these, as
            statsmodels does, not the periods).
        lags, kernel : int, {"bartlett", "uniform", "parzen"}
            Of the kinds over lags; 4 (T / 100)^(2/9) of T rows, or periods, by Bartlett's kernel.
        correction : bool, "observations" or "clusters"
            Whether "cluster", "cluster jackknife", "panel HAC", "Driscoll-Kraay" (as a rule) and "HAC" (not)
            have small-sample factors; the latter two by N, or by the number of series or periods.
        dispersion : float, "X2" or "dev"
            The variance of y at unit weight, sigma^2 for least squares, if it is known; or how it is
            estimated, by Pearson's statistic or the deviance. 1 or "X2", as the loss has it.
        frequency : bool
            Whether weights are counts of equal rows, N then being their sum.
        information : {"observed", "expected"}
            The curvature in "model" (as the library has it) and sandwiches ("observed"); R takes "expected".

        Returns
        -------
        ndarray, shape (p, p)

        Raises
        ------
        Unsupported
            "model" for a loss that says nothing of the variance of y; HC2 or HC3 without leverages.
        InvalidArgument
            The kind is unknown, an argument does not suit it, or a row that it leaves out cannot be.

        Notes
        -----
        "HAC" takes rows that follow each other for neighbours in time: rows lost to missing values before
        the fit close their gap. Rows that are removed from the fit, or have weight 0, leave one.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0], [1.0]], [1.0, 3.0, 8.0])
        >>> fit.covariance(), fit.covariance("HC0")         # 26 / 2 / 3 and 26 / 9
        (array([[4.33333333]]), array([[2.88888889]]))
        """
        return covariance(
            self,
            kind,
            groups=groups,
            lags=lags,
            kernel=kernel,
            correction=correction,
            dispersion=dispersion,
            frequency=frequency,
            information=information,
        )

    def inference(
        self,
        kind: str | None = None,
        *,
        groups: Any = None,
        use_t: bool | None = None,
        level: float = 0.95,
        lags: int | None = None,
        kernel: str | None = None,
        correction: bool | str | None = None,
        dispersion: float | str | None = None,
        frequency: bool | None = None,
        information: str | None = None,
    ) -> Inference:
        """Return standard errors, t and p values, limits, and what each row does to them.

        Parameters
        ----------
        kind, groups, lags, kernel, correction, dispersion, frequency, information
            As in `covariance`.
        use_t : bool, optional
            Student's t with N - edf degrees of freedom (clusters: their number less 1), or the normal
            distribution. Left out: as the library fitted it, else t for squared error of unknown variance.
        level : float
            Of the confidence intervals, between 0 and 1.

        Returns
        -------
        Inference

        Raises
        ------
        Unsupported, InvalidArgument, InvalidType
            As in `covariance`; level is not between 0 and 1.

        Warns
        -----
        DoubtfulResult
            The library's own covariance is not reproduced, or its standard errors are others than these.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0], [1.0]], [1.0, 3.0, 8.0])
        >>> fit.inference().table.t_values          # 4 / sqrt(26 / 6)
        array([1.92153785])
        """
        return inference(
            self,
            kind,
            use_t=use_t,
            level=level,
            groups=groups,
            lags=lags,
            kernel=kernel,
            correction=correction,
            dispersion=dispersion,
            frequency=frequency,
            information=information,
        )
