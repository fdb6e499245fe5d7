"""`Reasons`: why each row has a nan, kept with a table at no cost."""

from __future__ import annotations

from typing import Any, Self


class Reasons(tuple[str, ...]):
    """A tuple with "" or a reason for every row, as `attrs["status"]` of a DataFrame.

    pandas copies the attributes of a table, entry by entry, with every column that is taken out of it: 1.5
    seconds for a million rows. What cannot change need not be copied.

    Examples
    --------
    >>> from copy import deepcopy
    >>> from influstat.input.reasons import Reasons
    >>> reasons = Reasons(["", "its leverage is 1"])
    >>> deepcopy(reasons) is reasons, reasons == ("", "its leverage is 1")
    (True, True)
    """

    __slots__ = ()

    def __deepcopy__(self, memo: Any) -> Self:
        """Return itself."""
        return self
