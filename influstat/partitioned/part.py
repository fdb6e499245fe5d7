"""`PartMinimum`: one partition's rows at the minimum over all of them, for the library's own questions.

Its risk holds the rows of one partition, but W and the penalty are those of all rows, and so is its Hessian.
What a question asks of single rows (slopes, leverages, labels) comes from the partition; what it asks of all
of them was summed before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.minimise.stated import Stated
from influstat.risks.linear import LinearRisk


class PartMinimum(Minimum):
    """Some rows of a minimum; theta has been checked, and is no minimiser of these rows alone."""

    # `hessian` is H(theta) over all rows, mean scale; `where` the partition, the block, and the place of its
    # first row in the partition.

    # Coordinates of the rows' own would need all of them: ill-conditioned sums are said at the fit.
    row_space = None
    chart = None

    def __init__(
        self, risk: LinearRisk, theta: FloatArray, hessian: Any, where: tuple[int, Any, int] | None = None
    ) -> None:
        self.risk, self.reader, self.stated = risk, None, Stated()
        self.theta = np.array(theta)
        self.theta.flags.writeable = False
        self.stationarity = 0.0
        self._hessian, self._where = hessian, where

    def codes(self, grouping: Any) -> Any:
        """Return the group of every row, by a `Grouping`."""
        assert self._where is not None  # of a partition
        return grouping.codes(*self._where)

    @property
    def regular(self) -> PartMinimum:
        """The minimum itself."""
        return self

    @property
    def hessian(self) -> Any:
        """H(theta) over all rows, mean scale."""
        return self._hessian
