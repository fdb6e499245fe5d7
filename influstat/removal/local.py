"""What refits ask of a risk around theta-hat, whatever its rows' losses are: sum scale, see `expansion`."""

from __future__ import annotations

from typing import Any, Protocol

from influstat.algebra.symmetric import Symmetric
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.removal.expansion import Curved
from influstat.removal.rough import Rough
from influstat.risks.contract import Risk


class LocalRemainder(Protocol):
    """The objectives F_k of K removals, evaluated together."""

    @property
    def groups(self) -> Groups:
        """What leaves."""

    @property
    def factors(self) -> FloatArray:
        """c_k, the share of the penalty that stays, shape (K,)."""

    def gradients_at_center(self) -> FloatArray:
        """Return grad F_k(theta-hat) for every k, shape (p, K)."""

    def gradients(self, theta: FloatArray) -> FloatArray:
        """Return grad F_k at column k of theta, shape (p, K), nan with it."""

    def rough(self) -> Rough | None:
        """Return what finds gradients in float32, where that pays."""

    def movement(self, theta: FloatArray) -> FloatArray:
        """Return how far predictors of the rows left move from theta-hat at most, shape (K,)."""


class Local(Protocol):
    """The risk with all rows at theta-hat."""

    @property
    def risk(self) -> Risk:
        """The risk itself."""

    @property
    def theta(self) -> FloatArray:
        """theta-hat, shape (p,)."""

    @property
    def gradient(self) -> FloatArray:
        """That of all rows with the whole penalty, shape (p,)."""

    @property
    def penalty_gradient(self) -> FloatArray:
        """The penalty's part in it, shape (p,)."""

    @property
    def data_hessian(self) -> FloatArray:
        """The Hessian without the penalty, shape (p, p)."""

    @property
    def penalty_hessian(self) -> Symmetric:
        """The penalty's."""

    @property
    def concordance(self) -> float:
        """C: how fast curvature changes with predictors at most."""

    @property
    def flat(self) -> bool:
        """Whether only the rows hold theta along some direction."""

    def left(self, groups: Groups) -> FloatArray:
        """Return c_k, shape (K,)."""

    def left_over(self, rows: Indices) -> Any:
        """Return the risk without the rows, to be minimised by itself."""

    def curved(self, groups: Groups) -> Curved:
        """Return what the rows that leave take of the Hessian."""

    def hessian_without(self, rows: Indices, factor: float) -> FloatArray:
        """Return the Hessian of the rows that are left, summed anew: no cancellation."""

    def scales(self, groups: Groups) -> FloatArray:
        """Return the size of the terms of grad F_k at theta-hat, shape (p, K)."""

    def remainder(self, groups: Groups) -> LocalRemainder:
        """Return the objectives without each group."""
