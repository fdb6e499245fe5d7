"""Certificates where the coefficients will not do: columns far from 0, powers of years."""

from fractions import Fraction

import numpy as np
import pytest

import influstat as ist
from influstat.algebra.coordinates import exactly_null, fractional_null
from tests.extended import LONG
from tests.tolerance import CLOSED_FORM

RNG = np.random.default_rng(0)
N = 40
YEAR = 1980.0 + np.arange(N)
NEAR = RNG.normal(size=(N, 2))
GROUP = np.eye(3)[np.arange(N) % 3]

# Each design, and the same column space in coordinates that are harmless.
DESIGNS = {
    "far from 0": (
        np.column_stack([np.ones(N), NEAR + 1e9]),
        np.column_stack([np.ones(N), (NEAR + 1e9) - 1e9]),
    ),
    "powers of years": (
        np.column_stack([np.ones(N), YEAR, YEAR**2, YEAR**3]),
        np.column_stack([((YEAR - 1999.5) / 20.0) ** k for k in range(4)]),
    ),
}
LOSSES = {
    "squared error": (ist.SquaredError(), RNG.normal(size=N)),
    "logistic": (ist.LogisticLoss(), (RNG.random(N) < 0.5).astype(float)),
    "Poisson": (ist.PoissonLoss(), RNG.poisson(2.0, N).astype(float)),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("design", DESIGNS)
def test_predictions_without_rows_are_within_their_bounds(design, loss):
    X, plain = DESIGNS[design]
    form, y = LOSSES[loss]
    fit = ist.Fit.minimise(ist.LinearRisk(form, X, y))
    other = ist.Fit.minimise(ist.LinearRisk(form, plain, y))
    assert fit.chart is not None
    assert other.chart is None
    for method in ("exact", "newton"):
        loo, truth = fit.leave_one_out(method=method), other.leave_one_out()
        assert loo.certificate.certified.all()
        bound, floor = loo.prediction_bound(X), truth.prediction_bound(plain)
        # Both fits are rounded: so are the predictions of all rows that their changes are taken from.
        rounding = 64.0 * np.finfo(float).eps * (np.abs(X) @ np.abs(np.nan_to_num(loo.solution)).T).max()
        off = np.abs(loo.prediction_change(X) - truth.prediction_change(plain))
        assert (off <= bound + floor + rounding).all()
        losses = np.abs(loo.loss_change(X, y) - truth.loss_change(plain, y))
        size = rounding * np.max(np.abs(form.first(y, other.predict(plain))) + 1.0)
        assert (losses <= loo.loss_bound(X, y) + truth.loss_bound(plain, y) + size).all()
    # The proof is sharp: the exact refits' bounds are a small part of what removals change.
    limit = fit.leave_one_out().prediction_bound(X)
    assert np.median(limit) < 1e-2 * np.median(np.abs(truth.prediction_change(plain)))


@pytest.mark.parametrize("design", DESIGNS)
def test_rows_are_off_in_their_coordinates_by_no_more_than_is_said(design):
    X, _ = DESIGNS[design]
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, LOSSES["squared error"][1]))
    chart, blur = fit.chart, fit.chart.blur()
    found = chart.coordinates
    exact = X.astype(LONG) - X[:, [found.constant]].astype(LONG) * found.center.astype(LONG)
    wrong = (chart.risk.design.rows(slice(None)) - exact @ found.transform.astype(LONG)).astype(float)
    loss, y, eta = chart.risk.loss, chart.risk.y, chart.risk.offset
    first, second = loss.first(y, eta), loss.second(y, eta)
    assert 0.0 < np.sqrt(np.sum(second[:, None] * wrong**2) / N) <= blur.relative
    assert np.linalg.norm(first @ wrong) / np.sqrt(N) <= blur.base
    assert blur.relative < 1e-2


def dependent(columns):
    """Return the removals of a fit whose columns depend on each other, and of one without the first."""
    X, y = columns, LOSSES["squared error"][1]
    other = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X[:, 1:], y))
    with pytest.warns(ist.errors.DoubtfulResult):
        loo = ist.Fit(
            ist.LinearRisk(ist.SquaredError(), X, y), np.concatenate([[0.0], other.theta])
        ).leave_one_out()
    truth = other.leave_one_out()
    change = truth.prediction_change(X[:, 1:])
    np.testing.assert_allclose(
        loo.prediction_change(X), change, rtol=0, atol=CLOSED_FORM * np.abs(change).max()
    )
    return loo, truth


@pytest.mark.parametrize("scale", [1.0, 1e-3], ids=["whole numbers", "fractions"])
def test_columns_that_depend_on_each_other_exactly_are_certified_where_anything_is_determined(scale):
    X = np.column_stack([np.ones(N), GROUP, NEAR[:, 0]])
    X[:, :4] *= scale
    loo, truth = dependent(X)
    assert loo.certificate.certified.all()
    np.testing.assert_array_equal(np.isnan(loo.theta_bound()), np.isnan(loo.theta))
    found, expected = loo.prediction_bound(X), truth.prediction_bound(X[:, 1:])
    off = np.abs(loo.prediction_change(X) - truth.prediction_change(X[:, 1:]))
    assert (off <= found + expected).all()
    assert (found <= 100.0 * expected.max()).all()
    assert np.isnan(loo.prediction_bound(np.eye(5)[:2])).all()  # which no row determines


def test_columns_that_depend_on_each_other_to_rounding_are_not_certified():
    """Whether they do so exactly in the numbers that were meant no proof can tell."""
    first = NEAR[:, 0] + NEAR[:, 1]
    loo, _ = dependent(np.column_stack([first, NEAR]))
    with pytest.warns(ist.errors.DoubtfulResult, match="columns depend on each other"):
        assert np.isnan(loo.theta_bound()).all()
    assert np.isnan(loo.prediction_bound(np.column_stack([first, NEAR]))).all()
    assert "columns depend on each other" in loo.certificate.status[0]


def test_a_product_with_a_null_vector_is_judged_without_rounding():
    rng = np.random.default_rng(710)
    x = rng.normal(size=(50, 1)) * 10.0 ** rng.integers(-12, 12, (50, 1))
    twice = np.column_stack([x, 3.0 * x, x])  # 3 x is rounded, and so exact for some rows alone
    null = np.array([[3.0], [-1.0], [0.0]])
    exact = [3 * Fraction(a) == Fraction(b) for a, b in twice[:, :2].tolist()]
    assert 0 < sum(exact) < 50
    assert [exactly_null([row[None]], null) for row in twice] == exact
    assert exactly_null([twice], np.array([[1.0], [0.0], [-1.0]]))
    assert fractional_null(np.array([[1.0], [np.pi]])) is None


@pytest.mark.parametrize("size", [1e303, 1e307, 1.7e308])
def test_sums_out_of_range_prove_nothing(size):
    twice = np.array([[1.0, 1.0, size, size]])
    assert not exactly_null([twice], np.array([[0.0], [0.0], [3.0], [-3.0]]))
    assert exactly_null([twice], np.array([[3.0], [-3.0], [0.0], [0.0]]))
