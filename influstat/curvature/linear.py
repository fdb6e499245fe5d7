"""The Hessian as an operator: products from X and the row curvatures, never n x p temporaries."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse, WhitenedInverse
from influstat.algebra.coordinates import Coordinates, coordinates
from influstat.algebra.symmetric import Diagonal, Symmetric
from influstat.curvature.base import Factored, Hessian, Product
from influstat.curvature.row_recursion import LinearRows
from influstat.errors import IndefiniteHessian, InvalidArgument, SingularHessian
from influstat.input.design import Design
from influstat.input.validation import FloatArray, real_number

PLAIN = 1e-7  # reciprocal condition of the scaled Gram matrix above which half of the digits are left
ROUGH = 200  # coefficients from which products take longer than all else, and in float32 half as long
ROUGH_CONDITION = 1e-3  # reciprocal, above which their six digits leave three of a step
SMALLEST = 1e-24  # sums of squares that are far from under- and overflow in float32, and their inverse
LARGEST = 4000  # coefficients; beyond, nothing is factored by its rows
KEPT = 256  # coefficients up to which the matrix itself is kept beside its factor


class Curvature(Hessian):
    """H = X' diag(share * second) X + diag(ridge), the Hessian of a linear risk, mean scale.

    It is a `scipy.sparse.linalg.LinearOperator`, so scipy's `cg`, `minres` and `eigsh` take it.

    Parameters
    ----------
    design : Design
        The rows x_i, n x p.
    second : ndarray, shape (n,)
        l2_i, second derivative of each row's loss in its linear predictor.
    share : ndarray, shape (n,)
        w_i / W, each row's share of the risk; they sum to 1.
    ridge : ndarray, shape (p,), or Symmetric
        The penalty's Hessian in mean scale, kappa D / W, plus any damping; a vector is a diagonal.

    Notes
    -----
    The row Hessian that LiSSA draws is second_j x_j x_j' + diag(ridge), with probability share_j, so
    that its expectation is H.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> fit.hessian @ np.array([1.0])       # 2 (X'X + lam) / n
    array([3.])
    """

    symmetric = True

    def __init__(
        self, design: Design, second: FloatArray, share: FloatArray, ridge: FloatArray | Symmetric
    ) -> None:
        super().__init__(design.shape[1])
        self.design, self.names = design, design.names
        self.second = second
        self.share = share
        self.ridge: Symmetric = Diagonal(ridge) if isinstance(ridge, np.ndarray) else ridge

    @property
    def convex(self) -> bool:
        """Whether no row has negative curvature."""
        return bool((self.second >= 0).all())

    def _matmat(self, vectors: FloatArray) -> FloatArray:
        """Return H @ vectors in one pass over the rows."""
        weights = self.share * self.second
        result = self.ridge.dot(vectors)
        for rows, block in self.design.blocks():
            predictor = block @ vectors
            predictor *= weights[rows, None]
            result += block.T @ predictor
        return result

    def to_dense(self) -> FloatArray:
        """Return H as an array, shape (p, p), Fortran order, symmetric to the last bit."""
        return self._dense.copy(order="F") if self.shape[0] <= KEPT else self._summed()

    @cached_property
    def _dense(self) -> FloatArray:
        return self._summed()

    def _summed(self) -> FloatArray:
        dense = self.design.gram(self.share * self.second)
        self.ridge.add_to(dense)
        return dense

    def factored(self) -> Factored:
        """Return H^-1: of the Gram matrix, or of the rows where that has too few digits left."""
        failure: SingularHessian | None = None
        try:
            inverse = self.cholesky()
            if inverse.reciprocal_condition > PLAIN:
                return inverse
        except SingularHessian as error:
            if not np.isfinite(self.diagonal()).all():
                raise  # squares beyond float64: the rows themselves would not help
            failure = error
        found = self.coordinates() if self.shape[0] <= LARGEST else None
        if found is not None and found.transform.shape[1]:  # else the rows determine nothing at all
            return WhitenedInverse(found, self.in_coordinates(found))
        if failure is not None:
            raise failure
        return inverse

    def cholesky(self) -> CholeskyInverse:
        """Return H^-1 by Cholesky's factorisation of the Gram matrix, made once."""
        return self._cholesky

    @cached_property
    def _cholesky(self) -> CholeskyInverse:
        return CholeskyInverse(self.to_dense(), self.names)

    @cached_property
    def rough(self) -> CholeskyInverse | None:
        """H^-1 to about three digits, of products in float32: what steps towards a minimum need of it.

        None where that is no cheaper, or where so few digits might not be enough.
        """
        n, p = self.design.shape
        if self.design.sparse or not ROUGH <= p <= min(n, LARGEST) or not self.convex:
            return None
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            dense = self.design.single_gram(self.share * self.second)
        inside = (dense.diagonal() > SMALLEST) & (dense.diagonal() < 1.0 / SMALLEST)
        self.ridge.add_to(dense)
        if not inside.all():
            return None
        try:
            inverse = CholeskyInverse(dense, self.names)
        except (SingularHessian, IndefiniteHessian):
            return None
        return inverse if inverse.reciprocal_condition > ROUGH_CONDITION else None

    def coordinates(self) -> Coordinates | None:
        """Return coordinates in which the rows are orthonormal, and what they leave undetermined.

        Returns
        -------
        Coordinates or None
            None where they leave more undetermined than the design itself does: rows without curvature are
            no lack of columns.
        """
        weights = np.abs(self.share * self.second)
        if not np.isfinite(weights).all():
            return None
        found = self._coordinates(weights)
        if not found.full and self._coordinates(self.share).null.shape[1] < found.null.shape[1]:
            return None
        return found

    def _coordinates(self, weights: FloatArray) -> Coordinates:
        roots = np.sqrt(weights)

        def blocks() -> Iterator[tuple[FloatArray, FloatArray]]:
            for rows, block in self.design.dense_blocks():
                yield block, roots[rows]

        root = self.ridge.root()
        return coordinates(blocks, root[:, root.any(axis=0)], self.design.constant_column)

    def in_coordinates(self, found: Coordinates) -> FloatArray:
        """Return T'HT, shape (r, r), summed over the rows in the coordinates."""
        weights = self.share * self.second
        transform = found.lift(np.eye(found.transform.shape[1]))
        result = transform.T @ self.ridge.dot(transform)
        for rows, block in self.design.dense_blocks():
            z = found.rows(block)
            result += z.T @ (z * weights[rows, None])
        return np.asfortranarray((result + result.T) / 2.0)

    def diagonal(self) -> FloatArray:
        """Return the diagonal of H, shape (p,)."""
        return self.design.square_sums(self.share * self.second) + self.ridge.diagonal()

    def damped(self, damping: float) -> Curvature:
        """Return H + damping * I; the same as adding a multiple of the identity operator."""
        damping = real_number("damping", damping, at_least=0.0)
        if damping == 0.0:
            return self
        return Curvature(self.design, self.second, self.share, self.ridge.shifted(damping))

    def bound(self) -> float:
        """Return the smaller of the trace and the largest absolute row sum of |X|' diag |X| + ridge."""
        weights = np.abs(self.share * self.second)
        row_sums = self.design.absolute_transpose_dot(
            weights * self.design.absolute_dot(np.ones(self.shape[0]))
        )
        trace = float(np.sum(self.design.square_sums(weights) + self.ridge.lengths()))
        return min(trace, float(np.max(row_sums + self.ridge.absolute_dot(np.ones(self.shape[0])))))

    def evidently_definite(self, level: float) -> bool:
        """Tell whether H is a sum of l2 >= 0 terms and a penalty that counts on every coefficient."""
        counts = self.ridge.diagonal() > level * self.diagonal()
        return self.ridge.terms == 1 and self.convex and bool(counts.all())

    def product(self, count: int) -> Product:
        """Return the function V -> H V that is cheapest for so many products: assembled, or through X."""
        # Assembled only where p^2 is below twice the entries of X: H takes no more memory than X does.
        n, p = self.design.shape
        entries = next(self.design.blocks())[1].nnz if self.design.sparse else n * p
        if p * entries + count * p * p >= 2 * count * entries:
            return super().product(count)
        dense = self.to_dense()
        return lambda vectors: np.asarray(dense @ vectors)

    def row_sampler(self, damping: float = 0.0) -> LinearRows:
        """Return the rows to draw."""
        return LinearRows(self.design, self.second, self.share, self.ridge.shifted(damping))

    def sampled(self, rows: Any) -> Curvature:
        """Average the Hessians of the given rows (repeats allowed), penalty included.

        Returns
        -------
        Curvature
            Its expectation is H for rows drawn with probability `share`.

        Raises
        ------
        InvalidArgument
            No row is given, or a row does not exist.
        """
        chosen = np.atleast_1d(np.asarray(rows))
        n = self.design.shape[0]
        whole = chosen.ndim == 1 and chosen.size > 0 and chosen.dtype.kind in "iu"
        if not whole or chosen.min() < 0 or chosen.max() >= n:
            raise InvalidArgument(
                "rows", f"hold at least one whole number from 0 to {n - 1}", f"is {rows!r}", "Correct it."
            )
        part = self.design.take(chosen)
        return Curvature(part, self.second[chosen], np.full(chosen.size, 1.0 / chosen.size), self.ridge)
