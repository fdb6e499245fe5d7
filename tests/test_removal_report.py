"""The removal report: numbers are those of the removals, lines those that matter, text is readable."""

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType
from tests.certificate_cases import Opaque
from tests.tolerance import TWO_FITS

ORDERS = {
    "first_order": ("influence", True),
    "newton_linear": ("newton", True),
    "newton": ("newton", False),
    "second_order": ("second_order", False),
    "exact": ("exact", False),
}


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), index=[f"row {i}" for i in range(60)], columns=list("abc"))
    return ist.Logistic(lam=0.5, intercept=True).fit(X, rng.integers(0, 2, 60))


@pytest.fixture(scope="module")
def tests():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(3, 3)), index=["first", "second", "third"], columns=list("abc"))
    return X, np.array([0, 1, 1])


def test_numbers_are_those_of_the_removals(fit, tests):
    report = fit.removal_report(*tests, top=7)
    exact = fit.leave_one_out().loss_change(*tests).sum(axis=1)
    places = [list(fit.row_labels).index(label) for label in report.labels]
    for name, (method, linear) in ORDERS.items():
        removal = fit.leave_one_out(method=method)
        change = removal.loss_change(*tests, linear=linear).sum(axis=1)
        np.testing.assert_allclose(report.changes[name], change[places], rtol=TWO_FITS)
    for name in ("newton", "exact"):
        bound = fit.leave_one_out(method=name).loss_bound(*tests).sum(axis=1)
        np.testing.assert_allclose(report.bounds[name], bound[places], rtol=0.05)
        assert (np.abs(report.changes[name] - exact[places]) <= report.bounds[name]).all()
    assert report.bounds["exact"].max() < 1e-10
    np.testing.assert_allclose(report.loss, fit.loss(*tests).sum(), rtol=1e-14)


def test_lines_are_the_largest_changes_in_order(fit, tests):
    report = fit.removal_report(*tests, top=60)
    newton = np.abs(report.changes["newton"])
    assert (np.diff(newton) <= 0).all()
    assert sorted(report.labels) == sorted(fit.row_labels)
    assert fit.removal_report(*tests, top=5).labels.tolist() == report.labels[:5].tolist()
    assert len(fit.removal_report(*tests, top=1000).labels) == 60


def test_orders_come_closer_to_the_truth_one_after_the_other(fit, tests):
    report = fit.removal_report(*tests, top=20)
    error = {name: np.abs(change - report.changes["exact"]).max() for name, change in report.changes.items()}
    assert error["exact"] == 0 < error["newton"] < error["first_order"]
    assert 0 < error["second_order"] < error["first_order"]


def test_groups_keep_their_names(fit, tests):
    labels = np.array(["north", "east", "south"])[np.arange(60) % 3]
    report = fit.removal_report(*tests, groups=labels)
    assert sorted(report.labels) == ["east", "north", "south"]
    exact = fit.leave_groups_out(labels)
    for label, change in zip(report.labels, report.changes["exact"], strict=True):
        place = list(exact.labels).index(label)
        np.testing.assert_allclose(change, exact.loss_change(*tests).sum(axis=1)[place], rtol=TWO_FITS)


def test_the_frame_has_labels_and_every_number(fit, tests):
    report = fit.removal_report(*tests, top=4)
    frame = report.to_frame()
    assert frame.columns.tolist() == [
        "first_order",
        "newton_linear",
        "newton",
        "newton_bound",
        "second_order",
        "exact",
        "exact_bound",
        "status",
    ]
    assert frame.index.tolist() == report.labels.tolist()
    np.testing.assert_array_equal(frame["newton_bound"], report.bounds["newton"])
    np.testing.assert_array_equal(frame["exact"], report.changes["exact"])


def test_the_text_can_be_read(fit, tests):
    report = fit.removal_report(*tests, top=4)
    lines = str(report).splitlines()
    assert lines[0] == f"Change of the summed loss of 3 test rows, {report.loss:.6g} before any removal"
    assert lines[1].split("  ")[0] == "without"
    assert len({len(line) for line in lines[1:6]}) == 1  # columns are aligned
    for line, label, change in zip(lines[2:6], report.labels, report.changes["exact"], strict=True):
        assert line.startswith(label)
        assert f"{change:+#.5g}" in line
    assert "Positive: the loss grows" in lines[6]
    X, y = tests
    one = str(fit.removal_report(X[:1], y[:1], top=1))
    assert one.startswith("Change of the loss of test row first, ")


def test_a_row_that_cannot_be_spared_comes_first_with_its_reason():
    X = np.array([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [0.5, 1.0]])
    fit = ist.Ridge(lam=0.0, protocol="fixed").fit(X, [1.0, 0.0, 2.0, 1.0], row_labels=list("abcd"))
    with pytest.warns(DoubtfulResult, match="1 of 4 lines of the report hold a nan .*, without 'd': Without"):
        report = fit.removal_report([[1.0, 1.0]], [0.0])
    assert report.labels[0] == "d"
    assert np.isnan(report.changes["exact"][0])
    assert np.isnan(report.bounds["exact"][0])
    assert report.status[0]
    assert not any(report.status[1:])
    text = str(report)
    assert f"d: {report.status[0]}" in text
    assert " -" in text


def test_a_risk_of_the_users_own_has_no_bounds(fit, tests):
    X, y = tests
    own = ist.Fit(Opaque(fit.risk), fit.theta)
    with pytest.warns(DoubtfulResult, match="2 of 2 lines .* not certified: Opaque is not"):
        report = own.removal_report(X, y, top=2)
    np.testing.assert_allclose(report.changes["exact"], fit.removal_report(X, y, top=2).changes["exact"])
    assert np.isnan(report.bounds["newton"]).all()
    assert "not a LinearRisk" in report.status[0]


@pytest.mark.parametrize("top", [0, -1])
def test_top_must_be_positive(fit, tests, top):
    with pytest.raises(InvalidArgument, match="top must be at least 1"):
        fit.removal_report(*tests, top=top)


def test_top_must_be_whole(fit, tests):
    with pytest.raises(InvalidType, match="top must be a whole number"):
        fit.removal_report(*tests, top=2.5)


def test_labels_of_the_wrong_length_are_refused(fit, tests):
    with pytest.raises(InvalidArgument, match="groups must hold one label per row"):
        fit.removal_report(*tests, groups=["a", "b"])
