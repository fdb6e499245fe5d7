"""Bad input to a risk: one table, each line with its sentence."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType

X = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0], [1.0, 1.0]])
Y = np.array([1.0, 0.0, 0.0, 1.0])


def spoilt(value, dtype=float):
    bad = X.astype(dtype)
    bad[2, 1] = value
    return bad


def named(**columns):
    return pd.DataFrame({"a": X[:, 0], "b": X[:, 1], **columns})


BAD_INPUT = {
    "nan in X": (
        {"X": spoilt(np.nan)},
        InvalidArgument,
        "X must be finite, but it holds nan at row 2, column 1",
    ),
    "inf in X": (
        {"X": spoilt(-np.inf)},
        InvalidArgument,
        "X must be finite, but it holds -inf at row 2, column 1",
    ),
    "nan in sparse X": ({"X": sp.csc_array(spoilt(np.nan))}, InvalidArgument, "X .* nan at row 2, column 1"),
    "missing in a frame": (
        {"X": named(b=[1.0, None, 0.0, 1.0])},
        InvalidArgument,
        "X .* nan at row 1, column 1",
    ),
    "masked X": ({"X": np.ma.masked_array(X, X == 0.5)}, InvalidArgument, "X must have no masked entries"),
    "text column": ({"X": named(b=list("wxyz"))}, InvalidType, "X must hold real numbers, .* in column 'b'"),
    "objects": ({"X": spoilt("", object)}, InvalidType, r"X must hold real numbers, .* object \(object\)"),
    "complex X": ({"X": X + 0j}, InvalidType, r"X must hold real numbers, .* complex128 \(complex\)"),
    "dict": ({"X": {"a": [1.0, 2.0]}}, InvalidType, "X must hold real numbers, but it is a dict"),
    "dicts": (
        {"X": [{"a": 1.0}] * len(X)},
        InvalidType,
        "X must hold real numbers, but it holds dicts.* pandas.DataFrame",
    ),
    "text": ({"X": X.astype(str)}, InvalidType, r"X must hold real numbers, .* \(text\)"),
    "one-dimensional": ({"X": X[:, 0]}, InvalidArgument, r"X must be two-dimensional .* has shape \(4,\)"),
    "three-dimensional": ({"X": X[:, :, None]}, InvalidArgument, r"X must be two-dimensional .* \(4, 2, 1\)"),
    "a number": ({"X": 1.0}, InvalidArgument, r"X must be two-dimensional .* has shape \(\)"),
    "ragged": ({"X": [[1.0], [1.0, 2.0]]}, InvalidArgument, "X must be a rectangular array"),
    "no rows": ({"X": X[:0], "y": []}, InvalidArgument, r"X must have at least one row .* \(0, 2\)"),
    "no columns": ({"X": X[:, :0]}, InvalidArgument, r"X must have at least one row .* \(4, 0\)"),
    "tiny weights": (
        {"weights": np.full(4, 1e-320)},
        InvalidArgument,
        "weights must have a sum of at least 1e-140",
    ),
    "one row": ({"X": X[:1], "y": [1.0]}, InvalidArgument, "X must have at least 2 rows, but it has 1"),
    "huge integers": (
        {"X": X.astype(int) * 2**53},
        InvalidArgument,
        "X must hold integers that float64 keeps",
    ),
    "huge in a frame": (
        {"X": named(b=[2**53 + 1, 1, 1, 1])},
        InvalidArgument,
        "X must hold integers that float64",
    ),
    "short y": ({"y": Y[:3]}, InvalidArgument, r"y must have one entry per row of X \(4\), but it has 3"),
    "y as a column": (
        {"y": Y[:, None]},
        InvalidArgument,
        r"y must be one-dimensional, but it has shape \(4, 1\)",
    ),
    "y of text": ({"y": list("abab")}, InvalidType, "y must hold real numbers"),
    "nan in y": (
        {"y": [1.0, 0.0, np.nan, 1.0]},
        InvalidArgument,
        "y must be finite, but it holds nan at row 2",
    ),
    "signed y": ({"y": 2 * Y - 1}, InvalidArgument, "y must hold only the labels 0 and 1, but it holds -1"),
    "unsigned y": (
        {"loss": ist.SignedLogisticLoss()},
        InvalidArgument,
        r"y must hold only the labels -1 and 1, but it holds 0\. Recode y to -1/\+1",
    ),
    "negative weight": (
        {"weights": [1, -2, 1, 1]},
        InvalidArgument,
        "weights must be at least 0, .* -2 at row 1",
    ),
    "no weight": (
        {"weights": np.zeros(4)},
        InvalidArgument,
        "weights must have a positive entry, .* is all zero",
    ),
    "nan weight": (
        {"weights": [1, np.nan, 1, 1]},
        InvalidArgument,
        "weights must be finite, .* nan at row 1",
    ),
    "few weights": (
        {"weights": [1.0]},
        InvalidArgument,
        r"weights must have one entry per row \(4\), but it has 1",
    ),
    "weights of 1e308": ({"weights": [1e308] * 4}, InvalidArgument, "weights must have a finite sum"),
    "long offset": (
        {"offset": np.zeros(5)},
        InvalidArgument,
        r"offset must have one entry per row \(4\), .* has 5",
    ),
    "inf offset": ({"offset": [0, 0, np.inf, 0]}, InvalidArgument, "offset must be finite, .* inf at row 2"),
    "protocol": (
        {"protocol": "fold"},
        InvalidArgument,
        "protocol must be 'folded' or 'fixed', but it is 'fold'",
    ),
    "intercept": ({"intercept": "yes"}, InvalidArgument, "intercept must be True or False, but it is 'yes'"),
    "names": (
        {"names": ["a"]},
        InvalidArgument,
        r"names must have one entry per column of X \(2\), but it has 1",
    ),
    "row labels": (
        {"row_labels": ["a"]},
        InvalidArgument,
        r"row_labels must have one entry per row of X \(4\)",
    ),
    "a number as penalty": (
        {"penalty": 1.0},
        InvalidType,
        r"penalty must be a penalty, but it is 1\.0\. Pass ist\.L2",
    ),
    "unpenalised": (
        {"penalty": ist.L2(1.0, [2])},
        InvalidArgument,
        r"unpenalised must name .* \(x0, x1\).* holds 2",
    ),
    "loss class": (
        {"loss": ist.LogisticLoss},
        InvalidType,
        "loss must be a pointwise loss, .* Pass an instance",
    ),
    "loss name": ({"loss": "logistic"}, InvalidType, "loss must be a pointwise loss, but it is 'logistic'"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_refused_with_a_sentence(name):
    changes, error, sentence = BAD_INPUT[name]
    arguments = {"loss": ist.LogisticLoss(), "X": X, "y": Y, **changes}
    with pytest.raises(error, match=f"^{sentence}"):
        ist.LinearRisk(arguments.pop("loss"), arguments.pop("X"), arguments.pop("y"), **arguments)
