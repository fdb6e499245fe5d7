"""Which move of the design stands for a change of a named column: the user's own, or a coefficient's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.influence.user_columns import UserColumns
from influstat.input.design import Design
from influstat.input.printing import nearest_first, short
from influstat.input.settings import texts
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.likelihood import LikelihoodRisk
from influstat.risks.linear import require_linear

MANY, MOST = 100, 20_000_000  # values of a column, and those times rows: some ten seconds of reading them
SAME = 1e-8  # relative: moves of the design that are the same in every row, up to differences


@dataclass(frozen=True, eq=False)
class Change:
    """A small change of a column, or one from a value to another."""

    label: str  # what it is called
    direction: FloatArray  # how each row of the design moves per unit of the column, shape (n, q)
    values: FloatArray  # the column, for relative changes, shape (n,)
    ends: tuple[FloatArray, FloatArray] | None = None  # rows after and before a discrete one, each (n, q)


def changes_of(
    fit: Minimum,
    user: UserColumns | None,
    rows: FloatArray,
    columns: Sequence[str] | str | None,
    discrete: Sequence[str] | str,
) -> list[Change]:
    """Return the changes that are asked for, or of every column that varies; or raise."""
    steps = texts("discrete", [discrete] if isinstance(discrete, str) else discrete)
    slopes = {} if user is None else slopes_of(user)
    if columns is None:
        names = _everything(fit, slopes, user, steps)
    else:
        names = texts("columns", [columns] if isinstance(columns, str) else columns)
    if not names:
        raise InvalidArgument("columns", "name a column that varies", "names none", "Add a column.")
    known = (*(() if user is None else user.names), *design_of(fit).names)
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
    names, need = design_of(fit).names, "name coefficients of the fit"
    if user is not None:
        names, need = user.names, "name columns of the table that the model was given"
    elif class_predictors_of(fit.risk) is not None:
        need = "name columns of the design, which every class has"
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
    own_names = design_of(fit).names
    for j in chosen_columns(fit, None):
        moving = [name for name, slope in slopes.items() if slope[:, j].any()]
        names += [name for name in (moving or [own_names[j]]) if name not in names]
    own = () if user is None else user.names
    return names + [name for name in steps if name in own and name not in names]


def _of_user(user: UserColumns, slopes: dict[str, FloatArray], name: str, *, stepped: bool) -> list[Change]:
    if name in slopes and not stepped:
        return [Change(name, slopes[name], user.values(name))]
    rows = user.rows
    none = np.zeros(len(rows))
    if name in slopes:
        return [Change(name, rows, none, (user.at(name, 1.0), user.at(name, 0.0)))]
    runs = _runs(user, name)
    low = runs[0][1]
    moved = [(text, end) for text, end in runs[1:] if (end != low).any()]
    if not moved:
        user.slope(name)  # says why
        raise InvalidArgument("columns", "name columns of the fit", f"holds {name!r}", "It is not used.")
    return [Change(f"{name}: {text}", rows, none, (end, low)) for text, end in moved]


def _runs(user: UserColumns, name: str) -> list[tuple[str, FloatArray]]:
    """Return the levels of a column, in words, and the rows at each; numbers in ranges with the same rows."""
    levels, numbers = user.levels(name), user.holds_numbers(name)
    if numbers and len(levels) > MANY and len(levels) * len(user.rows) > MOST:
        raise InvalidArgument(
            "columns",
            f"name columns of at most {MOST // len(user.rows)} values where the design follows them in steps",
            f"names {name!r}, which has {len(levels)}",
            "Name the coefficient that the steps have, in discrete= too.",
        )
    runs: list[tuple[Any, Any, FloatArray]] = []
    for level in levels:
        end = user.at(name, level)
        if numbers and runs and np.array_equal(end, runs[-1][2]):  # as x > 40 has two values, whatever x has
            runs[-1] = (runs[-1][0], level, end)
        else:
            runs.append((level, level, end))
    return [(f"{first}" if first == last else f"{first} to {last}", end) for first, last, end in runs]


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
    """Return the positions of the coefficients named, or of all whose column is not constant; or raise."""
    if columns is None:
        rows = design_of(fit)
        first = rows.rows(slice(0, 1))
        varies = np.zeros(rows.shape[1], dtype=np.bool_)
        for _, block in rows.blocks():
            dense = block.toarray() if hasattr(block, "toarray") else block
            varies |= (dense != first).any(axis=0)
        return np.flatnonzero(varies)
    names = texts("columns", [columns] if isinstance(columns, str) else columns)
    own = design_of(fit).names
    for name in names:
        if name not in own:
            raise _unknown("columns", name, fit, None)
        if own.count(name) > 1:
            raise InvalidArgument(
                "columns",
                "name coefficients of the fit, each of them unique",
                f"holds {short(name)}, which {own.count(name)} of them have",
                "Rename the columns of X, and fit again.",
            )
    return np.array([own.index(name) for name in names], dtype=np.intp)


def design_of(fit: Minimum) -> Design:
    """Return the design whose columns have coefficients: one each, or one for every class."""
    classes = class_predictors_of(fit.risk)
    if classes is not None:
        return classes.design
    design = fit.risk.predictor_design() if isinstance(fit.risk, LikelihoodRisk) else None
    return require_linear(fit.risk, "columns").design if design is None else design


def one_direction(change: Change) -> FloatArray:
    """Return the move of the design that a change makes in every row, or raise where rows differ."""
    moves = change.direction if change.ends is None else change.ends[0] - change.ends[1]
    if np.max(np.abs(moves - moves[0])) > SAME * np.max(np.abs(moves)):
        raise InvalidArgument(
            "columns",
            "move the log odds by the same in every row",
            f"holds {change.label!r}, whose effect depends on where a row is (a power, or an interaction)",
            "Use ist.average_marginal_effect, or ist.contrast of the coefficients at the values of interest.",
        )
    return np.asarray(moves[0])


def require_unrelative(changes: list[Change], elasticity: str | None) -> None:
    """Raise where a relative change of a column is asked for that moves from one value to another."""
    if elasticity in ("eyex", "dyex") and any(change.ends is not None for change in changes):
        raise InvalidArgument(
            "elasticity",
            'be "eydx" or left out for discrete changes, which have no relative size',
            f"is {elasticity!r}",
            "Take those columns out of columns= and discrete=.",
        )
