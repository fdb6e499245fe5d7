"""The table of scikit-learn estimators: our removals against the library's own refits."""

import numpy as np
import pytest

from influstat.adapters.scikit_learn.kinds import READERS
from tests import scikit_learn_models as models
from tests.scikit_learn_models import MODELS, fitted, measured, on_an_active_set


@pytest.fixture(scope="module", params=MODELS, ids=str)
def case(request):
    """Return each estimator in turn: all tests of one follow each other, and its refits are done once."""
    return request.param


def test_gradient_vanishes_where_the_library_stopped(case):
    assert fitted(case.name).fit.stationarity < 1e-6


@pytest.mark.dear
def test_newton_step_has_slope_one_against_refits(case):
    assert abs(measured(case.name).slope - 1.0) < 0.02


def test_newton_step_is_near_every_refit(case):
    assert measured(case.name).error < 0.05


def test_exact_removal_is_the_refit(case):
    assert measured(case.name).exact < case.agree


def test_rows_that_change_the_active_set_are_flagged(case):
    found = measured(case.name)
    np.testing.assert_array_equal(found.changes, found.truly_changes)


@pytest.mark.slow
def test_some_row_changes_an_active_set():
    assert sum(measured(case.name).truly_changes.sum() for case in MODELS) > 3


def test_table_has_every_estimator_that_can_be_refitted():
    named = {type(fitted(case.name).fit.risk).__name__ for case in MODELS}
    assert named == {"LinearRisk", "SoftmaxRisk"}
    assert any(on_an_active_set(fitted(case.name).fit) for case in MODELS)
    finals = {
        type(getattr(case.estimator, "steps", [(0, case.estimator)])[-1][1]).__name__ for case in MODELS
    }
    assert set(READERS) - finals == {"SVC"}  # the hinge has no influence: see test_scikit_learn_hinge


def test_table_prints_one_line_per_case(monkeypatch):
    monkeypatch.setattr(models, "MODELS", MODELS[:2])
    lines = models.markdown().splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| LinearRegression | 1.0000 | 0.00 % |")
