"""What a null fit says about the standard error: D, RSS and the units' parts; and the quantile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit

SMALL = 1e-9  # relative: of what is only known up to conditions as bad as `Anchor` admits


@dataclass(frozen=True)
class Reference:
    """What t values are compared with."""

    critical: Callable[[float], float]  # the quantile for degrees of freedom; it does not grow with them
    parameters: float  # what degrees of freedom subtract from the number of rows

    def scaled(self, null: NullFit, gone: int) -> float | None:
        """Return crit / nu^1/2 with so many rows gone, None where no degrees of freedom are left.

        With none gone nu is the largest there is, with as many as may go the least: columns that leave only
        add to it.

        Returns
        -------
        float or None
        """
        freedom = float(np.count_nonzero(null.h > 0.0)) - (self.parameters - null.lost) - gone
        return None if freedom <= 0.0 else float(self.critical(freedom)) / float(np.sqrt(freedom))


class Squares:
    """D0 and RSS of a null fit, each unit's part of them, and their rounding."""

    def __init__(self, null: NullFit) -> None:
        self.null = null
        h = null.h
        own = h * null.xi**2
        self.D0 = float(np.sum(own))
        with np.errstate(divide="ignore", invalid="ignore"):
            self.e = np.where(h > 0.0, null.r / h, 0.0) - (null.N0 / self.D0) * null.xi
        squares = h * self.e**2
        self.RSS = float(np.sum(squares))
        self.x2 = null.x2
        self.e2 = np.where(null.open, null.units.sums(squares), 0.0)

    @cached_property
    def residual_noise(self) -> FloatArray:
        """What rounding can do to each e, shape (n,)."""
        risk, u, theta = self.null.problem.risk, self.null.u, self.null.theta
        size = risk.design.absolute_dot(np.abs(theta)) + np.abs(risk.offset) + np.abs(risk.y)
        turn = abs(self.null.N0 / self.D0) * risk.design.absolute_dot(np.abs(u))
        return np.asarray(2.0 * unit_rounding(risk.shape[1]) * (size + turn))

    @cached_property
    def noise(self) -> tuple[float, float]:
        """What rounding can do to D0, RSS and all sums of their parts."""
        null, n = self.null, len(self.e)
        spread = unit_rounding(null.problem.risk.shape[1]) * null.problem.risk.design.absolute_dot(
            np.abs(null.u)
        )
        h, xi, e, wide = null.h, np.abs(null.xi), np.abs(self.e), self.residual_noise
        D = 2.0 * unit_rounding(n) * self.D0 + float(h @ (spread * (2.0 * xi + spread)))
        RSS = 2.0 * unit_rounding(n) * self.RSS + float(h @ (wide * (2.0 * e + wide)))
        return D, RSS

    @property
    def balance(self) -> float:
        """The tau with tau D0 = RSS / tau; 1 where there is none."""
        return float(np.sqrt(self.RSS / self.D0)) if self.RSS > 0.0 and self.D0 > 0.0 else 1.0

    @property
    def below(self) -> float:
        """F, rounded down."""
        D, RSS = self.noise
        left = max(self.D0 - 2.0 * D, 0.0) * max(self.RSS - 2.0 * RSS, 0.0)
        return float(np.sqrt(left)) * (1.0 - SMALL)


def rows_gone(null: NullFit, k: int) -> int:
    """Return how many rows any k open units can have."""
    sizes = np.sort(null.units.sizes[null.open])
    return int(np.sum(sizes[len(sizes) - min(k, len(sizes)) :]))


def narrowed(null: NullFit, squares: Squares, of_D: float, of_RSS: float) -> NullFit:
    """Return the null fit with f and N0 less these multiples of the parts of D and RSS."""
    noise_D, noise_RSS = squares.noise
    return replace(
        null,
        f=null.f - of_D * squares.x2 - of_RSS * squares.e2,
        N0=null.N0 - of_D * squares.D0 - of_RSS * squares.RSS,
        margin=null.margin + 2.0 * (of_D * noise_D + of_RSS * noise_RSS),
    )


def squares_left(null: NullFit, stretched: float) -> FloatArray:
    """Return (D RSS)^1/2 without each row, rounded up if `stretched` > 1, else down; shape (m,)."""
    squares = Squares(null)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.maximum(1.0 - null.lev, SMALL)
        all_left = np.maximum(left - squares.x2 / squares.D0, SMALL)
        D = squares.D0 - squares.x2 / left
        RSS = squares.RSS - squares.e2 / all_left
    sign = 1.0 if stretched > 1.0 else -1.0
    return np.asarray(
        np.sqrt(
            np.maximum(D + sign * (squares.noise[0] + SMALL * squares.D0), 0.0)
            * np.maximum(RSS + sign * (squares.noise[1] + SMALL * squares.RSS), 0.0)
        )
    )


@dataclass(frozen=True, eq=False)
class Parts:
    """What all units hold at one null fit, those that are gone too: for searches."""

    # Sums over each unit of xi r, h xi^2 and h e^2, and the square of the sum of h xi e; 0 without weight
    # (shape (m,)).
    f: FloatArray
    x2: FloatArray
    e2: FloatArray
    v: FloatArray

    @classmethod
    def of(cls, null: NullFit) -> Parts:
        """Return them."""
        risk, units, xi = null.problem.risk, null.units, null.xi
        eta = risk.linear_predictor(null.theta)
        r = -risk.rows.weighted(risk.loss.first(risk.y, eta))
        h = risk.rows.weighted(risk.loss.second(risk.y, eta))
        stiff = float(np.sum(null.h * xi**2))
        with np.errstate(divide="ignore", invalid="ignore"):
            e = np.where(h > 0.0, r / h, 0.0) - (null.N0 / stiff) * xi
        return cls(
            units.sums(xi * r), units.sums(h * xi**2), units.sums(h * e**2), units.sums(h * xi * e) ** 2
        )
