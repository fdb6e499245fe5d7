"""Influence functions of partitioned rows: H^-1 times the quantities once, then a map over the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.influence.influence import Influence
from influstat.input.validation import choice
from influstat.partitioned.answers.part import Indices, OfMatrix, Question, Table
from influstat.partitioned.part import PartMinimum
from influstat.solvers import Solution

WHAT = ("removal", "values")


class FirstOrder(Question):
    """What both questions say of their numbers."""

    what: str

    def heading(self, column: str) -> str:
        """Return what a ranking of the column is called."""
        if self.what == "removal":
            return super().heading(column).replace("Change", "First-order change", 1)
        of = f": {column}" if len(self.columns) > 1 else ""
        return f"Influence on {self.quantity}, a derivative{of}"


@dataclass(frozen=True, eq=False)
class OnQuantities(FirstOrder):
    """-a' H^-1 g_i for the columns a that `solution` has solved for, or -(w_i / W) times that."""

    columns: tuple[str, ...]
    quantity: str
    solution: Solution  # value of shape (p, m)
    what: str

    def table(self, minimum: PartMinimum, positions: Indices) -> tuple[Table, Indices | None]:
        """Return the scores of all rows of a partition."""
        del positions
        risk = minimum.risk
        values = risk.row_gradients_dot(minimum.theta, self.solution.value)
        # In place: of many tests, a second array of this size would take as long as the product.
        if self.what == "values":
            np.negative(values, out=values)
        else:
            values *= (risk.weights / risk.total_weight)[:, None]
        return OfMatrix(self.columns, values), None


@dataclass(frozen=True, eq=False)
class OnSelf(FirstOrder):
    """Each row's influence on its own loss, with its share of the penalty."""

    what: str
    columns: tuple[str, ...] = ("own loss",)
    quantity: str = "loss"

    def table(self, minimum: PartMinimum, positions: Indices) -> tuple[Table, Indices | None]:
        """Return the scores of all rows of a partition."""
        del positions
        scores = Influence(minimum).on_self()
        return OfMatrix(self.columns, getattr(scores, self.what)[:, None]), None


def read_what(what: Any) -> str:
    """Return whether removals or derivatives are meant, or raise."""
    return str(choice("what", what, WHAT))
