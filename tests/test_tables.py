"""polars and pyarrow tables and series are read like pandas ones, names kept, rows by position."""

import sys

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import influstat as ist
from influstat.errors import InvalidType, MissingDependency

pytest.importorskip("narwhals")
TABLE = {"a": [1.0, 2.0, 3.0, 4.0, 6.0], "b": [0, 1, 0, 2, 1], "y": [1.0, 2.0, 3.0, 5.0, 4.0]}
GROUPS = ["u", "u", "v", "w", "v"]
FRAME = pd.DataFrame(TABLE)


def polars():
    library = pytest.importorskip("polars")
    return library.DataFrame, library.Series


def pyarrow():
    library = pytest.importorskip("pyarrow")
    return library.table, lambda values: library.chunked_array([values])


@pytest.mark.parametrize("library", [polars, pyarrow])
def test_other_tables_are_read_like_pandas(library):
    table, series = library()
    X, y, groups = table({name: TABLE[name] for name in "ab"}), series(TABLE["y"]), series(GROUPS)
    expected = ist.Ridge().fit(FRAME[["a", "b"]], FRAME["y"])
    fit = ist.Ridge().fit(X, y, weights=series([1.0] * 5))
    assert fit.names == ("a", "b")
    np.testing.assert_array_equal(fit.theta, expected.theta)
    np.testing.assert_array_equal(fit.loss(X, y), expected.loss(FRAME[["a", "b"]], FRAME["y"]))
    found, other = (one.leave_groups_out(g) for one, g in ((fit, groups), (expected, GROUPS)))
    np.testing.assert_array_equal(found.theta, other.theta)
    labelled = ist.Ridge().fit(X, FRAME["y"].set_axis(list("pqrst")))  # a table without labels takes y's
    assert labelled.row_labels.tolist() == list("pqrst")
    formula = ist.from_statsmodels(smf.ols("np.log(y) ~ a", FRAME).fit())
    np.testing.assert_array_equal(formula.loss(table(TABLE)), formula.loss(FRAME))


def test_a_pipeline_of_another_table_keeps_the_names_of_its_columns():
    table, _ = polars()
    pipe = make_pipeline(make_column_transformer((StandardScaler(), ["a"]), ("passthrough", ["b"])), Ridge())
    for X in (table({name: TABLE[name] for name in "ab"}), FRAME[["a", "b"]]):
        fit = ist.from_sklearn(pipe.fit(X, TABLE["y"]), X, TABLE["y"])
        effect = ist.average_marginal_effect(fit, "a")
        assert effect.labels == ("a",)
        slope = pipe[-1].coef_[0] / pipe[0].transformers_[0][1].scale_[0]
        np.testing.assert_allclose(effect.value, [slope], rtol=1e-9)
        assert ist.input_influence(fit, X, TABLE["y"]).names == ("a", "b")


def test_a_table_that_is_only_planned_is_refused_with_its_remedy():
    table, _ = polars()
    with pytest.raises(InvalidType, match=r"^X must be a table .* held in memory.*Call its collect\(\)"):
        ist.Ridge().fit(table({"a": TABLE["a"]}).lazy(), TABLE["y"])


def test_a_planned_table_is_refused_before_transformers_see_it():
    table, _ = polars()
    X = table({name: TABLE[name] for name in "ab"})
    pipe = make_pipeline(StandardScaler(), Ridge()).fit(X, TABLE["y"])
    fit = ist.from_sklearn(pipe, X, TABLE["y"])
    for call in (fit.predict, lambda lazy: ist.from_sklearn(pipe, lazy, TABLE["y"])):
        with pytest.raises(InvalidType, match=r"^X must be a table .* held in memory.*Call its collect\(\)"):
            call(X.lazy())


@pytest.mark.parametrize("library", [polars, pyarrow])
def test_without_narwhals_the_refusal_says_how(library, monkeypatch):
    table, _ = library()
    monkeypatch.setitem(sys.modules, "narwhals", None)
    with pytest.raises(MissingDependency, match=r"^X is a p.* pip install 'influstat\[tables\]'"):
        ist.Ridge().fit(table({"a": TABLE["a"]}), TABLE["y"])


@pytest.mark.parametrize("library", [polars, pyarrow])
def test_tables_are_partitions(library):
    table, series = library()
    pieces = [{name: values[rows] for name, values in TABLE.items()} for rows in (slice(2), slice(2, 5))]
    tables = [table(piece) for piece in pieces]
    pairs = [(table({name: one[name] for name in "ba"}), series(one["y"])) for one in pieces]
    expected = ist.Ridge().fit(FRAME[["a", "b"]], FRAME["y"])
    for data, names in (((tables, "y"), "ab"), ((lambda: tables, "y"), "ab"), ((lambda: pairs,), "ba")):
        fit = ist.Ridge().fit(ist.partitions(*data))
        assert fit.names == tuple(names)
        np.testing.assert_allclose([fit.theta[names.index(one)] for one in "ab"], expected.theta, rtol=1e-12)
    assert ist.partitions(table(TABLE), "y").source.partitions() == 1


def test_lazy_tables_are_refused_with_a_remedy():
    frame, _ = polars()
    lazy = frame(TABLE).lazy()
    with pytest.raises(InvalidType, match=r"data must be arrays.*is a LazyFrame.*paths.*collect it in parts"):
        ist.partitions(lazy, "y")
    for call in (lambda: ist.Ridge().fit(lazy, TABLE["y"]), lambda: ist.partitions([lazy], "y")):
        with pytest.raises(
            InvalidType, match="must be a table or series that is held in memory.*polars LazyFrame"
        ):
            call()
