"""The Newton step without each row and the dispersion it leaves, in the coordinates of `Leverage`.

Removing row i takes its loss and, under "folded", the part c = w_i / W of the penalty. With all rows and
the penalty (1 - c) K the quadratic model at theta-hat has its minimum at theta_c; taking the row's loss
away from there is Sherman and Morrison's step: with S_c the Hessian of that model, x_i its row and
h_i = w_i l2_i x_i'S_c^-1 x_i, theta_-i = theta_c + S_c^-1 x_i w_i l1_i / (1 - h_i), l1_i the loss's slope
l1 + l2 x_i'(theta_c - theta-hat) in the model. Both are exact for squared error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.input.validation import FloatArray
from influstat.statistics.dispersion import Dispersion
from influstat.statistics.leverage import Leverage

CERTAIN = 1e-10  # 1 - leverage below which it is 0 up to rounding

LEVERAGE_ONE = (
    "its leverage is 1: it alone determines a coefficient, so there is no fit without it to compare with"
)
NOT_A_MINIMUM = "without it the Hessian at theta is not positive definite: there is no Newton step"
PERFECT_FIT = "the fit is perfect: its residuals are 0, and nothing can be measured in their units"
NO_FREEDOM = "without it no degrees of freedom are left to estimate the dispersion"
NEGATIVE = "its one-step dispersion is not positive: method='exact' estimates it from the refit without it"


@dataclass(frozen=True, eq=False)
class DeletedBlock:
    """A block of k rows, each left out alone.

    Attributes
    ----------
    rows : slice or ndarray of int
        Which rows.
    coordinates : ndarray, shape (k, p)
        y_i = U'x_i.
    change : ndarray, shape (k, p)
        U^-1 (theta_-i - theta), after minus before; nan for rows that cannot be left out.
    squares : ndarray, shape (k,)
        Pearson's statistic of the quadratic model at theta without the row: exact for squared error.
    freedom : ndarray, shape (k,)
        Effective degrees of freedom of the fit without the row.
    log_determinant : ndarray, shape (k,)
        log det S_-i - log det S; nan for rows that cannot be left out.
    left : ndarray, shape (k,)
        1 minus the leverage, under "folded" that with the penalty the other rows carry.
    kept : ndarray, shape (k, p) or (1, p)
        Diagonal of U'(S - part K)U.
    moved : ndarray, shape (k, p)
        U^-1 (S - part K)^-1 x_i.
    update : ndarray, shape (k,)
        w_i l2_i / left: S_-i^-1 is (S - part K)^-1 + update (U moved)(U moved)'.
    """

    rows: Any
    coordinates: FloatArray
    change: FloatArray
    squares: FloatArray
    freedom: FloatArray
    log_determinant: FloatArray
    left: FloatArray
    kept: FloatArray
    moved: FloatArray
    update: FloatArray

    def inverse_diagonal(self, transform: FloatArray) -> FloatArray:
        """Return the diagonal of S_-i^-1 of each row, sum scale, shape (k, p); `transform` is U."""
        base = (1.0 / self.kept) @ (transform * transform).T
        return np.asarray(base + self.update[:, None] * (self.moved @ transform.T) ** 2)

    def reasons(self) -> dict[int, str]:
        """Return why rows cannot be left out, by position."""
        bad = np.flatnonzero(np.isnan(self.log_determinant))
        place = bad + self.rows.start if isinstance(self.rows, slice) else self.rows[bad]
        return {
            int(row): LEVERAGE_ONE if self.left[k] >= -CERTAIN else NOT_A_MINIMUM
            for row, k in zip(place, bad, strict=True)
        }


class Deletion:
    """Every row left out alone, by one Newton step each.

    Parameters
    ----------
    leverage : Leverage
        The fit.
    squares : float
        Pearson's statistic Q of the fit.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.statistics.deletion import Deletion
    >>> from influstat.statistics.leverage import Leverage
    >>> fit = ist.Ridge(lam=1.0, protocol="fixed").fit([[1.0], [1.0]], [1.0, 3.0])
    >>> leverage = Leverage(fit)
    >>> block, = Deletion(leverage, squares=1.0).blocks()
    >>> (block.change @ leverage.transform.T).ravel().round(9)      # 3 / 2 - 4 / 3 and 1 / 2 - 4 / 3
    array([ 0.16666667, -0.83333333])
    """

    def __init__(self, leverage: Leverage, squares: float) -> None:
        self.leverage, self.squares = leverage, squares
        risk = leverage.risk
        self.part = leverage.penalty_part(risk.weights)
        self._slope: FloatArray = leverage.transform.T @ risk.penalty.gradient(leverage.theta)

    def blocks(self, chosen: NDArray[np.intp] | None = None) -> Iterator[DeletedBlock]:
        """Yield the rows, or those chosen, each left out alone, a few thousand at a time."""
        leverage, risk = self.leverage, self.leverage.risk
        share, slope = leverage.penalty_share, self._slope
        leaves = bool(self.part.any() and share.any())  # whether a part of the penalty goes with a row
        same = np.ptp(self.part) == 0.0  # all rows take the same part: one line serves for them all
        for rows, y in leverage.blocks(chosen):
            weight, first, second = risk.weights[rows], leverage.first[rows], leverage.second[rows]
            part = self.part[:1, None] if same else self.part[rows, None]
            kept = 1.0 - part * share  # the Hessian with the rest of the penalty
            moved = y / kept if leaves else y
            shift = part * slope / kept  # theta_c - theta
            if shift.any():
                first = first + second * np.einsum("ij,ij->i", y, np.broadcast_to(shift, y.shape))
            left = 1.0 - weight * second * np.einsum("ij,ij->i", y, moved)
            finite = np.where(left > CERTAIN, left, np.nan)
            step = (weight * first / finite)[:, None] * moved  # theta_-i - theta_c
            change = shift + step if shift.any() else step
            rest = 1.0 - part[:, 0]
            squares = self.squares - 2.0 * (shift @ slope) + _squares(shift, 1.0 - share)
            if slope.any() or share.any():
                penalty = 2.0 * (step @ slope) + _squares(change, share) - _squares(shift, share)
                squares = squares - rest * penalty
            with np.errstate(divide="ignore", invalid="ignore"):
                squares = squares - weight * first**2 / (second * finite)
            penalised = (share / kept).sum(axis=1) + weight * second * _squares(moved, share) / finite
            yield DeletedBlock(
                rows,
                y,
                change,
                squares,
                len(share) - rest * penalised,
                np.log(kept).sum(axis=1) + np.log(finite),
                left,
                kept,
                moved,
                weight * second / finite,
            )


def _squares(rows: FloatArray, factors: FloatArray) -> FloatArray:
    """Return sum_j factors_j rows_ij^2, shape (k,)."""
    if not factors.any():
        return np.zeros(len(rows))
    return np.asarray((rows * rows) @ factors)


def deleted_dispersion(known: Dispersion, block: DeletedBlock, counts: FloatArray) -> FloatArray:
    """Return phi without each row of the block, shape (k,), exact for squared error.

    nan where no degrees of freedom are left.

    Returns
    -------
    ndarray, shape (k,)
    """
    return _over_freedom(known, block, counts, block.squares)


def one_step_dispersion(known: Dispersion, block: DeletedBlock, counts: FloatArray) -> FloatArray:
    """Return phi without each row for other losses, shape (k,): (Q - q_i / (1 - h_i)) over what is left.

    What R takes for a glm, with the deviance for Q and the square of the deviance residual for q_i.

    Returns
    -------
    ndarray, shape (k,)
    """
    finite = np.where(block.left > CERTAIN, block.left, np.nan)
    return _over_freedom(known, block, counts, known.squares - known.parts[block.rows] / finite)


def freedom_left(known: Dispersion, block: DeletedBlock, counts: FloatArray) -> FloatArray:
    """Return the residual degrees of freedom without each row, shape (k,); nan where none are left."""
    freedom = known.observations - counts[block.rows] - block.freedom
    return np.where(freedom > 1e-8 * known.observations, freedom, np.nan)


def _over_freedom(
    known: Dispersion, block: DeletedBlock, counts: FloatArray, squares: FloatArray
) -> FloatArray:
    if not known.estimated:
        return np.where(np.isnan(block.log_determinant), np.nan, known.value)
    return np.where(squares > 0, squares, np.nan) / freedom_left(known, block, counts)
