"""Random targets of a loss: their mean is its mean, their variance its dispersion times its own variance."""

import numpy as np
import pytest

import influstat as ist
from influstat.losses import glm_families as families
from influstat.losses.glm import GLMLoss
from influstat.losses.glm_links import LogLink

DRAWS = 40_000
MEANS = np.array([0.3, 0.8])

# name -> (loss, variance of one target by its mean, precisions)
LAWS = {
    "SquaredError": (ist.SquaredError(), lambda m: 0.5 + 0.0 * m, (0.5, 1.0, 3.0)),
    "LogisticLoss": (ist.LogisticLoss(), lambda m: m * (1.0 - m), (1.0,)),
    "PoissonLoss": (ist.PoissonLoss(), lambda m: m, (0.5, 1.0, 3.0)),
    "Gaussian": (GLMLoss(families.Gaussian(), LogLink()), lambda m: 1.0 + 0.0 * m, (0.5, 1.0, 3.0)),
    "Binomial": (GLMLoss(families.Binomial(), LogLink()), lambda m: m * (1.0 - m), (1.0, 7.0)),
    "Poisson": (GLMLoss(families.Poisson(), LogLink()), lambda m: m, (0.5, 1.0, 3.0)),
    "Gamma": (GLMLoss(families.Gamma(), LogLink()), lambda m: m**2, (0.5, 1.0, 3.0)),
    "InverseGaussian": (GLMLoss(families.InverseGaussian(), LogLink()), lambda m: m**3, (0.5, 1.0, 3.0)),
    "NegativeBinomial": (
        GLMLoss(families.NegativeBinomial(0.7), LogLink()), lambda m: m + 0.7 * m**2, (0.5, 1.0, 3.0)
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "precision"), [(name, one) for name in LAWS for one in LAWS[name][2]])
def test_mean_and_variance(name, precision):
    loss, variance, _ = LAWS[name]
    rng = np.random.default_rng(0)
    for mean in MEANS:
        y = loss.draw(np.full(DRAWS, mean), np.full(DRAWS, precision), rng)
        loss.check_targets(y)
        # Six standard errors of the mean and of the variance of so many draws, as measured on them.
        assert abs(y.mean() - mean) <= 6.0 * y.std() / np.sqrt(DRAWS)
        squares = (y - mean) ** 2
        assert abs(squares.mean() - variance(mean) / precision) <= 6.0 * squares.std() / np.sqrt(DRAWS)


def test_labels_of_minus_one_and_one():
    y = ist.SignedLogisticLoss().draw(np.full(DRAWS, 0.3), np.ones(DRAWS), np.random.default_rng(0))
    assert set(y) == {-1.0, 1.0}
    assert abs((y > 0).mean() - 0.3) <= 6.0 * np.sqrt(0.21 / DRAWS)


def test_a_family_without_a_density_draws_nothing():
    assert GLMLoss(families.Tweedie(1.5), LogLink()).draw is None
