"""How the design follows the columns of the table that the user has: through a Pipeline, or a formula.

A unit of a coefficient is a unit of a column of the design, which may be a standardised one, or one of
several made from the same variable. What people ask about is a unit of their own column c: x_i then moves by
dx_i / dc, found by moving c in the table and reading it again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from influstat.errors import InflustatError, InvalidArgument, Unsupported
from influstat.input.tables import as_pandas
from influstat.input.validation import FloatArray
from influstat.input.warning import unsaid
from influstat.minimise.minimum import Minimum
from influstat.risks.class_predictors import class_predictors_of

STEP = (
    float(np.finfo(np.float64).eps) ** 0.2
)  # of a fourth of the column's range, for a five-point difference
STENCIL = np.array([-25.0, 48.0, -36.0, 16.0, -3.0]) / 12.0  # one-sided, so that no value leaves the range
NEAREST = 1e-3  # smallest step of a value near 0, relative to that of a value far from it
LINEAR = 1e-12  # of the size of the design: second differences that are rounding
JUMP = 1e-2  # of the size of the design in one step: a category, not a smooth function


@dataclass(frozen=True)
class UserColumns:
    """The user's table of some rows, and the fit whose design is made from it.

    Examples
    --------
    >>> import numpy as np, influstat as ist
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = np.array([[1.0], [3.0], [5.0]]), [1.0, 2.0, 4.0]
    >>> fit = ist.from_sklearn(make_pipeline(StandardScaler(), Ridge()).fit(X, y), X, y)
    >>> columns = user_columns(fit)
    >>> bool(np.allclose(columns.slope("x0")[:, 0], 1 / X.std()))
    True
    """

    fit: Minimum  # whose reader makes rows of the design from a table
    table: Any  # the rows, a DataFrame or ndarray, shape (n, q)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What the columns are called; x0, x1, ... in an array."""
        named = getattr(self.table, "columns", None)
        return tuple(f"x{j}" for j in range(self.table.shape[1])) if named is None else tuple(map(str, named))

    @cached_property
    def rows(self) -> FloatArray:
        """The rows of the design, shape (n, p)."""
        return self._read(self.table)

    def values(self, name: str) -> FloatArray:
        """Return a column as numbers, shape (n,), or raise where it holds none."""
        column = np.asarray(self._column(name))
        if column.dtype.kind not in "iuf":
            raise _not_smooth(name, f"holds {column.dtype} values, which have no unit")
        return np.asarray(column, dtype=np.float64)

    def at(self, name: str, value: Any) -> FloatArray:
        """Return the rows of the design with one value in a column, shape (n, p)."""
        self.require_own(name)
        return self._read_moved(name, value)

    def holds_numbers(self, name: str) -> bool:
        """Tell whether a column holds numbers in their order, and no categories."""
        column = self._column(name)
        return not hasattr(column, "cat") and np.asarray(column).dtype.kind in "iuf"

    def levels(self, name: str) -> list[Any]:
        """Return the different values of a column, in order; missing ones are none."""
        column = self._column(name)
        objects = np.asarray(column, dtype=object).tolist()
        found = {value for value in objects if value == value and value is not None}  # nan is not itself
        order = getattr(getattr(column, "cat", None), "categories", None)
        return sorted(found) if order is None else [level for level in order if level in found]

    def slope(self, name: str) -> FloatArray:
        """Return the derivative of the design in one column, shape (n, p), or raise why there is none."""
        self.require_own(name)
        values = self.values(name)
        lowest, highest = float(np.nanmin(values)), float(np.nanmax(values))
        reach = (highest - lowest or max(1.0, abs(highest))) / 4.0
        inward = np.where(values > lowest + 2.0 * reach, -reach, reach)
        rows = self.rows
        size = np.maximum(np.abs(rows).max(axis=0), np.finfo(np.float64).tiny)
        half, whole = (self._shifted(name, values, inward * part) for part in (0.5, 1.0))
        bend = np.abs(whole - 2.0 * half + rows)
        if np.isfinite(bend).all() and (bend <= LINEAR * (size + np.abs(whole))).all():
            slope = (whole - rows) / inward[:, None]
        else:
            near = np.clip(np.abs(values), NEAREST * reach, reach) / reach  # logarithms bend near 0
            slope = self._differenced(name, values, inward * STEP * near, size)
        slope[:, (np.abs(slope) <= 1e-10 * size / reach).all(axis=0)] = 0.0  # rounding of columns that stay
        if not slope.any():
            raise _not_smooth(
                name, "does not change the design where it changes a little (groups, or unused)"
            )
        return np.asarray(slope)

    def _differenced(self, name: str, values: FloatArray, step: FloatArray, size: FloatArray) -> FloatArray:
        points = [self.rows] + [self._shifted(name, values, k * step) for k in range(1, 5)]
        moved = np.abs(points[1] - points[0])
        again = np.abs(points[2] - points[1])
        if not (np.isfinite(moved).all() and np.isfinite(again).all()):
            raise _not_smooth(name, "gives no finite design beside its values")
        if ((moved > JUMP * size) & (np.abs(again - moved) > 0.1 * moved)).any():
            raise _not_smooth(name, "lets the design jump: it holds categories")
        total = sum(weight * point for weight, point in zip(STENCIL, points, strict=True))
        return np.asarray(total / step[:, None])

    def _shifted(self, name: str, values: FloatArray, shift: FloatArray) -> FloatArray:
        try:
            return self._read_moved(name, values + shift)
        except InflustatError as error:
            raise _not_smooth(name, "holds categories: no other values are known") from error

    def require_own(self, name: str) -> None:
        """Raise where moving a column in one row changes what the design has in others."""
        others = getattr(self.fit.reader, "of_other_rows", "")
        through = hasattr(self.fit.reader, "transformers")
        if others and (through or re.search(rf"(?<!\w){re.escape(name)}(?!\w)", others)):
            raise Unsupported(
                "fit",
                "have columns that follow from each row alone, for a unit of a column of the table",
                f"has {others}, which looks at the other rows of the table: each would move with all of them",
                "Compute such columns before the fit, or use a transform that remembers the rows of the fit "
                "(center(x), StandardScaler).",
            )

    def _read_moved(self, name: str, values: Any) -> FloatArray:
        with unsaid():  # doubts about new rows: these are the old ones with another column
            return self._read(self._moved(name, values))

    def _read(self, table: Any) -> FloatArray:
        classes = class_predictors_of(self.fit.risk)
        if classes is not None and self.fit.reader is not None:
            return classes.design.like(self.fit.reader.columns(table), argument="X").rows(slice(None))
        gradients, _ = self.fit.prediction_gradients(table)
        return np.asarray(gradients.T, dtype=np.float64)

    def _column(self, name: str) -> Any:
        j = self.names.index(name)
        return self.table.iloc[:, j] if hasattr(self.table, "iloc") else self.table[:, j]

    def _moved(self, name: str, values: Any) -> Any:
        j = self.names.index(name)
        if hasattr(self.table, "iloc"):
            moved = self.table.copy()
            moved.isetitem(j, values)
            return moved
        moved = np.array(self.table, dtype=np.result_type(self.table.dtype, np.float64))
        moved[:, j] = values
        return moved


def user_columns(fit: Minimum, X: Any = None) -> UserColumns | None:
    """Return the user's columns of the training rows, or of X; None where they are the design's own."""
    training = getattr(fit.reader, "training", None)
    if training is None:
        return None
    table = as_pandas("X", training if X is None else X)
    if not hasattr(table, "iloc"):
        table = np.asarray(table)
    named = getattr(table, "columns", None)
    if named is not None and tuple(map(str, named)) == fit.names and not hasattr(fit.reader, "transformers"):
        return None  # rows of the design itself
    return UserColumns(fit, table) if table.ndim == 2 else None


def _not_smooth(name: str, why: str) -> InvalidArgument:
    return InvalidArgument(
        "columns",
        "name columns that the design follows smoothly, for a derivative",
        f"names {name!r}, which {why}",
        "Name it in discrete= too, for the mean at one value minus that at another.",
    )
