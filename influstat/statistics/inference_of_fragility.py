"""How few rows significance hangs on: a question to `Inference`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError
from influstat.input.groups import Groups
from influstat.input.settings import flag
from influstat.input.validation import FloatArray, choice, real_number, whole_number
from influstat.risks.linear import as_linear
from influstat.sets.budget import Budget
from influstat.sets.result import Breakdown
from influstat.sets.significance.breakdown import significance_breakdown
from influstat.sets.significance.by_ratio import RATIO, ratio_breakdown
from influstat.statistics.dispersion import PERFECT
from influstat.statistics.inference_table import InferenceTable
from influstat.statistics.inference_without import InferenceOfSets
from influstat.statistics.judge import judge, ratio_judge

TESTS = ("wald", RATIO)


class InferenceOfFragility(InferenceOfSets):
    """The question to `Inference` about the fewest rows; its attributes are described there."""

    def removal(self) -> InferenceTable:
        """Return the changes on removal to first order."""
        raise NotImplementedError  # pragma: no cover - `Inference` has it

    def breakdown(
        self,
        coefficient: Any,
        *,
        reversed: bool = False,  # noqa: A002  the word for it
        test: str = "wald",
        groups: Any = None,
        budget_seconds: float = 10.0,
        largest: int | None = None,
        search: bool = True,
    ) -> Breakdown:
        """Return how few rows a coefficient's significance hangs on: the smallest set found, and a proof.

        Parameters
        ----------
        coefficient : str or int
            Name or position.
        reversed : bool
            False: significance at this inference's level is lost where the coefficient has it, else gained
            with its sign. True: it is gained with the other sign.
        test : {"wald", "likelihood ratio"}
            What decides: this inference's confidence limits; or, at its level and whatever the covariance,
            the likelihood ratio of the fits with and without the coefficient, both of the rows left (in
            least squares n log(RSS0 / RSS)).
        groups : array_like, shape (n,), str, optional
            As in `Fit.breakdown`. For clustered kinds the clusters themselves leave (two-way: the first
            ones), by their own labels.
        budget_seconds, largest, search
            As in `Fit.breakdown`.

        Returns
        -------
        Breakdown
            `value` is the confidence limit in question, the nearer one to 0 or, if reversed, the other; for
            the likelihood ratio its root with the coefficient's sign, and `at` that of the quantile.

        Raises
        ------
        InvalidArgument, InvalidType, NotStationary
            As in `Fit.breakdown`; or the coefficient has no confidence limits, or one that is 0.
        Unsupported
            The likelihood ratio is asked for where there is none: penalties, an estimated dispersion.

        Notes
        -----
        Quantiles are those of the rows left, n - k less the columns that still have any. Proofs by confidence
        limits are for squared error without a penalty: by the model-based covariance with its variance
        estimated, HC0 to HC3 and one-way clusters. By the likelihood ratio they are for all losses with a
        finite `self_concordance`. There is no proof for HC4, HC4m, HC5, HAC, CR2, the jackknives, H1 to H3,
        two-way clusters, and confidence limits of other losses (GLMs): these are searched only, by refits,
        `lower` is 1, and the answer says "no proof" and why (`limit`). Dummies that are a cluster's own, such
        as fixed effects of firms whose firms leave, are no hindrance by the model-based covariance; by the
        others they are.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [1.0, 2.0, 2.5, 3.0, 3.5], names=["mean"])
        >>> found = fit.inference().breakdown("mean")
        >>> found.upper, found.lower, found.removed.tolist()      # 1, 2, 2.5: the interval holds 0
        (2, 2, [3, 4])
        """
        by_ratio = choice("test", test, TESTS) == RATIO
        opposite, looked = flag("reversed", reversed), flag("search", search)
        budget = Budget(real_number("budget_seconds", budget_seconds, at_least=0.0))
        most = None if largest is None else whole_number("largest", largest, at_least=1)
        if by_ratio:
            return ratio_breakdown(
                self.fit, coefficient, ratio_judge(self.fit, self.setting, self.level), opposite=opposite,
                groups=groups, budget=budget, largest=most, search=looked,
            )  # fmt: skip
        return significance_breakdown(
            self.fit,
            coefficient,
            judge(self.fit, self.setting, self.use_t, self.level, self._limits, self._changes),
            opposite=opposite,
            groups=groups,
            budget=budget,
            largest=most,
            search=looked,
        )

    def _limits(self, rows: NDArray[np.intp], position: int) -> tuple[float, float]:
        """Return a coefficient's limits without these rows, nan where there are none."""
        if not len(rows):
            return float(self.table.lower[position]), float(self.table.upper[position])
        group = Groups(rows, np.array([0, len(rows)], dtype=np.intp), np.array(["removed"]))
        found = self.without_each(group, whole=True)  # an interrupt of one refit is one of the search
        if self._exact(rows, found.estimates[0]):
            return np.nan, np.nan
        return float(found.after("lower")[0, position]), float(found.after("upper")[0, position])

    def _exact(self, rows: NDArray[np.intp], theta: FloatArray) -> bool:
        """Tell whether least squares fits all rows but these exactly: standard errors are rounding."""
        risk = as_linear(self.fit.risk)
        if risk is None or not risk.quadratic or np.isnan(theta).any():
            return False
        weights = risk.weights.copy()
        weights[rows] = 0.0
        eta = risk.linear_predictor(theta)
        away, bend = risk.loss.first(risk.y, eta), risk.loss.second(risk.y, eta)
        return bool(weights @ (away**2 / bend) <= PERFECT * (weights @ (bend * (eta - risk.offset) ** 2)))

    def _changes(self, position: int) -> tuple[FloatArray, FloatArray] | None:
        """Return the first-order changes of a coefficient's limits, None where they are not known."""
        try:
            found = self.removal()
        except InflustatError:
            return None
        return found.lower[:, position], found.upper[:, position]
