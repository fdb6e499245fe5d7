"""The left side of a model's formula, evaluated on new rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.adapters.statsmodels.formula_parts import (
    RECIPE,
    SAME,
    SPECS,
    evaluated,
    formula_of,
    right_spec,
    training_table,
    variables_in,
)
from influstat.input.tables import as_pandas
from influstat.input.validation import FloatArray


@dataclass(frozen=True, eq=False)
class LeftSide:
    """How the model's targets follow from a table."""

    model: Any  # made from a formula
    spec: Any  # the left side as patsy or formulaic holds it; None where that is not known any more
    code: Callable[[FloatArray], FloatArray]  # from its columns, shape (m, k), to the model's targets
    variables: tuple[str, ...]  # the columns of the table that it takes
    plain: bool  # whether it is one column of the table as it stands

    @property
    def lost(self) -> bool:
        """Whether it cannot be evaluated on other rows."""
        return self.spec is None and not self.plain

    def columns(self, table: Any) -> FloatArray:
        """Return the left side's columns for the rows of a table, shape (m, k); or raise as patsy does."""
        if self.spec is None:
            return np.asarray(table[[self.variables[0]]], dtype=np.float64)
        return evaluated(self.model, self.spec, table)


def left_side(model: Any) -> LeftSide | None:
    """Return the left side of a model's formula, None for a model without one."""
    right = right_spec(model)
    endog = getattr(model.data, "orig_endog", None)
    if right is None or endog is None:
        return None
    raw = np.asarray(endog, dtype=np.float64)
    raw = raw.reshape(len(raw), -1)
    code = _coding(raw, np.asarray(model.endog, dtype=np.float64))
    if code is None:
        return None
    text, table = str(formula_of(model)).partition("~")[0].strip(), training_table(model)
    known = [getattr(endog, name, None) for name in SPECS[:2]]
    spec = next((one for one in known if one is not None), None)
    if spec is None and table is not None:
        spec = _found_again(model, right, text, table, raw)
    if table is None:
        variables: tuple[str, ...] = (text,) if re.fullmatch(r"\w+", text) else ()
    else:
        variables = tuple(map(str, variables_in(text, table)))
    # A variable that is no number, such as a boolean, has become indicators, of which the model takes one.
    plain = text in variables and code is _as_it_is and raw.shape[1] == 1
    return LeftSide(model, spec, code, variables, plain)


def _found_again(model: Any, right: Any, text: str, table: Any, raw: FloatArray) -> Any:
    """Return the left side built anew, None where it cannot be or does not give what was fitted."""
    # statsmodels loses it where rows with missing values are dropped. The names of the caller's scope that
    # the right side uses are known, and NumPy and pandas.
    import pandas as pd

    scope: dict[str, Any] = {"np": np, "numpy": np, "pd": pd, "pandas": pd}
    whole = as_pandas("data", model.data.frame)
    try:
        recipe = getattr(model, RECIPE, None)
        scope |= {} if recipe is None else recipe.scope()
        if hasattr(right, "factor_infos"):
            import patsy

            for info in right.factor_infos.values():
                for names in getattr(info.state.get("eval_env"), "_namespaces", []):
                    scope.update(names)
            sides = patsy.dmatrices(f"{text} ~ 1", whole, patsy.EvalEnvironment([scope]))
            spec = sides[0].design_info
        else:
            import formulaic

            spec = formulaic.model_matrix(f"{text} ~ 1", whole, context=scope).lhs.model_spec
        if _same(evaluated(model, spec, table), raw):
            return spec
        # What takes other rows into account took those too that were dropped.
        everything = evaluated(model, spec, whole)
    except Exception:  # noqa: BLE001  # whatever a formula raises: a name of the caller's out of reach
        return None
    kept = np.delete(np.arange(len(whole)), np.asarray(model.data.missing_row_idx or [], dtype=int))
    return spec if _same(everything[kept], raw) else None


def _same(found: FloatArray, raw: FloatArray) -> bool:
    return found.shape == raw.shape and np.allclose(found, raw, rtol=SAME, atol=0.0)


def _as_it_is(columns: FloatArray) -> FloatArray:
    return columns[:, 0]


def _share(columns: FloatArray) -> FloatArray:
    """Return successes divided by trials."""
    return np.asarray(columns[:, 0] / columns.sum(axis=1))


def _place(columns: FloatArray) -> FloatArray:
    """Return which of the indicators is 1; nan for a missing one."""
    return np.where(np.isnan(columns).any(axis=1), np.nan, columns.argmax(axis=1))


def _coding(raw: FloatArray, endog: FloatArray) -> Callable[[FloatArray], FloatArray] | None:
    """Return how the model's targets came from the left side, found on the training rows themselves."""
    for code in (_as_it_is, _share, _place):
        with np.errstate(all="ignore"):
            if np.allclose(code(raw), endog, rtol=SAME, atol=0.0):
                return code
    values, first = np.unique(raw[:, 0], return_index=True)
    codes = endog[first]
    if raw.shape[1] != 1 or not np.array_equal(codes[np.searchsorted(values, raw[:, 0])], endog):
        return None

    def coded(columns: FloatArray) -> FloatArray:
        place = np.minimum(np.searchsorted(values, columns[:, 0]), len(values) - 1)
        return np.where(values[place] == columns[:, 0], codes[place], np.nan)

    return coded
