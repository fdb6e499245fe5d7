"""What several questions at one theta have in common is found once: sums over all rows are counted."""

import gc
import pickle
import weakref
from unittest import mock

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import influstat as ist
from influstat.input.design import Design
from influstat.minimise.descent import WIDE
from influstat.removal.engine.tensors import Tensors
from influstat.statistics.deletion import DeletedBlock
from influstat.statistics.expanded_variances import SHARP
from tests.budget import some
from tests.tolerance import EPSILON, STOP

N, P = 2000, WIDE + 6


@pytest.fixture
def rows():
    """Return rows of many columns, classes, and some test rows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, P))
    y = (rng.random(N) < 1.0 / (1.0 + np.exp(-X @ rng.standard_normal(P) / np.sqrt(P)))).astype(int)
    return X, y, rng.standard_normal((3, P)), rng.integers(0, 2, 3)


def counted(name):
    """Return a patch of a method of designs that counts its calls."""
    return mock.patch.object(Design, name, autospec=True, side_effect=getattr(Design, name))


@pytest.mark.parametrize("tol", [1e-4, 1e-6, 1e-8])
def test_polishing_entry_and_influence_sum_the_hessian_twice(rows, tol):
    # Once where the library stopped, once at the minimum; steps near it share a factor, as far as they go.
    X, y, X_test, y_test = rows
    estimator = LogisticRegression(C=1.0, tol=tol, max_iter=1000).fit(X, y)
    with counted("gram") as gram:
        fit = ist.from_sklearn(estimator, X, y, polish=True)
        fit.influence().on_loss(X_test, y_test)
        fit.influence().on_theta()
    assert gram.call_count == 2
    # A gradient is right to a few epsilons of each of its n terms: as exact as with a factor at every step.
    assert fit.stationarity <= 4 * np.sqrt(N) * EPSILON


def test_a_step_whose_factor_is_old_gets_one_of_its_own(rows):
    X, y, _, _ = rows
    risk = ist.LinearRisk(ist.LogisticLoss(), X, y, penalty=ist.L2(1.0))
    with mock.patch("influstat.minimise.descent.SHARP", 1.0):  # factors are kept however little they help
        far = ist.Fit.minimise(risk)
    with mock.patch("influstat.minimise.descent.WIDE", np.inf):  # and never
        truth = ist.Fit.minimise(risk)
    assert far.stationarity <= STOP
    np.testing.assert_allclose(far.theta, truth.theta, rtol=0, atol=10 * STOP)  # condition below 10


def test_value_gradient_and_hessian_share_one_linear_predictor(rows):
    X, y, _, _ = rows
    risk = ist.LinearRisk(ist.LogisticLoss(), X, y, penalty=ist.L2(1.0))
    theta = np.full(P, 0.01)
    with counted("dot") as dot:
        risk.value(theta)
        risk.gradient(theta)
        risk.curvature(theta)
        risk.gradient_scale(theta)
    assert dot.call_count == 1


def test_the_two_thetas_last_asked_for_keep_their_linear_predictors(rows):
    X, y, _, _ = rows
    risk = ist.LinearRisk(ist.LogisticLoss(), X, y)
    one, other = np.full(P, 0.01), np.full(P, 0.02)
    with counted("dot") as dot:
        for theta in (one, other, one, other):
            risk.value(theta)
    assert dot.call_count == 2
    assert risk.value(one) == ist.LinearRisk(ist.LogisticLoss(), X, y).value(one)


def test_a_theta_that_its_owner_changes_is_another(rows):
    X, y, _, _ = rows
    risk = ist.LinearRisk(ist.LogisticLoss(), X, y)
    theta = np.full(P, 0.01)
    before = risk.value(theta)
    theta *= 2.0
    fresh = ist.LinearRisk(ist.LogisticLoss(), X, y)
    assert risk.value(theta) == fresh.value(theta) != before
    with pytest.raises(ValueError, match="read-only"):  # what all share nobody writes to
        risk.linear_predictor(theta)[0] = 1.0


class OneBuffer(ist.SquaredError):
    """A loss that answers in one array of its own for so many rows, again and again."""

    def first(self, y, eta):
        return self._in_buffer(super().first(y, eta))

    def second(self, y, eta):
        return self._in_buffer(super().second(y, eta))

    def _in_buffer(self, values):
        if values.ndim > 1:
            return values
        buffer = self.__dict__.setdefault(f"_of_{len(values)}", np.empty(len(values)))
        buffer[:] = values
        return buffer


def test_slopes_stay_when_their_loss_uses_its_array_again(rows):
    X, y, _, _ = rows
    theta = np.full(P, 0.01)
    risk = ist.LinearRisk(OneBuffer(), X, y)
    first = risk.slopes(theta)
    risk.curvatures(theta)
    np.testing.assert_array_equal(first, ist.LinearRisk(ist.SquaredError(), X, y).slopes(theta))


@pytest.mark.parametrize("name", ["curvature", "slopes"])
def test_another_thread_that_asks_in_between_changes_no_answer(rows, name):
    X, y, _, _ = rows
    risk, theta, other = ist.LinearRisk(ist.LogisticLoss(), X, y), np.full(P, 0.01), np.full(P, -0.02)
    same, expected = np.array_equal, getattr(risk, name)(theta)

    def meanwhile(a, b):
        with mock.patch.object(np, "array_equal", same):
            getattr(risk, name)(other)
        return same(a, b)

    with mock.patch.object(np, "array_equal", meanwhile):
        assert getattr(risk, name)(theta) is expected


def test_nobody_writes_to_what_all_who_ask_are_given(rows):
    X, y, _, _ = rows
    risk = ist.LinearRisk(ist.LogisticLoss(), X, y)
    shared = (risk.linear_predictor, risk.slopes, risk.curvatures, risk.slope_scale)
    for ask in shared:
        assert not ask(np.zeros(P)).flags.writeable
    assert risk.gradient(np.zeros(P)).flags.writeable  # the caller's own


def many_rows(lam=0.5):
    """Return a fit of so many rows that sums over all of them are expanded, and tensors that it shares."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((9000, 3))
    y = (rng.random(len(X)) < 1.0 / (1.0 + np.exp(-X[:, 0]))).astype(int)
    return ist.Logistic(lam=lam, protocol="fixed").fit(X, y)


def test_removals_certificates_and_inference_expand_the_sums_once():
    fit = many_rows()
    with (
        counted("gram") as gram,
        mock.patch("influstat.removal.engine.expanded.Tensors", side_effect=Tensors) as tensors,
    ):
        removal = fit.leave_one_out()
        assert removal.certificate.certified.all()
        assert tensors.call_count == 1
        fit.inference().leave_one_out()
        fit.leave_one_out(method="newton")
        fit.diagnostics()
        fit.diagnostics("dfbetas")
        fit.inference().leave_one_out()
    assert tensors.call_count == 2  # the squares that bound what is left out of Hessians are another sum
    assert gram.call_count <= 2  # of the refits' coordinates, and of the leverages' with their penalty


@pytest.mark.parametrize("lam", [0.0, 0.5])
def test_what_is_kept_goes_with_the_fit_and_not_into_a_pickle(lam):
    fit = many_rows(lam)
    before = len(pickle.dumps(fit))
    removal = fit.leave_one_out()
    assert removal.certificate.certified.all()
    fit.diagnostics()
    assert len(pickle.dumps(fit)) < before + 1000  # not even one number a row
    again = pickle.loads(pickle.dumps(fit)).leave_one_out()
    np.testing.assert_array_equal(again.theta, removal.theta)
    gone = weakref.ref(fit.risk)
    gc.collect()
    gc.disable()  # nothing may wait for it: designs are large
    try:
        del fit, removal, again
        assert gone() is None
    finally:
        gc.enable()


def test_diagnostics_that_are_asked_again_find_what_rows_leave_behind_once():
    X = np.random.default_rng(0).standard_normal((500, 3))
    fit = ist.Fit.minimise(ist.LinearRisk(ist.LogisticLoss(), X, (X[:, 0] > X[:, 1] ** 2).astype(int)))
    with mock.patch("influstat.statistics.deletion.DeletedBlock", side_effect=DeletedBlock) as left_out:
        first, again = fit.diagnostics("all"), fit.diagnostics("all")
        fit.diagnostics("cov_ratio")
        assert left_out.call_count == 1
        np.testing.assert_array_equal(first.to_numpy(), again.to_numpy())
        other = fit.diagnostics("all", dispersion=2.0)  # nothing of another question is taken for it
    np.testing.assert_allclose(other["cooks_d"], first["cooks_d"] / 2.0, rtol=10 * EPSILON)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", some(["fixed", "folded"]))
def test_determinants_at_refits_are_those_of_hessians_summed_row_by_row(protocol):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((2000, 3))
    y = (rng.random(len(X)) < 1.0 / (1.0 + np.exp(-X[:, 0]))).astype(int)
    X[:3] *= 8.0  # far from the others: their Hessians are not near that of all rows
    found = []
    for small in (0.0, np.inf):  # expanded as soon as that is less work, and never
        with mock.patch("influstat.removal.engine.plan.SMALL", small), counted("gram") as gram:
            fit = ist.Logistic(lam=0.5, protocol=protocol).fit(X, y)
            assert (ist.removal.plan(fit).order > 2) == (small == 0.0)
            found.append(fit.diagnostics("cov_ratio", method="exact").to_numpy()[:, 0])
        assert (gram.call_count < 1000) == (small == 0.0)  # those that it is not sharp enough for are summed
    # What an expansion may leave out of a Hessian, relative to its smallest eigenvalue, in p of them; and of
    # refits 1e-8 of their changes, that are below 1 in the norm of the Hessian.
    np.testing.assert_allclose(found[0], found[1], rtol=2 * 3 * SHARP, atol=0)
