"""`Fit.diagnostics`: the classical measures of single rows, under the names that statsmodels uses.

S = sum_i w_i l2_i x_i x_i' + kappa D is W times the Hessian; edf, the effective degrees of freedom,
is the sum of the leverages (p without a penalty); phi is the dispersion: Pearson's statistic over
its degrees of freedom where it is estimated (for squared error 2 sigma^2, since l = (y - eta)^2).
Weights are variance weights (Var(y_i) goes as 1 / w_i) or counts.

- hat_diag: leverage h_i = w_i l2_i x_i'S^-1 x_i.
- cooks_d: (theta - theta_-i)'S(theta - theta_-i) / (phi edf).
- standard_resid: r_i / sqrt(phi (1 - h_i)), Pearson residual r_i = -sqrt(w_i) l1_i / sqrt(E l2_i),
  internally studentised.
- student_resid: the same with phi_-i estimated without the row, externally studentised: exact for
  squared error, one step otherwise; the same as standard_resid where phi is known.
- dffits_internal, dffits: x_i'(theta - theta_-i) / sqrt(phi x_i'S^-1 x_i), with phi or phi_-i.
- cov_ratio: det(phi_-i S_-i^-1) / det(phi S^-1), S_-i without the row, at theta.
- likelihood_displacement: 2 [F(theta_-i) - F(theta)] / phi, F the summed loss of *all* rows plus the
  penalty (Cook 1986; phi not profiled out). O(n) per row unless the loss is squared error.
- dfbeta (dfbeta_<name>): theta - theta_-i. Before minus after, as everywhere in statsmodels and R:
  minus the `delta` of `leave_one_out`.
- dfbetas (dfb_<name>): dfbeta_j / sqrt(phi (S^-1)_jj), with phi_-i if `deleted_scale`.

Where the loss is not the squared error, theta_-i is a Newton step by default. With few rows it can be
far from the refit for the rows that matter most (up to half of likelihood_displacement at n = 32):
method="exact" refits. A loss that says nothing of the variance of y (robust norms, the smoothed
hinge) has only hat_diag and dfbeta unless `dispersion` is given. With a probit link statsmodels' GLM
influence takes the expected information; S here is the observed one, as in a refit's own Newton step.

Risks without one linear predictor per row (several linear predictors, extra parameters) have the
measures that need no leverage: cooks_d with edf = p, likelihood_displacement, dfbeta and dfbetas.

Under "folded" the row takes its share w_i / W of the penalty with it. Sources: Belsley, Kuh and Welsch
(1980); Cook and Weisberg (1982); Pregibon (1981) for one-step measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.input.labels import index_of
from influstat.input.validation import FloatArray, choice
from influstat.input.warning import doubt
from influstat.minimise.minimum import Minimum
from influstat.removal.leave_out import leave_one_out
from influstat.statistics import dispersion as dispersions
from influstat.statistics.deletion import NO_FREEDOM, PERFECT_FIT, DeletedBlock, Deletion, deleted_dispersion
from influstat.statistics.leverage import Leverage
from influstat.statistics.likelihood_diagnostics import GENERAL, GeneralMeasures
from influstat.statistics.linear_diagnostics import LinearMeasures, LinearSetting

if TYPE_CHECKING:
    import pandas as pd

CHEAP = ("cooks_d", "standard_resid", "hat_diag", "dffits_internal", "student_resid", "dffits", "cov_ratio")
PER_COEFFICIENT = {"dfbetas": "dfb_", "dfbeta": "dfbeta_"}
COLUMNS = (*CHEAP, "likelihood_displacement", *PER_COEFFICIENT)
WITHOUT_SCALE = ("hat_diag", "dfbeta")
METHODS = ("newton", "exact")


def diagnostics(
    fit: Minimum,
    columns: Sequence[str] | str | None = None,
    *,
    method: str = "newton",
    dispersion: Any = None,
    frequency: bool = False,
    deleted_scale: bool = True,
) -> pd.DataFrame:
    """Return measures of every row; see `Fit.diagnostics`, and above for what each means."""
    choice("method", method, METHODS)
    choice("deleted_scale", deleted_scale, (True, False))
    chosen = _chosen(columns)
    try:
        leverage = Leverage(fit)
    except Unsupported:
        if columns is not None and not set(chosen) <= set(GENERAL):
            raise
        return _general_table(fit, tuple(name for name in chosen if name in GENERAL), method, dispersion)
    setting = LinearSetting(fit, leverage, None, frequency, deleted_scale)
    try:
        known = dispersions.dispersion(leverage, given=dispersion, frequency=frequency)
        if known.value == 0.0:  # a perfect fit: nothing can be measured in units of its residuals
            known = replace(known, value=np.nan)
        setting = replace(setting, dispersion=known)
    except Unsupported:
        if columns is not None and not set(chosen) <= set(WITHOUT_SCALE):
            raise
        chosen = tuple(name for name in chosen if name in WITHOUT_SCALE)
    return _table(setting, chosen, method)


def _chosen(columns: Sequence[str] | str | None) -> tuple[str, ...]:
    if columns is None:
        return CHEAP
    names = (columns,) if isinstance(columns, str) else columns
    if not isinstance(names, Sequence):
        raise InvalidType("columns", "be a name or a sequence of names", f"is {columns!r}", "Pass a list.")
    for name in names:
        if name not in COLUMNS:
            raise InvalidArgument(
                "columns", f"hold names out of {', '.join(COLUMNS)}", f"holds {name!r}", "Correct it."
            )
    if not names or len(set(names)) < len(names):
        raise InvalidArgument("columns", "name each column once", f"is {columns!r}", "Correct it.")
    return tuple(names)


def _table(setting: LinearSetting, chosen: tuple[str, ...], method: str) -> pd.DataFrame:
    """Compute the columns block by block and label them."""
    labels = _labels(setting.fit.names, chosen)
    table = np.empty((setting.fit.risk.shape[0], sum(len(some) for some in labels.values())))
    reasons: dict[int, str] = {}
    for block, phi in _blocks(setting, chosen, method, reasons):
        measures = LinearMeasures(setting, block, phi)
        first = 0
        for name, some in labels.items():
            values = getattr(measures, name)()
            table[block.rows, first : first + len(some)] = values.reshape(-1, len(some))
            first += len(some)
    _complete(setting, np.asarray(np.isnan(table).any(axis=1)), reasons)
    return _framed(setting.fit, table, labels, reasons)


def _general_table(fit: Minimum, chosen: tuple[str, ...], method: str, dispersion: Any) -> pd.DataFrame:
    """Compute the columns that need no leverage."""
    removal = leave_one_out(fit, method=method)
    measures = GeneralMeasures(fit, removal, dispersion)
    labels = _labels(fit.names, chosen)
    values = [getattr(measures, name)().reshape(fit.risk.shape[0], -1) for name in chosen]
    reasons = {row: text for row, text in enumerate(removal.status) if text}
    return _framed(fit, np.hstack(values), labels, reasons)


def _framed(
    fit: Minimum, table: FloatArray, labels: dict[str, list[str]], reasons: dict[int, str]
) -> pd.DataFrame:
    """Label the table, and say once that some of its rows have nan."""
    import pandas as pd

    columns = [label for some in labels.values() for label in some]
    frame = pd.DataFrame(table, index=index_of(fit.row_labels), columns=columns, copy=False)
    frame.attrs["status"] = tuple(reasons.get(row, "") for row in range(len(table)))
    if reasons:
        row = min(reasons)
        doubt(
            f"{len(reasons)} of {len(table)} rows have measures that do not exist and are nan, the first "
            f"{fit.row_labels[row]} ({reasons[row].rstrip('.')}). The frame's attrs['status'] has every "
            "row's reason, by position.",
        )
    return frame


def _labels(coefficients: tuple[str, ...], chosen: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the labels of the table's columns for each of the chosen names."""
    return {
        name: [PER_COEFFICIENT[name] + one for one in coefficients] if name in PER_COEFFICIENT else [name]
        for name in chosen
    }


def _blocks(
    setting: LinearSetting, chosen: tuple[str, ...], method: str, reasons: dict[int, str]
) -> Iterator[tuple[DeletedBlock, FloatArray]]:
    """Yield the rows left out and the dispersion without each, and note why some cannot be left out."""
    leverage, phi = setting.leverage, setting.dispersion
    exact = _exact_changes(setting, reasons) if method == "exact" and chosen != ("hat_diag",) else None
    deletion = Deletion(leverage, np.nan if phi is None else phi.squares)
    for block in deletion.blocks():
        reasons.update(block.reasons())
        without = np.full(len(block.left), np.nan)
        if phi is not None:
            without = deleted_dispersion(phi, block, leverage.risk.weights, setting.frequency)
        yield (block if exact is None else replace(block, change=exact[block.rows])), without


def _exact_changes(setting: LinearSetting, reasons: dict[int, str]) -> FloatArray:
    removal = leave_one_out(setting.fit, method="exact")
    reasons.update({row: text for row, text in enumerate(removal.status) if text})
    return np.asarray(np.linalg.solve(setting.leverage.transform, removal.delta.T).T)


def _complete(setting: LinearSetting, bad: NDArray[np.bool_], reasons: dict[int, str]) -> None:
    """Give every row with a nan its reason, and keep no reason for a row without."""
    for row in set(reasons) - set(np.flatnonzero(bad).tolist()):
        del reasons[row]
    perfect = setting.dispersion is not None and np.isnan(setting.dispersion.value)
    for row in np.flatnonzero(bad).tolist():
        residual = setting.dispersion is not None and np.isnan(setting.dispersion.pearson[row])
        other = "its curvature is not positive: it has no studentised residual" if residual else NO_FREEDOM
        reasons.setdefault(row, PERFECT_FIT if perfect else other)
