"""The data of the table of statsmodels models: one design, and a response of each kind."""

import numpy as np
import statsmodels.api as sm
from scipy import stats
from scipy.special import expit, softmax

ROWS = 200
ALL = np.arange(ROWS)


class Data:
    """One design with bounded regressors, and a response of each kind that is well behaved under its model.

    Responses are the model's own quantiles at an even grid of 200 levels in random order, so that their
    tails are neither heavier nor lighter than the model's.
    """

    def __init__(self):
        self.rng = rng = np.random.default_rng(20240)
        self.X = sm.add_constant(rng.uniform(-1.7, 1.7, size=(ROWS, 3)))
        self.slope = self.X[:, 1:] @ np.array([0.5, -0.4, 0.2])  # between -1.9 and 1.9
        self.weights = rng.uniform(0.5, 2.0, ROWS)
        self.frequencies = rng.integers(1, 4, ROWS)
        self.offset = 0.2 * rng.normal(size=ROWS)
        self.exposure = rng.uniform(0.5, 2.0, ROWS)
        self.trials = rng.integers(10, 30, ROWS)
        eta, levels = self.eta(0.3, 1.0), self.levels()
        self.normal = self.around(eta, 1.0)
        self.heavy = eta + 0.5 * stats.t(3).ppf(self.levels())
        self.counts = self.poisson(np.exp(eta + 0.5))
        self.overdispersed = self.negative_binomial(np.exp(self.eta(2.0, 0.6)))
        self.inflated = stats.poisson(np.exp(eta + 1.0)).ppf(np.maximum(levels - 0.25, 0.0) / 0.75).clip(0.0)
        utilities = np.column_stack([0.0 * eta, self.eta(0.1, 0.6), self.X @ [-0.1, 0.3, 0.3, -0.3]])
        below = softmax(utilities, axis=1).cumsum(axis=1)
        self.classes = np.sum(self.levels()[:, None] > below[:, :2], axis=1)
        self.ordered = np.digitize(eta + stats.logistic.ppf(self.levels()), [-0.7, 0.5, 1.7])
        self.share = stats.beta(10.0 * expit(eta), 10.0 * expit(-eta)).ppf(self.levels())

    def eta(self, constant, factor):
        """Return a linear predictor."""
        return constant + factor * self.slope

    def levels(self):
        """Return the levels 1/400, 3/400, ..., 399/400 in random order."""
        return self.rng.permutation(ROWS) / ROWS + 0.5 / ROWS

    def bernoulli(self, mean):
        return (self.levels() < mean).astype(float)

    def binomial(self, mean):
        successes = stats.binom(self.trials, mean).ppf(self.levels())
        return np.column_stack([successes, self.trials - successes])

    def around(self, mean, deviation):
        return mean + deviation * stats.norm.ppf(self.levels())

    def poisson(self, mean):
        return stats.poisson(mean).ppf(self.levels())

    def negative_binomial(self, mean, dispersion=0.2):
        return stats.nbinom(1.0 / dispersion, 1.0 / (1.0 + dispersion * mean)).ppf(self.levels())

    def gamma(self, mean):  # coefficient of variation 0.22
        return mean / 20.0 * stats.gamma(20.0).ppf(self.levels())

    def wald(self, mean):  # shape 200
        return stats.invgauss(mean / 200.0, scale=200.0).ppf(self.levels())

    def tweedie(self, mean):
        return self.poisson(mean) * stats.gamma(6.0, scale=1.0 / 6.0).ppf(self.levels())


DATA = Data()
