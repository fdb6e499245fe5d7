"""Labels that several rows share: answers tell these by position, and nothing is paired by such labels."""

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.errors import InvalidArgument
from tests.partition_cases import CLOSE, LABELS, N, X

dd = pytest.importorskip("dask.dataframe")
TABLE = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=LABELS)
REPEATED = TABLE.set_index(np.array([0, *range(N - 2), N - 3]))  # the first label twice, and the last


def in_parts(table, parts):
    return dd.from_pandas(table, npartitions=parts, sort=True)


def fitted(data, y):
    return ist.Logistic(lam=0.5).fit(ist.partitions(data, y, runner="serial"))


@pytest.mark.parametrize("parts", [3, 4])
def test_series_are_paired_by_repeated_labels_only_where_that_is_clear(parts):
    frame, x = in_parts(REPEATED, 3), ["a", "b", "c"]
    fit = fitted(frame[x], in_parts(REPEATED["y"], parts))  # the same labels in the same order, as in memory
    np.testing.assert_allclose(fit.theta, ist.Logistic(lam=0.5).fit(X, LABELS).theta, **CLOSE)
    said = {"rows": "which have 0 more than once", "series": "it has 0 more than once"}
    for where, rows, others in (("rows", REPEATED, TABLE), ("series", TABLE, REPEATED)):
        with pytest.raises(
            InvalidArgument, match=f"y of partition 0 must have each label once.*{said[where]}"
        ):
            fitted(in_parts(rows, 3)[x], in_parts(others["y"], parts))
        with pytest.raises(InvalidArgument, match="^y must have"):
            ist.Logistic(lam=0.5).fit(rows[x], others["y"])
    text = in_parts(TABLE.set_index(np.array([f"r{i:02}" for i in range(N)])), 3)
    with pytest.raises(InvalidArgument, match="^y must have labels that can.*it has 0. The table has 'r00'"):
        fitted(text[x], in_parts(TABLE["y"], parts))


def test_labels_that_one_row_must_have_may_not_repeat():
    frame = in_parts(REPEATED, 3)
    fit = fitted(frame, "y")  # told apart by their positions
    found = fit.influence().on_self().to_frame()
    assert found.index.tolist() == REPEATED.index.tolist()
    assert found["position"].tolist() == list(range(N))
    for formula in (None, "y ~ a + b"):
        named = {"y": "y"} if formula is None else {"formula": formula}
        data = ist.partitions(frame, runner="serial", labels="index", **named)
        with pytest.raises(
            InvalidArgument, match="^labels of partition 0 must be an index.*holds 0 more than once"
        ):
            ist.Logistic(lam=0.5).fit(data)
