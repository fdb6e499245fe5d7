"""What a caller passes becomes plain float64, or a sentence that names it."""

import fractions

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.validation import (
    check_finite,
    choice,
    first_not_finite,
    numeric_array,
    real_number,
    vector,
    whole_number,
)

HUGE = 10**400

# -- numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [1, 1.0, np.float32(1.0), np.float64(1.0), np.int8(1), np.longdouble(1.0), fractions.Fraction(1)]
)
def test_a_real_number_becomes_a_float(value):
    number = real_number("lam", value, above=0.0, at_least=1.0)
    assert type(number) is float
    assert number == 1.0


@pytest.mark.parametrize(
    ("value", "error", "sentence"),
    [
        (-0.5, InvalidArgument, "lam must be at least 0, but it is -0.5. Pass a larger one."),
        (0.0, InvalidArgument, "lam must be greater than 0, but it is 0."),
        (np.nan, InvalidArgument, "lam must be finite, but it is nan."),
        (-np.inf, InvalidArgument, "lam must be finite, but it is -inf."),
        (HUGE, InvalidArgument, "lam must be finite, but it is inf."),
        (np.longdouble("1e400"), InvalidArgument, "lam must be finite, but it is inf."),
        (True, InvalidType, "lam must be a real number, but it is a bool. Pass a float."),
        (np.True_, InvalidType, "lam must be a real number, but it is a bool"),
        ("1", InvalidType, "lam must be a real number, but it is a str"),
        (None, InvalidType, "lam must be a real number, but it is a NoneType"),
        (1.0 + 0.0j, InvalidType, "lam must be a real number, but it is a complex"),
        ([1.0], InvalidType, "lam must be a real number, but it is a list"),
        (np.array(1.0), InvalidType, "lam must be a real number, but it is a ndarray"),
    ],
    ids=lambda part: "10**400" if part is HUGE else repr(part),
)
def test_anything_else_is_not_a_real_number(value, error, sentence):
    bound = {"above": 0.0} if value == 0.0 else {"at_least": 0.0}
    with pytest.raises(error, match=f"^{sentence}"):
        real_number("lam", value, **bound)


def test_whole_numbers():
    assert [whole_number("depth", value, at_least=1) for value in (1, np.int64(7), np.uint8(3))] == [1, 7, 3]
    for value, error, sentence in [
        (0, InvalidArgument, "depth must be at least 1, but it is 0"),
        (1.0, InvalidType, "depth must be a whole number, but it is a float. Pass an int."),
        (True, InvalidType, "depth must be a whole number, but it is a bool"),
        ("1", InvalidType, "depth must be a whole number, but it is a str"),
    ]:
        with pytest.raises(error, match=f"^{sentence}"):
            whole_number("depth", value, at_least=1)


@pytest.mark.parametrize(
    "value", ["Fixed", None, 1, b"fixed", ["fixed"], np.array(["fixed", "folded"])], ids=repr
)
def test_one_of_a_few_choices(value):
    assert choice("penalty", "fixed", ("folded", "fixed")) == "fixed"
    with pytest.raises(InvalidArgument, match="^penalty must be 'folded' or 'fixed', but it is"):
        choice("penalty", value, ("folded", "fixed"))


def test_true_is_not_one():
    assert choice("intercept", True, (True, False)) is True
    with pytest.raises(InvalidArgument, match="intercept must be True or False, but it is 1"):
        choice("intercept", 1, (True, False))


# -- vectors ------------------------------------------------------------------------------------------------

GOOD_VECTORS = {
    "list": [1, 2, 3],
    "tuple": (1.0, 2.0, 3.0),
    "bool": np.array([True, False, True]),
    "uint8": np.array([1, 2, 255], dtype=np.uint8),
    "float16": np.array([1, 2, 3], dtype=np.float16),
    "float32": np.array([1, 2, 3], dtype=np.float32),
    "longdouble": np.array([1, 2, 3], dtype=np.longdouble),
    "big-endian": np.array([1, 2, 3], dtype=">f8"),
    "largest exact integers": np.array([2**53, -(2**53)]),
    "none masked": np.ma.masked_array([1.0, 2.0], mask=[False, False]),
    "Series": pd.Series([1.0, 2.0], index=["a", "b"]),
    "Series of nullable integers": pd.Series([1, 2], dtype="Int64"),
    "Series of nullable booleans": pd.Series([True, False], dtype="boolean"),
    "Index": pd.Index([3, 4]),
    "a field of records": np.array([(1.0,), (2.0,)], dtype=[("a", float)])["a"],
    "objects": np.array([1, 2.5, True], dtype=object),
    "empty": [],
}


@pytest.mark.parametrize("name", GOOD_VECTORS)
def test_a_vector_becomes_a_float64_copy(name):
    value = GOOD_VECTORS[name]
    result = vector("offset", value, len(value))
    assert type(result) is np.ndarray
    assert result.dtype == np.float64
    assert result.tolist() == np.asarray(value, dtype=float).tolist()
    assert not np.shares_memory(result, np.asarray(value))


NUMBERS = "offset must hold real numbers, but it has dtype"
BAD_VECTORS = {
    "too short": (
        [1.0],
        InvalidArgument,
        r"have one entry per row \(2\), but it has 1\. Pass .* shape \(2,\)",
    ),
    "a column": ([[1.0], [2.0]], InvalidArgument, r"be one-dimensional, but it has shape \(2, 1\)"),
    "a frame": (pd.DataFrame({"o": [1.0, 2.0]}), InvalidArgument, r"be one-dimensional.* shape \(2, 1\)"),
    "a number": (1.0, InvalidArgument, r"be one-dimensional, but it has shape \(\)"),
    "nan": ([0.0, np.nan], InvalidArgument, "be finite, but it holds nan at row 1. Drop or impute"),
    "inf": ([-np.inf, 0.0], InvalidArgument, "be finite, but it holds -inf at row 0"),
    "ragged": ([[1.0], [1.0, 2.0]], InvalidArgument, "be a rectangular array, but it has rows of different"),
    "masked": (np.ma.masked_array([1.0, 2.0], [False, True]), InvalidArgument, "have no masked entries"),
    "missing": (pd.Series([1, None], dtype="Int64"), InvalidArgument, "be finite, but it holds nan at row 1"),
    "too large": (
        [2**53 + 1, 0],
        InvalidArgument,
        r"float64 keeps exactly \(at most 2\*\*53\).* 9007199254740993",
    ),
    "too small": ([-(2**53) - 1, 0], InvalidArgument, "integers that float64 keeps exactly"),
    "too large, unsigned": (np.array([2**64 - 1, 0], dtype=np.uint64), InvalidArgument, "keeps exactly"),
    "too large, nullable": (pd.Series([2**53 + 1, None], dtype="Int64"), InvalidArgument, "keeps exactly"),
    "beyond float64": (
        np.array(["1e400", "1"], dtype=np.longdouble),
        InvalidArgument,
        "finite, but it holds inf",
    ),
    "text": (["1", "2"], InvalidType, r"real numbers, but it has dtype <U1 \(text\)\. Convert"),
    "bytes": ([b"1", b"2"], InvalidType, r"has dtype \|S1 \(text\)"),
    "Series of text": (pd.Series(["a", "b"]), InvalidType, "has dtype (str|object) in column 'offset'"),
    "categories": (pd.Series(["a", "b"], dtype="category"), InvalidType, "has dtype category"),
    "dates": (pd.Series(pd.to_datetime(["2020-01-01"] * 2)), InvalidType, "has dtype datetime64"),
    "times": (np.array([1, 2], dtype="m8[s]"), InvalidType, "has dtype timedelta64"),
    "objects": ([1.0, "2"], InvalidType, r"has dtype <U\d+ \(text\)"),
    "a missing object": ([1.0, None], InvalidArgument, "be finite, but it holds nan at row 1"),
    "large objects": ([10**30, 1], InvalidArgument, "keeps exactly .*, but it holds one of size 1000000"),
    "complex": ([1.0, 1j], InvalidType, r"has dtype complex128 \(complex\)"),
    "records": (np.zeros(2, dtype=[("a", float), ("b", int)]), InvalidArgument, r"has shape \(2, 2\)"),
    "sparse": (sp.csr_array([[1.0, 2.0]]), InvalidType, "be a dense array, but it is scipy.sparse"),
    "None": (None, InvalidType, "be an array, but it is None"),
}


@pytest.mark.parametrize("name", BAD_VECTORS)
def test_what_is_no_vector_of_numbers_is_refused(name):
    value, error, sentence = BAD_VECTORS[name]
    with pytest.raises(error, match=f"^offset must .*{sentence}"):
        vector("offset", value, 2)


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=2, max_side=5)), st.booleans())
def test_the_first_entry_that_is_not_finite_is_found(array, narrow):
    with np.errstate(over="ignore"):
        array = array.astype(np.float32) if narrow else array
    places = np.argwhere(~np.isfinite(array))
    if not len(places):
        assert first_not_finite(array) is None
        check_finite("X", array)
        return
    assert first_not_finite(array) == tuple(places[0])
    row, *column = places[0]
    place = f"row {row}" + "".join(f", column {j}" for j in column)
    with pytest.raises(
        InvalidArgument, match=f"X must be finite, but it holds {array[tuple(places[0])]} at {place}"
    ):
        check_finite("X", array)


def test_opposite_infinities_do_not_cancel():
    assert first_not_finite(np.array([1.0, np.inf, -np.inf])) == (1,)


def test_mixed_frames_keep_their_digits_or_are_refused():
    mixed = pd.DataFrame({"a": [1.5, 2.5], "b": [2**53, 1]})
    assert numeric_array("X", mixed).tolist() == [[1.5, 2.0**53], [2.5, 1.0]]
    for column in (pd.Series([2**53 + 1, 1]), pd.Series([2**53 + 1, None], dtype="Int64")):
        with pytest.raises(InvalidArgument, match="integers that float64 keeps exactly"):
            numeric_array("X", mixed.assign(b=column))
    assert np.isnan(numeric_array("X", mixed.assign(b=pd.Series([None, None], dtype="Int64")))[:, 1]).all()
