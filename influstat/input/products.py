"""The product of a matrix's transpose with itself, during which other threads run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def products(rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows' rows of a contiguous array (k, p), shape (p, p), symmetric, of the type of the rows."""
    # NumPy computes half of it, as BLAS's syrk does, and lets other threads run meanwhile: scipy's `dsyrk`
    # keeps them waiting, so that sums over partitions would take as long by many threads as by one.
    with np.errstate(over="ignore", invalid="ignore"):  # whoever factors the sum says so
        result: NDArray[Any] = rows.T @ rows
    return result
