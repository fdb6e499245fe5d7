"""Where names of points and the box of numbers go: to free places, found when the plot is drawn.

Only then are the limits, the size and the layout of the axes final.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from influstat.input.lazy_types import Axes
from influstat.input.validation import FloatArray

if TYPE_CHECKING:
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation, Text
    from matplotlib.transforms import BboxBase

MARGIN = 0.03  # of the axes: between the box of numbers and the spines

# Of the box, in fractions of the axes: corners before sides, those off the line y = x first.
SPOTS = ((0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1.0, 1.0), (0.0, 0.5), (1.0, 0.5), (0.5, 1.0), (0.5, 0.0))
# Of a name, from its point: right and above first.
DIRECTIONS = ((1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))
STEPS = (0.0, 8.0, 18.0, 30.0, 44.0)  # points further out; a thin line then leads back to the point
ALIGN_X = {-1: "right", 0: "center", 1: "left"}
ALIGN_Y = {-1: "top", 0: "center", 1: "bottom"}

OVER_TEXT, OUTSIDE_FIGURE, OUTSIDE_AXES, OVER_NAMED = 1e6, 1e4, 1e3, 1e2  # over another point: 1
CROSSING = 50.0  # for each text that the line to a name crosses
NEARER = 3.0  # for each point nearer to a name than its own, up to some: so it would seem to be theirs
SOME = 10


@dataclass(frozen=True)
class Placing:
    """Moves the names and the box of one plot to free places, each time before they are drawn."""

    ax: Axes
    obstacles: FloatArray  # points, in data coordinates, that text shall not cover, shape (m, 2)
    names: Sequence[Annotation]  # most important first; one over another, or cut off, is not drawn
    gaps: FloatArray  # distance of each name from its point, in points
    box: Text | None = None  # put into the emptiest corner, or at the emptiest side
    rings: Sequence[Line2D] = ()  # around the points of the names, if any: shown where the name is
    count: int = 0  # how many of the obstacles, the first ones, are points that a name could belong to

    def install(self) -> None:
        """Let the axes call `draw` first whenever they are drawn: an artist that itself shows nothing."""
        from matplotlib.artist import Artist

        artist = Artist()
        # A subclass would need matplotlib when this module is imported.
        vars(artist)["draw"] = self.draw
        artist.set_zorder(-1)
        artist.set_in_layout(False)
        self.ax.add_artist(artist)

    def draw(self, renderer: Any) -> None:
        """Move the texts to where there is room."""
        points = self.ax.transData.transform(self.obstacles)
        legend = self.ax.get_legend()
        texts: list[BboxBase] = [] if legend is None else [legend.get_window_extent(renderer)]
        if self.box is not None and self.box.get_visible():
            within = self.ax.transAxes.inverted().transform(points)
            extent = self.box.get_window_extent(renderer)
            size = np.array([extent.width / self.ax.bbox.width, extent.height / self.ax.bbox.height])
            filled = [_filled(extent.transformed(self.ax.transAxes.inverted())) for extent in texts]
            put(self.box, emptiest(np.vstack([within, *filled]), size)[0])
            texts.append(self.box.get_window_extent(renderer))
        ours = {id(text) for text in (*self.names, self.box)}
        others = (text for text in self.ax.texts if id(text) not in ours and text.get_visible())
        texts += [text.get_window_extent(renderer) for text in others]
        named = self.ax.transData.transform(np.array([name.xy for name in self.names]).reshape(-1, 2))
        taken = _Taken(texts)
        for name, gap, place in zip(self.names, self.gaps, named, strict=True):
            shown = self.ax.bbox.contains(*place)
            name.set_visible(shown and self._move(name, gap, place, points, named, taken, renderer))
        for ring, name in zip(self.rings, self.names, strict=False):
            ring.set_visible(name.get_visible())

    def _move(
        self,
        name: Annotation,
        gap: float,
        place: FloatArray,
        points: FloatArray,
        named: FloatArray,
        taken: _Taken,
        renderer: Any,
    ) -> bool:
        """Put one name where it covers least; tell whether it covers no other text and is in the figure."""
        from matplotlib.text import Text
        from matplotlib.transforms import Bbox

        name.set_visible(True)
        pixel = renderer.points_to_pixels(1.0)
        extent = Text.get_window_extent(name, renderer)  # without the line that leads to the point
        size = np.array([extent.width, extent.height])
        far = 2.0 * pixel * (gap + STEPS[-1] + 2.0) + size
        near = (np.abs(points - place) <= far).all(axis=1)  # the others count at no spot
        around, owners = points[near], points[: self.count][near[: self.count]]
        frames = ((OUTSIDE_FIGURE, self.ax.figure.bbox), (OUTSIDE_AXES, self.ax.bbox))
        candidates = []
        for step in STEPS:
            for direction in DIRECTIONS:
                reach = (gap + step) * np.array((0.8, 0.6) if all(direction) else (1.0, 1.0))
                low = place + pixel * reach * direction + size * (np.array(direction) - 1) / 2
                rectangle = Bbox([low, low + size])
                cost = 0.1 * step + min(rectangle.padded(pixel).count_contains(around), 90)
                cost += NEARER * _nearer(rectangle, place, owners)
                cost += OVER_NAMED * rectangle.padded(2.0 * pixel).count_contains(named)
                for weight, frame in frames:
                    cost += weight * (not (frame.contains(*rectangle.min) and frame.contains(*rectangle.max)))
                cost += taken.cost(rectangle, place, step, pixel)
                candidates.append((cost, reach * direction, direction, rectangle, step))
        cost, offset, (right, up), rectangle, step = min(candidates, key=lambda candidate: candidate[0])
        name.set_position((float(offset[0]), float(offset[1])))
        name.set(horizontalalignment=ALIGN_X[right], verticalalignment=ALIGN_Y[up])
        if name.arrow_patch is not None:
            name.arrow_patch.set_visible(step > 0.0)
        if cost >= OUTSIDE_FIGURE:
            return False
        taken.add(rectangle, place, step)
        return True


@dataclass
class _Taken:
    """Places of texts, and of lines that lead from texts to their points."""

    texts: list[BboxBase]
    leaders: list[FloatArray] = field(default_factory=list)

    def cost(self, rectangle: BboxBase, place: FloatArray, step: float, pixel: float) -> float:
        """Return what a name at a rectangle costs, for texts and lines that it or its line would cover."""
        cost = OVER_TEXT * rectangle.padded(pixel).count_overlaps(self.texts)
        cost += CROSSING * sum(rectangle.count_contains(leader) > 0 for leader in self.leaders)
        if step > 0.0:
            line = _leader(rectangle, place)
            cost += CROSSING * sum(text.count_contains(line) > 0 for text in self.texts)
        return cost

    def add(self, rectangle: BboxBase, place: FloatArray, step: float) -> None:
        """Take a place for a name, and for the line to its point if there is one."""
        self.texts.append(rectangle)
        if step > 0.0:
            self.leaders.append(_leader(rectangle, place))


def _leader(rectangle: BboxBase, place: FloatArray) -> FloatArray:
    """Return points on the line from the middle of a name to its point, without those in the name."""
    middle = 0.5 * (np.array(rectangle.min) + np.array(rectangle.max))
    line = middle + np.linspace(0.0, 1.0, 41)[:, None] * (place - middle)
    low, high = np.array(rectangle.min), np.array(rectangle.max)
    return np.asarray(line[~((line >= low) & (line <= high)).all(axis=1)])


def _nearer(rectangle: BboxBase, own: FloatArray, points: FloatArray) -> int:
    """Return how many points are nearer to a rectangle than its own point is, at most `SOME`."""
    low, high = np.array(rectangle.min), np.array(rectangle.max)

    def squared(places: FloatArray) -> FloatArray:
        outside = np.maximum(np.maximum(low - places, places - high), 0.0)
        return np.asarray(np.sum(outside**2, axis=-1))

    # Its own point is as near as itself, up to rounding of pixels.
    return min(int(np.sum(squared(points) < squared(own) - 1e-6)), SOME)


def _filled(box: BboxBase) -> FloatArray:
    """Return points all over a rectangle, shape (m, 2)."""
    across, up = np.linspace(box.x0, box.x1, 9), np.linspace(box.y0, box.y1, 9)
    return np.column_stack([one.ravel() for one in np.meshgrid(across, up)])


def emptiest(points: FloatArray, size: FloatArray) -> tuple[tuple[float, float], int]:
    """Return the spot where a box covers fewest points, and how many; all in fractions of the axes."""
    from matplotlib.transforms import Bbox

    corners = (np.array(spot) * (1.0 - size - 2.0 * MARGIN) + MARGIN for spot in SPOTS)
    counts = [Bbox([low, low + size]).padded(MARGIN).count_contains(points) for low in corners]
    best = int(np.argmin(counts))
    return SPOTS[best], int(counts[best])


def put(box: Text, spot: tuple[float, float]) -> None:
    """Move the box to a spot, given in fractions of the axes."""
    x, y = (MARGIN + (1.0 - 2.0 * MARGIN) * part for part in spot)
    box.set_position((x, y))
    right, up = (int(1 - 2 * part) for part in spot)
    box.set(horizontalalignment=ALIGN_X[right], verticalalignment=ALIGN_Y[up])


def widened(box: Text, points: FloatArray, low: float, high: float) -> float:
    """Return the upper limit of both axes, `high` or more, at which the box has a spot without points."""
    assert box.axes is not None
    extent, around = box.get_window_extent(), box.axes.get_window_extent()
    size = 1.05 * np.array([extent.width, extent.height]) / min(around.width, around.height)
    if emptiest((points - low) / (high - low), size)[1] == 0:
        return high
    return low + (high - low) / (1.0 - min(float(size[1]) + 3.0 * MARGIN, 0.5))
