"""More coefficients than rows: theta lies in the row space of X, and the risk is one of n coefficients.

With a ridge penalty (kappa / 2) |theta_P|^2 on columns P a minimiser is theta_P = X_P'a for some a, beside
the unpenalised coefficients. With X_P X_P' = L L' and Q = X_P'L^-T, whose columns are orthonormal, theta_P
= Q v has |theta_P| = |v| and X_P theta_P = L v: the same risk, with the design (L, X_U) and that strength
on v. Every question about rows is one of n coefficients then, whatever p is; minima without rows are in
that space too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from influstat.algebra.rounding import Blur, unit_rounding
from influstat.curvature.linear import LARGEST
from influstat.input.design import Design
from influstat.input.validation import FloatArray
from influstat.risks.contract import Risk
from influstat.risks.linear import LinearRisk, as_linear
from influstat.risks.penalties import L2
from influstat.risks.penalties.moved import Moved

AT_ONCE = 2**22  # entries of X made dense at a time: 32 MiB
SMALLEST = 1e-8  # eigenvalue of X X', scaled to unit diagonal, below which rows depend on each other


@dataclass(frozen=True, eq=False)
class RowSpace:
    """Coordinates u = (v, theta_U) of a linear risk around theta."""

    outer: LinearRisk  # the risk in its own coefficients
    theta: FloatArray  # where u = 0, shape (p,)
    penalised: NDArray[np.bool_]  # P, shape (p,)
    strength: float  # kappa
    basis: NDArray[np.intp]  # rows whose X_P span the space: all but repeated ones and those that are 0, (m,)
    factor: FloatArray  # L, lower, of those rows, shape (m, m)
    relative: float  # what rounding of X X' and L can do to rows in u, relative to their length

    @cached_property
    def _free(self) -> NDArray[np.intp]:
        return np.flatnonzero(~self.penalised)

    def rows(self, x: FloatArray) -> FloatArray:
        """Return the coordinates of rows x, or of gradients of linear quantities: from (k, p) to (k, r)."""
        result = np.empty((len(x), len(self.factor) + len(self._free)))
        for part in _parts(len(x), x.shape[1]):
            inner = self.outer.design.dot(np.ascontiguousarray((x[part] * self.penalised).T))
            result[part, : len(self.factor)] = self._solve(inner[self.basis]).T
            result[part, len(self.factor) :] = x[part][:, self._free]
        return result

    def _solve(self, columns: FloatArray) -> FloatArray:
        return np.asarray(solve_triangular(self.factor, columns, lower=True, check_finite=False))

    def sizes(self, u: FloatArray) -> FloatArray:
        """Return the size of the terms of theta, shape (k, p), for coordinates u (k, r)."""
        m, design = len(self.factor), self.outer.design
        back = np.zeros((design.shape[0], len(u)))
        back[self.basis] = solve_triangular(
            self.factor, u[:, :m].T, lower=True, trans="T", check_finite=False
        )
        return np.abs(self.theta) + design.absolute_transpose_dot(np.abs(back)).T

    def lift(self, u: FloatArray) -> FloatArray:
        """Return the change of theta, (p,) or (p, k), that belongs to u, (r,) or (r, k)."""
        m = len(self.factor)
        back = np.zeros((self.outer.shape[0], *u.shape[1:]))
        back[self.basis] = solve_triangular(self.factor, u[:m], lower=True, trans="T", check_finite=False)
        theta = self.outer.design.transpose_dot(back)
        theta[self._free] = u[m:]
        return np.asarray(theta)

    @cached_property
    def risk(self) -> LinearRisk:
        """The same risk as a function of u, with n rows and r coefficients."""
        outer, m = self.outer, len(self.factor)
        z = np.empty((outer.shape[0], m + len(self._free)))
        for part in _parts(*outer.shape):
            z[part] = self.rows(outer.design.rows(part))
        names = [f"combination {k}" for k in range(z.shape[1])]
        start = self.rows(self.theta[None])[0]
        start[m:] = 0.0  # unpenalised
        penalty = L2(self.strength, unpenalised=range(m, z.shape[1])).placed(tuple(names), intercept=False)
        rows = replace(outer.rows, design=Design(z, names=names), offset=outer.linear_predictor(self.theta))
        return outer.moved(rows, Moved(penalty, start, np.eye(z.shape[1])))

    def blur(self) -> Blur:
        """Bound the errors of rows in these coordinates."""
        # Rows z and the penalty's unit matrix are right to `relative`; the Hessian is at least kappa on v.
        inner = self.risk
        slopes = np.abs(inner.weights * inner.loss.first(inner.y, inner.offset))
        lengths = np.sqrt(inner.design.row_square_norms())
        pull = self.strength * float(np.linalg.norm(self.rows(self.theta[None])[0, : len(self.factor)]))
        base = 2.0 * self.relative * (float(slopes @ lengths) + pull) / float(np.sqrt(self.strength))
        return Blur(base, 4.0 * self.relative, self.relative)

    @cached_property
    def start(self) -> FloatArray:
        """U = 0, shape (r,)."""
        return np.zeros(len(self.factor) + len(self._free))


def row_space_of(risk: Risk, theta: FloatArray) -> RowSpace | None:
    """Return the coordinates where there are too many coefficients to factor and few enough rows."""
    # None for other penalties than one ridge strength, and where rows depend on each other that are not
    # the same.
    linear, (n, p) = as_linear(risk), risk.shape
    if linear is None or p <= LARGEST or n > LARGEST or not isinstance(linear.penalty, L2):
        return None
    strengths = linear.penalty.strengths(theta)
    penalised = strengths > 0
    if not penalised.any() or (~penalised).sum() + n > LARGEST:
        return None
    gram, seen, signs = np.empty((n, n)), dict[bytes, int](), False
    for part in _parts(n, p):
        rows = linear.design.rows(part) * penalised
        signs |= bool((rows < 0).any())
        gram[:, part] = linear.design.dot(np.ascontiguousarray(rows.T))
        for place, row in enumerate(rows):
            if row.any():
                seen.setdefault(row.tobytes(), part.start + place)
    basis = np.array(sorted(seen.values()), dtype=np.intp)
    gram = gram[np.ix_(basis, basis)]
    gram = (gram + gram.T) / 2.0
    size = np.sqrt(gram.diagonal())
    scaled = gram / size / size[:, None]
    smallest = float(np.linalg.eigvalsh(scaled)[0])
    if smallest < SMALLEST:
        return None
    try:
        factor = size[:, None] * cholesky(scaled, lower=True, check_finite=False)
    except LinAlgError:
        return None
    # The norm of |X| |X|', scaled like X X', which it is where no entry is negative.
    norm = float(n) if signs else float(scaled.sum(axis=0).max())
    relative = norm * unit_rounding(linear.design.most_in_row) / smallest
    return RowSpace(linear, theta, penalised, float(strengths.max()), basis, factor, relative)


def _parts(n: int, p: int) -> list[slice]:
    """Return the rows in parts that are dense one after the other."""
    step = max(1, AT_ONCE // p)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
