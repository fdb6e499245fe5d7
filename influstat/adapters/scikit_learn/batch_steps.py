"""Transformers that take other rows of the table into account, such as a FunctionTransformer with a mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from influstat.adapters.other_rows import alike, few, parts
from influstat.input.groups import Indices


def leaves(step: Any) -> Iterator[Any]:
    """Yield the transformers of a pipeline, those inside of others too."""
    if step is None or isinstance(step, str):  # "drop" and "passthrough"
        return
    inner = getattr(step, "transformers_", None) or getattr(step, "transformer_list", None)
    inner = inner or getattr(step, "steps", None)
    if inner is None:
        yield step
        return
    for part in inner:
        yield from leaves(part[1])


def batch_steps(transformers: Any, X: Any) -> str:
    """Return the name of what may take other rows into account, "" where the transformers take none.

    Only functions and classes of the user's can: those of scikit-learn transform row by row.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer, StandardScaler
    >>> X = np.arange(6.0)[:, None]
    >>> batch_steps(make_pipeline(FunctionTransformer(lambda X: X - X.mean())).fit(X), X)
    'FunctionTransformer'
    >>> batch_steps(make_pipeline(FunctionTransformer(np.sqrt), StandardScaler()).fit(X), X)
    ''
    """
    names = list(dict.fromkeys(type(step).__name__ for step in leaves(transformers) if _may(step)))
    if not names:
        return ""
    try:
        sample = taken(X, few(np.shape(X)[0]))
        whole = _dense(transformers.transform(sample))
        same = all(
            alike(_dense(transformers.transform(taken(sample, places))), whole[places])
            for places in parts(len(whole))
        )
    except Exception:  # noqa: BLE001  # whatever a user's function raises on fewer rows than it expects
        same = False
    return "" if same else " or ".join(names)


def _may(step: Any) -> bool:
    if type(step).__name__ == "FunctionTransformer":
        return step.func is not None and not isinstance(step.func, np.ufunc)
    return not type(step).__module__.startswith("sklearn.")


def taken(X: Any, places: Indices) -> Any:
    """Return rows of a table by position, in the form that the table has."""
    if hasattr(X, "iloc"):
        return X.iloc[places]
    return X[places] if hasattr(X, "shape") else [X[i] for i in places]


def _dense(table: Any) -> Any:
    return np.asarray(table.toarray() if hasattr(table, "toarray") else table)
