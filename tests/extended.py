"""Exact refits in extended precision (longdouble, 64 bits): the truth that certificates are held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.cases import penalty_diagonal

LONG = np.longdouble
EPSILON = float(np.finfo(LONG).eps)


def sigma(x):
    """Return 1 / (1 + e^-x)."""
    small = np.exp(-np.abs(x))
    return np.where(x > 0, 1 / (1 + small), small / (1 + small))


def log_one_plus_exp(x):
    """Return log(1 + e^x)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@dataclass(frozen=True)
class Derivatives:
    """l, l1, l2 of one loss."""

    value: object
    first: object
    second: object


def derivatives(name):
    """Return the derivatives of the loss of a LossCase's name."""
    if name == "squared error":
        return Derivatives(lambda y, e: (y - e) ** 2, lambda y, e: 2 * (e - y), lambda y, e: 2 + 0 * e)
    if name == "logistic":
        return Derivatives(
            lambda y, e: log_one_plus_exp((1 - 2 * y) * e),
            lambda y, e: (1 - 2 * y) * sigma((1 - 2 * y) * e),
            lambda y, e: sigma(e) * sigma(-e),
        )
    if name == "signed logistic":
        return Derivatives(
            lambda y, e: log_one_plus_exp(-y * e),
            lambda y, e: -y * sigma(-y * e),
            lambda y, e: sigma(e) * sigma(-e),
        )
    if name == "Poisson":
        return Derivatives(lambda y, e: np.exp(e) - y * e, lambda y, e: np.exp(e) - y, lambda y, e: np.exp(e))
    if name == "pseudo-Huber":  # delta = 1/2
        root = lambda y, e: np.sqrt(1 + (2 * (y - e)) ** 2)  # noqa: E731
        return Derivatives(
            lambda y, e: (y - e) ** 2 / (1 + root(y, e)),  # (root - 1) / 4 without its cancellation
            lambda y, e: (e - y) / root(y, e),
            lambda y, e: root(y, e) ** -3,
        )
    t = LONG(name.removeprefix("smoothed hinge "))
    t = LONG(float(t))  # the float64 that the library works with
    return Derivatives(
        lambda y, e: t * log_one_plus_exp((1 - y * e) / t),
        lambda y, e: -y * sigma((1 - y * e) / t),
        lambda y, e: sigma((1 - y * e) / t) * sigma((y * e - 1) / t) / t,
    )


@dataclass(frozen=True)
class Truth:
    """A problem in extended precision."""

    loss: Derivatives
    X: np.ndarray  # (n, p), with its column of ones
    y: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    penalty: np.ndarray  # kappa D, (p,)
    folded: bool

    @classmethod
    def of(cls, problem):
        """Return the same numbers as a `tests.cases.Problem`."""
        plain = problem.plain()
        numbers = (plain.X, plain.y, plain.weights, plain.offset, plain.kappa * plain.D)
        return cls(
            derivatives(problem.case.name), *(np.asarray(a, dtype=LONG) for a in numbers), plain.s == 1.0
        )

    @classmethod
    def of_risk(cls, risk, case_name):
        """Return the numbers of a LinearRisk with dense rows."""
        X = risk.design.rows(slice(None))
        numbers = (X, risk.y, risk.weights, risk.offset, penalty_diagonal(risk))
        return cls(
            derivatives(case_name), *(np.asarray(a, dtype=LONG) for a in numbers), risk.protocol == "folded"
        )

    @np.errstate(all="ignore")  # where there is no minimum steps go anywhere: those groups are never done
    def minimisers(self, groups, start, steps=200):
        """Return the minimiser without each group, (k, p), nan where it is not found.

        `start` is one point (p,) or one per group (k, p). Newton's method for all groups at once, each
        damped by itself wherever it would go uphill.
        """
        weights, penalty = self._without(groups)
        theta = np.array(np.broadcast_to(np.asarray(start, dtype=LONG), (len(groups), self.X.shape[1])))
        damping, done = np.zeros(len(groups)), np.zeros(len(groups), dtype=bool)
        for _ in range(steps):
            gradient, size, hessian = self._expand(weights, penalty, theta)
            done = (np.abs(gradient) <= 16 * EPSILON * size).all(axis=1)
            if done.all():
                break
            diagonal = np.einsum("kpp->kp", hessian)
            scale = 1 / np.sqrt(np.maximum(diagonal, 1e-300))
            matrix = hessian * scale[:, :, None] * scale[:, None, :]
            matrix += (damping + 1e-18)[:, None, None] * np.eye(theta.shape[1])
            rhs = (scale * gradient.astype(float))[:, :, None]
            try:
                step = scale * np.linalg.solve(matrix, rhs)[:, :, 0]
            except np.linalg.LinAlgError:  # no curvature at all: a longer damping for every group
                damping = np.maximum(10 * damping, 1e-8)
                continue
            value = self._value(weights, penalty, theta)
            after = self._value(weights, penalty, theta - step)
            down = after <= value + 16 * EPSILON * np.abs(value)
            theta = np.where((down & ~done)[:, None], theta - step, theta)
            damping = np.where(down, damping / 100 * (damping > 1e-8), np.maximum(10 * damping, 1e-8))
        return np.where(done[:, None], theta, LONG(np.nan))

    def _without(self, groups):
        gone = np.zeros((len(groups), len(self.y)), dtype=bool)
        for k, group in enumerate(groups):
            gone[k, group] = True
        weights = np.where(gone, LONG(0), self.weights)
        kept = weights.sum(axis=1) / self.weights.sum() if self.folded else np.ones(len(groups), dtype=LONG)
        return weights, kept[:, None] * self.penalty

    def _value(self, weights, penalty, theta):
        losses = self.loss.value(self.y, theta @ self.X.T + self.offset)
        return (weights * losses).sum(axis=1) + (penalty * theta**2).sum(axis=1) / 2

    def _expand(self, weights, penalty, theta):
        """Return the gradient, the size of its terms without cancellation, and the Hessian (float64)."""
        eta = theta @ self.X.T + self.offset
        first = weights * self.loss.first(self.y, eta)
        second = (weights * self.loss.second(self.y, eta)).astype(float)
        spread = np.abs(theta) @ np.abs(self.X.T) + np.abs(self.offset) + 1
        size = (np.abs(first) + second * spread) @ np.abs(self.X) + np.abs(penalty * theta)
        X = self.X.astype(float)
        hessian = (second[:, None, :] * X.T) @ X
        hessian[:, np.arange(X.shape[1]), np.arange(X.shape[1])] += penalty.astype(float)
        return first @ self.X + penalty * theta, size, hessian

    def losses(self, theta, X, y):
        """Return the losses of test rows (k, m), with their share of the penalty if folded."""
        X, y = np.asarray(X, dtype=LONG), np.asarray(y, dtype=LONG)
        losses = self.loss.value(y, theta @ X.T)
        if self.folded:
            losses = losses + (theta**2 @ self.penalty)[:, None] / 2 / self.weights.sum()
        return losses
