"""A cluster that alone determines a coefficient has no residual there: the coefficient is named, once."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import influstat as ist
from influstat.errors import DoubtfulResult
from influstat.statistics.alone import own_clusters
from influstat.statistics.setting import read_setting

N, G = 120, 8


def table(seed=0):
    """Return rows of clusters, of which the third alone is treated."""
    rng, g = np.random.default_rng(seed), np.arange(N) % G
    late = (np.arange(N) % 5 > 2) * 1.0
    y = rng.normal(size=N) + rng.normal(size=G)[g]
    frame = pd.DataFrame({"x": rng.normal(size=N), "g": g, "treated": (g == 2) * 1.0, "late": late, "y": y})
    frame["unit"] = frame.g + G * (np.arange(N) // G % 3)
    return frame.assign(label=(y > 0.0) * 1, count=np.floor(np.exp(0.3 * y + 1.0)), area=(g % 4) * 1.0)


def said(ask):
    """Return what is warned of."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", DoubtfulResult)
        ask()
    return [str(one.message) for one in found]


FORMULAS = {
    "x + treated": ("2", ["treated"]),
    "x + treated * late": ("2", ["treated", "treated:late"]),
    "x + C(g) + treated:late": ("2", ["treated:late"]),  # effects of the clusters themselves are not named
    "x + C(g) * late": ("0", ["late"]),  # nor those of units within clusters
    "x + treated:late + late + C(unit)": ("2", ["treated:late"]),
    "x + treated:late + late + C(unit, Sum)": ("2", ["treated:late"]),
    "x + treated:x + C(unit, Helmert)": ("2", ["treated:x"]),
    "x + C(unit)": None,
    "x + C(unit, Sum)": None,
    "x + C(unit, Helmert)": None,
    "x + C(unit, Poly)": None,
    "x + C(unit, Diff)": None,
    "x + C(unit) - 1": None,
    "x + C(g)": None,
    "x + C(g) - 1": None,
    "x + C(g, Sum)": None,
    "x + late": None,
    "x + C(area)": None,  # two clusters of each level
}
MODELS = {
    "OLS": lambda formula, rows: smf.ols(f"y ~ {formula}", rows).fit(),
    "far": lambda formula, rows: smf.ols(f"y ~ {formula}", rows.assign(x=rows.x + 1e6)).fit(),
    "Poisson": lambda formula, rows: smf.glm(f"count ~ {formula}", rows, family=sm.families.Poisson()).fit(),
}


@pytest.mark.parametrize("kind", ["cluster", "CR2"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("formula", FORMULAS)
def test_coefficients_of_one_cluster_are_named_with_it(formula, model, kind):
    rows = table()
    fit = ist.from_statsmodels(MODELS[model](formula, rows), polish=True)
    found = said(lambda: fit.covariance(kind, groups=rows.g))
    if FORMULAS[formula] is None:
        assert found == []
        return
    cluster, names = FORMULAS[formula]
    verb = "determine" if "more" in cluster else "determines"
    assert len(found) == 1
    assert f"Cluster {cluster} alone {verb} {', '.join(names)}" in found[0]
    assert said(lambda: fit.inference(kind, groups=rows.g)) == []  # it has been said


@pytest.mark.parametrize("seed", range(6))
def test_they_are_those_that_the_other_clusters_leave_undetermined(seed):
    rng, rows = np.random.default_rng(seed), table(seed)
    clusters = rng.integers(0, 5, N)
    X = np.column_stack([np.ones(N), rows.x, (clusters == 1) * rng.normal(size=N), clusters == 3, rows.late])
    weights = 0.5 + np.arange(N) % 3
    fit = ist.from_statsmodels(sm.WLS(rows.y, X, weights=weights).fit())
    own, hang = own_clusters(fit, read_setting(fit, "cluster", groups=clusters))
    truth = [np.linalg.matrix_rank(X[clusters != k]) < X.shape[1] for k in range(5)]
    assert own.tolist() == np.flatnonzero(truth).tolist()
    for k, mine in zip(own, hang, strict=True):
        null = np.linalg.svd(X[clusters != k])[2][-1]
        np.testing.assert_array_equal(mine, np.abs(null) > 1e-9)


def test_a_penalty_that_holds_it_is_no_cluster_alone():
    rows = table()
    fit = ist.Ridge(lam=1.0).fit(rows[["x", "treated"]], rows.y)
    assert said(lambda: fit.covariance("cluster", groups=rows.g)) == []


def test_the_named_standard_error_is_far_below_that_of_independent_rows():
    rng, found = np.random.default_rng(3), []
    for _ in range(8):
        fit = ist.from_statsmodels(smf.ols("y ~ x + treated", table().assign(y=rng.normal(size=N))).fit())
        with pytest.warns(DoubtfulResult, match="Cluster 2 alone determines treated"):
            clustered = fit.inference("cluster", groups=table().g).table.standard_errors[2]
        found.append(clustered / fit.inference("model").table.standard_errors[2])
    assert np.mean(found) < 0.6


@pytest.mark.parametrize("kind", ["HC0", "HC1"])
def test_a_row_without_which_nothing_is_determined_is_named(kind):
    rows = pd.DataFrame({"x": [8.0] * 10 + [19.0], "y": table().y[:11]})  # as Anscombe's fourth
    fit = ist.from_statsmodels(smf.ols("y ~ x", rows).fit())
    with pytest.warns(DoubtfulResult, match="Row 10 has leverage 1: nothing else determines Intercept, x"):
        fit.covariance(kind)


def test_rows_without_a_residual_are_said_once():
    rows = table()[:3]
    fit = ist.from_statsmodels(smf.ols("y ~ x + late", rows.assign(late=[0.0, 1.0, 0.0])).fit())
    assert len(said(lambda: fit.covariance("HC0"))) == 1
