"""Derivatives of inference where columns depend on each other: right where determined, nan for the rest."""

import numpy as np
import pytest
import statsmodels.api as sm

import influstat as ist

RNG = np.random.default_rng(0)
z, noise = RNG.normal(size=30), RNG.normal(size=30)
DUMMIES, ONE = np.eye(3)[np.arange(30) % 3], np.ones(30)
# The dependent design, one of the same space, and a determined column of the first and of the second.
DESIGNS = {
    "dummy trap": (np.c_[DUMMIES, ONE, z], np.c_[DUMMIES, z], 4, 3),
    "zero column": (np.c_[ONE, z, 0 * z], np.c_[ONE, z], 1, 1),
    "repeated column": (np.c_[z, ONE, ONE], np.c_[z, ONE], 0, 0),
}
LOG_GAMMA = sm.families.Gamma(sm.families.links.Log())
FAMILIES = {
    "least squares": lambda X: sm.OLS(z + noise, X).fit(),
    "Gamma log": lambda X: sm.GLM(np.exp(z + noise), X, family=LOG_GAMMA).fit(),
    "Binomial": lambda X: sm.GLM((z + 2.0 * noise > 0) * 1.0, X, family=sm.families.Binomial()).fit(),
}


@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")  # that some are not determined
@pytest.mark.parametrize("kind", ["model", "HC0", "HC1", "HC2", "HC3", "cluster"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("design", DESIGNS)
def test_derivatives_are_those_of_the_design_without_what_is_too_much(design, family, kind):
    whole, reduced, place, other = DESIGNS[design]
    groups = {"groups": np.arange(30) // 3} if kind == "cluster" else {}
    found = ist.from_statsmodels(FAMILIES[family](whole), polish=True).inference(kind, **groups).derivative()
    truth = (
        ist.from_statsmodels(FAMILIES[family](reduced), polish=True).inference(kind, **groups).derivative()
    )
    for name in ("standard_errors", "t_values", "p_values", "lower", "upper"):
        one, right = getattr(found, name)[:, place], getattr(truth, name)[:, other]
        np.testing.assert_allclose(one, right, atol=1e-9 * np.abs(right).max())
    lost = np.isnan(found.standard_errors).all(axis=0)
    assert lost.any()
    assert not lost[place]


def test_penalised_columns_are_determined():
    fit = ist.Ridge(lam=1.0).fit(DESIGNS["dummy trap"][0], z + noise)
    assert np.isfinite(fit.inference("HC3").derivative().standard_errors).all()
