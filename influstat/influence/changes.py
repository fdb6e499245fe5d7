"""Which move of the design stands for a change of a named column: the user's own, or a coefficient's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.influence.user_columns import UserColumns
from influstat.input.printing import nearest_first, short
from influstat.input.settings import texts
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import require_linear


@dataclass(frozen=True, eq=False)
class Change:
    """A small change of a column, or one from a value to another.

    Attributes
    ----------
    label : str
        What it is called.
    direction : ndarray, shape (n, p)
        How each row of the design moves per unit of the column.
    values : ndarray, shape (n,)
        The column, for relative changes.
    ends : tuple of two ndarrays of shape (n, p), or None
        The rows after and before a discrete change.
    """

    label: str
    direction: FloatArray
    values: FloatArray
    ends: tuple[FloatArray, FloatArray] | None = None


def changes_of(
    fit: Minimum,
    user: UserColumns | None,
    rows: FloatArray,
    columns: Sequence[str] | str | None,
    discrete: Sequence[str] | str,
) -> list[Change]:
    """Return the changes that are asked for, or of every column that varies.

    Returns
    -------
    list of Change

    Raises
    ------
    InvalidArgument
        A name does not exist, is not unique, or has no answer.
    """
    steps = texts("discrete", [discrete] if isinstance(discrete, str) else discrete)
    slopes = {} if user is None else slopes_of(user)
    if columns is None:
        names = _everything(fit, slopes, user, steps)
    else:
        names = texts("columns", [columns] if isinstance(columns, str) else columns)
    if not names:
        raise InvalidArgument("columns", "name a column that varies", "names none", "Add a column.")
    known = (*(() if user is None else user.names), *fit.names)
    for argument, wanted in (("columns", names), ("discrete", steps)):
        for name in wanted:
            if name not in known:
                raise _unknown(argument, name, fit, user)
    others = [name for name in steps if name not in names]
    if others:
        raise InvalidArgument(
            "discrete", "be among the columns", f"holds {short(others[0])}", "Add it to columns too."
        )
    result: list[Change] = []
    for name in names:
        if user is not None and user.names.count(name) == 1:
            result += _of_user(user, slopes, name, stepped=name in steps)
        else:
            result.append(_of_coefficient(fit, rows, slopes, name, stepped=name in steps))
    return result


def _unknown(argument: str, name: str, fit: Minimum, user: UserColumns | None) -> InvalidArgument:
    """Return the error for a name that neither the user's table nor the coefficients have."""
    need = (
        "name coefficients of the fit"
        if user is None
        else "name columns of the table that the model was given"
    )
    names = fit.names if user is None else user.names
    was = f"holds {short(name)}; there are {nearest_first(name, names)}"
    return InvalidArgument(argument, need, was, "Pass some of these names.")


def slopes_of(user: UserColumns) -> dict[str, FloatArray]:
    """Return the slope of each of the user's columns that has one."""
    found = {}
    for name in user.names:
        try:
            found[name] = user.slope(name)
        except InvalidArgument:
            continue  # categories, or columns that the design does not use
    return found


def _everything(
    fit: Minimum, slopes: dict[str, FloatArray], user: UserColumns | None, steps: list[str]
) -> list[str]:
    """Return the names of all columns that vary, in the order of the design."""
    names: list[str] = []
    for j in chosen_columns(fit, None):
        moving = [name for name, slope in slopes.items() if slope[:, j].any()]
        names += [name for name in (moving or [fit.names[j]]) if name not in names]
    own = () if user is None else user.names
    return names + [name for name in steps if name in own and name not in names]


def _of_user(user: UserColumns, slopes: dict[str, FloatArray], name: str, *, stepped: bool) -> list[Change]:
    if name in slopes and not stepped:
        return [Change(name, slopes[name], user.values(name))]
    rows = user.rows
    none = np.zeros(len(rows))
    if name in slopes:
        return [Change(name, rows, none, (user.at(name, 1.0), user.at(name, 0.0)))]
    levels = user.levels(name)
    ends = [user.at(name, level) for level in levels]
    moved = [(level, end) for level, end in zip(levels[1:], ends[1:], strict=True) if (end != ends[0]).any()]
    if not moved:
        user.slope(name)  # says why
        raise InvalidArgument("columns", "name columns of the fit", f"holds {name!r}", "It is not used.")
    return [Change(f"{name}: {level}", rows, none, (end, ends[0])) for level, end in moved]


def _of_coefficient(
    fit: Minimum, rows: FloatArray, slopes: dict[str, FloatArray], name: str, *, stepped: bool
) -> Change:
    j = int(chosen_columns(fit, [name])[0])
    for own, slope in slopes.items():
        if slope[:, j].any() and np.count_nonzero(slope.any(axis=0)) > 1:
            raise InvalidArgument(
                "columns",
                "name variables that move alone",
                f"holds {name!r}, which moves with other columns made from {own!r}",
                f"Name {own!r}: its effect counts them all.",
            )
    unit = np.zeros(rows.shape[1])
    unit[j] = 1.0
    ends = None
    if stepped:
        low = rows.copy()
        low[:, j] = 0.0
        ends = (low + unit, low)
    return Change(name, np.broadcast_to(unit, rows.shape), rows[:, j], ends)


def chosen_columns(fit: Minimum, columns: Sequence[str] | str | None) -> Any:
    """Return the positions of the coefficients named, or of all whose column is not constant.

    Returns
    -------
    ndarray of int

    Raises
    ------
    InvalidArgument
        A name does not exist or is not unique.
    """
    if columns is None:
        rows = require_linear(fit.risk, "all columns").design
        first = rows.rows(slice(0, 1))
        varies = np.zeros(rows.shape[1], dtype=np.bool_)
        for _, block in rows.blocks():
            dense = block.toarray() if hasattr(block, "toarray") else block
            varies |= (dense != first).any(axis=0)
        return np.flatnonzero(varies)
    names = texts("columns", [columns] if isinstance(columns, str) else columns)
    for name in names:
        if name not in fit.names:
            raise _unknown("columns", name, fit, None)
        if fit.names.count(name) > 1:
            raise InvalidArgument(
                "columns",
                "name coefficients of the fit, each of them unique",
                f"holds {short(name)}, which {fit.names.count(name)} of them have",
                "Rename the columns of X, and fit again.",
            )
    return np.array([fit.names.index(name) for name in names], dtype=np.intp)
