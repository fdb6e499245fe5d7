"""A number that an estimator has kept beside its coefficients, and the one that the rows given give."""

from __future__ import annotations

import numpy as np

from influstat.adapters.quantity import Quantity, single
from influstat.adapters.scikit_learn.source import Source
from influstat.input.validation import FloatArray

# Relative, of float64 and float32 fits: sums in another order, and an inverse between.
SAME, SINGLE = 1e-6, 1e-3
CAUSE = "Pass the X, y and sample_weight that it was fitted with, all rows in the order of the fit"


def quantity(source: Source, name: str, theirs: float, ours: float, unit: float = 0.0) -> Quantity:
    """Return the two with the room that the precision of the fit leaves, of ours and of another size."""
    same = SINGLE if single(source.estimator.coef_) else SAME
    return Quantity(name, theirs, ours, same * abs(ours) + 1e-3 * same * abs(unit), CAUSE)


def weights_of(source: Source) -> FloatArray:
    """Return the weights of the rows, 1 where none were given, shape (n,)."""
    return np.ones(source.size.rows) if source.weights is None else source.weights
