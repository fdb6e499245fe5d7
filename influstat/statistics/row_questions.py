"""What a fit is asked about the rows to look at, and the columns they share; `Fit` is one of these."""

from __future__ import annotations

from typing import Any

from influstat.input.lazy_types import Series
from influstat.minimise.minimum import Minimum
from influstat.statistics.collinearity import variance_inflation
from influstat.statistics.flagged import Flags, OutlierTest
from influstat.statistics.flags import flags, outlier_test
from influstat.statistics.inference import Inference
from influstat.statistics.report import CoefficientReport
from influstat.statistics.reporting import coefficient_report


class RowQuestions(Minimum):
    """A minimum that says which of its rows deserve a look."""

    def flags(self, rules: str = "R", *, method: str = "newton") -> Flags:
        """Return which rows deserve a look, by rules of thumb about leverage, Cook's distance, DFBETAS, ...

        Parameters
        ----------
        rules : {"R", "size-adjusted"}
            "R": what `influence.measures` of R stars. "size-adjusted": cut-offs that fall as n grows, such as
            4 / n for Cook's distance. `influstat.statistics.flags` has each rule with its source.
        method : {"newton", "exact"}
            As in `diagnostics`, whose measures these rules are about.

        Returns
        -------
        Flags
            One line per row, one column per measure: dfb_<name> for each coefficient, dffits, cov_ratio,
            cooks_d, hat_diag. It is used as a DataFrame of bool, and prints the rows that are flagged. A
            measure that is nan is not flagged; `attrs["status"]` says of every row "" or why.
            `attrs["rules"]` has the rule of each column in words, with its limit here.

        Raises
        ------
        Unsupported
            The risk has no linear predictor, or its loss no variance.
        InvalidArgument
            There are no such rules, or no more rows than coefficients.

        Warns
        -----
        DoubtfulResult
            Some rows have measures that do not exist: those of leverage 1.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"))
        >>> found = fit.flags()             # Cook's distance of d is 0.948
        >>> found.index[found["cooks_d"]].tolist(), found.attrs["rules"]["cooks_d"]
        (['d'], "Cook's distance > median of F(p, n - p) (Cook 1977; R), here 0.5851")
        """
        return flags(self, rules, method=method)

    def report(
        self, coefficient: Any, *, top: int = 8, groups: Any = None, inference: Inference | None = None
    ) -> CoefficientReport:
        """Return the table of an appendix: one coefficient without each of the rows that move it most.

        Parameters
        ----------
        coefficient : str or int
            Its name, or its position.
        top : int
            How many rows or groups to show: first those without a Newton step, then those that move the
            coefficient most by it.
        groups : array_like, str, list, dict or splitter, optional
            Leave these groups out, given as in `leave_groups_out`, instead of every row alone.
        inference : Inference, optional
            The covariance and the level to report by, such as ``fit.inference("HC3", level=0.9)``; the
            fit's own when left out.

        Returns
        -------
        CoefficientReport
            Leverage (of a group the sum of its rows'), Cook's distance, estimate, standard error, confidence
            interval, p value and, of rows, flags without each of them, everything estimated anew. It prints
            as a table, also in notebooks; `to_frame()` has the numbers, `table()` the text, `plot()` draws
            the forest plot.

        Raises
        ------
        InvalidArgument, InvalidType
            There is no such coefficient, or the rows do not determine it; top is not a whole number above 0;
            groups are not as for `leave_groups_out`; the inference is about another fit.
        Unsupported
            The loss says nothing of the variance of y, and no covariance is chosen that needs none.

        Warns
        -----
        DoubtfulResult
            A line has nan: `status` says why.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"))
        >>> frame = fit.report("x0", top=1).to_frame()          # the mean of 1, 3 and 2; 1 / sqrt(3)
        >>> frame[["hat_diag", "estimates", "standard_errors", "flags"]].round(4)
           hat_diag  estimates  standard_errors                     flags
        d      0.25        2.0           0.5774  dfbetas, dffits, cooks_d
        """
        return coefficient_report(self, coefficient, top=top, groups=groups, by=inference)

    def outlier_test(self) -> OutlierTest:
        """Return p values of the studentised residuals, plain and adjusted for testing every row.

        Returns
        -------
        OutlierTest
            One line per row: student_resid (as in `diagnostics`), p_values (two-sided), and adjusted for the
            number of rows: bonferroni, holm (both keep the probability of a single false outlier below the
            level) and fdr_bh (keeps the expected share of false ones among those found, Benjamini and
            Hochberg 1995). It is used as a DataFrame, and prints the largest. nan with its reason in
            `attrs["status"]`; rows without weight are not tested.

        Raises
        ------
        Unsupported
            The risk has no linear predictor, or its loss no variance.
        InvalidArgument
            No residual degrees of freedom are left.

        Warns
        -----
        DoubtfulResult
            Some rows have no studentised residual: those of leverage 1.

        Notes
        -----
        For squared error of estimated variance a studentised residual has Student's t distribution with the
        degrees of freedom of the fit without the row (N - p - 1); for all else it is about normal, as R's
        `car` has it too.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0])
        >>> fit.outlier_test()[["student_resid", "bonferroni"]].iloc[3].round(4).tolist()   # 7 / sqrt(4 / 3)
        [6.0622, 0.1046]
        """
        return outlier_test(self)

    def variance_inflation(self, *, factors: Any = None) -> Series:
        """Return the variance inflation factor of every column: 1 / (1 - R^2) of it on the others.

        Parameters
        ----------
        factors : list of str or mapping, optional
            Categoricals whose columns are judged together, by the names that they have in the table of the
            formula, or name -> one label per row. Each has one line instead of one for each of its columns:
            the generalised factor of Fox and Monette (1992), which does not depend on the coding.

        Returns
        -------
        Series
            One factor per coefficient but that of a constant column; inf for a column that is a combination
            of others. With a constant column R^2 is about means (as in R's `car`), else about 0. A
            generalised factor of k columns is compared with others by its k-th root (`car` prints the 2k-th,
            which is about standard errors).

        Raises
        ------
        Unsupported
            The risk has no linear predictor, or a row has a negative curvature.
        InvalidArgument, InvalidType
            Factors do not part the rows into levels, have no columns of their own, or are not as above.

        Notes
        -----
        Rows count by their weight times the expected second derivative of the loss, as in the covariance of
        the coefficients, so that the factors of a GLM are those of its own standard errors. A penalty is left
        out: this is about the columns.

        Examples
        --------
        >>> import influstat as ist
        >>> X = [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 1.0, 2.0]]
        >>> fit = ist.Ridge(lam=0.0).fit(X, [1.0, 3.0, 2.0, 9.0], names=["one", "a", "b"])
        >>> fit.variance_inflation().round(4).tolist()      # R^2 = 1 / 11
        [1.1, 1.1]
        """
        return variance_inflation(self, factors)
