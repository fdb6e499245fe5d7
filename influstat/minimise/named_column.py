"""Groups by name: a column of the table that a formula was fitted with, or a level of its index."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.groups import Groups, one_per_row, read_groups, read_rows
from influstat.input.labels import index_of
from influstat.input.printing import nearest_first, short
from influstat.input.reader import TableReader
from influstat.minimise.minimum import Minimum


def named_column(fit: Minimum, groups: Any, argument: str = "groups") -> Any:
    """Return the column of the training table, or level of its index, that text names; else what is given."""
    if not isinstance(groups, str):
        return _with_copies(fit, groups, argument)
    reader = fit.reader
    column = reader.training_column(groups) if isinstance(reader, TableReader) else None
    if column is not None:
        return column
    levels = getattr(fit.row_labels, "names", None) or ()
    if groups in levels:
        return index_of(fit.row_labels).get_level_values(groups).to_numpy()
    need = "name a column of the table that a formula was fitted with, where it is text"
    names = reader.training_names if isinstance(reader, TableReader) else ()
    if names:
        was = f"is {short(groups)}; the columns are {nearest_first(groups, names)}"
        raise InvalidArgument(argument, need, was, "Pass one of these names, or one label per row.")
    was, n = f"is {short(groups)}, and the fit knows no such table", len(fit.row_labels)
    raise InvalidArgument(argument, need, was, f"Pass one label per row ({n}), or lists of rows.")


def _with_copies(fit: Minimum, groups: Any, argument: str) -> Any:
    """Return one label for each row, of one for each row of the model; everything else as it is."""
    rows = fit.stated.copy_of
    if rows is None or isinstance(groups, dict) or not hasattr(groups, "__len__"):
        return groups
    n = int(rows.max()) + 1  # copies are rows of their own, and have the labels of their row
    if isinstance(groups, (list, tuple)) and any(np.ndim(one) for one in groups):
        return groups
    if len(groups) not in (n, len(rows)):
        need = f"have one label for each row of the model ({n}), which its copies share"
        remedy = "A copy cannot be in another group than its row: give each row one label."
        raise InvalidArgument(argument, need, f"has {len(groups)}", remedy)
    return one_per_row(argument, groups, fit.row_labels[:n])[rows] if len(groups) == n else groups


def groups_or_rows(fit: Minimum, groups: Any, argument: str = "groups") -> Groups:
    """Return the groups that a caller gave, or whose column was named; each row alone for None."""
    if groups is None:
        return read_rows(None, fit.row_labels)
    return read_groups(named_column(fit, groups, argument), fit.row_labels, argument)
