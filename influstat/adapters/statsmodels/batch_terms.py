"""What a statsmodels fit found on all rows: terms of a formula such as ``I(x - x.mean())``, and the like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from influstat.adapters.other_rows import alike, few, parts
from influstat.adapters.statsmodels.formula_parts import evaluated, right_spec, training_table, variables_in
from influstat.adapters.statsmodels.left_side import left_side


def batch_terms(model: Any, specs: list[Any] | None = None) -> list[str]:
    """Return the terms of both sides whose value for a row is another one in a part of the table.

    Not those of stateful transforms, such as ``center(x)``, which remember the rows of the fit.

    `specs` is what `sides` gives, where the caller has it.

    Returns
    -------
    list of str
        Empty too where the table that was fitted is gone.

    Examples
    --------
    >>> import pandas as pd
    >>> import statsmodels.api as sm
    >>> table = pd.DataFrame({"y": [1.0, 3.0, 2.0, 5.0], "x": [1.0, 4.0, 9.0, 2.0]})
    >>> batch_terms(sm.OLS.from_formula("y ~ I(x - x.mean()) + center(x)", table))
    ['I(x - x.mean())']
    """
    specs = sides(model) if specs is None else specs
    table = training_table(model) if specs else None
    if table is None:
        return []
    sample = table.iloc[few(len(table))]
    found = [
        name
        for spec in specs
        for name, value in _factors(model, spec)
        if not (name.isidentifier() or name == "1") and _differs(value, sample, name)
    ]
    return list(dict.fromkeys(found))


def sides(model: Any) -> list[Any]:
    """Return the right and the left side of a model's formula as patsy or formulaic holds them, if known."""
    left = left_side(model)
    found = [right_spec(model), None if left is None else left.spec]
    return [spec for spec in found if spec is not None]


def _factors(model: Any, spec: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Yield the factors of one side, or where these cannot be evaluated alone its terms."""
    if hasattr(spec, "factor_infos"):  # patsy
        for factor, info in spec.factor_infos.items():
            yield factor.name(), partial(factor.eval, info.state)
        return
    for term, columns in getattr(spec, "term_indices", {}).items():  # formulaic
        yield str(term), partial(_columns, model, spec, list(columns))


def _columns(model: Any, spec: Any, places: list[int], rows: Any) -> Any:
    return evaluated(model, spec, rows)[:, places]


def _differs(value: Callable[[Any], Any], sample: Any, name: str) -> bool:
    """Tell whether a factor has another value for some row where only part of the rows are there."""
    try:
        with np.errstate(all="ignore"):
            whole = _values(value(sample))
            numbers = [one for one in variables_in(name, sample) if _is_numeric(sample[one])]
            by = sample[numbers[0]].to_numpy() if numbers else None
            return any(
                not alike(_values(value(sample.iloc[places])), whole[places])
                for places in parts(len(sample), by)
            )
    except Exception:  # noqa: BLE001  # whatever a formula raises on fewer rows than it expects
        return True


def _values(found: Any) -> Any:
    """Return what a factor gives as an array; patsy keeps categories in a box with their contrast."""
    return np.asarray(found.data if hasattr(found, "contrast") else found)


def _is_numeric(column: Any) -> bool:
    return getattr(getattr(column, "dtype", None), "kind", "O") in "fiub"


def held_of(results: Any) -> tuple[str, ...]:
    """Return a sentence for each thing that is held when rows go, of results without their wrapper.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> held_of(sm.RLM([1.0, 3.0, 2.0, 9.0], [[1.0]] * 4).fit())
    ('The scale of RLM was estimated on all rows, and is held when rows go.',)
    """
    held, model = [], results.model
    specs = sides(model)
    learning = [name for spec in specs for name in _learning(spec)]
    terms = list(dict.fromkeys(learning + batch_terms(model, specs)))
    if terms:
        many, verb, hold = ("s", "were", "are") if len(terms) > 1 else ("", "was", "is")
        held.append(
            f"The term{many} {', '.join(terms)} of the formula {verb} computed with all rows, and {hold} "
            "held when rows go."
        )
    if getattr(model, "smoother", None) is not None:
        held.append("The knots of the smoother were placed by all rows, and are held when rows go.")
    if type(model).__name__ == "RLM":
        held.append("The scale of RLM was estimated on all rows, and is held when rows go.")
    return tuple(held)


def _learning(spec: Any) -> list[str]:
    """Return the factors of one side that hold a stateful transform's state."""
    if hasattr(spec, "factor_infos"):  # patsy
        parts = spec.factor_infos.items()
        return [factor.name() for factor, info in parts if info.state.get("transforms")]
    return [name for name, state in getattr(spec, "transform_state", {}).items() if state]  # formulaic
