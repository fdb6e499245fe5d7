"""What all tests share: the hypothesis profile and the folder of real data."""

import gc
import itertools
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.budget import QUICK, halved, in_turns, share, spanning, thinned

os.environ.setdefault("OMP_NUM_THREADS", "1")  # problems of so few rows: more threads would only wait

IN_CI = bool(os.environ.get("CI"))

settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("dev", deadline=None)
PROFILE = "ci" if IN_CI else "dev"
settings.load_profile(PROFILE)


def pytest_configure(config: pytest.Config) -> None:
    """Try every law less often where slow tests are left out, and do not vary what fails to explain it."""
    if "not slow" in (config.getoption("markexpr") or ""):
        os.environ[QUICK] = "1"
        phases = [phase for phase in Phase if phase is not Phase.explain]
        fewer = share(100, 12)  # of hypothesis' own number, where a law names none: its draws are cheap
        settings.register_profile("quick", settings.get_profile(PROFILE), phases=phases, max_examples=fewer)
        settings.load_profile("quick")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Look for no examples in the docstrings of tests: there are none, and the look takes half a second."""
    found = yield
    return [one for one in found if type(one).__name__ != "DoctestModule"]


def pytest_collection() -> None:
    """Look for no garbage while tests are collected."""
    gc.disable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out cases of tables where slow tests are left out, but no law (see `tests.budget`).

    Of crossed tables there are combinations that hold every entry, laws of one file about the same table take
    turns at its entries, and of these each tries half. Of tables in which every entry takes long (marked
    dear) a quarter is tried, or the part that the mark names.
    """
    if not os.environ.get(QUICK):
        return
    crossed: dict[str, list[pytest.Function]] = {}
    for item in items:
        if (
            isinstance(item, pytest.Function)
            and hasattr(item, "callspec")
            and not item.get_closest_marker("slow")
        ):
            crossed.setdefault(item.nodeid.split("[")[0], []).append(item)
    same_table: dict[tuple[Any, ...], list[list[pytest.Function]]] = {}
    kept: set[pytest.Item] = set()
    for group in crossed.values():
        some = [group[k] for k in spanning([_entries(item) for item in group])]
        if dear := group[0].get_closest_marker("dear"):
            kept.update(thinned(some, *dear.args))
        else:
            same_table.setdefault((group[0].path, frozenset(map(_entries, some))), []).append(some)
    turns = [law for laws in same_table.values() for law in in_turns(laws)]
    kept.update(item for k, law in enumerate(turns) for item in halved(law, k))
    left_out = {item for group in crossed.values() for item in group if item not in kept}
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


def _entries(item: pytest.Function) -> tuple[tuple[int, ...], ...]:
    """Return which entry a test has of each of the tables that are crossed: of parametrize, of fixtures."""
    left = dict(item.callspec.params)
    tables = []
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs["argnames"]
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
        tables.append(tuple(id(left.pop(name)) for name in names))
    return (*tables, *((id(value),) for value in left.values()))


def pytest_collection_finish() -> None:
    """Look for garbage less often from now on, and let budgets count steps instead of seconds.

    The thousands of collected items are no garbage; but hypothesis looks among references for what draws at
    random, so that gc.freeze may not hide them. A second of a budget is a thousand looks at its clock, of
    which each step of a search or proof has one: no set and no bound depends on how fast a machine is.
    """
    gc.enable()
    gc.set_threshold(50_000, 20, 100)  # 700, 10, 10 by default; an eighth of the time was spent there
    from influstat.sets import budget

    looks = itertools.count()
    budget.monotonic = lambda: 1e-3 * next(looks)


@pytest.fixture
def mostly_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave little of a budget to proofs: their steps in large tables take a hundred of the search's."""
    for room in ("breakdown", "significance.answer"):
        monkeypatch.setattr(f"influstat.sets.{room}.SEARCHING", 0.9)


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    """Leave no figure open to the next test of the process, where a change of backend would warn of it."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder INFLUSTAT_DATA; skip the test where it is unset.

    Tests that load real data without needing the path are marked
    ``@pytest.mark.usefixtures("data_dir")``.
    """
    folder = os.environ.get("INFLUSTAT_DATA")
    if folder:
        return Path(folder).expanduser()
    pytest.skip("needs real data: set INFLUSTAT_DATA to the folder of data files")
