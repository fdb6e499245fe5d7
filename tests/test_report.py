"""The table of one coefficient: refits by statsmodels, leverage and Cook's distance by their definitions."""

import importlib.util
from functools import cache

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType, Unsupported
from tests.argument_calls import GROUPS, LABELS, N, X, Y
from tests.tolerance import CHANGES, CLOSED_FORM, SOLVED, STANDARD_ERRORS

FORMULA = "murder ~ urban + poverty + hs_grad + single"
CRIME = sm.datasets.statecrime.load_pandas().data
REGIONS = pd.Series(np.arange(51) % 7, index=CRIME.index, name="region").map("region {}".format)
NUMBERS = ["estimates", "standard_errors", "lower", "upper", "p_values"]
WITH_PLOTS = pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib")


MODEL = sm.OLS.from_formula(FORMULA, CRIME)


def results_without(rows=(), **options):
    kept = ~CRIME.index.isin(rows)
    model = MODEL if kept.all() else sm.OLS(MODEL.endog[kept], MODEL.data.orig_exog[kept])
    return model.fit(**options)


@cache
def crime(kind="HC3"):
    return ist.from_statsmodels(results_without(cov_type=kind))


def line_of(results, name):
    limits = results.conf_int().loc[name]
    values = [getattr(results, one)[name] for one in ("params", "bse", "pvalues")]
    return np.array([values[0], values[1], limits[0], limits[1], values[2]])


# -- what is in it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nonrobust", "HC3"])
def test_each_row_has_its_refit(kind):
    frame = crime(kind).report("single").to_frame()
    every = pd.Series({state: results_without([state]).params["single"] for state in CRIME.index})
    change = (every - results_without().params["single"]).abs().sort_values(ascending=False)
    assert frame.index.tolist() == change.index[:8].tolist()
    assert frame.index.name == "state"
    for state, line in frame.iterrows():
        truth = line_of(results_without([state], cov_type=kind), "single")
        np.testing.assert_allclose(line[NUMBERS].astype(float), truth, rtol=STANDARD_ERRORS)
    measures = crime(kind).diagnostics(["hat_diag", "cooks_d"]).loc[frame.index]
    pd.testing.assert_frame_equal(frame[["hat_diag", "cooks_d"]], measures, check_like=True)
    whole = [frame.attrs["all_rows"][name] for name in NUMBERS]
    np.testing.assert_allclose(whole, line_of(results_without(cov_type=kind), "single"), rtol=STANDARD_ERRORS)


def test_each_group_has_its_refit_its_leverage_and_its_distance():
    fit = crime("nonrobust")
    clusters = fit.inference("cluster", groups=REGIONS)
    frame = fit.report("poverty", top=3, groups=REGIONS, inference=clusters).to_frame()
    whole = results_without()
    S, design = whole.model.exog.T @ whole.model.exog, pd.DataFrame(whole.model.exog, index=CRIME.index)
    hat = pd.Series(whole.get_influence().hat_matrix_diag, index=CRIME.index)
    assert len(frame) == 3
    assert design.shape == (51, 5)
    changes = []
    for region, line in frame.iterrows():
        out = REGIONS.index[region == REGIONS]
        kept = REGIONS.drop(out)
        refit = results_without(out, cov_type="cluster", cov_kwds={"groups": pd.factorize(kept)[0]})
        changes.append(abs(refit.params["poverty"] - whole.params["poverty"]))
        assert line["estimates"] == pytest.approx(refit.params["poverty"], rel=SOLVED)
        assert line["standard_errors"] == pytest.approx(refit.bse["poverty"], rel=STANDARD_ERRORS)
        assert line["hat_diag"] == pytest.approx(hat[out].sum(), rel=SOLVED)
        delta = (refit.params - whole.params).to_numpy()
        assert line["cooks_d"] == pytest.approx(delta @ S @ delta / (5 * whole.scale), rel=CHANGES)
    assert changes == sorted(changes, reverse=True)


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
def test_the_distance_of_a_group_counts_the_penalty(protocol):
    fit = ist.Ridge(lam=2.0, protocol=protocol).fit(X, Y)
    frame = fit.report(1, top=9, groups=GROUPS).to_frame()
    hessian = fit.hessian.to_dense() * N
    hat = fit.diagnostics("hat_diag")["hat_diag"].to_numpy()
    phi = 2.0 * np.square(Y - X @ fit.theta).sum() / (N - hat.sum())  # of the loss (y - eta)^2
    for group, line in frame.iterrows():
        delta = fit.leave_groups_out({0: np.flatnonzero(group == GROUPS)}).delta[0]
        distance = delta @ hessian @ delta / (phi * hat.sum())
        assert line["cooks_d"] == pytest.approx(distance, rel=SOLVED)


def test_groups_of_a_row_each_have_the_distance_of_that_row():
    fit = ist.Ridge(lam=0.0).fit(X, Y)
    rows, groups = (fit.report(2, top=3, groups=one).to_frame() for one in (None, np.arange(N)))
    assert rows.index.tolist() == groups.index.tolist()
    np.testing.assert_allclose(groups[["hat_diag", "cooks_d"]], rows[["hat_diag", "cooks_d"]], rtol=SOLVED)


def test_inference_is_that_without_sets():
    logit = ist.Logistic(lam=0.1).fit(X, LABELS)
    inference = logit.inference("HC0", level=0.8)
    frame = logit.report(1, top=2, groups=GROUPS, inference=inference).to_frame()
    found = inference.leave_groups_out(GROUPS).to_frame()
    for group, line in frame.iterrows():
        truth = found.loc[(group, "x1"), NUMBERS]
        np.testing.assert_allclose(line[NUMBERS].astype(float), truth, rtol=CLOSED_FORM)


# -- flags --------------------------------------------------------------------------------------------------


def test_flags_are_those_of_the_row_and_this_coefficient():
    frame = crime().report("urban", top=51).to_frame()
    flags = crime().flags()
    for state, line in frame.iterrows():
        truth = ["dfbetas"] if flags.loc[state, "dfb_urban"] else []
        truth += [name for name in ("dffits", "cov_ratio", "cooks_d", "hat_diag") if flags.loc[state, name]]
        assert [one for one in line["flags"].split(", ") if one and "changes" not in one] == truth


FALLING, NOISE = [1.0, 0.45, 0.05, -0.55, -0.95], [0.3, -0.2, 0.1, 0.2, -0.3]


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([*FALLING, 12.0], "sign changes"),
        ([*FALLING, 0.0], "significance changes"),  # significant without the last row alone
        ([*NOISE, 12.0], "sign changes, significance changes"),  # significant with the last row alone
        ([*NOISE, -0.5], ""),
    ],
)
def test_changes_of_sign_and_significance_are_flagged(y, words):
    design = np.column_stack([np.ones(6), [-1.0, -0.5, 0.0, 0.5, 1.0, 10.0]])
    fit = ist.Ridge(lam=0.0).fit(design, y, names=["one", "x"])
    flags = fit.report("x", top=6).to_frame()["flags"]
    assert ", ".join(one for one in flags[5].split(", ") if "changes" in one) == words
    whole, without = fit.inference().table, fit.inference().leave_groups_out(np.arange(6))
    significant = (without.to_frame("p_values")["x"] < 0.05) != (whole.p_values[1] < 0.05)
    other_sign = without.to_frame("estimates")["x"] * fit.theta[1] < 0.0
    assert flags.sort_index().str.contains("significance changes").tolist() == significant.tolist()
    assert flags.sort_index().str.contains("sign changes").tolist() == other_sign.tolist()


def test_groups_are_not_flagged_by_rules_for_rows():
    found = crime("nonrobust").report("poverty", groups=REGIONS)
    assert (found.measures["cooks_d"] > 1.0).any()  # beyond the rule for single rows
    words = {one for text in found.to_frame()["changes"] for one in text.split(", ")}
    assert words <= {"", "sign changes", "significance changes"}
    for text in (repr(found), found._repr_html_()):
        assert "leverage (sum)" in text
        assert "No flags: Fit.flags has rules for single rows, not for groups" in text
        assert " flags" not in text.split("Estimated anew")[0]
    assert "leverage (sum)" not in crime().report("poverty")._repr_html_()


@pytest.mark.parametrize("slope", [0.0, 9.0])  # the sign of none or of some changes without a row
def test_where_no_rule_is_there_the_footer_says_so(slope):
    x = np.arange(6.0)
    results = sm.RLM(slope * x + [*NOISE, 0.1], sm.add_constant(x), M=sm.robust.norms.LeastSquares()).fit()
    found = ist.from_statsmodels(results).report(1, top=6)
    changed = any(found.flags)
    assert changed == (slope == 0.0)
    assert ("changes" in found.table()) == changed
    for text in (repr(found), found._repr_html_()):
        assert "No flags: Fit.flags has no rules for the rows of this fit" in text
        assert ("neither sign nor significance changes" in text) != changed


# -- what it looks like -------------------------------------------------------------------------------------


def test_it_prints_all_rows_first_and_its_covariance():
    lines = repr(crime().report("single", top=2)).splitlines()
    assert lines[0] == "single with all 51 rows, and without each of the rows that move it"
    header = "leverage Cook's distance estimate standard error 95 % interval p flags"
    assert " ".join(lines[1].split()) == header
    assert " ".join(lines[2].split()) == "all rows 0.63737 0.25332 0.14087 to 1.1339 0.0119"
    first = " ".join(lines[3].split())
    assert first.startswith(
        "District of Columbia 0.743 4.75 0.39165 0.13664 0.12384 to 0.65946 0.0042 dfbetas"
    )
    assert lines[3].endswith("dfbetas, dffits, cov_ratio, cooks_d, hat_diag")
    assert lines[5] == "Estimated anew without each, with the 'HC3' covariance (normal)."
    assert "of the groups that move it" in repr(crime().report("single", groups=REGIONS))
    assert "(t with 46 degrees of freedom for all rows)" in repr(crime("nonrobust").report("single", top=1))
    assert "no tests of an unpenalised" in repr(ist.Ridge(lam=1.0).fit(X, Y).report(0))


def test_notebooks_get_html_and_text_of_rows_stays_text():
    fit = ist.Ridge(lam=0.0).fit(X, Y, row_labels=[f"<b>{k}" for k in range(N)], names=["<i>a", "b", "c"])
    html = fit.report("<i>a", top=2)._repr_html_()
    assert "<b>" not in html
    assert "<i>" not in html
    assert "&lt;b&gt;" in html
    assert html.count("<tr") == 4


def test_small_p_values_and_levels():
    fit = crime()
    clusters = fit.inference("cluster", groups=REGIONS, level=0.9)
    report = fit.report("poverty", top=1, groups=REGIONS, inference=clusters)
    assert report.whole["p_values"] < 1e-4 < report.values["p_values"][0]
    assert report.table()["p"].tolist() == ["< 0.0001", f"{report.values['p_values'][0]:.4f}"]
    assert "90 % interval" in report.table()


def test_rows_are_called_as_their_index_is():
    both = pd.MultiIndex.from_product([["a", "b"], range(N // 2)], names=["firm", "year"])
    table = pd.DataFrame({"y": Y, "x": X[:, 1]}, index=both)
    report = ist.from_statsmodels(sm.OLS.from_formula("y ~ x", table).fit()).report("x", top=2)
    assert report.to_frame().index.names == ["firm", "year"]
    assert set(report.table().index[1:]) <= {str(label) for label in both}
    days = pd.date_range("2020-02-01", periods=2).repeat(N // 2)
    by_day = ist.Ridge(lam=0.0).fit(X, Y).report("x1", groups=days)
    assert sorted(by_day.table().index) == ["2020-02-01", "2020-02-02", "all rows"]


@WITH_PLOTS
def test_its_forest_plot_has_every_line_and_interval():
    import matplotlib.pyplot as plt

    report = crime().report("single", top=3)
    ax = report.plot()
    texts = [label.get_text() for label in ax.get_yticklabels()]
    assert texts == ["all rows", *(f"without {state}" for state in report.to_frame().index)]
    drawn = [
        line.get_xdata()
        for line in ax.lines
        if len(line.get_xdata()) == 2 and len(set(line.get_ydata())) == 1
    ]
    frame = report.to_frame()
    np.testing.assert_array_equal(drawn[1:], frame[["lower", "upper"]])
    assert "single, 95 % intervals" in ax.get_xlabel().replace("\n", " ")
    assert report.plot(ax=plt.subplots()[1]).figure is plt.gcf()
    plt.close("all")


# -- where something is missing -----------------------------------------------------------------------------


def test_a_row_that_alone_determines_the_coefficient_says_so():
    alone = np.column_stack([X, np.arange(N) == 3])
    fit = ist.Ridge(lam=0.0).fit(alone, Y, names=["one", "a", "b", "dummy"], row_labels=list("ABCDEFGH"))
    with pytest.warns(DoubtfulResult, match="1 of 2 lines of the report hold a nan.*without 'D'") as caught:
        report = fit.report("dummy", top=2)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    frame = report.to_frame()
    assert frame.index[0] == "D"
    assert frame.loc["D", NUMBERS].isna().all()
    assert frame["status"].ne("").tolist() == [True, False]
    assert report.table().loc["D", "p"] == "-"
    assert "D: " in repr(report)


def test_a_dummy_of_one_row_does_not_trouble_other_coefficients():
    alone = np.column_stack([X, np.arange(N) == 3])
    report = ist.Ridge(lam=0.0).fit(alone, Y).report("x1", top=3)
    assert report.status == ("",) * 3
    assert not np.isnan(report.values["p_values"]).any()


def test_losses_without_variance_have_leverages_alone():
    fit = ist.SmoothedSVC(lam=1.0, t=0.1).fit(X[:, 1:], 2 * LABELS - 1)
    with pytest.raises(Unsupported, match="loss with a variance"):
        fit.report("x0")
    frame = fit.report("x0", top=2, inference=fit.inference("HC0")).to_frame()
    assert list(frame) == ["hat_diag", *NUMBERS, "changes", "status"]
    groups = fit.report("x0", top=2, groups=GROUPS, inference=fit.inference("HC0")).to_frame()
    assert list(groups) == list(frame)


def test_risks_without_leverages_have_neither():
    results = sm.MNLogit(np.arange(40) % 3, sm.add_constant(np.sin(np.arange(40.0)))).fit(disp=0)
    fit = ist.from_statsmodels(results)
    for groups in (None, np.arange(40) // 10):
        frame = fit.report(1, top=2, groups=groups).to_frame()
        assert list(frame)[-7:] == [*NUMBERS, "changes", "status"]
        assert frame["p_values"].notna().all()


@pytest.mark.parametrize(
    ("arguments", "kind", "sentence"),
    [
        ({"coefficient": "singel"}, InvalidArgument, "coefficient must be the name of one.*'single'"),
        ({"coefficient": ["single", "urban"]}, InvalidType, "one coefficient.*Ask for one at a time"),
        ({"coefficient": 5}, InvalidArgument, "coefficient must be a name or a position below 5"),
        ({"coefficient": None}, InvalidType, "coefficient must be"),
        ({"coefficient": True}, InvalidType, "coefficient must be"),
        ({"top": 0}, InvalidArgument, "top must be"),
        ({"groups": "county"}, InvalidArgument, "groups must name a column"),
        ({"inference": "HC3"}, InvalidType, "inference must be an Inference"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, kind, sentence):
    with pytest.raises(kind, match=sentence):
        crime().report(**{"coefficient": "single"} | arguments)


def test_inference_of_another_fit_is_refused():
    with pytest.raises(InvalidArgument, match="inference must be about this fit"):
        crime().report("single", inference=crime("nonrobust").inference())


def test_coefficients_that_are_not_determined_are_refused():
    twice = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, Y))
    assert twice.report(1, top=1).coefficient == "x1"
    risk = ist.LinearRisk(ist.SquaredError(), np.column_stack([X, X[:, 1]]), Y)
    fit = ist.Fit(risk, np.append(twice.theta, 0.0))
    with pytest.raises(InvalidArgument, match="coefficient must be one that the rows determine"):
        fit.report("x3")
    with pytest.warns(DoubtfulResult, match="nan for 2 of 4 coefficients: x1, x3"):
        found = fit.report("x2", top=2)
    np.testing.assert_allclose(
        found.to_frame()[NUMBERS], twice.report("x2", top=2).to_frame()[NUMBERS], rtol=STANDARD_ERRORS
    )
