"""What scikit-learn itself finds without some rows, from its own starting values."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.adapters.scikit_learn.batch_steps import taken
from influstat.input.groups import Indices
from influstat.input.validation import FloatArray


@dataclass(frozen=True, eq=False)
class EstimatorRefit:
    """A regressor fitted again without rows, its settings as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 5.0])
    >>> EstimatorRefit(LinearRegression().fit(X, y), X, y, None)([2]).round(9)
    array([1., 0.])
    """

    estimator: Any  # with one row of coefficients
    table: Any  # the columns that it was fitted to, shape (n, p)
    y: Any  # its targets, shape (n,)
    weights: FloatArray | None  # its sample_weight

    def __call__(self, rows: Indices) -> FloatArray | None:
        """Return the coefficients, the intercept last; None where the refit fails."""
        y = np.asarray(self.y).ravel()
        left = np.setdiff1d(np.arange(len(y)), rows)
        part = copy.deepcopy(self.estimator)
        if getattr(part, "warm_start", False):  # which would start at the fit's own coefficients
            part.set_params(warm_start=False)
        weights = {} if self.weights is None else {"sample_weight": self.weights[left]}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                part.fit(taken(self.table, left), y[left], **weights)
        except (ValueError, ArithmeticError):
            return None
        theta = np.ravel(part.coef_)
        return np.append(theta, part.intercept_) if part.fit_intercept else theta

    def roughly(self, groups: Sequence[Indices]) -> FloatArray | None:
        """Return None: its solvers are not done for many groups of rows at once."""
