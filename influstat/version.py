"""The version, which pyproject.toml states and nothing else does."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def version() -> str:
    """Return the version: that of the source tree this file lies in, or of the installed package."""
    # A source tree speaks first: the metadata in reach may be those of an older copy that is installed too.
    if PYPROJECT.is_file():
        project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == "influstat":
            return str(project["version"])
    return metadata.version("influstat")
