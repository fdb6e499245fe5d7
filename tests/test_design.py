"""A design is the same numbers, however X comes; it keeps X as it came and copies no more than blocks."""

import tracemalloc
from threading import Thread
from time import perf_counter, sleep

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from influstat.errors import InvalidArgument, InvalidType
from influstat.input import design as design_module
from influstat.input.design import Design
from influstat.input.products import products
from tests.budget import examples
from tests.reference import assert_within


def memmap(X, tmp_path, dtype):
    path = tmp_path / "X.bin"
    X.astype(dtype).tofile(path)
    return np.memmap(path, dtype=dtype, mode="r", shape=X.shape)


def untidy(X):
    """Return a csr_array of X whose entries are unsorted and come in two parts, to be added."""
    rows, columns = np.nonzero(X)
    entries = X[rows, columns]
    order = np.argsort(rows * 100 - columns, kind="stable")
    rows, columns, entries = (np.repeat(part[order], 2) for part in (rows, columns, entries))
    entries[::2] *= 0.25
    entries[1::2] *= 0.75
    counts = np.bincount(rows, minlength=len(X))
    return sp.csr_array((entries, columns, np.concatenate([[0], np.cumsum(counts)])), shape=X.shape)


# How the same float32-representable numbers can come: a table of one line each.
KINDS = {
    "list": lambda X, _: X.tolist(),
    "float64": lambda X, _: X,
    "Fortran": lambda X, _: np.asfortranarray(X),
    "float32": lambda X, _: X.astype(np.float32),
    "float32 Fortran": lambda X, _: np.asfortranarray(X.astype(np.float32)),
    "every second entry": lambda X, _: np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
    "reversed": lambda X, _: X[::-1, ::-1].copy()[::-1, ::-1],
    "big-endian": lambda X, _: X.astype(">f8"),
    "longdouble": lambda X, _: X.astype(np.longdouble),
    "masked, none masked": lambda X, _: np.ma.masked_array(X, mask=np.zeros_like(X, dtype=bool)),
    "memmap": lambda X, path: memmap(X, path, np.float64),
    "float32 memmap": lambda X, path: memmap(X, path, np.float32),
    "DataFrame": lambda X, _: pd.DataFrame(X),
    "DataFrame, mixed": lambda X, _: pd.DataFrame(X).astype({0: np.float32}),
    "DataFrame, nullable": lambda X, _: pd.DataFrame(X).astype("Float64"),
    "DataFrame, sparse": lambda X, _: pd.DataFrame.sparse.from_spmatrix(sp.csr_array(X)),
    "csr_array": lambda X, _: sp.csr_array(X),
    "csc_array": lambda X, _: sp.csc_array(X),
    "csr_matrix": lambda X, _: sp.csr_matrix(X),
    "csc_matrix": lambda X, _: sp.csc_matrix(X),
    "coo_array": lambda X, _: sp.coo_array(X),
    "lil_array": lambda X, _: sp.lil_array(X),
    "dok_array": lambda X, _: sp.dok_array(X),
    "dia_array": lambda X, _: sp.dia_array(X),
    "float32 csr_array": lambda X, _: sp.csr_array(X.astype(np.float32)),
    "float32 csc_matrix": lambda X, _: sp.csc_matrix(X.astype(np.float32)),
    "unsorted, repeated": lambda X, _: untidy(X),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
with_and_without_intercept = pytest.mark.parametrize("intercept", [False, True])


def numbers(n=23, p=4, seed=0):
    """Return X whose entries all are float32 numbers, a third of them 0."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * np.geomspace(0.01, 100.0, p) * (rng.random((n, p)) < 0.67)
    return X.astype(np.float32).astype(np.float64)


# -- the same numbers -----------------------------------------------------------------------------------


@each_kind
@with_and_without_intercept
@pytest.mark.parametrize("entries", [2**19, 17], ids=["one block", "blocks"])
def test_every_product_is_that_of_the_dense_matrix(kind, intercept, entries, tmp_path, monkeypatch):
    monkeypatch.setattr(design_module, "BLOCK_ENTRIES", entries)
    monkeypatch.setattr(design_module, "SMALL_ENTRIES", entries)
    X = numbers()
    design = Design(KINDS[kind](X, tmp_path), intercept=intercept)
    if intercept:
        X = np.column_stack([X, np.ones(len(X))])
    rng = np.random.default_rng(1)
    n, p = X.shape
    row_weights = rng.uniform(0.0, 2.0, n)
    assert design.shape == X.shape
    assert design.intercept is intercept
    for vectors in (rng.normal(size=p), rng.normal(size=(p, 3))):
        assert_within(design.dot(vectors), X @ vectors, np.abs(X) @ np.abs(vectors))
        assert_within(design.absolute_dot(vectors), np.abs(X) @ vectors, np.abs(X) @ np.abs(vectors))
    for values in (rng.normal(size=n), rng.normal(size=(n, 3))):
        size = np.abs(X).T @ np.abs(values)
        assert_within(design.transpose_dot(values), X.T @ values, size)
        assert_within(design.absolute_transpose_dot(values), np.abs(X).T @ values, size)
    assert_within(design.row_square_norms(), np.sum(X**2, axis=1), np.sum(X**2, axis=1))
    assert_within(design.square_sums(row_weights), row_weights @ X**2, row_weights @ X**2)
    for weights in (row_weights, -row_weights, rng.normal(size=n), np.zeros(n)):
        size = (np.abs(X).T * np.abs(weights)) @ np.abs(X)
        gram = design.gram(weights)
        assert_within(gram, (X.T * weights) @ X, size)
        assert np.array_equal(gram, gram.T)
        assert gram.flags.f_contiguous
    assert np.array_equal(np.vstack([b.toarray() if design.sparse else b for _, b in design.blocks()]), X)


@each_kind
@with_and_without_intercept
def test_rows_and_parts_are_those_of_the_dense_matrix(kind, intercept, tmp_path):
    X = numbers()
    design = Design(KINDS[kind](X, tmp_path), intercept=intercept)
    if intercept:
        X = np.column_stack([X, np.ones(len(X))])
    chosen = [np.array([4, 4, 0]), [22], slice(None), slice(3, 9), X[:, 0] > 0, np.array([], dtype=int)]
    for rows in chosen:
        assert np.array_equal(design.rows(rows), X[rows])
        assert design.rows(rows).dtype == np.float64
        part = design.take(rows)
        assert part.shape == X[rows].shape
        assert part.names == design.names
        assert part.row_labels.tolist() == np.arange(23)[rows].tolist()
        assert np.array_equal(part.rows(slice(None)), X[rows])
        assert_within(part.dot(X[0]), X[rows] @ X[0], np.abs(X[rows]) @ np.abs(X[0]))
    assert design.shape == X.shape


@examples(60)
@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 60), st.booleans(), st.integers(0, 10**6))
def test_blocks_cover_every_row_once(n, p, entries, intercept, seed):
    X = numbers(n, p, seed)
    design = Design(X, intercept=intercept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(design_module, "BLOCK_ENTRIES", entries)
        blocks = list(design.blocks())
    covered = np.concatenate([np.arange(n)[rows] for rows, _ in blocks])
    assert covered.tolist() == list(range(n))
    assert all(len(block) <= max(1, entries // design.shape[1]) for _, block in blocks)
    assert np.array_equal(np.vstack([block for _, block in blocks])[:, :p], X)


# -- what is kept, and what it costs --------------------------------------------------------------------

AS_IT_CAME = [kind for kind in KINDS if kind.startswith(("float", "memmap", "Fortran", "csr"))]


@pytest.mark.parametrize("kind", AS_IT_CAME)
def test_x_is_kept_as_it_came(kind, tmp_path):
    X = KINDS[kind](numbers(), tmp_path)
    kept = Design(X)._data
    assert kept.dtype == X.dtype
    if kind != "float32 csc_matrix":  # rows of a csc matrix cannot be read one by one
        assert np.shares_memory(kept.data if sp.issparse(X) else kept, X.data if sp.issparse(X) else X)


@each_kind
def test_the_callers_x_is_not_written_to(kind, tmp_path):
    X, twin = (KINDS[kind](numbers(), tmp_path) for _ in range(2))
    design = Design(X, intercept=True)
    design.gram(np.linspace(-1.0, 1.0, 23))
    design.dot(np.ones(5))
    if sp.issparse(X):
        for name in ("data", "indices", "indptr", "row", "col", "offsets"):
            if hasattr(X, name):
                assert np.array_equal(getattr(X, name), getattr(twin, name))
    else:
        assert np.array_equal(np.asarray(X), np.asarray(twin))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@with_and_without_intercept
def test_memory_is_that_of_a_few_blocks(dtype, intercept, tmp_path, monkeypatch):
    n, p = 60_000, 40
    monkeypatch.setattr(design_module, "BLOCK_ENTRIES", design_module.BLOCK_ENTRIES // 5)
    X = memmap(np.ones((n, p), dtype=np.float32), tmp_path, dtype)
    coefficients, values = np.ones(p + intercept), np.ones(n)
    block = 8 * design_module.BLOCK_ENTRIES
    tracemalloc.start()
    try:
        design = Design(X, intercept=intercept)
        for product, argument in [
            (design.dot, coefficients),
            (design.transpose_dot, values),
            (design.gram, values),
            (design.square_sums, values),
            (design.absolute_transpose_dot, values),
        ]:
            product(argument)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    four_vectors = 4 * 8 * n
    assert four_vectors + 4 * block < n * p * 4  # what X takes in float32
    assert peak < four_vectors + 4 * block


# -- what is refused: the rest of the table is in test_bad_input.py -------------------------------------


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix])
def test_sparse_entries_that_are_not_finite_are_found_where_they_are(form):
    X = np.zeros((6, 5))
    X[1, 4], X[3, 2], X[5, 0] = 1.0, np.inf, np.nan
    with pytest.raises(InvalidArgument, match="X must be finite, but it holds inf at row 3, column 2"):
        Design(form(X))


def test_dense_entries_that_are_not_finite_are_found_beyond_the_first_block(monkeypatch):
    monkeypatch.setattr("influstat.input.matrix.BLOCK_ENTRIES", 4)
    X = np.zeros((7, 2))
    X[5, 1] = -np.inf
    with pytest.raises(InvalidArgument, match="X must be finite, but it holds -inf at row 5, column 1"):
        Design(X)


def test_huge_entries_whose_sum_overflows_are_finite():
    assert Design(np.full((2, 2), 1e308)).shape == (2, 2)
    assert Design(sp.csr_array(np.full((2, 2), 1e308))).shape == (2, 2)


def three_dimensional():
    """Return a sparse array of three dimensions, None where scipy has none (before 1.15)."""
    try:
        return sp.coo_array(np.ones((1, 2, 2)))
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("X", "error", "sentence"),
    [
        (sp.csr_array(np.eye(2) * 1j), InvalidType, r"X must hold real numbers, but it has dtype complex128"),
        (sp.csr_array([[2**53 + 1, 0]]), InvalidArgument, "X must hold integers that float64 keeps exactly"),
        (
            sp.csr_array((0, 3)),
            InvalidArgument,
            r"at least one row and one column, but it has shape \(0, 3\)",
        ),
        (sp.coo_array(np.ones(3)), InvalidArgument, r"X must be two-dimensional .* it has shape \(3,\)"),
        (three_dimensional(), InvalidArgument, "X must be two-dimensional"),
    ],
    ids=["complex", "integers", "empty", "one-dimensional", "three-dimensional"],
)
def test_sparse_matrices_that_hold_no_data_are_refused(X, error, sentence):
    if X is None:
        pytest.skip("scipy has sparse arrays of three dimensions from 1.15 on")
    with pytest.raises(error, match=sentence):
        Design(X)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gram_of_more_columns_than_a_block_has_rows(dtype):
    x = np.random.default_rng(3).standard_normal((1500, 600)).astype(dtype)
    weights = np.linspace(-1.0, 2.0, 1500)
    found = Design(x).gram(weights)
    expected = x.astype(np.float64).T @ (weights[:, None] * x)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found, found.T)
    assert found.flags.f_contiguous


def test_other_threads_run_during_a_product():
    x = np.ones((4000, 800))

    def ticks():
        """Return how often this thread wakes while another multiplies; scipy's dsyrk lets it never."""
        ends, times = [], []

        def work():
            ends.append(perf_counter())
            products(x)
            ends.append(perf_counter())

        thread = Thread(target=work)
        thread.start()
        while thread.is_alive():
            sleep(1e-4)
            times.append(perf_counter())
        margin = 0.1 * (ends[1] - ends[0])
        return sum(ends[0] + margin < one < ends[1] - margin for one in times)

    assert any(ticks() for _ in range(20))  # on a busy machine not each time
