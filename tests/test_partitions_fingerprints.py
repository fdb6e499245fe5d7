"""Fingerprints tell questions apart, in any process, and only by what differs."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import influstat as ist
from influstat.partitioned.answers.fingerprint import fingerprint
from tests.parquet_cases import TABLE
from tests.partition_cases import X

pa = pytest.importorskip("pyarrow")


def test_fingerprints_tell_questions_apart():
    def power(k):
        return lambda y, eta: (y - eta) ** k

    values = [
        ist.L2(1.0), ist.L2(2.0), power(2), power(4), np.zeros(2), np.zeros((2, 1)), np.zeros(2, dtype="f4"),
        ["ab", "c"], ["a", "bc"], None, "None", TABLE, TABLE + TABLE, ist.NumericalLoss(power(2)),
        ist.NumericalLoss(power(4)), sp.csr_array(X[:2]), np.array([None, 1]),
    ]  # fmt: skip
    prints = [fingerprint(value) for value in values]
    assert len(set(prints)) == len(values)
    assert prints[2] == fingerprint(power(2))  # another function of the same code and enclosed values


@pytest.mark.slow
def test_fingerprints_are_the_same_in_any_process():
    code = "import influstat as ist; from influstat.partitioned.answers.fingerprint import fingerprint as f; "
    code += "print(f([ist.SmoothedHinge(0.1), ist.L2(1.0), lambda y: y + 1]))"
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in "ab"
    }
    assert len(runs) == 1


def test_fingerprints_tell_what_differs():
    class Own:
        """Without a repr of its own."""

        def __init__(self, a):
            self.a = a

        def method(self):
            return self.a

    pairs = [
        (lambda x: np.sin(x) + 0, lambda x: np.cos(x) + 0),
        ([[1, 2]], [[1], 2]),
        (pd.Series([1, 2]), pd.Series([1, 2], index=[5, 6])),
        ({"a": np.arange(5000)}, {"a": np.arange(5000)[::-1]}),
        (Own(1), Own(2)),
        (Own(1).method, Own(2).method),
    ]
    for one, other in pairs:
        assert fingerprint(one) != fingerprint(other)
    assert fingerprint(Own(1)) == fingerprint(Own(1))


def test_tables_of_another_library_are_told_apart_by_every_row():
    X, y = np.zeros((300, 1)), np.arange(300.0)
    X[150] = 1.0
    tables = [pa.table({"a": x.ravel(), "y": y}) for x in (np.zeros((300, 1)), X)]
    first, second = (ist.partitions([one], "y").source.identity() for one in tables)
    assert fingerprint(first) != fingerprint(second)
