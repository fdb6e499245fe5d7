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

Under "folded" the row takes its share of the penalty with it (math.md 2). Sources: Belsley, Kuh and
Welsch (1980); Cook and Weisberg (1982); Pregibon (1981) for one-step measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from influstat import dispersion as dispersions
from influstat.deletion import NO_FREEDOM, DeletedBlock, Deletion, deleted_dispersion
from influstat.dispersion import Dispersion
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType, Unsupported
from influstat.leverage import Leverage
from influstat.validation import FloatArray, choice

if TYPE_CHECKING:
    import pandas as pd

    from influstat.fit import Fit

CHEAP = ("cooks_d", "standard_resid", "hat_diag", "dffits_internal", "student_resid", "dffits", "cov_ratio")
PER_COEFFICIENT = {"dfbetas": "dfb_", "dfbeta": "dfbeta_"}
COLUMNS = (*CHEAP, "likelihood_displacement", *PER_COEFFICIENT)
WITHOUT_SCALE = ("hat_diag", "dfbeta")
METHODS = ("newton", "exact")
BATCH_ENTRIES = 2**22  # entries of the losses of all rows at several theta


@dataclass(frozen=True, eq=False)
class _Setting:
    """What the columns are computed from."""

    fit: Fit
    leverage: Leverage
    dispersion: Dispersion | None
    frequency: bool
    deleted_scale: bool

    @property
    def phi(self) -> Dispersion:
        """Return the dispersion; columns that need it are refused earlier where there is none."""
        assert self.dispersion is not None
        return self.dispersion


def diagnostics(
    fit: Fit,
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
    leverage = Leverage(fit)
    chosen = _chosen(columns)
    setting = _Setting(fit, leverage, None, frequency, deleted_scale)
    try:
        known = dispersions.dispersion(leverage, given=dispersion, frequency=frequency)
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


def _table(setting: _Setting, chosen: tuple[str, ...], method: str) -> pd.DataFrame:
    """Compute the columns block by block and label them."""
    import pandas as pd

    labels = _labels(setting.fit.names, chosen)
    table = np.empty((setting.fit.risk.shape[0], sum(len(some) for some in labels.values())))
    reasons: dict[int, str] = {}
    for block, phi in _blocks(setting, chosen, method, reasons):
        measures = _Measures(setting, block, phi)
        first = 0
        for name, some in labels.items():
            values = getattr(measures, name)()
            table[block.rows, first : first + len(some)] = values.reshape(-1, len(some))
            first += len(some)
    _explain(setting, np.asarray(np.isnan(table).any(axis=1)), reasons)
    columns = [label for some in labels.values() for label in some]
    frame = pd.DataFrame(table, index=setting.fit.row_labels, columns=columns, copy=False)
    frame.attrs["undefined"] = reasons
    return frame


def _labels(coefficients: tuple[str, ...], chosen: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the labels of the table's columns for each of the chosen names."""
    return {
        name: [PER_COEFFICIENT[name] + one for one in coefficients] if name in PER_COEFFICIENT else [name]
        for name in chosen
    }


def _blocks(
    setting: _Setting, chosen: tuple[str, ...], method: str, reasons: dict[int, str]
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


def _exact_changes(setting: _Setting, reasons: dict[int, str]) -> FloatArray:
    removal = setting.fit.leave_one_out(method="exact")
    reasons.update({row: text for row, text in enumerate(removal.status) if text})
    return np.asarray(np.linalg.solve(setting.leverage.transform, removal.delta.T).T)


def _explain(setting: _Setting, bad: NDArray[np.bool_], reasons: dict[int, str]) -> None:
    """Give every row with a nan its reason, and say once that there are some."""
    for row in set(reasons) - set(np.flatnonzero(bad).tolist()):
        del reasons[row]
    for row in np.flatnonzero(bad).tolist():
        residual = setting.dispersion is not None and np.isnan(setting.dispersion.pearson[row])
        other = "its curvature is not positive: it has no studentised residual" if residual else NO_FREEDOM
        reasons.setdefault(row, other)
    if reasons:
        row, reason = next(iter(sorted(reasons.items())))
        warn(
            f"{len(reasons)} of {len(bad)} rows have measures that do not exist and are nan, the first "
            f"{setting.fit.row_labels[row]} ({reason.rstrip('.')}). The frame's attrs['undefined'] has every "
            "row's reason, by position.",
            DoubtfulResult,
            stacklevel=4,
        )


class _Measures:
    """The columns of a block of rows; one method per name of `COLUMNS`."""

    def __init__(self, setting: _Setting, block: DeletedBlock, without: FloatArray) -> None:
        self.setting, self.block, self.without = setting, block, without
        leverage, rows = setting.leverage, block.rows
        self.square = np.einsum("ij,ij->i", block.coordinates, block.coordinates)  # x_i'S^-1 x_i
        self.leverage = leverage.risk.weights[rows] * leverage.second[rows] * self.square

    def hat_diag(self) -> FloatArray:
        """Return the leverages."""
        return np.asarray(self.leverage)

    def _studentised(self, phi: Any) -> FloatArray:
        left = 1.0 - self.leverage
        root = np.sqrt(phi * np.where(np.isnan(self.block.log_determinant), np.nan, left))
        return np.asarray(self.setting.phi.pearson[self.block.rows] / root)

    def standard_resid(self) -> FloatArray:
        """Return residuals over their standard deviation with the dispersion of the fit."""
        return self._studentised(self.setting.phi.value)

    def student_resid(self) -> FloatArray:
        """Return residuals over their standard deviation with the dispersion without the row."""
        return self._studentised(self.without)

    def cooks_d(self) -> FloatArray:
        """Return delta'S delta / (phi edf)."""
        size = np.einsum("ij,ij->i", self.block.change, self.block.change)
        freedom = self.setting.leverage.effective_degrees_of_freedom
        return np.asarray(size / (self.setting.phi.value * freedom))

    def _fitted_change(self, phi: Any) -> FloatArray:
        change = -np.einsum("ij,ij->i", self.block.coordinates, self.block.change)
        at_zero = self.square == 0  # a row of zeros predicts its offset whatever theta is
        size = np.sqrt(phi * np.where(at_zero, 1.0, self.square))
        return np.asarray(np.where(at_zero, 0.0, change) / size)

    def dffits_internal(self) -> FloatArray:
        """Return x_i'(theta - theta_-i) over its standard error in the fit."""
        return self._fitted_change(self.setting.phi.value)

    def dffits(self) -> FloatArray:
        """Return x_i'(theta - theta_-i) over its standard error, dispersion without the row."""
        return self._fitted_change(self.without)

    def cov_ratio(self) -> FloatArray:
        """Return det(phi_-i S_-i^-1) / det(phi S^-1)."""
        p = self.block.coordinates.shape[1]
        ratio = p * np.log(self.without / self.setting.phi.value) - self.block.log_determinant
        return np.asarray(np.exp(ratio))

    def dfbeta(self) -> FloatArray:
        """Return theta - theta_-i."""
        return np.asarray(-self.block.change @ self.setting.leverage.transform.T)

    def dfbetas(self) -> FloatArray:
        """Return theta - theta_-i over the standard errors."""
        phi = (
            self.without if self.setting.deleted_scale else np.full(len(self.without), self.setting.phi.value)
        )
        result = self.dfbeta()
        result /= np.sqrt(phi)[:, None]
        result /= np.sqrt(self.setting.leverage.inverse_diagonal)
        return result

    def likelihood_displacement(self) -> FloatArray:
        """Return 2 [F(theta_-i) - F(theta)] / phi."""
        part, theta = self.setting.leverage.part, self.setting.fit.theta
        risk = part.rows
        delta = self.block.change @ self.setting.leverage.transform.T
        result = np.empty(len(delta))
        step = max(1, BATCH_ENTRIES // risk.shape[0])
        before = risk.loss.value(risk.y, self.setting.leverage.linear_predictor)
        for start in range(0, len(delta), step):
            some = slice(start, start + step)
            moved = theta + delta[some]
            eta = risk.design.dot(np.ascontiguousarray(moved.T)) + risk.offset[:, None]
            losses = risk.weights @ (risk.loss.value(risk.y[:, None], eta) - before[:, None])
            penalty = delta[some] @ part.penalty_gradient
            penalty += 0.5 * np.einsum("ij,ij->i", delta[some] @ part.penalty, delta[some])
            result[some] = losses + penalty
        return 2.0 * result / self.setting.phi.value
