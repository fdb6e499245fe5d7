"""Exact refits under an absolute-value penalty: where the active set changes, over all columns.

From theta-hat, Newton steps on the columns that are in, each cut where the first coefficient reaches 0, which
then leaves; at a minimum of these the column that is drawn most beyond lambda comes in (Osborne, Presnell and
Turlach 2000; Lee, Battle, Raina and Ng 2006). The objective falls at each step and the sets are finitely
many; at the end the conditions of optimality hold for every column, which prove the minimum of a convex loss.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from influstat.errors import InflustatError, NotConverged, SingularHessian
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.removal.active_set import Centred, changes_seen, seen_centred
from influstat.removal.gradients import gradients_without
from influstat.removal.methods.base import Outcome, without
from influstat.risks.linear import LinearRisk

STATIONARY = 1e-9  # relative gradient at which one Newton step more reaches rounding
MARGIN = 1e-9  # of lambda and of the terms of a slope: nearer than that a column may stay out
STEPS = 500  # Newton steps, all sets together
HALVINGS = 40
SUFFICIENT = 1e-4  # of the decrease that the tangent promises


def refit_of(fit: Minimum) -> ActiveSetRefit | None:
    """Return what solves removals anew; None where no penalty of the fit holds coefficients at 0."""
    seen = seen_centred(fit)
    return None if seen is None else ActiveSetRefit(fit, seen)


class ActiveSetRefit:
    """Minimisers on the active set of the fit, solved anew where theirs is another."""

    def __init__(self, fit: Minimum, seen: Centred) -> None:
        self._fit, self._seen, self._columns = fit, seen, _Columns(seen, fit.theta)

    def settled(self, found: Outcome, groups: Groups) -> tuple[Outcome, NDArray[np.bool_]]:
        """Return the minimisers of one block of removals, and which of them were solved anew, shape (K,)."""
        theta = np.ascontiguousarray(found.theta.T)
        norms = np.linalg.norm(gradients_without(self._fit, groups, theta), axis=1)
        entering = sp.lil_array((len(groups), max(1, self._columns.excluded)))
        changed = changes_seen(self._seen, theta, groups)
        for k in np.flatnonzero(changed).tolist():
            try:
                theta, norm = self._columns.refit(groups[k])
            except InflustatError as error:
                found.theta[:, k], found.converged[k] = np.nan, False
                found.status[k] = without(groups[k], f"another active set: {error}")
                continue
            p = len(found.theta)
            found.theta[:, k], found.converged[k], found.status[k] = theta[:p], True, ""
            come = p + np.flatnonzero(theta[p:])
            entering[k, come - p] = theta[come]
            norms[k] = norm
        return replace(found, gradient_norm=norms, entering=sp.csr_array(entering)), changed


class _Columns:
    """All columns, those of theta-hat first: what each costs, and the signs that it may have."""

    def __init__(self, seen: Centred, theta: FloatArray) -> None:
        self._seen, self._start = seen, seen.there(theta)
        self._risk, self._lasso = risk, lasso = seen.risk, seen.lasso
        self.excluded = 0 if lasso.excluded is None else lasso.excluded.shape[1]
        q = self.excluded
        self._lam = np.concatenate([np.abs(lasso.slope), np.broadcast_to(lasso.bound, (q,))])
        strength = risk.penalty.hessian(self._start).diagonal()  # beside an L1 they are diagonal
        self._ridge = np.concatenate([strength, np.broadcast_to(lasso.ridge, (q,))])
        self._signs = np.concatenate([lasso.signs, np.zeros(q)])  # of the fit; what comes in has its own
        self._active = risk.design.rows(slice(None))

    def _taken(self, chosen: Indices) -> FloatArray:
        """Return the chosen columns, shape (n, k)."""
        p = len(self._start)
        columns = self._active[:, chosen[chosen < p]]
        others = chosen[chosen >= p] - p
        if not others.size:
            return columns
        assert self._lasso.excluded is not None
        unit = np.zeros((self.excluded, len(others)))
        unit[others, np.arange(len(others))] = 1.0
        return np.hstack([columns, self._lasso.excluded.dot(unit)])

    def _slopes(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return X'values over all columns, and what it would be without cancellation."""
        excluded, size = self._lasso.excluded, np.abs(values)
        slopes, scale = self._active.T @ values, np.abs(self._active).T @ size
        if excluded is None:
            return slopes, scale
        return (
            np.concatenate([slopes, excluded.transpose_dot(values)]),
            np.concatenate([scale, excluded.absolute_transpose_dot(size)]),
        )

    def refit(self, rows: Indices) -> tuple[FloatArray, float]:
        """Return the coefficients of all columns without the rows, and the gradient left, mean scale."""
        risk = self._risk
        weights = risk.weights.copy()
        weights[rows] = 0.0
        left = float(risk.protocol.left(risk.weights[rows].sum(), risk.total_weight))
        p = len(self._start)
        beta = np.concatenate([self._start, np.zeros(self.excluded)])
        signs, inside = self._signs.copy(), np.arange(len(beta)) < p
        for _ in range(STEPS):
            chosen = np.flatnonzero(inside)
            face = _Face(risk, self._taken(chosen), weights, left * self._ridge[chosen])
            slope = left * self._lam[chosen] * signs[chosen]
            gone = face.descend(beta, chosen, slope, signs[chosen])
            if gone.any():
                inside[chosen[gone]] = False
                continue
            values = weights * risk.loss.first(risk.y, face.predictor(beta[chosen]))
            slopes, scale = self._slopes(values)
            bound = left * self._lam
            excess = np.where(inside, -np.inf, self._lasso.pull(slopes) - bound - MARGIN * (bound + scale))
            comes = int(np.argmax(excess / np.where(scale > 0, scale, 1.0)))
            if not excess[comes] > 0:
                return self._seen.back(beta), face.norm(beta[chosen], slope) / risk.total_weight
            inside[comes], signs[comes] = True, -np.sign(slopes[comes])
        raise NotConverged(f"The active set was not settled after {STEPS} changes. Rescale the columns.")


class _Face:
    """The objective on some columns, each with its sign: sum_i w_i l_i + ridge / 2 + slope'beta."""

    def __init__(self, risk: LinearRisk, X: FloatArray, weights: FloatArray, ridge: FloatArray) -> None:
        self._risk, self._X, self._weights, self._ridge = risk, X, weights, ridge

    def predictor(self, beta: FloatArray) -> FloatArray:
        """Return eta of all rows."""
        return np.asarray(self._X @ beta + self._risk.offset)

    def _value(self, beta: FloatArray, slope: FloatArray) -> float:
        losses = np.where(self._weights > 0, self._risk.loss.value(self._risk.y, self.predictor(beta)), 0.0)
        return float(self._weights @ losses + beta @ (0.5 * self._ridge * beta + slope))

    def _gradient(self, beta: FloatArray, slope: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the gradient and its size without cancellation."""
        eta, y = self.predictor(beta), self._risk.y
        first = self._weights * self._risk.loss.first(y, eta)
        spread = self._weights * self._risk.loss.second(y, eta) * (np.abs(self._X) @ np.abs(beta))
        gradient = self._X.T @ first + self._ridge * beta + slope
        scale = np.abs(self._X).T @ (np.abs(first) + spread) + np.abs(self._ridge * beta) + np.abs(slope)
        return gradient, scale

    def norm(self, beta: FloatArray, slope: FloatArray) -> float:
        """Return the length of the gradient, sum scale."""
        return float(np.linalg.norm(self._gradient(beta, slope)[0]))

    def descend(
        self, beta: FloatArray, chosen: Indices, slope: FloatArray, signs: FloatArray
    ) -> NDArray[np.bool_]:
        """Move beta[chosen] to the minimum with these signs or until one is lost; return which are lost."""
        at, last = beta[chosen], False
        for _ in range(STEPS):
            if not chosen.size:
                break
            gradient, scale = self._gradient(at, slope)
            step = self._newton(at, gradient)
            reach = np.full(len(at), np.inf)
            leaving = ((at + step) * signs <= 0) & (signs != 0) & (step != 0)
            reach[leaving] = -at[leaving] / step[leaving]
            length = min(1.0, float(reach.min()))
            length = self._shortened(at, step, gradient, slope, length)
            at = at + length * step
            gone = reach <= length
            if gone.any():
                at[gone] = 0.0
                beta[chosen] = at
                return np.asarray(gone)
            if last:
                break
            last = bool((np.abs(gradient) <= STATIONARY * scale).all())
        else:
            raise NotConverged(f"Newton's method on the active set did not end in {STEPS} steps.")
        beta[chosen] = at
        return np.zeros(len(chosen), dtype=np.bool_)

    def _newton(self, at: FloatArray, gradient: FloatArray) -> FloatArray:
        second = self._weights * self._risk.loss.second(self._risk.y, self.predictor(at))
        hessian = self._X.T @ (second[:, None] * self._X) + np.diag(self._ridge)
        root = np.sqrt(np.where(hessian.diagonal() > 0, hessian.diagonal(), 1.0))
        try:
            factor = scipy.linalg.cho_factor(hessian / np.outer(root, root))
        except np.linalg.LinAlgError as error:
            raise SingularHessian("The columns that stay are collinear. Add an L2 penalty.") from error
        return np.asarray(-scipy.linalg.cho_solve(factor, gradient / root) / root)

    def _shortened(
        self, at: FloatArray, step: FloatArray, gradient: FloatArray, slope: FloatArray, length: float
    ) -> float:
        """Return a length along which the objective falls, the one asked for or a shorter one."""
        before, promise = self._value(at, slope), float(gradient @ step)
        rounding = 1e-13 * abs(before)
        for _ in range(HALVINGS):
            if self._value(at + length * step, slope) <= before + SUFFICIENT * length * promise + rounding:
                return length
            length /= 2.0
        raise NotConverged("Newton's method on the active set found no descent.")
