"""What an inference says about significance, for those who ask how few rows it hangs on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from influstat.errors import Unsupported
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import as_linear
from influstat.sets.significance.breakdown import Judge
from influstat.sets.significance.by_ratio import RATIO, RatioJudge
from influstat.sets.significance.robust import RobustReference
from influstat.sets.significance.squares import Reference
from influstat.statistics.dispersion import dispersion_of
from influstat.statistics.inference_table import critical
from influstat.statistics.sandwich import count, taken
from influstat.statistics.setting import CLUSTERED, CovarianceSetting

PROVEN = ("model", "HC0", "HC1", "HC2", "HC3", "cluster")
POWERS = {"HC2": 0.5, "HC3": 1.0}  # of 1 - leverage, by which residuals are divided


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
