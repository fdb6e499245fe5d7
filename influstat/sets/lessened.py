"""The null fit without one row more, from the one with it: squared error.

In the coordinates of `null_fit` let the row hold A, C and B, and let T be the rows that are left. Then

    V S_T V' = I - A,     V S_T u = -B,     V times the gradient at t0 is C,

so that t0 moves by -V'(I - A)^-1 C, u by V'(I - A)^-1 B, and with L L' = I - A the new V is L^-1 V. No
product of all rows is made and nothing is factored but I - A. What rounding leaves is measured by `null_fit`
as ever; an error of V S V' grows by 1 / (1 - |A|) at most, which `relative` keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtrs

from influstat.algebra.rounding import unit_rounding
from influstat.risks.linear import LinearRisk
from influstat.sets.constrained import Constrained
from influstat.sets.lengths import Mask

if TYPE_CHECKING:
    from influstat.sets.null_fit import NullFit

MOST_HELD = 0.9  # of a direction, by the row: little else is left there, and rounding would grow
MOST_ROUNDING = 1e-10  # relative, of lengths


def lessened(before: NullFit, risk: LinearRisk, kept: Mask) -> Constrained | None:
    """Return the minimum for the kept rows, those of `risk`; None where it is to be found anew."""
    gone, problem, parts = np.flatnonzero(before.kept & ~kept), before.problem, before.whitened
    if len(gone) != 1 or not (before.d and risk.quadratic and before.units.single):
        return None
    i, d, at = int(gone[0]), before.d, problem.at
    z, h, share = before.z[i], before.h[i], before.share[i]
    A = np.outer(h * z, z) + share * before.penalty
    C = before.r[i] * z - share * parts.of_pulls
    B = h * before.xi[i] * z + share * parts.of_turns
    held = float(np.linalg.norm(A))
    rounding = before.relative * (1.0 + 2.0 * held) + 8.0 * d * unit_rounding(d)
    if not (held < MOST_HELD and rounding < (1.0 - held) * MOST_ROUNDING):
        return None
    factor = dpotrf(np.eye(d) - A, lower=1)[0]
    g, w = dpotrs(factor, np.column_stack([-C, B]), lower=1)[0].T
    basis = np.ascontiguousarray(dtrtrs(factor, before.basis, lower=1)[0])
    u, theta = before.u + w @ before.basis, before.theta + g @ before.basis
    theta = theta + (at - float(problem.a @ theta)) * u
    xi, h_left = risk.design.dot(u), np.where(kept, before.h, 0.0)
    left = basis @ (risk.design.transpose_dot(h_left * xi) + risk.penalty.hessian(theta).dot(u))
    return Constrained(theta, u, basis, h_left, xi, left, rounding / (1.0 - held))
