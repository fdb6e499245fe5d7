"""Variance inflation factors: how much of a coefficient's variance its fellow columns are to blame for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.coordinates import coordinates
from influstat.errors import InvalidArgument, Unsupported
from influstat.input.labels import label_name
from influstat.input.lazy_types import Series
from influstat.input.settings import entries, text
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import require_linear
from influstat.statistics.categorical import categorical
from influstat.statistics.leverage import expected_second


def variance_inflation(fit: Minimum, factors: Any = None) -> Series:
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

    together = _together(fit, factors)
    p = risk.shape[1]
    found = coordinates(blocks, np.zeros((p, 0)), risk.design.constant_column)
    squares = np.zeros(p)
    products = {name: np.zeros((len(columns), len(columns))) for name, columns in together.items()}
    for block, weight in blocks():
        constant = block[:, [found.constant]] if found.constant >= 0 else np.zeros((len(block), 1))
        centred = weight[:, None] * (block - constant * found.center)
        squares += np.square(centred).sum(axis=0)
        for name, columns in together.items():
            products[name] += centred[:, columns].T @ centred[:, columns]
    inflation = np.einsum("jk,jk->j", found.transform, found.transform) * squares
    inflation = np.where(found.determined, inflation, np.inf)
    names, kept = list(risk.names), np.arange(p) != found.constant
    for name, columns in together.items():
        first, whole = columns[0], bool(found.determined[columns].all())
        names[first], kept[columns[1:]] = name, False
        inflation[first] = _joint(products[name], found.transform[columns]) if whole else np.inf
    index = [name for name, keep in zip(names, kept, strict=True) if keep]
    return pd.Series(inflation[kept], index=index, name="variance_inflation")


def _joint(products: FloatArray, transform: FloatArray) -> float:
    """Return det(G_SS) det((G^-1)_SS), where G_SS are the products of some columns and G^-1 is T T'."""
    # Columns of unit length: no unit over- or underflows.
    unit = np.sqrt(np.diag(products))
    own = transform * unit[:, None]
    # Of logarithms: the determinants of a hundred columns over- and underflow where their product does not.
    logs = [np.linalg.slogdet(matrix)[1] for matrix in (products / np.outer(unit, unit), own @ own.T)]
    return float(np.exp(sum(logs)))


def _together(fit: Minimum, factors: Any) -> dict[Any, NDArray[np.intp]]:
    """Return the columns of each categorical, by its name; or raise where two of them share one."""
    if factors is None:
        return {}
    if isinstance(factors, Mapping):
        named = dict(factors)
    else:
        names = entries("factors", factors)
        named = {text(f"factors[{k}]", name): name for k, name in enumerate(names)}
    found = {name: categorical(fit, factor, f"factors[{name!r}]").columns for name, factor in named.items()}
    used = np.bincount(np.concatenate([*found.values(), np.zeros(0, np.intp)]), minlength=len(fit.names))
    if (used > 1).any():
        raise InvalidArgument(
            "factors",
            "be made of columns of their own",
            f"has two of {fit.names[int(np.argmax(used > 1))]!r}",
            "Ask for one of them at a time.",
        )
    return found
