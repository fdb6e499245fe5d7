"""What becomes of the quantities of a `Functional` when rows go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from influstat.input.labels import index_of
from influstat.input.lazy_types import DataFrame
from influstat.input.ranking import Moves, Ranked
from influstat.input.validation import FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class FunctionalChange(Ranked):
    """What becomes of m quantities when each of k rows is removed.

    Attributes
    ----------
    change : ndarray, shape (k, m)
        After minus before, in units of the quantities; nan where there is no fit without the row.
    row_labels : ndarray, shape (k,)
        The rows.
    labels : tuple of str
        The quantities.
    status : tuple of str
        "" for a row like any other, else why it has nan.
    method : str
        How the coefficients without it were found.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> ist.contrast(fit, [2.0]).leave_one_out().change.ravel().round(9)        # 2 * 3 - 4, 2 * 1 - 4
    array([ 2., -2.])
    """

    HEADING = "Change without each row, after minus before ({0.method})"
    change: FloatArray
    row_labels: NDArray[Any]
    labels: tuple[str, ...]
    status: tuple[str, ...]
    method: str

    def to_frame(self) -> DataFrame:
        """Return the changes, rows by quantities."""
        import pandas as pd

        return pd.DataFrame(self.change, index=index_of(self.row_labels), columns=list(self.labels))

    def moves(self) -> Moves:
        """Return `change`, a column for each quantity."""
        return Moves(self.change, self.row_labels, self.labels, self.HEADING.format(self))
