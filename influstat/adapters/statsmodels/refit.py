"""What statsmodels itself finds without some rows, from its own starting values."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.input.groups import Indices
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk

ITERATIONS = 50  # of statsmodels' 100: what takes longer is asked of statsmodels itself
SETTLED = 1e-7  # relative change of the coefficients: a look at which minimum is near needs no more
AT_ONCE = 2**20  # products of two columns worked on together: 8 MiB


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


def roughly_refitted(risk: LinearRisk, family: Any, groups: Sequence[Indices]) -> FloatArray:
    """Return what a GLM finds without each group of rows, shape (k, p), to about 6 digits.

    The rows of the risk are those of the GLM: weights are frequencies times variance weights times trials.

    Returns
    -------
    ndarray, shape (k, p)
        nan where the iterations do not settle.

    Examples
    --------
    >>> import numpy as np
    >>> import statsmodels.api as sm
    >>> import influstat as ist
    >>> risk = ist.LinearRisk(ist.SquaredError(), np.ones((3, 1)), [1.0, 2.0, 6.0])
    >>> roughly_refitted(risk, sm.families.Gaussian(), [np.array([2]), np.array([0])])
    array([[1.5],
           [4. ]])
    """
    left = np.ones((len(groups), risk.shape[0]), dtype=np.bool_)
    for k, rows in enumerate(groups):
        left[k, rows] = False
    basis, change = np.linalg.qr(risk.design.rows(np.ones(risk.shape[0], dtype=np.bool_)))
    with np.errstate(all="ignore"):
        found = _iterated(risk, family, basis, left)
        return np.asarray(np.linalg.lstsq(change, found.T, rcond=None)[0].T)


def _iterated(risk: LinearRisk, family: Any, basis: FloatArray, left: NDArray[np.bool_]) -> FloatArray:
    """Return the coefficients along the columns of an orthonormal basis, nan where they do not settle."""
    link, y, shift = family.link, risk.y, risk.offset
    mean = np.where(left, y, 0.0)
    for k, rows in enumerate(left):
        mean[k] = np.where(rows, 0.0, y)
        mean[k, rows] = family.starting_mu(y[rows])
    eta, last = family.predict(mean), np.zeros((len(left), basis.shape[1]))
    found, going = np.full_like(last, np.nan), np.arange(len(left))
    for _ in range(ITERATIONS):
        weights = np.where(left[going], risk.weights * family.weights(mean), 0.0)
        target = np.where(left[going], eta + link.deriv(mean) * (y - mean) - shift, 0.0)
        theta = _solved(_squares(weights, basis), (weights * target) @ basis)
        sized = np.abs(theta - last).max(axis=1) / np.abs(theta).max(axis=1)
        finite = np.isfinite(theta).all(axis=1)
        done = finite & (sized < SETTLED)
        found[going[done]] = theta[done]
        on = finite & ~done
        going, last = going[on], theta[on]
        if not going.size:
            break
        eta = last @ basis.T + shift
        mean = family.fitted(eta)
    return found


def _squares(weights: FloatArray, basis: FloatArray) -> FloatArray:
    """Return sum_i w_ki q_i q_i' for each row of weights (k, n) and the rows q_i of `basis`, (k, p p)."""
    n, p = basis.shape
    total, step = np.zeros((len(weights), p * p)), max(1, AT_ONCE // p**2)
    for rows in (slice(start, start + step) for start in range(0, n, step)):
        part = basis[rows]
        total += weights[:, rows] @ (part[:, :, None] * part[:, None, :]).reshape(len(part), -1)
    return total


def _solved(matrices: FloatArray, sides: FloatArray) -> FloatArray:
    """Return the solutions of k systems, of least norm where one has several; nan where one is not finite."""
    p = sides.shape[1]
    matrices, theta = matrices.reshape(-1, p, p), np.full_like(sides, np.nan)
    finite = np.isfinite(matrices).all(axis=(1, 2)) & np.isfinite(sides).all(axis=1)
    # As statsmodels' own steps; NumPy solves no singular systems together.
    inverses = np.linalg.pinv(matrices[finite], hermitian=True)
    theta[finite] = np.einsum("kpq,kq->kp", inverses, sides[finite])
    return theta
