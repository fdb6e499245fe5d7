"""What statsmodels itself finds without some rows, from its own starting values."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.adapters.statsmodels.glm import offset_of
from influstat.adapters.statsmodels.irls import roughly_refitted
from influstat.input.groups import Indices
from influstat.input.validation import FloatArray


@dataclass(frozen=True, eq=False)
class GLMRefit:
    """A GLM fitted again without rows, as its results were fitted.

    Attributes
    ----------
    results : GLMResults
        Without their wrapper.

    Examples
    --------
    >>> import numpy as np
    >>> import statsmodels.api as sm
    >>> GLMRefit(sm.GLM([1.0, 2.0, 6.0], np.ones(3)).fit()._results)([2])
    array([1.5])
    """

    results: Any

    def __call__(self, rows: Indices) -> FloatArray | None:
        """Return the coefficients, shape (p,); None where the refit fails or does not converge."""
        model = self.results.model
        offset = offset_of(model)
        left = np.ones(np.shape(model.endog)[0], dtype=np.bool_)
        left[rows] = False
        part = type(model)(
            np.asarray(model.endog)[left],
            np.asarray(model.exog)[left],
            family=model.family,
            offset=None if offset is None else offset[left],
            freq_weights=np.asarray(model.freq_weights)[left],
            var_weights=np.asarray(model.var_weights)[left],
        )
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = part.fit(method=str(getattr(self.results, "method", "IRLS")), maxiter=200, disp=0)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return None
        theta = np.asarray(found.params, dtype=np.float64)
        return theta if found.converged and np.isfinite(theta).all() else None

    def roughly(self, groups: Sequence[Indices]) -> FloatArray | None:
        """Return the same without each of many groups of rows to a few digits, by IRLS for all at once.

        Returns
        -------
        ndarray, shape (k, p), or None
            nan where it does not settle; None for fits by another method.
        """
        if str(getattr(self.results, "method", "IRLS")).upper() != "IRLS":
            return None
        return roughly_refitted(self.results.model, groups)
