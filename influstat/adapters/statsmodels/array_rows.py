"""The reader of a model made from arrays: new rows are rows of its design, and bring their own offsets.

Of a fit on the active set of an L1 penalty all columns of the model come in, and some are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from influstat.adapters.statsmodels.formulas import FormulaReader, formula_reader
from influstat.adapters.statsmodels.offsets import offset_parts
from influstat.adapters.statsmodels.pickled import HoldsModel
from influstat.errors import InvalidArgument
from influstat.input.design import Design
from influstat.input.reader import LabelledTable


@dataclass(frozen=True)
class ArrayRows:
    """Takes new rows as they are, and demands their offset where the model has one.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> from influstat.adapters.statsmodels.array_rows import ArrayRows
    >>> model = sm.GLM([1, 3, 2], [[1.0]] * 3, family=sm.families.Poisson(), exposure=[10.0, 20.0, 15.0])
    >>> ArrayRows(model).offset_in([[1.0]], None)
    Traceback (most recent call last):
    ...
    influstat.errors.InvalidArgument: offset must be given for new rows of a model with exposure, ...
    """

    model: Any  # made from arrays

    def columns(self, X: Any) -> Any:
        """Return X as it is."""
        return X

    def targets(self, y: Any) -> Any:
        """Return y as it is: the targets of new rows are coded as in the model."""
        return y

    def targets_in(self, X: Any, y: Any) -> Any:
        """Return y as it is: X holds no targets."""
        return y

    def offset_in(self, X: Any, offset: Any) -> Any:
        """Return the offset of new rows, or raise where it is left out and the model has one."""
        for part in offset_parts(self.model) if offset is None else ():
            part.of_new_rows(None)
        return offset

    @property
    def training_names(self) -> tuple[str, ...]:
        """Nothing: there is no table behind the rows."""
        return ()

    @property
    def variables(self) -> tuple[str, ...]:
        """Nothing either."""
        return ()

    def training_column(self, name: str) -> None:
        """Return None: there is none."""

    def labels(self, X: Any, y: Any) -> None:
        """Return None: the rows bring their labels along."""


def array_rows(model: Any) -> ArrayRows | None:
    """Return the reader of a model with an offset, None for others: there nothing need be read."""
    return ArrayRows(model) if offset_parts(model) else None


@dataclass(frozen=True)
class ActiveColumns(HoldsModel):
    """Takes the kept columns of new rows of the model; rows of the kept columns alone are those already.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> from influstat.adapters.statsmodels.array_rows import ActiveColumns
    >>> model = sm.OLS([1.0, 3.0, 2.0], [[1.0, 4.0], [1.0, 5.0], [1.0, 7.0]])
    >>> ActiveColumns(model, (1,)).columns([[1.0, 4.0]]).table
    array([[4.]])
    """

    model: Any  # whose `exog_names` are all columns
    kept: tuple[int, ...]  # which of them the fit has
    alone: bool = True  # whether rows of the kept columns alone are taken

    def columns(self, X: Any) -> Any:
        """Return the kept columns of rows of the model, or of a table of its formula's variables."""
        names = _columns(self.model)
        design = Design(self._whole.columns(X))
        if design.shape[1] != len(names):
            if self.alone:
                return X  # the kept columns themselves, or a table that the risk will refuse
            raise InvalidArgument(
                "X",
                f"hold all {len(names)} columns of the model, those with coefficient 0 too",
                f"has {design.shape[1]}, and without some row one of the others comes in",
                "Pass rows of the whole design, or a table of the formula's variables.",
            )
        return LabelledTable(design.rows(slice(None))[:, list(self.kept)], design.row_labels)

    @property
    def _whole(self) -> FormulaReader | ArrayRows:
        """The reader of all columns."""
        return formula_reader(self.model, _columns(self.model)) or ArrayRows(self.model)

    def targets(self, y: Any) -> Any:
        """Return y as it is: the targets of new rows are coded as in the model."""
        return y

    def targets_in(self, X: Any, y: Any) -> Any:
        """Return what the left side of a formula says of the table X, or y; as the reader of all columns."""
        return self._whole.targets_in(X, y)

    def offset_in(self, X: Any, offset: Any) -> Any:
        """Return the offset of new rows, or raise; as the reader of all columns."""
        return self._whole.offset_in(X, offset)

    @property
    def training_names(self) -> tuple[str, ...]:
        """Names of the columns of the table that was fitted; none where it is not kept."""
        return self._whole.training_names

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of those columns that the right side of the formula names."""
        return self._whole.variables

    def training_column(self, name: str) -> Any:
        """Return a column of the table that was fitted, shape (n,); None where it has no such column."""
        return self._whole.training_column(name)

    def labels(self, X: Any, y: Any) -> None:
        """Return None: the rows bring their labels along."""


def _columns(model: Any) -> tuple[str, ...]:
    """Return the names of the design's columns; likelihood models list a dispersion after them."""
    names = tuple(str(name) for name in model.exog_names or ())
    return names if model.exog is None else names[: model.exog.shape[1]]


def active_columns(model: Any, names: tuple[str, ...]) -> ActiveColumns | None:
    """Return the reader of a fit that has some of the model's columns; None where it has all, or others."""
    everything = list(_columns(model))
    unique = len(set(everything)) == len(everything)
    if not (unique and set(names) < set(everything)):
        return None
    return ActiveColumns(model, tuple(everything.index(name) for name in names))
