"""`Fit.summary`: what was fitted, its coefficients, and what of it deserves a look, in statsmodels' form."""

from __future__ import annotations

import warnings
from contextlib import suppress
from copy import deepcopy
from functools import cache
from html import escape
from textwrap import fill
from typing import Any

import numpy as np

from influstat.errors import DoubtfulResult, InflustatError
from influstat.input.labels import label_name
from influstat.input.lazy_types import SimpleTable, Summary
from influstat.input.printing import escaped, short
from influstat.input.validation import FloatArray
from influstat.input.warning import collected
from influstat.losses.base import constant_second
from influstat.minimise.minimum import Minimum
from influstat.minimise.remaining import remaining_step
from influstat.removal.leave_out import leave_one_out
from influstat.risks.linear import as_linear
from influstat.statistics.dispersion import dispersion
from influstat.statistics.flags import flags
from influstat.statistics.inference import Inference
from influstat.statistics.leverage import leverage_of
from influstat.statistics.reporting import checked

NAMED = 5  # of the flagged rows
QUICK = 50_000  # entries of X of which a Newton step without each row is certified while nobody waits
ASK = 'fit.leave_one_out(method="newton").certificate has them, with the reason of each row that has none.'
TITLE, WIDTH = "Summary of the fit", 78


def summary(fit: Minimum, *, by: Inference | None, title: str | None) -> Summary:
    """Return the summary; `Fit.summary` says more."""
    notes: list[str] = []
    with collected() as said:  # they become notes
        inference = _inference(fit, by, notes)
        notes += fit.stated.held
        above = _fitted(fit, inference)
        coefficients = _coefficients(fit, inference)
        below = _flagged(fit, notes), _trusted(fit, notes)
    for one in said:
        if not issubclass(one.category, DoubtfulResult):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        elif str(one.message) not in notes:
            notes.append(str(one.message))
    return assembled(title, above, coefficients, below, notes)


Pairs = tuple[dict[str, str], dict[str, str]]


def assembled(
    title: str | None, above: Pairs, coefficients: SimpleTable, below: Pairs, notes: list[str]
) -> Summary:
    """Return a summary of pairs of a name and its text, on the left and the right, and a table between."""
    made = _escaped()
    # Four columns each: statsmodels writes no LaTeX of tables that have fewer.
    for heading, (left, right), table in ((title or TITLE, above, [coefficients]), ("", below, [])):
        made.add_table_2cols(None, heading, _listed(left), _listed(right), yname="y", xname=[])
        made.tables += table
    numbered = (fill(f"[{k}] {text}", WIDTH, break_long_words=False) for k, text in enumerate(notes, start=1))
    made.add_extra_txt(["Notes:", *numbered])
    return made


def _escaped() -> Summary:
    """Return an empty summary; statsmodels writes names into html, and notes into LaTeX, as they are."""
    return _kind()()


@cache
def _kind() -> Any:
    """Return the class of summaries that escape, made where statsmodels is known to be needed."""
    from statsmodels.iolib.summary import Summary

    class Escaped(Summary):  # type: ignore[misc]  # statsmodels has no types
        """A summary whose special characters of LaTeX and html are escaped."""

        def __reduce__(self) -> Any:  # by name a pickle would not find it
            return _escaped, (), self.__dict__

        def as_latex(self) -> str:
            return str(self._with(self.tables, escaped(self.extra_txt)).as_latex())

        def as_html(self) -> str:
            return str(self._with(list(map(_html_table, self.tables)), escape(self.extra_txt)).as_html())

        def _repr_html_(self) -> str:
            return self.as_html()

        def _with(self, tables: list[SimpleTable], notes: str) -> Summary:
            plain = Summary()
            plain.tables, plain.extra_txt = tables, notes
            return plain

    return Escaped


def _html_table(table: SimpleTable) -> SimpleTable:
    """Return a copy of a table with its title and cells escaped for html."""
    safe = deepcopy(table)
    safe.title = escape(safe.title) if safe.title else safe.title
    for row in safe:
        for cell in row:
            cell.data = escape(cell.data) if isinstance(cell.data, str) else cell.data
    return safe


def _listed(pairs: dict[str, str]) -> list[tuple[str, list[str]]]:
    """Return the pairs as statsmodels takes them."""
    return [(name, [text]) for name, text in pairs.items()]


def _inference(fit: Minimum, by: Inference | None, notes: list[str]) -> Inference | None:
    """Return the inference to show, None where the fit has none; and note what it is, or why it is not."""
    try:
        inference = checked(fit, by, 'Call fit.summary(inference=fit.inference("HC0")).')
        inference.table  # noqa: B018  some settings are refused only here
    except InflustatError as error:
        if by is not None:
            raise
        notes.append(f"No standard errors, t and p values and limits of this fit: {error}")
        return None
    freedom = inference.degrees_of_freedom
    by_what = "the normal distribution" if np.isinf(freedom) else f"t with {freedom:g} degrees of freedom"
    notes.append(f"Standard errors by the {inference.kind!r} covariance; p values and limits by {by_what}.")
    notes += [inference.note] if inference.note else []
    return inference


def _fitted(fit: Minimum, inference: Inference | None) -> Pairs:
    """Return what was fitted to what, in pairs of a name and its text, for the left and the right."""
    risk, linear = fit.risk, as_linear(fit.risk)
    n, p = risk.shape
    lost = f" ({len(fit.lost)} not determined)" if fit.lost else ""
    penalty = getattr(risk, "penalty", None)
    left = {
        "Model:": fit.stated.origin or type(risk).__name__,
        "Loss:": short(risk.loss) if hasattr(risk, "loss") else "its own",
        "Penalty:": "none" if penalty is None else penalty.in_words(),
        "Protocol:": str(risk.protocol),
        "Covariance:": "-" if inference is None else inference.kind,
    }
    right = {
        "No. Rows:": str(n),
        "Total weight:": f"{risk.total_weight:.6g}",
        "No. Coefficients:": f"{p}{lost}",
        "Df Residuals:": "-",
        "Scale:": "-",
    }
    if linear is not None and inference is not None:
        with suppress(InflustatError):  # a loss without a variance, whose covariance needs none
            right.update(_spread(fit, inference))
    return left, right


def _spread(fit: Minimum, inference: Inference) -> dict[str, str]:
    """Return residual degrees of freedom, and the variance of y at unit weight, sigma^2 of least squares."""
    setting, risk = inference.setting, as_linear(fit.risk)
    leverage = leverage_of(fit, setting.information)
    phi = dispersion(leverage, setting.counts, given=setting.dispersion)
    used = leverage.effective_degrees_of_freedom if setting.parameters is None else setting.parameters
    scale = phi.value / (constant_second(getattr(risk, "loss", None)) or 1.0)
    known = "estimated" if phi.estimated else "known"
    return {"Df Residuals:": f"{phi.observations - used:.6g}", "Scale:": f"{scale:.5g} ({known})"}


def _coefficients(fit: Minimum, inference: Inference | None) -> SimpleTable:
    """Return the table of the coefficients as statsmodels prints it; estimates alone without inference."""
    from statsmodels.iolib.summary import summary_params

    names = list(fit.names)
    if inference is None:
        return estimates_alone(fit.theta, names)
    table = inference.table
    limits = np.column_stack([table.lower, table.upper])
    values = (None, fit.theta, table.standard_errors, table.t_values, table.p_values, limits)
    alpha = round(1.0 - inference.level, 12)  # 0.05, and not 0.05000000000000004
    made: SimpleTable = summary_params(values, yname="y", xname=names, alpha=alpha, use_t=inference.use_t)
    return made


def estimates_alone(theta: FloatArray, names: list[str]) -> SimpleTable:
    """Return the table of coefficients of a fit that has no standard errors."""
    from statsmodels.iolib.summary import forg
    from statsmodels.iolib.table import SimpleTable
    from statsmodels.iolib.tableformatting import fmt_params

    lines = [[forg(value, prec=4), *["-"] * 5] for value in theta]
    return SimpleTable(lines, ["coef", "std err", "t", "P>|t|", "[", "]"], names, txt_fmt=fmt_params)


def _flagged(fit: Minimum, notes: list[str]) -> dict[str, str]:
    """Return how many rows the rules of R flag, and the first of them with the number of rules."""
    try:
        found = flags(fit)
    except InflustatError as error:
        reason = str(error).removesuffix(getattr(error, "remedy", ""))
        known = any(reason in note for note in notes)
        notes.append(f"Rows are not flagged{', for the same reason.' if known else f': {error}'}")
        return {"Rows flagged:": "-"}
    rules, flagged = found.shape[1], int(found.any(axis=1).sum())
    first = {f"  {label_name(row.Index)}": f"{row.rules} of {rules} rules" for row in found.top(NAMED)}
    if flagged:
        notes.append("Rows flagged by R's rules, those of most rules first: fit.flags() has which and why.")
    return {"Rows flagged:": f"{flagged} of {len(found)}", **first}


def _trusted(fit: Minimum, notes: list[str]) -> dict[str, str]:
    """Return the Newton step that is left, and for how many rows that without them is certified."""
    left = remaining_step(fit.risk, fit.theta)
    notes.append("Newton step left: in units of what removing a typical row does, 0 at the minimum.")
    n, p = fit.risk.shape
    proven, said = "-", "take time here"
    if n * p <= QUICK:
        try:
            status = leave_one_out(fit, method="newton").certificate.status
        except InflustatError as error:
            said = f"are not there: {error}"
        else:
            proven = f"{sum(not text for text in status)} of {n} rows"
            why = next((text for text in status if text), "")
            said = f"lack where {why.removeprefix('not certified: ').rstrip('.')}" if why else ""
    if said:
        notes.append(f"Bounds on Newton steps {said}. {ASK}")
    step = f"{left:.2g}" if np.isfinite(left) else "-"
    return {"Newton step left:": step, "Newton steps certified:": proven}
