"""Inflation factors of several columns of one categorical: those of R's car, in any coding and any unit."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType
from tests.tolerance import SOLVED, STOPPED

CRIME = sm.datasets.statecrime.load_pandas().data


def parts_of_crime():
    """Return the states with a categorical of three levels, unequal in size."""
    kinds = np.select([CRIME["urban"] > 80, CRIME["urban"] > 60], ["city", "town"], "land")
    return CRIME.assign(part=kinds, count=CRIME["murder"].round())


# car::vif in R 4.2.2 of the same models, first column.
CAR = {
    "ols": [1.79625588790, 3.48516645286, 2.86831719678, 1.98338683321],
    "poisson": [2.48550576150, 4.75323814398, 2.37441369879, 3.47365226017],
}


@pytest.mark.parametrize("coding", ["part", "C(part, Sum)", "C(part, Treatment('town'))", "C(part, Helmert)"])
@pytest.mark.parametrize("kind", CAR)
def test_generalised_factors_are_those_of_car_in_any_coding(kind, coding):
    table, terms = parts_of_crime(), f"{coding} + poverty + hs_grad + single"
    if kind == "ols":
        results = smf.ols(f"murder ~ {terms}", table).fit()
    else:
        results = smf.glm(f"count ~ {terms}", table, family=sm.families.Poisson()).fit(tol=1e-12)
    fit = ist.from_statsmodels(results)
    for factors in (["part"], {"part": table["part"]}):
        found = fit.variance_inflation(factors=factors)
        assert list(found.index) == ["part", "poverty", "hs_grad", "single"]
        np.testing.assert_allclose(found, CAR[kind], rtol=STOPPED)
    alone = fit.variance_inflation()
    assert len(alone) == 5
    np.testing.assert_array_equal(alone.to_numpy()[2:], found.to_numpy()[1:])
    pd.testing.assert_series_equal(fit.variance_inflation(factors=[]), alone)


def test_a_categorical_of_one_column_has_the_factor_of_the_column():
    table = CRIME.assign(big=CRIME["urban"] > 60)
    fit = ist.from_statsmodels(smf.ols("murder ~ big + single", table).fit())
    found = fit.variance_inflation(factors=["big"])
    np.testing.assert_allclose(found, fit.variance_inflation(), rtol=SOLVED)
    assert list(found.index) == ["big", "single"]


@pytest.mark.parametrize("unit", [1e-120, 1e120])
def test_generalised_factors_have_no_units(unit):
    table = parts_of_crime()
    columns = np.column_stack(
        [np.ones(51), table["part"] == "city", table["part"] == "town", CRIME["single"]]
    )
    usual = ist.Ridge(lam=0.0).fit(columns, CRIME["murder"])
    scaled = ist.Ridge(lam=0.0).fit(columns * [1.0, unit, 1.0, 1.0], CRIME["murder"])
    one, other = (
        fit.variance_inflation(factors={"part": table["part"].to_numpy()}) for fit in (usual, scaled)
    )
    np.testing.assert_allclose(one, other, rtol=SOLVED)


@pytest.mark.slow
def test_a_factor_of_many_levels_has_no_determinant_out_of_range():
    # Each of 300 dummies all but gives another column away: their determinants are 1e-600 and 1e600.
    rng = np.random.default_rng(0)
    level = np.repeat(np.arange(301), 4)
    dummies = (level[:, None] == np.arange(1, 301)).astype(np.float64)
    mixed = dummies @ (np.ones((300, 300)) + 0.1 * np.eye(300))  # the same span
    x = rng.normal(size=len(level))
    found = [
        ist.Ridge(lam=0.0)
        .fit(np.column_stack([np.ones(len(x)), columns, x]), rng.normal(size=len(x)))
        .variance_inflation(factors={"level": level})
        for columns in (dummies, mixed)
    ]
    # Codings of one categorical have one factor, as far as the condition of the worse, 1e7, lets it be known.
    np.testing.assert_allclose(found[1]["level"], found[0]["level"], rtol=1e-6)
    assert 1.0 < found[0]["level"] < np.inf


def test_a_categorical_that_another_column_gives_away_has_no_finite_factor():
    table = parts_of_crime()
    table["city"] = (table["part"] == "city") * 2.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels' of some versions, and ours
        fit = ist.from_statsmodels(smf.ols("murder ~ C(part) + single + city", table).fit())
    labels = table["part"].to_numpy()
    found = fit.variance_inflation(factors={"part": labels})
    assert np.isinf(found["part"])
    assert np.isfinite(found["single"])


@pytest.mark.parametrize(
    ("factors", "error", "sentence"),
    [
        ("part", InvalidType, "factors must be a list"),
        ([3], InvalidType, r"factors\[0\] must be text"),
        (["colour"], InvalidArgument, r"factors\['colour'\] must name a column of the table"),
        (["murder"], InvalidArgument, r"factors\['murder'\] must be what some column of the fit is made of"),
        ({"a": "part", "b": "part"}, InvalidArgument, "columns of their own, but it has two of 'part"),
    ],
)
def test_wrong_factors(factors, error, sentence):
    fit = ist.from_statsmodels(smf.ols("murder ~ part + single", parts_of_crime()).fit())
    with pytest.raises(error, match=sentence):
        fit.variance_inflation(factors=factors)
