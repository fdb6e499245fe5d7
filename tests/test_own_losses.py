"""Losses and risks of users: the usual mistakes are refused at once, or told by `checks`."""

import pickle

import numpy as np
import pytest

import influstat as ist
from influstat import checks
from influstat.errors import InvalidArgument, InvalidType, NotConverged
from influstat.losses.glm import GLMLoss
from influstat.losses.glm_families import Tweedie
from influstat.losses.glm_links import LogLink
from tests.tolerance import CHANGES, TWO_FITS

RNG = np.random.default_rng(0)
X = np.column_stack([np.ones(12), RNG.normal(size=12)])
Y = X @ [1.0, 2.0] + RNG.normal(size=12)

# Losses of a row that depend on the other rows of the call.
MIXED = {
    "mean": lambda y, eta: (y - eta) ** 2 / len(y),
    "spread of y": lambda y, eta: ((y - eta) / (1.0 + np.std(y))) ** 2,
    "mean of eta": lambda y, eta: (y - eta + 0.1 * np.mean(eta)) ** 2,
    "class weights": lambda y, eta: np.where(y > 0, 1.0 / (1.0 + np.sum(y > 0)), 1.0) * (y - eta) ** 2,
    "softmax over rows": lambda y, eta: -y * (eta - np.log(np.sum(np.exp(eta)))),
    "normed": lambda y, eta: (y - eta) ** 2 / np.max(np.abs(y)),
    "cumulated": lambda y, eta: np.cumsum((y - eta) ** 2),
    "ranked": lambda y, eta: (np.argsort(np.argsort(y)) - eta) ** 2,
}


class Own:
    """Squared error in a class of one's own, one method of which mixes rows."""

    self_concordance = 0.0

    def __init__(self, mixed):
        self.mixed = mixed

    def _share(self, name, values):
        return values / len(values) if name == self.mixed else values

    def check_targets(self, y):
        return np.asarray(y, dtype=float)

    def value(self, y, eta):
        return self._share("value", (y - eta) ** 2)

    def first(self, y, eta):
        return self._share("first", 2.0 * (eta - y))

    def second(self, y, eta):
        return self._share("second", 2.0 + 0.0 * eta)

    def third(self, y, eta):
        return 0.0 * eta

    def mean(self, eta):
        return eta

    def mean_derivative(self, eta):
        return 1.0 + 0.0 * eta


@pytest.mark.parametrize("name", MIXED)
def test_a_loss_that_depends_on_other_rows_is_refused(name):
    with pytest.raises(InvalidArgument, match="depends on its own y and eta only.*Usual causes"):
        ist.LinearRisk(ist.NumericalLoss(MIXED[name]), X, Y)
    report = checks.check_loss(ist.NumericalLoss(MIXED[name]), laws=["form"])
    assert "changes with the other rows" in str(report)


@pytest.mark.parametrize("method", ["value", "first", "second"])
def test_an_own_class_that_mixes_rows_is_refused(method):
    with pytest.raises(InvalidArgument, match=f"a `{method}` of row 0 that changes with the other rows"):
        ist.LinearRisk(Own(method), X, Y)
    ist.LinearRisk(Own(None), X, Y)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("method", ["value", "first", "second", "third"])
def test_an_own_class_that_writes_to_what_it_is_given_is_refused(method, place):
    class Writer(Own):
        pass

    def writes(self, *given):
        given[place][0] += 1.0
        return getattr(Own(None), method)(*given)

    setattr(Writer, method, writes)
    sentence = f"leave y and eta as they are, but it has a `{method}` that writes to them"
    with pytest.raises(InvalidArgument, match=sentence):
        ist.LinearRisk(Writer(None), X, Y)


def never_nan(function):
    def watched(y, eta):
        assert not np.isnan(eta).any()
        return function(y, eta)

    return watched


# A second column that one row alone determines, so that it has no refit.
ALONE = np.column_stack([np.ones(6), [0, 0, 0, 0, 0, 1.0]])


@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")
@pytest.mark.parametrize("method", ["exact", "newton"])
@pytest.mark.parametrize("c", [np.inf, 1.0])
def test_a_row_without_a_refit_sends_no_nan_into_a_callers_loss(method, c):
    loss = ist.NumericalLoss(
        never_nan(lambda y, eta: np.sqrt(1.0 + (y - eta) ** 2)),
        mean_function=lambda eta: never_nan(lambda _, known: known)(eta, eta),
        self_concordance=c,
    )
    fit = ist.Fit.minimise(ist.LinearRisk(loss, ALONE, [1.0, 2.0, 4.0, 3.0, 2.0, 7.0]))
    removal = fit.leave_one_out(method=method)
    alone = [False] * 5 + [True]
    assert np.isnan(removal.theta).any(axis=1).tolist() == alone
    for values in (
        removal.loss_change(ALONE[4:], [1.0, 2.0]),
        removal.prediction_change(ALONE[4:], kind="mean"),
    ):
        assert np.isfinite(values[:, 0]).all()  # determined without row 5 too
        assert np.isnan(values[:, 1]).tolist() == alone
    removal.loss_bound(ALONE[:2], [1.0, 2.0])
    removal.prediction_bound(ALONE[:2], kind="mean")
    assert "nan" not in removal.status[5]
    fit.removal_report(ALONE[:1], [2.0])
    ist.cross_validate(fit)


@pytest.mark.parametrize("loss", [GLMLoss(Tweedie(1.5), LogLink()), ist.PoissonLoss()], ids=repr)
def test_a_loss_that_falls_to_a_limit_is_bounded(loss):
    assert checks.check_loss(loss, y=np.array([0.0, 1.0, 2.0, 5.0])).passed


FALLING = {
    "straight": lambda y, eta: y - eta,
    "logarithm": lambda y, eta: -np.log1p(np.maximum(eta, 0.0)),
    "cubic": lambda y, eta: (eta - y) ** 3,
    "sign": lambda y, eta: -((y - eta) ** 2),
}


@pytest.mark.parametrize("name", FALLING)
def test_a_loss_whose_value_alone_falls_for_ever_is_not_bounded(name):
    loss = Own(None)
    loss.value = FALLING[name]
    report = checks.check_loss(loss)
    finding = report["bounded below"]
    assert not finding.passed
    assert "falls for ever" in finding.cause
    first = report["first derivative"]  # not to blame: it is the derivative that `second` goes with
    assert first.cause == (
        "`first` is judged by `value`, which is not bounded below: settle 'bounded below' first"
    )
    assert report["second derivative"].passed


@pytest.mark.parametrize("name", ["first", "second"])
def test_a_wrong_derivative_of_a_bounded_loss_is_blamed_itself(name):
    loss = Own(None)
    right = getattr(loss, name)
    setattr(loss, name, lambda y, eta: 3.0 * right(y, eta))
    report = checks.check_loss(loss)
    assert report["bounded below"].passed
    assert "off by a factor 3 everywhere" in report[f"{name} derivative"].cause


def squares(X, y, **settings):
    return ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y, **settings))


def own_refit(rows):
    """Penalised least squares as a caller may have it."""
    return np.linalg.solve(X[rows].T @ X[rows] + 2.0 * np.eye(2), X[rows].T @ Y[rows])


WRONG = {
    "penalty leaves with the rows": lambda: ist.Ridge(lam=2.0, protocol="folded").fit(X, Y),
    "other penalty": lambda: ist.Ridge(lam=3.0, protocol="fixed").fit(X, Y),
    "weights": lambda: ist.Ridge(lam=2.0, protocol="fixed").fit(X, Y, weights=np.arange(1.0, 13.0)),
    "rows use other rows": lambda: ist.Fit.minimise(
        ist.BlackBoxRisk(lambda t: (Y - X @ t) ** 2 + 0.2 * np.roll((Y - X @ t) ** 2, 1), 2,
                         penalty=ist.L2(4.8))
    ),
}  # fmt: skip


def test_a_right_fit_agrees_with_the_callers_refits():
    checks.check_refit(ist.Ridge(lam=2.0, protocol="fixed").fit(X, Y), own_refit).assert_ok()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_fit_disagrees_with_the_callers_refits(name):
    assert not checks.check_refit(WRONG[name](), own_refit).passed


HOLLOW = {
    "Cauchy": lambda y, eta: np.log1p((y - eta) ** 2),
    "Welsch": lambda y, eta: 1.0 - np.exp(-0.5 * (y - eta) ** 2),
}


@pytest.mark.parametrize("name", HOLLOW)
@pytest.mark.parametrize("outlier", [0.0, 500.0])
def test_a_loss_that_is_not_convex_at_zero_asks_for_a_start_that_outliers_do_not_spoil(name, outlier):
    y = Y + 5.0 + outlier * (np.arange(len(Y)) == 0)
    risk = ist.LinearRisk(ist.NumericalLoss(HOLLOW[name]), X, y)
    with pytest.raises(ist.errors.InflustatError, match=r"Pass start=.* ist\.HuberLoss\(\)"):
        ist.Fit.minimise(risk)
    start = ist.Fit.minimise(ist.LinearRisk(ist.HuberLoss(), X, y)).theta
    assert ist.Fit.minimise(risk, start=start).stationarity < 1e-10
    if outlier:
        with pytest.raises(ist.errors.IndefiniteHessian):
            ist.Fit.minimise(risk, start=squares(X, y).theta)


@pytest.mark.parametrize("unit", [1e-4, 1e-3, 1e6])
def test_a_width_of_another_unit_than_the_targets_is_named(unit):
    def loss(y, eta):
        return unit**2 * (np.sqrt(1.0 + ((y - eta) / unit) ** 2) - 1.0)

    truth = ist.Fit.minimise(ist.LinearRisk(ist.PseudoHuberLoss(1.0), X, Y)).theta
    fitted = ist.Fit.minimise(ist.LinearRisk(ist.NumericalLoss(loss, width=unit), X, unit * Y)).theta
    np.testing.assert_allclose(fitted / unit, truth, rtol=CHANGES)  # both stop at 1e-12 of a gradient
    found = ist.Fit.minimise(ist.LinearRisk(ist.NumericalLoss(loss), X, unit * Y)).theta
    np.testing.assert_allclose(found / unit, truth, rtol=CHANGES)  # the width follows from the loss
    if unit < 1.0:
        with pytest.raises(InvalidArgument, match="and width is 1: pass width="):
            ist.Fit.minimise(ist.LinearRisk(ist.NumericalLoss(loss, width=1.0), X, unit * Y))


class FromValue(ist.DifferencedLoss):
    """Log cosh, of which only the value is written down."""

    def value(self, y, eta):
        r = np.abs(y - eta)
        return r + np.log1p(np.exp(-2.0 * r)) - np.log(2.0)


class Counts(FromValue):
    """Poisson's, with targets, a mean and a first derivative of its own."""

    def check_targets(self, y):
        return ist.PoissonLoss().check_targets(y)

    def value(self, y, eta):
        return np.exp(eta) - y * eta

    def first(self, y, eta):
        return np.exp(eta) - y

    def mean(self, eta):
        return np.exp(eta)


@pytest.mark.slow
def test_a_loss_needs_its_value_only():
    class LogCosh(FromValue):
        def first(self, y, eta):
            return np.tanh(eta - y)

        def second(self, y, eta):
            return 1.0 / np.cosh(eta - y) ** 2

        def third(self, y, eta):
            return -2.0 * np.tanh(eta - y) / np.cosh(eta - y) ** 2

    checks.check_loss(FromValue()).assert_ok()
    fits = [ist.Fit.minimise(ist.LinearRisk(loss, X, Y)) for loss in (FromValue(), LogCosh())]
    np.testing.assert_allclose(fits[0].theta, fits[1].theta, rtol=TWO_FITS)
    removals = [fit.leave_one_out() for fit in fits]
    np.testing.assert_allclose(*(removal.theta for removal in removals), rtol=CHANGES)
    with pytest.raises(ist.errors.Unsupported, match="has no mean"):
        fits[0].predict(X, kind="mean")
    assert not removals[0].certificate.certified.any()
    assert repr(pickle.loads(pickle.dumps(FromValue()))) == "FromValue()"


@pytest.mark.slow
def test_what_a_loss_adds_to_its_value_is_used():
    y = np.array([0.0, 1.0, 2.0, 5.0] * 3)
    checks.check_loss(Counts()).assert_ok()
    own, truth = (ist.Fit.minimise(ist.LinearRisk(loss, X, y)) for loss in (Counts(), ist.PoissonLoss()))
    np.testing.assert_allclose(own.theta, truth.theta, rtol=TWO_FITS)
    np.testing.assert_allclose(own.predict(X, kind="mean"), truth.predict(X, kind="mean"), rtol=TWO_FITS)
    with pytest.raises(InvalidArgument, match="y must"):
        ist.LinearRisk(Counts(), X, -y)


def test_a_loss_without_its_value_says_so():
    with pytest.raises(ist.errors.InvalidType, match="must define value"):
        ist.DifferencedLoss()


@pytest.mark.parametrize("missing", ["row_gradients", "curvature", "test_rows", "names"])
def test_a_fit_says_which_part_of_a_risk_is_missing(missing):
    risk = ist.LinearRisk(ist.SquaredError(), X, Y)
    parts = {name: getattr(risk, name) for name in dir(risk) if not name.startswith("_") and name != missing}
    with pytest.raises(ist.errors.InvalidType, match=f"without {missing}. Add what is missing"):
        ist.Fit(type("Nearly", (), parts)(), [0.0, 0.0])


# A mean that is linear and has to be positive: Newton's steps lead out of the domain, real or complex.
DOMAIN = {
    "black box": lambda X, y: ist.BlackBoxRisk(lambda theta: np.log(X @ theta) + y / (X @ theta), 2),
    "only real numbers": lambda X, y: ist.BlackBoxRisk(
        lambda theta: np.log((X @ theta).real) + y / (X @ theta).real, 2
    ),
    "loss": lambda X, y: ist.LinearRisk(ist.NumericalLoss(lambda y, eta: np.log(eta) + y / eta), X, y),
}


@pytest.mark.filterwarnings("ignore:invalid value encountered in log:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.DomainWarning")
@pytest.mark.parametrize("name", DOMAIN)
def test_steps_beyond_the_domain_of_a_loss_are_shortened(name):
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 2.0, 30)
    X, y = sm.add_constant(x), rng.gamma(2.0, x)
    start = [0.3, 1.5] if name == "loss" else [1.0, 1.0]  # where such a loss is convex, and beyond
    fit = ist.Fit.minimise(DOMAIN[name](X, y), start=start)
    removal = fit.leave_one_out(rows=[0, 11])
    for found, left in [(fit.theta, np.arange(30))] + [
        (removal.theta[k], np.delete(np.arange(30), row)) for k, row in enumerate((0, 11))
    ]:
        family = sm.families.Gamma(sm.families.links.Identity())
        refit = sm.GLM(y[left], X[left], family=family).fit(tol=1e-13, start_params=fit.theta)
        np.testing.assert_allclose(found, refit.params, rtol=CHANGES, atol=CHANGES)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e14])
def test_products_with_a_hessian_are_known_in_any_unit(unit):
    y = Y * unit
    curvature = ist.BlackBoxRisk(lambda theta: (y - X @ theta) ** 2, 2, width=unit).curvature(Y[:2] * unit)
    np.testing.assert_allclose(curvature @ [1.0, -2.0], 2.0 * X.T @ (X @ [1.0, -2.0]) / len(y), rtol=1e-9)


# -- what each row's own number, too few digits or other targets are called ----------------------------------


@pytest.mark.parametrize("n", [12, 100])  # within the rows that are looked at, and beyond
@pytest.mark.parametrize("form", ["class", "function"])
def test_a_number_for_each_training_row_is_none_of_the_loss(form, n):
    rng = np.random.default_rng(720)
    factors = rng.uniform(0.5, 2.0, n)

    class Factors(Own):
        def value(self, y, eta):
            return factors * super().value(y, eta)

    loss = Factors(None)
    if form == "function":
        loss = ist.NumericalLoss(lambda y, eta: factors * (y - eta) ** 2)
    rows = np.resize(X, (n, 2))
    with pytest.raises(InvalidArgument, match=r"its own y and eta only.*factors go into weights="):
        ist.LinearRisk(loss, rows, np.resize(Y, n))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.complex128])
@pytest.mark.parametrize("method", ["value", "first", "second", "third"])
def test_an_own_class_that_does_not_compute_in_float64_is_refused(method, kind):
    class Narrow(Own):
        pass

    setattr(Narrow, method, lambda self, y, eta: getattr(Own(None), method)(y, eta).astype(kind))
    with pytest.raises(
        InvalidType, match=f"return float64, but it has a `{method}` that returns {kind.__name__}"
    ):
        ist.LinearRisk(Narrow(None), X, Y)


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (lambda y: True, r"check_targets must return one target per row \(12\), but it returned shape \(\)"),
        (
            lambda y: y[:-1],
            r"check_targets must return one target per row \(12\), but it returned shape \(11,",
        ),
        (lambda y: y.astype(str), "check_targets must hold real numbers"),
        (lambda y: None, "check_targets must return an array, but it returned None"),
    ],
)
def test_check_targets_is_blamed_for_what_it_returns(returned, sentence):
    class Odd(Own):
        def check_targets(self, y):
            return returned(np.asarray(y))

    with pytest.raises(ValueError if "one target" in sentence else TypeError, match=sentence):
        ist.LinearRisk(Odd(None), X, Y)
    with pytest.raises(InvalidArgument, match=r"y must have one entry per row of X \(12\), but it has 11"):
        ist.LinearRisk(Own(None), X, Y[:-1])


def test_where_the_search_fails_the_derivatives_of_an_own_loss_are_suspected():
    class Turned(Own):
        def first(self, y, eta):
            return (-2.0 if self.turned else 2.0) * (eta - y)

    loss = Turned(None)
    loss.turned = False  # right where it is looked at on entry
    risk = ist.LinearRisk(loss, X, Y)
    loss.turned = True
    with pytest.raises(NotConverged, match=r"ist.checks.check_loss\(loss\)"):
        ist.Fit.minimise(risk)


@pytest.mark.parametrize("returned", [None, "fit"])
def test_a_refit_that_returns_no_theta_is_told_what_to_return(returned):
    fit = ist.Ridge(lam=2.0, protocol="fixed").fit(X, Y)
    with pytest.raises(InvalidType, match="refit must return theta, but it returned .*Return fit.theta"):
        checks.check_refit(fit, lambda rows: fit if returned else None)
