"""Results that are used as DataFrames: what they leave out of one, and how rankings say their order."""

import importlib.util
import pickle

import numpy as np
import pytest

import influstat as ist
from influstat.errors import Unsupported

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 2))
FIT = ist.Ridge(lam=0.0).fit(X, RNG.normal(size=20), names=["dose", "age"])
LOGISTIC = ist.Logistic(lam=1.0).fit(X, np.arange(20) % 2)
RESULTS = {
    "flags": FIT.flags,
    "outliers": FIT.outlier_test,
    "ranking": lambda: FIT.influence().on_theta().top(),
    "suspects": lambda: ist.find_mislabelled(LOGISTIC),
}


@pytest.mark.parametrize("name", RESULTS)
def test_pandas_lines_through_rows_are_no_picture(name):
    found = RESULTS[name]()
    sentence = r"plot must be .* Draw fit.plot.*; to_frame.*plot is pandas' own"
    with pytest.raises(Unsupported, match=sentence) as raised:
        found.plot()
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    assert not hasattr(found, "plot")
    if importlib.util.find_spec("matplotlib") is not None:
        assert hasattr(found.to_frame(), "plot")


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib")
@pytest.mark.parametrize("name", RESULTS)
def test_the_pictures_that_are_named_exist(name):
    named = RESULTS[name]().PICTURE.replace("<name>", "age").partition(" with ")[0]
    for call in named.split(" or "):
        assert eval(call, {"fit": FIT}) is not None


def test_only_moves_of_several_columns_are_in_root_mean_squares():
    scores, removal = FIT.influence().on_theta(), FIT.leave_one_out()
    words = ", the largest first, in root mean squares of its column"
    assert words in repr(scores.top())
    assert words in scores.top()._repr_html_()
    assert words not in repr(scores.top(column="age"))
    assert words not in repr(FIT.influence().on_prediction([[1.0, 0.0]]).top())
    assert "Largest (in root mean squares of its column): " in repr(removal)
    assert "Largest: " in repr(FIT.outlier_test())
