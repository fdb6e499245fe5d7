"""The null fit without one row more, from the one with it: squared error.

In the coordinates of `null_fit` let the row hold A, C and B, and let T be the rows that are left. Then

    V S_T V' = I - A,     V S_T u = -B,     V times the gradient at t0 is C,

so that t0 moves by -V'(I - A)^-1 C, u by V'(I - A)^-1 B, and with L L' = I - A the new V is L^-1 V. No
product of all rows is made and nothing is factored but I - A. What rounding leaves is measured by `null_fit`
as ever; an error of V S V' grows by 1 / (1 - |A|) at most, which `relative` keeps.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtrs

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk
from influstat.sets.constrained import Constrained
from influstat.sets.whitened import Whitened

MOST_HELD = 0.9  # of a direction, by the row: little else is left there, and rounding would grow
MOST_ROUNDING = 1e-10  # relative, of lengths
# Of u'S u, by the square of V S u, by which the u that was found is off: where the row took nearly all there
# is along u, what is left of it is rounding.
MOST_LEFT = 1e-20


def lessened(
    risk: LinearRisk, a: FloatArray, at: float, before: Constrained, parts: Whitened, penalty: FloatArray,
    row: int,
) -> Constrained | None:  # fmt: skip
    """Return the minimum under a't = at of `risk`, which lacks one row that `before` and its parts have.

    None where that is to be found anew.

    Returns
    -------
    Constrained or None
    """
    z, h, share, d = parts.z[row], parts.h[row], parts.share[row], len(before.basis)
    A = np.outer(h * z, z) + share * penalty
    C, B = parts.r[row] * z - share * parts.of_pulls, h * parts.xi[row] * z + share * parts.of_turns
    held = float(np.linalg.norm(A))
    rounding = before.relative * (1.0 + 2.0 * held) + 8.0 * d * unit_rounding(d)
    if not (d and held < MOST_HELD and rounding < (1.0 - held) * MOST_ROUNDING):
        return None
    factor = dpotrf(np.eye(d) - A, lower=1)[0]
    g, w = dpotrs(factor, np.column_stack([-C, B]), lower=1)[0].T
    basis = np.ascontiguousarray(dtrtrs(factor, before.basis, lower=1)[0])
    u, theta = before.u + w @ before.basis, before.theta + g @ before.basis
    theta = theta + (at - float(a @ theta)) * u
    xi, h_left = risk.design.dot(u), np.where(risk.weights > 0.0, before.h, 0.0)
    hxi, image = h_left * xi, risk.penalty.hessian(theta).dot(u)
    left = basis @ (risk.design.transpose_dot(hxi) + image)
    if not float(left @ left) < MOST_LEFT * (float(hxi @ xi) + float(u @ image)):
        return None
    return Constrained(theta, u, basis, h_left, xi, left, rounding / (1.0 - held))
