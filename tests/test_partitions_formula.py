"""Formulas over partitions make the rows of the formula over the whole table, levels fixed beforehand."""

import pickle

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, Unsupported
from tests.budget import examples, some
from tests.partition_cases import CLOSE, cuts

N = 60
RNG = np.random.default_rng(3)
COLOURS = ["blue", "green", "red"]
TABLE = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "dose": RNG.random(N) + 0.5,
        "colour": np.repeat(COLOURS, N // 3),  # so that most partitions have one colour alone
        "year": np.tile([2001, 2003], N // 2),
        "w": RNG.random(N) + 0.5,
        "firm": np.arange(N) % 4,
    }
)
TABLE["n"] = RNG.poisson(np.exp(0.3 * TABLE.x + 0.5 * (TABLE.colour == "red"))).astype(float)
TABLE["y"] = TABLE.x + (TABLE.colour == "red") + RNG.normal(size=N)
TABLE["b"] = (RNG.random(N) < 0.5).astype(float)
LEVELS = {"colour": COLOURS, "year": [2001, 2003]}
FORMULAS = {
    "main": "y ~ x + colour",
    "interaction": "np.exp(y / 5) ~ x * C(colour) + np.log(dose) + C(year)",
    "no intercept": "y ~ colour - 1",
    "treatment": "y ~ C(colour, Treatment('red')) : x",
    "sum": "y ~ C(colour, Sum) + I(x ** 2)",
}


def frames(sizes, table=TABLE, wide=()):
    """Return a callable of chunks, some of them categorical or of other types and orders of columns."""

    def restart():
        start = 0
        for k, size in enumerate(sizes):
            part = table.iloc[start : start + size]
            start += size
            if k in wide:
                part = part.assign(colour=part.colour.astype("category"), x=part.x.astype("float32"))
            yield part[part.columns[:: -1 if k % 2 else 1]]

    return restart


def levels_of(formula):
    return {name: some for name, some in LEVELS.items() if name in formula}


@pytest.mark.dear
@pytest.mark.parametrize("name", FORMULAS)
@examples(3)
@given(sizes=cuts(), wide=st.sets(st.integers(0, 5)))
def test_formulas_are_those_of_the_whole_table(name, sizes, wide):
    formula = FORMULAS[name]
    whole = smf.ols(formula, TABLE.assign(x=TABLE.x.astype("float32").astype(float))).fit()
    table = TABLE.assign(x=TABLE.x.astype("float32").astype(float))  # the same to the bit either way
    data = ist.partitions(frames(sizes, table, wide), formula=formula, levels=levels_of(formula))
    fit = ist.PartitionedFit.minimise(ist.PartitionedRisk(ist.SquaredError(), data))
    assert fit.names == tuple(whole.model.exog_names)
    np.testing.assert_allclose(fit.theta, whole.params, rtol=1e-9, atol=1e-11)  # statsmodels' own pinv
    memory = ist.from_statsmodels(whole)
    np.testing.assert_allclose(fit.predict(TABLE.head(9)), memory.predict(TABLE.head(9)), rtol=1e-9)
    delta = fit.leave_one_out().delta().to_frame()[list(fit.names)]
    np.testing.assert_allclose(delta, memory.leave_one_out().delta, rtol=1e-8, atol=1e-10)


GLM = {
    "Poisson": ("n ~ x + colour", sm.families.Poisson()),
    "Binomial": ("b ~ x + colour", sm.families.Binomial()),
    "Gamma": ("np.exp(y) ~ x + colour", sm.families.Gamma(sm.families.links.Log())),
}


@pytest.mark.slow
@pytest.mark.parametrize("family", some(list(GLM)))
def test_coefficients_of_a_sample_are_checked_and_polished_on_the_data(family, tmp_path):
    formula, made = GLM[family]
    pytest.importorskip("pyarrow")
    TABLE.to_parquet(tmp_path / "a.parquet", row_group_size=25)
    sample = smf.glm(formula, TABLE.iloc[::2], family=made).fit(tol=1e-12)
    loss = ist.from_statsmodels(sample).risk.loss
    data = ist.partitions(tmp_path / "a.parquet", formula=sample, groups="firm")
    risk = ist.PartitionedRisk(loss, data)
    with pytest.raises(ist.errors.NotStationary, match="polish=True"):
        ist.PartitionedFit(risk, sample.params)
    fit = ist.PartitionedFit(risk, sample.params, polish=True)
    whole = ist.from_statsmodels(smf.glm(formula, TABLE, family=made).fit(tol=1e-12), polish=True)
    assert fit.names == whole.names
    np.testing.assert_allclose(fit.theta, whole.theta, **CLOSE)
    assert ist.PartitionedFit(risk, whole.theta).stationarity < 1e-10  # R's or Spark's: the same numbers
    found, memory = fit.leave_groups_out(), whole.leave_groups_out(TABLE.firm.to_numpy())
    np.testing.assert_allclose(found.theta, memory.theta, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(fit.predict(TABLE, kind="mean"), whole.predict(TABLE, kind="mean"), rtol=1e-11)


LEARNED = {
    "numbers": "y ~ center(x) + bs(dose, df=4)",
    "beside categories": "y ~ standardize(dose) + x:colour",
    "times categories": "y ~ C(colour, Sum):scale(x) + C(year)",
    "both sides": "np.log(dose) ~ center(np.log(dose + 1)) * C(colour, Treatment('red')) + C(x > 0)",
    "tensor product": "y ~ te(cr(x, 3), cr(dose, 3)) - 1",
    "nothing": "y ~ 1",
}


@pytest.mark.parametrize("name", LEARNED)
def test_transforms_that_have_learned_stand_beside_categories(name):
    results = smf.ols(LEARNED[name], TABLE).fit()
    data = ist.partitions(frames([25, 0, 1, 34], wide=(3,)), formula=results)
    rows = np.concatenate([data.source.block(k).X for k in range(4)])
    assert data.names == tuple(results.model.exog_names)
    x = TABLE.assign(x=np.where(np.arange(N) < 26, TABLE.x, TABLE.x.astype("float32").astype(float)))
    held = results.model.data
    known = getattr(held, "model_spec", None) or held.design_info  # as versions of statsmodels call it
    whole = patsy.build_design_matrices([known], x)[0]
    np.testing.assert_allclose(rows, np.asarray(whole), **CLOSE)
    y = np.concatenate([data.source.block(k).y for k in range(4)])
    np.testing.assert_allclose(y, results.model.endog, **CLOSE)


def test_what_a_transform_has_learned_is_reused():
    formula = "y ~ center(x) + bs(dose, df=4)"
    results = smf.ols(formula, TABLE).fit()
    data = ist.partitions(frames([25, 0, 35]), formula=results)
    fit = ist.PartitionedFit.minimise(ist.PartitionedRisk(ist.SquaredError(), data))
    np.testing.assert_allclose(fit.theta, results.params, rtol=1e-9, atol=1e-11)
    with pytest.raises(Unsupported, match=r"learns from all rows.*center\(x\), bs\(dose, df=4\)"):
        ist.partitions(frames([60]), formula=formula)
    with pytest.raises(Unsupported, match="to be sent to other processes"):
        pickle.dumps(data.source._columns)


def test_formulas_are_made_anew_where_they_are_sent(tmp_path):
    pytest.importorskip("pyarrow")
    TABLE.to_parquet(tmp_path / "a.parquet", row_group_size=7)
    for formula in (FORMULAS["interaction"], smf.ols(FORMULAS["interaction"], TABLE).fit()):
        source = ist.partitions(tmp_path / "a.parquet", formula=formula, levels=LEVELS).source
        again = pickle.loads(pickle.dumps(source))
        np.testing.assert_array_equal(again.block(4).X, source.block(4).X)
        assert again.names == source.names


@pytest.mark.slow
def test_a_dask_dataframe_takes_a_formula():
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.from_pandas(TABLE.astype({"colour": object}), npartitions=3)
    data = ist.partitions(frame, formula=FORMULAS["interaction"], levels=LEVELS, labels="index")
    fit = ist.PartitionedFit.minimise(ist.PartitionedRisk(ist.SquaredError(), data))
    whole = smf.ols(FORMULAS["interaction"], TABLE).fit()
    np.testing.assert_allclose(fit.theta, whole.params, rtol=1e-9, atol=1e-11)
    assert fit.influence().on_self().to_frame().index.tolist() == TABLE.index.tolist()


def test_weights_and_labels_are_other_columns():
    data = ist.partitions(frames([25, 35]), formula="y ~ x", weights="w", labels="firm")
    block = data.source.block(1)
    np.testing.assert_array_equal(block.weights, TABLE.w[25:])
    np.testing.assert_array_equal(block.labels, TABLE.firm[25:])


def with_cell(column, value):
    table = TABLE.astype({"colour": object}).copy()
    table.loc[40, column] = value
    return frames([25, 0, 35], table)


BAD = {
    "unknown level": (with_cell("colour", "pink"), "y ~ colour", ("partition 2", "'pink' of row 15")),
    "missing level": (with_cell("colour", None), "y ~ colour", ("partition 2", "of row 15")),
    "nan": (with_cell("x", np.nan), "y ~ x", ("X of partition 2", "row 15")),
    "log of 0": (with_cell("dose", 0.0), "y ~ np.log(dose)", ("X of partition 2", "row 15")),
    "nan target": (with_cell("y", np.nan), "y ~ x", ("y of partition 2", "row 15")),
    "one side": (frames([60]), "~ x", ("have a left side",)),
    "syntax": (frames([60]), "y ~ x +* w", ("be one that patsy can read",)),
    "function": (frames([60]), "y ~ magic(x)", ("be one that patsy can read",)),
    "no columns": (frames([60]), "a ~ z", ("take columns of the table",)),
    "levels": (frames([60]), "y ~ C(year)", ("levels must hold the categories of 'C(year)'",)),
    "text": (frames([60]), "y ~ colour", ("levels={column: [...]}",)),
    "computed levels": (frames([60]), "y ~ C(x > 0)", ("the categories of 'C(x > 0)'", "on a sample")),
    "lacking column": (lambda: iter([TABLE, TABLE.drop(columns="x")]), "y ~ x", ("partition 1", "'x'")),
    "two targets": (frames([60]), "x + y ~ w", ("have one column on its left side",)),
}


@pytest.mark.parametrize("case", BAD)
def test_what_a_formula_cannot_take_is_named(case):
    restart, formula, texts = BAD[case]
    levels = {"colour": COLOURS} if "colour" in formula and case != "text" else None

    def fitted():
        data = ist.partitions(restart, formula=formula, levels=levels)
        return ist.PartitionedFit.minimise(ist.PartitionedRisk(ist.SquaredError(), data))

    with pytest.raises((InvalidArgument, InvalidType)) as raised:
        fitted()
    assert all(text in str(raised.value) for text in texts), str(raised.value)


def test_arguments_that_a_formula_replaces_are_refused():
    for more in ({"y": "y"}, {"columns": ["x"]}):
        with pytest.raises(InvalidArgument, match="be left out with a formula"):
            ist.partitions(frames([60]), formula="y ~ x", **more)
    with pytest.raises(InvalidArgument, match="where the data are no table"):
        ist.partitions(TABLE[["x"]].to_numpy(), formula="y ~ x")
    with pytest.raises(InvalidType, match="results of a statsmodels fit"):
        ist.partitions(frames([60]), formula=3)
    fit = ist.PartitionedFit.minimise(
        ist.PartitionedRisk(ist.SquaredError(), ist.partitions(frames([60]), formula="y ~ x + w"))
    )
    with pytest.raises(InvalidArgument, match="'w'"):
        fit.predict(TABLE[["x"]])
