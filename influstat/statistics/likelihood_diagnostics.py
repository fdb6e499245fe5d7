"""Measures of rows for risks without one linear predictor per row: those that need no leverage."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.errors import Unsupported
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.removal import Removal
from influstat.statistics.dispersion import dispersion_of

GENERAL = ("cooks_d", "likelihood_displacement", "dfbetas", "dfbeta")


class GeneralMeasures:
    """Cook's distance, displacement and DFBETAs from the changes of theta alone; edf is p.

    Parameters
    ----------
    fit : Fit
        Any fit.
    removal : Removal
        Each of its rows left out.
    dispersion : float, optional
        The variance of y at unit weight, if it is known; else the risk must say it.

    Raises
    ------
    Unsupported
        The risk says nothing of its dispersion and a measure needs it.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.statistics.likelihood_diagnostics import GeneralMeasures
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0], [1.0]], [1.0, 3.0, 8.0])
    >>> GeneralMeasures(fit, fit.leave_one_out(), 1.0).cooks_d().round(9)       # 6 delta^2 / 2
    array([ 6.75,  0.75, 12.  ])
    """

    def __init__(self, fit: Minimum, removal: Removal, dispersion: Any) -> None:
        self.fit, self.removal, self._given = fit, removal, dispersion
        self._hessian: FloatArray = fit.hessian.to_dense() * fit.risk.total_weight

    @property
    def _phi(self) -> float:
        risk: Any = self.fit.risk
        known = dispersion_of(getattr(risk, "loss", risk), self._given)
        if known is None:
            raise Unsupported(
                "dispersion",
                "be given where the risk has no linear predictor to estimate it by",
                "is None",
                "fit.diagnostics takes dispersion= where it is known.",
            )
        return known

    def available(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the names that can be had: without a dispersion only what needs none."""
        with suppress(Unsupported):
            _ = self._phi
            return names
        return tuple(name for name in names if name == "dfbeta")

    def dfbeta(self) -> FloatArray:
        """Return theta - theta_-i, before minus after."""
        return -self.removal.delta

    def dfbetas(self) -> FloatArray:
        """Return the same over the standard errors of the fit."""
        inverse = CholeskyInverse(self._hessian.copy(order="F"), self.fit.names)
        variance = self._phi * np.diag(inverse.solve(np.eye(len(self._hessian))))
        return np.asarray(self.dfbeta() / np.sqrt(variance))

    def cooks_d(self) -> FloatArray:
        """Return delta'S delta / (phi p)."""
        delta = self.removal.delta
        size = np.einsum("ij,ij->i", delta @ self._hessian, delta)
        return np.asarray(size / (self._phi * delta.shape[1]))

    def likelihood_displacement(self) -> FloatArray:
        """Return 2 [F(theta_-i) - F(theta)] / phi."""
        risk, before = self.fit.risk, self.fit.risk.value(self.fit.theta)
        known = [np.nan if np.isnan(one).any() else risk.value(one) for one in self.removal.theta]
        return 2.0 * risk.total_weight * (np.array(known) - before) / self._phi
