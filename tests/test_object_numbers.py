"""Tables of fields (structured, record arrays) and objects that are numbers are read as other tables are."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType
from influstat.input.validation import numeric_array
from tests.tolerance import CLOSED_FORM

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.5, 4.0, 6.0], "b": [0, 1, 0, 2, 1]})
Y = np.array([1.0, 2.0, 3.0, 5.0, 4.0])
FIELDS = {
    "record array": FRAME.to_records(index=False),
    "structured array": np.array(list(FRAME.itertuples(index=False)), dtype=[("a", ">f4"), ("b", np.int8)]),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_structured_array_is_a_table_of_its_fields(name):
    table, expected = FIELDS[name], ist.Ridge().fit(FRAME, Y)
    fit = ist.Ridge().fit(table, Y)
    assert fit.names == ("a", "b")
    np.testing.assert_array_equal(fit.theta, expected.theta)
    np.testing.assert_array_equal(fit.predict(table[:2]), expected.predict(FRAME[:2]))
    np.testing.assert_array_equal(
        ist.Ridge().fit(table, table["a"]).theta, ist.Ridge().fit(FRAME, FRAME.a).theta
    )
    np.testing.assert_array_equal(
        ist.Ridge().fit(FRAME, table[["b"]]).theta, ist.Ridge().fit(FRAME, FRAME.b).theta
    )
    with pytest.raises(InvalidArgument, match="X must name its columns as the training rows do"):
        fit.predict(table[["b", "a"]])
    with pytest.raises(InvalidArgument, match=r"y must be one-dimensional, but it has shape \(5, 2\)"):
        ist.Ridge().fit(FRAME, table)
    groups = fit.leave_groups_out(table[[0, 1, 0, 1, 2]])  # rows of fields are labels, as tuples are
    assert groups.converged.all()
    assert len(groups.delta) == 3


@pytest.mark.filterwarnings("ignore:Using recarray data:DeprecationWarning")  # statsmodels' own
@pytest.mark.parametrize("name", FIELDS)
def test_a_structured_array_has_the_variables_of_a_formula(name):
    table = FRAME.assign(y=Y)
    fit = ist.from_statsmodels(smf.ols("np.log(y) ~ a + C(b)", table).fit())
    np.testing.assert_array_equal(fit.predict(FIELDS[name]), fit.predict(FRAME))
    records = table.to_records()
    np.testing.assert_array_equal(fit.loss(records), fit.loss(table))
    plain, again = (ist.from_statsmodels(smf.ols("y ~ a + b", data).fit()) for data in (table, records))
    np.testing.assert_array_equal(again.loss(records), plain.loss(table))


def test_fields_of_several_numbers_are_refused():
    for dtype in ([("a", float, 2)], [("a", float), ("b", [("c", float)])]):
        with pytest.raises(
            InvalidType, match="X must have one entry in each field of a row, but it has several"
        ):
            ist.Ridge().fit(np.zeros(5, dtype=dtype), Y)


# -- objects ------------------------------------------------------------------------------------------------

NUMBERS = {
    "Decimal": (Decimal, float),
    "Fraction": (Fraction, float),
    "int": (int, int),
    "bool": (lambda value: bool(value > 2), lambda value: bool(value > 2)),
    "NumPy's": (np.float32, np.float32),
    "NumPy's integers": (np.int64, np.int64),
    "float": (float, float),
}
ARGUMENTS = {
    "X": lambda values: ist.Ridge().fit(np.column_stack([FRAME.to_numpy(dtype=object), values]), Y),
    "X of pandas": lambda values: ist.Ridge().fit(FRAME.assign(c=values), Y),
    "y": lambda values: ist.Ridge().fit(FRAME, values),
    "y of pandas": lambda values: ist.Ridge().fit(FRAME, pd.Series(values)),
    "weights": lambda values: ist.Ridge().fit(FRAME, Y, weights=values),
    "offset": lambda values: ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), FRAME, Y, offset=values)),
}


def objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("kind", NUMBERS)
def test_objects_that_are_numbers_are_read_as_such(kind, argument):
    make, plain = NUMBERS[kind]
    values = [1.0, 2.5, 3.0, 4.25, 2.0]
    found = ARGUMENTS[argument](objects([make(value) for value in values]))
    expected = ARGUMENTS[argument](np.array([plain(value) for value in values]))
    np.testing.assert_allclose(found.theta, expected.theta, rtol=CLOSED_FORM)
    np.testing.assert_allclose(found.leave_one_out().theta, expected.leave_one_out().theta, rtol=CLOSED_FORM)


WRONG = {
    "a text": ("3", InvalidType, "real numbers.*'3' at row 2"),
    "a list": ([1], InvalidType, r"real numbers.*\[1\] at row 2"),
    "a complex number": (1j, InvalidType, "real numbers.*1j at row 2"),
    "None": (None, InvalidArgument, "be finite, but it holds nan at row 2"),
    "pandas.NA": (pd.NA, InvalidArgument, "be finite, but it holds nan at row 2"),
    "Decimal's nan": (Decimal("sNaN"), InvalidArgument, "be finite, but it holds nan at row 2"),
    "Decimal's inf": (Decimal("-inf"), InvalidArgument, "be finite, but it holds -inf at row 2"),
    "a large int": (2**53 + 1, InvalidArgument, "keeps exactly .*9007199254740993"),
    "a large Decimal": (Decimal(2**53 + 1), InvalidArgument, "keeps exactly .*9007199254740993"),
    "a Decimal beyond its own digits": (Decimal("-1E+30"), InvalidArgument, r"keeps exactly .*1E\+30"),
    "an integer of NumPy": (np.int64(-(2**63)), InvalidArgument, "keeps exactly .*9223372036854775808"),
    "an int beyond float64": (10**400, InvalidArgument, "keeps exactly"),
    "a Fraction beyond float64": (
        Fraction(10**400, 3),
        InvalidArgument,
        "be finite, but it holds inf at row 2",
    ),
}


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("name", WRONG)
def test_other_objects_are_refused_with_the_first_of_them(name, argument):
    value, error, sentence = WRONG[name]
    with pytest.raises(error, match=f"{argument.partition(' ')[0]} must .*{sentence}"):
        ARGUMENTS[argument](objects([1.0, 2, value, 4, 2]))


def test_a_decimal_may_have_more_digits_than_arithmetic_with_it_keeps():
    long = Decimal("12345678901234567890123456789012345.5")
    np.testing.assert_array_equal(numeric_array("y", objects([long, Decimal(1)])), [float(long), 1.0])


def test_columns_of_one_name_keep_their_places():
    table = pd.concat([FRAME["a"].astype(object), FRAME["b"]], axis=1, keys=["c", "c"])
    np.testing.assert_array_equal(numeric_array("X", table), FRAME.to_numpy())


# -- new rows of formulas and pipelines ---------------------------------------------------------------------


@pytest.mark.parametrize("make", [Decimal, Fraction, float])
def test_new_rows_of_a_formula_may_hold_numbers_as_objects(make):
    table = FRAME.assign(y=Y)
    new = table.assign(a=objects([make(value) for value in table.a]), y=objects([make(value) for value in Y]))
    for formula in ("y ~ a + C(b)", "np.log(y) ~ np.sqrt(a) + b"):
        fit = ist.from_statsmodels(smf.ols(formula, table).fit())
        np.testing.assert_array_equal(fit.predict(new), fit.predict(table))
        np.testing.assert_array_equal(fit.loss(new), fit.loss(table))
    assert new.a.dtype == object  # the caller's own
    with pytest.raises(InvalidArgument, match=r"X must be finite, but it holds nan at row 1.*'a'"):
        fit.predict(new.assign(a=objects([make(1), None, *map(make, [1, 2, 3])])))


def test_new_rows_of_a_pipeline_may_have_fields():
    pipeline = pytest.importorskip("sklearn.pipeline")
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    scaled = make_column_transformer((StandardScaler(), ["a"]), ("passthrough", ["b"]))
    fit = ist.from_sklearn(pipeline.make_pipeline(scaled, Ridge()).fit(FRAME, Y), FRAME, Y)
    table = FIELDS["record array"]
    np.testing.assert_array_equal(fit.predict(table), fit.predict(FRAME))
    np.testing.assert_array_equal(fit.loss(table, Y), fit.loss(FRAME, Y))


def test_a_record_and_a_list_of_records_are_named_as_that():
    records, fit = FIELDS["record array"], ist.Ridge().fit(FRAME, Y)
    for value in (records[0], list(records)):
        with pytest.raises(
            InvalidType, match="X must hold real numbers, but it is a record, or a list of such"
        ):
            fit.predict(value)
