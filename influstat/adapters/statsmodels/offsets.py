"""What a model adds to its linear predictors, and where that of new rows comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.adapters.statsmodels.formula_parts import SAME, training_table
from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray


@dataclass(frozen=True)
class OffsetPart:
    """One argument of the model that adds to the linear predictor, and the columns that it may be."""

    argument: str  # "offset" or "exposure"
    columns: dict[Any, bool]  # those of the table that it equals, and of each whether its logarithm does
    tabled: bool  # whether there is a table that was fitted

    def of_new_rows(self, table: Any) -> FloatArray:
        """Return what is added for the rows of a table, or raise saying why it does not tell it."""
        missing = [name for name in self.columns if table is None or name not in table.columns]
        names = " and ".join(map(repr, self.columns))
        added = None if missing or not self.columns else self._of(table)
        if added is not None:
            return added
        was, remedy = "is left out", "zeros for none"
        if self.tabled:
            was += ", and no column of the table that was fitted is equal to it"
        if self.columns:
            remedy = f"or a table with the column {names}"
            was = f"is left out, and X does not hold {' and '.join(map(repr, missing))}"
        if len(self.columns) > 1:
            remedy = f"or a table in which {names} are equal"
            was += f", of which any may be the {self.argument}: they are equal in the table that was fitted"
            if not missing:
                was = f"is left out, and {names}, equal in the table that was fitted, differ in X"
        raise InvalidArgument(
            "offset",
            f"be given for new rows of a model with {self.argument}",
            was,
            f"Pass what is added to their linear predictor (the logarithm of an exposure), {remedy}.",
        )

    def _of(self, table: Any) -> FloatArray | None:
        """Return what is added for the rows of a table, shape (m,); None where its columns differ there."""
        found = []
        for column, logged in self.columns.items():
            values = np.asarray(table[column], dtype=np.float64)
            with np.errstate(all="ignore"):  # what is not finite is refused as such
                found.append(np.log(values) if logged else values)
        alike = all(np.allclose(one, found[0], rtol=SAME, atol=SAME, equal_nan=True) for one in found)
        return found[0] if alike else None


def offset_parts(model: Any) -> list[OffsetPart]:
    """Return what the model adds to its linear predictor."""
    parts = []
    for argument in ("offset", "exposure"):  # statsmodels keeps the exposure as its logarithm
        values = getattr(model, argument, None)
        if values is not None and np.any(np.asarray(values)):
            table = training_table(model)
            found = _columns_equal(table, np.asarray(values, dtype=np.float64))
            parts.append(OffsetPart(argument, found, tabled=table is not None))
    return parts


def _columns_equal(table: Any, values: FloatArray) -> dict[Any, bool]:
    """Return the columns that are these values, or whose logarithms are, and which of both it is."""
    found = {}
    for name in [] if table is None else table.select_dtypes("number").columns:
        column = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
        with np.errstate(all="ignore"):
            for logged, candidate in ((False, column), (True, np.log(column))):
                if np.allclose(candidate, values, rtol=SAME, atol=SAME):
                    found[name] = logged
                    break
    return found
