"""The Newton step without each row and the dispersion it leaves, in the coordinates of `Leverage`.

Removing row i takes its loss and, under "folded", the part c = w_i / W of the penalty. With all rows and
the penalty (1 - c) K the quadratic model at theta-hat has its minimum at theta_c; taking the row's loss
away from there is Sherman and Morrison's step: with S_c the Hessian of that model, x_i its row and
h_i = w_i l2_i x_i'S_c^-1 x_i, theta_-i = theta_c + S_c^-1 x_i w_i l1_i / (1 - h_i), l1_i the loss's slope
l1 + l2 x_i'(theta_c - theta-hat) in the model. Both are exact for squared error.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.input.validation import FloatArray
from influstat.losses.base import constant_second
from influstat.statistics.dispersion import Dispersion
from influstat.statistics.leverage import Leverage

CERTAIN = 1e-10  # 1 - leverage below which it is 0 up to rounding
STRIP = 2048  # rows that are multiplied at once: what BLAS packs of them stays in cache

LEVERAGE_ONE = (
    "its leverage is 1: it alone determines a coefficient, so there is no fit without it to compare with"
)
NEARLY_ONE = "its leverage is 1 up to rounding: no digit of its residual is left to measure it by"
NOT_A_MINIMUM = "without it the Hessian at theta is not positive definite: there is no Newton step"
PERFECT_FIT = "the fit is perfect: its residuals are 0, and nothing can be measured in their units"
NO_FREEDOM = "without it no degrees of freedom are left to estimate the dispersion"
NEGATIVE = "its one-step dispersion is not positive: method='exact' estimates it from the refit without it"


class DeletedBlock:
    """A block of k rows, each left out alone; everything is found when it is first asked for.

    `change`, shape (k, p), are changes that were found otherwise, by refits.
    """

    def __init__(self, deletion: Deletion, rows: Any, change: FloatArray | None = None) -> None:
        self.deletion, self.rows, self._found = deletion, rows, change
        leverage, risk = deletion.leverage, deletion.leverage.risk
        self._weight: FloatArray = risk.weights[rows]
        self._curvature: FloatArray = self._weight * leverage.second[rows]
        part = deletion.part[:1, None] if deletion.same else deletion.part[rows, None]
        self._rest = 1.0 - part[:, 0]  # of the penalty
        # Diagonal of U'(S - part K)U, shape (k, p) or (1, p).
        self.kept: FloatArray = 1.0 - part * leverage.penalty_share
        self._shift: FloatArray = part * deletion.slope / self.kept  # theta_c - theta, (k or 1, p)
        self._shifted = bool(self._shift.any())

    @property
    def _plain(self) -> bool:
        """Whether changes are multiples of S^-1 x_i, since no part of a penalty leaves with a row."""
        return self._found is None and not (self._shifted or self.deletion.leaves)

    @cached_property
    def coordinates(self) -> FloatArray:
        """y_i = U'x_i, shape (k, p)."""
        return self.deletion.leverage.coordinates(self.rows)

    @cached_property
    def moved(self) -> FloatArray:
        """U^-1 (S - part K)^-1 x_i, shape (k, p)."""
        return self.coordinates / self.kept if self.deletion.leaves else self.coordinates

    @cached_property
    def square(self) -> FloatArray:
        """x_i'S^-1 x_i, shape (k,)."""
        if isinstance(self.rows, slice):  # of all rows, which others ask for too
            return self.deletion.leverage.squares[self.rows]
        return np.asarray(np.einsum("ij,ij->i", self.coordinates, self.coordinates))

    @cached_property
    def left(self) -> FloatArray:
        """1 minus the leverage, under "folded" that with the penalty the other rows carry, shape (k,)."""
        if not self.deletion.leaves:
            return np.asarray(self.deletion.leverage.left[self.rows])
        return np.asarray(1.0 - self._curvature * np.einsum("ij,ij->i", self.coordinates, self.moved))

    @cached_property
    def finite(self) -> FloatArray:
        """The same, nan for rows that cannot be left out."""
        known = self.left > CERTAIN
        if self.deletion.sharp.size:
            known |= self._apart & self.deletion.quadratic
        return np.where(known, self.left, np.nan)

    @property
    def _apart(self) -> NDArray[np.bool_]:
        """Which rows have a leverage of nearly 1 and a fit without them all the same, shape (k,)."""
        rows = self.rows
        place = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else np.asarray(rows)
        return np.isin(place, self.deletion.sharp)

    @cached_property
    def _first(self) -> FloatArray:
        """l1 in the quadratic model at theta_c."""
        leverage, rows = self.deletion.leverage, self.rows
        first: FloatArray = leverage.first[rows]
        if self._shifted:
            along = np.einsum("ij,ij->i", self.coordinates, self._shift + np.zeros((len(first), 1)))
            first = first + leverage.second[rows] * along
        return first

    @cached_property
    def _factor(self) -> FloatArray:
        """How far along `moved` theta_-i - theta_c is, shape (k,)."""
        return np.asarray(self._weight * self._first / self.finite)

    @property
    def _step(self) -> FloatArray:
        return np.asarray(self._factor[:, None] * self.moved)

    @cached_property
    def change(self) -> FloatArray:
        """U^-1 (theta_-i - theta), after minus before, shape (k, p); nan for rows that cannot be left out."""
        if self._found is not None:
            return self._found
        return self._shift + self._step if self._shifted else self._step

    def change_dot(self, matrix: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """Return `change` @ matrix, for a matrix (p, q), shape (k, q); into `out`, if given."""
        place = np.empty((len(self.left), matrix.shape[1]), order="F") if out is None else out
        if not self._plain or "change" in self.__dict__:
            return np.matmul(self.change, matrix, out=place)
        leverage = self.deletion.leverage
        X, transposed = leverage.risk.design.rows(self.rows), (leverage.transform @ matrix).T
        for start in range(0, len(X), STRIP):
            strip = slice(start, start + STRIP)
            np.matmul(transposed, X[strip].T, out=place[strip].T)
        place *= self._factor[:, None]
        return place

    @cached_property
    def change_square(self) -> FloatArray:
        """|change|^2, shape (k,)."""
        if self._plain:
            return np.asarray(self._factor**2 * self.square)
        return np.asarray(np.einsum("ij,ij->i", self.change, self.change))

    @cached_property
    def along(self) -> FloatArray:
        """x_i'(theta_-i - theta), shape (k,)."""
        if self._plain:
            return np.asarray(self._factor * self.square)
        return np.asarray(np.einsum("ij,ij->i", self.coordinates, self.change))

    @cached_property
    def squares(self) -> FloatArray:
        """Pearson's statistic of the quadratic model at theta without the row, shape (k,)."""
        share, slope, shift = self.deletion.leverage.penalty_share, self.deletion.slope, self._shift
        squares = self.deletion.squares - 2.0 * (shift @ slope) + _squares(shift, 1.0 - share)
        if slope.any() or share.any():
            step = self._step
            change = shift + step if self._shifted else step
            penalty = 2.0 * (step @ slope) + _squares(change, share) - _squares(shift, share)
            squares = squares - self._rest * penalty
        second = self.deletion.leverage.second[self.rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(squares - self._weight * self._first**2 / (second * self.finite))

    @cached_property
    def freedom(self) -> FloatArray:
        """Effective degrees of freedom of the fit without the row, shape (k,)."""
        share = self.deletion.leverage.penalty_share
        penalised: Any = 0.0
        if share.any():
            penalised = (share / self.kept).sum(axis=1) + self.update * _squares(self.moved, share)
        return np.asarray(len(share) - self._rest * penalised + 0.0 * self.finite)

    @cached_property
    def log_determinant(self) -> FloatArray:
        """Return log det S_-i - log det S, shape (k,); nan for rows that cannot be left out."""
        return np.asarray(np.log(self.kept).sum(axis=1) + np.log(self.finite))

    @cached_property
    def update(self) -> FloatArray:
        """w_i l2_i / left, shape (k,): S_-i^-1 is (S - part K)^-1 + update (U moved)(U moved)'."""
        return np.asarray(self._curvature / self.finite)

    def inverse_diagonal(self, transform: FloatArray) -> FloatArray:
        """Return the diagonal of S_-i^-1 of each row, sum scale, shape (k, p); `transform` is U."""
        base = (1.0 / self.kept) @ (transform * transform).T
        return np.asarray(base + self.update[:, None] * (self.moved @ transform.T) ** 2)

    def refitted(self, change: FloatArray) -> DeletedBlock:
        """Return the same rows with changes found by refits, shape (k, p)."""
        return DeletedBlock(self.deletion, self.rows, change)

    def reasons(self) -> dict[int, str]:
        """Return why rows cannot be left out, by position."""
        bad = np.flatnonzero(np.isnan(self.finite))
        if not bad.size:
            return {}
        place = bad + self.rows.start if isinstance(self.rows, slice) else self.rows[bad]
        apart = self._apart
        return {
            int(row): NEARLY_ONE if apart[k] else LEVERAGE_ONE if self.left[k] >= -CERTAIN else NOT_A_MINIMUM
            for row, k in zip(place, bad, strict=True)
        }


class Deletion:
    """Every row left out alone, by one Newton step each; `squares` is Pearson's statistic Q of the fit.

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
        self.slope: FloatArray = leverage.transform.T @ risk.penalty.gradient(leverage.theta)
        # Whether a part of the penalty goes with a row, and the same part with all: one line serves them all.
        carried = risk.protocol.carried(risk.total_weight) != 0.0
        self.part = leverage.penalty_part(risk.weights) if carried else np.zeros(1)
        self.leaves = carried and bool(leverage.penalty_share.any())
        self.unpenalised = not (self.slope.any() or leverage.penalty_share.any())
        # Positions of rows whose leverage is 1 but for what the others say of them, and whether that is all
        # there is to say: deviances of other losses have no digits there.
        self.sharp = leverage.apart.rows
        self.quadratic = constant_second(risk.loss) is not None and not self.leaves
        self.same = not carried or bool(np.ptp(self.part) == 0.0)

    def blocks(self, chosen: NDArray[np.intp] | None = None) -> Iterator[DeletedBlock]:
        """Yield the rows, or those chosen, each left out alone, a few thousand at a time."""
        for rows in self.leverage.runs(chosen):
            yield DeletedBlock(self, rows)


def _squares(rows: FloatArray, factors: FloatArray) -> FloatArray:
    """Return sum_j factors_j rows_ij^2, shape (k,)."""
    if not factors.any():
        return np.zeros(len(rows))
    return np.asarray((rows * rows) @ factors)


def deleted_dispersion(known: Dispersion, block: DeletedBlock, counts: FloatArray) -> FloatArray:
    """Return phi without each row, shape (k,), exact for squared error; nan where no freedom is left."""
    return _over_freedom(known, block, counts, block.squares)


def one_step_dispersion(known: Dispersion, block: DeletedBlock, counts: FloatArray) -> FloatArray:
    """Return phi without each row for other losses, shape (k,): (Q - q_i / (1 - h_i)) over what is left."""
    # What R takes for a glm, with the deviance for Q and the square of the deviance residual for q_i.
    return _over_freedom(known, block, counts, known.squares - known.parts[block.rows] / block.finite)


def freedom_left(known: Dispersion, block: DeletedBlock, counts: FloatArray) -> FloatArray:
    """Return the residual degrees of freedom without each row, shape (k,); nan where none are left."""
    freedom = known.observations - counts[block.rows] - block.freedom
    return np.where(freedom > 1e-8 * known.observations, freedom, np.nan)


def _over_freedom(
    known: Dispersion, block: DeletedBlock, counts: FloatArray, squares: FloatArray
) -> FloatArray:
    if not known.estimated:
        return np.where(np.isnan(block.finite), np.nan, known.value)
    return np.where(squares > 0, squares, np.nan) / freedom_left(known, block, counts)
