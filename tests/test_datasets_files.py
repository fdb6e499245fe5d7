"""Every way a data file can be found, missing, damaged or downloaded."""

import functools
import hashlib
import http.server
import sys
import threading
import zipfile

import pytest

from influstat import datasets
from influstat.datasets import files
from influstat.datasets.registry import FILES, DataFile
from influstat.errors import DatasetError, InvalidArgument, MissingDependency

DERIVED = [name for name, file in FILES.items() if not file.url]
IRIS = b"5.1,3.5,1.4,0.2,Iris-setosa\n7.0,3.2,4.7,1.4,Iris-versicolor\n6.3,3.3,6.0,2.5,Iris-virginica\n\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def small_iris(tmp_path, monkeypatch):
    """A folder INFLUSTAT_DATA that holds an iris file of three rows, registered as the right one."""
    path = tmp_path / "iris" / "iris.data"
    path.parent.mkdir()
    path.write_bytes(IRIS)
    monkeypatch.setitem(
        FILES, "iris/iris.data", DataFile(sha256(IRIS), FILES["iris/iris.data"].url, "iris.data")
    )
    monkeypatch.setenv("INFLUSTAT_DATA", str(tmp_path))
    return path


@pytest.fixture
def no_pooch(monkeypatch):
    """Make `import pooch` fail: nothing can be downloaded."""
    monkeypatch.setitem(sys.modules, "pooch", None)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder served on this machine, its address, an empty download cache, no INFLUSTAT_DATA."""
    pooch = pytest.importorskip("pooch")
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.delenv("INFLUSTAT_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *args: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


# The folder INFLUSTAT_DATA


def test_unknown_file():
    with pytest.raises(InvalidArgument, match=r"name must be one of available\(\), but it is 'iris'"):
        datasets.fetch("iris")


def test_registry_is_the_recorded_list_of_checksums(data_dir):
    recorded = dict(line.split()[::-1] for line in (data_dir / "SHA256SUMS").read_text().splitlines())
    registered = {name: FILES[name].sha256 for name in datasets.available()}
    assert registered.pop("mnist/paper_rows.json")  # came later than the list
    assert registered == recorded


@pytest.mark.parametrize("name", datasets.available())
def test_every_file_passes_its_checksum(name, data_dir):
    assert datasets.fetch(name) == data_dir / name
    if FILES[name].original_sha256:
        assert sha256(files.read_bytes(name)) == FILES[name].original_sha256


@pytest.mark.usefixtures("small_iris", "no_pooch")
def test_a_folder_needs_no_download():
    data = datasets.load_iris_pair()
    assert data.X.tolist() == [[7.0, 3.2, 4.7, 1.4], [6.3, 3.3, 6.0, 2.5]]
    assert data.y.tolist() == [1, -1]
    assert data.row_labels.tolist() == [1, 2]


@pytest.mark.usefixtures("no_pooch")
def test_a_missing_file_is_not_downloaded_instead(small_iris):
    small_iris.unlink()
    sentence = (
        r"iris/iris.data must be in the folder .* \(INFLUSTAT_DATA\), but it is missing. "
        "Copy it there, or unset INFLUSTAT_DATA to download it."
    )
    with pytest.raises(DatasetError, match=sentence) as caught:
        datasets.load_iris_pair()
    assert str(small_iris.parent.parent) in str(caught.value)


@pytest.mark.usefixtures("small_iris")
@pytest.mark.parametrize("name", DERIVED)
def test_a_missing_derived_file_does_not_promise_a_download(name):
    with pytest.raises(DatasetError, match=r"but it is missing. Copy it there\.$"):
        datasets.fetch(name)


def test_a_file_damaged_after_it_was_read_is_noticed(small_iris):
    datasets.fetch("iris/iris.data")
    small_iris.write_bytes(IRIS + b"\n")
    with pytest.raises(DatasetError, match=f"must have the SHA-256 {sha256(IRIS)}, but it has .* damaged"):
        datasets.fetch("iris/iris.data")


@pytest.mark.usefixtures("small_iris")
def test_the_checksum_is_computed_once(monkeypatch):
    datasets.fetch("iris/iris.data")
    monkeypatch.setattr(files.hashlib, "file_digest", None)
    datasets.fetch("iris/iris.data")


def test_the_folder_may_start_at_home(small_iris, monkeypatch):
    monkeypatch.setenv("HOME", str(small_iris.parents[2]))
    monkeypatch.setenv("USERPROFILE", str(small_iris.parents[2]))  # Windows
    monkeypatch.setenv("INFLUSTAT_DATA", f"~/{small_iris.parents[1].name}")
    assert datasets.fetch("iris/iris.data") == small_iris


def test_the_variable_must_name_a_folder(small_iris, monkeypatch):
    monkeypatch.setenv("INFLUSTAT_DATA", str(small_iris))
    with pytest.raises(DatasetError, match="INFLUSTAT_DATA must name a folder, but .* is not one"):
        datasets.load_iris_pair()


# Downloads, from a server on this machine


@pytest.mark.usefixtures("no_pooch")
def test_without_folder_and_pooch(monkeypatch):
    monkeypatch.delenv("INFLUSTAT_DATA", raising=False)
    sentence = (
        r"iris/iris.data needs the package pooch.*pip install 'influstat\[experiments\]'.*INFLUSTAT_DATA"
    )
    with pytest.raises(MissingDependency, match=sentence):
        datasets.load_iris_pair()


@pytest.mark.usefixtures("no_pooch")
@pytest.mark.parametrize("name", DERIVED)
def test_derived_files_come_only_from_the_folder(name, monkeypatch):
    monkeypatch.setenv("INFLUSTAT_DATA", "")  # empty counts as unset
    with pytest.raises(DatasetError, match="no download address of its own.*Set it to a folder"):
        datasets.fetch(name)


def serve_zip(served, monkeypatch, members, *, sha):
    folder, address = served
    with zipfile.ZipFile(folder / "iris.zip", "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    monkeypatch.setitem(FILES, "iris/iris.data", DataFile(sha, f"{address}/iris.zip", "iris.data"))


def test_download_of_a_zip(served, monkeypatch):
    serve_zip(served, monkeypatch, {"Index": b"", "sub/iris.data": IRIS}, sha=sha256(IRIS))
    assert datasets.load_iris_pair().y.tolist() == [1, -1]
    (served[0] / "iris.zip").unlink()
    assert datasets.load_iris_pair().y.tolist() == [1, -1]  # from the cache


def test_download_of_a_zip_with_other_content(served, monkeypatch):
    serve_zip(served, monkeypatch, {"iris.data": IRIS}, sha="0" * 64)
    with pytest.raises(DatasetError, match=r"iris.data must have the SHA-256 0{64}, but it has"):
        datasets.load_iris_pair()


def test_download_of_a_zip_without_the_member(served, monkeypatch):
    serve_zip(served, monkeypatch, {"other": IRIS}, sha=sha256(IRIS))
    with pytest.raises(DatasetError, match=r"iris.zip must contain iris.data, but it does not"):
        datasets.load_iris_pair()


def test_download_that_is_not_a_zip(served, monkeypatch):
    folder, address = served
    (folder / "iris.zip").write_bytes(b"<html>moved</html>")
    monkeypatch.setitem(FILES, "iris/iris.data", DataFile("0" * 64, f"{address}/iris.zip", "iris.data"))
    with pytest.raises(DatasetError, match="iris/iris.data could not be downloaded from"):
        datasets.load_iris_pair()


@pytest.mark.parametrize("page", ["a page", "another zip", "another file"])
def test_a_wrong_page_is_not_kept_for_ever(page, served, monkeypatch):
    if page == "a page":  # of a network that asks for a login first
        (served[0] / "iris.zip").write_bytes(b"<html>log in</html>")
        monkeypatch.setitem(FILES, "iris/iris.data", DataFile("0" * 64, f"{served[1]}/iris.zip", "iris.data"))
    else:
        members = {"other": IRIS} if page == "another zip" else {"iris.data": b"5.1,Iris-setosa\n"}
        serve_zip(served, monkeypatch, members, sha=sha256(IRIS))
    with pytest.raises(DatasetError):
        datasets.load_iris_pair()
    serve_zip(served, monkeypatch, {"iris.data": IRIS}, sha=sha256(IRIS))
    assert datasets.load_iris_pair().y.tolist() == [1, -1]


def test_download_of_an_uncompressed_original(served, monkeypatch):
    folder, address = served
    content = b"-1 3:1 11:1 \n+1 123:1 \n"
    (folder / "a9a").write_bytes(content)
    file = DataFile("0" * 64, f"{address}/a9a", original_sha256=sha256(content))
    monkeypatch.setitem(FILES, "a9a/a9a.gz", file)
    data = datasets.load_a9a()
    assert data.y.tolist() == [-1, 1]
    assert data.X.indices.tolist() == [2, 10, 122]


@pytest.mark.parametrize("content", [None, b"other"])
def test_download_that_is_missing_or_other(content, served, monkeypatch):
    folder, address = served
    if content:
        (folder / "a9a").write_bytes(content)
    monkeypatch.setitem(FILES, "a9a/a9a.gz", DataFile("0" * 64, f"{address}/a9a"))
    with pytest.raises(DatasetError, match="a9a/a9a.gz could not be downloaded from .*INFLUSTAT_DATA"):
        datasets.load_a9a()


@pytest.mark.parametrize("name", [name for name in FILES if name not in DERIVED])
def test_addresses_are_absolute_and_secure(name):
    assert FILES[name].url.startswith("https://")
    assert FILES[name].url.endswith(".zip") == bool(FILES[name].member)
