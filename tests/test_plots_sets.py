"""Pictures of results about sets of rows: what is drawn is what the results say."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import influstat as ist
from influstat import plots
from influstat.errors import InvalidArgument, InvalidType

RNG = np.random.default_rng(5)
N = 24
X = np.column_stack([np.ones(N), RNG.normal(size=(N, 2))])
Y = X @ [1.0, 0.5, -0.4] + RNG.normal(size=N)
FIT = ist.Ridge(lam=0.0).fit(X, Y, names=["const", "a", "b"])
GROUPS = np.arange(N) % 8
UNPROVEN = ist.Fit.minimise(ist.LinearRisk(ist.PseudoHuberLoss(delta=1.0), X, Y, names=["const", "a", "b"]))

BREAKDOWNS = {
    "above the threshold": lambda: FIT.breakdown("a"),
    "below the threshold": lambda: FIT.breakdown("b"),
    "another threshold": lambda: FIT.breakdown("a", at=0.9),
    "clusters": lambda: FIT.breakdown("a", groups=GROUPS),
    "nothing was looked for": lambda: FIT.breakdown("const", budget_seconds=0.0, search=False),
    "no proof": lambda: UNPROVEN.breakdown("a", budget_seconds=0.05),
    "significance": lambda: FIT.inference().breakdown("a"),
}


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")
    yield
    plt.close("all")


def data(ax, label):
    """Return the horizontal and vertical data of the line that has this label in the legend."""
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return np.array(line.get_data(), dtype=float)


def bands(ax):
    """Return the corners (left, right, low, high) of what is shaded."""
    found = []
    for one in ax.collections:
        corners = one.get_paths()[0].vertices
        found.append([*np.quantile(corners[:, 0], [0, 1]), *np.quantile(corners[:, 1], [0, 1])])
    return found


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.dear
@pytest.mark.parametrize("name", BREAKDOWNS)
def test_a_breakdown_is_drawn_with_its_own_numbers(name):
    result = BREAKDOWNS[name]()
    ax, path = result.plot(), result.path()
    for label, column in (("first order", "first_order"), ("refit", "refit")):
        assert np.array_equal(data(ax, label), [path.index, path[column]], equal_nan=True)
    dashed = [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert dashed == [result.at]
    assert texts(ax) == [f"threshold\n{result.at:g}"]
    if result.upper is None:
        assert "(no set was found)" in ax.get_xlabel()
    else:
        found = data(ax, f"found: {result.upper} {result.units}")
        assert found.ravel().tolist() == [result.upper, result.value_without]
    if result.lower == 1:
        assert not bands(ax)
        assert ("nothing is proven" in ax.get_xlabel().replace("\n", " ")) == bool(result.limit)
    else:
        ((left, right, low, high),) = bands(ax)
        assert [left, right] == [0.0, result.lower - 1.0]
        assert (low if result.side == "below" else high) == result.at
        # No refit of a set that is proven not to flip lies in the shade.
        inside = path.loc[path.index < result.lower, "refit"]
        assert not ((inside > low) & (inside < high)).any()
    assert ax.get_title().replace("\n", " ") == result.question
    assert result.units in ax.get_xlabel()


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("groups", [None, GROUPS])
def test_a_reach_is_drawn_with_its_own_numbers(k, groups):
    result = FIT.reach("a", k=k, groups=groups, budget_seconds=0.1)
    ax, path = result.plot(title="a title"), result.path()
    assert path.index.tolist() == list(range(k + 1))
    lines = [line for line in ax.lines if len(line.get_xdata()) == k + 1 and line.get_linestyle() != "None"]
    columns = ("least_first_order", "least_refit", "largest_first_order", "largest_refit")
    drawn = [line for line in lines if line.get_linestyle() != "--"]
    for line, column in zip(drawn, columns, strict=True):
        assert np.array_equal(line.get_data(), [path.index, path[column]])
    attained = [line for line in ax.lines if line.get_marker() == "D"]
    assert [line.get_ydata()[0] for line in attained] == list(result.attained)
    assert [line.get_xdata()[0] for line in attained] == [len(units) for units in result.positions]
    finite = [one for one in result.proven if np.isfinite(one)]
    assert [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"] == finite
    assert len(bands(ax)) == len(finite)
    assert ax.get_ylabel() == "a"
    assert ("clusters" if groups is not None else "rows") in ax.get_xlabel()


@pytest.mark.parametrize("groups", [None, GROUPS])
def test_the_path_of_a_reach_is_that_of_refits_by_hand(groups):
    path = FIT.reach("a", k=3, groups=groups, budget_seconds=0.0).path()
    owner = np.arange(N) if groups is None else groups
    effect = np.bincount(owner, FIT.influence().on([0.0, 1.0, 0.0]).removal)
    assert path.loc[0].tolist() == pytest.approx([FIT.theta[1]] * 4)
    for side, order in (("least", np.argsort(effect)), ("largest", np.argsort(-effect))):
        for j in (1, 2, 3):
            kept = ~np.isin(owner, order[:j])
            assert path.loc[j, f"{side}_refit"] == pytest.approx(np.linalg.lstsq(X[kept], Y[kept])[0][1])
            assert path.loc[j, f"{side}_first_order"] == pytest.approx(FIT.theta[1] + effect[order[:j]].sum())


def test_nothing_proven_of_a_reach_is_said():
    ax = UNPROVEN.reach("a", k=2, budget_seconds=0.05).plot()
    assert "nothing is proven" in ax.get_xlabel().replace("\n", " ")
    assert not bands(ax)


@pytest.mark.parametrize("at", [0.0, float(FIT.theta[1])], ids=["sign", "the value of one"])
def test_a_table_has_an_interval_per_coefficient(at):
    table = ist.breakdown_table(FIT, at=at, budget_seconds=0.1)
    ax, frame = table.plot(), table.to_frame()
    assert [label.get_text() for label in ax.get_yticklabels()] == list(frame.index)
    intervals = [line.get_xdata().tolist() for line in ax.lines if len(line.get_xdata()) == 2]
    assert intervals == [[one.lower, one.upper or one.total] for one in table.results.values()]
    found = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "D" and len(line.get_xdata())]
    assert found == [one.upper for one in table.results.values() if one.upper is not None]
    first = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert first == frame["first_order"].dropna().tolist()
    assert len(ax.texts) == len(table.status)
    assert list(table.status) == (["a"] if at else [])


def test_a_coefficient_without_a_set_has_an_open_interval():
    table = ist.breakdown_table(FIT, coefficients=["const"], budget_seconds=0.0)
    ax = table.plot()
    (open_end,) = [line for line in ax.lines if line.get_marker() == ">"]
    assert open_end.get_xdata()[0] == table.results["const"].total == N


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: plots.breakdown(FIT), InvalidType, "result must be a Breakdown, a Reach or"),
        (lambda: FIT.reach("a", k=1).plot(ax="axes"), InvalidArgument, "ax must"),
        (lambda: FIT.reach("a", k=1).plot(size=3), InvalidType, "size must"),
        (lambda: FIT.breakdown("a", budget_seconds=0.0).plot(title=3), InvalidType, "title must be text"),
    ],
)
def test_wrong_arguments(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
    assert not plt.get_fignums()
