"""The Hessian of a `BlackBoxRisk` as an operator: products by eq. 11, or by the caller's function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh
from scipy.sparse.linalg import eigsh

from influstat.algebra.symmetric import Symmetric
from influstat.curvature.base import Hessian
from influstat.curvature.row_recursion import MatrixRows
from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray, returned_array
from influstat.numerics.derivatives import STEP, Derivative, ridders
from influstat.numerics.row_function import RowFunction

SMALL = 2000  # coefficients up to which eigenvalues are found from the assembled matrix
ROW_STEP = 1e-3  # of a coefficient's width, for differences of gradients
LARGEST_ROW_HESSIANS = 2**27  # entries: 1 GiB
AGREEMENT = 1e-4  # steps whose Hessians differ by more than this share of it found no second derivative

# An imaginary part is a slope times STEP; this large, beside a real part of at least 1, it is pi: of a
# logarithm beyond its domain.
BRANCH = 1e-12


class BlackBoxCurvature(Hessian):
    """H = sum_i share_i (Hessian of l_i) + ridge at one theta, mean scale; share = weights / W.

    Source: eq. 11, H v = d grad R(theta + r v) / dr at r = 0, or hvp(theta, v, weights), a sum over rows.
    A few products are differenced one by one; after p / 2 of them the matrix is assembled, made symmetric,
    and kept. LiSSA draws from `row_hessians`.
    """

    offers_diagonal = False  # it takes the whole matrix

    def __init__(
        self,
        rows: RowFunction,
        theta: FloatArray,
        share: FloatArray,
        ridge: Symmetric,
        *,
        names: tuple[str, ...],
        hvp: Callable[..., Any] | None,
        weights: FloatArray,
    ) -> None:
        super().__init__(len(theta))
        self.rows, self.theta, self.share, self.ridge = rows, theta, share, ridge
        self.names, self._hvp, self._weights = names, hvp, weights
        self._dense: FloatArray | None = None
        self._asked = 0
        self._smooth = False

    def _matmat(self, vectors: FloatArray) -> FloatArray:
        p, m = vectors.shape
        self._require_smooth()
        self._asked += m
        if self._hvp is None and self._dense is None and 2 * self._asked >= p:
            self.to_dense()
        if self._dense is not None:
            return np.asarray(self._dense @ vectors)
        columns = [self._product(column) for column in np.asarray(vectors, dtype=np.float64).T]
        return np.column_stack(columns) + self.ridge.dot(vectors)

    def to_dense(self) -> FloatArray:
        """Return H as a new array, shape (p, p), Fortran order, symmetric to the last bit."""
        if self._dense is None:
            self._require_smooth()
            p = self.shape[0]
            if self._hvp is None and self._real_only():
                matrix = self._by_second_differences()
            else:
                matrix = np.column_stack([self._product(unit) for unit in np.eye(p)])
                asymmetry = np.max(np.abs(matrix - matrix.T))
                if asymmetry > AGREEMENT * np.max(np.abs(matrix)):
                    raise InvalidArgument(
                        "hvp" if self._hvp is not None else "row_gradients",
                        "belong to one Hessian, which is symmetric",
                        f"gives entries that differ by {asymmetry:.3g} from their mirror images",
                        "Check it with influstat.checks.check_risk.",
                    )
                matrix = 0.5 * (matrix + matrix.T)
            self._dense = np.asfortranarray(matrix + self.ridge.dense())
        return self._dense.copy(order="F")

    def row_sampler(self, damping: float = 0.0) -> MatrixRows:
        """Return the rows to draw."""
        return MatrixRows(self.share, self.row_hessians(), self.ridge.shifted(damping))

    def row_hessians(self) -> FloatArray:
        """Return each row's Hessian (n, p, p) without weight and penalty, to about 1e-7: enough for LiSSA."""
        self._require_smooth()
        p, n = self.shape[0], len(self.share)
        if n * p * p > LARGEST_ROW_HESSIANS:
            raise InvalidArgument(
                "operator",
                "have row Hessians of at most a gibibyte for LiSSA",
                f"has {n} of {p} x {p}",
                "Use ist.ConjugateGradient or ist.Taylor.",
            )
        result = np.empty((n, p, p))
        for j, width in enumerate(self.rows.widths):
            step = np.zeros(p)
            step[j] = ROW_STEP * width
            far, near = (
                self.rows.gradients(self.theta + k * step).value
                - self.rows.gradients(self.theta - k * step).value
                for k in (2.0, 1.0)
            )
            result[:, :, j] = (8.0 * near - far) / (12.0 * step[j])
        return 0.5 * (result + result.transpose(0, 2, 1))

    def smallest_eigenvalue(self) -> float:
        """Return the smallest eigenvalue of H: negative where theta is no minimum (see `BlackBoxRisk`)."""
        if self.shape[0] <= SMALL:
            return float(eigvalsh(self.to_dense(), subset_by_index=(0, 0))[0])
        return float(eigsh(self, k=1, which="SA", return_eigenvectors=False, v0=np.ones(self.shape[0]))[0])

    def _require_smooth(self) -> None:
        """Look once for kinks, to which central differences are blind."""
        if not self._smooth:
            self.rows.require_smooth(self.theta, 2)
            self._smooth = True

    # -- products without the penalty -----------------------------------------------------------------

    def _product(self, vector: FloatArray) -> FloatArray:
        """Return sum_i share_i (Hessian of l_i) v."""
        if self._hvp is not None:
            return self._given(vector)
        size = float(np.max(np.abs(vector) / self.rows.widths))
        if size == 0.0:
            return np.zeros_like(vector)
        if self._real_only():
            return np.asarray(self.to_dense() @ vector - self.ridge.dot(vector))
        step = vector / size

        def moved(r: Any, part: Any) -> NDArray[Any]:
            return np.asarray(self._gradient(self.theta + r * step)[part])

        far = float(np.max(np.abs(self.theta) / self.rows.widths))
        found = ridders(moved, 1, n=len(vector), size=far)
        self._require_second_derivative(found)
        return np.asarray(found.value * size)

    def _given(self, vector: FloatArray) -> FloatArray:
        assert self._hvp is not None
        product = self._hvp(self.theta.copy(), vector.copy(), self._weights.copy())
        result = np.asarray(returned_array("hvp", product), dtype=float)
        if result.shape != vector.shape or not np.isfinite(result).all():
            finite = "" if np.isfinite(result).all() else " with entries that are not finite"
            raise InvalidArgument(
                "hvp",
                f"return finite numbers of shape {vector.shape}",
                f"returned shape {result.shape}{finite}",
                "Return sum_i weights_i (Hessian of l_i) v.",
            )
        return np.asarray(result / self._weights.sum())

    def _real_only(self) -> bool:
        return self.rows.gradients_by_differences(self.theta)

    def _gradient(self, theta: FloatArray) -> FloatArray:
        """Return sum_i share_i grad l_i by formula or by complex steps, which differences can bear."""
        if self.rows.has_jacobian:
            return np.asarray(self.share @ self.rows.jacobian(theta).value)
        result, counted = np.empty(len(theta)), self.share > 0
        for j, width in enumerate(self.rows.widths):
            direction = np.zeros(len(theta))
            direction[j] = width
            losses = self.rows.call(theta + 1j * STEP * direction)[counted]
            moved = losses.imag
            outside = bool((np.abs(moved) > BRANCH * np.maximum(1.0, np.abs(losses.real))).any())
            result[j] = np.nan if outside else self.share[counted] @ moved / (STEP * width)
        return result

    def _by_second_differences(self) -> FloatArray:
        """Return the matrix from second differences of the risk along e_j and along e_j + e_k."""
        p, widths = self.shape[0], self.rows.widths
        matrix = np.empty((p, p))
        for j in range(p):
            for k in range(j, p):
                direction = np.zeros(p)
                direction[[j, k]] = widths[[j, k]]
                matrix[j, k] = self._second_along(direction)
        pure = np.diag(matrix).copy()
        mixed = 0.5 * (matrix - pure - pure[:, None])
        full = np.triu(mixed, 1)
        full = full + full.T + np.diag(pure)
        return np.asarray(full / widths / widths[:, None])

    def _second_along(self, direction: FloatArray) -> float:
        def moved(r: Any, part: Any) -> NDArray[Any]:
            total = float(self.share @ self.rows.call(self.theta + r * direction))
            return np.asarray(np.full(1, total)[part])

        far = float(np.max(np.abs(self.theta) / self.rows.widths))
        found = ridders(moved, 2, n=1, size=far)
        self._require_second_derivative(found)
        return float(found.value[0])

    def _require_second_derivative(self, found: Derivative) -> None:
        largest = np.max(np.abs(found.value))
        limit = AGREEMENT * max(float(largest), 1e-3)
        bad = ~(found.error <= limit)
        if bad.any():
            raise InvalidArgument(
                self.rows.name,
                "be twice differentiable around theta",
                f"has second derivatives that steps do not agree on (estimated error "
                f"{float(np.nanmax(found.error)):.2g}, size {float(largest):.2g})",
                "Make it smooth there, set `width` nearer to where it bends, or give row_gradients.",
            )
