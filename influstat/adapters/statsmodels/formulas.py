"""The reader of a model given by a formula: new rows may be tables of the formula's own variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from influstat.adapters.statsmodels.batch_terms import batch_terms
from influstat.adapters.statsmodels.formula_parts import (
    columns_as_table,
    formula_of,
    lacking,
    require_finite,
    require_numbers,
    right_side,
    said,
    training_table,
    variables_in,
    with_numbers,
)
from influstat.adapters.statsmodels.left_side import LeftSide, left_side
from influstat.adapters.statsmodels.offsets import OffsetPart, offset_parts
from influstat.adapters.statsmodels.pickled import HoldsModel
from influstat.errors import InvalidArgument, Unsupported
from influstat.input.groups import Indices
from influstat.input.labels import own_labels
from influstat.input.printing import short
from influstat.input.reader import LabelledTable
from influstat.input.tables import as_array, as_pandas, is_foreign
from influstat.input.validation import FloatArray
from influstat.input.warning import doubt_once


@dataclass(frozen=True, eq=False)
class FormulaReader(HoldsModel):
    """Turns tables of a formula's variables into rows of its design matrix; other rows are those already.

    Examples
    --------
    >>> import pandas as pd
    >>> import statsmodels.api as sm
    >>> import influstat as ist
    >>> table = pd.DataFrame({"y": [1.0, 3.0, 2.0], "dose": [1.0, 4.0, 9.0]})
    >>> fit = ist.from_statsmodels(sm.OLS.from_formula("y ~ np.sqrt(dose)", table, eval_env=0).fit())
    >>> bool(fit.predict(table).sum().round(9) == 6.0), bool(fit.loss(table).sum().round(9) == 1.5)
    (True, True)
    """

    model: Any  # made from a formula
    names: tuple[str, ...]  # the columns of its design matrix that have coefficients
    rows: Indices | None = None  # which row of the model each row of the fit is, where some are there twice

    @property
    def training(self) -> Any:
        """The training rows as the user has them: the formula's variables; None where they are not kept."""
        frame: Any = getattr(self.model.data, "frame", None)
        if not hasattr(frame, "iloc"):
            return None
        used = [j for j, name in enumerate(frame.columns) if str(name) in self.model.formula]
        gone = getattr(self.model.data, "missing_row_idx", None)
        kept = np.setdiff1d(np.arange(len(frame)), [] if gone is None else gone)
        return frame.iloc[kept if self.rows is None else kept[self.rows], used]

    @cached_property
    def _left(self) -> LeftSide | None:
        return left_side(self.model)

    @cached_property
    def _offsets(self) -> list[OffsetPart]:
        return offset_parts(self.model)

    def _table(self, X: Any) -> Any:
        """Return X where it is a table of the formula's variables, None where it holds rows of the design."""
        table = columns_as_table(X) if isinstance(X, Mapping) else as_pandas("X", X)
        if not hasattr(table, "columns"):
            self._refuse_one_row(X)
            return None
        if not table.columns.is_unique:
            twice = table.columns[table.columns.duplicated()][0]
            raise InvalidArgument(
                "X", "have each column once", f"has {short(twice)} more than once", "Drop the others."
            )
        if not len(table):
            raise InvalidArgument("X", "have at least one row", f"has shape {table.shape}", "Pass data.")
        names = tuple(str(name) for name in table.columns)
        if names in (self.names, tuple(self.model.exog_names)):
            return None
        return with_numbers(self.model, table)

    def _refuse_one_row(self, X: Any) -> None:
        """Raise for a row of a table that has become a Series of its entries."""
        if hasattr(X, "iloc") and variables_in(str(formula_of(self.model)), X.to_frame().T):
            raise InvalidArgument(
                "X",
                "be a table, a row in each of its lines",
                f"is a Series of the entries of one row, {short(X.name)}",
                "Pass a table of that row: table.loc[[label]], or X.to_frame().T.infer_objects().",
            )

    def columns(self, X: Any) -> Any:
        """Return rows of the design matrix, called as those of the table; X itself where it holds such."""
        table = self._table(X)
        if table is None:
            return X[list(self.names)] if hasattr(X, "iloc") and np.ndim(X) == 2 else X
        if missing := lacking(self.model, table):
            raise InvalidArgument(
                "X",
                f"hold the variables of the formula {formula_of(self.model)!r}",
                f"lacks {', '.join(map(short, missing))} (name {short(missing[0])} is not defined)",
                "Pass a table with those columns, or rows of the design matrix itself.",
            )
        try:
            names, rows = right_side(self.model, table)
            if tuple(names) != self.names:  # a penalty keeps some columns, or the model drops one
                rows = rows[:, [names.index(name) for name in self.names]]
        except Unsupported:
            raise
        except Exception as error:
            require_numbers(self.model, table)
            raise _not_evaluated(self.model, error) from error
        require_finite(self.model, table, rows)
        self._doubt_other_rows(rows)
        labels = None if is_foreign(X) else own_labels(table)
        return rows if labels is None else LabelledTable(rows, labels)

    @cached_property
    def of_other_rows(self) -> str:
        """The terms whose value for a row depends on which rows are in the table, "" where there are none."""
        return ", ".join(batch_terms(self.model))

    def _doubt_other_rows(self, rows: FloatArray) -> None:
        """Warn where a term follows from the table that new rows come in, as in statsmodels."""
        if not self.of_other_rows or np.array_equal(rows, np.asarray(self.model.exog)):
            return
        doubt_once(
            self.model,
            f"The values of {self.of_other_rows} in the formula depend on which rows are in the same table: "
            "here on those of X, and not on those of the fit. Compute such columns before the fit, or use a "
            "transform that remembers the rows of the fit, such as center(x).",
        )

    def targets(self, y: Any) -> Any:
        """Return y as it is: without a table it is coded as in the model."""
        return y

    def targets_in(self, X: Any, y: Any) -> Any:
        """Return targets as the model holds them, or raise."""
        # The formula's left side for the table X where y is left out; y itself where it goes with rows of the
        # design matrix, or where the left side is one variable as it stands. Refused is y where the left side
        # transforms, and it is neither that nor its variable in X; or where it is left out, and X lacks it.
        table, left = self._table(X), self._left
        if table is None or left is None or (left.plain and y is not None):
            return y
        if left.lost:
            raise InvalidArgument(
                "y",
                f"be what the left side of {formula_of(self.model)!r} gives for these rows",
                "cannot be told: statsmodels does not keep that side in a pickle, nor where rows with "
                "missing values are dropped, or the table was changed after the fit",
                "Fit again on a table without missing values, which is left as it is, or pass rows of the "
                "design matrix with y as the model holds it.",
            )
        sides, given = ", ".join(map(repr, left.variables)), set(map(str, table.columns))
        # What the table lacks patsy takes from elsewhere, where something has its name.
        if lost := [name for name in left.variables if name not in given]:
            was = "is left out" if y is None else f"is given without {sides} in X"
            raise InvalidArgument(
                "y",
                f"be in the table X as the left side of {formula_of(self.model)!r}, which is evaluated there",
                f"{was} (name {', '.join(map(repr, lost))} is not defined)",
                f"Add {sides} to X and leave y out, or pass rows of the design matrix with y as the model "
                "holds it.",
            )
        try:
            columns = left.columns(table)
        except Exception as error:
            require_numbers(self.model, table)
            raise _not_evaluated(self.model, error) from error
        values = left.code(columns)
        if np.isnan(values).any() and not np.isnan(columns).any():
            row = int(np.argmax(np.isnan(values)))
            was = f"is {columns[row, 0]:g} at row {row}"
            raise InvalidArgument("y", "be one of the model's classes", was, "Leave that row out.")
        if y is None or any(_same(y, one) for one in self._forms(table, left, columns, values)):
            return values
        raise InvalidArgument(
            "y",
            f"be the left side of {formula_of(self.model)!r} for these rows, or its variable in X",
            "is neither",
            f"Leave y out: it is taken from {sides} of X.",
        )

    def _forms(self, table: Any, left: LeftSide, columns: Any, values: Any) -> list[Any]:
        """Return all that may be meant by y without a doubt."""
        raw = [table[left.variables[0]]] if len(left.variables) == 1 else []
        return [values, columns, columns[:, 0] if columns.shape[1] == 1 else columns, *raw]

    def offset_in(self, X: Any, offset: Any) -> Any:
        """Return the offset of new rows, left out that of the columns of X it came from; None without one."""
        if offset is not None or not self._offsets:
            return offset
        table = self._table(X)
        return sum(part.of_new_rows(table) for part in self._offsets)

    @property
    def training_names(self) -> tuple[str, ...]:
        """Names of the columns of the table that was fitted; none where it is not kept."""
        table = training_table(self.model)
        return () if table is None else tuple(map(str, table.columns))

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of those columns that the right side of the formula names."""
        table, right = training_table(self.model), str(formula_of(self.model)).rpartition("~")[2]
        return () if table is None else tuple(map(str, variables_in(right, table)))

    def training_column(self, name: str) -> Any:
        """Return a column of the table that was fitted, shape (n,); None where it has no such column."""
        table = training_table(self.model)
        if table is None or name not in table.columns:
            return None
        column = table[name]
        # A categorical keeps the order of its levels; no index is needed, since the rows are the fit's.
        values = column.array if hasattr(column.array, "categories") else column.to_numpy()
        return values if self.rows is None else values[self.rows]

    def labels(self, X: Any, y: Any) -> None:
        """Return None: the rows of the design matrix bring their labels along."""


def _not_evaluated(model: Any, error: Exception) -> InvalidArgument:
    return InvalidArgument(
        "X",
        f"be a table on which the formula {formula_of(model)!r} can be evaluated",
        f"is not ({said(error)})",
        "Pass a table with the columns of the fit, of the same types, levels and range, or rows of the "
        "design matrix itself.",
    )


def _same(given: Any, values: Any) -> bool:
    """Tell whether what the caller gave is this, number by number or label by label."""
    a, b = np.asarray(as_array("y", given)), np.asarray(values)
    if a.shape != b.shape:
        return False
    if a.dtype.kind in "fiub" and b.dtype.kind in "fiub":
        return bool(np.allclose(a, b, rtol=1e-9, atol=0.0))  # more digits than a table is printed with
    return bool(np.all(a == b))


def formula_reader(model: Any, names: tuple[str, ...], rows: Indices | None = None) -> FormulaReader | None:
    """Return the reader of a fit with these coefficients; None where they are not those of a formula."""
    given = [str(name) for name in model.exog_names or ()]
    ours = len(set(names)) == len(names) and set(names) <= set(given)
    return FormulaReader(model, names, rows) if formula_of(model) is not None and ours else None
