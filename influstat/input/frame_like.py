"""`FrameLike`: results that are tables, and can be used as the DataFrame that they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from influstat.errors import Unsupported
from influstat.input.printing import Tabled


class _NoPicture(Unsupported, AttributeError):
    """A table of which pandas' default picture would be nonsense; an AttributeError, since there is none."""


class FrameLike(Tabled):
    """A result that answers as its table does: columns by name, `index`, `loc`, `iloc`, `to_csv`, ...

    What changes a DataFrame in place changes nothing here: each question is about a new one. It has no
    `plot`: lines through rows in the order of a table show nothing, and `PICTURE` says what does.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0], row_labels=["low", "high"])
    >>> ranking = fit.influence().on_prediction([[1.0]]).top(2)
    >>> ranking["change"].round(9).tolist(), ranking.index.tolist(), [row.position for row in ranking]
    ([0.5, -0.5], ['low', 'high'], [0, 1])
    """

    PICTURE = 'fit.plot.index("dfbeta_<name>") with the name of a coefficient'  # of what each row does

    def __getattr__(self, name: str) -> Any:
        """Return what the table has under this name."""
        if name == "plot":
            raise _NoPicture(
                "plot",
                "be that of a fit or of a table",
                f"is asked of {type(self).__name__}, which has none",
                f"Draw {self.PICTURE}; to_frame().plot is pandas' own.",
            )
        if name.startswith("_"):  # of protocols, such as that of pickle
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            return getattr(self.to_frame(), name)
        except AttributeError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}") from None

    def __getitem__(self, key: Any) -> Any:
        """Return a column, or the rows that a mask chooses, as of a DataFrame."""
        return self.to_frame()[key]

    def __contains__(self, key: Any) -> bool:
        """Tell whether there is a column of this name."""
        return key in self.to_frame()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.to_frame())

    def __iter__(self) -> Iterator[Any]:
        """Yield each row as a named tuple, `Index` its label: rows, where a DataFrame yields its columns."""
        return iter(self.to_frame().itertuples(name="Row"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the entries as an array, as NumPy asks for them."""
        return np.asarray(self.to_frame(), dtype=dtype)


class Reasons(tuple[str, ...]):
    """A tuple with "" or a reason for every row, as `attrs["status"]` of a DataFrame.

    pandas copies the attributes of a table, entry by entry, with every column that is taken out of it: 1.5
    seconds for a million rows. What cannot change need not be copied.

    Examples
    --------
    >>> from copy import deepcopy
    >>> from influstat.input.frame_like import Reasons
    >>> reasons = Reasons(["", "its leverage is 1"])
    >>> deepcopy(reasons) is reasons, reasons == ("", "its leverage is 1")
    (True, True)
    """

    __slots__ = ()

    def __deepcopy__(self, memo: Any) -> Self:
        """Return itself."""
        return self
