"""What a formula says of new rows: a side of it evaluated on a table, and where offsets come from."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.tables import as_pandas
from influstat.input.validation import FloatArray

SPECS = ("model_spec", "design_info", "model_spec_linear", "design_info_linear")  # as versions call it
SAME = 1e-12  # relative: the same numbers, up to the rounding of a logarithm and back


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
    return [name for name in table.columns if re.search(rf"(?<!\w){re.escape(str(name))}(?!\w)", text)]


def right_spec(model: Any) -> Any:
    """Return the right side of a model's formula as patsy or formulaic holds it, None without one."""
    found = [getattr(owner, name, None) for owner in (model, model.data) for name in SPECS]
    return next((one for one in found if one is not None), None)


def right_side(model: Any, table: Any) -> tuple[list[str], FloatArray]:
    """Return names and columns of the design matrix for the rows of a table; or raise as patsy does."""
    spec = right_spec(model)
    rows, names = evaluated(model, spec, table), [str(name) for name in spec.column_names]
    smoother = getattr(model, "smoother", None)
    if smoother is not None:
        basis = smoother.transform(np.asarray(table[list(smoother.variable_names)], dtype=np.float64))
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


# -- offsets ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OffsetPart:
    """One argument of the model that adds to the linear predictor, and the columns that it may be.

    Attributes
    ----------
    argument : str
        "offset" or "exposure".
    columns : dict
        The columns of the table that it equals, and of each whether it is its logarithm that does.
    """

    argument: str
    columns: dict[Any, bool]

    def of(self, table: Any) -> FloatArray | None:
        """Return what is added for the rows of a table, shape (m,); None where its columns differ there."""
        found = []
        for column, logged in self.columns.items():
            values = np.asarray(table[column], dtype=np.float64)
            with np.errstate(all="ignore"):  # what is not finite is refused as such
                found.append(np.log(values) if logged else values)
        alike = all(np.allclose(one, found[0], rtol=SAME, atol=SAME, equal_nan=True) for one in found)
        return found[0] if alike else None


def offset_parts(model: Any) -> list[OffsetPart]:
    """Return what the model adds to its linear predictor."""
    parts = []
    for argument in ("offset", "exposure"):  # statsmodels keeps the exposure as its logarithm
        values = getattr(model, argument, None)
        if values is not None and np.any(np.asarray(values)):
            found = _columns_equal(training_table(model), np.asarray(values, dtype=np.float64))
            parts.append(OffsetPart(argument, found))
    return parts


def _columns_equal(table: Any, values: FloatArray) -> dict[Any, bool]:
    """Return the columns that are these values, or whose logarithms are, and which of both it is."""
    found = {}
    for name in [] if table is None else table.select_dtypes("number").columns:
        column = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
        with np.errstate(all="ignore"):
            for logged, candidate in ((False, column), (True, np.log(column))):
                if np.allclose(candidate, values, rtol=SAME, atol=SAME):
                    found[name] = logged
                    break
    return found
