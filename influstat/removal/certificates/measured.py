"""What certificates measure at the coefficients after each removal: gradients, and how far rows moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influstat.algebra.rounding import unit_rounding
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.expansion import Expansion, Remainder

HOPELESS = 100.0  # c times a path beyond which there is no certificate: e^100


@dataclass(frozen=True)
class Measured:
    """Measurements at theta_k, without the rows of group k, sum scale."""

    gradient: FloatArray  # sum_{j not in S} w_j l1_j x_j + (1 - omega_S) grad P(theta_k), shape (p, k)
    error: FloatArray  # bound on the rounding error of each entry of `gradient`, for all k, shape (p,)
    path: FloatArray  # max over kept j not in S of |x_j'(theta_k - theta-hat)|, rounded up, or inf; (k,)
    penalty_path: FloatArray  # max_j |theta_kj - theta-hat_j|, by which a penalty's Hessian changes; (k,)
    given_up: FloatArray  # sum over given-up j not in S of w_j l2_j(theta_k) |x_j|^2_{C^-1}; (k,)
    remainder: FloatArray  # bound on what is missing in `gradient`, in the norm of C^-1; (k,)


def measure(
    expansion: Expansion, anchor: Anchor, groups: Groups, theta: FloatArray, left: FloatArray
) -> Measured:
    """Measure at theta (k, p); the anchor was taken where `expansion` is, `left` is 1 - omega_S of groups."""
    risk, at = expansion.risk, expansion.theta
    design, loss, weights = risk.design, risk.loss, risk.weights
    eta = design.dot(theta.T)
    eta += risk.offset[:, None]
    first = np.asarray(loss.first(risk.y[:, None], eta))
    second = np.asarray(loss.second(risk.y[:, None], eta))
    eta -= expansion.eta[:, None]
    moved = np.abs(eta, out=eta)
    gone = groups.members, groups.owners
    # The sum at theta-hat is known better than float64 could add it: only what differs is added here.
    first -= loss.first(risk.y, expansion.eta)[:, None]
    first[gone] = second[gone] = moved[gone] = 0.0
    present = weights > 0
    path = np.max(moved[anchor.kept & present], axis=0, initial=0.0)
    away = np.max(np.abs(theta - at), axis=1)
    wild = ~(np.maximum(loss.self_concordance * path, risk.penalty.self_concordance * away) < HOPELESS)
    first[:, wild] = second[:, wild] = 0.0  # they would only add to the rounding of the others
    theta = np.where(wild[:, None], at, theta)
    largest = np.maximum(np.max(np.abs(theta), axis=0), np.abs(at))
    slip = unit_rounding(design.shape[1]) * (
        design.absolute_dot(largest) + np.abs(risk.offset) + np.abs(risk.y)
    )
    doubt = 4.0 * np.max(slip[present], initial=0.0)  # l2 at the anchor, l2 here, and their distance
    path = np.where(wild, np.inf, path + doubt)
    lost = ~anchor.kept
    given_up = (weights[lost] * anchor.row_norms[lost] ** 2) @ second[lost]
    given_up *= np.exp(min(loss.self_concordance * doubt, 700.0))
    second *= slip[:, None]
    second += unit_rounding(design.shape[0]) * np.abs(first)
    error = design.absolute_transpose_dot(weights * np.max(second, axis=1))
    error += expansion.held_error(largest)
    error += expansion.slope_error
    first *= weights[:, None]
    gradient = design.transpose_dot(first)
    gradient += expansion.data_gradient[:, None] - expansion.own_slopes(groups)
    gradient += left * risk.penalty.gradient(np.ascontiguousarray(theta.T))
    return Measured(gradient, error, path, away, given_up, np.zeros(len(left)))


class Quadratic:
    """The same for a loss without third derivative: no product with X, as the gradient is linear in theta.

    grad F_-S(theta) = grad F_-S(theta-hat) + (X'diag(w l2)X - that of S + (1 - omega_S) K) delta.
    """

    def __init__(self, expansion: Expansion) -> None:
        self._expansion, risk, at = expansion, expansion.risk, expansion.theta
        slip = risk.design.absolute_dot(np.abs(at)) + np.abs(risk.offset) + np.abs(risk.y)
        n, p = risk.shape
        size = unit_rounding(n) * np.abs(self._expansion.first)
        size += unit_rounding(p) * self._expansion.second * slip
        self._error = risk.design.absolute_transpose_dot(size)
        self._error += unit_rounding(self._expansion.penalty_hessian.terms) * risk.penalty.gradient_scale(at)

    def measure(self, groups: Groups, theta: FloatArray, left: FloatArray) -> Measured:
        """Measure at theta (k, p)."""
        delta = theta.T - self._expansion.theta[:, None]
        gradient = Remainder(self._expansion, groups).quadratic_gradients(delta)
        error = self._rounding(np.max(np.abs(delta), axis=1))
        nowhere = np.zeros(len(left))
        return Measured(gradient, error, nowhere, nowhere, given_up=nowhere, remainder=nowhere)

    def _rounding(self, delta: FloatArray) -> FloatArray:
        """Return the error at theta-hat, that of the rows taken off (hence 2), and that of delta's part."""
        risk = self._expansion.risk
        n, p = risk.shape
        spread = self._expansion.second * risk.design.absolute_dot(delta)
        moved = risk.design.absolute_transpose_dot(spread)
        moved += self._expansion.penalty_hessian.absolute_dot(delta)
        return np.asarray(2.0 * (self._error + (unit_rounding(n) + unit_rounding(p)) * moved))
