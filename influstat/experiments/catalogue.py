"""The figures by name: how each is computed, judged and drawn."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from influstat.experiments import boundary, digits, digits_published, factors, forest_fires, smoothing
from influstat.experiments.table import Line, as_text


@dataclass(frozen=True)
class Reproduction:
    """One figure of the paper.

    Attributes
    ----------
    title, note : str
        What it shows; why some numbers may not agree, known and understood.
    compute, lines : callable
        () -> the figure's record; record -> its table of stated and found numbers.
    drawings : dict of str to callable
        File name without its ending -> record -> matplotlib Figure.
    """

    title: str
    compute: Callable[[], Any]
    lines: Callable[[Any], list[Line]]
    drawings: dict[str, Callable[[Any], Any]]
    note: str = ""

    def text(self, record: Any, lines: list[Line]) -> str:
        """Return the table as text, with how many numbers agree, why some do not, and the data."""
        judged = [line.agrees for line in lines if line.stated]
        count = f"{sum(judged)} of {len(judged)} agree."
        note = f" {self.note}" if self.note and not all(judged) else ""
        tail = textwrap.fill(count + note, 100)
        return f"{as_text(self.title, lines)}\n{tail}\nData: {record.split.source}"


def _figure2_lines(record: digits.Figure2) -> list[Line]:
    """Return the lines of Figure 2, with that of the published figure where the paper's rows are used."""
    lines = digits.table(record)
    if len(record.split.y) == digits.PAPER_ROWS:
        lines.append(digits_published.published_line(digits_published.figure2_as_figure()))
    return lines


def _plain(name: str, module: Any) -> Reproduction:
    """Return the entry of a figure whose module has one drawing."""
    return Reproduction(module.TITLE, getattr(module, name), module.table, {name: module.draw})


FIGURES: dict[str, Reproduction] = {
    "figure1": replace(
        _plain("figure1", forest_fires),
        drawings={
            "figure1": forest_fires.draw,
            "figure1_published_frame": partial(forest_fires.draw, published=True),
        },
    ),
    "figure2": Reproduction(
        digits.TITLE,
        digits.figure2,
        _figure2_lines,
        {"figure2": digits.draw, "figure2_images": digits.draw_images},
        note=digits.NOTE,
    ),
    "figure3": _plain("figure3", factors),
    "figure4": replace(_plain("figure4", smoothing), note=smoothing.NOTE),
    "figure5": _plain("figure5", boundary),
}
