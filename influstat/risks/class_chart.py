"""A risk that is not linear whose columns depend on each other, as one of the coefficients that will do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.coordinates import Coordinates, exactly_null, fractional_null
from influstat.algebra.rounding import Blur
from influstat.curvature.dense import DenseCurvature
from influstat.input.validation import FloatArray
from influstat.risks.class_predictors import ClassPredictors, class_predictors_of


@dataclass(frozen=True, eq=False)
class ClassChart:
    """Coordinates u of a risk that is not linear: the coefficients that determine the others."""

    # The risk in its own coefficients; where it has `ClassPredictors` theta is one block of coefficients
    # after the other, of the same columns, else one block in all.
    outer: Any
    theta: FloatArray  # the minimum in those, shape (p,)
    coordinates: Coordinates  # which u are (`transform`), and the directions that nothing determines

    @cached_property
    def _columns(self) -> tuple[NDArray[np.bool_], FloatArray]:
        """Which columns are kept, shape (q,), and the directions along which no predictor moves, (q, m)."""
        classes = class_predictors_of(self.outer)
        q = len(self.theta) if classes is None else classes.design.shape[1]
        kept: NDArray[np.bool_] = np.asarray(self.coordinates.transform[:q].any(axis=1))
        return kept, self.coordinates.null[:q, : int(np.count_nonzero(~kept))]

    @cached_property
    def start(self) -> FloatArray:
        """U at the minimum, shape (r,): its predictors by the columns kept alone."""
        kept, null = self._columns
        blocks = self.theta.reshape(-1, len(kept))
        along = np.linalg.solve(null[~kept], blocks[:, ~kept].T)
        return np.asarray((blocks - (null @ along).T)[:, kept].ravel())

    @cached_property
    def risk(self) -> WithoutColumns:
        """The same risk as a function of u."""
        chosen = np.flatnonzero(self.coordinates.transform.any(axis=1))
        base = self.theta - self.coordinates.lift(self.start)  # predictors of these are 0
        return WithoutColumns(self.outer, base, chosen)

    def lift(self, u: FloatArray) -> FloatArray:
        """Return the change of theta, (p,) or (p, k), that belongs to u, (r,) or (r, k)."""
        return self.coordinates.lift(u - self.start.reshape(-1, *[1] * (u.ndim - 1)))

    def rows(self, x: FloatArray) -> FloatArray:
        """Return the coordinates (k, r) of gradients of linear quantities, (k, p)."""
        return self.coordinates.rows(x)

    def sizes(self, u: FloatArray) -> FloatArray:
        """Return the size of the terms of theta, shape (k, p), for coordinates u (k, r)."""
        largest = np.abs(self.start) + np.abs(u)
        return np.abs(self.theta) + self.coordinates.lift_size(largest.T).T

    def blur(self) -> Blur:
        """Return how far rows are off: not at all where the dependence is proven, else without bound."""
        outer = self.outer
        null = None if class_predictors_of(outer) is None else fractional_null(self._columns[1])
        counted = outer.weights > 0
        blocks = (block[counted[rows]] for rows, block in outer.design.dense_blocks())
        return Blur() if null is not None and exactly_null(blocks, null) else Blur(relative=np.inf)


class WithoutColumns:
    """R(base + T u), T u the coefficients at the positions `chosen`: a `Risk` like any other."""

    # R is `outer`; `base`, shape (p,), are coefficients that move no predictor.

    def __init__(self, outer: Any, base: FloatArray, chosen: NDArray[np.intp]) -> None:
        self.outer, self._base, self._chosen = outer, base, chosen
        self.names = tuple(outer.names[j] for j in chosen)
        self.shape = (outer.shape[0], len(chosen))
        self.weights, self.total_weight, self.protocol = outer.weights, outer.total_weight, outer.protocol
        self.row_labels, self.convex = outer.row_labels, getattr(outer, "convex", True)
        if hasattr(outer, "dispersion"):
            self.dispersion = outer.dispersion

    def _theta(self, u: FloatArray) -> FloatArray:
        """Return base + T u, shape (p,) or (p, k)."""
        theta = np.repeat(self._base[:, None], u.shape[1], axis=1) if u.ndim == 2 else self._base.copy()
        theta[self._chosen] += u
        return theta

    @cached_property
    def _classes(self) -> ClassPredictors | None:
        found = class_predictors_of(self.outer)
        if found is None:
            return None
        columns = self._chosen[self._chosen < found.design.shape[1]]
        design, strengths, gauge = found.design.only(columns), found.strengths, found.gauge
        return replace(found, design=design, strengths=strengths[columns], gauge=gauge[columns])

    def class_predictors(self) -> ClassPredictors | None:
        """Return the rows with one predictor for each class; None where they have others."""
        return self._classes

    def value(self, theta: FloatArray) -> float:
        """Return R."""
        return float(self.outer.value(self._theta(theta)))

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad R, shape (r,)."""
        return np.asarray(self.outer.gradient(self._theta(theta))[self._chosen])

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size of each entry of the gradient without cancellation, shape (r,)."""
        return np.asarray(self.outer.gradient_scale(self._theta(theta))[self._chosen])

    def curvature(self, theta: FloatArray) -> DenseCurvature:
        """Return the Hessian as an operator."""
        whole = self.outer.curvature(self._theta(theta)).to_dense()
        return DenseCurvature(whole[np.ix_(self._chosen, self._chosen)], self.names)

    def row_losses(self, theta: FloatArray) -> FloatArray:
        """Return L_i, shape (n,), or (n, k) for theta of shape (r, k)."""
        return np.asarray(self.outer.row_losses(self._theta(theta)))

    def row_gradients(self, theta: FloatArray, rows: Any = slice(None)) -> FloatArray:
        """Return g_i of the chosen rows, shape (k, r)."""
        return np.asarray(self.outer.row_gradients(self._theta(theta), rows)[:, self._chosen])

    def row_gradients_dot(self, theta: FloatArray, vectors: FloatArray) -> FloatArray:
        """Return g_i'v for all rows and all columns v of `vectors` (r, m), shape (n, m)."""
        lifted = np.zeros((len(self._base), vectors.shape[1]))
        lifted[self._chosen] = vectors
        return np.asarray(self.outer.row_gradients_dot(self._theta(theta), lifted))

    def reweighted(self, weights: Any) -> WithoutColumns:
        """Return the risk of the same rows with other weights, its penalty as the protocol says."""
        return WithoutColumns(self.outer.reweighted(weights), self._base, self._chosen)

    def test_rows(self, X: Any, y: Any, *, offset: Any = None) -> WithoutColumns:
        """Return new rows as a risk; they have all columns."""
        return WithoutColumns(self.outer.test_rows(X, y, offset=offset), self._base, self._chosen)

    def predictions(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> FloatArray:
        """Return the predictions for new rows, which have all columns."""
        return np.asarray(self.outer.predictions(self._theta(theta), X, kind=kind, offset=offset))

    def prediction_gradients(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> tuple[FloatArray, NDArray[Any]]:
        """Return the gradients of those predictions, shape (r, m), and the labels of the new rows."""
        found = self.outer.prediction_gradients(self._theta(theta), X, kind=kind, offset=offset)
        return found[0][self._chosen], found[1]

    def require_minimum(self) -> None:
        """Raise NoMinimiser where it is plain that there is none, as the risk itself says."""
        getattr(self.outer, "require_minimum", lambda: None)()

    def contrasts(self) -> FloatArray | None:
        """Return how u moves each row's own predictor against every other, (m, r); None if not known."""
        found = getattr(self.outer, "contrasts", lambda: None)()
        return None if found is None else np.asarray(found[:, self._chosen])
