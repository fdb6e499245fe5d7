"""Input that plots refuse, and what they do without matplotlib."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

import influstat as ist
from influstat import plots
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType, MissingDependency
from tests.plot_cases import EXACT, IMAGES, PREDICTED


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")  # doctests that ran before in this process leave some open
    yield
    plt.close("all")


LEVERAGE_ONE = (
    r"^1 of 3 rows hold nan and are not drawn; the first is b. A row of leverage 1 .* is fitted exactly"
)
WITH_NAN, NAMED = [0.1, np.nan, 0.3], {"row_labels": ["a", "b", "c"]}
PLAIN = [0.1, 1.0, 0.3]


def offsets(ax):
    return np.concatenate([np.asarray(part.get_offsets()) for part in ax.collections])


def stems(ax):
    return np.array([segment[1] for segment in ax.collections[0].get_segments()])


def ticks(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


DRAWN = {  # a plot of three rows, the second of which holds a nan, and what is drawn of the two others
    "index": (lambda: stems(plots.influence_index(WITH_NAN, **NAMED)), [[0.0, 0.1], [2.0, 0.3]]),
    "residual": (
        lambda: offsets(plots.influence_bubble(PLAIN, WITH_NAN, PLAIN, **NAMED)), [[0.1, 0.1], [0.3, 0.3]]
    ),
    "Cook's distance": (
        lambda: offsets(plots.influence_bubble(PLAIN, PLAIN, WITH_NAN, **NAMED)), [[0.1, 0.1], [0.3, 0.3]]
    ),
    "leverage": (
        lambda: offsets(plots.influence_bubble(WITH_NAN, PLAIN, PLAIN, **NAMED)), [[0.1, 0.1], [0.3, 0.3]]
    ),
    "predicted": (
        lambda: offsets(plots.predicted_against_exact(WITH_NAN, PLAIN, **NAMED)), [[0.1, 0.1], [0.3, 0.3]]
    ),
    "exact, with classes": (
        lambda: offsets(plots.predicted_against_exact(PLAIN, WITH_NAN, classes=[0, 0, 1], **NAMED)),
        [[0.1, 0.1], [0.3, 0.3]],
    ),
    "a solver": (
        lambda: offsets(plots.solver_panels({"CG": PLAIN, "LiSSA": WITH_NAN}, PLAIN, **NAMED)[0]),
        [[0.1, 0.1], [0.3, 0.3]],
    ),
    "forest": (
        lambda: ticks(plots.coefficient_forest(
            1.0, WITH_NAN, intervals_without=[[0.0, 1.0], [np.nan, np.nan], [0.0, 1.0]], **NAMED
        )),
        ["all rows", "without a", "without c"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_rows_that_hold_a_nan_are_left_out_and_said_so(name):
    """As R does: the others are drawn, under their own names and at their own places."""
    call, expected = DRAWN[name]
    with pytest.warns(DoubtfulResult, match=LEVERAGE_ONE):
        found = call()
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "call",
    [
        plots.influence_index,
        lambda nan: plots.influence_bubble(PLAIN, nan, PLAIN),
        lambda nan: plots.coefficient_forest(1.0, nan),
        lambda nan: plots.predicted_against_exact(PLAIN, nan),
    ],
)
def test_nothing_but_nan_is_refused(call):
    with pytest.raises(InvalidArgument, match="hold a number in some row, but it holds a nan in every row"):
        call([np.nan] * 3)


def test_our_own_diagnostics_are_drawn_without_their_rows_of_leverage_one():
    X = np.column_stack([np.ones(8), np.arange(8.0), np.arange(8) == 5])
    fit = ist.Ridge(lam=0.0).fit(X, [1.0, 2.0, 2.5, 4.0, 5.5, 9.0, 7.0, 8.5])
    with pytest.warns(DoubtfulResult, match="do not exist"):
        table = fit.diagnostics()
    with pytest.warns(DoubtfulResult, match="^1 of 8 rows hold nan and are not drawn; the first is 5"):
        assert len(stems(plots.influence_index(table["cooks_d"]))) == 7
    with pytest.warns(DoubtfulResult, match="^1 of 8 rows hold nan"):
        ax = plots.influence_bubble(
            table["hat_diag"],
            table["student_resid"],
            table["cooks_d"],
            row_labels=table.index,
            coefficients=3,
        )
    assert len(offsets(ax)) == 7


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: plots.predicted_against_exact([1.0, 2.0], [1.0]), r"exact must have shape \(2,\)"),
        (lambda: plots.predicted_against_exact([1.0, np.inf], [1.0, 2.0]), "predicted must be finite"),
        (
            lambda: plots.predicted_against_exact([1.0, 2.0], [1.0, 2.0], row_labels=["a"]),
            r"row_labels must have shape \(2,\)",
        ),
        (lambda: plots.solver_panels({}, [1.0]), "predictions must name at least one solver"),
        (lambda: plots.factor_panels([1.0], {}, same_label=[True]), "variants must name at least one"),
        (
            lambda: plots.factor_panels([1.0], {"a": [1.0]}, same_label=[True], equal_units=["b"]),
            "equal_units must name variants",
        ),
        (lambda: plots.image_panels([[1.0]], []), "titles must name 1 pictures"),
        (lambda: plots.search_curves([1, 2], {}), "found must hold 1 to 7 rankings"),
        (lambda: plots.search_curves([1, 2], {"a": [0.1]}), r"must have shape \(seeds, 2\)"),
        (
            lambda: plots.coefficient_forest(1.0, [1.0, 2.0], interval=(2.0, 0.0)),
            r"interval must hold lower ends before upper ends, but it has \[2.0, 0.0\]",
        ),
        (
            lambda: plots.coefficient_forest(1.0, [1.0, 2.0], intervals_without=[[0.0, 1.0]]),
            r"intervals_without must have shape \(2, 2\)",
        ),
        (
            lambda: plots.influence_against_distance(np.ones(8), np.ones(8), classes=range(8)),
            "classes must hold at most 7 kinds",
        ),
        (
            lambda: plots.predicted_against_exact([1.0, 2.0], [1.0, 2.0], classes=[1]),
            r"classes must have shape \(2,\)",
        ),
        (lambda: plots.solver_panels({"a": [1.0]}, [1.0], columns=0), "columns must be at least 1"),
        (lambda: plots.image_panels(IMAGES[:2], ["a", "b"], columns=0), "columns must be at least 1"),
        (lambda: plots.image_panels(IMAGES[:2], ["a", "b"], frames=["red"]), "frames must name 2 pictures"),
        (lambda: plots.image_panels(IMAGES[:1], ["a"], frames=["rot"]), "frames must hold colours"),
        (
            lambda: plots.image_panels(IMAGES[:2].reshape(2, 4, 4), ["a", "b"], shape=(2, 8)),
            "shape must be a",
        ),
        (
            lambda: plots.image_panels(np.ones((2, 4, 4, 3)), ["a", "b"]),
            r"images must have shape \(k, pixels\)",
        ),
        (lambda: plots.image_panels([], []), r"images must have shape \(k, pixels\)"),
        (lambda: plots.factor_panels([1.0], {"a": [1.0]}, same_label=[True, False]), "same_label must have"),
        (lambda: plots.factor_panels([1.0, 2.0], {"a": [1.0, 2.0]}, same_label=[-1, 1]), "holds -1 at row 0"),
        (
            lambda: plots.factor_panels([1.0, 2.0], {"a": [1.0, 2.0]}, same_label=[1.0, np.nan]),
            "same_label must hold booleans, or 0 and 1, but it holds nan at row 1",
        ),
        (
            lambda: plots.factor_panels([1.0, 2.0], {"a": [1.0, 2.0]}, same_label=[True, None]),
            "same_label must hold booleans, or 0 and 1, but it holds None at row 1",
        ),
        (
            lambda: plots.search_curves([1, 2], {"a": [50.0, 80.0]}),
            r"found\['a'\] must hold shares of 0 to 1, but it holds 50. Divide percentages by 100",
        ),
        (lambda: plots.search_curves([1, 2], {"a": [-0.1, 0.5]}), "shares of 0 to 1, but it holds -0.1"),
        (
            lambda: plots.search_curves([1, 2], {"a": [0.1, 0.5]}, total_rows=1),
            "total_rows must be at least 2",
        ),
        (lambda: plots.search_curves([-1, 2], {"a": [0.1, 0.5]}), "checked must be at least 0"),
        (lambda: plots.influence_index([1, 2, 3], threshold=np.nan), "threshold must be finite"),
        (
            lambda: plots.influence_bubble([0.1], [0.1], [0.1], coefficients=0),
            "coefficients must be greater than 0",
        ),
    ],
)
def test_bad_input(call, sentence):
    with pytest.raises(InvalidArgument, match=sentence):
        call()
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: plots.influence_index(["a", "b"]), "values must hold real numbers"),
        (lambda: plots.influence_index([1, 2, 3], threshold="x"), "threshold must be a real number"),
        (
            lambda: plots.influence_bubble([0.1], [0.1], [0.1], coefficients="a"),
            "coefficients must be a real number",
        ),
        (
            lambda: plots.factor_panels([1.0, 2.0], {"a": [1.0, 2.0]}, same_label=["no", "yes"]),
            "same_label must hold booleans, or 0 and 1, but it has dtype <U3",
        ),
        (lambda: plots.solver_panels([[1.0]], [1.0]), "predictions must map names to values"),
        (lambda: plots.search_curves([1.0], [[1.0]]), "found must map names to values"),
        (lambda: plots.factor_panels([1.0], [[1.0]], same_label=[True]), "variants must map names to values"),
        (
            lambda: plots.factor_panels([1.0], {"a": [1.0]}, same_label=[True], equal_units="a"),
            "equal_units must be a list",
        ),
        (lambda: plots.image_panels(IMAGES[:2], None), "titles must be a list"),
        (lambda: plots.image_panels(IMAGES[:2], "ab"), "titles must be a list"),
        (lambda: plots.image_panels(IMAGES[:2], ["a", "b"], frames="red"), "frames must be a list"),
        (lambda: plots.image_panels(IMAGES[:1], ["a"], shape=8), "shape must be two whole numbers"),
        (lambda: plots.image_panels(IMAGES[:1], ["a"], shape=(2.0, 8)), r"shape\[0\] must be a whole number"),
        (lambda: plots.solver_panels({"a": [1.0]}, [1.0], columns="2"), "columns must be a whole number"),
    ],
)
def test_bad_types(call, sentence):
    with pytest.raises(InvalidType, match=sentence):
        call()
    assert not plt.get_fignums()


def test_columns_of_a_frame_are_panels():
    pandas = pytest.importorskip("pandas")
    axes = plots.solver_panels(pandas.DataFrame({"a": PREDICTED, "b": EXACT}), EXACT)
    assert [ax.get_title() for ax in axes] == ["a", "b"]


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingDependency, match=r"pip install 'influstat\[plot\]'"):
        plots.influence_index([1.0, 2.0])
