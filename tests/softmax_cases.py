"""Softmax problems made to break a bound that is none, and their refits in extended precision."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

import influstat as ist
from influstat.adapters.statsmodels.likelihood import ScoredLikelihoods
from influstat.input.design import Design
from influstat.risks.likelihood import LikelihoodRisk
from tests.extended import EPSILON, LONG

METHODS = ("newton", "influence", "exact")


@dataclass(frozen=True)
class SoftmaxProblem:
    """X (n, q) with its intercept, if any; `reference` is statsmodels' parametrisation, without a penalty."""

    X: np.ndarray
    y: np.ndarray
    K: int
    weights: np.ndarray
    strength: float
    intercept: bool
    folded: bool
    reference: bool

    @classmethod
    def of(cls, rows):
        """Return the numbers of a `ClassPredictors` with one strength."""
        X, strength = rows.design.rows(slice(None)), float(rows.strengths.max())
        free = rows.strengths[-1] == 0 < strength
        leaves = rows.protocol.carried(rows.total_weight) > 0
        return cls(X, rows.y, rows.classes, rows.weights, strength, free, leaves, rows.reference)

    def risk(self):
        """Return the library's risk."""
        if self.reference:
            import statsmodels.api as sm

            names = [f"{k}: {j}" for k in range(1, self.K) for j in range(self.X.shape[1])]
            model = sm.MNLogit(self.y, self.X, check_rank=False)
            risk = LikelihoodRisk(ScoredLikelihoods(model), Design(self.X), names, np.arange(len(self.y)))
            return risk.reweighted(self.weights)
        return ist.SoftmaxRisk(
            self.X[:, :-1] if self.intercept else self.X,
            self.y,
            classes=range(self.K),
            penalty=ist.L2(self.strength),
            weights=self.weights,
            intercept=self.intercept,
            protocol="folded" if self.folded else "fixed",
        )

    def tests(self, X):
        """Return new rows as the risk takes them."""
        return X[:, :-1] if self.intercept and not self.reference else X

    @property
    def penalty(self):
        """Strength of each column, (q,)."""
        strengths = np.full(self.X.shape[1], 0.0 if self.reference else self.strength, dtype=LONG)
        if self.intercept and not self.reference:
            strengths[-1] = 0
        return strengths


class SoftmaxTruth:
    """The same numbers in extended precision."""

    def __init__(self, problem):
        self.problem = problem
        self.X, self.weights = problem.X.astype(LONG), problem.weights.astype(LONG)
        self.hot = np.eye(problem.K, dtype=LONG)[problem.y]

    def eta(self, theta, X):
        """Return the predictors (m, K) of theta (p,)."""
        blocks = theta.reshape(-1, self.X.shape[1])
        if self.problem.reference:
            blocks = np.concatenate([np.zeros_like(blocks[:1]), blocks])
        return X.astype(LONG) @ blocks.T

    def minimiser(self, gone, start, steps=100):
        """Return the minimiser without the rows, nan where it is not found: Newton's method, damped."""
        problem, X = self.problem, self.X
        weights = self.weights.copy()
        weights[gone] = 0
        left = weights.sum() / self.weights.sum() if problem.folded else LONG(1)
        penalty = left * problem.penalty
        gauge = np.where(problem.penalty == 0, self.weights.sum(), LONG(0)) * (not problem.reference)
        first = X.shape[1] if problem.reference else 0
        theta, damping = np.asarray(start, dtype=LONG), 0.0
        for _ in range(steps):
            blocks = theta.reshape(-1, X.shape[1])
            pi, value = self._value(theta, weights, penalty, gauge)
            slopes = weights[:, None] * (pi - self.hot)
            gradient = (slopes.T @ X).ravel()[first:]
            gradient = gradient + (penalty * blocks + gauge * blocks.sum(axis=0)).ravel()
            size = ((weights[:, None] * (pi + self.hot)).T @ np.abs(X)).ravel()[first:]
            size = size + (penalty * np.abs(blocks) + gauge * np.abs(blocks).sum(axis=0)).ravel()
            spread = np.abs(X) @ np.abs(blocks).sum(axis=0)
            size = size + ((weights * spread)[:, None] * pi * (1 - pi)).T.dot(np.abs(X)).ravel()[first:]
            if (np.abs(gradient) <= 16 * EPSILON * size).all():
                return theta
            H = self._hessian(weights, pi, penalty, gauge)[first:, first:]
            scale = 1 / np.sqrt(np.maximum(np.diag(H), 1e-300))
            scaled = H * scale * scale[:, None] + (damping + 1e-18) * np.eye(len(H))
            try:
                step = scale * np.linalg.solve(scaled, scale * gradient.astype(float))
            except np.linalg.LinAlgError:
                damping = max(10 * damping, 1e-8)
                continue
            after = self._value(theta - step, weights, penalty, gauge)[1]
            if after <= value + 16 * EPSILON * np.abs(value):
                theta = theta - step
                damping = damping / 100 if damping > 1e-8 else 0.0
            else:
                damping = max(10 * damping, 1e-8)
        return np.full(len(theta), LONG(np.nan))

    def _value(self, theta, weights, penalty, gauge):
        eta = self.eta(theta, self.X)
        top = eta.max(axis=1, keepdims=True)
        raised = np.exp(eta - top)
        total = raised.sum(axis=1, keepdims=True)
        losses = (np.log(total) + top)[:, 0] - (self.hot * eta).sum(axis=1)
        blocks = theta.reshape(-1, self.X.shape[1])
        held = (penalty * blocks**2).sum() + (gauge * blocks.sum(axis=0) ** 2).sum()
        return raised / total, (weights * losses).sum() + held / 2

    def _hessian(self, weights, pi, penalty, gauge):
        K, q, X = self.problem.K, self.X.shape[1], self.X.astype(float)
        H = np.zeros((K, q, K, q))
        w, p = weights.astype(float), pi.astype(float)
        for a in range(K):
            for b in range(K):
                curvature = w * (p[:, a] * np.delete(p, a, 1).sum(axis=1) if a == b else -p[:, a] * p[:, b])
                H[a, :, b] = (X.T * curvature) @ X + np.diag((gauge + (a == b) * penalty).astype(float))
        return H.reshape(K * q, K * q)

    def losses(self, theta, X, y):
        """Return the losses of test rows, with their share of the penalty if folded."""
        eta = self.eta(theta, X)
        eta = eta - eta[np.arange(len(y)), y][:, None]
        top = eta.max(axis=1)
        losses = top + np.log(np.exp(eta - top[:, None]).sum(axis=1))
        return losses + self.penalty_share(theta)

    def penalty_share(self, theta):
        """Return what the loss of a new row holds of the penalty."""
        blocks = theta.reshape(-1, self.X.shape[1])
        return self.problem.folded * (self.problem.penalty * blocks**2).sum() / 2 / self.weights.sum()

    def probabilities(self, theta, X):
        """Return pi of test rows, (m, K)."""
        eta = self.eta(theta, X)
        raised = np.exp(eta - eta.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)


@st.composite
def softmax_problems(draw):
    """Draw a problem, rows or groups to remove and a method.

    Weights over six decades, a row of large leverage, classes of one row, labels that columns all but
    determine, units over eight decades, both parametrisations and protocols.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    K, q = draw(st.integers(2, 4)), draw(st.integers(1, 3))
    n = draw(st.integers(3 * K, 16))
    reference, intercept = draw(st.booleans()), draw(st.booleans())
    X = rng.normal(size=(n, q)) * 10.0 ** rng.integers(-draw(st.integers(0, 4)), 1, q)
    X[draw(st.integers(0, n - 1))] *= 10.0 ** draw(st.integers(0, 2))
    y = rng.permutation(np.resize(np.arange(K), n))
    kind = draw(st.sampled_from(["drawn", "all but determined", "one row of a class"]))
    if kind == "all but determined":
        scores = (X / np.abs(X).max(axis=0)) @ rng.normal(size=(q, K))
        y = np.argmax(scores + 0.3 * rng.normal(size=(n, K)) * scores.std(), axis=1)
        y[:K] = np.arange(K)
    if kind == "one row of a class":
        y[y == K - 1] = 0
        y[0] = K - 1
    if intercept:
        X = np.column_stack([X, np.ones(n)])
    weights = 10.0 ** (draw(st.sampled_from([0.0, 1.0, 3.0])) * rng.uniform(-1.0, 1.0, n))
    problem = SoftmaxProblem(
        X,
        y,
        K,
        weights,
        strength=10.0 ** draw(st.integers(-3, 2)),
        intercept=intercept,
        folded=draw(st.booleans()) and not reference,
        reference=reference,
    )
    groups = [[row] for row in range(n)]
    if draw(st.booleans()):
        groups = [rng.choice(n, int(rng.integers(1, n // 2)), replace=False).tolist() for _ in range(4)]
    X_test = rng.normal(size=(2, X.shape[1])) * np.abs(X).max(axis=0) * 10.0 ** draw(st.integers(-1, 1))
    if intercept:
        X_test[:, -1] = 1.0
    return problem, groups, draw(st.sampled_from(METHODS)), X_test, rng.integers(0, K, 2)
