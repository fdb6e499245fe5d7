"""Figure 5: every number of the table, and who the far points are."""

import numpy as np
import pytest

from influstat import HingeSVC
from influstat.experiments import figure5
from influstat.experiments.boundary import draw, table
from influstat.experiments.comparison import spearman
from tests.tolerance import printed

pytestmark = pytest.mark.usefixtures("data_dir")


@pytest.fixture(scope="module")
def record(data_dir):
    return figure5()


def test_every_number_comes_out(record):
    lines = table(record)
    assert len(lines) == 6
    assert [line for line in lines if not line.agrees] == []


def test_numbers(record):
    logistic, svc = np.abs(record.logistic_influence), np.abs(record.svc_influence)
    assert spearman(logistic, np.abs(record.logistic_distance)) == pytest.approx(-0.689, abs=printed(3))
    assert logistic.min() == pytest.approx(0.338, abs=printed(3))
    assert spearman(svc, np.abs(record.svc_distance)) == pytest.approx(-0.967, abs=printed(3))
    assert np.count_nonzero(svc < 0.01 * svc.max()) == 48  # 53 % of 90
    assert record.negligible == 48 / 90


def test_far_points_keep_the_share_of_the_penalty_only(record):
    far = np.abs(record.svc_distance) > 0.9
    assert far.sum() == 15
    assert np.abs(record.svc_influence[far]).max() < 1e-3
    folded = np.abs(record.svc_influence_folded[far])
    assert np.ptp(folded) < 1e-3
    assert folded.min() > 0.03


def test_as_published_far_points_keep_0_0065(record):
    """The smoothed risk of lam = 2 at the exact hinge fit of lam = 1, by the formula."""
    split = record.split
    theta = HingeSVC(lam=1.0).fit(split.X, split.y).theta
    design = np.column_stack([split.X, np.ones(90)])
    sigma = 1.0 / (1.0 + np.exp(-(1.0 - split.y * (design @ theta)) / 0.1))
    penalty = np.diag([2.0, 2.0, 2.0, 2.0, 0.0])
    hessian = (design.T @ ((sigma * (1.0 - sigma) / 0.1)[:, None] * design) + penalty) / 90
    x = np.append(split.X_test[0], 1.0)
    at_test = 1.0 / (1.0 + np.exp(-(1.0 - split.y_test[0] * (x @ theta)) / 0.1))
    g_test = -split.y_test[0] * at_test * x + penalty @ theta / 90
    rows = -(split.y * sigma)[:, None] * design + penalty @ theta / 90
    expected = -rows @ np.linalg.solve(hessian, g_test)
    assert record.svc_influence_published == pytest.approx(expected, rel=1e-8, abs=1e-10)
    far = np.argsort(-np.abs(record.svc_distance_published))[:10]
    assert np.abs(expected[far]) == pytest.approx(0.0065, abs=printed(4))


def test_influence_by_the_formula(record):
    split, theta = record.split, record.svc.theta
    design = np.column_stack([split.X, np.ones(90)])
    eta, t = design @ theta, 0.1
    sigma = 1.0 / (1.0 + np.exp(-(1.0 - split.y * eta) / t))
    penalty = np.diag([2.0, 2.0, 2.0, 2.0, 0.0])
    hessian = (design.T @ ((sigma * (1.0 - sigma) / t)[:, None] * design) + penalty) / 90
    x = np.append(split.X_test[0], 1.0)
    at_test = 1.0 / (1.0 + np.exp(-(1.0 - split.y_test[0] * (x @ theta)) / t))
    g_test = -split.y_test[0] * at_test * x + penalty @ theta / 90
    rows = -(split.y * sigma)[:, None] * design
    assert record.svc_influence == pytest.approx(
        -rows @ np.linalg.solve(hessian, g_test), rel=1e-8, abs=1e-10
    )
    lengths = eta / np.linalg.norm(theta[:4])
    assert record.svc_distance == pytest.approx(lengths, rel=1e-12)


def test_the_drawing(record):
    figure = draw(record)
    assert [ax.get_title() for ax in figure.axes] == [
        "logistic regression", "the same rows joined", "SVC, penalty fixed",
        "SVC, penalty folded", "SVC, as published",
    ]  # fmt: skip
    left, middle, right = figure.axes[:3]
    assert left.get_ylim() == middle.get_ylim() == right.get_ylim()
    joined = np.array(middle.collections[0].get_segments())
    assert np.array_equal(joined[:, 0, 1], record.logistic_influence)
    assert np.array_equal(joined[:, 1, 1], record.svc_influence)
