"""Ground truth for diagnostics and inference: the definitions in plain NumPy, and nothing of influstat.

Everything is a function of case weights a: a_i multiplies row i wherever it appears, so that a_i = 0 is the
fit without it and derivatives in a_i are what `Inference.derivative` gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from tests.reference import PlainRisk


@dataclass(frozen=True)
class PlainInference:
    """One covariance of theta of a PlainRisk, `phi` None where it is estimated."""

    plain: PlainRisk
    kind: str
    phi: float | None = None
    clusters: np.ndarray | None = None
    frequency: bool = False
    use_t: bool = False

    def fitted(self, a):
        """Return the risk at case weights a and its minimiser."""
        risk = self.plain.reweighted(self.plain.weights * a)
        return risk, risk.minimiser()

    def pieces(self, a):
        """Return theta, S^-1, the penalty's Hessian, N, edf, per row l1, l2 and the quadratic forms."""
        risk, theta = self.fitted(a)
        total = sum(float(w) for w in risk.weights)
        penalty = np.diag(risk.kappa * risk.D)
        inverse = np.linalg.inv(total * risk.hessian(theta))
        eta = risk.X @ theta + risk.offset
        first = np.array([risk.loss.first(y, e) for y, e in zip(risk.y, eta, strict=True)])
        second = np.array([risk.loss.second(y, e) for y, e in zip(risk.y, eta, strict=True)])
        forms = np.array([x @ inverse @ x for x in risk.X])
        positive = self.plain.weights > 0
        counts = self.plain.weights if self.frequency else positive.astype(float)
        freedom = len(theta) - np.trace(inverse @ penalty)
        return risk, theta, inverse, float(counts @ a), freedom, first, second, forms

    def dispersion(self, a):
        """Return phi: given, or Pearson's statistic over its degrees of freedom."""
        if self.phi is not None:
            return self.phi
        risk, _, _, count, freedom, first, second, _ = self.pieces(a)
        return float(risk.weights @ (first**2 / second)) / (count - freedom)

    def covariance(self, a):
        """Return the covariance of theta."""
        risk, theta, inverse, count, freedom, _, second, forms = self.pieces(a)
        if self.kind == "model":
            return self.dispersion(a) * inverse
        g = risk.row_gradients(theta)
        w = self.plain.weights
        if self.kind == "cluster":
            sums = [((a * w)[self.clusters == c]) @ g[self.clusters == c] for c in np.unique(self.clusters)]
            k = len(sums)
            meat = sum(np.outer(s, s) for s in sums) * k / (k - 1) * (count - 1) / (count - freedom)
            return inverse @ meat @ inverse
        h = second * forms * (1.0 if self.frequency else w)
        scale = (w if self.frequency else w**2) * a
        scale = {"HC0": scale, "HC1": scale * count / (count - freedom)}.get(self.kind, scale)
        scale = scale / (1 - h) ** {"HC2": 1, "HC3": 2}.get(self.kind, 0)
        return inverse @ (g.T * scale @ g) @ inverse

    def table(self, a, level=0.95):
        """Return standard errors, t, p, lower and upper limits, shape (5, p)."""
        theta = self.fitted(a)[1]
        error = np.sqrt(np.diag(self.covariance(a)))
        distribution = stats.norm()
        if self.use_t:
            _, _, _, count, freedom, *_ = self.pieces(a)
            distribution = stats.t(count - freedom)
            if self.kind == "cluster":
                distribution = stats.t(len(np.unique(self.clusters)) - 1)
        t = theta / error
        width = distribution.isf((1 - level) / 2) * error
        return np.array([error, t, 2 * distribution.sf(np.abs(t)), theta - width, theta + width])

    def diagnostics(self, i):
        """Return the measures of row i, without it everything estimated anew; "exact" of `diagnostics`."""
        ones = np.ones(len(self.plain.y))
        without = ones.copy()
        without[i] = 0.0
        risk, theta, inverse, _, freedom, first, second, forms = self.pieces(ones)
        phi, phi_without = self.dispersion(ones), self.dispersion(without)
        _, theta_without, inverse_without, *_ = self.pieces(without)
        total = sum(float(w) for w in risk.weights)
        change = theta - theta_without
        w, x = risk.weights[i], risk.X[i]
        leverage = w * second[i] * forms[i]
        residual = -np.sqrt(w) * first[i] / np.sqrt(second[i] * (1 - leverage))
        if second[i] < 1.0:  # logistic: Williams' residual, with the deviance of the label
            deviance = 2.0 * w * np.log1p(np.exp(-(x @ theta + risk.offset[i]) * (1 if first[i] < 0 else -1)))
            williams = -np.sign(first[i]) * np.sqrt(
                deviance + leverage * w * first[i] ** 2 / second[i] / (1.0 - leverage)
            )
        else:
            williams = residual
        displacement = total * (risk.value(theta_without) - risk.value(theta))
        determinants = [np.linalg.det(phi_without * inverse_without), np.linalg.det(phi * inverse)]
        return {
            "hat_diag": leverage,
            "cooks_d": change @ np.linalg.solve(phi * inverse, change) / freedom,
            "standard_resid": residual / np.sqrt(phi),
            "student_resid": williams / np.sqrt(phi_without),
            "dffits_internal": x @ change / np.sqrt(phi * forms[i]),
            "dffits": x @ change / np.sqrt(phi_without * forms[i]),
            "cov_ratio": determinants[0] / determinants[1],
            "likelihood_displacement": 2 * displacement / phi,
            "dfbeta": change,
            "dfbetas": change / np.sqrt(phi_without * np.diag(inverse)),
        }
