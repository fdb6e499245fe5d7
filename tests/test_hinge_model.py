"""`HingeSVC`: refits, losses and labels around the exact hinge fit (the fit itself: test_hinge.py)."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType
from tests.reference import assert_within

RNG = np.random.default_rng(1)
X, Y = RNG.normal(size=(24, 2)), np.repeat([-1.0, 1.0], 12)
X = X + 0.7 * Y[:, None]
WEIGHTS, OFFSET = RNG.uniform(0.5, 2.0, 24), 0.3 * RNG.normal(size=24)


def objective(theta, lam, rows=slice(None), factor=1.0):
    """Return the sum over the rows of the hinge, and the penalty times `factor`."""
    eta = X[rows] @ theta[:2] + theta[2] + OFFSET[rows]
    return WEIGHTS[rows] @ np.maximum(0.0, 1.0 - Y[rows] * eta) + factor * lam / 2.0 * theta[:2] @ theta[:2]


@pytest.mark.parametrize("protocol", ["folded", "fixed"])
def test_refits_leave_the_row_and_its_share_of_the_penalty_out(protocol):
    fit = ist.HingeSVC(lam=2.0, protocol=protocol).fit(X, Y, weights=WEIGHTS, offset=OFFSET)
    refits = fit.leave_one_out().theta
    assert refits.shape == (24, 3)
    rng = np.random.default_rng(0)
    for row in range(24):
        left = np.arange(24) != row
        factor = 1.0 - WEIGHTS[row] / WEIGHTS.sum() if protocol == "folded" else 1.0
        value = objective(refits[row], 2.0, left, factor)
        for size in (1e-4, 1e-2, 1.0):  # convex: no neighbour may be lower
            for step in rng.normal(size=(10, 3)) * size:
                assert objective(refits[row] + step, 2.0, left, factor) >= value - 1e-9
    assert np.abs(refits - fit.theta).max() > 1e-3


def test_chosen_rows_only():
    fit = ist.HingeSVC(lam=2.0).fit(X, Y)
    assert np.array_equal(fit.leave_one_out(rows=[5, 2]).theta, fit.leave_one_out().theta[[5, 2]])
    with pytest.raises(InvalidArgument, match="rows must"):
        fit.leave_one_out(rows=[24])


def test_a_row_that_is_the_last_of_its_class_has_no_refit():
    frame = pd.DataFrame({"x": [-1.0, -2.0, -3.0, 1.0]}, index=["a", "b", "c", "d"])
    fit = ist.HingeSVC(lam=1.0).fit(frame, [-1, -1, -1, 1])
    with pytest.warns(DoubtfulResult, match="^1 of 4 rows have no refit and are nan; the first is d: y must"):
        refits = fit.leave_one_out()
    assert np.isnan(refits.theta[3]).all()
    assert np.isfinite(refits.theta[:3]).all()
    assert refits.converged.tolist() == [True, True, True, False]
    assert refits.status[:3] == ("", "", "")
    assert refits.status[3].startswith("y must")
    assert refits.to_frame().attrs["status"] == refits.status
    assert np.isnan(refits.loss_change([[1.0]], [1])[3]).all()


@pytest.mark.parametrize("protocol", ["folded", "fixed"])
def test_changes_of_losses_and_predictions_are_those_of_the_refits(protocol):
    """A frozen result, as other fits give: after minus before, rows labelled, test rows paired by label."""
    frame = pd.DataFrame(X, columns=["u", "v"], index=[f"row {i}" for i in range(24)])
    fit = ist.HingeSVC(lam=2.0, protocol=protocol).fit(frame, Y, weights=WEIGHTS, offset=OFFSET)
    loo = fit.leave_one_out(rows=["row 7", "row 3"])
    assert loo.labels.tolist() == ["row 7", "row 3"]
    assert loo.rows.tolist() == [7, 3]
    assert_within(loo.delta, loo.theta - fit.theta, np.ones((2, 3)))
    tests, y, offset = frame[:5], pd.Series(Y[:5], index=frame.index[:5]), OFFSET[:5]
    for k in range(2):
        change = fit.loss(tests, y, offset=offset, theta=loo.theta[k]) - fit.loss(tests, y, offset=offset)
        assert_within(loo.loss_change(tests, y[::-1], offset=offset)[k], change, np.ones(5))
        moved = X[:5] @ loo.delta[k, :2] + loo.delta[k, 2]
        assert_within(loo.prediction_change(tests, offset=offset)[k], moved, np.ones(5))
    table = loo.to_frame()
    assert table.columns.tolist() == ["u", "v", "intercept"]
    assert np.array_equal(table.loc["row 3"], loo.delta[1])
    assert (loo.duality_gap <= 1e-10).all()
    with pytest.raises(AttributeError):
        loo.theta = loo.theta


@pytest.mark.parametrize("protocol", ["folded", "fixed"])
def test_losses_predictions_and_value(protocol):
    fit = ist.HingeSVC(lam=2.0, protocol=protocol).fit(X, Y, weights=WEIGHTS, offset=OFFSET)
    theta = fit.theta
    np.testing.assert_allclose(fit.value, objective(theta, 2.0) / WEIGHTS.sum(), rtol=1e-13)
    assert 0.0 <= fit.duality_gap <= 1e-10 * fit.value
    eta = X[:5] @ theta[:2] + theta[2] + OFFSET[:5]
    assert_within(fit.predict(X[:5], offset=OFFSET[:5]), eta, np.ones(5))
    share = (protocol == "folded") * theta[:2] @ theta[:2] / WEIGHTS.sum()
    hinge = np.maximum(0.0, 1.0 - Y[:5] * eta) + share
    assert_within(fit.loss(X[:5], Y[:5], offset=OFFSET[:5]), hinge, np.ones(5))
    other = fit.loss(X[:5], Y[:5], theta=np.zeros(3))
    assert other.tolist() == [1.0] * 5


def test_sparse_rows_and_tables():
    plain = ist.HingeSVC().fit(X, Y)
    sparse = ist.HingeSVC().fit(sp.csr_array(X), Y)
    table = ist.HingeSVC().fit(pd.DataFrame(X, columns=["u", "v"], index=np.arange(24) + 7), Y)
    for fit in (sparse, table):
        np.testing.assert_allclose(fit.theta, plain.theta, atol=1e-12)
    np.testing.assert_allclose(sparse.predict(sp.csr_array(X[:3])), plain.predict(X[:3]), atol=1e-12)
    assert table.names == ("u", "v", "intercept")
    assert table.row_labels[0] == 7
    with pytest.raises(InvalidArgument, match="^X must name its columns as the training rows do"):
        table.predict(pd.DataFrame(X, columns=["v", "u"]))
    with pytest.raises(InvalidArgument, match="^X must have the 2 columns of the training rows"):
        plain.loss(np.ones((2, 3)), [1, -1])


def test_settings_are_those_of_the_fit():
    model = ist.HingeSVC(lam=0.5, intercept=False)
    fit = model.fit(X, Y)
    assert fit.model == model
    assert fit.names == ("x0", "x1")
    assert fit.theta.shape == (2,)
    assert replace(model, lam=2.0).fit(X, Y).value > fit.value


def test_a_fit_says_what_was_fitted():
    fit = ist.HingeSVC(lam=0.5).fit(X, Y)
    start = (
        "HingeFit(HingeSVC(lam=0.5, intercept=True, protocol='folded'), 24 rows, 3 coefficients, duality gap "
    )
    assert repr(fit) == f"{start}{fit.duality_gap:.1e})"


@pytest.mark.parametrize("scale", [1e154, 1e200, 1e300])
def test_rows_whose_squares_overflow_are_refused(scale):
    with pytest.raises(InvalidArgument, match="^X must have squares with a finite sum"):
        ist.HingeSVC(lam=1.0).fit(X * scale, Y)


# -- what it says of itself -------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["folded", "fixed"])
@pytest.mark.parametrize("weights", [None, np.where(np.arange(24) < 3, 0.0, WEIGHTS)])
def test_the_summary_says_what_the_fit_has(weights, protocol):
    fit = ist.HingeSVC(lam=2.0, protocol=protocol).fit(X, Y, weights=weights, names=["a%", "b<c"])
    made = fit.summary()
    above, coefficients, below = (
        [[str(cell.data).strip() for cell in row] for row in one] for one in made.tables
    )
    pairs = {name: text for row in above + below for name, text in (row[:2], row[2:])}
    assert pairs["Protocol:"] == protocol
    assert pairs["No. Rows:"] == "24"
    assert float(pairs["Total weight:"]) == pytest.approx(fit.data.total_weight, rel=1e-5)  # six digits
    eta = fit.predict(X)
    used = np.ones(24) if weights is None else weights
    short, on = used * (Y * eta < 1.0 - 1e-6) > 0.0, np.abs(Y * eta - 1.0) < 1e-6
    assert int(pairs["On the margin:"].split()[0]) == on.sum()
    assert short.sum() <= int(pairs["Support vectors:"].split()[0]) <= (short | on).sum()
    assert float(pairs["Risk:"]) == pytest.approx(fit.value, rel=1e-5)
    assert [row[0] for row in coefficients[1:]] == list(fit.names)
    assert [float(row[1]) for row in coefficients[1:]] == pytest.approx(fit.theta, abs=1e-4)
    assert all(row[2:] == ["-"] * 5 for row in coefficients[1:])
    assert "no second derivative" in " ".join(made.extra_txt.split())
    assert "b&lt;c" in made.as_html()
    assert r"a\%" in made.as_latex()


def test_a_title_of_the_summary_is_text():
    fit = ist.HingeSVC(lam=2.0).fit(X, Y)
    assert str(fit.summary(title="Two clouds")).split("\n")[0].strip() == "Two clouds"
    with pytest.raises(InvalidType, match="title must be text"):
        fit.summary(title=3)
