"""Solve H p = g by LiSSA: the Taylor series with the Hessians of randomly drawn rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.curvature.base import Hessian, RowSampler
from influstat.input.validation import FloatArray, real_number, whole_number
from influstat.input.warning import doubt
from influstat.solvers.base import OneCall, Solution, as_operator
from influstat.solvers.columns import in_shape_of, measured_residual, scaled_columns
from influstat.solvers.spectrum import checked_diagonal, explain_growth, series_scale


@dataclass(frozen=True, kw_only=True)
class LiSSA(OneCall):
    """Stochastic recursion u_0 = v, u_j = v + u_{j-1} - H_j u_{j-1} / C, answer the mean of u_depth / C.

    H_j is the mean of l2_i x_i x_i' over the `batch_size` rows drawn for step j, plus the penalty's
    whole Hessian, so that its expectation is H.

    Parameters
    ----------
    depth : int
        Steps of each recursion.
    repeats : int
        Independent recursions, averaged.
    batch_size : int
        Rows averaged in one step.
    scale : float, optional
        C. Left out, the largest norm that the Hessian of any row can have, with which no draw can
        make the recursion grow.
    seed : int
        Of `np.random.default_rng`. The rows are those of
        ``rng.choice(n, size=(depth, repeats, batch_size), p=share)``: drawn with replacement, with
        probability w_i / W, in this order. All right-hand sides share them.
    rtol : float
        `Solution.converged` says whether the residual is at most this. A random answer is rarely
        within more than a few per cent.
    damping : float
        delta >= 0; solves with H + delta I.

    Notes
    -----
    Source: Agarwal, Bullins and Hazan (2017); Koh and Liang (2017) for influence. The expectation is
    the Taylor series of the same depth and scale, so C must exceed half of the largest eigenvalue of
    H. The variance is bounded for all depths if 2 C is at least L / b + (1 - 1 / b) |H|, where L bounds
    the norm of one row's Hessian and b = batch_size; below that it can grow with the depth, which a
    `DoubtfulResult` warning says. Judge the answer by `Solution.residual`, measured with the full H,
    and by `Solution.spread`. Memory: about four arrays of shape (repeats, p, m) and 16 MiB of drawn
    rows.

    Examples
    --------
    >>> import influstat as ist
    >>> risk = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0], penalty=ist.L2(2.0))
    >>> ist.LiSSA(depth=100).solve(risk.curvature(np.zeros(1)), [3.0]).value   # all rows alike: H = 3
    array([1.])
    """

    depth: int = 10_000
    repeats: int = 10
    batch_size: int = 1
    scale: float | None = None
    seed: int = 0
    rtol: float = 0.1
    damping: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        for name, least in (("depth", 1), ("repeats", 1), ("batch_size", 1), ("seed", 0)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), at_least=least))
        if self.scale is not None:
            object.__setattr__(self, "scale", real_number("scale", self.scale, above=0.0))
        object.__setattr__(self, "rtol", real_number("rtol", self.rtol, above=0.0))
        object.__setattr__(self, "damping", real_number("damping", self.damping, at_least=0.0))

    def prepare(self, operator: Any) -> LiSSAInverse:
        """Return the recursion with its scale C checked, or raise: Unsupported without rows to draw."""
        checked = as_operator(operator, self.damping)
        source = checked.row_sampler()
        checked_diagonal(checked)
        row_bound = source.bound()
        if self.scale is None:
            return LiSSAInverse(checked, source, self, row_bound, row_bound)
        scale = series_scale(checked, self.scale)
        share = 1.0 / self.batch_size
        safe = (row_bound * share + checked.bound() * (1.0 - share)) / 2
        if scale < safe:
            doubt(
                f"scale C = {scale:g} is below {safe:.4g}, half of the largest eigenvalue bound of a drawn "
                f"Hessian (one row: {row_bound:.4g}), so the variance can grow with the depth. Judge it "
                f"by residual and spread, or use scale >= {safe:.4g}, more repeats or a larger batch_size.",
            )
        return LiSSAInverse(checked, source, self, scale, row_bound)


class LiSSAInverse:
    """The recursion of one Curvature with its scale C."""

    def __init__(
        self, operator: Hessian, source: RowSampler, settings: LiSSA, scale: float, row_bound: float
    ) -> None:
        self.curvature, self.source, self.settings, self.scale = operator, source, settings, scale
        self.row_bound = row_bound

    def apply(self, rhs: FloatArray) -> Solution:
        """Return the mean over repeats with its residual and spread, the draws the same at each call."""
        columns, size = scaled_columns(rhs)
        estimates = self._recursions(columns)
        estimates /= self.scale
        value = estimates.mean(axis=0)
        residual = measured_residual(self.curvature, value, columns)
        met, spread = residual <= self.settings.rtol, _spread(estimates, value)
        return in_shape_of(rhs, value * size, residual, self.settings.depth, met, spread)

    def _recursions(self, columns: FloatArray) -> FloatArray:
        """Return u_depth of every repeat, shape (repeats, p, m)."""
        settings = self.settings
        recursion = self.source.begin(self.scale, columns, settings.repeats, settings.batch_size)
        draw = _Draws(self.source.share, settings)
        start = np.linalg.norm(columns, axis=0)
        for done in range(0, settings.depth, recursion.block_steps):
            steps = min(recursion.block_steps, settings.depth - done)
            recursion.advance(draw(steps))
            state = recursion.state
            norm = np.sqrt(np.einsum("rpm,rpm->rm", state, state))
            # Draws that cannot expand give |u_j| <= (j + 1) |v|.
            excess = norm - 10.0 * (done + steps + 1) * start
            if not np.max(excess) <= 0:
                repeat, column = np.unravel_index(np.argmax(excess), excess.shape)
                explain_growth(
                    self.curvature,
                    state[repeat, :, column],
                    self.scale,
                    f"Use scale >= {self.row_bound:.4g}, the bound for one row, or a larger batch_size.",
                )
        return recursion.state


class _Draws:
    """Rows drawn by the inverse of their distribution function; a row of weight 0 is never drawn."""

    def __init__(self, share: FloatArray, settings: LiSSA) -> None:
        self.rng = np.random.default_rng(settings.seed)
        self.shape = (settings.repeats, settings.batch_size)
        self.distribution = np.cumsum(share)
        self.distribution /= self.distribution[-1]

    def __call__(self, steps: int) -> NDArray[np.intp]:
        return np.searchsorted(self.distribution, self.rng.random((steps, *self.shape)), side="right")


def _spread(estimates: FloatArray, mean: FloatArray) -> FloatArray:
    """Return the standard error of the mean over repeats, as a norm relative to the mean's."""
    repeats = len(estimates)
    if repeats == 1:
        return np.full(mean.shape[1], np.nan)
    squares = np.sum((estimates - mean) ** 2, axis=(0, 1)) / (repeats * (repeats - 1))
    norm = np.linalg.norm(mean, axis=0)
    return np.asarray(np.sqrt(squares) / np.where(norm > 0, norm, 1.0))
