"""What statsmodels itself finds without some rows, from its own starting values."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.adapters.statsmodels.irls import roughly_refitted
from influstat.input.groups import Indices
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk


@dataclass(frozen=True, eq=False)
class GLMRefit:
    """A GLM fitted again without rows, as its results were fitted.

    The data are those of the risk, so that a pickled fit holds them once, and not the results.

    Examples
    --------
    >>> import numpy as np
    >>> import statsmodels.api as sm
    >>> import influstat as ist
    >>> risk = ist.LinearRisk(ist.SquaredError(), np.ones((3, 1)), [1.0, 2.0, 6.0])
    >>> GLMRefit(risk, sm.families.Gaussian(), "IRLS")([2])
    array([1.5])
    """

    risk: LinearRisk  # of the model's rows: weights are frequencies times variance weights times trials
    family: Any  # of statsmodels, with its link
    method: str  # of `GLM.fit`

    def __call__(self, rows: Indices) -> FloatArray | None:
        """Return the coefficients, shape (p,); None where the refit fails or does not converge."""
        from statsmodels.genmod.generalized_linear_model import GLM

        risk = self.risk
        left = np.ones(risk.shape[0], dtype=np.bool_)
        left[rows] = False
        part = GLM(
            risk.y[left],
            risk.design.rows(left),
            family=self.family,
            offset=risk.offset[left],
            freq_weights=risk.weights[left],
        )
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = part.fit(method=self.method, maxiter=200, disp=0)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return None
        theta = np.asarray(found.params, dtype=np.float64)
        return theta if found.converged and np.isfinite(theta).all() else None

    def roughly(self, groups: Sequence[Indices]) -> FloatArray | None:
        """Return the same without each of many groups of rows to a few digits, by IRLS for all, (k, p)."""
        # nan where it does not settle; None for fits by another method.
        if self.method.upper() != "IRLS":
            return None
        return roughly_refitted(self.risk, self.family, groups)
