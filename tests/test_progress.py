"""Progress: every item once, a bar only where somebody looks and tqdm is there, else a line now and then."""

import builtins
import io
import sys
from functools import partial
from itertools import count
from pathlib import Path
from time import sleep
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from influstat.input import progress as module
from influstat.input.progress import QUICK, Clock, progress

ROOT = Path(module.__file__).parents[2]  # where the kernel starts, so that it finds this source tree


class Bar(list):
    """Stands for tqdm: remembers how it was called."""

    calls: ClassVar[list] = []

    def __init__(self, items, **options):
        super().__init__(items)
        Bar.calls.append(options)


def looked_at(terminal, **modules):
    """Return a stand-in for sys with standard error on a terminal or not."""
    others = {name: part for name, part in sys.modules.items() if name != "ipykernel"}
    return SimpleNamespace(stderr=SimpleNamespace(isatty=lambda: terminal), modules={**others, **modules})


@pytest.fixture
def terminal(monkeypatch):
    pytest.importorskip("tqdm")
    Bar.calls = []
    # Not sys.stderr itself, which pytest exchanges between the fixture and the test.
    monkeypatch.setattr(module, "sys", looked_at(True))
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)


@pytest.mark.parametrize(
    "items", [range(300), list(range(300)), np.arange(300)], ids=["range", "list", "array"]
)
def test_every_item_comes_once_and_in_order(items):
    assert list(progress(items, "refits")) == list(range(300))


@pytest.mark.usefixtures("terminal")
def test_a_bar_on_a_terminal():
    assert list(progress(range(3), "refits")) == list(range(3))
    assert Bar.calls == [{"desc": "refits", "total": 3, "leave": False, "delay": QUICK}]
    list(progress([1], "a single step has no parts to show"))
    assert len(Bar.calls) == 1
    assert list(progress(iter(range(5)), "of unknown length")) == list(range(5))
    assert Bar.calls[1]["total"] is None


def test_what_is_quick_shows_nothing_and_what_is_slow_does(monkeypatch):
    tqdm = pytest.importorskip("tqdm")
    monkeypatch.setattr(module, "sys", looked_at(True))
    for quick, pause, shown in ((60.0, 0.0, False), (0.02, 0.03, True)):
        screen = io.StringIO()
        monkeypatch.setattr("tqdm.auto.tqdm", partial(tqdm.tqdm, file=screen, mininterval=0.0))
        monkeypatch.setattr(module, "QUICK", quick)
        for _ in progress(range(10), "refits"):
            sleep(pause)
        assert ("refits" in screen.getvalue()) == shown


def without_tqdm(monkeypatch):
    real = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.startswith("tqdm"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.usefixtures("terminal")
def test_without_tqdm_there_is_no_bar(monkeypatch):
    without_tqdm(monkeypatch)
    assert module._bar() is None
    assert list(progress(range(300), "refits")) == list(range(300))
    assert Bar.calls == []


def test_who_looks_at_a_bar(monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(module, "sys", looked_at(False))
    assert module._bar() is None  # a log
    monkeypatch.setattr(module, "sys", looked_at(True))
    assert module._bar() is not None
    monkeypatch.setattr(module, "sys", looked_at(False, ipykernel=object()))
    assert module._bar() is not None  # a notebook


@pytest.fixture
def log(monkeypatch):
    """A log as standard error, and a clock that goes on by 20 seconds whenever it is read."""
    written, clock = io.StringIO(), count(0.0, 20.0)
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=written, modules={}))
    monkeypatch.setattr(module, "monotonic", lambda: next(clock))
    return written


def test_a_log_has_a_line_every_half_minute(log):
    assert list(progress(range(5), "refits")) == list(range(5))
    assert log.getvalue().splitlines() == [
        "refits: 1 of 5 (20 %) after 40 s, about 160 s left",
        "refits: 3 of 5 (60 %) after 80 s, about 53 s left",
    ]


def test_a_log_of_a_loop_of_unknown_length(log):
    assert list(progress(iter(range(3)), "blocks")) == [0, 1, 2]
    assert log.getvalue() == "blocks: 1 after 40 s\n"


def test_a_terminal_without_tqdm_has_the_lines_too(log, monkeypatch):
    without_tqdm(monkeypatch)
    monkeypatch.setattr(log, "isatty", lambda: True)
    list(progress(range(2), "refits"))
    assert log.getvalue() == "refits: 1 of 2 (50 %) after 40 s, about 40 s left\n"


def test_a_quick_loop_leaves_no_line_in_a_log(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=written, modules={}))
    list(progress(range(1000), "refits"))
    assert written.getvalue() == ""


def test_without_a_standard_error_it_is_silent(monkeypatch):
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=None, modules={}))
    assert list(progress(range(3), "refits")) == [0, 1, 2]


@pytest.mark.slow
def test_a_notebook_has_a_bar_made_of_widgets_and_no_text():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    for package in ("ipywidgets", "tqdm", "ipykernel"):
        pytest.importorskip(package)
    source = (
        "import warnings; warnings.simplefilter('error')\n"
        "from time import sleep\n"
        "from influstat.input.progress import progress\n"
        "print(sum(sleep(0.4) or k for k in progress(range(4), 'refits')))"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = notebook.cells[0].outputs
    assert [output["text"] for output in outputs if output["output_type"] == "stream"] == ["6\n"]
    (bar,) = [output for output in outputs if output["output_type"] == "display_data"]
    assert "application/vnd.jupyter.widget-view+json" in bar["data"]


# -- seconds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "shown"), [(60.0, "of 60 s, not 3, but 8"), (np.inf, ", not 3, but 8")])
def test_a_clock_shows_the_time_and_what_is_known(monkeypatch, seconds, shown):
    tqdm = pytest.importorskip("tqdm")
    monkeypatch.setattr(module, "sys", looked_at(True))
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    screen = io.StringIO()
    monkeypatch.setattr("tqdm.auto.tqdm", partial(tqdm.tqdm, file=screen, mininterval=0.0))
    clock = Clock("breakdown of slope", seconds)
    clock.show()
    assert screen.getvalue() == ""
    clock.known = "not 3, but 8"
    now[0] += 1.5 * QUICK
    clock.show()
    assert "breakdown of slope" in screen.getvalue()
    assert shown in screen.getvalue()
    clock.started -= 1e6  # long after the time is over
    clock.show()
    assert "100%" in screen.getvalue() or seconds == np.inf
    clock.close()


@pytest.mark.usefixtures("terminal")
def test_a_clock_of_little_time_shows_nothing():
    clock = Clock("breakdown", QUICK)
    clock.show()
    clock.close()
    assert Bar.calls == []


@pytest.mark.parametrize(("seconds", "of"), [(90.0, " of 90 s"), (np.inf, " s")])
def test_a_clock_writes_a_line_every_half_minute_to_a_log(log, seconds, of):
    clock = Clock("breakdown of slope", seconds)
    clock.known = "not 3, but 8"
    for _ in range(4):
        clock.show()
    clock.close()
    lines = [f"breakdown of slope: {k}{of}, not 3, but 8" for k in (40, 80)]
    assert log.getvalue().splitlines() == lines


def test_a_clock_without_a_standard_error_is_silent(monkeypatch):
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=None, modules={}))
    clock = Clock("breakdown", 60.0)
    clock.show()
    clock.close()
