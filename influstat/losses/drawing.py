"""Random targets of the exponential families, for simulations from a fitted model.

`precision` is the row's weight over the dispersion. The mean of m observations of one family with the same
mean is again a member of that family, of m times the precision, so that each law below is right for averages
too; a binomial row is a proportion of `precision` trials.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from influstat.input.validation import FloatArray

Draw = Callable[[FloatArray, FloatArray, np.random.Generator], FloatArray]  # mean, precision, rng


def normal(mean: FloatArray, precision: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return draws of variance 1 / precision."""
    return np.asarray(rng.normal(mean, 1.0 / np.sqrt(precision)))


def proportions(mean: FloatArray, precision: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return shares of successes in as many trials as the precision says, rounded, at least 1."""
    trials = np.maximum(np.rint(precision), 1.0).astype(np.int64)
    return rng.binomial(trials, mean) / trials


def counts(mean: FloatArray, precision: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return draws of variance mean / precision, Poisson counts where the precision is 1."""
    return rng.poisson(mean * precision) / precision


def gamma(mean: FloatArray, precision: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return draws of variance mean^2 / precision."""
    return np.asarray(rng.gamma(precision, mean / precision))


def inverse_gaussian(mean: FloatArray, precision: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return draws of variance mean^3 / precision."""
    return np.asarray(rng.wald(mean, precision))


def negative_binomial(
    mean: FloatArray, precision: FloatArray, rng: np.random.Generator, *, alpha: float
) -> FloatArray:
    """Return draws of variance (mean + alpha mean^2) / precision."""
    size = precision / alpha
    return rng.negative_binomial(size, 1.0 / (1.0 + alpha * mean)) / precision
