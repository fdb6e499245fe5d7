"""What `python -m influstat` shows: one question of a fit, answered by name; no network, no extra package."""

from __future__ import annotations

import numpy as np

from influstat.adapters import from_statsmodels
from influstat.fit import Fit
from influstat.input.validation import FloatArray
from influstat.statistics.report import CoefficientReport

FORMULA = "murder ~ urban + poverty + hs_grad + single"
COEFFICIENT = "single"
TOP = 6

QUESTION = """\
Which rows drive this coefficient, and what happens without them?

Murders per 100,000 inhabitants in the American states and the District of Columbia in 2009 (data
that come with statsmodels), by least squares: {formula}.
The coefficient of `{name}`, the percentage of families with a single parent, is {estimates:.3f} (95 %
interval {lower:.3f} to {upper:.3f}): where that percentage is one point higher, and all else the same,
the fit has {estimates:.2f} more murders.

The {top} states that move it most, each left out alone and everything estimated anew:
"""

ANSWER = """\

`first order` is the change that the influence function gives: the slope at the full data, no refit.
`change` is what really happens. For most states the two are close. {largest} moves
the coefficient {times:.1f} times as far as first order says, because the fit bends towards it: its
leverage is {leverage:.2f}, of at most 1, where the mean is {mean:.2f}.

How to read it: the sign and the significance of `{name}` hang on no single state, but {share:.0f} % of its
size hangs on one. Report the coefficient with and without {largest}.

Certificate: every coefficient above is proven to lie within {bound:.0e} of the exact refit without that
state. This holds for {certified} of {n} states."""

OWN_LINES = """\
import pandas as pd, statsmodels.formula.api as smf, influstat as ist
table = pd.read_csv("my.csv")
results = smf.ols("y ~ x + z", table).fit(cov_type="HC3")
fit = ist.from_statsmodels(results)
print(fit.report("x"))"""

OWN = """\
The same for your own table, in the covariance you fit with (ols may be logit, poisson, glm, ...):

{lines}"""


def first_minute() -> str:
    """Return the question, its answer with its certificate, and five lines to ask it of your own fit.

    Returns
    -------
    str
        Lines of at most 100 characters.
    """
    own = "\n".join(f"    {line}" for line in OWN_LINES.splitlines())
    return f"{answered(state_crime())}\n\n{OWN.format(lines=own)}"


def state_crime() -> Fit:
    """Return the fit that is asked: murders of the American states, least squares."""
    import statsmodels.api as sm

    return from_statsmodels(sm.OLS.from_formula(FORMULA, sm.datasets.statecrime.load_pandas().data).fit())


def answered(fit: Fit) -> str:
    """Return the question about the coefficient, the states that move it, and how to read that."""
    column = list(fit.names).index(COEFFICIENT)
    report = fit.report(COEFFICIENT, top=TOP)
    rows, whole = report.groups.members, report.whole
    first_order = fit.influence().on_theta().removal[rows, column]
    change = report.values["estimates"] - whole["estimates"]
    bounds = fit.leave_one_out().theta_bound()[:, column]
    hat = fit.diagnostics()["hat_diag"].to_numpy()
    question = QUESTION.format(formula=FORMULA, name=COEFFICIENT, top=TOP, **whole)
    answer = ANSWER.format(
        name=COEFFICIENT,
        largest=report.groups.labels[0],
        times=change[0] / first_order[0],
        leverage=hat[rows[0]],
        mean=np.mean(hat),
        share=100.0 * abs(change[0] / whole["estimates"]),
        bound=np.max(bounds[rows]),
        certified=np.count_nonzero(np.isfinite(bounds)),
        n=len(bounds),
    )
    return "\n".join([question, *_table(report, first_order, change), answer])


def _table(report: CoefficientReport, first_order: FloatArray, change: FloatArray) -> list[str]:
    """Return a line for all rows, and one without each row of the report."""
    lines = [f"  {'':<30}{'first order':>12}{'change':>9}{'estimate':>10}{'95 % interval':>18}{'p':>10}"]
    names = ["all states", *(f"without {label}" for label in report.groups.labels)]
    parts = {name: [report.whole[name], *values] for name, values in report.values.items()}
    for k, name in enumerate(names):
        moved = f"{first_order[k - 1]:>+12.3f}{change[k - 1]:>+9.3f}" if k else f"{'':>21}"
        limits = f"{parts['lower'][k]:.3f} to {parts['upper'][k]:.3f}"
        p = parts["p_values"][k]
        chance = f"{p:.4f}" if p >= 0.0001 else "< 0.0001"
        lines.append(f"  {name:<30}{moved}{parts['estimates'][k]:>10.3f}{limits:>18}{chance:>10}")
    return lines
