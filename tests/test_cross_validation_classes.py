"""Cross-validation of several classes: losses are those of refits by the libraries themselves."""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression

import influstat as ist
from influstat.errors import DoubtfulResult, Unsupported

RNG = np.random.default_rng(5)
N = 90
X = np.column_stack([np.ones(N), RNG.normal(size=(N, 2))])
Y = np.argmax(X @ RNG.normal(size=(3, 3)) + RNG.gumbel(size=(N, 3)), axis=1)
FOLDS = {"rows": None, "folds": np.arange(N) % 6, "some rows": [range(10), [20, 30]]}
REFIT = 1e-7  # of what the library's own convergence leaves


def multinomial():
    return ist.from_statsmodels(sm.MNLogit(Y, X).fit(disp=0, tol=1e-12))


def mnlogit(rows, new):
    return sm.MNLogit(Y[rows], X[rows]).fit(disp=0, tol=1e-12).predict(X[new])


def estimator():
    return LogisticRegression(C=0.7, fit_intercept=False, tol=1e-12, max_iter=1000)


def softmax():
    return ist.from_sklearn(estimator().fit(X, Y), X, Y)


def sklearn(rows, new):
    return estimator().fit(X[rows], Y[rows]).predict_proba(X[new])


@pytest.mark.parametrize("folds", FOLDS)
@pytest.mark.parametrize(("make", "refit"), [(multinomial, mnlogit), (softmax, sklearn)])
def test_losses_are_those_of_refits(make, refit, folds):
    found = ist.cross_validate(make(), FOLDS[folds])
    truth = np.full(N, np.nan)
    for k in range(len(found.folds)):
        out = found.folds[k]
        truth[out] = -np.log(refit(np.delete(np.arange(N), out), out)[np.arange(len(out)), Y[out]])
    np.testing.assert_allclose(found.row_losses, truth, rtol=REFIT)
    np.testing.assert_allclose(found.mean, np.nanmean(truth), rtol=REFIT)
    eta = found.linear_predictor
    own = -np.log(np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True))[np.arange(N), Y]
    np.testing.assert_allclose(own, truth, rtol=REFIT)
    assert set(found.status) == {""}
    assert "mean loss" in str(found)


@pytest.mark.parametrize("method", ["newton", "second_order", "influence"])
@pytest.mark.parametrize("make", [multinomial, softmax])
def test_approximations_are_within_their_bounds(make, method):
    fit = make()
    exact = ist.cross_validate(fit, FOLDS["folds"], certified=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulResult)  # some bounds may be missing
        near = ist.cross_validate(fit, FOLDS["folds"], method=method, certified=True)
    error = np.abs(near.row_losses - exact.row_losses)
    known = np.isfinite(near.error_bound)
    assert known.mean() > 0.5 or method == "influence"
    assert (error <= near.error_bound + exact.error_bound)[known].all()
    assert np.nanmax(error) > 1e-6


def test_weights_and_columns_that_depend_on_each_other_change_no_loss():
    rng = np.random.default_rng(711)
    weights = rng.uniform(0.5, 2.0, N)
    model = estimator().fit(X, Y, sample_weight=weights)
    fit = ist.from_sklearn(model, X, Y, sample_weight=weights)
    found = ist.cross_validate(fit, FOLDS["folds"])
    assert found.mean == pytest.approx(np.average(found.row_losses, weights=weights))
    twice = np.column_stack([X, X[:, 1] - X[:, 2]])
    free = ist.Fit.minimise(ist.SoftmaxRisk(X, Y))
    same = ist.Fit.minimise(ist.SoftmaxRisk(twice, Y, penalty=ist.L2(1e-9)))
    losses = [ist.cross_validate(one, FOLDS["folds"]).row_losses for one in (free, same)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-6)  # of a penalty of 1e-9


def test_a_fold_with_all_rows_of_a_class_has_a_reason():
    folds = np.where(Y == 1, 0, 1 + np.arange(N) % 3)
    with pytest.warns(DoubtfulResult, match="1 of 4 folds hold rows that nothing predicts without"):
        found = ist.cross_validate(multinomial(), folds)
    assert np.isnan(found.row_losses).tolist() == (Y == 1).tolist()
    assert found.status[0]
    assert found.status[1:] == ("", "", "")


def test_rows_in_a_column_that_is_theirs_alone_have_no_loss():
    fold = FOLDS["folds"] == 2
    own = np.column_stack([X, np.where(fold & (np.arange(N) > 20), X[:, 1] ** 2, 0.0)])
    with pytest.warns(DoubtfulResult, match="1 of 6 folds hold rows"):
        found = ist.cross_validate(ist.Fit.minimise(ist.SoftmaxRisk(own, Y)), FOLDS["folds"])
    assert np.isnan(found.row_losses).tolist() == (own[:, 3] != 0).tolist()


def test_what_is_not_there_is_refused_with_its_cause():
    with pytest.raises(Unsupported, match="^scoring must be left out for several classes"):
        ist.cross_validate(multinomial(), FOLDS["folds"], scoring="accuracy")
    risk = ist.BlackBoxRisk(lambda theta: (theta[0] - Y) ** 2, 1)
    with pytest.raises(Unsupported, match="^fit must have a linear predictor, or one per class"):
        ist.cross_validate(ist.Fit.minimise(risk))
