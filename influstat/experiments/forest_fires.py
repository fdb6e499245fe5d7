"""Figure 1: ridge regression on Forest Fires, four ways to solve, against exact leave-one-out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.datasets import Dataset, load_forest_fires
from influstat.experiments.comparison import Agreement, agreement, largest_gap, pearson
from influstat.experiments.split import (
    Split,
    folded_and_fixed,
    leverage,
    lissa_removals,
    loss_change_at,
    removal,
    require_dataset,
    split_rows,
    standardised,
)
from influstat.experiments.table import Line, below, number, same, within
from influstat.fit import Fit
from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray
from influstat.models.linear import Ridge
from influstat.plots import solver_panels
from influstat.solvers import ConjugateGradient, Taylor

TEST_ROW = 42
SCALE = 400.0
DEPTH = 2000
TITLE = "Figure 1: ridge, Forest Fires, test row 42"


@dataclass(frozen=True, eq=False, repr=False)
class Figure1(ShortRepr):
    """Everything behind Figure 1. All changes are of the loss of test row 42, shape (516,), as -I/n.

    Attributes
    ----------
    split : Split
        516 training rows, 29 standardised columns, standardised area, and the test row.
    fit : Fit
        Ridge, lam = 1, folded.
    eigenvalues : ndarray, shape (29,)
        Of the Hessian, mean scale, ascending.
    rank : int
        Of the standardised design: the months, and the days, sum to a constant.
    loo, loo_folded : ndarray
        Exact leave-one-out "a" (refit with the whole penalty) and "b" (folded); see `split`.
    explicit, conjugate_gradient : ndarray
        First-order removal by a factorisation and by conjugate gradients.
    taylor : mapping of int to ndarray
        Depth -> removal by the full recursion (12) with C = 400.
    lissa : ndarray, shape (seeds, 516)
        Removal by LiSSA, m = 2000, C = 400, one repeat.
    newton_linear, newton_reevaluated : ndarray
        Change by the Newton step for the refit "a": along the tangent of the test loss, and with the
        loss evaluated anew.
    first_order_reevaluated : ndarray
        The loss evaluated at the first-order theta.
    leverage : ndarray
        Of the training rows.
    """

    split: Split
    fit: Fit
    eigenvalues: FloatArray
    rank: int
    loo: FloatArray
    loo_folded: FloatArray
    explicit: FloatArray
    conjugate_gradient: FloatArray
    taylor: Mapping[int, FloatArray]
    lissa: FloatArray
    newton_linear: FloatArray
    newton_reevaluated: FloatArray
    first_order_reevaluated: FloatArray
    leverage: FloatArray

    @property
    def agreement(self) -> Agreement:
        """Of the explicit solution with leave-one-out "a"."""
        return agreement(self.explicit, self.loo)


def forest_fires_split(data: Dataset | None = None) -> Split:
    """Return Forest Fires as Figure 1 has it: test row 42, the other rows in file order, standardised.

    Other `data` with a numeric target are split and standardised in the same way.

    Returns
    -------
    Split
        Positions of training rows count the 516 rows left: row 237 of the table is row 238 of the file.
    """
    data = load_forest_fires() if data is None else data
    require_dataset(data)
    test = np.array([TEST_ROW])
    return standardised(split_rows(data, np.delete(np.arange(len(data.y)), test), test), target=True)


def figure1(
    *,
    data: Dataset | None = None,
    taylor_depths: Sequence[int] = (DEPTH, 50_000, 200_000),
    seeds: Sequence[int] = range(10),
) -> Figure1:
    """Compute Figure 1 (paper, section 4.1).

    Parameters
    ----------
    data : Dataset, optional
        A regression task; Forest Fires when left out. The stated numbers are those of Forest Fires.
    taylor_depths : sequence of int
        Depths of the full recursion; the paper's is 2000.
    seeds : sequence of int
        Of the LiSSA runs.

    Returns
    -------
    Figure1

    Raises
    ------
    DatasetError, MissingDependency
        The data are not at hand.

    Examples
    --------
    >>> from influstat.experiments import figure1
    >>> figure1().agreement.worst_row  # doctest: +SKIP
    237
    """
    split = forest_fires_split(data)
    fit, fixed = folded_and_fixed(Ridge(lam=1.0), split)
    newton = fixed.leave_one_out(method="newton")
    gradient = fit.test_rows(split.X_test, split.y_test).row_gradients(fit.theta)[0]

    def change(theta: FloatArray) -> FloatArray:
        return loss_change_at(fit, theta, split)[:, 0]

    return Figure1(
        split=split,
        fit=fit,
        eigenvalues=np.linalg.eigvalsh(fit.hessian.to_dense()),
        rank=int(np.linalg.matrix_rank(split.X)),
        loo=change(fixed.leave_one_out().theta),
        loo_folded=change(fit.leave_one_out().theta),
        explicit=removal(fit, split)[:, 0],
        conjugate_gradient=removal(fit, split, ConjugateGradient(rtol=1e-13))[:, 0],
        taylor={m: removal(fit, split, Taylor(depth=m, scale=SCALE))[:, 0] for m in taylor_depths},
        lissa=lissa_removals(fit, split, seeds, {"depth": DEPTH, "scale": SCALE, "repeats": 1}),
        newton_linear=newton.delta @ gradient,
        newton_reevaluated=change(newton.theta),
        first_order_reevaluated=change(fit.leave_one_out(method="influence").theta),
        leverage=leverage(fixed),
    )


def table(record: Figure1) -> list[Line]:
    """Return the numbers of Figure 1 beside those stated for a right implementation."""
    found, explicit = record.agreement, record.explicit
    lines = [
        number("norm of theta", "0.639569832673", float(np.linalg.norm(record.fit.theta))),
        number("risk", "0.95512313554", record.fit.risk.value(record.fit.theta)),
        number("smallest eigenvalue of the Hessian", "0.003876", record.eigenvalues[0]),
        number("largest eigenvalue", "7.611", record.eigenvalues[-1]),
        number("condition number", "1964", record.eigenvalues[-1] / record.eigenvalues[0]),
        same("rank of the 29 columns", 27, record.rank),
        number("-I/n against LOO a: Pearson", "0.78700", found.pearson),
        number("  Spearman", "0.99880", found.spearman),
        number("  slope", "1.571", found.slope),
        number("  largest error", "0.02437", found.max_error),
        same("  at training row", 237, found.worst_row),
        number("  Pearson without that row", "0.98961", found.pearson_without_worst),
        number("largest difference of LOO a and LOO b", "6.4e-6", largest_gap(record.loo, record.loo_folded)),
        below("CG against explicit", "1e-14", largest_gap(record.conjugate_gradient, explicit)),
    ]
    stated = {2000: "8.98e-3", 50_000: "2.6e-5", 200_000: "4e-13"}
    for depth, removals in record.taylor.items():
        if depth in stated:
            error = largest_gap(removals, explicit)
            lines.append(number(f"Taylor m = {depth}, C = 400, against explicit", stated[depth], error))
        if depth == DEPTH:
            lines.append(number("  Pearson", "0.9845", pearson(removals, explicit)))
    correlations = [pearson(one, record.loo) for one in record.lissa]
    newton, linear, first_order = (
        largest_gap(one, record.loo)
        for one in (record.newton_reevaluated, record.newton_linear, record.first_order_reevaluated)
    )
    return [
        *lines,
        within("LiSSA m = 2000, C = 400: r with LOO, by seed", "0.72", "0.86", correlations),
        below("Newton + re-evaluated loss against LOO a", "1e-15", newton),
        number("Newton + linear", "2.5e-2", linear),
        number("first order + re-evaluated", "1.2e-3", first_order),
    ]


def draw(record: Figure1, *, published: bool = False) -> Any:
    """Draw Figure 1; with `published` in the paper's frame, which leaves out the row of largest error."""
    panels = {
        "explicit": record.explicit,
        "conjugate gradients": record.conjugate_gradient,
        f"Taylor, m = {min(record.taylor)}": record.taylor[min(record.taylor)],
        "LiSSA, m = 2000, one repeat": record.lissa[0],
    }
    axes = solver_panels(panels, record.loo)
    if published:
        shown = np.delete(record.loo, record.agreement.worst_row)
        reach = 1.1 * float(np.max(np.abs(shown)))
        for ax in axes:
            ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
    return axes[0].figure
