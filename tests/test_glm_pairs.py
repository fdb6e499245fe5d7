"""Second derivatives of GLM losses over 40 decades, against the same in 120 digits and more."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from influstat.losses import glm_families as families
from influstat.losses.glm import GLMLoss
from influstat.losses.glm_links import (
    ClosedLink,
    LogitLink,
    LogLink,
    NegativeBinomialLink,
    PowerLink,
    ProbitLink,
    ReflectedLink,
)
from influstat.losses.glm_pairs import pair_of

ALPHA = 0.75  # a dyadic number: the same in decimals
EPSILON = np.finfo(float).eps
PI = Decimal(
    "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798214"
    "80865132823066470938446095505822317253594081284811174502841027019385211055596446229489549303819644288109756"
)
DECADES = [10.0**k for k in range(-20, 21)]
BOTH = [sign * size for size in DECADES for sign in (1.0, -1.0)]


def of_power(k):
    def means(eta):
        s = 1 / Decimal(k)
        return eta**s, s * eta ** (s - 1), s * (s - 1) * eta ** (s - 2)

    return means


def log(eta):
    return (eta.exp(),) * 3


def log_c(eta):
    return 1 - eta.exp(), -eta.exp(), -eta.exp()


def logit(eta):
    mu = 1 / (1 + (-eta).exp())
    return mu, mu * (1 - mu), mu * (1 - mu) * (1 - 2 * mu)


def complementary(eta):
    u = eta.exp()
    return 1 - (-u).exp(), u * (-u).exp(), u * (1 - u) * (-u).exp()


def log_log(eta):
    u = (-eta).exp()
    return (-u).exp(), u * (-u).exp(), u * (u - 1) * (-u).exp()


def negative_binomial(eta):
    mu = 1 / (Decimal(ALPHA) * ((-eta).exp() - 1))
    slope = mu * (1 + Decimal(ALPHA) * mu)
    return mu, slope, slope * (1 + 2 * Decimal(ALPHA) * mu)


def probit(eta):
    density = (-eta * eta / 2).exp() / (2 * PI).sqrt()
    term, total, k = eta, eta, 1
    while abs(term) > Decimal(10) ** -700:  # phi times it is Phi - 1/2
        k += 2
        term *= eta * eta / k
        total += term
    return Decimal("0.5") + density * total, density, -eta * density


def cauchy(eta):
    x, times = eta, 1
    for _ in range(12):  # arctan x = 2 arctan(x / (1 + sqrt(1 + x^2)))
        x, times = x / (1 + (1 + x * x).sqrt()), 2 * times
    angle = times * sum((-1) ** k * x ** (2 * k + 1) / (2 * k + 1) for k in range(60))
    density = 1 / (PI * (1 + eta * eta))
    return Decimal("0.5") + angle / PI, density, -2 * eta * PI * density**2


IDENTITY, INVERSE, ROOT = (
    (PowerLink(1.0), of_power(1)),
    (PowerLink(-1.0), of_power(-1)),
    (PowerLink(0.5), of_power(Decimal("0.5"))),
)
LOG, SQUARED = (LogLink(), log), (PowerLink(-2.0), of_power(-2))
PROPORTIONS = {
    "logit": (LogitLink(), logit),
    "probit": (ProbitLink(), probit),
    "Cauchy": (ClosedLink("Cauchy"), cauchy),
    "complementary log-log": (ClosedLink("CLogLog"), complementary),
    "log-log": (ReflectedLink(ClosedLink("CLogLog")), log_log),
    "log": LOG,
    "log of the complement": (ClosedLink("LogC"), log_c),
}
# Family, variance and its derivative in mu, links, targets.
TABLE = [
    (families.Gaussian(), lambda mu: (1, 0), [LOG, IDENTITY, INVERSE], [-2.5, 3.0, 1e6]),
    (families.Poisson(), lambda mu: (mu, 1), [LOG, IDENTITY, ROOT], [0.0, 3.0, 1e6]),
    (families.Gamma(), lambda mu: (mu**2, 2 * mu), [LOG, IDENTITY, INVERSE], [1e-3, 3.0, 1e6]),
    (
        families.InverseGaussian(),
        lambda mu: (mu**3, 3 * mu**2),
        [LOG, IDENTITY, INVERSE, SQUARED],
        [1e-3, 3.0, 1e6],
    ),
    (
        families.Tweedie(1.5),
        lambda mu: (mu ** Decimal("1.5"), Decimal("1.5") * mu ** Decimal("0.5")),
        [LOG, IDENTITY, INVERSE, ROOT],
        [0.0, 3.0, 1e6],
    ),
    (
        families.NegativeBinomial(ALPHA),
        lambda mu: (mu + Decimal(ALPHA) * mu**2, 1 + 2 * Decimal(ALPHA) * mu),
        [LOG, (NegativeBinomialLink(ALPHA), negative_binomial)],
        [0.0, 3.0, 1e6],
    ),
    (
        families.Binomial(),
        lambda mu: (mu * (1 - mu), 1 - 2 * mu),
        list(PROPORTIONS.values()),
        [0.0, 1.0, 0.3],
    ),
]
CASES = [(family, variance, *link, ys) for family, variance, found, ys in TABLE for link in found]


def parts(variance, means, eta):
    """Return what l2 is made of, c + d y, in many digits; None where the mean is not of the family."""
    mu, m1, m2 = means(eta)
    V, slope = variance(mu)
    if V <= 0 or m1 == 0:
        return None
    a, bend = m1 / V, m2 / V - m1 * m1 * slope / V**2  # l1 = (mu - y) a
    return a * m1 + mu * bend, -bend


def values(means, link):
    """Return linear predictors over 40 decades at which e^eta and the like are within float64."""
    if isinstance(link, PowerLink):
        return DECADES
    if means is cauchy:
        return [eta for eta in BOTH if abs(eta) < 1e15]
    if means is probit:
        return [eta for eta in BOTH if abs(eta) < 30.0] + [-25.0, -8.0, -4.001, -3.999, 5.0, 8.0]
    if means in (complementary, log_log):
        return [eta for eta in BOTH if abs(eta) <= 1.0] + [-30.0, -5.0, -2.1, -2.0, 2.0, 4.0, 5.0]
    own = [-100.0, -30.0, -3.0] + ([] if means in (negative_binomial, log_c) else [3.0, 30.0, 100.0])
    sign = -1.0 if means in (negative_binomial, log_c) else 0.0
    return [eta for eta in BOTH if abs(eta) < 200.0 and (not sign or eta < 0.0)] + own


@pytest.mark.dear
@pytest.mark.parametrize(
    ("family", "variance", "link", "means", "ys"), CASES, ids=[f"{case[0]!r}-{case[2]!r}" for case in CASES]
)
def test_second_derivatives_keep_their_digits(family, variance, link, means, ys):
    loss, tried = GLMLoss(family, link), 0
    assert pair_of(family, link) is not None
    for eta in values(means, link):
        if isinstance(family, families.Binomial) and means is log and eta >= 0.0:
            continue
        with localcontext() as context:
            context.prec = 900 if means is probit else 250
            found = parts(variance, means, Decimal(eta))
            if found is None:
                continue
            c, d = found
            for y in ys:
                truth, size = c + d * Decimal(y), abs(c) + abs(d * Decimal(y))
                if isinstance(family, families.Binomial) and y > 0:
                    size = abs((c + d) * Decimal(y)) + abs(c * (1 - Decimal(y)))  # terms of y and of 1 - y
                if not 1e-150 < size < 1e290:  # below: the rounding of 250 digits, where the term is 0
                    continue
                off = abs(Decimal(float(loss.second(np.float64(y), np.float64(eta)))) - truth) / size
                # e^(k eta) feels the rounding of k eta; the normal tail's ratio that of eta^2.
                limit = 64.0 * EPSILON * (1.0 + (abs(eta) if not isinstance(link, PowerLink) else 0.0))
                limit *= (1.0 + abs(eta)) if means is probit else 1.0
                limit = limit if means is not cauchy else 64.0 * EPSILON
                assert off <= limit, (eta, y, float(truth))
                tried += 1
    assert tried > 40


def test_counts_far_above_their_means_curve_as_the_mean():
    """Where mu << y the general formula is a difference of two numbers of the size of y."""
    loss = GLMLoss(families.Poisson(), LogLink())
    eta = np.linspace(-700.0, 0.0, 71)
    np.testing.assert_allclose(loss.second(1e6, eta), np.exp(eta), rtol=1e-15)
    np.testing.assert_allclose(loss.third(1e6, eta), np.exp(eta), rtol=1e-15)


EVERYWHERE = [case for case in CASES if case[3] in (log, logit, probit, cauchy, complementary, log_log)]
FAR_OUT = [800.0, 1e3, 2e6]  # the last is where losses of targets of 1e6 are asked whether they rise for ever


@pytest.mark.parametrize(
    ("family", "variance", "link", "means", "ys"),
    EVERYWHERE,
    ids=[f"{case[0]!r}-{case[2]!r}" for case in EVERYWHERE],
)
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_far_out_every_derivative_is_a_number_or_infinite(family, variance, link, means, ys, side):
    if isinstance(family, families.Binomial) and means is log and side > 0:
        return  # a probability above 1
    loss, eta = GLMLoss(family, link), side * np.array(FAR_OUT)
    for y in ys:
        found = [derivative(np.full(3, y), eta) for derivative in (loss.first, loss.second, loss.third)]
        assert not np.isnan(found).any()
        power = {"Poisson": 1.0, "Gamma": 2.0, "InverseGaussian": 3.0}.get(type(family).__name__)
        if means is log and power is not None:  # mu - y over mu^(p - 1)
            limits = {1.0: (np.inf, -y), 2.0: (1.0, -np.inf), 3.0: (0.0, -np.inf)}[power]
            np.testing.assert_array_equal(found[0], limits[0] if side > 0 else limits[1])


@pytest.mark.parametrize("apart", [0.0, 1e-16, 1e-12, -1e-8, 1e-5, -9.9e-4, 1.1e-3, 0.5])
def test_the_deviance_of_counts_near_their_means_keeps_its_digits(apart):
    y = np.array([1.0, 2.0, 1e6])
    mu = y * (1.0 + apart)
    with localcontext() as context:
        context.prec = 60
        exact = [
            float(2 * (Decimal(one) * (Decimal(one) / Decimal(mean)).ln() - (Decimal(one) - Decimal(mean))))
            for one, mean in zip(y.tolist(), mu.tolist(), strict=True)
        ]
    # The series leaves out 3e-13; beyond a thousandth terms cancel to 1e-6 of them at worst.
    rtol = 1e-12 if abs(apart) < 1e-3 else 1e-9
    np.testing.assert_allclose(families.Poisson().deviance(y, mu, mu), exact, rtol=rtol, atol=0.0)


LINKS_OF_SHARES = [LogitLink(), ProbitLink(), ClosedLink("CLogLog"), ReflectedLink(ClosedLink("CLogLog"))]


@pytest.mark.parametrize("link", LINKS_OF_SHARES, ids=str)
def test_losses_far_out_grow_as_their_slopes_say(link):
    """Where a mean or its complement is below 1e-308 the loss is the integral of its slope all the same."""
    loss = GLMLoss(families.Binomial(), link)
    furthest = 800.0 if link in (LogitLink(), ProbitLink()) else 300.0  # e^e^eta is beyond float64 soon
    eta = np.array([-furthest, -42.0, -8.5, -6.0, 6.0, 8.5, 42.0, furthest])
    for y in (0.0, 0.25, 1.0):
        targets = np.full(len(eta), y)
        h = 1e-6
        value, more, less = (loss.value(targets, eta * (1.0 + k * h)) for k in (0, 1, -1))
        assert np.isfinite(value).all()
        slope = (more - less) / (2.0 * h * eta)
        # Differences of order h^2 curvature, and the rounding of the value, or of a mean of 1, over h.
        room = 1e-4 * np.abs(loss.first(targets, eta)) + 8 * EPSILON * (1.0 + value) / (h * np.abs(eta))
        assert (np.abs(slope - loss.first(targets, eta)) <= room).all()
        most = loss.value(targets, link_of_share(link, y)) if 0 < y < 1 else 0.0
        np.testing.assert_allclose(loss.deviance(targets, eta), 2.0 * (value - most), rtol=1e-9, atol=1e-12)


def link_of_share(link, share):
    """Return the linear predictor whose mean is that share, by bisection."""
    low, high = -40.0, 40.0
    for _ in range(200):
        middle = (low + high) / 2.0
        low, high = (middle, high) if link.mean(np.array([middle]))[0] < share else (low, middle)
    return np.array([low])


@pytest.mark.parametrize(
    "family", [families.Poisson(), families.Tweedie(1.5), families.Tweedie(1.3)], ids=str
)
@pytest.mark.parametrize("power", [0.5, -0.5])
def test_losses_of_even_powers_mirror_their_derivatives(family, power):
    """Where the mean is eta^2 or eta^-2 the loss is even in eta: odd derivatives change their sign."""
    loss, eta, y = GLMLoss(family, PowerLink(power)), np.array([0.6, 1.7]), np.array([1.0, 2.0])
    np.testing.assert_array_equal(loss.value(y, -eta), loss.value(y, eta))
    for derivative, sign in ((loss.first, -1.0), (loss.second, 1.0), (loss.third, -1.0)):
        np.testing.assert_allclose(derivative(y, -eta), sign * derivative(y, eta), rtol=1e-14)
