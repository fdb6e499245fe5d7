"""Certified bounds for groups left out over partitions: they hold, and are the theorem's of these rows."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import DoubtfulResult, Unsupported
from influstat.removal.certificates.theorem import ball
from influstat.removal.leave_out import METHODS
from tests.budget import examples
from tests.certificate_cases import UNSAID
from tests.partition_cases import LABELS, MODELS, OFFSET, WEIGHTS, XT, N, X, Y, cuts, pieces

FIRMS = np.random.default_rng(7).integers(0, 6, N)
FEW = examples(3)  # each draw fits twice, and answers by four methods
SMALL = 1e-9  # of bounds that are rounding: sums of 60 rows times the condition, of losses up to t = 0.05


def refits(name, sizes, wide=()):
    model, y, yt = MODELS[name]
    fit = model.fit(pieces(sizes, y, WEIGHTS, OFFSET, wide, groups=FIRMS))
    return fit, model.fit(X, y, weights=WEIGHTS, offset=OFFSET), yt


@UNSAID
@pytest.mark.dear
@pytest.mark.parametrize("name", MODELS)
@FEW
@given(sizes=cuts(), wide=st.sets(st.integers(0, 5)))
def test_bounds_hold_however_rows_are_cut(name, sizes, wide):
    fit, whole, yt = refits(name, sizes, wide)
    true = whole.leave_groups_out(FIRMS)
    for method in METHODS:
        found = fit.leave_groups_out(method=method)
        pairs = (
            (found.theta_bound(), found.theta - true.theta, true.theta_bound()),
            (found.loss_bound(XT, yt), found.loss_change(XT, yt) - true.loss_change(XT, yt), SMALL),
            (found.prediction_bound(XT), found.prediction_change(XT) - true.prediction_change(XT), SMALL),
        )
        for bound, error, slack in pairs:
            known = ~np.isnan(bound)
            assert (np.abs(error) <= bound + slack)[known].all()
            assert known.all() or method != "exact"
            assert method != "exact" or bound.max() < SMALL


@pytest.mark.parametrize("name", ["logistic", "signed"])
@pytest.mark.parametrize("method", ["newton", "exact"])
def test_the_radius_is_the_theorems_of_the_rows_that_stay(name, method):
    fit, whole, _ = refits(name, [20, 0, 1, 39])
    found = fit.leave_groups_out(method=method)
    certificate = found.certificate
    rows, risk = whole.risk.design.rows(slice(None)), whole.risk
    for k in range(6):
        stay, theta = k != FIRMS, found.theta[k]
        x, w, o, y = rows[stay], WEIGHTS[stay], OFFSET[stay], risk.y[stay]
        left = risk.protocol.left(WEIGHTS[~stay].sum(), WEIGHTS.sum())
        g = x.T @ (w * risk.loss.first(y, x @ theta + o)) + left * risk.penalty.gradient(theta)
        radii = []
        for at in (whole.theta, theta):
            curved = w * risk.loss.second(y, x @ at + o)
            b = x.T @ (curved[:, None] * x) + left * np.diag(risk.penalty.hessian(at).diagonal())
            inverse = np.linalg.inv(b)
            q = np.sqrt(g @ inverse @ g)
            rho = np.sqrt(np.einsum("ip,pq,iq->i", x, inverse, x).max())
            sigma = np.abs(x @ (theta - at)).max()
            radii.append((ball(q, rho, sigma), ball(q, 1.7 * rho, sigma)))
        assert certificate.first_radius[k] >= min(radii)[0] * (1.0 - 1e-9)  # rounding of this reckoning
        # Norms of rows are bounded by those with all rows, which are up to 1.7 times as large here.
        assert method == "exact" or certificate.first_radius[k] <= radii[0][1] * (1.0 + 1e-9)


def test_bounds_are_the_same_in_several_blocks(monkeypatch):
    fit = refits("logistic", [20, 40])[0]
    one = fit.leave_groups_out(method="newton")
    bound = one.theta_bound()
    monkeypatch.setattr("influstat.partitioned.groups.leave_out.MEMORY", 80)  # two groups of 3 x 3 at once
    np.testing.assert_allclose(fit.leave_groups_out(method="newton").theta_bound(), bound, rtol=1e-9)


def test_rows_without_weight_and_in_no_group_count_as_they_should():
    weights = np.where(np.arange(N) % 7, WEIGHTS, 0.0)
    groups = {"a": [0, 3, 7], "b": list(range(20, 30))}
    far = ist.partitions(np.where(weights[:, None] > 0, X, 100 * X), LABELS, weights=weights, rows=9)
    other = ist.Logistic(lam=0.5).fit(far).leave_groups_out(groups, method="newton").theta_bound()
    data = ist.partitions(X, LABELS, weights=weights, rows=9)
    found = ist.Logistic(lam=0.5).fit(data).leave_groups_out(groups, method="newton")
    true = ist.Logistic(lam=0.5).fit(X, LABELS, weights=weights).leave_groups_out(groups)
    bound = found.theta_bound()
    assert (np.abs(found.theta - true.theta) <= bound + true.theta_bound()).all()
    assert bound.max() < 0.1
    np.testing.assert_allclose(other, bound, rtol=1e-9)  # rows without weight may lie anywhere


@UNSAID
def test_a_penalty_whose_hessian_changes_is_bounded():
    penalty = ist.SmoothedL1(1.0, t=1.0) + ist.L2(1.0)
    risk = ist.PartitionedRisk(ist.LogisticLoss(), pieces([30, 30], LABELS, groups=FIRMS), penalty=penalty)
    found = ist.PartitionedFit.minimise(risk).leave_groups_out(method="newton")
    whole = ist.Fit.minimise(ist.LinearRisk(ist.LogisticLoss(), X, LABELS, penalty=penalty))
    true, bound = whole.leave_groups_out(FIRMS), found.theta_bound()
    known = ~np.isnan(bound)
    assert known.any()
    assert (np.abs(found.theta - true.theta) <= bound + true.theta_bound())[known].all()


@pytest.mark.parametrize("method", ["newton", "exact"])
def test_losses_of_folds_are_bounded_row_by_row(method):
    fit, whole, _ = refits("logistic", [20, 0, 1, 39])
    folds = {"a": [0, 3, 7], "b": list(range(20, 30))}
    answer = fit.cross_validate(folds, method=method, certified=True).row_losses
    found, true = answer.to_frame(), ist.cross_validate(whole, folds)
    assert list(found.columns)[1:4] == ["loss", "bound of loss", "linear_predictor"]
    inside = (found["fold"] >= 0).to_numpy()
    error = np.abs(found["loss"] - true.row_losses)[inside]
    bound = found["bound of loss"][inside]
    assert (error <= bound + SMALL).all()
    assert found["bound of loss"][~inside].isna().all()
    assert method == "newton" or bound.max() < SMALL
    again = pickle.loads(pickle.dumps(answer.question))  # as it goes to other processes
    np.testing.assert_array_equal(fit.answer(again).to_frame()["bound of loss"], found["bound of loss"])


@UNSAID
def test_why_a_group_has_no_bound_is_said():
    x = np.column_stack([np.ones(N), FIRMS == 2, X[:, 0]]).astype(float)
    fit = ist.Ridge(lam=0.0).fit(ist.partitions(x, Y, rows=7, groups=FIRMS, columns=["one", "two", "x"]))
    with pytest.warns(DoubtfulResult, match="1 of 6 groups have no refit"):
        found = fit.leave_groups_out()
    assert np.isnan(found.theta_bound()[2]).all()
    assert np.isfinite(np.delete(found.theta_bound(), 2, axis=0)).all()
    assert found.certificate.status[2] == "not certified: there are no coefficients"
    first = fit.leave_groups_out(method="influence")
    assert "not certified: The Hessian without the rows is singular" in first.certificate.status[2]
    numerical = ist.NumericalLoss(lambda y, eta: (y - eta) ** 2)
    risk = ist.PartitionedRisk(numerical, pieces([60], Y, groups=FIRMS), penalty=ist.L2(1.0))
    none = ist.PartitionedFit.minimise(risk).leave_groups_out(method="newton")
    assert np.isnan(none.theta_bound()).all()
    assert "has no finite self_concordance" in none.certificate.status[0]


@UNSAID
@pytest.mark.parametrize(("scale", "known"), [(1e4, True), (1e8, False)])
def test_a_group_whose_leverage_cannot_be_told_from_one_has_no_bound(scale, known):
    x = np.column_stack([np.ones(N), np.where(FIRMS == 2, scale, 1.0) * X[:, 0]])
    fit = ist.Ridge(lam=0.0).fit(ist.partitions(x, Y, rows=7, groups=FIRMS))
    found = fit.leave_groups_out(method="newton")
    assert np.isfinite(found.theta_bound()).all(axis=1).tolist() == [k != 2 or known for k in range(6)]
    assert ("all that is known of a coefficient" in found.certificate.status[2]) != known


def test_too_many_groups_for_memory_are_refused(monkeypatch):
    found = refits("logistic", [60])[0].leave_groups_out(method="newton")
    monkeypatch.setattr("influstat.partitioned.groups.certificates.KEPT_ENTRIES", 40)
    with pytest.raises(Unsupported, match="groups must be at most 4 for bounds of 3 coefficients"):
        found.theta_bound()
