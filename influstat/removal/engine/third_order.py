"""How gradients without rows bend, to third order: fewer sums over all rows where coefficients are few.

With d_j = x_j'delta, delta = theta - theta-hat, S_k the Hessian at theta-hat of the rows left and of a
penalty whose Hessian is constant,

    grad F_k(theta) = grad F_k(theta-hat) + S_k delta + N_k(delta) + what fourth derivatives add,
    N_k(delta) = sum_{j left} w_j l3_j d_j^2 x_j / 2.

The sum over all rows is one symmetric tensor, so that N_k costs p^3 operations where a gradient takes a sum
over n rows. From a point whose gradient G was measured, a step E that solves

    G + S_k E + N_k(delta + E) - N_k(delta) = 0

leaves of the gradient, in the norm of S_k^-1, at most (c4 / 2) D^2 e^(c D) |E|, D the largest |d_j| of rows
left on the way, since |l2(eta + d) - l2 - l3 d| <= (c4 / 2) e^(c |d|) l2 d^2 (Taylor) and
|sum_j w_j l2_j x_j x_j'E| <= |E|, in the norms of S_k^-1 and S_k. The slope of N_k is at most c D S_k, so
that |E| <= |G| / (1 - c D) <= e^(2 c D) |G| for c D <= 0.79.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.losses.base import higher_bounds
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.engine.plan import SLOPE, counted_norms
from influstat.removal.engine.tensors import Tensors
from influstat.removal.expansion import Expansion
from influstat.removal.remaining import worth_it

FEW = 64  # removals, that are done at once whatever is known
SAVED = 3.0  # sums over all rows that a refit then does without
ASKED = 6.0  # N_k that it takes instead
SINGLE = 1e-4  # of N_k, what sums in float32 over so few coefficients may be off by
BENT = 0.79  # c D up to which e^(2 c D) >= 1 / (1 - c D)


def pays(expansion: Expansion, removals: int) -> bool:
    """Tell whether the tensor is cheaper than the sums that it saves, and its bounds hold."""
    risk = expansion.risk
    n, p = risk.shape
    if removals < FEW:
        return False
    known = higher_bounds(risk.loss) is not None and np.isfinite(risk.loss.self_concordance)
    if not known or not risk.penalty.constant_hessian or worth_it(expansion):
        return False
    return SAVED * removals * n * (4.0 * p + SLOPE) > (n + ASKED * removals) * float(p) ** 3


class ThirdOrder:
    """N_k of any removals, and what a step along it leaves, for a loss with `higher_bounds`.

    The anchor is the Hessian at theta-hat, in whose coordinates the tensor has no cancellation.
    """

    def __init__(self, expansion: Expansion, anchor: Anchor) -> None:
        risk = expansion.risk
        bounds = higher_bounds(risk.loss)
        assert bounds is not None  # `pays` has asked for it
        self._expansion, self._anchor, self._c4 = expansion, anchor, bounds[0]
        self.c = expansion.concordance
        self.roots = anchor.roots  # most that an entry of a gradient is of its norm, shape (p,)
        third = risk.loss.third(risk.y, expansion.eta)
        self._third: FloatArray = np.where(risk.weights > 0, risk.weights * third, 0.0)  # 0 inf is 0

        def blocks() -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
            for rows, block in risk.design.dense_blocks():
                yield anchor.whiten(block.T), self._third[rows], self._third[rows]

        # Differences of N_k are small where they matter, so that six digits of them are plenty.
        self._cube = Tensors(blocks(), risk.shape[1], fourth=False).cube().astype(np.float32)
        self._largest = float(np.max(counted_norms(expansion, anchor)))

    def gradients(self, groups: Groups, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return grad F_k at column k of theta, shape (p, K), and the largest |d_j| of rows left, (K,)."""
        remainder, center = self._expansion.remainder(groups), self._expansion.eta
        path = np.zeros(theta.shape[1])

        def look(rows: slice, eta: FloatArray) -> None:
            moved = eta - center[rows, None]
            np.abs(moved, out=moved)
            moved[remainder.gone(rows)] = 0.0
            np.maximum(path, moved.max(axis=0), out=path)

        return remainder.summed(theta, look), path

    def bend(self, groups: Groups, delta: FloatArray, step: FloatArray) -> FloatArray:
        """Return N_k(delta + E) - N_k(delta) for columns of delta and E = `step`, shape (p, K)."""
        middle = delta + 0.5 * step  # N_k is quadratic: the difference is the slope half way, times E
        u, v = (self._anchor.coordinates(some).astype(np.float32) for some in (middle, step))
        p, k = u.shape
        bent = (self._cube.reshape(p * p, p) @ np.ascontiguousarray(u)).reshape(p, p, k)
        total = self._anchor.gradients(
            np.einsum("abk,bk->ak", bent, np.ascontiguousarray(v)).astype(np.float64)
        )
        x = self._expansion.risk.design.rows(groups.members)
        moved = [self._expansion.own_movement(groups, x, columns) for columns in (middle, step)]
        x *= (self._third[groups.members] * moved[0] * moved[1])[:, None]
        total -= groups.added(x).T
        return np.asarray(total)

    def reach(self, step: FloatArray) -> FloatArray:
        """Return a bound on |x_j'E| over all rows, shape (K,), for columns E of `step` (p, K)."""
        return np.asarray(self._largest * np.linalg.norm(self._anchor.coordinates(step), axis=0))

    def left(self, path: FloatArray, measured: FloatArray, solved: FloatArray) -> FloatArray:
        """Return bounds on the gradients after steps along the bend, in the norm of S_k^-1, shape (K,)."""
        # `path` (K,) is the largest |d_j| on the way, `measured` |G| in that norm, and `solved` the norm of
        # what the last chord step but one has left in the equation: the last leaves c D of it.
        bent = self.c * path
        with np.errstate(over="ignore"):
            rate = 0.5 * self._c4 * path**2 * np.exp(3.0 * bent)
        return np.where(bent <= BENT, rate * measured + (bent + SINGLE) * solved, np.inf)
