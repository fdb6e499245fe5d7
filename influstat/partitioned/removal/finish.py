"""Removals that ask for sums over all partitions: many rows share each pass over the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from influstat.curvature.base import Hessian
from influstat.input.kept import Kept
from influstat.input.progress import progress
from influstat.input.validation import FloatArray
from influstat.partitioned.answers.part import Left, Part, Table
from influstat.partitioned.block import Block
from influstat.partitioned.part import PartMinimum
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.removal.center import GatheredExpansion
from influstat.partitioned.removal.expanded import every_row
from influstat.partitioned.removal.question import LeaveOut
from influstat.partitioned.risk import PartitionedRisk
from influstat.removal.engine.shared import Shared
from influstat.removal.methods.base import BLOCK, Method
from influstat.removal.methods.exact import ExactRefit
from influstat.removal.methods.newton_step import NewtonStep
from influstat.removal.methods.quadratic import ClosedForm


class Finish:
    """Answers for rows that a partition alone could not finish."""

    # H(theta) is in mean scale, and the recipe knows W.

    def __init__(
        self, risk: PartitionedRisk, recipe: Recipe, theta: FloatArray, hessian: Hessian, question: LeaveOut
    ) -> None:
        self._risk, self._recipe, self._theta, self._hessian = risk, recipe, theta, hessian
        self._question = question

    def __call__(self, left: list[Left]) -> list[Part]:
        """Return one part for each of them."""
        batches = progress(list(_batches(left)), "refits summed over all partitions")
        tables = [self._finished(batch) for batch in batches]
        whole = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
        parts, start = [], 0
        for one in left:
            rows = slice(start, start + len(one.rows))
            start = rows.stop
            labels = one.positions if one.block.labels is None else np.asarray(one.block.labels)
            part = {name: values[rows] for name, values in whole.items()}
            parts.append(Part(one.partition, one.positions, labels, part))
        return parts

    def _finished(self, batch: list[Left]) -> Table:
        positions = np.concatenate([one.positions for one in batch])
        places = [(one.partition, int(row)) for one in batch for row in one.rows]
        risk = self._recipe.risk(_gathered([one.block for one in batch], positions))
        center, question = self._question.center, self._question
        assert center is not None  # only methods that have one leave rows
        expansion = GatheredExpansion(risk, center, self._risk, places)
        groups = every_row(risk.row_labels)
        method: Method
        if risk.quadratic:
            method = ClosedForm(expansion, groups)
        elif question.method == "newton":
            method = NewtonStep(expansion, groups)
        else:
            method = ExactRefit(expansion, groups, *Shared(expansion, Kept()).planned(groups))
        found = method.measured(groups)
        rows = question.sums.rows(expansion, positions) if question.reading.bounds and question.sums else None
        minimum = PartMinimum(risk, self._theta, self._hessian)
        return question.shown(minimum, rows, positions, groups, found)


def _batches(left: list[Left]) -> Iterator[list[Left]]:
    """Yield the rows in batches that share passes over the data, rows of one partition cut where need be."""
    batch: list[Left] = []
    room = BLOCK
    for one in left:
        start = 0
        while start < len(one.rows):
            rows = slice(start, start + room)
            part = replace(
                one, rows=one.rows[rows], positions=one.positions[rows], block=one.block.take(rows)
            )
            batch.append(part)
            start, room = start + len(part.rows), room - len(part.rows)
            if room == 0:
                yield batch
                batch, room = [], BLOCK
    if batch:
        yield batch


def _gathered(blocks: list[Block], positions: Any) -> Block:
    """Return the rows of several blocks as one."""
    sparse = any(sp.issparse(block.X) for block in blocks)
    parts: dict[str, Any] = {"labels": positions}
    for name, default in (("weights", np.ones), ("offset", np.zeros)):
        known = [getattr(block, name) for block in blocks]
        if any(one is not None for one in known):
            parts[name] = np.concatenate(
                [default(len(b)) if one is None else one for b, one in zip(blocks, known, strict=True)]
            )
    x: Any = [block.X for block in blocks]
    rows = sp.vstack(x, format="csr") if sparse else np.concatenate(x)
    return Block(rows, np.concatenate([block.y for block in blocks]), **parts)
