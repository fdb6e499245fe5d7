"""Figure 1: every number of the table, the paper's formula, and the conventions behind it."""

import numpy as np
import pytest

import influstat as ist
from influstat.datasets import load_statecrime
from influstat.experiments import agreement, figure1, forest_fires_split
from influstat.experiments.forest_fires import draw, table
from influstat.experiments.split import leverage
from tests.budget import share
from tests.tolerance import printed

pytestmark = pytest.mark.usefixtures("data_dir")


@pytest.fixture(scope="module")
def record(data_dir):
    depths, seeds = (2000, 50_000, 200_000), range(10)
    return figure1(taylor_depths=depths[: share(3, least=1)], seeds=seeds[: share(10, least=1)])


@pytest.mark.slow
def test_every_number_comes_out(record):
    lines = table(record)
    assert len(lines) == 22
    assert [line for line in lines if not line.agrees] == []


def test_the_fit(record):
    assert np.linalg.norm(record.fit.theta) == pytest.approx(0.639569832673, abs=5e-13)
    assert record.fit.risk.value(record.fit.theta) == pytest.approx(0.95512313554, abs=5e-12)
    assert record.split.X.mean(axis=0) == pytest.approx(np.zeros(29), abs=1e-12)
    assert record.split.X.std(axis=0) == pytest.approx(np.ones(29), abs=1e-12)
    assert record.split.test_labels.tolist() == [42]
    assert len(record.split.y) == 516


def test_agreement_with_leave_one_out(record):
    found = record.agreement
    assert found.pearson == pytest.approx(0.78700, abs=printed(5))
    assert found.spearman == pytest.approx(0.99880, abs=printed(5))
    assert found.slope == pytest.approx(1.571, abs=printed(3))
    assert found.max_error == pytest.approx(0.02437, abs=printed(5))
    assert found.worst_row == 237
    assert record.split.row_labels[237] == 238  # of the file: the fire of 1090.84 hectares
    assert record.leverage[237] == pytest.approx(0.022, abs=printed(3))
    assert found.pearson_without_worst == pytest.approx(0.98961, abs=printed(5))
    assert np.max(np.abs(record.loo - record.loo_folded)) == pytest.approx(6.4e-6, abs=printed(7))


def test_the_explicit_solution_is_eq_14_with_its_sign_mended(record):
    X, y = record.split.X, record.split.y
    n, theta = len(y), record.fit.theta

    def gradient(x, target):
        return -2.0 * x * (target - x @ theta) + 2.0 * theta / n

    test = gradient(record.split.X_test[0], record.split.y_test[0])
    rows = np.array([gradient(x, target) for x, target in zip(X, y, strict=True)])
    influence = -n / 2 * rows @ np.linalg.solve(X.T @ X + np.eye(29), test)
    assert record.explicit == pytest.approx(-influence / n, abs=1e-12)


def test_leave_one_out_is_a_refit_by_least_squares(record):
    X, y = record.split.X, record.split.y
    n = len(y)

    def loss(theta):
        residual = record.split.y_test[0] - record.split.X_test[0] @ theta
        return residual**2 + theta @ theta / n

    for row in (0, 237, 515):
        keep = np.arange(n) != row
        for penalty, expected in ((1.0, record.loo), (1.0 - 1.0 / n, record.loo_folded)):
            stacked = np.vstack([X[keep], np.sqrt(penalty) * np.eye(29)])
            theta = np.linalg.lstsq(stacked, np.append(y[keep], np.zeros(29)))[0]
            assert loss(theta) - loss(record.fit.theta) == pytest.approx(expected[row], abs=1e-12)


def test_the_newton_step_is_exact_and_first_order_is_not(record):
    gaps = [
        np.max(np.abs(change - record.loo))
        for change in (record.newton_reevaluated, record.newton_linear, record.first_order_reevaluated)
    ]
    assert gaps[0] < 1e-15
    assert gaps[1] == pytest.approx(2.5e-2, abs=printed(3))
    assert gaps[2] == pytest.approx(1.2e-3, abs=printed(4))


@pytest.mark.slow
def test_taylor_converges_and_lissa_scatters(record):
    errors = [np.max(np.abs(record.taylor[m] - record.explicit)) for m in (2000, 50_000, 200_000)]
    assert errors == pytest.approx([8.98e-3, 2.6e-5, 4e-13], rel=0.03)
    correlations = [agreement(one, record.loo).pearson for one in record.lissa]
    assert len(correlations) == 10
    assert 0.72 <= min(correlations) < max(correlations) <= 0.86
    assert len(set(np.round(correlations, 6))) == 10


def test_leverage_is_the_diagonal_of_the_hat_matrix():
    rng = np.random.default_rng(0)
    X, weights = rng.standard_normal((12, 3)), rng.uniform(0.5, 2.0, 12)
    fit = ist.Ridge(lam=0.3).fit(X, rng.standard_normal(12), weights=weights)
    hat = X @ np.linalg.solve(X.T @ (weights[:, None] * X) + 0.3 * np.eye(3), X.T) * weights
    assert leverage(fit) == pytest.approx(np.diag(hat), abs=1e-14)


def test_the_drawing_shows_all_rows(record):
    figure = draw(record)
    assert len(figure.axes) == 4
    for ax in figure.axes:
        assert ax.collections[0].get_offsets().shape == (516, 2)
        low, high = ax.get_xlim()
        assert low < record.loo.min() < record.loo.max() < high
        assert ax.get_ylim()[0] < record.explicit.min()
    framed = draw(record, published=True)
    assert all(ax.get_ylim()[0] > record.explicit[237] for ax in framed.axes)


def test_the_split_is_fresh_each_time():
    forest_fires_split().X[:] = 0.0
    assert forest_fires_split().X.any()


def test_other_data_can_stand_in():
    """Without the file the notebook takes the American states, split in the same way."""
    found = figure1(data=load_statecrime(), taylor_depths=(2000,), seeds=[0])
    assert found.split.test_labels.tolist() == ["Tennessee"]
    assert found.explicit.shape == (50,)
    np.testing.assert_allclose(found.newton_reevaluated, found.loo, rtol=0, atol=1e-14)
    assert 0.8 < found.agreement.slope < 0.9
