"""What a formula says of new rows: which variables it needs of a table, and a side of it evaluated there."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.objects import numbers_in
from influstat.input.printing import short
from influstat.input.tables import as_pandas
from influstat.input.validation import (
    IN_NEW_ROWS,
    FloatArray,
    first_not_finite,
    numeric_array,
    raise_not_finite,
)

SPECS = ("model_spec", "design_info", "model_spec_linear", "design_info_linear")  # as versions call it
RECIPE = "_influstat_recipe"  # of a model that comes from a pickle: how its right side is made anew
SAME = 1e-12  # relative: the same numbers, up to the rounding of a logarithm and back
QUOTED = re.compile(r"""\bQ\(\s*(?:"([^"]*)"|'([^']*)')\s*\)|`([^`]*)`""")  # names, in patsy and formulaic
STRINGS = re.compile(r""""[^"]*"|'[^']*'""")


def formula_of(model: Any) -> Any:
    """Return the formula of a model, None where it was made from arrays."""
    # GLMGam moves its own away when it is fitted.
    return getattr(model, "formula", None) or getattr(model, "formula_linear", None)


def training_table(model: Any) -> Any:
    """Return the table that a formula was fitted with, the rows of the fit alone; None where it is gone."""
    table = as_pandas("data", getattr(model.data, "frame", None))
    if table is None or not hasattr(table, "columns"):
        return None
    missing = getattr(model.data, "missing_row_idx", None)
    kept = np.delete(np.arange(len(table)), [] if missing is None else np.asarray(missing, dtype=int))
    labels = getattr(model.data, "row_labels", None)
    if labels is None or len(labels) != np.shape(model.endog)[0]:
        return table.iloc[kept] if len(kept) == np.shape(model.endog)[0] else None
    if len(kept) == len(labels) and table.index[kept].equals(labels):
        return table.iloc[kept]
    # The caller has sorted or cut the table since: its rows are found by what they are called.
    found = table.index.is_unique and labels.is_unique and labels.isin(table.index).all()
    return table.loc[labels] if found else None


def variables_in(text: str, table: Any) -> list[Any]:
    """Return the columns of a table that a side of a formula names."""
    # What stands in quotation marks is none, but in Q("a b"), nor is a keyword of a call, as df=.
    quoted = {name for found in QUOTED.findall(text) for name in found if name}
    code = STRINGS.sub(" ", QUOTED.sub(" ", text))
    return [
        name
        for name in table.columns
        if str(name) in quoted or re.search(rf"(?<![\w.]){re.escape(str(name))}(?!\w|\s*=[^=])", code)
    ]


def right_spec(model: Any) -> Any:
    """Return the right side of a model's formula as patsy or formulaic holds it, None without one."""
    found = [getattr(owner, name, None) for owner in (model, model.data) for name in SPECS]
    recipe = getattr(model, RECIPE, None)
    return next((one for one in found if one is not None), recipe and recipe.right(model))


def lacking(model: Any, table: Any) -> list[Any]:
    """Return the columns of the table that was fitted which the right side needs, and this table lacks."""
    # Without them patsy takes what has their name where the model was made, whatever that is.
    trained = training_table(model)
    if trained is None:
        return []
    needed = variables_in(str(formula_of(model)).rpartition("~")[2], trained) + smoothed(model)
    return [name for name in needed if name not in table.columns]


def smoothed(model: Any) -> list[Any]:
    """Return the columns of a table that the smoother of a GLMGam takes; none without one."""
    smoother = getattr(model, "smoother", None)
    return [] if smoother is None else list(smoother.variable_names)


def right_side(model: Any, table: Any) -> tuple[list[str], FloatArray]:
    """Return names and columns of the design matrix for the rows of a table; or raise as patsy does."""
    spec = right_spec(model)
    rows, names = evaluated(model, spec, table), [str(name) for name in spec.column_names]
    if columns := smoothed(model):
        basis = model.smoother.transform(np.asarray(table[columns], dtype=np.float64))
        rows, names = np.column_stack([rows, basis]), [*names, *model.exog_names[len(names) :]]
    return names, rows


def evaluated(model: Any, spec: Any, table: Any) -> FloatArray:
    """Return what statsmodels hands to the model's `predict` for the table under this specification."""
    from statsmodels.base.model import Results

    kept = []

    def predict(_: Any, rows: Any) -> Any:
        kept.append(np.asarray(rows, dtype=np.float64))
        return np.zeros(len(rows))

    listening = copy.copy(model)  # Results.predict is the one public way to such rows
    listening.predict, listening.formula = predict, formula_of(model)
    listening.model_spec = listening.design_info = spec
    # Counted anew: rows with a missing value come back as nan by their labels, which may repeat.
    Results(listening, np.zeros(2)).predict(table.set_axis(range(len(table)), axis=0))
    return kept[0] if kept[0].ndim == 2 else kept[0].reshape(len(table), -1)


def with_numbers(model: Any, table: Any) -> Any:
    """Return the table with objects that are numbers as such, where that of the fit holds numbers."""
    kinds = [getattr(dtype, "kind", "O") for dtype in table.dtypes]
    levels = [hasattr(dtype, "categories") for dtype in table.dtypes]  # are none, whatever they are called
    held = [j for j, kind in enumerate(kinds) if kind == "O" and not levels[j]]
    trained = training_table(model) if held else None
    if trained is None:
        return table
    for j in held:
        name = table.columns[j]
        if name in trained.columns and getattr(trained[name].dtype, "kind", "O") in "iuf":
            numbers = numbers_in(f"column {name!r} of X", table.iloc[:, j])
            if numbers is not None:
                table = table.copy(deep=False)
                table.isetitem(j, numbers)
    return table


def require_numbers(model: Any, table: Any) -> None:
    """Raise for a variable that does not hold numbers where it does in the fit, or lacks one."""
    trained = training_table(model)
    for name in [] if trained is None else variables_in(str(formula_of(model)), table):
        if name not in trained.columns or getattr(trained[name].dtype, "kind", "O") not in "iuf":
            continue
        if getattr(table[name].dtype, "kind", "O") not in "iuf":
            numeric_array("X", table[[name]])  # says which entry is none
            raise InvalidType(
                "X",
                f"hold numbers in column {short(name)}, as the table of the fit does",
                f"holds {table[name].dtype} there",
                "Convert that column: .astype(float).",
            )
        _require_present(table, int(np.argmax(table[name].isna())), [name])


def require_finite(model: Any, table: Any, rows: FloatArray) -> None:
    """Raise for a row of the design that is not finite, naming the variable of the table behind it."""
    place = first_not_finite(rows)
    if place is None:
        return
    row = place[0]
    names = variables_in(str(formula_of(model)).rpartition("~")[2], table) + smoothed(model)
    held = {name: table[name].iloc[row] for name in names}
    _require_present(table, row, names)
    raise InvalidArgument(
        "X",
        f"give finite values in the formula {formula_of(model)!r}",
        f"gives {rows[place]} at row {row} ({short(table.index[row])}), where "
        + ", ".join(f"{name} is {value}" for name, value in held.items()),
        IN_NEW_ROWS,
    )


def _require_present(table: Any, row: int, names: list[Any]) -> None:
    """Raise where one of these variables has no finite value in a row of the table."""
    import pandas as pd

    for name in names:
        value = table[name].iloc[row]
        if pd.isna(value) or value in (np.inf, -np.inf):
            at = row, list(table.columns).index(name)
            raise_not_finite("X", value, *at, names=(table.index[row], name), remedy=IN_NEW_ROWS)


def said(error: BaseException) -> str:
    """Return the sentence in which patsy or formulaic says what is wrong, without the place it points at."""
    cause = error.__cause__ or error.__context__ or error
    lines = [line.strip() for line in str(cause).splitlines()]
    return next((line for line in lines if line.strip("^ ")), type(cause).__name__)


def columns_as_table(X: Mapping[Any, Any]) -> Any:
    """Return a dict of columns, or of single values, as a table, as statsmodels' predict takes it."""
    import pandas as pd

    try:
        return pd.DataFrame(X) if any(np.ndim(one) for one in X.values()) else pd.DataFrame([X])
    except ValueError as error:
        raise InvalidArgument(
            "X", "be columns of one length, where it is a dict", f"is not: {error}", "Pass a DataFrame."
        ) from error
