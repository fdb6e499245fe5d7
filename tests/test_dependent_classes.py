"""Softmax fits whose columns depend on each other answer as the fit of independent columns, or nan."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import influstat as ist
from influstat.errors import DoubtfulResult, SingularHessian
from tests.softmax_cases import SoftmaxProblem
from tests.tolerance import TWO_FITS

N, K = 40, 3
SLACK = 1e-6  # of a bound, whose rounding is that of other coefficients


def designs():
    """Yield names, independent columns, dependent ones of the same span, and pairs that are determined."""
    rng = np.random.default_rng(3)
    a, one = rng.normal(size=(N, 2)), np.ones((N, 1))
    dummies = np.eye(3)[np.arange(N) % 3]
    plain = np.hstack([a, one])
    yield "trap", np.hstack([a, dummies]), np.hstack([a, dummies, one]), {0: 0, 1: 1}
    yield "empty", plain, np.hstack([a[:, :1], np.zeros((N, 1)), a[:, 1:], one]), {0: 0, 1: 2, 2: 3}
    yield "units", plain, np.hstack([a, 8.0 * a[:, :1], one]), {1: 1, 2: 3}
    yield "two", plain, np.hstack([a, -2.0 * a[:, :1], one, one]), {1: 1}


CASES = {name: rest for name, *rest in designs()}
PENALISED = "a constant beside the intercept"
EVERY = [(name, reference) for name in CASES for reference in (False, True)] + [(PENALISED, False)]


def made(case, reference):
    """Return a fit of independent columns, one of dependent ones, their X, pairs of columns, and y."""
    y = np.random.default_rng(5).integers(0, K, N)
    weights = 0.5 + np.arange(N) % 3
    if case == PENALISED:
        a, one = np.random.default_rng(3).normal(size=(N, 2)), np.ones((N, 1))
        rows, pairs = (a, np.hstack([a, one])), {0: 0, 1: 1}
        x = [np.hstack([X, one]) for X in rows]
        risks = [
            ist.SoftmaxRisk(X, y, intercept=True, penalty=ist.L2(2.0, unpenalised=free), weights=weights)
            for X, free in zip(rows, ([], ["x2"]), strict=True)
        ]
    else:
        *rows, pairs = CASES[case]
        x, settings = rows, {"intercept": False, "folded": False, "reference": reference}
        risks = [SoftmaxProblem(X, y, K, weights, 0.0, **settings).risk() for X in rows]
    fit = ist.Fit.minimise(risks[0])
    blocks = fit.theta.reshape(-1, x[0].shape[1])
    theta = np.linalg.lstsq(x[1], x[0] @ blocks.T)[0]
    # Any minimum will do: theta moves along what nothing feels, by other lengths in every class.
    null = np.linalg.svd(x[1])[2][np.linalg.matrix_rank(x[1]) :]
    far = np.arange(1.0, len(blocks) + 1) - (0.0 if reference else (len(blocks) + 1) / 2)
    theta += null.T @ np.outer(np.ones(len(null)), far)
    return fit, ist.Fit(risks[1], theta.T.ravel()), rows, pairs, y


def agree(found, truth, pairs, classes):
    """Compare coefficients (k, p) of determined columns; the others are nan."""
    found, truth = (one.reshape(len(one), classes, -1) for one in (found, truth))
    np.testing.assert_allclose(found[..., [*pairs.values()]], truth[..., [*pairs]], rtol=0, atol=TWO_FITS)
    assert np.isnan(np.delete(found, [*pairs.values()], axis=2)).all()


@pytest.mark.parametrize("folds", [None, 8], ids=["rows", "groups"])
@pytest.mark.parametrize("method", ["exact", "newton", "second_order", "influence"])
@pytest.mark.parametrize(("case", "reference"), EVERY)
def test_removals_are_those_of_the_independent_columns(case, reference, method, folds):
    fit, dependent, (few, many), pairs, y = made(case, reference)

    def ask(fit):
        if folds is None:
            return fit.leave_one_out(method=method, rows=[0, 7, 11])
        return fit.leave_groups_out(np.arange(N) % folds, method=method)

    with pytest.warns(DoubtfulResult, match="not determined, since columns depend on each other"):
        found = ask(dependent)
    truth = ask(fit)
    assert found.status == ("",) * len(found.groups)
    agree(found.delta, truth.delta, pairs, K - reference)
    np.testing.assert_allclose(found.loss_change(many, y), truth.loss_change(few, y), rtol=0, atol=TWO_FITS)
    apart = np.arange(1.0, many.shape[1] + 1)[None]  # a row like no other: nothing determines its loss
    assert np.isnan(found.loss_change(apart, [0])).all() == bool(len(pairs) < many.shape[1])
    if not reference:  # MNLogit has no prediction of one predictor
        changes = found.prediction_change(many), truth.prediction_change(few)
        np.testing.assert_allclose(*changes, rtol=0, atol=TWO_FITS)


@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")
@pytest.mark.parametrize(("case", "reference"), EVERY)
def test_certificates_and_influences_are_those_of_the_independent_columns(case, reference):
    fit, dependent, (few, many), pairs, y = made(case, reference)
    exact = fit.leave_one_out().loss_change(few, y)
    found, truth = (one.leave_one_out(method="newton") for one in (dependent, fit))
    assert found.certificate.certified.all()
    bound = found.loss_bound(many, y)
    np.testing.assert_allclose(bound, truth.loss_bound(few, y), rtol=SLACK, atol=TWO_FITS)
    assert (np.abs(found.loss_change(many, y) - exact) <= bound + TWO_FITS).all()
    agree(found.theta_bound(), truth.theta_bound(), pairs, K - reference)
    np.testing.assert_allclose(found.held_out_bound(), truth.held_out_bound(), rtol=SLACK, atol=TWO_FITS)
    scores, others = dependent.influence(), fit.influence()
    agree(scores.on_theta().values, others.on_theta().values, pairs, K - reference)
    for ask in (lambda one, X: one.on_loss(X, y).values, lambda one, X: one.on_self().values):
        np.testing.assert_allclose(ask(scores, many), ask(others, few), rtol=0, atol=TWO_FITS)


def test_nothing_is_certified_where_the_dependence_is_not_proven():
    x = np.random.default_rng(1).normal(size=(N, 2))
    blurred = np.hstack([x, x @ [[np.pi], [np.e]]])  # dependent up to the rounding of the third column
    y = np.random.default_rng(5).integers(0, K, N)
    theta = np.zeros((K, 3))
    theta[:, :2] = ist.Fit.minimise(ist.SoftmaxRisk(x, y)).theta.reshape(K, 2)
    fit = ist.Fit(ist.SoftmaxRisk(blurred, y), theta.ravel())
    with pytest.warns(DoubtfulResult, match="not determined"):
        found = fit.leave_one_out(rows=[0])
    assert "whether they do so exactly cannot be proven" in found.certificate.status[0]


@pytest.mark.parametrize("method", ["exact", "newton"])
@pytest.mark.parametrize("reference", [False, True])
def test_what_the_rows_left_determine_is_answered_where_a_direction_leaves_with_a_group(reference, method):
    _, dependent, (_, many), _, y = made("trap", reference=reference)
    first = np.flatnonzero(many[:, 2])
    with pytest.warns(DoubtfulResult, match="Without these"):
        found = dependent.leave_groups_out([first, [1]], method=method)
    assert "are not determined; the others are." in found.status[0]
    assert found.status[1] == ""
    left = np.delete(np.arange(N), first)
    settings = {"intercept": False, "folded": False, "reference": reference}
    weights = dependent.risk.weights[left]
    alone = SoftmaxProblem(many[left][:, [0, 1, 3, 4]], y[left], K, weights, 0.0, **settings).risk()
    blocks = found.theta[0].reshape(K - reference, -1)
    np.testing.assert_array_equal(np.isnan(blocks), np.tile([False] * 2 + [True] * 4, (K - reference, 1)))
    if method == "exact":
        truth = ist.Fit.minimise(alone).theta.reshape(K - reference, -1)
        np.testing.assert_allclose(blocks[:, :2], truth[:, :2], rtol=0, atol=TWO_FITS)


@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")
@pytest.mark.parametrize("reference", [False, True])
def test_a_dummy_of_one_class_leaves_the_others_as_they_are_without_its_rows(reference):
    rng, few = np.random.default_rng(5), np.arange(N) < 4
    x, y = np.column_stack([rng.normal(size=N), np.ones(N), few]), rng.integers(0, K, N)
    y[:4] = [0, 2, 1, 1]
    settings = {"intercept": False, "folded": False, "reference": reference}
    fit = ist.Fit.minimise(SoftmaxProblem(x, y, K, np.ones(N), 0.0, **settings).risk())
    found = fit.leave_groups_out([[0, 1]]).theta[0].reshape(K - reference, 3)
    rest = SoftmaxProblem(x[4:, :2], y[4:], K, np.ones(N - 4), 0.0, **settings).risk()
    truth = ist.Fit.minimise(rest).theta.reshape(K - reference, 2)
    np.testing.assert_allclose(found, np.insert(truth, 2, np.nan, axis=1), rtol=0, atol=TWO_FITS)


@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")
@pytest.mark.parametrize("start", [np.zeros(4 * K), np.arange(4.0 * K) / 9.0], ids=["zeros", "elsewhere"])
def test_a_start_chooses_one_of_many_minimisers(start):
    x = np.hstack([CASES["empty"][0], CASES["empty"][0][:, 2:]])
    risk = ist.SoftmaxRisk(x, np.random.default_rng(5).integers(0, K, N))
    fit = ist.Fit.minimise(risk, start=start)
    assert fit.stationarity < 1e-12
    assert fit.lost == tuple(f"{k}: x{j}" for k in range(K) for j in (2, 3))
    same = ist.Fit.minimise(ist.SoftmaxRisk(x[:, :3], fit.risk.y))
    np.testing.assert_allclose(fit.predict(x), same.predict(x[:, :3]), rtol=0, atol=TWO_FITS)
    level = fit.theta.reshape(K, 4)[:, 2:] - start.reshape(K, 4)[:, 2:]
    assert np.ptp(level, axis=0).min() < TWO_FITS  # one of the two stays as it was, up to the classes' level


def test_minimising_asks_for_independent_columns_as_one_predictor_does():
    with pytest.raises(SingularHessian, match="collinear"):
        ist.Fit.minimise(ist.SoftmaxRisk(CASES["trap"][1], np.random.default_rng(5).integers(0, K, N)))


@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.HessianInversionWarning")
@pytest.mark.parametrize("library", ["scikit-learn", "statsmodels"])
def test_fits_of_libraries_come_in(library):
    _, _, (_, many), _, y = made("trap", reference=False)
    if library == "statsmodels":
        import statsmodels.api as sm

        results = sm.MNLogit(y, many).fit(method="bfgs", maxiter=1000, disp=False)
        found = ist.from_statsmodels(results, polish=True)
    else:
        settings = {"C": np.inf, "fit_intercept": False, "tol": 1e-10, "max_iter": 1000}
        found = ist.from_sklearn(LogisticRegression(**settings).fit(many, y), many, y, polish=True)
    assert len(found.lost) == 4 * len(found.theta) / 6
    with pytest.warns(DoubtfulResult, match="not determined"):
        assert np.isfinite(found.leave_one_out(rows=[0]).loss_change(many, y)).all()
