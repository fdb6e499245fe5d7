"""`Reader`: from a caller's new rows to those of a risk, so that nothing below sees untransformed rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray


class Reader(Protocol):
    """What a fit needs to take new rows as the estimator behind it does.

    Examples
    --------
    >>> import influstat as ist
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = [[1.0], [0.0], [-1.0]], ["a", "b", "a"]
    >>> fit = ist.from_sklearn(LogisticRegression(tol=1e-8).fit(X, y), X, y, polish=True)
    >>> fit.reader.targets(["b", "a"])
    array([1., 0.])
    """

    def columns(self, X: Any) -> Any:
        """Return X as the risk's design needs it, transformed and of its columns; or a `LabelledTable`."""
        ...

    def targets(self, y: Any) -> Any:
        """Return y as the risk's loss needs it."""
        ...

    def labels(self, X: Any, y: Any) -> NDArray[Any] | None:
        """Return what the caller's rows are called, shape (m,); None where neither X nor y says so."""
        ...


@runtime_checkable
class TableReader(Reader, Protocol):
    """A reader whose tables X hold more than the design: targets, offsets, groups.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.input.reader import TableReader
    >>> isinstance(ist.Ridge().fit([[1.0], [2.0]], [1.0, 2.0]).reader, TableReader)
    False
    """

    def targets_in(self, X: Any, y: Any) -> Any:
        """Return y, in the order of X, as the risk's loss needs it; None where neither says it."""
        ...

    def offset_in(self, X: Any, offset: Any) -> Any:
        """Return the offset of new rows, also where it is left out and X knows it; or raise."""
        ...

    @property
    def training_names(self) -> tuple[str, ...]:
        """Names of the columns of the table behind the training rows; none where it is not kept."""
        ...

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of those of them that the columns of the fit are made of."""
        ...

    def training_column(self, name: str) -> Any:
        """Return a column of the table behind the training rows, in their order; None where there is none."""
        ...


@dataclass(frozen=True)
class LabelledTable:
    """A table (m, p) whose rows are called something that it does not say itself."""

    table: Any
    row_labels: NDArray[Any]
