"""`Hessian`: what every Hessian offers to solvers, so that none needs to ask which kind it is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh
from scipy.sparse.linalg import LinearOperator, eigsh

from influstat.algebra.cholesky import CholeskyInverse, WhitenedInverse
from influstat.algebra.coordinates import Coordinates
from influstat.errors import IndefiniteHessian, SingularHessian, Unsupported
from influstat.input.validation import FloatArray, real_number

SMALL = 64  # up to this p the eigenvalues of the assembled matrix cost less than Lanczos steps
MARGIN = 1.01  # a Lanczos value lies below the largest eigenvalue, by far less than this

Product = Callable[[FloatArray], FloatArray]
Factored = CholeskyInverse | WhitenedInverse


class Recursion(Protocol):
    """u <- v + u - H_rows u / C for arrays u of shape (repeats, p, m), by the Hessians of drawn rows."""

    block_steps: int
    state: FloatArray

    def advance(self, rows: NDArray[np.intp]) -> None:
        """Take the steps of these draws, shape (steps, repeats, batch_size); at most `block_steps`."""
        ...


class RowSampler(Protocol):
    """Rows whose Hessians, drawn with probability `share`, have H as their expectation."""

    @property
    def share(self) -> FloatArray:
        """With what probability each row is drawn, shape (n,)."""
        ...

    def bound(self) -> float:
        """Return a bound on the norm of any single row's Hessian, penalty and damping included."""
        ...

    def begin(self, scale: float, columns: FloatArray, repeats: int, batch_size: int) -> Recursion:
        """Return the recursion with C = scale and v = columns (p, m), at its start."""
        ...


class Hessian(LinearOperator):
    """A symmetric p x p matrix as a `scipy.sparse.linalg.LinearOperator`, with what solvers ask of it.

    A kind of its own needs `_matmat` and `to_dense`; whatever it knows more cheaply replaces a default here.

    Parameters
    ----------
    p : int
        Coefficients.

    Attributes
    ----------
    names : tuple of str, or None
        What error messages call the coefficients; their positions where it is None.
    flat : callable or None
        Coordinates without the directions that the risk does not feel, where it has a way to tell them.
    symmetric : bool
        Whether symmetry follows from how products are made, so that it need not be tried.
    offers_diagonal : bool
        Whether solvers use `diagonal`: it is cheap, and a good scale of the coefficients.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> (fit.hessian + 2.0) @ np.array([1.0])           # 2 (X'X + lam) / n, plus damping
    array([5.])
    >>> fit.hessian.inverse(ist.Cholesky()) @ np.array([6.0])
    array([2.])
    """

    names: tuple[str, ...] | None = None
    flat: Callable[[], Coordinates | None] | None = None
    symmetric = False
    offers_diagonal = True

    def __init__(self, p: int) -> None:
        super().__init__(dtype=np.dtype(np.float64), shape=(p, p))  # type: ignore[call-arg]  # stubs lack it

    def _matvec(self, vector: FloatArray) -> FloatArray:
        return self._matmat(np.reshape(vector, (-1, 1)))[:, 0]

    @abstractmethod
    def _matmat(self, vectors: FloatArray) -> FloatArray:
        """Return H @ vectors, shape (p, m)."""

    def _adjoint(self) -> Hessian:
        return self

    _transpose = _adjoint

    @abstractmethod
    def to_dense(self) -> FloatArray:
        """Return H as a new array, shape (p, p), Fortran order."""

    def cholesky(self) -> CholeskyInverse:
        """Return H^-1 by Cholesky's factorisation of H, or raise SingularHessian or IndefiniteHessian."""
        return CholeskyInverse(self.to_dense(), self.names)

    def factored(self) -> Factored:
        """Return H^-1 by a factorisation, or raise SingularHessian or IndefiniteHessian with the reason."""
        try:
            return self.cholesky()
        except (SingularHessian, IndefiniteHessian) as error:
            if isinstance(error, IndefiniteHessian) and self.flat is None:
                raise
            found = self.coordinates()
            if found is None:
                raise
            transform = found.transform
            return WhitenedInverse(found, np.asfortranarray(transform.T @ self.to_dense() @ transform))

    def coordinates(self) -> Coordinates | None:
        """Return coordinates without the directions that columns leave undetermined; None where not known."""
        return None if self.flat is None else self.flat()

    def diagonal(self) -> FloatArray:
        """Return the diagonal of H, shape (p,)."""
        return self.to_dense().diagonal().copy()

    def bound(self) -> float:
        """Return an upper bound on the largest eigenvalue: here by Lanczos steps, and a margin of 1 %."""
        return MARGIN * self.largest_eigenvalue()

    def largest_eigenvalue(self) -> float:
        """Return the largest eigenvalue of H to about 1e-8 of its size."""
        p = self.shape[0]
        if p <= SMALL:
            return float(eigvalsh(self.to_dense())[-1])
        start = np.random.default_rng(0).standard_normal(p)
        values = eigsh(self, k=1, which="LA", v0=start, tol=1e-8, return_eigenvectors=False)
        return float(values[0])

    def evidently_definite(self, level: float) -> bool:
        """Tell whether no direction can lack curvature, relative to the diagonal by `level`, at no cost."""
        del level
        return False

    def product(self, count: int) -> Product:
        """Return the function V -> H V that is cheapest for so many products."""
        del count
        return lambda vectors: np.asarray(self.matmat(vectors))

    def row_sampler(self, damping: float = 0.0) -> RowSampler:
        """Return the rows that a stochastic solver draws, or raise Unsupported where there are none."""
        raise Unsupported(
            "operator",
            "be a Curvature for LiSSA, which draws its rows",
            "is a matrix or an operator without rows",
            "Pass fit.hessian or risk.curvature(theta), or use ist.Cholesky, ist.ConjugateGradient or "
            "ist.Taylor.",
        )

    def damped(self, damping: float) -> Hessian:
        """Return H + damping * I."""
        damping = real_number("damping", damping, at_least=0.0)
        return Damped(self, damping) if damping else self

    def __add__(self, other: Any) -> Any:
        """Return H + damping * I for a number, else SciPy's sum of operators."""
        return super().__add__(other) if isinstance(other, LinearOperator) else self.damped(other)

    def inverse(self, solver: Any) -> LinearOperator:
        """Return the inverse that a solver prepares, as an operator again.

        Parameters
        ----------
        solver : Solver
            Such as `Cholesky()`; its work is done once, here.

        Returns
        -------
        LinearOperator, shape (p, p)
            Applies H^-1 to vectors and matrices.
        """
        prepared = solver.prepare(self)

        def apply(columns: FloatArray) -> FloatArray:
            return np.asarray(prepared.apply(np.asarray(columns, dtype=np.float64)).value)

        return LinearOperator(self.shape, matvec=apply, matmat=apply, rmatvec=apply, dtype=np.float64)


class Damped(Hessian):
    """H + damping * I for a Hessian that cannot add it to its own parts."""

    def __init__(self, inner: Hessian, damping: float) -> None:
        super().__init__(inner.shape[0])
        self.inner, self.damping = inner, damping
        self.names, self.symmetric = inner.names, inner.symmetric
        self.offers_diagonal = inner.offers_diagonal

    def _matmat(self, vectors: FloatArray) -> FloatArray:
        return np.asarray(self.inner.matmat(vectors) + self.damping * vectors)

    def to_dense(self) -> FloatArray:
        """Return H + damping * I as a new array, shape (p, p)."""
        dense = self.inner.to_dense()
        dense.flat[:: self.shape[0] + 1] += self.damping
        return dense

    def diagonal(self) -> FloatArray:
        """Return the diagonal, shape (p,)."""
        return self.inner.diagonal() + self.damping

    def bound(self) -> float:
        """Return an upper bound on the largest eigenvalue."""
        return self.inner.bound() + self.damping

    def row_sampler(self, damping: float = 0.0) -> RowSampler:
        """Return the rows of H, the damping with each."""
        return self.inner.row_sampler(self.damping + damping)
