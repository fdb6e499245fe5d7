"""Rows that are called by dates or periods: what a text or a day means there."""

from __future__ import annotations

import warnings
from datetime import date
from typing import Any

from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.printing import short


def refuse_spans(argument: str, entries: list[Any], index: Any) -> None:
    """Raise for a text that is a month of several rows: as a date it is only the first day of it."""
    import pandas as pd

    if not isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)):
        return
    for text in (one for one in entries if isinstance(one, str)):
        try:
            place = index.get_loc(text)
            inside = 1 if isinstance(place, int) else len(index[place])
        except (KeyError, ValueError, TypeError):  # no row, which is said elsewhere
            continue
        if inside > 1 and not index.has_duplicates:
            raise InvalidArgument(
                argument,
                "hold labels that one row has",
                f"holds {short(text)}, into which {inside} rows fall",
                f"Pass their labels, table.loc[{text!r}].index, or the whole date of one.",
            )


def as_dates(given: NDArray[Any], index: Any) -> Any:
    """Return texts and days as the dates that they are, where rows are called by dates; else None."""
    import pandas as pd

    by_dates = isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex))
    if not by_dates or given.dtype.kind not in "OU":
        return None
    entries = given.tolist()
    if not all(isinstance(one, (str, date)) for one in entries):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pandas guesses each format; what is none is refused
        if isinstance(index, pd.PeriodIndex):
            return pd.PeriodIndex(entries, freq=index.freq)
        return pd.DatetimeIndex(entries, tz=index.tz)
