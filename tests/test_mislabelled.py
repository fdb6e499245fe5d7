"""The search for wrong labels: each score against its definition, by refits of its own."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from statsmodels.miscmodels.ordinal_model import OrderedModel

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, Unsupported
from tests.budget import some
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


@pytest.mark.parametrize("protocol", some(["folded", "fixed"]))
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
    assert suspects.top(5).position.tolist() == suspects.order[:5].tolist()
    frame = suspects.to_frame()
    assert frame["position"].tolist() == suspects.order.tolist()
    assert (np.diff(frame["score"]) <= 0).all()


@pytest.mark.parametrize("by", ["leave_one_out", "self_removal"])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_only_row_of_a_class_has_no_score_and_comes_last_with_its_reason(by, classes):
    X = np.array([[1.0], [2.0], [3.0], [2.5], [1.5]])[: 2 * classes - 1]
    y = np.array([0, 1, 1, 2, 2])[: 2 * classes - 1]
    if classes == 2:
        fit = ist.Logistic(lam=1.0, intercept=True).fit(X, y.astype(float))
    else:
        fit = ist.from_sklearn(LogisticRegression(tol=1e-10).fit(X, y), X, y)
    with pytest.warns(ist.errors.DoubtfulResult, match=f"1 of {len(y)} removals"):
        suspects = ist.find_mislabelled(fit, by=by)
    assert np.isnan(suspects.score).tolist() == [True] + [False] * (len(y) - 1)
    assert suspects.order[-1] == 0  # without it a class less is left
    frame = suspects.to_frame()
    assert frame["status"].iloc[-1] == suspects.status[0] != ""
    assert (frame["status"].iloc[:-1] == "").all()
    assert 0 not in suspects.top(10).position.tolist()  # unknown is not least suspect
    assert f"{len(y) - 1} of {len(y)} rows done" in suspects.in_short()


def test_scores_that_need_no_refit_have_no_reasons():
    X, y = np.array([[1.0], [2.0], [3.0]]), np.array([0.0, 1.0, 1.0])
    suspects = ist.find_mislabelled(ist.Logistic(lam=1.0, intercept=True).fit(X, y), by="loss")
    assert set(suspects.status) == {""}
    assert not np.isnan(suspects.score).any()


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
    with pytest.raises(Unsupported, match="fit must be a linear classifier of two labels, or of several"):
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


NO_FITS = {
    "a number": (lambda: 3, "it is 3"),
    "statsmodels results": (
        lambda: sm.Logit(TWO, ROWS).fit(disp=0),
        r"Translate the results first: ist\.from_statsmodels\(results\)",
    ),
    "a scikit-learn estimator": (
        lambda: LogisticRegression().fit(ROWS, TWO),
        r"Translate the estimator first: ist\.from_sklearn\(estimator, X, y\)",
    ),
}


@pytest.mark.parametrize("name", NO_FITS)
def test_what_is_no_fit_is_refused_with_what_makes_one(name):
    make, sentence = NO_FITS[name]
    with pytest.raises(InvalidType, match=f"^fit must be a Fit, but .*{sentence}"):
        ist.find_mislabelled(make())


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


# -- several classes ---------------------------------------------------------------------------------------

NAMES = np.array(["a", "b", "c"])
CENTRES = np.array([[3.0, 0.0], [-1.5, 2.6], [-1.5, -2.6]])
CODES = np.arange(45) % 3
PLACES = CENTRES[CODES] * 0.7 + np.random.default_rng(1).normal(size=(45, 2))
WRONG = np.array([4, 17, 30])
MISTAKEN = CODES.copy()
MISTAKEN[WRONG] = (CODES[WRONG] + 1) % 3
LEFT = [np.delete(np.arange(45), i) for i in range(45)]


def softmax_model(rows=slice(None)):
    model = LogisticRegression(C=0.8, tol=1e-8, max_iter=1000)
    return model.fit(PLACES[rows], NAMES[MISTAKEN][rows])


def mnlogit(rows=slice(None)):
    return sm.MNLogit(MISTAKEN[rows], sm.add_constant(PLACES[rows])).fit(disp=0, method="newton", tol=1e-12)


def ordered(rows=slice(None)):
    levels = np.digitize(PLACES[:, 0] + np.sin(np.arange(45.0)), [-1.0, 1.0])
    return OrderedModel(levels[rows], PLACES[rows], distr="logit").fit(disp=0, method="bfgs", gtol=1e-8)


def of_softmax():
    fit = ist.from_sklearn(softmax_model(), PLACES, NAMES[MISTAKEN], polish=True)
    return fit, MISTAKEN, lambda model: -model.predict_log_proba(PLACES), softmax_model, NAMES


def of_mnlogit():
    def losses(results):
        eta = np.column_stack([np.zeros(45), sm.add_constant(PLACES) @ np.asarray(results.params)])
        return -log_softmax(eta, axis=1)

    return ist.from_statsmodels(mnlogit()), MISTAKEN, losses, mnlogit, np.array(["0", "1", "2"])


def of_ordered():
    results = ordered()
    codes = np.asarray(results.model.endog)
    return (
        ist.from_statsmodels(results, polish=True),
        codes,
        lambda results: -np.log(results.model.predict(results.params, PLACES)),
        ordered,
        np.arange(3),
    )


SEVERAL = {"softmax": of_softmax, "MNLogit": of_mnlogit, "OrderedModel": of_ordered}


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
def test_several_classes_have_their_losses_and_the_likeliest_other_class(name):
    fit, codes, losses, refit, called = SEVERAL[name]()
    rows = np.arange(45)
    whole = losses(refit())
    without = np.array([losses(refit(LEFT[i]))[i] for i in rows])
    others = without.copy()
    others[rows, codes] = np.inf
    found = ist.find_mislabelled(fit)
    # The refits of the libraries stop at their own tolerance.
    np.testing.assert_allclose(found.score, without[rows, codes], rtol=1e-4)
    np.testing.assert_array_equal(found.proposed, called[others.argmin(axis=1)])
    assert found.to_frame()["proposed"].tolist() == called[others.argmin(axis=1)][found.order].tolist()
    plain = ist.find_mislabelled(fit, by="loss")
    np.testing.assert_allclose(plain.score, whole[rows, codes], rtol=1e-4)
    removal = ist.find_mislabelled(fit, by="self_removal")
    np.testing.assert_allclose(removal.score, found.score - plain.score, rtol=1e-12)
    newton = ist.find_mislabelled(fit, method="newton")
    assert np.corrcoef(newton.score, found.score)[0, 1] > 0.9
    itself = ist.find_mislabelled(fit, by="self_influence").score
    assert (itself > 0).all()
    assert np.corrcoef(itself, removal.score)[0, 1] > 0.9


@pytest.mark.parametrize("name", ["softmax", "MNLogit"])
def test_mistaken_classes_come_first_with_the_right_one_proposed(name):
    found = ist.find_mislabelled(SEVERAL[name]()[0])
    called = SEVERAL[name]()[4]
    assert set(WRONG) <= set(found.order[:6])
    np.testing.assert_array_equal(found.proposed[WRONG], called[CODES[WRONG]])


def test_clean_rows_judge_several_classes():
    fit = of_softmax()[0]
    score = ist.find_mislabelled(fit, PLACES, NAMES[CODES], by="validation").score
    change = fit.leave_one_out().loss_change(PLACES, NAMES[CODES]).sum(axis=1)
    assert np.corrcoef(score, -change)[0, 1] > 0.95


def test_of_two_labels_the_other_is_proposed_in_the_words_of_the_caller():
    labels = np.where(TWO > 0, "yes", "no")
    fit = ist.from_sklearn(LogisticRegression().fit(ROWS, labels), ROWS, labels, polish=True)
    np.testing.assert_array_equal(ist.find_mislabelled(fit).proposed, np.where(TWO > 0, "no", "yes"))
    plain = ist.find_mislabelled(ist.Logistic(lam=1.0).fit(ROWS, TWO), by="loss")
    np.testing.assert_array_equal(plain.proposed, 1.0 - TWO)
