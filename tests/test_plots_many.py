"""Pictures of very many rows: quick to draw, and as they would be in full."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from influstat import plots
from influstat.plots.index import PARTS
from influstat.plots.points import label_points


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.mark.slow
def test_very_many_stems_are_those_that_are_seen():
    values = np.random.default_rng(0).normal(size=50_000)
    ax = plots.influence_index(values, names=3)
    segments = np.array(ax.collections[0].get_segments())
    rows = segments[:, 0, 0].astype(int)
    assert len(rows) <= 2 * PARTS + 3
    assert np.array_equal(segments[:, 1, 1], values[rows])
    assert set(np.argsort(-np.abs(values))[:3]) <= set(rows)
    for start in range(0, 50_000, 1000):  # many parts wide
        part = slice(start, start + 1000)
        own = values[rows[(rows >= start) & (rows < start + 1000)]]
        assert own.max() == values[part].max()
        assert own.min() == values[part].min()
    few = plots.influence_index(values[: 2 * PARTS], names=0)
    assert len(few.collections[0].get_segments()) == 2 * PARTS


@pytest.mark.parametrize("stems", [False, True])
def test_points_far_from_a_name_do_not_move_it(stems):
    """Where a name goes is told by what is around it: the same as with a million points elsewhere."""
    rng = np.random.default_rng(1)
    near, far = rng.uniform(0.0, 0.3, (40, 2)), rng.uniform(0.75, 1.0, (4000, 2))
    far = far[far[:, 0] > 0.75]
    places = []
    for points in (near, np.vstack([near, far])):
        _, ax = plt.subplots(figsize=(6.0, 6.0))
        ax.set(xlim=(-0.1, 1.1), ylim=(-0.1, 1.1))
        distances = np.full(len(points), 5.0)
        label_points(
            ax,
            points[:, 0],
            points[:, 1],
            np.arange(len(points)),
            np.array([3, 5]),
            gaps=distances,
            stems=stems,
        )
        ax.figure.draw_without_rendering()
        places.append([text.get_position() for text in ax.texts])
    assert places[0] == places[1]
