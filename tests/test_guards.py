"""Each guard in the numerics has a law that fails without it: the table takes them out one by one.

A row of GUARDS names the guard, the law that needs it, and what stands in its place while it is out. By hand,
one is taken out with  pytest tests/test_guards.py -k "needs and <name>".
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import influstat as ist
from influstat import checks
from influstat.adapters.scikit_learn import check
from influstat.algebra import downdate, rounding
from influstat.algebra.symmetric import Diagonal
from influstat.checks import first_order_laws, second_order_laws
from influstat.errors import NoMinimiser, NotStationary
from influstat.input.groups import read_groups, read_rows
from influstat.minimise import descent, existence
from influstat.removal import cross_validation_lam
from influstat.removal.certificates import anchor, bounds
from influstat.removal.expansion import Expansion, Remainder
from influstat.removal.methods import sweeps
from influstat.statistics import covariance
from tests.budget import share
from tests.cases import LOSSES, make_problem
from tests.extended import LONG
from tests.reference import SQUARED_ERROR, PlainRisk, assert_within, rational_ridge
from tests.tolerance import EPSILON, removed

# -- minimisers -------------------------------------------------------------------------------------------


def a_removal_that_separates_has_no_minimiser():
    """Without the heavy row one class is left, at predictors of -5: Newton's step lands at 144.

    There the gradient is e^-144, which no tolerance tells from 0.
    """
    fit = ist.Logistic(lam=0.0).fit([[1.0], [1.0]], [0, 1], weights=[148.0, 1.0])
    removal = fit.leave_one_out()
    assert not removal.converged.any()
    assert all("no finite minimiser" in text for text in removal.status)


def a_column_of_zeros_goes_to_zero_from_a_start():
    """Only the penalty pulls at it, in proportion to what is left: its relative gradient stays 1."""
    X = np.column_stack([np.arange(8.0) - 3.0, np.zeros(8), np.zeros(8)])
    y = [1.0, -2.0, 0.0, 3.0, 1.0, 2.0, 5.0, 4.0]
    risk = ist.LinearRisk(ist.HuberLoss(1.5), X, y, penalty=ist.L2(0.3))
    for start in (0.1, 0.3, 0.7, 1.3, 2.7, 50.0):
        theta = ist.Fit.minimise(risk, start=[0.3, start, -start]).theta
        assert theta[1:].tolist() == [0.0, 0.0]


def quasi_separated_rows_mixed_with_others_have_no_minimiser():
    """The four rows of a dummy are of one class, but no column is that dummy: no gradient vanishes alone."""
    for seed in range(6):  # by its rounding the search ends where the guard alone tells, or beyond
        rng = np.random.default_rng(seed)
        x, dummy = rng.normal(size=40), (np.arange(40) < 4).astype(float)
        y = (rng.random(40) < 0.5).astype(float)
        y[:4] = 1.0
        X = np.column_stack([x + dummy, x - dummy, 1.0 + 0.3 * dummy + 0.2 * x])
        with pytest.raises(NoMinimiser):
            ist.Logistic(lam=0.0).fit(X, y)


# -- removals ---------------------------------------------------------------------------------------------


def a_removal_that_does_not_contract_leaves_the_others_at_once():
    """The chord of a Poisson risk is far too flat without the row of 0 that holds all others down."""
    begun = []
    with pytest.MonkeyPatch.context() as patch:
        sweep = sweeps.Chord._sweep
        patch.setattr(sweeps.Chord, "_sweep", lambda chord, *a: begun.append(1) or sweep(chord, *a))
        weights = [100.0, 1.0, 1.0, 1.0]
        risk = ist.LinearRisk(
            ist.PoissonLoss(), np.ones((4, 1)), [0.0, 50.0, 50.0, 50.0], weights=weights, penalty=ist.L2(0.1)
        )
        removal = ist.Fit.minimise(risk).leave_one_out(rows=[0])
    assert removal.converged.all()
    assert len(begun) <= 2


def removals_are_done_by_the_size_of_what_is_left():
    """The row removed is up to a thousand times as large as the others: it must not loosen the stop."""
    for seed in range(170, 170 + share(20, 4)):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(12, int(rng.integers(1, 4)))), (rng.random(12) < 0.5).astype(float)
        X[0] *= 10.0 ** rng.uniform(0.0, 3.0)
        offset, weights = rng.normal(size=12), np.where(np.arange(12) == 0, 0.0, 1.0)
        for strength in 10.0 ** np.arange(-3.0, 5.0):
            risk = ist.LinearRisk(ist.LogisticLoss(), X, y, penalty=ist.L2(strength), offset=offset)
            fit = ist.Fit.minimise(risk)
            removal, left = fit.leave_one_out(rows=[0]), risk.reweighted(weights)
            assert removal.converged.all()
            size = left.gradient_scale(fit.theta)
            # The sweeps end at FINE; what is measured here has rounding of its own.
            assert np.all(np.abs(left.gradient(removal.theta[0])) <= 10.0 * sweeps.FINE * size)


def small_coefficients_keep_their_digits_in_closed_form():
    """A column that the penalty all but owns, beside others: each coefficient to its own rounding.

    Groups of different weight keep different shares of the penalty, so one set of coordinates serves all.
    """
    for seed in range(20):
        problem = make_problem(LOSSES[0], 10, 4, seed, scales=(1.0, 1.0, 1e-3, 1.0), strength=30.0)
        problem = replace(problem, protocol="folded")
        fit, plain = ist.Fit.minimise(problem.risk()), problem.plain()
        removal = fit.leave_groups_out([[0], [0, 1], [2, 3, 4]])
        for k in range(3):
            part = plain.without(removal.groups[k])
            truth = rational_ridge(part)
            assert_within(removal.theta[k], truth, removed(plain, part, truth, fit.theta))


# -- certificates -----------------------------------------------------------------------------------------


def sums_are_within_their_rounding():
    """Rows that repeat each other round alike: errors add up, and do not average out."""
    for n in (100, 1000, 30_000):
        for seed in range(30):
            rng = np.random.default_rng(seed)
            X, values = np.tile(rng.normal(size=2), (n, 1)), np.full(n, rng.normal())
            found = ist.LinearRisk(ist.SquaredError(), X, np.zeros(n)).design.transpose_dot(values)
            truth = n * X[0].astype(LONG) * LONG(values[0])
            assert np.all(np.abs(found - truth) <= rounding.unit_rounding(n) * np.abs(truth))


def rows_removed_have_the_bound_of_rows():
    """The bound on x_j'theta of a removed row is that of any row that is equal to it."""
    X = np.random.default_rng(0).normal(size=(12, 2))
    X[3] *= 6.0
    fit = ist.Logistic(lam=0.5).fit(X, np.arange(12) % 2)
    for groups in (read_rows(None, np.arange(12)), read_groups([[3], [1, 3], [4, 5, 6]], 12)):
        removal = fit.leave_groups_out([groups[k] for k in range(len(groups))], method="newton")
        certificate = removal.certificate
        assert certificate.certified.all()
        of_all = certificate.error(X)[groups.owners, groups.members]
        np.testing.assert_allclose(certificate.error_of_members(), of_all, rtol=100.0 * EPSILON)


def norms_of_rows_are_rounded_up():
    """|x|^2 in C^-1 for nearly collinear columns, in rational arithmetic."""
    for seed in range(20):
        X = np.random.default_rng(seed).normal(size=(6, 2))
        X[:, 1] = X[:, 0] + 1e-3 * X[:, 1]
        design = ist.LinearRisk(ist.SquaredError(), X, np.zeros(6)).design
        norms = anchor.Anchor(design, np.ones(6), Diagonal(np.zeros(2)), give_up=False).row_norms
        plain = PlainRisk(SQUARED_ERROR, X, np.zeros(6), np.ones(6), np.zeros(6), 0.0, np.ones(2), "fixed")
        for x, norm in zip(X, norms, strict=True):
            assert rational_norm(plain.X, x) <= LONG(norm) ** 2


def rational_norm(X, x):
    """Return x'(X'X)^-1 x for two columns, right to 64 bits."""
    a, b, c = (sum(Fraction(r[i]) * Fraction(r[j]) for r in X.tolist()) for i, j in ((0, 0), (0, 1), (1, 1)))
    u, v = (Fraction(value) for value in x.tolist())
    exact_value = (c * u * u - 2 * b * u * v + a * v * v) / (a * c - b * b)
    high = float(exact_value)
    return LONG(high) + LONG(float(exact_value - Fraction(high)))


def changes_of_losses_are_within_their_rounding():
    """Losses of order 1 at predictors near 1e8, and their rounding where only one of the two has a slope."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    fit = ist.Ridge(lam=1.0, protocol="fixed").fit(X, X @ [1.0, 2.0] + 3.0 * rng.normal(size=30))
    removal, offset = fit.leave_one_out(), np.full(30, 1e8)
    largest = int(np.argmax(np.abs(removal.delta).sum(axis=1)))
    for at in (fit.theta, removal.theta[largest]):  # no slope before; no slope after
        y = offset + X @ at
        change = removal.loss_change(X, y, offset=offset)[largest]
        before, after = (
            ((y - offset).astype(LONG) - X.astype(LONG) @ theta.astype(LONG)) ** 2
            for theta in (fit.theta, removal.theta[largest])
        )
        error = np.abs(change - (after - before))
        assert error.max() > 1e-10  # there is something to be seen
        assert np.all(error <= removal.loss_bound(X, y, offset=offset)[largest])


def values_of_losses_are_within_their_rounding():
    """A log 2 is right to an epsilon, however small the predictor and with it the slope's share."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(20, 2)), np.arange(20) % 2
    fit = ist.Logistic(lam=1.0, protocol="fixed").fit(X, y)  # folded losses hold a share of the penalty too
    removal = fit.leave_one_out()
    tests, zeros = 1e-6 * rng.normal(size=(40, 2)), np.zeros(40)

    def loss(theta):
        return np.log1p(np.exp(tests.astype(LONG) @ theta.astype(LONG).T)).T

    error = np.abs(removal.loss_change(tests, zeros) - (loss(removal.theta) - loss(fit.theta)))
    assert error.max() > 0.1 * EPSILON
    assert np.all(error <= removal.loss_bound(tests, zeros))


def predictions_are_within_their_rounding():
    """Next to an offset that takes their digits, and means next to 1, where no slope carries an error."""
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(20, 2)), np.arange(20) % 2
    fit = ist.Logistic(lam=1e-3).fit(X, y)
    removal = fit.leave_one_out()
    tests, offset = rng.normal(size=(5, 2)), np.full(5, 1e9)
    change = removal.prediction_change(tests, offset=offset)
    truth = (removal.theta.astype(LONG) - fit.theta.astype(LONG)) @ tests.astype(LONG).T
    assert np.all(np.abs(change - truth) <= removal.prediction_bound(tests, offset=offset))
    tests, offset = rng.normal(size=(5, 2)), np.full(5, 36.0)

    def mean(theta):
        return 1 / (1 + np.exp(-(tests.astype(LONG) @ theta.astype(LONG).T + 36))).T

    error = removal.prediction_change(tests, kind="mean", offset=offset) - (
        mean(removal.theta) - mean(fit.theta)
    )
    assert np.all(np.abs(error) <= removal.prediction_bound(tests, kind="mean", offset=offset))


# -- statistics and entry ---------------------------------------------------------------------------------


def clusters_without_weight_do_not_count():
    rng = np.random.default_rng(0)
    X, y = np.column_stack([np.ones(12), np.arange(12.0)]), rng.normal(size=12)
    clusters, weights = np.repeat(np.arange(4), 3), np.repeat([1.0, 2.0, 0.0, 1.0], 3)
    there = weights > 0
    whole = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y, weights=weights))
    left = ist.LinearRisk(ist.SquaredError(), X[there], y[there], weights=weights[there])
    for kind in ("cluster", "cluster jackknife"):
        found = whole.covariance(kind, groups=clusters)
        truth = ist.Fit.minimise(left).covariance(kind, groups=clusters[there])
        np.testing.assert_allclose(found, truth, rtol=1e-12)  # condition 100 of [1, t] at 12 points


def a_row_that_alone_determines_a_coefficient_has_no_cross_validated_loss():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X, y = np.column_stack([rng.normal(size=(8, 2)), np.eye(8)[3]]), rng.normal(size=8)
        penalty = ist.L2(1.0, unpenalised=(1, 2))
        fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y, penalty=penalty))
        assert np.isnan(ist.cross_validate_lam(fit, [0.5, 1.0])).all()


@pytest.mark.parametrize("units", [(1e6, 1.0), (1e-6, 1.0), (1e9, 1e5, 1e1), (1e-1, 1e-5, 1e-9)], ids=str)
def test_cross_validated_losses_of_columns_in_other_units(units):
    cross_validated_losses_whatever_the_units(units)


def cross_validated_losses_whatever_the_units(units=(1e9, 1e5, 1e1)):
    """Against refits in rational arithmetic, for strengths from far below to far above the columns."""
    rng, p = np.random.default_rng(0), len(units)
    Z = rng.normal(size=(10, p))
    Z[:, 0] += 3.0 * Z[:, 1]
    X, y = Z * units, Z @ np.arange(1.0, p + 1.0) + rng.normal(size=10)
    fit = ist.Ridge(lam=1.0, protocol="fixed").fit(X, y)
    lams = 10.0 ** np.arange(-8.0, 20.0, 4.0)

    def held_out(lam, i):
        rows = np.delete(np.arange(10), i)
        part = PlainRisk(
            SQUARED_ERROR, X[rows], y[rows], np.ones(9), np.zeros(9), 2 * lam, np.ones(p), "fixed"
        )
        return float((y[i] - X[i] @ rational_ridge(part)) ** 2)

    truth = [np.mean([held_out(lam, i) for i in range(10)]) for lam in lams]
    # Four digits more than a Hessian of condition 100 at unit diagonal would need.
    np.testing.assert_allclose(ist.cross_validate_lam(fit, lams), truth, rtol=1e-11)


def a_small_gradient_in_small_units_is_refused():
    """Columns of 1e-4: any theta has an absolute gradient below scikit-learn's tol."""
    rng = np.random.default_rng(0)
    X, y = 1e-4 * rng.normal(size=(60, 2)), (rng.random(60) < 0.5).astype(int)
    estimator = LogisticRegression(C=1e10, tol=1e-4, max_iter=1000).fit(X, y)
    with pytest.raises(NotStationary, match="standard errors"):
        ist.from_sklearn(estimator, X, y)


# -- checks -----------------------------------------------------------------------------------------------


class Hiss:
    """A risk one of whose functions hisses: differences over any two steps disagree."""

    def __init__(self, risk, name):
        self._risk, self._name, self._rng = risk, name, np.random.default_rng(0)

    def __getattr__(self, name):
        function = getattr(self._risk, name)
        if name != self._name:
            return function
        return lambda theta: function(theta) * (1.0 + 1e-2 * self._rng.normal(size=np.shape(function(theta))))


def differences_that_cannot_tell_excuse_nothing():
    rng = np.random.default_rng(0)
    risk = ist.LinearRisk(
        ist.LogisticLoss(), rng.normal(size=(20, 2)), np.arange(20) % 2, penalty=ist.L2(1.0)
    )
    for name in ("value", "row_losses", "gradient"):
        report = str(checks.check_risk(Hiss(risk, name)))
        assert f"steps do not agree on the derivative of `{name}`" in report, name


# -- the table --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Guard:
    """A guard, the law that needs it, and what to put in its place."""

    name: str
    law: Callable[[], None]
    where: Any
    attribute: str
    instead: Any

    def __str__(self):
        return self.name


def whole_scales(self, groups):
    """Return the scales with the rows removed still in them."""
    return np.repeat(self.gradient_scale[:, None], len(groups), axis=1)


def members_without_root(self, whitened):
    """Return the norms as if M were the identity."""
    self._gain = self._curvature[self._first]
    return MEMBERS(self, whitened)


def norms_as_they_come(self):
    """Return the norms rounded to nearest."""
    return np.linalg.norm(self.whiten(self.design.rows(slice(None)).T), axis=0)


def all_clusters(fit, clusters):
    """Return how many clusters there are, with weight or without."""
    return len(np.unique(clusters))


MEMBERS = downdate.Downdate.members
NORMS = cached_property(norms_as_they_come)
NORMS.__set_name__(anchor.Anchor, "row_norms")
A_32ND = lambda terms: (16.0 + terms) * EPSILON / 32.0  # noqa: E731
ZEROS = lambda _, delta: np.zeros_like(delta)  # noqa: E731
NOTHING = lambda *_: 0.0  # noqa: E731
NONE = lambda *_: None  # noqa: E731

GUARDS = [
    Guard("flights", a_removal_that_separates_has_no_minimiser, sweeps.Chord, "_doubt_flights", NONE),
    Guard("far", a_removal_that_separates_has_no_minimiser, sweeps, "FAR", np.inf),
    Guard("gone", a_column_of_zeros_goes_to_zero_from_a_start, descent, "GONE", 0.0),
    Guard("suspect", quasi_separated_rows_mixed_with_others_have_no_minimiser, existence, "SUSPECT", 0.0),
    Guard("too slow", a_removal_that_does_not_contract_leaves_the_others_at_once, sweeps, "TOO_SLOW", np.inf),
    Guard(
        "refined",
        small_coefficients_keep_their_digits_in_closed_form,
        Remainder,
        "quadratic_gradients",
        ZEROS,
    ),
    Guard("scales", removals_are_done_by_the_size_of_what_is_left, Expansion, "scales", whole_scales),
    Guard("rounding of sums", sums_are_within_their_rounding, rounding, "unit_rounding", A_32ND),
    Guard("members", rows_removed_have_the_bound_of_rows, downdate.Downdate, "members", members_without_root),
    Guard("norms", norms_of_rows_are_rounded_up, anchor.Anchor, "row_norms", NORMS),
    Guard("slip of losses", changes_of_losses_are_within_their_rounding, bounds, "unit_rounding", NOTHING),
    Guard("slip of predictions", predictions_are_within_their_rounding, bounds, "unit_rounding", NOTHING),
    Guard("epsilon of losses", values_of_losses_are_within_their_rounding, bounds, "EPSILON", 0.0),
    Guard("epsilon of means", predictions_are_within_their_rounding, bounds, "EPSILON", 0.0),
    Guard("clusters", clusters_without_weight_do_not_count, covariance, "clusters_left", all_clusters),
    Guard(
        "alone",
        a_row_that_alone_determines_a_coefficient_has_no_cross_validated_loss,
        cross_validation_lam,
        "NEAR",
        -np.inf,
    ),
    Guard("typical", cross_validated_losses_whatever_the_units, cross_validation_lam, "_typical", np.mean),
    Guard("surprise", a_small_gradient_in_small_units_is_refused, check, "SURPRISE", np.inf),
    Guard(
        "unsettled values", differences_that_cannot_tell_excuse_nothing, first_order_laws, "unsettled", NONE
    ),
    Guard("unsettled", differences_that_cannot_tell_excuse_nothing, second_order_laws, "unsettled", NONE),
]


@pytest.mark.filterwarnings("ignore")  # those of fits that are doubted
@pytest.mark.parametrize("law", dict.fromkeys(guard.law for guard in GUARDS), ids=lambda law: law.__name__)
def test_the_law_holds(law):
    law()


@pytest.mark.dear
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("guard", GUARDS, ids=str)
def test_the_law_needs_its_guard(guard, monkeypatch):
    monkeypatch.setattr(guard.where, guard.attribute, guard.instead)
    with pytest.raises((AssertionError, pytest.fail.Exception, ist.errors.InflustatError)):
        guard.law()
