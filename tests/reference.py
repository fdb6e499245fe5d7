"""Ground truth: every definition in plain loops, slow and obvious, and nothing of influstat."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import MAX_EMAX, MIN_EMIN, Decimal, localcontext
from fractions import Fraction

import numpy as np

from tests.tolerance import ROUNDING, scaled

TINY = float(np.finfo(np.float64).tiny)  # the smallest normal float64
UNDERFLOW = TINY / ROUNDING  # a slope smaller than TINY has no digits, and may be 0: that much is its size

# -- comparisons ------------------------------------------------------------------------------------


def assert_within(actual, truth, size, rtol=ROUNDING):
    """Assert |actual - truth| <= rtol * size, entry by entry; `size` is what rounding is relative to.

    Without rtol that is a law of rounding, and `tolerance` says why it holds. Below the smallest normal
    float64 numbers have no relative precision to hold them to.
    """
    actual, truth = np.asarray(actual), np.asarray(truth)
    assert actual.shape == truth.shape
    excess = np.abs(actual - truth) - rtol * np.asarray(size) - TINY
    assert np.all(excess <= 0), f"{actual} is not {truth}: off by up to {np.max(np.abs(actual - truth)):.3g}"


def assert_same_risk(risk, plain, theta):
    """Assert that value, gradient and Hessian are those of the plain loops."""
    assert_within(risk.value(theta), plain.value(theta), plain.value_size(theta))
    assert_within(risk.gradient(theta), plain.gradient(theta), plain.gradient_size(theta))
    hessian = risk.curvature(theta).to_dense()
    assert_within(hessian, plain.hessian(theta), plain.hessian_size(theta))


def solve(matrix, rhs):
    """Return matrix^-1 rhs right to an epsilon: at unit diagonal, refined with residuals of 64 bits.

    Each refinement takes off as many digits as the condition number leaves, and what it stops at is the
    rounding of the solution itself.
    """
    unit, root = scaled(matrix)
    long = unit.astype(np.longdouble)
    target = (root * np.asarray(rhs, dtype=float).T).T.astype(np.longdouble)
    value = np.zeros_like(target)
    for _ in range(4):
        value = value + np.linalg.solve(unit, (target - long @ value).astype(float))
    return (root * value.astype(float).T).T


def derivative(function, h):
    """Return d function(r) / dr at r = 0 by the five-point central difference, error O(h^4)."""
    near = function(h) - function(-h)
    far = function(2.0 * h) - function(-2.0 * h)
    return (8.0 * near - far) / (12.0 * h)


# -- pointwise losses: l, l1, l2 -----------------------------------------------------------------


def sigma(x):
    """Return 1 / (1 + e^-x)."""
    return 1.0 / (1.0 + math.exp(-x)) if x > 0 else math.exp(x) / (1.0 + math.exp(x))


def log_one_plus_exp(x):
    """Return log(1 + e^x)."""
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))


@dataclass(frozen=True)
class PlainLoss:
    """One line of the table: l, l1, l2 of (y, eta), and l again for numbers of many digits."""

    value: Callable[[float, float], float]
    first: Callable[[float, float], float]
    second: Callable[[float, float], float]
    definition: Callable[[Decimal, Decimal], Decimal]
    width: float = 1.0  # change in eta over which the loss bends

    def exact(self, y, eta):
        """Return l, l1, l2, l3 correct to more digits than a float has: differences of the definition.

        480 digits are left with 170 where e^eta is the smallest float; the differences cost another
        100, and their own error is of the order 1e-52.
        """
        with localcontext(prec=480, Emax=MAX_EMAX, Emin=MIN_EMIN):
            h = Decimal(self.width) * Decimal("1e-26")
            f = {k: self.definition(Decimal(y), Decimal(eta) + k * h) for k in range(-2, 3)}
            first = (f[1] - f[-1]) / (2 * h)
            second = (f[1] - 2 * f[0] + f[-1]) / h**2
            third = (f[2] - 2 * f[1] + 2 * f[-1] - f[-2]) / (2 * h**3)
            return float(f[0]), float(first), float(second), float(third)


SQUARED_ERROR = PlainLoss(
    value=lambda y, eta: (y - eta) ** 2,
    first=lambda y, eta: -2.0 * (y - eta),
    second=lambda y, eta: 2.0,
    definition=lambda y, eta: (y - eta) ** 2,
)
LOGISTIC = PlainLoss(  # y in {0, 1}; log(1 + e^eta) - y eta and sigma(eta) - y lose digits where y = 1
    value=lambda y, eta: log_one_plus_exp(-eta if y == 1 else eta),
    first=lambda y, eta: -sigma(-eta) if y == 1 else sigma(eta),
    second=lambda y, eta: sigma(eta) * sigma(-eta),
    definition=lambda y, eta: (1 + eta.exp()).ln() - y * eta,
)
SIGNED_LOGISTIC = PlainLoss(  # y in {-1, 1}
    value=lambda y, eta: log_one_plus_exp(-y * eta),
    first=lambda y, eta: -y * sigma(-y * eta),
    second=lambda y, eta: sigma(eta) * sigma(-eta),
    definition=lambda y, eta: (1 + (-y * eta).exp()).ln(),
)


def smoothed_hinge(t):
    """Return t log(1 + e^u), u = (1 - y eta) / t, y in {-1, 1}."""
    return PlainLoss(
        value=lambda y, eta: t * log_one_plus_exp((1.0 - y * eta) / t),
        first=lambda y, eta: -y * sigma((1.0 - y * eta) / t),
        second=lambda y, eta: sigma((1.0 - y * eta) / t) * sigma((y * eta - 1.0) / t) / t,
        definition=lambda y, eta: Decimal(t) * (1 + ((1 - y * eta) / Decimal(t)).exp()).ln(),
        width=t,
    )


POISSON = PlainLoss(
    value=lambda y, eta: math.exp(eta) - y * eta,
    first=lambda y, eta: math.exp(eta) - y,
    second=lambda y, eta: math.exp(eta),
    definition=lambda y, eta: eta.exp() - y * eta,
)
SQUARED_HINGE = PlainLoss(  # y in {-1, 1}
    value=lambda y, eta: max(0.0, 1.0 - y * eta) ** 2,
    first=lambda y, eta: -2.0 * y * max(0.0, 1.0 - y * eta),
    second=lambda y, eta: 2.0 if y * eta < 1.0 else 0.0,
    definition=lambda y, eta: max(Decimal(0), 1 - y * eta) ** 2,
)


def huber(delta):
    """Return r^2 / 2 where |r| <= delta, else delta |r| - delta^2 / 2, r = y - eta."""
    d = Decimal(delta)
    return PlainLoss(
        value=lambda y, eta: (
            0.5 * (y - eta) ** 2 if abs(y - eta) <= delta else delta * abs(y - eta) - 0.5 * delta**2
        ),
        first=lambda y, eta: -max(-delta, min(delta, y - eta)),
        second=lambda y, eta: 1.0 if abs(y - eta) <= delta else 0.0,
        definition=lambda y, eta: (y - eta) ** 2 / 2 if abs(y - eta) <= d else d * abs(y - eta) - d**2 / 2,
        width=delta,
    )


def pseudo_huber(delta):
    """Return delta^2 (sqrt(1 + (r / delta)^2) - 1), r = y - eta."""
    d = Decimal(delta)
    return PlainLoss(
        value=lambda y, eta: delta**2 * (math.sqrt(1.0 + ((y - eta) / delta) ** 2) - 1.0),
        first=lambda y, eta: (eta - y) / math.sqrt(1.0 + ((y - eta) / delta) ** 2),
        second=lambda y, eta: (1.0 + ((y - eta) / delta) ** 2) ** -1.5,
        definition=lambda y, eta: d**2 * ((1 + ((y - eta) / d) ** 2).sqrt() - 1),
        width=delta,
    )


def smoothed_check(quantile, t):
    """Return quantile r + t log(1 + e^(-r / t)), r = y - eta."""
    return PlainLoss(
        value=lambda y, eta: quantile * (y - eta) + t * log_one_plus_exp((eta - y) / t),
        first=lambda y, eta: sigma((eta - y) / t) - quantile,
        second=lambda y, eta: sigma((eta - y) / t) * sigma((y - eta) / t) / t,
        definition=lambda y, eta: (
            Decimal(quantile) * (y - eta) + Decimal(t) * (1 + ((eta - y) / Decimal(t)).exp()).ln()
        ),
        width=t,
    )


# -- the risk, its gradient and Hessian --------------------------------------------------------------------


@dataclass(frozen=True)
class PlainRisk:
    """R: X (n, p) with its column of ones if there is one; kappa and D as numbers."""

    loss: PlainLoss
    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    kappa: float
    D: np.ndarray
    protocol: str

    @property
    def rows(self):
        """Return (x_i, y_i, o_i, w_i) for every row."""
        return list(zip(self.X, self.y, self.offset, self.weights, strict=True))

    @property
    def total_weight(self):
        """Return the sum of the weights."""
        return sum(float(w) for w in self.weights)

    @property
    def s(self):
        """Return 1 where each row carries a share of the penalty, else 0."""
        return {"folded": 1.0, "fixed": 0.0}[self.protocol]

    def penalty(self, theta):
        """Return the total penalty."""
        return sum(self.kappa / 2.0 * d * b**2 for d, b in zip(self.D, theta, strict=True))

    def value(self, theta):
        """Return R(theta)."""
        losses = sum(w * self.loss.value(y, x @ theta + o) for x, y, o, w in self.rows)
        return (losses + self.penalty(theta)) / self.total_weight

    def gradient(self, theta):
        """Return grad R(theta), (p,)."""
        total = self.kappa * self.D * theta
        for x, y, o, w in self.rows:
            total = total + w * self.loss.first(y, x @ theta + o) * x
        return total / self.total_weight

    def hessian(self, theta):
        """Return H, (p, p): the sum of the rows' Hessians."""
        total = np.diag(self.kappa * self.D)
        for x, y, o, w in self.rows:
            total = total + w * self.loss.second(y, x @ theta + o) * np.outer(x, x)
        return total / self.total_weight

    def row_loss(self, theta, x, y, o=0.0):
        """Return L = l + s P / W of one row, trained on or not."""
        return self.loss.value(y, x @ theta + o) + self.s * self.penalty(theta) / self.total_weight

    def row_gradient(self, theta, x, y, o=0.0):
        """Return g = l1 x + s kappa D theta / W of one row, trained on or not."""
        return (
            self.loss.first(y, x @ theta + o) * x + self.s * self.kappa * self.D * theta / self.total_weight
        )

    def row_losses(self, theta):
        """Return L_i, (n,)."""
        return np.array([self.row_loss(theta, x, y, o) for x, y, o, _ in self.rows])

    def row_gradients(self, theta):
        """Return g_i, (n, p)."""
        return np.array([self.row_gradient(theta, x, y, o) for x, y, o, _ in self.rows])

    # -- what rounding is relative to: the same sums with all terms positive, and with what an error of
    #    relative size 1 in eta (and in 1 - y eta, hence the 1) would do ----------------------------------

    def eta_spread(self, theta):
        """Return the size of every 1 - y eta, (n,)."""
        return np.array([abs(x) @ abs(theta) + abs(o) + 1.0 for x, _, o, _ in self.rows])

    def row_loss_sizes(self, theta):
        """Return the size of every L_i, (n,)."""
        sizes = []
        for x, y, o, _ in self.rows:
            eta, spread = x @ theta + o, abs(x) @ abs(theta) + abs(o) + 1.0
            sizes.append(abs(self.loss.value(y, eta)) + abs(self.loss.first(y, eta)) * spread)
        return np.array(sizes) + self.s * self.penalty(theta) / self.total_weight

    def row_gradient_sizes(self, theta):
        """Return the size of every g_i, (n, p)."""
        sizes = []
        for x, y, o, _ in self.rows:
            eta, spread = x @ theta + o, abs(x) @ abs(theta) + abs(o) + 1.0
            slope = abs(self.loss.first(y, eta)) + self.loss.second(y, eta) * spread
            sizes.append((slope + UNDERFLOW) * abs(x))
        return np.array(sizes) + self.s * self.kappa * self.D * abs(theta) / self.total_weight

    def value_size(self, theta):
        """Return the size of R(theta)."""
        return (self.weights @ self.row_loss_sizes(theta) + self.penalty(theta)) / self.total_weight

    def gradient_size(self, theta):
        """Return the size of grad R(theta), (p,)."""
        total = self.weights @ self.row_gradient_sizes(theta) + self.kappa * self.D * abs(theta)
        return total / self.total_weight

    def hessian_size(self, theta):
        """Return the size of H, (p, p): l2 may change by as much as c times the error in eta."""
        total = np.diag(self.kappa * self.D)
        for x, y, o, w in self.rows:
            eta, spread = x @ theta + o, abs(x) @ abs(theta) + abs(o) + 1.0
            total = total + w * self.loss.second(y, eta) * (1.0 + spread / self.loss.width) * np.outer(
                abs(x), abs(x)
            )
        return total / self.total_weight

    # -- the same rows, weighted otherwise or left out ---------------------------------------------------

    def reweighted(self, weights):
        """Return the risk with other weights; each row takes its share of the penalty if folded."""
        factor = sum(weights) / self.total_weight if self.protocol == "folded" else 1.0
        return replace(self, weights=np.array(weights, dtype=float), kappa=self.kappa * factor)

    def without(self, rows):
        """Return the risk with these rows deleted."""
        left = np.delete(np.arange(len(self.y)), rows)
        share = sum(float(w) for w in np.atleast_1d(self.weights[rows])) / self.total_weight
        return replace(
            self,
            X=self.X[left],
            y=self.y[left],
            weights=self.weights[left],
            offset=self.offset[left],
            kappa=self.kappa * (1.0 - share) if self.protocol == "folded" else self.kappa,
        )

    def minimiser(self, start=None, steps=500):
        """Return theta-hat, down to rounding: Newton's method, damped wherever it would go uphill."""
        theta = np.zeros(self.X.shape[1]) if start is None else np.array(start, dtype=float)
        unit = 1.0 / np.sqrt((self.weights @ self.X**2 + self.kappa * self.D) / self.total_weight)
        damping = 0.0
        for _ in range(steps):
            gradient, value = self.gradient(theta), self.value(theta)
            if np.all(np.abs(gradient) <= 1e-16 * self.gradient_size(theta)):
                break
            matrix = self.hessian(theta) * unit * unit[:, None] + damping * np.eye(len(theta))
            with np.errstate(all="ignore"):  # far too long a step, from a Hessian that is all but 0
                try:
                    step = -unit * np.linalg.solve(matrix, unit * gradient)
                    downhill = self.value(theta + step) <= value + 1e-15 * abs(value)
                except np.linalg.LinAlgError:
                    downhill = False
            if downhill:
                theta = theta + step
                if np.all(np.abs(step) <= 1e-16 * np.abs(theta)):
                    break
            damping = damping / 100.0 * (damping > 1e-8) if downhill else max(10.0 * damping, 1e-8)
        return theta

    # -- influence: eq. 9 and 10 --------------------------------------------------------------------------

    def influence_on_theta(self, theta):
        """Return -H^-1 g_i in row i, (n, p): eq. 9."""
        return -solve(self.hessian(theta), self.row_gradients(theta).T).T

    def influence_on_loss(self, theta, X_test, y_test, offset_test=None):
        """Return -g_te' H^-1 g_i at [i, te], (n, m): eq. 10."""
        offset_test = np.zeros(len(y_test)) if offset_test is None else offset_test
        tests = zip(X_test, y_test, offset_test, strict=True)
        gradients = [self.row_gradient(theta, x, y, o) for x, y, o in tests]
        return np.array([[g @ row for g in gradients] for row in self.influence_on_theta(theta)])

    def removal(self, influence):
        """Return -(w_i / W) times the influence of row i: after minus before, to first order."""
        return np.array(
            [-(w / self.total_weight) * row for w, row in zip(self.weights, influence, strict=True)]
        )


def rational_ridge(part):
    """Return the minimiser for squared error in rational arithmetic: float64 refits differ from it.

    The plain minimiser stops where its gradient is rounding, at condition 2e7 5e-10 away.
    """
    rows = [([Fraction(v) for v in x], Fraction(y) - Fraction(o), Fraction(w)) for x, y, o, w in part.rows]
    p = part.X.shape[1]
    matrix = [
        [
            sum(2 * w * x[i] * x[j] for x, _, w in rows) + (i == j) * Fraction(part.kappa * part.D[i])
            for j in range(p)
        ]
        + [sum(2 * w * x[i] * target for x, target, w in rows)]
        for i in range(p)
    ]
    for i in range(p):
        for k in range(p):
            if k != i and matrix[k][i] != 0:
                factor = matrix[k][i] / matrix[i][i]
                matrix[k] = [a - factor * b for a, b in zip(matrix[k], matrix[i], strict=True)]
    return np.array([float(matrix[i][p] / matrix[i][i]) for i in range(p)])
