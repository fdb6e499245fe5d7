"""What may stand for a risk, a loss or a solver: whatever offers the parts, forwarding wrappers too."""

import numpy as np
import pytest
from hypothesis import Phase, find, settings

import influstat as ist
from influstat import checks, strategies
from influstat.errors import InvalidType
from influstat.input.settings import missing_parts, parts_of

ONE = settings(max_examples=1, database=None, phases=[Phase.generate])
X, Y = [[1.0, 0.2], [0.5, -1.0], [-0.3, 0.4], [0.9, 1.1]], [1.0, 3.0, 2.0, 0.5]


class Forwarding:
    """A timing or caching wrapper: it passes on whatever it does not do itself."""

    def __init__(self, inner, without=()):
        self.inner, self.without = inner, without

    def __getattr__(self, name):
        if name in ("inner", "without") or name in self.without:
            raise AttributeError(name)
        return getattr(self.inner, name)


def risk():
    return ist.LinearRisk(ist.SquaredError(), X, Y, penalty=ist.L2(1.0))


def drawn(loss):
    """Draw one risk with this loss."""
    return find(strategies.risks(loss=loss), lambda risk: True, settings=ONE)


# Who asks for a part, the protocol, one that has all of them, and what must not be given in its place.
ASKED = {
    "Fit": (ist.Fit.minimise, ist.Risk, risk),
    "Fit of theta": (lambda given: ist.Fit(given, np.zeros(2), tolerance=10.0), ist.Risk, risk),
    "check_risk": (checks.check_risk, ist.Risk, risk),
    "LinearRisk": (lambda given: ist.LinearRisk(given, X, Y), ist.Loss, ist.SquaredError),
    "strategies.risks": (
        lambda given: find(strategies.risks(loss=given), lambda drawn: True, settings=ONE),
        ist.Loss,
        ist.SquaredError,
    ),
    "influence": (lambda given: ist.Fit.minimise(risk()).influence(solver=given), ist.Solver, ist.Cholesky),
    "check_solver": (checks.check_solver, ist.Solver, ist.Cholesky),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_wrapper_that_forwards_is_taken(name):
    ask, protocol, make = ASKED[name]
    assert missing_parts(Forwarding(make()), protocol) == []
    ask(Forwarding(make()))


@pytest.mark.parametrize("name", ASKED)
def test_each_part_that_is_missing_is_named(name):
    ask, protocol, make = ASKED[name]
    for part in parts_of(protocol):
        with pytest.raises(InvalidType, match=rf"is a Forwarding without {part}\. Add what is missing: help"):
            ask(Forwarding(make(), without=(part,)))
    with pytest.raises(InvalidType, match=r"is a type, .* itself\. Pass an instance, e\.g\. ist\."):
        ask(type(make()))
    with pytest.raises(InvalidType, match=r"is 'name', which has none of its parts\. Pass an instance"):
        ask("name")


@pytest.mark.parametrize("protocol", [ist.Risk, ist.Loss, ist.Solver])
def test_what_is_inherited_from_the_protocol_itself_is_missing(protocol):
    first, *others = parts_of(protocol)
    own = type("Own", (protocol,), {first: 1.0})()
    assert missing_parts(own, protocol) == others


def test_a_subclass_of_the_protocol_is_told_what_it_has_not_written():
    class Quartic(ist.Loss):
        def value(self, y, eta):
            return (y - eta) ** 4

    with pytest.raises(InvalidType, match="is a Quartic without self_concordance, check_targets, first, "):
        ist.LinearRisk(Quartic(), X, Y)
    with pytest.raises(InvalidType, match="has no first, second, third, check_targets"):
        checks.check_loss(Quartic())


def test_parts_are_attributes_and_methods_without_python_s_own():
    assert parts_of(ist.Solver) == ("damping", "prepare", "solve")
    assert {"shape", "weights", "value", "row_gradients"} <= set(parts_of(ist.Risk))
    assert not [name for protocol in (ist.Risk, ist.Loss) for name in parts_of(protocol) if name[0] == "_"]


@pytest.mark.parametrize("make", [risk, ist.SquaredError, ist.Cholesky])
def test_laws_take_a_wrapper_and_name_what_it_lacks(make):
    assert checks.laws(Forwarding(make())).pytestmark == checks.laws(make()).pytestmark
    with pytest.raises(
        InvalidType, match=r"subject must be a loss, .* is a Forwarding without \w+\. Add what"
    ):
        checks.laws(Forwarding(make(), without=("value", "prepare")))
