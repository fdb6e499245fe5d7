"""`fit.plot`: settings that all pictures share, wrong arguments, and rows that are nan."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType, Unsupported
from influstat.statistics.pictures import FitPlots
from tests.fit_plot_cases import ETA, FITS, N, X, frame, named

RNG = np.random.default_rng(23)


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")
    yield
    plt.close("all")


# -- what all share ---------------------------------------------------------------------------------------

TESTS = {"X": frame(X)[:2], "y": [0.0, 1.0]}
IMAGES = RNG.integers(0, 255, (N, 4))
PANELS = {
    "dfbetas": 1,
    "solvers": 2,
    "removal_report": 4,
    "helpful_and_harmful": 2,
    "overview": 4,
    "indices": 4,
    "added_variables": 3,
    "component_residuals": 3,
    "factors": 3,
}
PICTURES = {
    "bubble": {}, "index": {}, "dfbetas": {"coefficients": ["a"]}, "cooks_contours": {}, "residuals": {},
    "qq": {"simulations": 5}, "added_variable": {"column": "a"}, "component_residual": {"column": "a"},
    "forest": {"coefficient": "a"}, "groups": {"groups": np.arange(N) % 5, "coefficient": "a"},
    "predicted_against_exact": TESTS, "loss_change": TESTS, "solvers": TESTS, "removal_report": TESTS,
    "distance": TESTS, "helpful_and_harmful": {"images": IMAGES, **TESTS}, "overview": {"simulations": 3},
    "indices": {}, "scale_location": {}, "added_variables": {}, "component_residuals": {},
    "levels": {"factor": np.arange(N) % 3}, "factors": {name: value[:1] for name, value in TESTS.items()},
}  # fmt: skip
LEVELS = frame(X).assign(level=(np.arange(N) % 3 == 1).astype(float))
USUAL = {
    "distance": FITS["Logit"], "factors": FITS["Logit"],  # a boundary is between two classes
    "levels": ist.from_statsmodels(sm.OLS(pd.Series(ETA + RNG.normal(size=N), LEVELS.index), LEVELS).fit()),
}  # fmt: skip
each_picture = pytest.mark.parametrize("picture", PICTURES)


def draw(picture, fit=None, **settings):
    usual = USUAL.get(picture, FITS["OLS"])
    method = getattr((usual if fit is None else fit).plot, picture)
    return np.atleast_1d(method(**{**PICTURES[picture], **settings}))[0]


def test_every_picture_is_in_the_table():
    assert {name for name in dir(FitPlots) if not name.startswith("_")} == set(PICTURES)
    assert all(f".{name}()" in repr(FITS["OLS"].plot) for name in PICTURES)


@pytest.mark.dear(11)
@each_picture
def test_title_size_names_and_ax(picture):
    ax = draw(picture, title="a title", size=(6.0, 4.5), names=1)
    titles = [ax.get_title(), ax.figure.get_suptitle()]
    assert "a title" in titles
    assert ax.figure.get_size_inches() == pytest.approx([6.0, 4.5])
    assert picture in ("forest", "helpful_and_harmful", "bubble") or len(named(ax)) == 1
    assert picture != "bubble" or 1 <= len(named(ax)) <= 3  # one of each measure
    count = PANELS.get(picture, 0)
    mine = plt.subplots(1, max(count, 1), squeeze=False)[1][0]
    few = {"names": 1} if picture == "helpful_and_harmful" else {}
    assert draw(picture, ax=mine if count else mine[0], **few) is mine[0]
    assert len(plt.get_fignums()) == 2


@pytest.mark.dear(11)
@each_picture
def test_text_is_of_nine_points_at_least(picture):
    ax = draw(picture, title="a title")
    ax.figure.draw_without_rendering()
    texts = [
        *ax.texts,
        *ax.get_xticklabels(),
        *ax.get_yticklabels(),
        ax.xaxis.label,
        ax.yaxis.label,
        ax.title,
    ]
    assert min(text.get_fontsize() for text in texts) >= 9.0


@each_picture
@pytest.mark.parametrize(
    ("settings", "error", "sentence"),
    [
        ({"names": -1}, InvalidArgument, "names must be at least"),
        ({"names": "all"}, InvalidType, "names must be a whole number"),
        ({"title": 3}, InvalidType, "title must be text"),
        ({"size": 4}, InvalidType, "size must be a pair of numbers, .*, but it is 4. Pass"),
        ({"size": "big"}, InvalidType, r"size must be a pair .* is 'big'. Pass size=.4.0, 3.0., for"),
        ({"size": (4, 3, 2)}, InvalidArgument, "size must be a pair of numbers, width and height in inches"),
        ({"size": (640, 480)}, InvalidArgument, "size must be at most 100 inches"),
        ({"size": (0, 3)}, InvalidArgument, r"size\[0\] must be at least 1"),
        ({"ax": "axes"}, InvalidArgument, "ax must"),
    ],
)
def test_wrong_settings(picture, settings, error, sentence):
    with pytest.raises(error, match=sentence):
        draw(picture, **settings)
    assert not plt.get_fignums()


def test_a_size_is_for_a_new_figure_only():
    with pytest.raises(InvalidArgument, match="size must be left out where ax is given"):
        FITS["OLS"].plot.index(size=(4, 3), ax=plt.subplots()[1])


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda plot: plot.index("cook"),
            InvalidArgument,
            "measure must be one of cooks_d, .* but it is 'cook'",
        ),
        (lambda plot: plot.index("dfb_none"), InvalidArgument, "dfb_ or dfbeta_ before the name"),
        (lambda plot: plot.index(rules="SAS"), InvalidArgument, "rules must be"),
        (lambda plot: plot.dfbetas([]), InvalidArgument, "coefficients must name 1 to 24"),
        (lambda plot: plot.dfbetas(["a", "a"]), InvalidArgument, "coefficients must name 1 to 24"),
        (lambda plot: plot.dfbetas("a"), InvalidType, "coefficients must be a list"),
        (lambda plot: plot.dfbetas(["age"]), InvalidArgument, r"coefficients\[0\] must be the name"),
        (lambda plot: plot.residuals("resid_std"), InvalidArgument, "kind must be"),
        (lambda plot: plot.qq(level=1.0), InvalidArgument, "level must be between 0 and 1"),
        (lambda plot: plot.qq(simulations=-1), InvalidArgument, "simulations must be at least 0"),
        (lambda plot: plot.added_variable("age"), InvalidArgument, "column must be the name of one"),
        (lambda plot: plot.component_residual(9), InvalidArgument, "column must be a name or a position"),
        (lambda plot: plot.groups([1, 2], "a"), InvalidArgument, "groups"),
        (lambda plot: plot.groups(np.arange(N) % 3, "age"), InvalidArgument, "coefficient must be the name"),
    ],
)
def test_wrong_arguments(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call(FITS["OLS"].plot)
    assert not plt.get_fignums()


def test_a_fit_without_linear_predictor_says_so():
    fit = ist.Fit.minimise(ist.SoftmaxRisk(X, np.arange(N) % 3, penalty=ist.L2(1.0)))
    for picture in ("bubble", "residuals", "qq", "cooks_contours"):
        with pytest.raises(Unsupported, match="one linear predictor per row"):
            draw(picture, fit)


# -- rows that are nan ------------------------------------------------------------------------------------


def with_a_row_of_leverage_one():
    rng = np.random.default_rng(717)
    table = frame(X).assign(only=np.arange(N) == 7).astype(float)
    return ist.from_statsmodels(sm.OLS(ETA + rng.normal(size=N), table).fit())


@pytest.mark.parametrize("picture", ["bubble", "index", "dfbetas", "cooks_contours", "qq"])
def test_rows_that_are_nan_are_left_out_and_counted(picture):
    fit = with_a_row_of_leverage_one()
    with pytest.warns(DoubtfulResult, match="1 of 60 rows have measures that do not exist") as caught:
        ax = draw(picture, fit)
    assert f"(1 of {N} rows is nan and not drawn)" in ax.get_xlabel()
    assert len(caught) == 1
    counts = [len(part.get_offsets()) for part in ax.collections if len(part.get_offsets()) > 1]
    assert N - 1 in [*counts, *(len(c.get_segments()) for c in ax.collections if hasattr(c, "get_segments"))]


def test_rows_without_weight_have_no_residual_and_are_counted():
    rng = np.random.default_rng(716)
    weights = np.where(np.arange(N) < 3, 0.0, 1.0)
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, ETA + rng.normal(size=N), weights=weights))
    for picture in (fit.plot.qq(simulations=5), fit.plot.added_variable(1)):
        assert f"(3 of {N} rows are nan and not drawn)" in picture.get_xlabel()
