"""Variance inflation factors: how much of a coefficient's variance its fellow columns are to blame for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from influstat.algebra.coordinates import coordinates
from influstat.errors import Unsupported
from influstat.input.labels import label_name
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import require_linear
from influstat.statistics.leverage import expected_second

if TYPE_CHECKING:
    import pandas as pd


def variance_inflation(fit: Minimum) -> pd.Series:
    """Return 1 / (1 - R_j^2) of every column; `Fit.variance_inflation` says more."""
    import pandas as pd

    risk = require_linear(fit.risk, "variance inflation factors")
    curvature = risk.weights * expected_second(risk, risk.linear_predictor(fit.theta))
    if (curvature < 0).any():
        row = label_name(risk.row_labels[int(np.argmin(curvature))])
        raise Unsupported(
            "fit",
            "have rows of positive curvature for variance inflation factors",
            f"has a row, {row}, of negative curvature",
            "Ask for those of least squares with the same columns.",
        )
    root = np.sqrt(curvature)

    def blocks() -> Iterator[tuple[FloatArray, FloatArray]]:
        for rows, block in risk.design.dense_blocks():
            yield block, root[rows]

    p = risk.shape[1]
    found = coordinates(blocks, np.zeros((p, 0)), risk.design.constant_column)
    squares = np.zeros(p)
    for block, weight in blocks():
        constant = block[:, [found.constant]] if found.constant >= 0 else np.zeros((len(block), 1))
        squares += weight**2 @ np.square(block - constant * found.center)
    factors = np.einsum("jk,jk->j", found.transform, found.transform) * squares
    factors = np.where(found.determined, factors, np.inf)
    kept = np.arange(p) != found.constant
    names = [name for name, keep in zip(risk.names, kept, strict=True) if keep]
    return pd.Series(factors[kept], index=names, name="variance_inflation")
