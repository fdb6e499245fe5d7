"""The folds that an estimator has cross-validated itself by, where they can be known."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.input.chosen import test_sets


def folds_of(cv: Any, table: Any, y: Any, classes: Any) -> list[NDArray[np.intp]] | None:
    """Return the test rows of each fold, each row in one; None where they are not known to be these.

    They are not where they are drawn anew each time, or need more than X and y.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        The estimator's setting.
    table, y : array_like, shapes (n, p) and (n,)
        Its rows.
    classes : array_like or None
        Those of a classifier, whose folds are stratified.

    Returns
    -------
    list of ndarray, or None

    Examples
    --------
    >>> [fold.tolist() for fold in folds_of(2, [[0.0]] * 4, [0.0] * 4, None)]
    [[0, 1], [2, 3]]
    """
    from sklearn.model_selection import check_cv

    try:
        splitter = check_cv(cv, y, classifier=classes is not None)
        drawn = getattr(splitter, "shuffle", True) and hasattr(splitter, "random_state")
        if drawn and not isinstance(splitter.random_state, Integral):
            return None
        tests, again = (test_sets("cv", list(splitter.split(table, y)), len(y)) for _ in range(2))
    except (TypeError, ValueError, AttributeError):  # groups are missing, an iterator has run out
        return None
    if tests is None or again is None or not all(map(np.array_equal, tests, again)):
        return None
    return tests if np.array_equal(np.sort(np.concatenate(tests)), np.arange(len(y))) else None
