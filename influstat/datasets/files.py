"""Where the experiments' data files come from: the folder INFLUSTAT_DATA, or a download.

No data is shipped with the package. With the environment variable INFLUSTAT_DATA set, its folder
must hold the files under the names of `FILES` and nothing is ever downloaded; otherwise pooch
downloads the originals into its cache. Either way a file is used only if its SHA-256 matches.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from influstat.datasets.registry import FILES, DataFile
from influstat.errors import DatasetError, InvalidArgument, MissingDependency
from influstat.input.settings import text

FOLDER_VARIABLE = "INFLUSTAT_DATA"


def available() -> tuple[str, ...]:
    """Return the names of the files that `fetch` knows, sorted, relative to the folder INFLUSTAT_DATA.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from influstat import datasets
    >>> [name for name in datasets.available() if name.startswith("iris")]
    ['iris/iris.data']
    """
    return tuple(sorted(FILES))


def fetch(name: str) -> Path:
    """Return the local path of one data file, its checksum verified.

    Parameters
    ----------
    name : str
        One of `available()`.

    Returns
    -------
    Path
        The file in the folder INFLUSTAT_DATA; without that variable the downloaded original, which
        for a9a and diabetes130 is the uncompressed file (`read_bytes` hides the difference).

    Raises
    ------
    InvalidArgument
        `name` is not in the registry.
    DatasetError
        The file is missing, fails its checksum, cannot be downloaded, or was never published.
    MissingDependency
        A download is needed and pooch is not installed.

    Examples
    --------
    >>> from influstat import datasets
    >>> datasets.fetch("iris.csv")
    Traceback (most recent call last):
    ...
    influstat.errors.InvalidArgument: name must be one of available(), but it is 'iris.csv'. ...
    """
    if text("name", name) not in FILES:
        remedy = f"The files are {', '.join(available())}."
        raise InvalidArgument("name", "be one of available()", f"is {name!r}", remedy)
    folder = os.environ.get(FOLDER_VARIABLE)
    return _from_folder(name, Path(folder).expanduser()) if folder else _from_download(name)


def read_bytes(name: str) -> bytes:
    """Return the verified content of one data file, gunzipped if it is compressed.

    Returns
    -------
    bytes
        The same whether it was downloaded or read from a folder; names and errors are those of `fetch`.

    Examples
    --------
    >>> from influstat.datasets.files import read_bytes
    >>> read_bytes("iris/iris.data")[:15]  # doctest: +SKIP
    b'5.1,3.5,1.4,0.2'
    """
    content = fetch(name).read_bytes()
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def _from_folder(name: str, folder: Path) -> Path:
    if not folder.is_dir():
        raise DatasetError(
            f"{FOLDER_VARIABLE} must name a folder, but {folder} is not one. "
            "Correct it, or unset it to download the files."
        )
    path = folder / name
    if not path.is_file():
        remedy = f", or unset {FOLDER_VARIABLE} to download it" if FILES[name].url else ""
        raise DatasetError(
            f"{name} must be in the folder {folder} ({FOLDER_VARIABLE}), but it is missing. "
            f"Copy it there{remedy}."
        )
    _verify(path, FILES[name].sha256)
    return path


def _from_download(name: str) -> Path:
    file = FILES[name]
    if not file.url:
        raise DatasetError(
            f"{name} was derived from published data and has no download address of its own, "
            f"but {FOLDER_VARIABLE} is not set. Set it to a folder that holds {name}."
        )
    pooch = _import_pooch(name)
    local_name = f"{Path(name).parent.as_posix()}/{file.url.rpartition('/')[2]}"
    checksum = None if file.member else f"sha256:{file.download_sha256}"  # of the zip: unknown
    known, urls = {local_name: checksum}, {local_name: file.url}
    registry = pooch.create(pooch.os_cache("influstat"), base_url="", registry=known, urls=urls)
    with _kept_only_if_right(Path(registry.abspath) / local_name):
        try:
            if not file.member:
                return Path(registry.fetch(local_name))
            extracted = registry.fetch(local_name, processor=pooch.Unzip())
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise DatasetError(
                f"{name} could not be downloaded from {file.url}: {error}. Try again later, or set "
                f"{FOLDER_VARIABLE} to a folder that holds {name}."
            ) from error
        return _member(file, [Path(path) for path in extracted], name)


@contextmanager
def _kept_only_if_right(archive: Path) -> Iterator[None]:
    """Delete a download that was not right, so that the next call tries again."""
    # Of a zip no checksum is known: pooch keeps any page, for instance one that asks for a login.
    try:
        yield
    except DatasetError:
        archive.unlink(missing_ok=True)
        shutil.rmtree(archive.with_name(f"{archive.name}.unzip"), ignore_errors=True)
        raise


def _member(file: DataFile, extracted: list[Path], name: str) -> Path:
    """Return the file wanted of those extracted, verified."""
    matches = [path for path in extracted if path.name == file.member]
    if not matches:
        raise DatasetError(
            f"The archive {file.url} must contain {file.member}, but it does not. "
            f"Set {FOLDER_VARIABLE} to a folder that holds {name}."
        )
    _verify(matches[0], file.download_sha256)
    return matches[0]


def _import_pooch(name: str) -> Any:
    try:
        import pooch
    except ImportError:
        raise MissingDependency(
            f"Downloading {name} needs the package pooch, which is not installed. Install it with "
            f"`pip install 'influstat[experiments]'`, or set {FOLDER_VARIABLE} to a folder that holds {name}."
        ) from None
    return pooch


def _verify(path: Path, expected: str) -> None:
    status = path.stat()
    found = _sha256(path, (status.st_size, status.st_mtime_ns))
    if found != expected:
        raise DatasetError(
            f"{path} must have the SHA-256 {expected}, but it has {found}. "
            "It is damaged or another version: delete it and fetch it again."
        )


@cache
def _sha256(path: Path, size_and_time: tuple[int, int]) -> str:
    """Return the checksum of a file, computed once per process unless its size or time changes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
