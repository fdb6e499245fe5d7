"""Ordered classes that are separated have no finite minimiser, and the refusal names the columns."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.miscmodels.ordinal_model import OrderedModel

import influstat as ist
from influstat.errors import NoMinimiser

RNG = np.random.default_rng(0)
x, z = np.arange(12.0), RNG.normal(size=40)
MIXED = np.clip(np.round(z + RNG.normal(size=40) + 1.0), 0, 2).astype(int)
DUMMY = (np.arange(40) < 4).astype(float)
DISTRIBUTIONS = ["logit", "probit", stats.cauchy]


def codes(first):
    """Return mixed classes but for the rows of the dummy."""
    return np.where(DUMMY > 0, first, MIXED)


# y, X, the columns that the sentence must name
SEPARATED = {
    "by a slope": (np.repeat([0, 1, 2], 4), x[:, None], ["x1"]),
    "two classes of three": (np.repeat([0, 1, 1, 2], 3), x[:, None], ["x1"]),
    "a group all of the last class": (codes(2), np.c_[z, DUMMY], ["x2"]),
    "a group all of the first class": (codes(0), np.c_[z, DUMMY], ["x2"]),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # statsmodels' own, on its way to infinity
@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.ModelWarning")
@pytest.mark.parametrize("polish", [False, True])
@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=["logit", "probit", "Cauchy"])
@pytest.mark.parametrize("name", SEPARATED)
def test_separated_ordered_classes_are_refused_as_such(name, distribution, polish):
    y, X, names = SEPARATED[name]
    results = OrderedModel(y, X, distr=distribution).fit(method="bfgs", disp=0, maxiter=300)
    with pytest.raises(NoMinimiser, match="separated") as caught:
        ist.from_statsmodels(results, polish=polish)
    assert all(column in str(caught.value) for column in names)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS[:2], ids=["logit", "probit"])
@pytest.mark.parametrize("first", [None, 1], ids=["mixed", "a group all of the middle class"])
def test_classes_that_are_not_separated_pass(first, distribution):
    y = MIXED if first is None else codes(first)  # on both sides of the middle class there is a wall
    model = OrderedModel(y, np.c_[z, DUMMY], distr=distribution)
    ist.from_statsmodels(model.fit(method="bfgs", disp=0, gtol=1e-8))


def test_a_removal_that_separates_a_group_answers_for_the_others():
    y, X = codes(2), np.c_[z, DUMMY]
    y[0] = 1  # alone of the middle class in its group

    def fitted(y, X):
        return ist.from_statsmodels(OrderedModel(y, X, distr="logit").fit(method="bfgs", disp=0, gtol=1e-8))

    with pytest.warns(ist.errors.DoubtfulResult, match="nan"):
        removal = fitted(y, X).leave_one_out(rows=[0, 1, 20])
    assert removal.status[0] == "Without this row: x2 is not determined; the others are."
    assert removal.status[1:] == ("", "")
    rest = DUMMY == 0  # the group's own losses go to 0
    found = np.delete(removal.theta[0], 1)
    np.testing.assert_allclose(found, fitted(y[rest], z[rest, None]).theta, rtol=1e-6, atol=1e-6)


def test_a_class_that_leaves_whole_says_so():
    y = MIXED.copy()
    y[MIXED == 2] = 1
    y[0] = 2
    model = OrderedModel(y, z[:, None], distr="logit")
    fit = ist.from_statsmodels(model.fit(method="bfgs", disp=0, gtol=1e-8), polish=True)
    with pytest.warns(ist.errors.DoubtfulResult, match="nan"):
        removal = fit.leave_one_out(rows=[0])
    assert "separated" in removal.status[0]
