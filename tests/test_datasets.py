"""The loaders against the counts and means recorded with the data, and against derived copies."""

import doctest
import inspect
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris

from influstat import datasets
from influstat.datasets import files
from influstat.errors import InvalidArgument

LOADERS = [getattr(datasets, name) for name in datasets.__all__ if name.startswith("load_")]
WITH_PARTS = [loader for loader in LOADERS if "part" in inspect.signature(loader).parameters]
TABLE = "diabetes130/diabetic_data.csv.gz"
MICROCREDIT_ROWS = {
    "BIH": 1195, "MON": 961, "ETH": 3113, "MEX": 16560, "MOR": 5498, "PHI": 1113, "IND": 6863
}  # fmt: skip
real_data = pytest.mark.usefixtures("data_dir")


@cache
def loaded(loader, **part):
    """Return the data, read once for all tests: they only look."""
    return loader(**part)


@pytest.mark.slow
@real_data
@pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.__name__)
def test_every_loader_labels_all_rows_and_columns(loader):
    data = loaded(loader)
    n, p = data.X.shape
    assert data.y.shape == data.row_labels.shape == (n,)
    assert len(data.names) == len(set(data.names)) == p
    assert len(set(data.row_labels.tolist())) == n
    assert data.y.dtype.kind in "ifU"
    assert data.y.dtype.kind == "U" or np.isfinite(data.y).all()
    assert data.source


@pytest.mark.slow
@real_data
@pytest.mark.parametrize("loader", WITH_PARTS, ids=lambda loader: loader.__name__)
def test_train_and_test_share_out_all_rows(loader):
    train, test, whole = (loaded(loader, part=part) for part in ("train", "test", "all"))
    labels = np.concatenate([train.row_labels, test.row_labels])
    assert sorted(labels.tolist()) == sorted(whole.row_labels.tolist())
    place = {label: row for row, label in enumerate(whole.row_labels.tolist())}
    rows = [place[label] for label in labels.tolist()]
    stack = sp.vstack if sp.issparse(whole.X) else np.vstack
    assert abs(stack([train.X, test.X]).astype(float) - whole.X[rows]).max() == 0
    assert np.array_equal(np.concatenate([train.y, test.y]), whole.y[rows])


@pytest.mark.slow
@real_data
@pytest.mark.parametrize("loader", [*LOADERS, files.read_bytes], ids=lambda loader: loader.__name__)
def test_docstring_examples_hold_on_the_real_data(loader):
    # Doctest skips them because they need the files; with the files at hand they are run.
    example = doctest.DocTestFinder().find(loader, globs={})[0]
    for line in example.examples:
        line.options.pop(doctest.SKIP, None)
    results = doctest.DocTestRunner().run(example)
    assert results.attempted >= 2
    assert results.failed == 0


@real_data
def test_forest_fires():
    data = datasets.load_forest_fires()
    assert data.names[:10] == ("X", "Y", "FFMC", "DMC", "DC", "ISI", "temp", "RH", "wind", "rain")
    assert data.names[10] == "month_jan"
    assert data.names[22] == "day_mon"
    assert data.X.dtype == np.float64
    assert data.y.mean() == pytest.approx(12.84729, abs=5e-6)
    assert data.y.std(ddof=1) == pytest.approx(63.65582, abs=5e-6)
    assert np.median(data.y) == 0.52
    assert np.count_nonzero(data.y == 0) == 247
    assert data.X[:, 6].mean() == pytest.approx(18.8892, abs=5e-5)
    assert (data.X[:, 10:22].sum(axis=1) == 1).all()
    assert (data.X[:, 22:].sum(axis=1) == 1).all()
    assert dict(zip(data.names, data.X[0], strict=True))["month_mar"] == 1  # 7,5,mar,fri,...
    assert dict(zip(data.names, data.X[0], strict=True))["day_fri"] == 1
    assert len(np.unique(np.column_stack([data.X, data.y]), axis=0)) == 517 - 4
    assert np.linalg.matrix_rank(data.X - data.X.mean(axis=0)) == 27


@pytest.mark.slow
@real_data
def test_mnist17_is_the_derived_file():
    data = loaded(datasets.load_mnist17, part="all")
    with np.load(datasets.fetch("mnist/mnist17.npz")) as derived:
        assert np.array_equal(data.X, derived["X"])
        assert np.array_equal(data.y, derived["y"])
        assert np.array_equal(data.row_labels, derived["index"])
    assert data.X.dtype == np.uint8
    assert np.bincount(loaded(datasets.load_mnist17, part="train").y).tolist() == [
        0,
        6742,
        0,
        0,
        0,
        0,
        0,
        6265,
    ]


@pytest.mark.slow
@real_data
def test_mnist17_paper():
    data = loaded(datasets.load_mnist17_paper)
    assert data.y.tolist() == [1] * 4684 + [7] * 4401
    whole = loaded(datasets.load_mnist17, part="all")
    place = {label: row for row, label in enumerate(whole.row_labels.tolist())}
    rows = [place[label] for label in data.row_labels.tolist()]
    assert np.array_equal(data.X, whole.X[rows])
    assert {13334, 40976} <= set(data.row_labels[data.y == 1].tolist())  # two of the paper's pictures


@real_data
def test_iris_pair_equals_scikit_learns():
    data, bunch = datasets.load_iris_pair(), load_iris()
    assert np.array_equal(data.X, bunch.data[50:])
    assert np.array_equal(data.y, np.where(bunch.target[50:] == 1, 1, -1))
    assert data.row_labels.tolist() == list(range(50, 150))


@real_data
def test_spambase():
    data = datasets.load_spambase()
    assert data.X[:, 0].mean() == pytest.approx(0.104553, abs=5e-7)
    assert data.X[:, -3:].mean(axis=0) == pytest.approx([5.191515, 52.172789, 283.289285], abs=5e-7)
    assert data.names[48] == "char_freq_;"
    assert data.names[-1] == "capital_run_length_total"
    assert len(np.unique(np.column_stack([data.X, data.y]), axis=0)) == 4210


@pytest.mark.slow
@real_data
def test_a9a_is_the_derived_file():
    with np.load(datasets.fetch("a9a/a9a_csr.npz")) as derived:
        for part, positives in (("train", 7841), ("test", 3846)):
            data = loaded(datasets.load_a9a, part=part)
            assert np.count_nonzero(data.y == 1) == positives
            assert np.array_equal(data.y, derived[f"{part}_y"])
            assert np.array_equal(data.X.indices, derived[f"{part}_indices"])
            assert np.array_equal(data.X.indptr, derived[f"{part}_indptr"])
            assert (data.X.data == 1).all()


@real_data
def test_enron1_and_newsgroups20():
    enron = loaded(datasets.load_enron1)
    assert enron.y.tolist() == [1] * 1500 + [0] * 3672
    in_mails = np.bincount(enron.X.indices)
    assert in_mails.min() == 2
    assert np.count_nonzero(in_mails >= 5) == 7655
    news = loaded(datasets.load_newsgroups20, part="all")
    assert news.X.nnz == 2_613_729
    assert len(set(news.y.tolist())) == 20
    assert datasets.load_newsgroups20().X.shape[0] == 11_314


@real_data
@pytest.mark.slow
def test_diabetes130_agrees_with_the_original_table():
    whole = datasets.load_diabetes130(part="all")
    header, *rows = [line.split(",") for line in files.read_bytes(TABLE).decode().splitlines()]
    table = dict(zip(header, np.array(rows).T, strict=True))
    assert np.array_equal(whole.y == 1, table["readmitted"] == "<30")
    days = whole.X[:, whole.names.index("time_in_hospital")]
    assert np.array_equal(days, table["time_in_hospital"].astype(int))
    train, test = datasets.load_diabetes130(), datasets.load_diabetes130(part="test")
    child = table["age"] == "[0-10)"
    assert np.count_nonzero(child[train.row_labels]) == 24
    assert np.count_nonzero(train.y[child[train.row_labels]] == 1) == 3
    assert np.flatnonzero(child[test.row_labels])[:6].tolist() == [473, 647, 1037, 1599, 1611, 1742]


@real_data
@pytest.mark.parametrize(("site", "rows"), MICROCREDIT_ROWS.items())
def test_microcredit(site, rows):
    data = datasets.load_microcredit(site=site)
    assert data.X.shape == (rows, 1)
    assert set(data.X[:, 0].tolist()) == {0.0, 1.0}
    assert data.row_labels[-1] == rows - 1


@pytest.mark.parametrize("loader", WITH_PARTS, ids=lambda loader: loader.__name__)
def test_unknown_part(loader):
    with pytest.raises(InvalidArgument, match="part must be 'train' or 'test' or 'all', but it is 'both'"):
        loader(part="both")


def test_unknown_site():
    with pytest.raises(InvalidArgument, match="site must be 'BIH' or .* but it is 'mex'"):
        datasets.load_microcredit(site="mex")
