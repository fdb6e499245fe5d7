"""What every method of removal is given, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray

BLOCK = 512  # removals advanced together where each asks for sums over all rows


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method found for one block of K removals."""

    theta: FloatArray  # one column per removal, shape (p, K)
    converged: NDArray[np.bool_]  # whether it is an exact minimiser
    status: list[str]  # "" or what is wrong
    gradient_norm: FloatArray | None = None  # |grad F_k| / W at theta where the method knows it
    entering: Any = None  # csr_array (K, q): coefficients of columns that the fit left out, see `Removal`


class Method:
    """A way to find theta without rows; `at_once` removals are handed over together.

    `operations` are those of all removals, counted beforehand; 0 where they are few or not known.
    """

    at_once = BLOCK
    operations = 0.0

    def remove(self, groups: Groups) -> Outcome:
        """Return theta without each group of one block."""
        raise NotImplementedError  # pragma: no cover - each has its own

    def measured(self, groups: Groups) -> Outcome:
        """Return the same, with gradient norms that `remove` leaves for later where they cost something."""
        return self.remove(groups)


def without(rows: Indices, problem: str) -> str:
    """Return the status of a removal that leaves a problem behind."""
    return f"Without {'this row' if len(rows) == 1 else f'these {len(rows)} rows'}: {problem}"
