"""About a hundred values that nobody should pass as an argument, and that somebody will."""

import datetime
import decimal
import fractions
import pathlib

import numpy as np
import pandas as pd
import scipy.sparse as sp


def odd_values():
    """Return them by name, made anew: generators are used up, and lists could be changed."""
    column, grid = np.array([1.0, 2.0, 3.0]), np.arange(6.0).reshape(3, 2)
    return [
        None, True, False, np.True_, ..., NotImplemented, 0, 1, -1, 2, 7, 10**400, -(10**400), 2**53 + 1,
        1e308,
        0.0, -0.0, 0.5, 1.5, -1.5, 1e-320, float("nan"), float("inf"), -float("inf"), 1j, complex("nan"),
        np.float32(1.5), np.int8(-3), np.uint64(2**64 - 1), np.float64("nan"), np.longdouble("1e400"),
        decimal.Decimal("0.1"), decimal.Decimal("nan"), fractions.Fraction(1, 3), np.array(1.0),
        np.array("x"),
        "", " ", "junk", "x0", "0", "nan", "a" * 2000, "MODEL", "Linear", "no", "\x00", "\ud800", "ü",
        b"", b"junk", bytearray(b"x"), memoryview(b"xyz"), np.str_("newton"), np.bytes_(b"x"),
        [], (), {}, set(), frozenset({1}), range(0), range(3), [None], [[]], [[], []], [[1.0], [1.0, 2.0]],
        [1, "a", None], ["a", "b"], ["a", "a"], [1, 1], [0], [-1], [99], [0.5], [float("nan")] * 3, [True,
        False],
        {"a": 1}, {"a": "b"}, {0: [0]}, {1, 2}, (0, 1), (1, 0), ("x0",), [("a", 1)], slice(None), slice(0, 2),
        (value for value in ()), (value for value in (1.0, 2.0)), iter([1, 2]), map(int, "12"),
        column, column[:, None], grid, grid[:0], grid[:, :0], np.zeros((0,)), np.zeros((2, 2, 2)),
        column.astype(np.float16), column.astype(np.complex128), column.astype(str), column.astype("S3"),
        column.astype(object), np.full(3, np.nan), np.full((3, 2), np.inf), np.array([True, False, True]),
        np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"), np.zeros(3, dtype=[("a", float), ("b", int)]),
        np.array([None, object()], dtype=object), np.ma.masked_array(column, [0, 1, 0]), np.ma.masked,
        np.ma.masked_array(grid), sp.csr_array(grid), sp.coo_matrix(grid), sp.eye_array(3),
        pd.Series(column), pd.Series(["a", "b", None]), pd.Series([], dtype=float), pd.DataFrame(grid),
        pd.DataFrame({"x": ["a", "b"]}), pd.DataFrame(), pd.Index([1, 2]), pd.Categorical(["a", "b", "a"]),
        pd.Series([1, None, 3], dtype="Int64"), pd.NA, pd.NaT, pd.Timestamp("2020-01-01"),
        pd.MultiIndex.from_tuples([(1, "a"), (2, "b")]), pd.DataFrame(grid, columns=["a", "a"]),
        datetime.date(2020, 1, 1), datetime.timedelta(1), object(), object, int, float, str, np.float64,
        print,
        len, lambda: None, lambda *values: None, lambda *values: "x",
        lambda *values: values[-1] if values else None, Exception(),
        ValueError, pathlib.Path("/nowhere"), np, np.random.default_rng(0), np.dtype(float),
    ]  # fmt: skip
