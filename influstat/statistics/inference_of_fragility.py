"""How few rows significance hangs on: a question to `Inference`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError, Unsupported
from influstat.input.groups import Groups
from influstat.input.settings import flag
from influstat.input.validation import FloatArray, choice, real_number, whole_number
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import as_linear
from influstat.sets.budget import Budget
from influstat.sets.result import Breakdown
from influstat.sets.search.refit import falls_without
from influstat.sets.significance.breakdown import Judge, significance_breakdown
from influstat.sets.significance.by_ratio import RATIO, RatioJudge, ratio_breakdown
from influstat.sets.significance.robust import RobustReference
from influstat.sets.significance.squares import Reference
from influstat.statistics.dispersion import PERFECT, dispersion_of
from influstat.statistics.inference_table import InferenceTable, critical
from influstat.statistics.inference_without import InferenceOfSets
from influstat.statistics.sandwich import count, taken
from influstat.statistics.setting import CLUSTERED, CovarianceSetting

TESTS = ("wald", RATIO)
PROVEN = ("model", "HC0", "HC1", "HC2", "HC3", "cluster")
POWERS = {"HC2": 0.5, "HC3": 1.0}  # of 1 - leverage, by which residuals are divided


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
        theta = found.estimates[0]
        if self._exact(rows, theta) or (np.isnan(theta).any() and falls_without(self.fit, rows)):
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


def judge(
    fit: Minimum,
    setting: CovarianceSetting,
    use_t: bool,
    level: float,
    limits: Callable[[NDArray[np.intp], int], tuple[float, float]],
    changes: Callable[[int], tuple[FloatArray, FloatArray] | None],
) -> Judge:
    """Return the judge; `limits` gives limits without rows, `changes` theirs to first order."""
    clusters = setting.cluster_labels[0][setting.clusters[0]] if setting.kind in CLUSTERED else None
    quantile = partial(_quantile, use_t, level)
    unproven = _unproven(fit, setting, use_t)
    reference: Reference | RobustReference
    if setting.kind == "model":
        used = count(fit, setting)[1] if setting.parameters is None else setting.parameters
        reference = Reference(quantile, used)
    else:  # where nothing is proven it still leads the search
        corrected = setting.kind in ("HC1", "cluster") and bool(setting.factor_by)
        power = POWERS.get(setting.kind, 0.0)
        reference = RobustReference(quantile, taken(fit, setting), corrected, clusters is not None, power)
    text = f"the {100.0 * level:g} % interval, {setting.kind}"
    return Judge(text, reference, unproven, clusters, limits, changes)


def _quantile(use_t: bool, level: float, freedom: float) -> float:
    """Return how many standard errors a limit is away."""
    return float(critical(freedom if use_t else np.inf, level))


def ratio_judge(fit: Minimum, setting: CovarianceSetting, level: float) -> RatioJudge:
    """Return what the likelihood ratio of one coefficient is compared with; raise without a likelihood."""
    risk = as_linear(fit.risk)
    known = None if risk is None else dispersion_of(risk.loss, setting.dispersion)
    single = np.array_equal(setting.counts, np.where(fit.risk.weights > 0.0, 1.0, 0.0))
    if risk is None or (known is None and not (risk.quadratic and single)):
        raise Unsupported(
            "test",
            "be 'wald' here",
            f"is {RATIO!r}, which needs a known dispersion, or least squares of single observations",
            "Leave it out.",
        )
    quantile = float(critical(np.inf, level)) ** 2
    return RatioJudge(quantile, known, f"{100.0 * level:g} %")


def _unproven(fit: Minimum, setting: CovarianceSetting, use_t: bool) -> str:
    """Return why no proof covers this inference, "" where some do."""
    risk = as_linear(fit.risk)
    two_way = setting.kind == "cluster" and len(setting.clusters) > 1
    if setting.kind not in PROVEN or two_way:
        two = ", two-way" if two_way else ""
        return f"the theorems do not cover the {setting.kind!r} covariance{two}"
    if risk is None:
        return "the risk has no linear predictor per row"
    if not np.array_equal(setting.counts, np.where(fit.risk.weights > 0.0, 1.0, 0.0)):
        return "rows stand for other numbers of observations than one each"
    if setting.kind == "model" and dispersion_of(risk.loss, setting.dispersion) is not None:
        return "proofs are for a variance that is estimated"
    if setting.scaling != 1.0 or not (setting.factor_counts is None and setting.factor_parameters is None):
        return "the theorems do not cover this small-sample factor"
    if setting.kind == "cluster" and use_t and not setting.group_freedom:
        return "the theorems do not cover these degrees of freedom"
    return ""
