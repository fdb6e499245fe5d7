"""Which rows to look at: rules of thumb about the measures of `Fit.diagnostics`, and a test for outliers.

n rows have a leverage above 0, p is the number of coefficients (of a penalised fit its effective degrees of
freedom, the sum of the leverages). Each rule says how large a measure must be for its row to deserve a look;
none is a test, and a row that is flagged is not thereby wrong.

"R": what `influence.measures` of R's stats package stars.

- dfb_<name>: |DFBETAS| > 1.
- dffits: |DFFITS| > 3 sqrt(p / (n - p)).
- cov_ratio: |1 - COVRATIO| > 3 p / (n - p).
- cooks_d: Cook's distance above the median of F with p and n - p degrees of freedom (Cook 1977: the removal
  moves theta to the edge of its 50 % confidence region).
- hat_diag: h > 3 p / n (Velleman and Welsch 1981).

"size-adjusted": cut-offs that fall as n grows, so that about the same share of rows is flagged.

- dfb_<name>: |DFBETAS| > 2 / sqrt(n) (Belsley, Kuh and Welsch 1980, p. 28).
- dffits: |DFFITS| > 2 sqrt(p / n) (the same, p. 28).
- cov_ratio: |1 - COVRATIO| > 3 p / n (the same, p. 23).
- cooks_d: Cook's distance > 4 / n (Bollen and Jackman 1985).
- hat_diag: h > 2 p / n (Hoaglin and Welsch 1978).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

from influstat.errors import InvalidArgument
from influstat.input.frame_like import Reasons
from influstat.input.labels import index_of
from influstat.input.validation import FloatArray, choice
from influstat.losses.base import constant_second
from influstat.minimise.minimum import Minimum
from influstat.statistics.deletion import Deletion, freedom_left
from influstat.statistics.diagnostics import diagnostics
from influstat.statistics.dispersion import counts_of
from influstat.statistics.dispersion import dispersion as dispersion_from
from influstat.statistics.flagged import Flags, OutlierTest
from influstat.statistics.inference_table import tail
from influstat.statistics.leverage import leverage_of
from influstat.statistics.refusals import remedied

WEIGHTLESS = "it has no weight: the fit is the same without it, and it is not tested"
OTHERS = 'fit.diagnostics(["dfbeta"]) and fit.leave_one_out() say what each row moves.'
MEASURES = ("dfbetas", "dffits", "cov_ratio", "cooks_d", "hat_diag")


@dataclass(frozen=True)
class Rule:
    """One rule: a row is flagged where the size of its measure is above a limit."""

    text: str  # the rule in words, with its source
    limit: Callable[[int, float], Any]  # for n rows and p coefficients

    @property
    def symbol(self) -> str:
        """The limit as a formula in n and p: what the text has between the sign and its source."""
        return self.text.split(" > ")[1].rsplit(" (", 1)[0]


BELSLEY = "Belsley, Kuh and Welsch 1980"
RULES = {
    "R": {
        "dfbetas": Rule("|DFBETAS| > 1 (R)", lambda n, p: 1.0),
        "dffits": Rule("|DFFITS| > 3 sqrt(p / (n - p)) (R)", lambda n, p: 3.0 * np.sqrt(p / (n - p))),
        "cov_ratio": Rule("|1 - COVRATIO| > 3 p / (n - p) (R)", lambda n, p: 3.0 * p / (n - p)),
        "cooks_d": Rule(
            "Cook's distance > median of F(p, n - p) (Cook 1977; R)", lambda n, p: fdtri(p, n - p, 0.5)
        ),
        "hat_diag": Rule("h > 3 p / n (Velleman and Welsch 1981; R)", lambda n, p: 3.0 * p / n),
    },
    "size-adjusted": {
        "dfbetas": Rule(f"|DFBETAS| > 2 / sqrt(n) ({BELSLEY})", lambda n, p: 2.0 / np.sqrt(n)),
        "dffits": Rule(f"|DFFITS| > 2 sqrt(p / n) ({BELSLEY})", lambda n, p: 2.0 * np.sqrt(p / n)),
        "cov_ratio": Rule(f"|1 - COVRATIO| > 3 p / n ({BELSLEY})", lambda n, p: 3.0 * p / n),
        "cooks_d": Rule("Cook's distance > 4 / n (Bollen and Jackman 1985)", lambda n, p: 4.0 / n),
        "hat_diag": Rule("h > 2 p / n (Hoaglin and Welsch 1978)", lambda n, p: 2.0 * p / n),
    },
}


def flags(fit: Minimum, rules: str = "R", *, method: str = "newton") -> Flags:
    """Return which rows each rule flags; `Fit.flags` says more."""
    import pandas as pd

    with remedied(OTHERS):
        chosen, limits = rules_of(fit, rules)
        frame = diagnostics(fit, MEASURES, method=method)
    above, said = np.zeros(frame.shape, dtype=np.bool_), {}
    for k, name in enumerate(frame.columns):  # two coefficients may have one name
        measure = name if name in chosen else "dfbetas"
        values = frame.iloc[:, k].to_numpy()
        size = np.abs(1.0 - values if measure == "cov_ratio" else values)
        above[:, k] = size > limits[measure]  # nan is not above anything
        said[name] = f"{chosen[measure].text}, here {limits[measure]:.4g}"
    found = pd.DataFrame(above, index=frame.index, columns=frame.columns)
    found.attrs.update(rules=said, status=frame.attrs["status"])
    return Flags(rules, found)


def rules_of(fit: Minimum, rules: str) -> tuple[dict[str, Rule], dict[str, float]]:
    """Return the rules of that name and their limits for this fit, both by measure; or raise."""
    chosen = RULES[choice("rules", rules, tuple(RULES))]
    leverage = leverage_of(fit, fit.stated.information)
    rows, freedom = int((leverage.values > 0.0).sum()), leverage.effective_degrees_of_freedom
    if not rows > freedom:
        raise InvalidArgument(
            "fit",
            "have more rows than coefficients for rules about its rows",
            f"has {rows} and {freedom:g}",
            "Look at fit.diagnostics().",
        )
    return chosen, {name: float(rule.limit(rows, freedom)) for name, rule in chosen.items()}


def outlier_test(fit: Minimum) -> OutlierTest:
    """Return p values of the studentised residuals; `Fit.outlier_test` says more."""
    import pandas as pd

    with remedied(OTHERS):
        frame = diagnostics(fit, ["student_resid"])
    residuals, weightless = frame["student_resid"].to_numpy(), fit.risk.weights == 0.0
    p = 2.0 * tail(np.abs(residuals), residual_freedom(fit))
    p[weightless] = np.nan  # nor do they count among the tests
    columns = {"student_resid": residuals, "p_values": p}
    columns |= adjusted(p)
    found = pd.DataFrame(columns, index=index_of(fit.row_labels))
    reasons = zip(frame.attrs["status"], weightless, strict=True)
    found.attrs["status"] = Reasons(text or (WEIGHTLESS if none else "") for text, none in reasons)
    return OutlierTest(found)


def residual_freedom(fit: Minimum) -> Any:
    """Return the degrees of freedom of each studentised residual, shape (n,); inf: it is a normal one."""
    leverage = leverage_of(fit, fit.stated.information)
    counts = counts_of(fit, None)
    phi = dispersion_from(leverage, counts, given=fit.stated.dispersion)
    if not phi.estimated or constant_second(leverage.risk.loss) is None:
        return np.inf
    freedom = np.empty(leverage.risk.shape[0])
    for block in Deletion(leverage, phi.squares).blocks():
        freedom[block.rows] = freedom_left(phi, block, counts)
    return np.where(np.isnan(freedom), 1.0, freedom)  # any will do: such a row has no residual either


def adjusted(p: FloatArray) -> dict[str, FloatArray]:
    """Return p values adjusted for as many tests, by names that statsmodels has; nan stays nan."""
    # By its `multipletests` every call collects all garbage of the process, which may take seconds.
    order: NDArray[np.intp] = np.argsort(p, kind="stable")[: np.count_nonzero(~np.isnan(p))]  # nan last
    small, tests = p[order], len(order)
    found = {
        "bonferroni": tests * small,
        "holm": np.maximum.accumulate((tests - np.arange(tests)) * small),
        "fdr_bh": np.minimum.accumulate((tests / np.arange(1, tests + 1) * small)[::-1])[::-1],
    }
    whole = {name: np.full(p.shape, np.nan) for name in found}
    for name, values in found.items():
        whole[name][order] = np.minimum(1.0, values)
    return whole
