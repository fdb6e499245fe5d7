"""Coordinates in which rows are orthonormal, and the risks and removals that are asked in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.algebra import coordinates as module
from influstat.algebra.coordinates import coordinates
from influstat.risks.chart import chart_of
from tests.budget import examples
from tests.tolerance import CLOSED_FORM, INVERTED, SOLVED, TWO_FITS

EPSILON = float(np.finfo(float).eps)


def found_for(X, weights=None, root=None, constant=-1):
    weights = np.ones(len(X)) if weights is None else weights
    root = np.zeros((X.shape[1], 0)) if root is None else root
    halves = [slice(0, len(X) // 2), slice(len(X) // 2, None)]
    return coordinates(lambda: [(X[half], np.sqrt(weights[half])) for half in halves], root, constant)


@st.composite
def designs(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, p = draw(st.integers(8, 20)), draw(st.integers(2, 5))
    X = rng.normal(size=(n, p)) * 10.0 ** rng.integers(-4, 5, size=p)
    X[:, 0] = draw(st.sampled_from([1.0, 3.0]))
    X[:, 1:] += draw(st.sampled_from([0.0, 10.0, 1e6]))
    return X, rng.uniform(0.1, 10.0, n), rng


@examples(60)
@given(designs(), st.booleans())
def test_weighted_rows_and_a_penalty_are_orthonormal(case, penalised):
    X, weights, rng = case
    root = 10.0 ** rng.uniform(-3, 3) * np.eye(X.shape[1])[:, 1:] if penalised else None
    found = found_for(X, weights, root, constant=0)
    z = found.rows(X)
    gram = z.T @ (weights[:, None] * z)
    if root is not None:
        held = found.rows(root.T)
        gram += held.T @ held
    assert found.full
    # Columns centred and scaled are far from dependent here: their condition stays below 1e4.
    np.testing.assert_allclose(gram, np.eye(X.shape[1]), atol=1e4 * EPSILON * len(X))


@examples(60)
@given(designs())
def test_rows_and_lift_are_adjoint(case):
    X, weights, rng = case
    found = found_for(X, weights, constant=0)
    u, a = rng.normal(size=X.shape[1]), X[:3]
    size = np.abs(a) @ np.abs(found.lift(u)) + 1.0
    assert (np.abs(found.rows(a) @ u - a @ found.lift(u)) <= 64 * EPSILON * size).all()


@pytest.mark.parametrize("far", [1.0, 1e6, 1.7e9, 1e12])
def test_a_column_far_from_zero_keeps_its_digits(far):
    X = np.column_stack([np.ones(6), far + np.arange(6.0)])
    z = found_for(X, constant=0).rows(X)
    along = np.abs(z[:, np.argmax(np.ptp(z, axis=0))])
    np.testing.assert_allclose(along, np.abs(np.arange(6) - 2.5) / 17.5**0.5, rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_what_dummies_determine(scale):
    """A constant with all three dummies: differences are determined, levels are not; the last column is."""
    levels = np.kron(np.eye(3), np.ones((2, 1)))
    X = np.column_stack([np.ones(6), levels, scale * np.arange(6.0)])
    found = found_for(X, constant=0)
    assert found.null.shape == (5, 1)
    assert found.determined.tolist() == [False, False, False, False, True]
    asked = np.array([[0, 1, -1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 1, 1, 0, 5.0]], dtype=float)
    assert found.estimable(asked).tolist() == [True, True, False, False]
    assert found.estimable(X).all()


def test_a_column_of_zeros_and_no_rows_at_all():
    found = found_for(np.column_stack([np.ones(4), np.zeros(4)]), constant=0)
    assert found.determined.tolist() == [True, False]
    nothing = found_for(np.zeros((4, 2)))
    assert nothing.null.shape == (2, 2)
    assert not nothing.estimable(np.eye(2)).any()


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("loss", [ist.SquaredError(), ist.LogisticLoss()], ids=repr)
def test_a_chart_is_the_same_risk(loss, protocol):
    rng = np.random.default_rng(0)
    X = np.column_stack([1e6 + rng.normal(size=30), rng.normal(size=30)])
    y = (rng.random(30) < 0.5).astype(float)
    penalty = ist.L2(2.0) + ist.Toward([1e-3, 0.5])
    risk = ist.LinearRisk(loss, X, y, penalty=penalty, protocol=protocol, intercept=True)
    fit = ist.Fit.minimise(risk)
    chart = chart_of(risk, fit.theta)
    assert chart is not None
    inner = chart.risk
    for u in (chart.start, 0.1 * rng.normal(size=3)):
        theta = fit.theta + chart.coordinates.lift(u)
        spread = np.max(np.abs(X) @ np.abs(theta[:2])) + abs(theta[2])
        np.testing.assert_allclose(inner.value(u), risk.value(theta), rtol=1e-10, atol=64 * EPSILON * spread)
        moved = chart.coordinates.rows(risk.gradient(theta)[None, :])[0]
        np.testing.assert_allclose(inner.gradient(u), moved, atol=1e-6)  # which cancels 1e6 times there
    # Every row left out, against a risk whose column was centred before anything was computed.
    centred = ist.LinearRisk(
        loss,
        X - [1e6, 0.0],
        y,
        penalty=penalty,
        protocol=protocol,
        intercept=True,
    )
    other = ist.Fit.minimise(centred).leave_one_out().prediction_change(X[:4] - [1e6, 0.0])
    np.testing.assert_allclose(fit.leave_one_out().prediction_change(X[:4]), other, rtol=1e-6, atol=1e-9)


def test_influence_and_first_order_removals_of_dependent_columns():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    twice = np.column_stack([X, X[:, 0] + X[:, 1]])
    theta = np.append(np.linalg.lstsq(X, y, rcond=None)[0], 0.0)
    fit = ist.Fit(ist.LinearRisk(ist.SquaredError(), twice, y), theta)
    plain = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y))
    for method in ("influence", "newton", "exact"):
        with pytest.warns(ist.errors.DoubtfulResult, match="3 of 4 coefficients are nan .*: x0, x1, x3 are"):
            removal = fit.leave_one_out(method=method)
        truth = plain.leave_one_out(method=method)
        np.testing.assert_allclose(
            removal.prediction_change(twice), truth.prediction_change(X), atol=CLOSED_FORM
        )
        np.testing.assert_allclose(removal.loss_change(twice, y), truth.loss_change(X, y), atol=SOLVED)
        np.testing.assert_allclose(removal.theta[:, 2], truth.theta[:, 2], rtol=TWO_FITS)
        assert np.isnan(removal.theta[:, [0, 1, 3]]).all()
        unknown = np.array([[1.0, 0.0, 0.0, 0.0]])
        assert np.isnan(removal.prediction_change(unknown)).all()


def test_every_question_of_dependent_columns_is_that_of_fewer_columns():
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    twice = np.column_stack([X, X[:, 0] + X[:, 1]])
    theta = np.append(np.linalg.lstsq(X, y, rcond=None)[0], 0.0)
    fit = ist.Fit(ist.LinearRisk(ist.SquaredError(), twice, y), theta)
    plain = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y))
    clusters = np.arange(20) // 4
    for kind, groups in [("model", None), ("HC1", None), ("HC3", None), ("cluster", clusters)]:
        with pytest.warns(ist.errors.DoubtfulResult, match="covariance is nan for 3 of 4 coefficients"):
            found = fit.covariance(kind, groups=groups)
        truth = plain.covariance(kind, groups=groups)
        np.testing.assert_allclose(found[2, 2], truth[2, 2], rtol=SOLVED)
        difference = ist.contrast(fit, [1.0, -1.0, 2.0, 0.0]).standard_errors(kind, groups=groups)
        expected = ist.contrast(plain, [1.0, -1.0, 2.0]).standard_errors(kind, groups=groups)
        np.testing.assert_allclose(difference, expected, rtol=SOLVED)
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 1 quantities are nan"):
        assert np.isnan(ist.contrast(fit, [1.0, 0.0, 0.0, 0.0]).standard_errors()).all()
    names = ["hat_diag", "cooks_d", "standard_resid", "student_resid", "dffits", "cov_ratio"]
    np.testing.assert_allclose(fit.diagnostics(names), plain.diagnostics(names), rtol=INVERTED)
    for folds in (None, clusters):
        found, truth = ist.cross_validate(fit, folds), ist.cross_validate(plain, folds)
        np.testing.assert_allclose(found.row_losses, truth.row_losses, rtol=INVERTED)


def test_where_divide_and_conquer_does_not_end_the_older_iteration_does(monkeypatch):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(30, 4))
    x[:, 3] = x[:, 1] - x[:, 2]
    y = rng.normal(size=30)
    risk, theta = ist.LinearRisk(ist.SquaredError(), x, y), np.linalg.lstsq(x, y, rcond=None)[0]
    expected = chart_of(risk, theta).coordinates
    real = module.svd

    def fails(matrix, lapack_driver="gesdd", **settings):
        if lapack_driver == "gesdd":
            raise np.linalg.LinAlgError("SVD did not converge")
        return real(matrix, lapack_driver=lapack_driver, **settings)

    monkeypatch.setattr(module, "svd", fails)
    found = chart_of(risk, theta).coordinates
    assert found.determined.tolist() == expected.determined.tolist() == [True, False, False, False]
    assert np.abs(found.rows(x)) == pytest.approx(np.abs(expected.rows(x)), abs=SOLVED)


@pytest.mark.parametrize("strength", [0.0, 1e-11])
def test_a_penalty_is_no_rounding_of_columns_far_from_0(strength):
    # The second column is a multiple of the first but for rounding, above epsilon of what is left of it.
    x = 1e4 + 1e-2 * np.random.default_rng(5).normal(size=30)
    X = np.column_stack([np.ones(30), x, 1.8 * x, np.random.default_rng(6).normal(size=30)])
    root = np.diag([0.0, strength, strength, strength])
    found = coordinates(lambda: [(X, np.ones(30))], root, 0)
    assert found.transform.shape == (4, 3 if strength == 0.0 else 4)
    assert found.determined.tolist() == [True, strength > 0, strength > 0, True]


@pytest.mark.parametrize("far", [0.0, 1e3])
@pytest.mark.parametrize("heavy", [1e12, 1e20])
def test_a_heavy_row_makes_no_rounding_of_what_the_others_feel(heavy, far):
    # Its length is that of the whole columns, but the constant follows it: only what is left of the others
    # tells the columns apart, a thousand times their rounding and more.
    rng = np.random.default_rng(7)
    z, u = rng.normal(size=(2, 12))
    X, weights = np.column_stack([np.ones(12), far + z, far + z + 1e-8 * u]), np.ones(12)
    weights[0] = heavy
    assert found_for(X, weights, constant=0).full
    X[:, 2] = 1.8 * X[:, 1]
    X[3:6, 2] *= [1.0 + EPSILON, 1.0, 1.0 - EPSILON]  # rounding, wherever it comes from
    assert found_for(X, weights, constant=0).transform.shape == (3, 2)


def test_what_light_rows_feel_is_lost_in_the_rounding_of_heavy_ones():
    rng = np.random.default_rng(3)
    z, u = rng.normal(size=(2, 12))
    X, weights = np.column_stack([np.ones(12), 1e3 + z, 1.8 * (1e3 + z)]), np.ones(12)
    weights[:5] = 1e12
    X[5:, 2] += 1e-8 * u[5:]
    assert found_for(X, weights, constant=0).transform.shape == (3, 2)


@pytest.mark.parametrize(("whole", "since"), [(True, 1.7e15), (False, 1.7e15), (False, 1.7e17)])
def test_whole_numbers_far_from_0_are_not_rounded(whole, since):
    # Begin and end in microseconds, a few apart: of a multiple so little would be rounding. Beyond 2^53
    # whatever was rounded is whole.
    rng = np.random.default_rng(8)
    begin = since + rng.integers(0, 10**9, 40)
    other = begin + rng.integers(0, 3, 40) if whole else 1.1 * begin
    found = found_for(np.column_stack([np.ones(40), begin, other]), constant=0)
    assert found.transform.shape == (3, 3 if whole else 2)
