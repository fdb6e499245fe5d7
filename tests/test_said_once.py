"""A doubt about a fit is said once for each fit and text, at the caller's line, and never lost on the way."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.errors import DoubtfulResult

X = np.column_stack([np.ones(12), np.arange(12.0) % 5.0, np.arange(12) == 3])  # row 3 has leverage 1
Y = np.array([1.0, 0.0, 2.0, 4.0, 3.0, 1.0, 2.0, 2.0, 5.0, 3.0, 1.0, 0.0])


def of_leverage_1():
    return ist.from_statsmodels(sm.OLS(Y, X).fit())


def of_poisson():
    return ist.from_statsmodels(sm.Poisson(Y, X[:, :2]).fit(disp=0, cov_type="HC1"))


def of_a_perfect_fit():
    return ist.from_statsmodels(sm.OLS(2.0 * X[:, 1] + 1.0, X[:, :2]).fit())


QUESTIONS = {
    "a perfect fit": (of_a_perfect_fit, lambda fit: [fit.diagnostics(), fit.plot.indices()]),
    "diagnostics": (of_leverage_1, lambda fit: fit.diagnostics()),
    "covariance": (of_leverage_1, lambda fit: fit.covariance("HC3")),
    "leave_one_out": (of_leverage_1, lambda fit: fit.leave_one_out()),
    "inference without": (of_leverage_1, lambda fit: fit.inference().leave_one_out()),
    "plot": (of_leverage_1, lambda fit: fit.plot.bubble()),
    "stated doubt": (of_poisson, lambda fit: fit.inference()),
    "report": (of_poisson, lambda fit: fit.report(1)),
}


def heard(ask, fit):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ask(fit)
    return [one for one in said if issubclass(one.category, DoubtfulResult)]


@pytest.mark.dear
@pytest.mark.parametrize("name", QUESTIONS)
def test_once_for_each_fit(name):
    make, ask = QUESTIONS[name]
    fit = make()
    first = heard(ask, fit)
    assert len({str(one.message) for one in first}) == len(first) > 0
    assert {one.filename for one in first} == {__file__}
    assert not heard(ask, fit)
    assert len(heard(ask, make())) == len(first)  # another fit has its own


def test_another_text_is_said_too():
    fit = of_leverage_1()
    assert heard(lambda fit: fit.covariance("HC2"), fit)
    assert heard(lambda fit: fit.covariance("HC3"), fit)
    for method in ("exact", "newton"):
        assert heard(lambda fit, method=method: fit.leave_one_out(method=method), fit)


def test_what_the_package_keeps_to_itself_is_said_where_it_is_asked():
    fit = of_leverage_1()
    repr(fit.influence())
    fit.summary()
    assert heard(lambda fit: fit.diagnostics(), fit)
    noted = of_poisson()
    first, again = str(noted.summary()), str(noted.summary())
    assert first == again  # a note stays a note
    assert "under which statsmodels computes HC0" in " ".join(first.split())
    assert heard(lambda fit: fit.inference(), noted)


def test_a_doubt_that_is_an_error_stays_one():
    fit = of_poisson()
    for _ in range(2):
        with pytest.raises(DoubtfulResult, match="HC0"):
            fit.inference()


def test_a_doubt_that_the_caller_ignores_is_not_taken_for_said():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=12), np.arange(12) == 3])
    fit = ist.Ridge(lam=0.0).fit(X, rng.normal(size=12))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit.diagnostics()
    with pytest.warns(DoubtfulResult):
        fit.diagnostics()
    copied = pickle.loads(pickle.dumps(fit))
    with pytest.warns(DoubtfulResult):  # what was said of one fit was not said of its copy
        copied.diagnostics()
