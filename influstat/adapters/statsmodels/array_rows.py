"""The reader of a model made from arrays: new rows are rows of its design, and bring their own offsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from influstat.adapters.statsmodels.offsets import offset_parts


@dataclass(frozen=True)
class ArrayRows:
    """Takes new rows as they are, and demands their offset where the model has one.

    Attributes
    ----------
    model : statsmodels model
        Made from arrays.

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

    model: Any

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
