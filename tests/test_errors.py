"""One tree of errors, one form of sentence."""

import copy
import inspect
import pickle

import pytest

from influstat import errors

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if not kind.__name__.startswith("_")]
ERRORS = [kind for kind in KINDS if not issubclass(kind, Warning)]
ABOUT_ARGUMENTS = [kind for kind in ERRORS if issubclass(kind, errors._ArgumentError)]
PARTS = ("lam", "be at least 0", "is -1", "Pass lam=0 for none.")


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_is_ours_and_also_the_one_python_would_raise(kind):
    assert issubclass(kind, errors.InflustatError)
    if kind is not errors.InflustatError:
        assert issubclass(kind, (ValueError, TypeError, ImportError, OSError))


def test_a_wrong_type_is_a_type_error_and_the_rest_are_not():
    assert [kind for kind in ERRORS if issubclass(kind, TypeError)] == [errors.InvalidType]
    assert [kind for kind in ERRORS if issubclass(kind, ImportError)] == [errors.MissingDependency]


def test_only_doubts_are_warnings():
    assert [kind for kind in KINDS if issubclass(kind, Warning)] == [errors.DoubtfulResult]
    assert issubclass(errors.DoubtfulResult, UserWarning)


def test_the_errors_about_arguments():
    assert {kind.__name__ for kind in ABOUT_ARGUMENTS} == {
        "InvalidArgument",
        "InvalidType",
        "Unsupported",
        "NotStationary",
        "OutsideDomain",
    }


@pytest.mark.parametrize("kind", ABOUT_ARGUMENTS)
def test_the_sentence_says_argument_need_value_and_remedy(kind):
    error = kind(*PARTS)
    assert str(error) == "lam must be at least 0, but it is -1. Pass lam=0 for none."
    assert (error.argument, error.need, error.value, error.remedy) == PARTS


@pytest.mark.parametrize("copied", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("kind", ERRORS)
def test_errors_travel_between_processes(kind, copied):
    error = kind(*PARTS) if kind in ABOUT_ARGUMENTS else kind("The Hessian is singular.")
    again = copied(error)
    assert type(again) is kind
    assert str(again) == str(error)
    assert vars(again) == vars(error)
