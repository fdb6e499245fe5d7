"""The rows of a linear risk at one theta: what its value, gradient and Hessian there have in common."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from influstat.input.validation import FloatArray
from influstat.losses.base import Loss
from influstat.risks.rows import Rows


class Local:
    """Slopes and curvatures of the rows at theta (p,), each found when it is first asked for.

    Nothing here is as large as the rows: a few vectors of n and of p, read-only, since all share them.
    """

    def __init__(self, loss: Loss, rows: Rows, theta: FloatArray) -> None:
        self.theta = np.array(theta, dtype=np.float64)  # the caller may go on with his own
        self._loss, self._rows = loss, rows

    @cached_property
    def eta(self) -> FloatArray:
        """The linear predictors, shape (n,)."""
        return _read_only(self._rows.linear_predictor(self.theta))

    @cached_property
    def first(self) -> FloatArray:
        """The slopes l1_i, shape (n,)."""
        return _kept(self._loss.first(self._rows.y, self.eta))

    @cached_property
    def second(self) -> FloatArray:
        """The curvatures l2_i, shape (n,)."""
        return _kept(self._loss.second(self._rows.y, self.eta))

    @cached_property
    def gradient(self) -> FloatArray:
        """The sum of w_i l1_i x_i, shape (p,)."""
        return _read_only(self._rows.design.transpose_dot(self._rows.weighted(self.first)))

    @cached_property
    def scale(self) -> FloatArray:
        """The sum of w_i |x_i| (|l1_i| + |l2_i| (|x_i|'|theta| + |o_i|)), shape (p,)."""
        theta, offset = np.abs(self.theta), np.abs(self._rows.offset)
        first, second = (np.abs(self._rows.weighted(part)) for part in (self.first, self.second))
        total = np.zeros(len(theta))
        for rows, block in self._rows.design.blocks():
            entries = abs(block)
            total += entries.T @ (first[rows] + second[rows] * (entries @ theta + offset[rows]))
        return _read_only(total)


def _kept(values: FloatArray) -> FloatArray:
    """Return a copy of what a loss has returned: it may use that array again for its next answer."""
    return _read_only(np.array(values))


def _read_only(values: FloatArray) -> FloatArray:
    """Return the values, to which nobody can write from now on."""
    values.flags.writeable = False
    return values
