"""Held-out rows under the risk that was trained; names of coefficients and labels of rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InvalidArgument
from influstat.input.design import Design
from tests.budget import examples
from tests.cases import LOSSES, make_problem, penalty_diagonal, problems
from tests.reference import assert_same_risk, assert_within

# -- held-out rows --------------------------------------------------------------------------------------


@examples(50)
@given(problems(), st.booleans())
def test_test_rows_carry_the_training_share_of_the_penalty(problem, with_offset):
    risk, plain, theta = problem.risk(), problem.plain(), problem.theta
    offset = np.array([0.3, -1.0, 2.0]) if with_offset else None
    tests = risk.test_rows(problem.X_test, problem.y_test, offset=offset)
    rows = zip(
        problem.with_ones(problem.X_test),
        problem.y_test,
        np.zeros(3) if offset is None else offset,
        strict=True,
    )
    rows = list(rows)
    losses = np.array([plain.row_loss(theta, *row) for row in rows])
    gradients = np.array([plain.row_gradient(theta, *row) for row in rows])
    sizes = replace(
        plain, X=problem.with_ones(problem.X_test), y=problem.y_test, offset=np.array([r[2] for r in rows])
    )
    sizes = replace(sizes, weights=np.full(3, plain.total_weight / 3.0))
    assert_within(tests.row_losses(theta), losses, sizes.row_loss_sizes(theta))
    assert_within(tests.row_gradients(theta), gradients, sizes.row_gradient_sizes(theta))
    assert tests.total_weight == risk.total_weight
    assert_same_risk(risk, plain, theta)  # as before


def test_one_test_row_is_enough():
    problem = make_problem(LOSSES[0], 5, 2, 0, protocol="folded")
    tests = problem.risk().test_rows([[1.0, 2.0]], [0.5])
    assert tests.row_losses(problem.theta).shape == (1,)


BAD_TESTS = [
    (np.ones((2, 3)), [0, 1], None, "X must have the 2 columns of the training rows, but it has 3"),
    (pd.DataFrame({"b": [1.0], "a": [2.0]}), [0], None, "X must name its columns as the training rows do"),
    (np.array([[1.0, np.nan]]), [0], None, "X must be finite, but it holds nan at row 0, column 1"),
    (np.ones((0, 2)), [], None, "X must have at least one row"),
    (np.ones((2, 2)), [0], None, r"y must have one entry per row of X \(2\), but it has 1"),
    (np.ones((2, 2)), [0, -1], None, "y must hold only the labels 0 and 1, but it holds -1"),
    (np.ones((2, 2)), [0, 1], [0.0], r"offset must have one entry per row \(2\), but it has 1"),
]


@pytest.mark.parametrize(("X", "y", "offset", "sentence"), BAD_TESTS, ids=[line[-1] for line in BAD_TESTS])
def test_test_rows_that_do_not_fit_are_refused(X, y, offset, sentence):
    trained = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 1.0, 0.0]})
    with pytest.raises(InvalidArgument, match=f"^{sentence}"):
        ist.LinearRisk(ist.LogisticLoss(), trained, [0, 1, 0]).test_rows(X, y, offset=offset)


@pytest.mark.parametrize(
    "weights", [[1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0], [1.0, np.nan, 1.0]], ids=str
)
def test_other_weights_are_checked_too(weights):
    with pytest.raises(InvalidArgument, match="^weights must"):
        ist.LinearRisk(ist.SquaredError(), np.eye(3), np.ones(3)).reweighted(weights)


# -- names, labels, settings ----------------------------------------------------------------------------

FRAME = pd.DataFrame({"age": [1.0, 2.0], "dose": [0.0, 1.0]}, index=["Ann", "Bob"])
SERIES = pd.Series([1.0, 0.0], index=["Cid", "Dan"])
LABELS = [
    ({"X": FRAME, "y": [1.0, 0.0]}, ["Ann", "Bob"]),
    ({"X": FRAME.to_numpy(), "y": SERIES}, ["Cid", "Dan"]),
    ({"X": FRAME, "y": SERIES.set_axis(FRAME.index)}, ["Ann", "Bob"]),
    ({"X": FRAME.to_numpy(), "y": [1.0, 0.0]}, [0, 1]),
    ({"X": FRAME, "y": SERIES.to_numpy(), "row_labels": ["e", "f"]}, ["e", "f"]),
    ({"X": Design(FRAME), "y": SERIES}, ["Ann", "Bob"]),
]


@pytest.mark.parametrize(("arguments", "labels"), LABELS, ids=[str(labels) for _, labels in LABELS])
def test_rows_keep_their_labels(arguments, labels):
    risk = ist.LinearRisk(ist.SquaredError(), **arguments)
    assert risk.row_labels.tolist() == labels
    assert risk.reweighted([1.0, 2.0]).row_labels.tolist() == labels
    assert risk.test_rows([[1.0, 2.0]], pd.Series([1.0], index=["Eve"])).row_labels.tolist() == ["Eve"]


def test_coefficients_keep_their_names():
    risk = ist.LinearRisk(
        ist.SquaredError(),
        FRAME,
        SERIES.to_numpy(),
        penalty=ist.L2(3.0, unpenalised=["dose"]),
        intercept=True,
    )
    assert risk.names == ("age", "dose", "intercept")
    assert penalty_diagonal(risk).tolist() == [3.0, 0.0, 0.0]
    assert ist.LinearRisk(ist.SquaredError(), FRAME, SERIES.to_numpy(), names=["a", "b"]).names == ("a", "b")


def test_a_design_brings_its_own_names_and_intercept():
    assert ist.LinearRisk(ist.SquaredError(), Design(FRAME, intercept=True), SERIES).names[-1] == "intercept"
    for wrong in ({"intercept": True}, {"names": ["a", "b"]}):
        with pytest.raises(InvalidArgument, match="X must bring its own names and intercept"):
            ist.LinearRisk(ist.SquaredError(), Design(FRAME), SERIES, **wrong)


def test_the_default_protocol_leaves_the_penalty_whole():
    assert ist.LinearRisk(ist.SquaredError(), FRAME, SERIES.to_numpy()).protocol == "fixed"


def test_later_changes_of_the_callers_arrays_do_not_reach_the_risk():
    y, weights, offset = np.array([1.0, 0.0]), np.ones(2), np.zeros(2)
    risk = ist.LinearRisk(ist.SquaredError(), FRAME, y, weights=weights, offset=offset)
    before = risk.value(np.ones(2))
    y[:], weights[:], offset[:] = 7.0, 3.0, 5.0
    assert risk.value(np.ones(2)) == before
