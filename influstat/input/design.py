"""The design matrix: one small set of products over row blocks, dense or sparse alike.

Nothing here makes an n x p temporary: dense data (also float32, Fortran order or `np.memmap`) are
read in blocks of a few thousand rows, each turned to float64 on the way. An intercept column is
never stored beside dense data; it is appended to each block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.matrix import BLOCK_ENTRIES, read_matrix, require_finite
from influstat.input.products import products
from influstat.input.settings import entries
from influstat.input.validation import (
    FloatArray,
    choice,
)

SINGLE_ROWS = 2048  # whose products are added in float32
SMALL_ENTRIES = 2**14  # of blocks whose companions need no new memory from the system: 128 KiB
LONG_ROWS = 2048  # of a product whose other side is wide: the BLAS packs that anew for each block


class Design:
    """Rows x_i of the model (n, p), with names, labels and an optional trailing column of ones.

    `names` are those of a DataFrame's columns, or x0, x1, ..., when left out; errors call X `argument`, and
    the columns of new rows as `training` does. Whoever does not let it `look` for nan and inf in dense data
    asks `require_finite` where sums show some.

    Examples
    --------
    >>> from influstat.input.design import Design
    >>> design = Design([[1.0, 2.0], [3.0, 4.0]], intercept=True)
    >>> design.dot(np.array([1.0, 1.0, 10.0]))
    array([13., 17.])
    >>> design.names
    ('x0', 'x1', 'intercept')
    """

    def __init__(
        self,
        X: Any,
        *,
        intercept: bool = False,
        names: Any = None,
        argument: str = "X",
        training: Sequence[str] | None = None,
        look: bool = True,
    ) -> None:
        self.argument = argument
        if names is not None:
            names = [str(name) for name in entries("names", names)]
        data, columns, labels = read_matrix(X, argument, training, known=training or names, look=look)
        self.labelled = labels is not None
        self.row_labels: NDArray[Any] = np.arange(data.shape[0]) if labels is None else labels
        self.columns = columns  # as the caller's table names them, whatever `names` says
        if names is None:
            names = columns if columns is not None else [f"x{j}" for j in range(data.shape[1])]
        if len(names) != data.shape[1]:
            raise InvalidArgument(
                "names",
                f"have one entry per column of {argument} ({data.shape[1]})",
                f"has {len(names)}",
                "Pass one name per column.",
            )
        self.named = columns is not None
        self.intercept: bool = choice("intercept", intercept, (True, False))
        self.names: tuple[str, ...] = (*names, "intercept") if intercept else tuple(names)
        self.sparse = isinstance(data, sp.csr_array)
        if intercept and self.sparse:
            ones = sp.csr_array(np.ones((data.shape[0], 1), dtype=data.dtype))
            data = sp.csr_array(sp.hstack([data, ones], format="csr"))
        self._data = data
        self.shape: tuple[int, int] = (data.shape[0], len(self.names))

    def require_finite(self) -> None:
        """Raise, naming row and column, where an entry is nan or inf."""
        require_finite(self._data, self.argument, self.row_labels if self.labelled else None, self.names)

    def like(self, X: Any, *, argument: str) -> Design:
        """Return the design of new rows, checked to have this design's columns in this order."""
        other = Design(X, intercept=self.intercept, argument=argument, training=self.names)
        expected = self.shape[1] - self.intercept
        found = other.shape[1] - other.intercept
        if found != expected:
            raise InvalidArgument(
                argument,
                f"have the {expected} columns of the training rows",
                f"has {found}",
                "Pass the same columns in the same order"
                + (", without the intercept column." if self.intercept else "."),
            )
        known = (None, self.columns, list(self.names[:expected]))
        if self.columns is not None and other.columns not in known:
            pair = next((a, b) for a, b in zip(self.columns, other.columns, strict=True) if a != b)
            raise InvalidArgument(
                argument,
                f"name its columns as the training rows do ({pair[0]!r} ...)",
                f"has {pair[1]!r} in that place",
                "Reorder or rename its columns.",
            )
        return other

    def take(self, rows: Any) -> Design:
        """Return the design of the chosen rows (data copied)."""
        return self._with_data(self._data[rows], self.row_labels[rows])

    def only(self, columns: NDArray[np.intp]) -> Design:
        """Return the design of the chosen columns, positions in order (data copied)."""
        ones = self.intercept and bool((columns == self.shape[1] - 1).any())
        stored = columns[:-1] if ones else columns
        names = [self.names[j] for j in stored]
        return Design(self._data[:, stored], intercept=ones, names=names, argument=self.argument)

    def _with_data(self, data: Any, labels: NDArray[Any]) -> Design:
        part = object.__new__(Design)
        part.__dict__.update(self.__dict__)
        part._data, part.row_labels, part.shape = data, labels, (data.shape[0], self.shape[1])
        return part

    def rows(self, rows: Any) -> FloatArray:
        """Return the chosen rows as a dense float64 array, shape (k, p), intercept included."""
        picked = self._data[rows]
        return np.asarray(picked.toarray(), dtype=np.float64) if self.sparse else self._block(picked)

    def _block(self, data: NDArray[Any]) -> FloatArray:
        if not self.intercept:
            return np.asarray(data, dtype=np.float64)
        block = np.empty((data.shape[0], self.shape[1]))
        block[:, :-1] = data
        block[:, -1] = 1.0
        return block

    def blocks(self, largest: int | None = None, least: int = 1) -> Iterator[tuple[slice, Any]]:
        """Yield (rows, block): float64 row blocks of `largest` rows at most; sparse data whole, at once."""
        # `least` is for sums of `products`: of fewer rows than columns, to add them would take longer.
        n, p = self.shape
        if self.sparse:
            yield slice(0, n), self._data
            return
        step = max(least, min(BLOCK_ENTRIES // p, largest or n))
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            yield rows, self._block(self._data[rows])

    def dense_blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        """Yield (rows, block): dense float64 row blocks of at most 1 MiB, sparse data included."""
        # For work that makes a few companions of each block, so that they all stay in cache.
        n, p = self.shape
        step = max(1, BLOCK_ENTRIES // (2 * p))
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            yield rows, self.rows(rows)

    def passing_blocks(
        self, held: FloatArray | None = None, *, views: int = 1
    ) -> Iterator[tuple[slice, FloatArray]]:
        """Yield the same in one array, which the next block overwrites: memory is asked for once.

        It is `held` (k, p) if that is given, for k rows at once; blocks that are views of the data have at
        least `views` rows.
        """
        n, p = self.shape
        plain = not (self.sparse or self.intercept) and self._data.dtype == np.float64
        step = max(views if plain else 1, BLOCK_ENTRIES // (2 * p)) if held is None else len(held)
        if held is None:
            held = np.empty((0 if plain else min(step, n), p))
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            if plain:
                yield rows, self.rows(rows)
                continue
            block = held[: rows.stop - start]
            if self.sparse:
                block[:] = self._data[rows].toarray()
            else:
                block[:, : self._data.shape[1]] = self._data[rows]
                block[:, self._data.shape[1] :] = 1.0
            yield rows, block

    @cached_property
    def most_in_row(self) -> int:
        """The largest number of entries of a row that are stored: p, or fewer where the data are sparse."""
        return int(np.diff(self._data.indptr).max()) if self.sparse else self.shape[1]

    @cached_property
    def constant_column(self) -> int:
        """Position of a column that is the same, not 0, in every row; -1 where there is none."""
        if self.intercept:
            return self.shape[1] - 1
        first = self.rows(slice(0, 1))[0]
        same = first != 0.0
        for _, block in self.dense_blocks():
            same &= (block == first).all(axis=0)
            if not same.any():
                return -1
        return int(np.argmax(same))

    def dot(self, coefficients: FloatArray, order: Literal["C", "F"] = "C") -> FloatArray:
        """Return X @ coefficients, shape (n,) or (n, m); long and wide products come sooner in order "F"."""
        result = np.empty((self.shape[0], *coefficients.shape[1:]), order=order)
        if self.sparse:
            result[:] = self._data @ coefficients
            return result
        for rows, block in self.passing_blocks(views=LONG_ROWS):
            np.matmul(block, coefficients, out=result[rows])
        return result

    def transpose_dot(self, values: FloatArray) -> FloatArray:
        """Return X.T @ values, shape (p,) or (p, m)."""
        result = np.zeros((self.shape[1], *values.shape[1:]))
        for rows, block in self.blocks():
            result += block.T @ values[rows]
        return result

    def absolute_dot(self, coefficients: FloatArray) -> FloatArray:
        """Return |X| @ coefficients, shape (n,) or (n, m), entries of X taken in absolute value."""
        result = np.empty((self.shape[0], *coefficients.shape[1:]))
        if self.sparse:
            result[:] = abs(self._data) @ coefficients
            return result
        step = max(1, SMALL_ENTRIES // self.shape[1])
        for start in range(0, self.shape[0], step):
            rows = slice(start, start + step)
            np.matmul(np.abs(self._block(self._data[rows])), coefficients, out=result[rows])
        return result

    def absolute_transpose_dot(self, values: FloatArray) -> FloatArray:
        """Return |X|.T @ values, shape (p,) or (p, m), entries of X taken in absolute value."""
        result = np.zeros((self.shape[1], *values.shape[1:]))
        for rows, block in self.blocks(largest=max(1, SMALL_ENTRIES // self.shape[1])):
            result += abs(block).T @ values[rows]
        return result

    def square_sums(self, row_weights: FloatArray) -> FloatArray:
        """Return sum_i row_weights_i x_ij^2 for every column j, shape (p,)."""
        return sum(
            (np.asarray(_squared(block).T @ row_weights[rows]) for rows, block in self.blocks()),
            start=np.zeros(self.shape[1]),
        )

    def row_square_norms(self) -> FloatArray:
        """Return |x_i|^2 for every row, shape (n,)."""
        ones = np.ones(self.shape[1])
        return np.concatenate([np.asarray(_squared(block) @ ones) for _, block in self.blocks()])

    def gram(self, row_weights: FloatArray) -> FloatArray:
        """Return X' diag(row_weights) X, shape (p, p), symmetric, in Fortran order."""
        p = self.shape[1]
        if self.sparse:
            scaled = self._data.multiply(row_weights[:, None])
            result = np.asfortranarray((self._data.T @ scaled).toarray())
            for j in range(p):  # a sparse product is symmetric only up to rounding
                result[j + 1 :, j] = result[j, j + 1 :]
            return result
        result = np.zeros((p, p))
        scaled = np.empty((min(self.shape[0], max(p, BLOCK_ENTRIES // p)), p))  # memory is asked for once
        # Products have square roots: positive and negative weights apart.
        for combine, part in ((np.add, row_weights), (np.subtract, -row_weights)):
            root = np.sqrt(np.maximum(part, 0.0))
            if not root.any():
                continue
            for rows, block in self.blocks(least=p):
                product = products(np.multiply(block, root[rows, None], out=scaled[: len(block)]))
                combine(result, product, out=result)
        return result.T

    def single_gram(self, row_weights: FloatArray) -> FloatArray:
        """Return the same with products in float32, right to about six digits, for weights of at least 0."""
        n, p = self.shape
        root, result = np.sqrt(row_weights), np.zeros((p, p))
        scaled = np.empty((min(n, SINGLE_ROWS), p), dtype=np.float32)
        for start in range(0, n, SINGLE_ROWS):  # longer sums are in float64
            rows = slice(start, min(start + SINGLE_ROWS, n))
            part = scaled[: rows.stop - start]
            for place, block in self.take(rows).blocks():
                np.multiply(block, root[rows][place, None], out=part[place], casting="same_kind")
            result += products(part)
        return result.T


def _squared(block: Any) -> Any:
    """Return the squared entries in float64 (a float32 square would keep only seven digits), X as it is."""
    with np.errstate(over="ignore"):  # inf beyond 1e154: whoever factors the Hessian says so
        return block.power(2, dtype=np.float64) if isinstance(block, sp.csr_array) else block * block
