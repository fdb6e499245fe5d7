"""Progress: every item once, a bar only where somebody looks and tqdm is there."""

import builtins
import io
import sys
from functools import partial
from time import sleep
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from influstat.input import progress as module
from influstat.input.progress import QUICK, Clock, progress


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
    assert list(progress(iter(range(5)), "blocks", total=1000)) == list(range(5))
    assert Bar.calls[1]["total"] == 1000
    list(progress(iter(range(5)), "of unknown length"))
    assert Bar.calls[2]["total"] is None


def test_what_is_quick_shows_nothing_and_what_is_slow_does(monkeypatch):
    tqdm = pytest.importorskip("tqdm")
    monkeypatch.setattr(module, "sys", looked_at(True))
    for pause, shown in ((0.0, False), (0.03, True)):
        screen = io.StringIO()
        monkeypatch.setattr("tqdm.auto.tqdm", partial(tqdm.tqdm, file=screen, mininterval=0.0))
        monkeypatch.setattr(module, "QUICK", 0.1)
        for _ in progress(range(10), "refits"):
            sleep(pause)
        assert ("refits" in screen.getvalue()) == shown


@pytest.mark.usefixtures("terminal")
def test_without_tqdm_it_is_silent(monkeypatch):
    real = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.startswith("tqdm"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert list(progress(range(300), "refits")) == list(range(300))
    assert Bar.calls == []


def test_where_nobody_looks_it_is_silent(monkeypatch):
    monkeypatch.setattr(module, "sys", looked_at(False))
    assert module._bar() is None
    monkeypatch.setattr(module, "sys", looked_at(False, ipykernel=object()))
    pytest.importorskip("tqdm")
    assert module._bar() is not None  # a notebook


# -- seconds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "shown"), [(60.0, "of 60 s, not 3, but 8"), (np.inf, ", not 3, but 8")])
def test_a_clock_shows_the_time_and_what_is_known(monkeypatch, seconds, shown):
    tqdm = pytest.importorskip("tqdm")
    monkeypatch.setattr(module, "sys", looked_at(True))
    monkeypatch.setattr(module, "QUICK", 0.05)
    screen = io.StringIO()
    monkeypatch.setattr("tqdm.auto.tqdm", partial(tqdm.tqdm, file=screen, mininterval=0.0))
    clock = Clock("breakdown of slope", seconds)
    clock.show()
    assert screen.getvalue() == ""
    clock.known = "not 3, but 8"
    sleep(0.1)
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
