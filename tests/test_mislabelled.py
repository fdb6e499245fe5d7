"""The search for wrong labels: each score against its definition, by refits of its own."""

import numpy as np
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, Unsupported
from tests.reference import LOGISTIC
from tests.tolerance import CLOSED_FORM, STANDARD_ERRORS, TWO_FITS


def flipped(n=80, p=4, flips=8, seed=0, steepness=2.0):
    """Return X, the labels with flips, and where they are."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = (X @ rng.normal(size=p) * steepness + rng.logistic(size=n) > 0).astype(float)
    wrong = np.sort(rng.choice(n, flips, replace=False))
    y[wrong] = 1.0 - y[wrong]
    return X, y, wrong


def own_loss(x, y, theta):
    return LOGISTIC.value(y, float(x @ theta))


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
def test_scores_are_what_they_say(protocol):
    X, y, _ = flipped()
    model = ist.Logistic(lam=0.7, protocol=protocol)
    fit = model.fit(X, y)
    before = np.array([own_loss(X[i], y[i], fit.theta) for i in range(len(y))])
    after = np.empty(len(y))
    for i in range(len(y)):
        lam = 0.7 * (1.0 - 1.0 / len(y)) if protocol == "folded" else 0.7
        left = np.arange(len(y)) != i
        after[i] = own_loss(X[i], y[i], ist.Logistic(lam=lam).fit(X[left], y[left]).theta)
    np.testing.assert_allclose(ist.find_mislabelled(fit, by="loss").score, before, rtol=CLOSED_FORM)
    np.testing.assert_allclose(ist.find_mislabelled(fit).score, after, rtol=TWO_FITS)
    step = ist.find_mislabelled(fit, method="newton").score
    assert 1e-9 < np.max(np.abs(step / after - 1.0)) < 0.05  # close, and not the same
    removal = ist.find_mislabelled(fit, by="self_removal").score
    np.testing.assert_allclose(removal, after - before, rtol=STANDARD_ERRORS)
    itself = ist.find_mislabelled(fit, by="self_influence").score
    slope = np.polyfit(itself / len(y), removal, 1)[0]
    assert (itself > 0).all()
    assert slope == pytest.approx(1.0, abs=0.2)


def test_the_validation_score_is_the_fall_of_the_validation_loss():
    X, y, _ = flipped(n=200, flips=20)
    clean_X, clean_y, _ = flipped(n=100, flips=1, seed=0)
    fit = ist.Logistic(lam=0.7).fit(X, y)
    score = ist.find_mislabelled(fit, clean_X, clean_y, by="validation").score
    change = fit.leave_one_out().loss_change(clean_X, clean_y).sum(axis=1)
    worst = np.argmax(np.abs(change))
    assert score[worst] == pytest.approx(-change[worst], rel=0.1)
    np.testing.assert_allclose(score, -change, atol=0.1 * np.abs(change).max())


def test_flipped_labels_come_first():
    X, y, wrong = flipped(n=200, flips=10, steepness=20.0)
    suspects = ist.find_mislabelled(ist.Logistic(lam=0.7).fit(X, y))
    assert np.isin(wrong, suspects.order[:30]).mean() >= 0.9
    assert [position for _, position, _ in suspects.top(5)] == suspects.order[:5].tolist()
    frame = suspects.to_frame()
    assert frame["position"].tolist() == suspects.order.tolist()
    assert (np.diff(frame["score"]) <= 0).all()


def test_a_row_without_which_there_is_no_fit_comes_last():
    X, y = np.array([[1.0], [2.0], [3.0]]), np.array([0.0, 1.0, 1.0])
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 3 removals"):
        suspects = ist.find_mislabelled(ist.Logistic(lam=1.0, intercept=True).fit(X, y))
    assert suspects.order[-1] == 0  # without it only one class is left
    assert suspects.score[0] == -np.inf


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"by": "guess"}, "by must be 'leave_one_out' or"),
        ({"method": "influence"}, "method must be 'exact' or 'newton'"),
        ({"by": "validation"}, 'X and y must be given for by="validation"'),
        ({"X": [[1.0]], "y": [1.0]}, 'X and y must be left out unless by="validation"'),
    ],
)
def test_wrong_arguments_are_refused(arguments, sentence):
    X, y, _ = flipped()
    with pytest.raises(InvalidArgument, match=sentence):
        ist.find_mislabelled(ist.Logistic(lam=1.0).fit(X, y), **arguments)


def test_only_classifiers_are_searched():
    X = flipped()[0]
    with pytest.raises(Unsupported, match="fit must be a linear classifier of two labels"):
        ist.find_mislabelled(ist.Ridge(lam=1.0).fit(X, X[:, 0]))


RNG = np.random.default_rng(0)
TWO = RNG.integers(0, 2, 30).astype(float)
ROWS = RNG.normal(size=(30, 2))
NO_CLASSIFIERS = {
    "ridge on 0 and 1": lambda: ist.Ridge(lam=1.0).fit(ROWS, TWO),
    "Poisson on 0 and 1": lambda: ist.Fit.minimise(ist.LinearRisk(ist.PoissonLoss(), ROWS, TWO)),
    "OLS on 0 and 1": lambda: ist.from_statsmodels(sm.OLS(TWO, ROWS).fit()),
    "exact hinge": lambda: ist.HingeSVC(lam=1.0).fit(ROWS, 2.0 * TWO - 1.0),
}


@pytest.mark.parametrize("name", NO_CLASSIFIERS)
def test_what_is_no_smooth_classifier_is_refused(name):
    with pytest.raises(Unsupported, match="^fit must"):
        ist.find_mislabelled(NO_CLASSIFIERS[name]())


def test_what_is_no_fit_is_refused():
    with pytest.raises(InvalidType, match="fit must be a Fit, but it is 3"):
        ist.find_mislabelled(3)


CLASSIFIERS = {
    "logistic": lambda: ist.Logistic(lam=1.0).fit(ROWS, TWO),
    "smoothed hinge": lambda: ist.SmoothedSVC(lam=1.0, t=0.1).fit(ROWS, 2.0 * TWO - 1.0),
    "GLM": lambda: ist.from_statsmodels(sm.GLM(TWO, ROWS, family=sm.families.Binomial()).fit()),
    "probit": lambda: ist.from_statsmodels(sm.Probit(TWO, ROWS).fit(disp=0)),
    "complementary log-log": lambda: ist.from_statsmodels(
        sm.GLM(TWO, ROWS, family=sm.families.Binomial(sm.families.links.CLogLog())).fit()
    ),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_of_two_labels_are_searched(name):
    assert np.isfinite(ist.find_mislabelled(CLASSIFIERS[name]()).score).all()
