"""What all tests share: the hypothesis profile and the folder of real data."""

import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from tests.budget import QUICK

if "PYTEST_XDIST_WORKER" in os.environ:  # a worker a core: more threads would only wait
    os.environ.setdefault("OMP_NUM_THREADS", "1")

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
        settings.register_profile("quick", settings.get_profile(PROFILE), phases=phases)
        settings.load_profile("quick")


def pytest_collection_finish() -> None:
    """Look for garbage less often: every look goes through the thousands of collected items."""
    gc.collect()
    gc.set_threshold(50_000, 20, 100)  # 700, 10, 10 by default; an eighth of the time was spent there


@pytest.fixture
def own_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let budgets of seconds count this test's own work, whatever else the machine does."""
    monkeypatch.setattr("influstat.sets.budget.monotonic", time.thread_time)


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
