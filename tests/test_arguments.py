"""Every argument of every public callable, replaced by about a hundred values that nobody should pass.

What may come of one is a result, an error of ours or a warning of ours, and where a signature promises a
flag, a text or a number, nothing else is taken for one.
"""

import inspect
import os
import warnings
from functools import cache

import numpy as np
import pytest

import influstat as ist
from influstat import checks, datasets, experiments, plots, strategies
from influstat.errors import DoubtfulResult, InflustatError, MissingDependency
from influstat.statistics.pictures import FitPlots
from tests.argument_calls import calls
from tests.budget import FULL
from tests.odd_values import odd_values

NUMBERS = (int, float, np.number)
PROMISED = {
    "bool": (bool, np.bool_),
    "str": (str,),
    "int": (int, np.integer),
    "float": (int, float, np.integer, np.floating),
}
# A fraction is a real number as good as a float.
REAL = ("Fraction", "Decimal")
# Whose arguments are checked elsewhere, or not by us.
OF_OTHERS = {
    # What users implement, and what implements it.
    "Loss", "DifferencedLoss", "Risk", "Penalty", "Solver", "Curvature",
    "Breakdown", "BreakdownTable", "CrossValidation", "GroupRemoval", "InputScores", "Ranking", "Reach",
    "PartitionedCrossValidation",
    "PredictionIntervals", "Removal", "RemovalReport", "Scores", "Solution", "Suspects",
    "Functional", "LossChanges", "Finding", "Report", "Dataset", "Drawn", "Reproduction", "Split",
    "Agreement",
    "Answer", "Partitions",
}  # fmt: skip


@cache
def table():
    return calls()


def pairs():
    """Return (name of the call, name of the argument) of the whole table."""
    return [(name, argument) for name, (_, arguments) in table().items() for argument in arguments]


def outcome(call, arguments):
    """Return the result or our error, or fail: with a foreign error, or a warning that is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DoubtfulResult)
        warnings.filterwarnings("ignore", "Glyph")  # of a font that lacks a letter of the caller's own text
        try:
            return call(**arguments)
        except InflustatError as error:
            return error


def holds_nan(result):
    """Tell whether a plain result is a number or an array with a nan."""
    if isinstance(result, float):
        return np.isnan(result)
    return isinstance(result, np.ndarray) and result.dtype.kind == "f" and bool(np.isnan(result).any())


def promised(call, argument):
    """Return the types that the signature promises for an argument, None where it takes anything."""
    annotation = str(inspect.signature(call).parameters[argument].annotation)
    optional = annotation.endswith(" | None")
    types = PROMISED.get(annotation.removesuffix(" | None"))
    return None if types is None else (*types, type(None)) if optional else types


def odd_values_of(name, argument):
    """Return all odd values, or of what pictures share those whose turn it is."""
    if argument in OF_ALL_PICTURES and name in PICTURES and not os.environ.get(FULL):
        return odd_values()[PICTURES.index(name) % 8 :: 8]
    return odd_values()


def faults(name, argument, values):
    """Return what went wrong with each of the values."""
    call, arguments = table()[name]
    signature = None if name == "removal.stream" else promised(call, argument)
    found = []
    for value in values:
        what = f"{type(value).__name__} {str(value)[:60]!r}"
        try:
            result = outcome(call, {**arguments, argument: value})
        except Exception as error:  # noqa: BLE001  any foreign error is what is looked for
            found.append(f"{what} raises {type(error).__name__}: {error}")
            continue
        if holds_nan(result) and argument != "theta":  # nan stands for a fit that there is not
            found.append(f"{what} gives nan")
        taken = not isinstance(result, InflustatError)
        wrong = signature is not None and not isinstance(value, signature)
        if taken and wrong and type(value).__name__ not in REAL:
            found.append(f"{what} is taken for {signature}")
        if isinstance(value, (bool, np.bool_)) and taken and signature and bool not in signature:
            found.append(f"{what} is taken for a number")
    return found


@pytest.fixture(autouse=True)
def _files_stay_here(tmp_path, monkeypatch):
    """Odd text for a path is the name of a file in the working folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", table())
def test_the_calls_work(name):
    call, arguments = table()[name]
    result = outcome(call, arguments)
    if isinstance(result, MissingDependency):
        pytest.skip(str(result))
    assert name.startswith("datasets") or not isinstance(result, InflustatError), result


@pytest.mark.dear
@pytest.mark.parametrize("part", range(8))
def test_an_odd_value_of_each_argument(part):
    """Each argument with one of the values, another for each: a slice of the next test."""
    values, found = odd_values(), {}
    for k, (name, argument) in enumerate(pairs()[part::8]):
        found[name, argument] = faults(name, argument, [values[(37 * k + part) % len(values)]])
    assert not any(found.values()), {pair: wrong for pair, wrong in found.items() if wrong}


# What every picture hands to the same checks: each gets an eighth of the values, the next one another eighth.
OF_ALL_PICTURES = {"title", "size", "ax", "names", "row_labels", "unit"}
PICTURES = [name for name in table() if name.startswith(("plots.", "FitPlots.")) or name.endswith(".plot")]


@pytest.mark.slow
@pytest.mark.parametrize("name", table())
def test_every_odd_value_of_each_argument(name):
    found = {argument: faults(name, argument, odd_values_of(name, argument)) for argument in table()[name][1]}
    assert not any(found.values()), {argument: wrong for argument, wrong in found.items() if wrong}


def public_callables():
    """Return the names of what is public and takes arguments."""
    names = []
    for part, module in [("", ist), ("removal.", ist.removal)] + [
        (f"{module.__name__.rpartition('.')[2]}.", module)
        for module in (checks, plots, datasets, experiments, strategies)
    ]:
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.ismodule(value) or not callable(value) or inspect.isclass(value):
                continue
            if inspect.signature(value).parameters and getattr(ist, name, None) in (None, value):
                names.append(name if hasattr(ist, name) and name in ist.__all__ else f"{part}{name}")
    for name in ist.__all__:
        value = getattr(ist, name)
        if inspect.isclass(value) and name not in OF_OTHERS and inspect.signature(value).parameters:
            names.append(name)
    for kind in (ist.Fit, ist.Removal, ist.Influence, ist.Scores, ist.InputScores, ist.Functional, FitPlots):
        for name, method in inspect.getmembers(kind, callable):
            if not name.startswith("_") and len(inspect.signature(method).parameters) > 1:
                names.append(f"{kind.__name__}.{name}")
    return names


# Checked by the experiments' own tests: each call takes minutes.
LONG = {"experiments.digits_split", "experiments.forest_fires_split", "strategies.fits", "strategies.risks"}


def test_every_public_callable_is_in_the_table():
    known = {name for name in public_callables() if "figure" not in name} - LONG
    drawn = {"datasets.first_available", "strategies.targets"}
    assert known - set(table()) - drawn == set()


def test_every_argument_is_in_the_table():
    for name, (call, arguments) in table().items():
        if name == "removal.stream":
            continue
        parameters = inspect.signature(call).parameters.values()
        given = {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        assert given - {"self", "settings"} == set(arguments), name
