"""The fit under the null without a set of units, from arrays that one null fit has made: for searches.

For squared error it is a downdate: (I - A_S) g = -C_S, and u moves by V'(I - A_S)^-1 B_S. For other losses
Newton's method goes on from there in the whitened coordinates. Nothing here is proven; what it finds is
refitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from influstat.input.validation import FloatArray
from influstat.sets.lengths import Mask
from influstat.sets.null_fit import NullFit

Units = NDArray[np.intp]
STEPS = 25  # of Newton's method
ENOUGH = 1e-9  # of a step in whitened coordinates, relative to where it starts
ALONE = 1e-9  # 1 - leverage below which a row determines a direction alone
SHORTEST = 1e-3  # part of a step below which there is no use in going on


@dataclass(frozen=True, eq=False)
class Without:
    """The null fit of the units that are kept.

    Attributes
    ----------
    N : float
        Minus the slope of the constrained minimum at the threshold: the set flips where it is not above 0.
    f : ndarray, shape (m,)
        What every unit, removed ones too, adds to N at this null fit.
    """

    N: float
    f: FloatArray


def solved(matrix: FloatArray, rhs: FloatArray) -> FloatArray:
    """Return matrix^+ rhs, shape (d,) or (d, m), for a symmetric matrix at most the identity."""
    # Directions that the rows left do not determine, such as a level whose rows are all gone, stay where they
    # are: neither N nor the parts of the rows left feel them.
    try:
        factor = cho_factor(matrix, lower=True)
    except LinAlgError:
        factor = None
    if factor is not None and np.min(np.diag(factor[0])) ** 2 > ALONE:
        return np.asarray(cho_solve(factor, rhs))
    values, vectors = np.linalg.eigh(matrix)
    vectors, values = vectors[:, values > ALONE], values[values > ALONE]
    return np.asarray((vectors / values) @ (vectors.T @ rhs))


class Downdates:
    """Null fits without sets of units, all from one null fit with all of them."""

    def __init__(self, null: NullFit) -> None:
        self.null, self.risk = null, null.problem.risk
        self.eta = self.risk.linear_predictor(null.theta)
        self.slope = self.risk.penalty.gradient(null.theta)
        self.hessian = self.risk.penalty.hessian(null.theta)
        self.quadratic = self.risk.quadratic
        self.w = np.where(null.kept, self.risk.weights, 0.0)

    def without(self, removed: Mask) -> Without | None:
        """Return the null fit without these units (a mask over them); None where there is none."""
        null = self.null
        rows = null.units.members[removed] if null.units.single else null.units.take(removed).members
        kept = 1.0 - float(np.sum(null.share[rows]))
        z, h = null.z, null.h
        g = np.zeros(null.d)
        B, C = np.sum(null.turns[removed], axis=0), np.sum(null.pulls[removed], axis=0)
        own = z[rows] * h[rows, None]
        matrix = np.eye(null.d) - own.T @ z[rows] - (1.0 - kept) * null.penalty
        if not null.d:
            return self._read(g, g, kept, rows, self.eta)
        if self.quadratic:
            g, move = solved(matrix, np.column_stack([-C, B])).T
            return self._read(g, move, kept, rows, self.eta + z @ g)
        return self._newton(rows, kept)

    def with_one_more(self, removed: Mask) -> FloatArray | None:
        """Return N without these units and one more, for every unit, shape (m,): inf for those that are gone.

        Exact for squared error and single rows; None elsewhere, and where there is no such fit. Row i takes
        f_i / (1 - lev_i) away, f and leverages being those without the set.

        Returns
        -------
        ndarray, shape (m,), or None
        """
        found = self.without(removed) if self.exchanges else None
        if found is None:
            return None
        null, rows = self.null, self.null.units.members
        z, h = null.z[rows], null.h[rows]
        matrix = np.eye(null.d) - z[removed].T @ (z[removed] * h[removed, None])
        left = 1.0 - h * np.einsum("ij,ji->i", z, np.linalg.solve(matrix, z.T))
        usable = (left > ALONE) & null.open & ~removed
        return np.where(usable, found.N - found.f / np.where(usable, left, 1.0), np.inf)

    @property
    def exchanges(self) -> bool:
        """Whether `with_one_more` has an answer."""
        return self.quadratic and self.null.units.single and not self.null.folded

    def _newton(self, rows: Units, kept: float) -> Without | None:
        null, risk = self.null, self.risk
        w = self.w.copy()
        w[rows] = 0.0
        g, eta = np.zeros(null.d), self.eta
        slope = null.basis @ self.slope
        with np.errstate(over="ignore", invalid="ignore"):
            value = self._value(w, eta, g, kept)
            for _ in range(STEPS):
                first, second = w * risk.loss.first(risk.y, eta), w * risk.loss.second(risk.y, eta)
                score = first @ null.z + kept * (slope + null.penalty @ g)
                matrix = null.z.T @ (null.z * second[:, None]) + kept * null.penalty
                if not np.isfinite(matrix).all():
                    return None
                step = -solved(matrix, score)
                length = 1.0
                while length > SHORTEST:
                    moved = g + length * step
                    there = self.eta + null.z @ moved
                    lower = self._value(w, there, moved, kept)
                    if lower <= value + 1e-12 * abs(value):
                        break
                    length *= 0.5
                else:
                    return None
                g, eta, value = moved, there, lower
                if np.linalg.norm(step) <= ENOUGH * (1.0 + np.linalg.norm(g)):
                    break
            second = w * risk.loss.second(risk.y, eta)
            cross = (second * null.xi) @ null.z + kept * (null.basis @ self.hessian.dot(null.u))
            matrix = null.z.T @ (null.z * second[:, None]) + kept * null.penalty
            if not np.isfinite(matrix).all():
                return None
            move = -solved(matrix, cross)
        return self._read(g, move, kept, rows, eta)

    def _value(self, w: FloatArray, eta: FloatArray, g: FloatArray, kept: float) -> float:
        """Return F of the rows kept, along the nuisance."""
        losses = np.where(w > 0.0, w * self.risk.loss.value(self.risk.y, eta), 0.0)
        theta = self.null.theta + self.null.basis.T @ g
        return float(np.sum(losses)) + kept * float(self.risk.penalty.value(theta))

    def _read(
        self, g: FloatArray, move: FloatArray, kept: float, rows: Units, eta: FloatArray
    ) -> Without | None:
        """Return N and the parts of all units at t0 + V'g, along u + V'move."""
        null, risk = self.null, self.risk
        theta, u = null.theta + null.basis.T @ g, null.u + null.basis.T @ move
        pull = float(u @ risk.penalty.gradient(theta))
        parts = -self.w * risk.loss.first(risk.y, eta) * (null.xi + null.z @ move)
        N = float(np.sum(parts) - np.sum(parts[rows])) - kept * pull
        if not np.isfinite(N):
            return None
        units = null.units
        parts = parts - null.share * pull
        f = parts[units.members] if units.single else units.sums(parts)
        return Without(N, np.where(null.open, f, 0.0))
