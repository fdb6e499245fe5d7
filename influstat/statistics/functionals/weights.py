"""Weights of coefficients that are given by name, in the order of the coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.labels import has_index, require_position
from influstat.input.printing import among, nearest_first, short
from influstat.input.validation import real_number


def weights_by_position(argument: str, given: Any, names: Sequence[str]) -> Any:
    """Return weights by name as an array, shape (p,) or (m, p); what is given by position stays as it is.

    A Series, or the columns of a DataFrame, are by position only where their labels are 0, 1, ... `names` are
    those of the coefficients; errors call what is given `argument`.

    Returns
    -------
    object

    Raises
    ------
    InvalidArgument, InvalidType
        It is text, a name is none of the coefficients or that of several, or a weight is no finite number.

    Examples
    --------
    >>> from influstat.statistics.functionals.weights import weights_by_position
    >>> weights_by_position("coefficients", {"age": 2.0}, ["dose", "age"])
    array([0., 2.])
    """
    if isinstance(given, (str, bytes)):
        example = (
            "{" + ", ".join(f"{name!r}: {one}" for name, one in zip(names, (1.0, -1.0), strict=False)) + "}"
        )
        need = "be a vector, a dict or a Series of weights"
        raise InvalidType(argument, need, f"is {short(given)}", f"Pass {example}, for example.")
    if isinstance(given, Mapping):
        return _in_order(argument, given, names)
    if isinstance(given, (list, tuple)) and given and all(isinstance(one, Mapping) for one in given):
        return np.array([_in_order(f"{argument}[{k}]", one, names) for k, one in enumerate(given)])
    if has_index(given):
        labels = given.columns if np.ndim(given) == 2 else given.index
        if labels.tolist() == list(range(len(labels))):  # positions, if not names of others
            for position in labels.tolist():
                require_position(argument, position, tuple(names))
            return given
        values = np.atleast_2d(given.to_numpy())
        lines = [_paired(argument, labels.tolist(), line.tolist(), names) for line in values]
        return np.array(lines) if np.ndim(given) == 2 else lines[0]
    return given


def _in_order(argument: str, weights: Mapping[Any, Any], names: Sequence[str]) -> Any:
    return _paired(argument, list(weights), list(weights.values()), names)


def _paired(argument: str, labels: list[Any], values: list[Any], names: Sequence[str]) -> Any:
    """Return the weights at the places of their names, 0 elsewhere."""
    line = np.zeros(len(names))
    for label, value in zip(labels, values, strict=True):
        count = list(names).count(str(label))
        if count != 1 or labels.count(label) > 1:
            was = (
                f"has {short(label)} twice" if count == 1 else among(label, count).replace("is ", "names ", 1)
            )
            raise InvalidArgument(
                argument,
                "name coefficients of the fit, each of them once",
                f"{was}; there are {nearest_first(label, names)}",
                "Pass one of these.",
            )
        line[list(names).index(str(label))] = real_number(f"{argument}[{label!r}]", value)
    return line
