"""The data of the experiments, as plain arrays with names, row labels and their source.

Files come from the folder INFLUSTAT_DATA or from their public addresses, checksums verified
(`influstat.datasets.files`); `influstat.datasets.bundled` has those
that other packages bring along. Nothing is standardised and no column or row is dropped here unless a
docstring says so: what the paper does to the data is the experiment's business.
"""

from influstat.datasets.base import Dataset
from influstat.datasets.bundled import (
    first_available,
    load_bundled_iris_pair,
    load_fair,
    load_small_digits17,
    load_statecrime,
)
from influstat.datasets.files import available, fetch
from influstat.datasets.mnist import load_mnist17, load_mnist17_paper
from influstat.datasets.sparse import load_a9a, load_enron1, load_newsgroups20
from influstat.datasets.tables import (
    load_diabetes130,
    load_forest_fires,
    load_iris_pair,
    load_microcredit,
    load_spambase,
)

__all__ = [
    "Dataset",
    "available",
    "fetch",
    "first_available",
    "load_a9a",
    "load_bundled_iris_pair",
    "load_diabetes130",
    "load_enron1",
    "load_fair",
    "load_forest_fires",
    "load_iris_pair",
    "load_microcredit",
    "load_mnist17",
    "load_mnist17_paper",
    "load_newsgroups20",
    "load_small_digits17",
    "load_spambase",
    "load_statecrime",
]
