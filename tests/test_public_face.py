"""What `import influstat as ist` shows: its version, its names at the prompt, its parts on demand."""

import re
import rlcompleter
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import influstat as ist
from influstat import __main__ as command
from influstat import version
from tests.fresh import modules
from tests.test_package import HEAVY

ROOT = Path(ist.__file__).parents[1]
ON_DEMAND = {"datasets", "experiments", "plots", "strategies"}


def test_the_version_is_that_of_pyproject(capsys):
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert ist.__version__ == stated
    with pytest.raises(SystemExit) as stop:
        command.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"influstat {stated}\n"


def test_the_readme_cites_this_version_and_this_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entry = (ROOT / "README.md").read_text(encoding="utf-8").partition("@software{influstat,")[2]
    fields = dict(re.findall(r"(\w+) += \{(.*)\}", entry.partition("@inproceedings")[0]))
    assert fields["license"] == project["license"]
    assert fields["author"] == f"{{{project['authors'][0]['name']}}}"
    assert fields["title"].lower() == f"influstat: {project['description']}".lower()
    assert project["urls"]["Paper"] in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_version_of_an_installed_copy_is_that_of_its_metadata(monkeypatch, tmp_path):
    monkeypatch.setattr(metadata, "version", lambda name: f"2.0 of {name}")
    for other in (None, "[tool.ruff]\n", '[project]\nname = "other"\nversion = "9.9"\n'):
        if other is not None:  # the pyproject.toml of another project, in whose folder the copy lies
            (tmp_path / "pyproject.toml").write_text(other, encoding="utf-8")
        monkeypatch.setattr(version, "PYPROJECT", tmp_path / "pyproject.toml")
        assert version.version() == "2.0 of influstat"


def test_dir_shows_what_users_look_for_and_no_inner_modules():
    shown = {name for name in dir(ist) if not name.startswith("__")}
    assert shown == set(ist.__all__) | ON_DEMAND
    assert {"__version__", "__doc__", "__all__"} <= set(dir(ist))


def test_completion_at_the_prompt():
    completer = rlcompleter.Completer({"ist": ist})
    completer.complete("ist.", 0)
    assert {match.rstrip("()") for match in completer.matches} == {
        f"ist.{name}" for name in dir(ist) if not name.startswith("_")
    }


def test_importing_influstat_loads_numpy_and_scipy_only():
    loaded = modules()["influstat"]
    assert not set(HEAVY) & loaded
    assert "numpy" in loaded


def test_matplotlib_is_loaded_only_when_something_is_drawn():
    assert "matplotlib" not in modules()["fit"]
    assert {"influstat.plots", "influstat.experiments"} <= modules()["experiments"]
    assert "matplotlib" not in modules()["experiments"]


def test_adapters_load_the_libraries_that_they_read_only_when_asked():
    assert not {"statsmodels", "pandas"} & modules()["adapters"]
    assert "sklearn" not in modules()["from_sklearn"]


def test_parts_are_loaded_when_they_are_asked_for():
    early = modules()["influstat"]
    assert not {f"influstat.{name}" for name in ON_DEMAND} & early
    assert not {"tomllib", "matplotlib", "hypothesis"} & early
    for name in ON_DEMAND:
        assert f"influstat.{name}" in modules()[name]
    assert "matplotlib" not in modules()["strategies"]


def test_a_name_that_does_not_exist_is_refused():
    with pytest.raises(AttributeError, match="module 'influstat' has no attribute 'plot'"):
        _ = ist.plot


def test_without_hypothesis_strategies_are_not_offered(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("influstat.strategies")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(ist, "strategies", raising=False)
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    assert "strategies" not in dir(ist)
    assert "plots" in dir(ist)
    with pytest.raises(ist.errors.MissingDependency, match=r"pip install 'influstat\[test\]'"):
        _ = ist.strategies
