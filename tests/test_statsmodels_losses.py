"""The losses behind the statsmodels adapters: against statsmodels' own likelihoods, and differences."""

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose
from scipy.special import ndtr
from statsmodels.genmod import families
from statsmodels.genmod.families import links
from statsmodels.robust import norms

from influstat.adapters.statsmodels.robust import RobustNormLoss
from influstat.errors import Unsupported
from influstat.losses.glm import GLMLoss
from influstat.losses.glm_families import family_of
from influstat.losses.glm_links import DifferencedLink, inverse_link
from tests.tolerance import CLOSED_FORM, INVERTED

WIDE = np.linspace(-3.0, 3.0, 25)
POSITIVE = np.linspace(0.2, 3.0, 25)
UNIT = np.linspace(0.05, 0.95, 25)
BELOW = np.linspace(-3.0, -0.3, 25)

LINKS = [  # a statsmodels link, and predictors in its domain
    (links.Identity(), UNIT),
    (links.Log(), BELOW),
    (links.Logit(), WIDE),
    (links.Probit(), WIDE),
    (links.Cauchy(), WIDE),
    (links.CLogLog(), np.linspace(-3.0, 1.0, 25)),
    (links.LogLog(), np.linspace(-1.0, 3.0, 25)),
    (links.LogC(), BELOW),
    (links.InversePower(), POSITIVE),
    (links.InverseSquared(), POSITIVE),
    (links.Sqrt(), POSITIVE),
    (links.Power(0.7), POSITIVE),
    (links.NegativeBinomial(alpha=0.5), BELOW),
    (links.CDFLink(scipy.stats.t(4)), WIDE),
]

COUNTS = np.resize([0.0, 1.0, 2.0, 5.0], 25)
FAMILIES = [  # a family, targets, and its links
    (families.Gaussian(), np.linspace(-2.0, 2.0, 25), families.Gaussian.links),
    (families.Binomial(), np.resize([0.0, 1.0], 25), families.Binomial.links),
    (families.Poisson(), COUNTS, families.Poisson.links),
    (families.Gamma(), POSITIVE, families.Gamma.links),
    (families.InverseGaussian(), POSITIVE, families.InverseGaussian.links),
    (families.NegativeBinomial(alpha=0.5), COUNTS, families.NegativeBinomial.links),
    (families.Tweedie(var_power=1.5), COUNTS, families.Tweedie.links),
]
DOMAIN = {type(link): domain for link, domain in LINKS}
GLMS = [
    pytest.param(family, link(), y, id=f"{type(family).__name__}-{link.__name__}")
    for family, y, offered in FAMILIES
    for link in offered
]


def derivative(function, x, h=1e-3):
    """Return the central difference of fourth order."""
    return (8.0 * (function(x + h) - function(x - h)) - (function(x + 2 * h) - function(x - 2 * h))) / (
        12.0 * h
    )


@pytest.mark.parametrize(("link", "eta"), LINKS, ids=[type(link).__name__ for link, _ in LINKS])
class TestLinks:
    def test_means_are_those_of_statsmodels(self, link, eta):
        ours = inverse_link(link)
        assert_allclose(ours.mean(eta), link.inverse(eta), rtol=CLOSED_FORM)
        assert_allclose(ours.derivatives(eta)[0], link.inverse_deriv(eta), rtol=1e-9)

    def test_complements_add_up_to_one(self, link, eta):
        ours = inverse_link(link)
        assert_allclose(ours.complement(eta), 1.0 - ours.mean(eta), atol=1e-15)

    def test_derivatives_are_those_of_the_mean(self, link, eta):
        ours = inverse_link(link)
        first, second, third = ours.derivatives(eta)
        tolerance = 2e-6 if isinstance(ours, DifferencedLink) else 1e-8
        for below, above in ((ours.mean, first), (lambda x: ours.derivatives(x)[0], second)):
            assert_allclose(derivative(below, eta), above, rtol=tolerance, atol=tolerance)
        assert_allclose(derivative(lambda x: ours.derivatives(x)[1], eta), third, rtol=1e-5, atol=1e-5)


def test_probabilities_keep_their_digits_far_out():
    for link in (links.Logit(), links.Probit(), links.Cauchy()):
        ours = inverse_link(link)
        assert_allclose(
            ours.complement(np.array([30.0, -5.0])), ours.mean(np.array([-30.0, 5.0])), rtol=1e-15
        )
        assert ours.mean(np.array(-30.0)) > 0
    assert_allclose(inverse_link(links.Probit()).complement(np.array(10.0)), ndtr(-10.0), rtol=CLOSED_FORM)
    tiny = np.exp(-40.0)
    assert_allclose(inverse_link(links.CLogLog()).mean(np.array(-40.0)), tiny, rtol=CLOSED_FORM)
    assert_allclose(inverse_link(links.LogLog()).complement(np.array(40.0)), tiny, rtol=CLOSED_FORM)


@pytest.mark.parametrize(("family", "link", "y"), GLMS)
class TestGLMLoss:
    def eta(self, family, link):
        eta = DOMAIN[type(link)]
        if isinstance(link, links.Power) and type(link) is links.Power:
            eta = POSITIVE  # the power 1 that Power() stands for
        return eta

    def test_value_is_minus_the_log_likelihood_at_scale_1(self, family, link, y):
        loss, eta = GLMLoss(family_of(family), inverse_link(link)), self.eta(family, link)
        if isinstance(family, families.Tweedie):
            # There is no density in closed form, but a deviance: half of it, up to a function of y.
            change = loss.value(y, eta) - loss.value(y, eta[::-1])
            half = [family._resid_dev(y, link.inverse(at)) / 2.0 for at in (eta, eta[::-1])]
            assert_allclose(change, half[0] - half[1], rtol=1e-9, atol=1e-9)
            return
        if isinstance(family, families.Binomial):
            family.n = 1.0
        likelihood = family.loglike_obs(y, link.inverse(eta), var_weights=1.0, scale=1.0)
        assert_allclose(loss.value(y, eta), -likelihood, rtol=INVERTED, atol=INVERTED)

    def test_first_is_minus_the_score(self, family, link, y):
        loss, eta = GLMLoss(family_of(family), inverse_link(link)), self.eta(family, link)
        mu = link.inverse(eta)
        score = (y - mu) / (family.variance(mu) * link.deriv(mu))
        assert_allclose(loss.first(y, eta), -score, rtol=1e-8, atol=1e-10)

    def test_derivatives_are_differences(self, family, link, y):
        loss, eta = GLMLoss(family_of(family), inverse_link(link)), self.eta(family, link)
        pairs = ((loss.value, loss.first), (loss.first, loss.second), (loss.second, loss.third))
        for below, above in pairs:
            found = derivative(lambda x, below=below: below(y, x), eta, h=1e-4)
            size = 1.0 + np.abs(above(y, eta)).max()
            assert_allclose(found / size, above(y, eta) / size, atol=2e-6)

    def test_self_concordance_holds_where_it_is_claimed(self, family, link, y):
        loss, eta = GLMLoss(family_of(family), inverse_link(link)), self.eta(family, link)
        c = loss.self_concordance
        if np.isfinite(c):
            assert (np.abs(loss.third(y, eta)) <= c * loss.second(y, eta) * (1 + 1e-12)).all()


def test_single_rows_may_curve_the_wrong_way():
    loss = GLMLoss(family_of(families.Gaussian()), inverse_link(links.Log()))
    # l2 = mu (2 mu - y)
    assert_allclose(loss.second(np.array([1.0, 3.0]), np.zeros(2)), [1.0, -1.0])


def test_outside_the_domain_is_nan_without_a_warning():
    poisson = GLMLoss(family_of(families.Poisson()), inverse_link(links.Log()))
    assert np.isfinite(poisson.first(np.array(2.0), np.array(-700.0)))
    gamma = GLMLoss(family_of(families.Gamma()), inverse_link(links.Power(0.7)))
    assert np.isnan(gamma.value(np.array(1.0), np.array(-1.0)))


def test_a_family_of_ones_own_is_refused():
    class Own(families.Poisson):
        pass

    with pytest.raises(Unsupported, match=r"come from a family of statsmodels .* but it comes from .*Own"):
        family_of(Own())


def test_tweedie_with_a_known_name_is_that_family():
    assert type(family_of(families.Tweedie(var_power=2))).__name__ == "Gamma"
    assert type(family_of(families.Tweedie(var_power=1))).__name__ == "Poisson"
    assert type(family_of(families.Tweedie(var_power=0))).__name__ == "Gaussian"


NORMS = [
    norms.HuberT(),
    norms.TukeyBiweight(),
    norms.Hampel(),
    norms.AndrewWave(),
    norms.RamsayE(),
    norms.TrimmedMean(),
    norms.LeastSquares(),
    *(
        getattr(norms, name)() for name in ("TukeyQuartic", "StudentT") if hasattr(norms, name)
    ),  # from 0.15 on
    norms.MQuantileNorm(0.3, norms.HuberT()),
]


@pytest.mark.parametrize("norm", NORMS, ids=[type(norm).__name__ for norm in NORMS])
def test_robust_losses_have_the_derivatives_of_their_norm(norm):
    loss = RobustNormLoss(norm, 2.0)
    y, eta = np.zeros(40), np.linspace(-9.87, 9.81, 40)  # no kink of any norm within a step
    for below, above in ((loss.value, loss.first), (loss.first, loss.second), (loss.second, loss.third)):
        found = derivative(lambda x, below=below: below(y, x), eta, h=1e-4)
        assert_allclose(found, above(y, eta), atol=1e-6)
    assert loss.value(np.zeros((3, 1)), np.zeros((3, 2))).shape == (3, 2)
