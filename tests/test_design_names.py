"""Names of columns and labels of rows; new rows must have the columns that were trained on."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from influstat.errors import InvalidArgument
from influstat.input.design import Design

# -- names and labels -----------------------------------------------------------------------------------


def frame():
    return pd.DataFrame({"age": [30.0, 41.0], "dose": [1.0, 0.5]}, index=["Ann", "Bob"])


def test_names_and_labels_of_a_table_are_kept():
    design = Design(frame(), intercept=True)
    assert design.names == ("age", "dose", "intercept")
    assert design.row_labels.tolist() == ["Ann", "Bob"]
    assert Design(frame(), names=["a", "b"]).names == ("a", "b")


def test_names_are_numbered_where_there_are_none():
    design = Design(np.ones((3, 2)))
    assert design.names == ("x0", "x1")
    assert design.row_labels.tolist() == [0, 1, 2]
    assert Design(sp.csr_array(np.ones((3, 2))), names=["a", 7]).names == ("a", "7")


def test_repeated_names_are_only_labels():
    twice = pd.DataFrame(np.ones((2, 2)), columns=["age", "age"])
    assert Design(twice).names == ("age", "age")
    assert Design(twice).like(twice, argument="X").names == ("age", "age")


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], []])
def test_a_name_for_each_column(names):
    with pytest.raises(
        InvalidArgument, match=rf"names must have one entry per column of X \(2\), but it has {len(names)}"
    ):
        Design(np.ones((3, 2)), names=names)


@pytest.mark.parametrize("intercept", ["yes", 1, None])
def test_the_intercept_is_there_or_not(intercept):
    with pytest.raises(InvalidArgument, match="intercept must be True or False"):
        Design(np.ones((3, 2)), intercept=intercept)


# -- new rows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "X"),
    [
        (None, frame()),
        (None, frame().to_numpy()),
        (None, sp.csr_array(frame().to_numpy())),
        (["a", "b"], frame()),
    ],
    ids=["table", "array", "sparse", "table, renamed in training"],
)
def test_new_rows_with_the_same_columns_are_taken(names, X):
    design = Design(frame(), intercept=True, names=names)
    new = design.like(X, argument="X_test")
    assert new.shape == (2, 3)
    assert np.array_equal(new.rows(slice(None)), design.rows(slice(None)))


OTHER_COLUMNS = [
    (
        frame()[["dose", "age"]],
        r"X_test must name its columns as .* \('age' \.\.\.\), but it has 'dose' in that",
    ),
    (frame().rename(columns={"dose": "Dose"}), r"\('dose' \.\.\.\), but it has 'Dose' in that place"),
    (frame()[["age"]], "X_test must have the 2 columns of the training rows, but it has 1"),
    (np.ones((2, 3)), "have the 2 columns .* it has 3. Pass the same .* order, without the intercept column"),
    (np.ones(2), r"X_test must be two-dimensional \(rows, columns\), but it has shape \(2,\)"),
    (
        frame().assign(age=[1.0, np.nan]),
        r"X_test must be finite, but it holds nan at row 1.*, column 0 \('age'\)",
    ),
]


@pytest.mark.parametrize(("X", "sentence"), OTHER_COLUMNS, ids=[sentence for _, sentence in OTHER_COLUMNS])
def test_new_rows_with_other_columns_are_refused(X, sentence):
    with pytest.raises(InvalidArgument, match=sentence):
        Design(frame(), intercept=True).like(X, argument="X_test")


def test_without_an_intercept_its_column_is_not_mentioned():
    with pytest.raises(InvalidArgument, match=r"in the same order\.$"):
        Design(frame()).like(np.ones((2, 3)), argument="X_test")
