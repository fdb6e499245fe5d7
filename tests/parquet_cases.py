"""Parquet files that tests of them share, fits of them and what is asked of those."""

import pandas as pd

import influstat as ist
from tests.partition_cases import LABELS, LT, XT, N, X

TABLE = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=LABELS, id=[f"row {k}" for k in range(N)])


def written(path):
    """Return the folder, with two files of several row groups, their columns in other orders."""
    import pyarrow as pa  # who asks for it has seen whether it is there
    import pyarrow.parquet as pq

    path.mkdir()
    pq.write_table(pa.Table.from_pandas(TABLE[:40]), path / "one.parquet", row_group_size=11)
    pq.write_table(pa.Table.from_pandas(TABLE[40:].iloc[:, ::-1]), path / "two.parquet", row_group_size=15)
    return path


def logistic(path, **settings):
    settings = {"labels": "id", "runner": "serial", **settings}
    return ist.Logistic(lam=0.5).fit(ist.partitions(path, "y", **settings))


def answers(fit):
    return {
        "influence": fit.influence().on_loss(XT, LT),
        "exact": fit.leave_one_out().loss_change(XT, LT),
        "newton": fit.leave_one_out(method="newton").delta(bounds=True),
    }
