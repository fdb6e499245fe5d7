"""`Fit.diagnostics`: the classical measures of single rows, under the names that statsmodels uses.

S = sum_i w_i l2_i x_i x_i' + kappa D is W times the Hessian, l2 observed or expected as `information` says
(the same for canonical links; R and Fisher scoring take the expected one); edf, the effective degrees of
freedom, is the sum of the leverages (p without a penalty); phi is the dispersion: Pearson's statistic over
its degrees of freedom where it is estimated. Weights are variance weights (Var(y_i) goes as 1 / w_i) or
counts. All residuals have the sign of y minus its mean.

- hat_diag: leverage h_i = w_i l2_i x_i'S^-1 x_i.
- resid_response: y_i - mu_i; resid_pearson: r_i, the same over the root of its variance function, times
  sqrt(w_i); resid_deviance: d_i = +- sqrt(2 w_i [l(y_i, mu_i) - l(y_i, y_i)]). All at dispersion 1.
- resid_std: standard error of resid_pearson, sqrt(phi (1 - h_i)).
- resid_press: y_i less its mean at theta_-i, the prediction error without the row (Allen 1974); for least
  squares e_i / (1 - h_i).
- cooks_d: (theta - theta_-i)'S(theta - theta_-i) / (phi edf).
- standard_resid, standard_resid_deviance: r_i or d_i / sqrt(phi (1 - h_i)), internally studentised.
- student_resid: +- sqrt(d_i^2 + h_i r_i^2 / (1 - h_i)) / sqrt(phi_-i), externally studentised (Williams 1987,
  R's rstudent): phi_-i without the row, or phi where it is known. For squared error that is
  r_i / sqrt(phi_-i (1 - h_i)).
- dffits_internal: x_i'(theta - theta_-i) / sqrt(phi x_i'S^-1 x_i), with the sign of the mean's change.
- dffits: for squared error the same with phi_-i; for other likelihoods R's
  d_i sqrt(h_i) / (1 - h_i) / sqrt(phi_-i).
- cov_ratio: det(phi_-i S_-i^-1) / det(phi S^-1), S_-i without the row, at theta; for other likelihoods than
  that of squared error with phi by the deviance, as in R.
- likelihood_displacement: 2 [F(theta_-i) - F(theta)] / phi, F the summed loss of *all* rows plus the
  penalty (Cook 1986; phi not profiled out). O(n) per row unless the loss is squared error.
- dfbeta (dfbeta_<name>): theta - theta_-i. Before minus after, as everywhere in statsmodels and R:
  minus the `delta` of `leave_one_out`.
- dfbetas (dfb_<name>): dfbeta_j / sqrt(phi (S^-1)_jj), with phi_-i if `deleted_scale`.

Where the loss is not the squared error, all this is one step by default: theta_-i a Newton step (with
expected information one of Fisher scoring), phi_-i = (D - d_i^2 / (1 - h_i)) / (N - 1 - edf) with the
deviance D, which R's dffits and cov_ratio take even where phi is known, as for counts and proportions. With
few rows one step can be far from the refit for the rows that matter most (up to half of
likelihood_displacement at n = 32), and its phi_-i even negative: method="exact" refits. Then phi_-i is
Pearson's of the refit, or phi where it is known, dffits is x_i'(theta - theta_-i) over
sqrt(phi_-i x_i'S^-1 x_i), and cov_ratio the ratio of the two fits' own covariances. A loss that says nothing
of the variance of y (robust norms, the smoothed hinge) has only hat_diag, resid_response and dfbeta unless
`dispersion` is given; one without a deviance has Pearson residuals in its place.

Risks without one linear predictor per row (several linear predictors, extra parameters) have the
measures that need no leverage: cooks_d with edf = p, likelihood_displacement, dfbeta and dfbetas.

Under "folded" the row takes its share w_i / W of the penalty with it. Sources: Belsley, Kuh and Welsch
(1980); Cook and Weisberg (1982); Pregibon (1981) for one-step measures; Williams (1987).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.input.frame_like import Reasons
from influstat.input.labels import index_of, label_name
from influstat.input.lazy_types import DataFrame
from influstat.input.printing import short
from influstat.input.validation import FloatArray, choice
from influstat.input.warning import doubt_once
from influstat.losses.base import constant_second
from influstat.minimise.minimum import Minimum
from influstat.removal.leave_out import leave_one_out
from influstat.statistics import dispersion as dispersions
from influstat.statistics.deletion import (
    NO_FREEDOM,
    PERFECT_FIT,
)
from influstat.statistics.dispersion import Dispersion, Totals
from influstat.statistics.left_behind import Refits, blocks
from influstat.statistics.leverage import Leverage, leverage_of
from influstat.statistics.linear_diagnostics import GENERAL, GeneralMeasures, LinearMeasures, LinearSetting
from influstat.statistics.residuals import has_deviance, residuals_lacking, unit_deviance

ALIKE = 1e4  # how far apart the deviance and Pearson's statistic of one fit are at most, beyond rounding
CHEAP = ("cooks_d", "standard_resid", "hat_diag", "dffits_internal", "student_resid", "dffits", "cov_ratio")
PER_COEFFICIENT = {"dfbetas": "dfb_", "dfbeta": "dfbeta_"}
RESIDUALS = ("resid_response", "resid_pearson", "resid_std", "resid_deviance", "standard_resid_deviance")
COLUMNS = (*CHEAP, *RESIDUALS, "resid_press", "likelihood_displacement", *PER_COEFFICIENT)
WITHOUT_SCALE = ("hat_diag", "resid_response", "resid_press", "dfbeta")
METHODS = ("newton", "exact")
ALL = "all"  # whatever there is


def diagnostics(
    fit: Minimum,
    columns: Sequence[str] | str | None = None,
    *,
    method: str = "newton",
    dispersion: Any = None,
    frequency: bool | None = None,
    deleted_scale: bool = True,
    information: str | None = None,
) -> DataFrame:
    """Return measures of every row; see `Fit.diagnostics`, and above for what each means."""
    choice("method", method, METHODS)
    choice("deleted_scale", deleted_scale, (True, False))
    chosen, whatever = (
        chosen_measures(columns),
        columns is None or (isinstance(columns, str) and columns == ALL),
    )
    given = dispersions.check_dispersion(fit.stated.dispersion if dispersion is None else dispersion)
    by = fit.stated.information if information is None else information
    try:
        leverage = leverage_of(fit, by)
    except Unsupported:
        if not whatever and not set(chosen) <= set(GENERAL):
            raise
        some = tuple(name for name in chosen if name in GENERAL)
        return _general_table(fit, some, whatever, method, given)
    if frequency is not None:
        choice("frequency", frequency, (True, False))

    def plain() -> LinearSetting:
        counts = dispersions.counts_of(fit, frequency)
        return LinearSetting(leverage, None, None, counts, deleted_scale)

    try:
        asked = by, frequency, given, deleted_scale
        setting = fit.kept.once("setting of diagnostics", asked, lambda: scaled(plain(), given))
    except Unsupported:
        if not whatever and not set(chosen) <= set(WITHOUT_SCALE):
            raise
        setting, chosen = plain(), tuple(name for name in chosen if name in WITHOUT_SCALE)
    if whatever:
        chosen = tuple(name for name in chosen if name not in residuals_lacking(leverage.risk))
    refits = None
    if method == "exact" and not set(chosen) <= {"hat_diag", *RESIDUALS, "standard_resid"}:
        refits = Refits(fit, setting, chosen, given, by)
    return _table(fit, setting, chosen, refits)


def scaled(
    setting: LinearSetting, given: Any, totals: Totals | None = None, deviance: float | None = None
) -> LinearSetting:
    """Return the setting with its dispersions, or raise Unsupported where the loss has no variance."""
    # `totals` and `deviance` are sums over all rows, where the fit has only some of them.
    leverage = setting.leverage
    known = dispersions.dispersion(leverage, setting.counts, given=given, totals=totals)
    if known.value == 0.0:  # a perfect fit: nothing can be measured in units of its residuals
        known = replace(known, value=np.nan)
    return replace(setting, dispersion=known, by_deviance=lambda: _spread(leverage, known, given, deviance))


def measured_by_deviance(loss: Any, given: Any) -> bool:
    """Tell whether R's dispersion by the deviance is one of its own for this loss."""
    return not (isinstance(given, float) or constant_second(loss) is not None or not has_deviance(loss))


def _spread(leverage: Leverage, phi: Dispersion, given: Any, deviance: float | None) -> Dispersion:
    """Return the dispersion by the deviance; phi for squared error, losses without one, and where given."""
    if not measured_by_deviance(leverage.risk.loss, given):
        return phi
    parts = leverage.risk.weights * unit_deviance(leverage.risk, leverage.linear_predictor)
    squares = float(parts.sum()) if deviance is None else deviance
    freedom = phi.observations - leverage.effective_degrees_of_freedom
    least = 1e-8 * phi.observations
    # Below that, in small units of y, it is no rounding where it is of the size of Pearson's statistic.
    told = squares > least or phi.squares / ALIKE < squares < phi.squares * ALIKE
    value = squares / freedom if freedom > least and told else np.nan
    return replace(phi, value=value, estimated=True, parts=parts, squares=squares)


def chosen_measures(columns: Sequence[str] | str | None) -> tuple[str, ...]:
    """Return the names that a caller chose, or raise where one does not exist."""
    if columns is None:
        return CHEAP
    if isinstance(columns, str) and columns == ALL:
        return COLUMNS
    names = (columns,) if isinstance(columns, str) else columns
    if not isinstance(names, Sequence):
        raise InvalidType("columns", "be a name or a sequence of names", f"is {columns!r}", "Pass a list.")
    for name in names:
        if name not in COLUMNS:
            raise InvalidArgument(
                "columns",
                f"hold names out of {', '.join(COLUMNS)}",
                f"holds {short(name)}",
                f"Correct it, or pass columns={ALL!r}.",
            )
    if not names or len(set(names)) < len(names):
        raise InvalidArgument("columns", "name each column once", f"is {columns!r}", "Correct it.")
    return tuple(names)


def _table(fit: Minimum, setting: LinearSetting, chosen: tuple[str, ...], refits: Refits | None) -> DataFrame:
    """Compute the columns block by block and label them."""
    labels, table, reasons, never = measured(fit.names, setting, chosen, refits)
    if never.any() and fit.lost:
        doubt_once(
            fit,
            f"{int(never.sum())} columns are nan: {', '.join(fit.lost[:5])} are not determined, "
            "since columns of X depend on each other.",
        )
    return _framed(fit, table, labels, reasons)


def measured(
    coefficients: tuple[str, ...],
    setting: LinearSetting,
    chosen: tuple[str, ...],
    refits: Refits | None = None,
) -> tuple[dict[str, list[str]], FloatArray, dict[int, str], NDArray[np.bool_]]:
    """Return labels of each name's columns, the table (n, columns), why rows have nan, and lost columns."""
    # Lost are columns of coefficients that no row determines, a bool each.
    labels = _labels(coefficients, chosen)
    # Columns after columns, as pandas keeps them.
    table = np.empty((len(setting.counts), sum(len(some) for some in labels.values())), order="F")
    reasons: dict[int, str] = {} if refits is None else dict(refits.reasons)
    for block, without in blocks(setting, chosen, refits, reasons):
        measures = LinearMeasures(setting, block, without)
        first = 0
        for name, some in labels.items():
            with np.errstate(over="ignore"):  # a dispersion of nearly 0
                if name in PER_COEFFICIENT:
                    getattr(measures, name)(table[block.rows, first : first + len(some)])
                else:
                    table[block.rows, first] = getattr(measures, name)()
            first += len(some)
    never = np.zeros(table.shape[1], dtype=np.bool_)
    bad: NDArray[np.bool_] = np.zeros(len(table), dtype=np.bool_)
    flat = table.ravel(order="K")
    with np.errstate(over="ignore", invalid="ignore"):
        whole = not np.isnan(flat @ flat)  # one pass, where there is no nan at all
    if not whole:
        missing = np.isnan(table)
        asked = np.array([name in PER_COEFFICIENT for name, some in labels.items() for _ in some])
        never = asked & missing.all(axis=0)  # of coefficients that no row determines
        bad = np.asarray(missing[:, ~never].any(axis=1))
    if reasons or not whole:
        _complete(setting, bad, reasons)
    return labels, table, reasons, never


def _general_table(
    fit: Minimum, chosen: tuple[str, ...], whatever: bool, method: str, dispersion: Any
) -> DataFrame:
    """Compute the columns that need no leverage, or whatever of them can be had."""
    removal = leave_one_out(fit, method=method)
    measures = GeneralMeasures(fit, removal, dispersion)
    chosen = (measures.available(chosen) if whatever else ()) or chosen
    labels = _labels(fit.names, chosen)
    values = [getattr(measures, name)().reshape(fit.risk.shape[0], -1) for name in chosen]
    reasons = {row: text for row, text in enumerate(removal.status) if text}
    return _framed(fit, np.hstack(values), labels, reasons)


def _framed(
    fit: Minimum, table: FloatArray, labels: dict[str, list[str]], reasons: dict[int, str]
) -> DataFrame:
    """Label the table, and say once that some of its rows have nan."""
    import pandas as pd

    called = tuple(label for some in labels.values() for label in some)
    # Views: an index that a caller gives a name is his own.
    index = fit.kept.once("index", None, lambda: index_of(fit.row_labels)).view()
    columns = fit.kept.once("columns of diagnostics", called, lambda: pd.Index(list(called))).view()
    frame = pd.DataFrame(table, index=index, columns=columns, copy=False)
    status = fit.kept.once("no reasons", None, lambda: Reasons([""] * len(table)))
    if reasons:
        status = Reasons(reasons.get(row, "") for row in range(len(table)))
    frame.attrs["status"] = status
    if reasons:
        row = min(reasons)
        doubt_once(
            fit,
            f"{len(reasons)} of {len(table)} rows have measures that do not exist and are nan, the first "
            f"{label_name(fit.row_labels[row])} ({reasons[row].rstrip('.')}). The frame's attrs['status'] "
            "has every row's reason, by position.",
        )
    return frame


def _labels(coefficients: tuple[str, ...], chosen: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the labels of the table's columns for each of the chosen names."""
    return {
        name: [PER_COEFFICIENT[name] + one for one in coefficients] if name in PER_COEFFICIENT else [name]
        for name in chosen
    }


def _complete(setting: LinearSetting, bad: NDArray[np.bool_], reasons: dict[int, str]) -> None:
    """Give every row with a nan its reason, and keep no reason for a row without."""
    for row in set(reasons) - set(np.flatnonzero(bad).tolist()):
        del reasons[row]
    perfect = setting.dispersion is not None and np.isnan(setting.dispersion.value)
    for row in np.flatnonzero(bad).tolist():
        residual = setting.dispersion is not None and np.isnan(setting.dispersion.pearson[row])
        other = "its curvature is not positive: it has no studentised residual" if residual else NO_FREEDOM
        reasons.setdefault(row, PERFECT_FIT if perfect else other)
