"""The strategies: every kind of design is what its name says, and failing examples shrink to small ones."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

import influstat as ist
from influstat import strategies
from influstat.errors import InvalidArgument, InvalidType, NoMinimiser
from influstat.minimise.newton import minimise
from tests.budget import examples

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
few = examples(40, suppress_health_check=SLOW)
SEARCH = settings(max_examples=300, phases=[Phase.generate, Phase.shrink], database=None, derandomize=True)


def of(kind, **sizes):
    return strategies.designs(kinds=[kind], **sizes)


@few
@given(strategies.designs())
def test_designs_have_rows_columns_and_two_of_each_label(drawn):
    n, p = drawn.X.shape
    assert n >= max(4, p + 2)
    assert np.isfinite(drawn.X.sum())
    assert set(drawn.labels) == {-1.0, 1.0}
    assert min(np.sum(drawn.labels == -1.0), np.sum(drawn.labels == 1.0)) >= 2


@few
@given(of("well conditioned", columns=(1, 6)))
def test_well_conditioned(drawn):
    singular = np.linalg.svd(drawn.X, compute_uv=False)
    assert singular[0] <= 100.0 * singular[-1]


@few
@given(of("collinear"))
def test_collinear(drawn):
    assert np.linalg.matrix_rank(drawn.X) < drawn.X.shape[1]


@few
@given(of("leverage one"))
def test_leverage_one(drawn):
    hat = drawn.X @ np.linalg.pinv(drawn.X)
    (row,) = np.flatnonzero(drawn.X[:, 0])
    np.testing.assert_allclose(hat[row, row], 1.0, rtol=1e-10)


@few
@given(of("separable"))
def test_separable_classes_have_no_minimum_without_a_penalty(drawn):
    assert np.all(drawn.labels * drawn.X[:, 0] > 0)
    with pytest.raises((NoMinimiser, ist.errors.SingularHessian)):
        minimise(ist.LinearRisk(ist.SignedLogisticLoss(), drawn.X, drawn.labels))


@few
@given(of("nearly separable"))
def test_nearly_separable(drawn):
    assert np.sum(drawn.labels * drawn.X[:, 0] < 0) == 1


@few
@given(of("repeated rows", rows=(8, 14)))
def test_repeated_rows(drawn):
    both = np.column_stack([drawn.X, drawn.labels])
    assert len(np.unique(both, axis=0)) < len(both)


@few
@given(of("sparse"))
def test_sparse(drawn):
    assert sp.issparse(drawn.X)
    assert drawn.X.nnz >= drawn.X.shape[0]


@pytest.mark.slow
def test_wide_scales_reach_far():
    drawn = find(of("wide scales"), lambda d: np.ptp(np.log10(np.abs(d.X).max(axis=0))) > 6, settings=SEARCH)
    assert drawn.X.shape[1] == 2


@few
@given(strategies.losses(smooth=False), strategies.designs(), st.data())
def test_targets_suit_the_loss(loss, drawn, data):
    y = data.draw(strategies.targets(loss, drawn))
    assert y.shape == drawn.labels.shape
    assert np.array_equal(loss.check_targets(y), y)
    if isinstance(loss, (ist.LogisticLoss, ist.SignedLogisticLoss, ist.SquaredHinge)):
        assert np.array_equal(y == y.max(), drawn.labels > 0)


@few
@given(st.integers(5, 12), st.data())
def test_weights(n, data):
    weights = data.draw(strategies.weights(n))
    if weights is not None:
        assert weights.shape == (n,)
        assert (weights[:4] > 0).all()
        assert np.sum(weights == 0) <= max(1, n // 4)
    positive = data.draw(strategies.weights(n, zeros=False))
    assert positive is None or (positive > 0).all()


@examples(60, suppress_health_check=SLOW)
@given(strategies.fits())
def test_fits_are_minima(fit):
    assert fit.stationarity <= 1e-6
    assert np.isfinite(fit.influence().on_theta().values).all()


@few
@given(st.integers(2, 12), st.data())
def test_groups_are_disjoint_and_leave_rows_over(n, data):
    groups = data.draw(strategies.groups(n))
    together = np.concatenate(groups)
    assert len(np.unique(together)) == len(together)
    assert all(0 < len(group) < n for group in groups)
    limited = data.draw(strategies.groups(n, largest=1))
    assert all(len(group) == 1 for group in limited)


def test_unknown_kinds_are_refused():
    with pytest.raises(InvalidArgument, match="kinds must hold kinds from"):
        find(strategies.designs(kinds=["round"]), lambda drawn: True)


# -- shrinking: the simplest example of a property is a small one -------------------------------------------


@pytest.mark.slow
def test_risks_shrink_to_few_rows_and_columns():
    risk = find(strategies.risks(), lambda r: (r.weights == 0).any(), settings=SEARCH)
    assert risk.shape == (6, 1)
    assert np.sum(risk.weights == 0) == 1
    assert set(risk.weights) == {0.0, 0.25}
    assert set(np.abs(risk.design.rows(slice(None))).ravel()) == {4.0}


EXPONENTIAL = ist.NumericalLoss(lambda y, eta: y * np.exp(eta) - eta, targets=lambda y: y > 0)
SHARES = ist.NumericalLoss(
    lambda y, eta: np.logaddexp(0.0, eta) - y * eta, targets=lambda y: (y > 0) & (y < 1)
)
NOTHING = ist.NumericalLoss(lambda y, eta: (y - eta) ** 2, targets=lambda y: y > 100)


NOT_ZERO = ist.NumericalLoss(lambda y, eta: (y - eta) ** 2, targets=lambda y: y != 0)
LEVELS = ist.NumericalLoss(lambda y, eta: (y - eta) ** 2, targets=lambda y: np.isin(y, [0, 1, 2]))


@few
@given(strategies.risks(loss=NOT_ZERO), strategies.risks(loss=LEVELS))
def test_targets_that_a_loss_refuses_are_left_out(risk, levels):
    assert (risk.y != 0).all()
    assert set(levels.y.tolist()) <= {0.0, 1.0, 2.0}


@pytest.mark.slow
def test_all_targets_that_a_loss_takes_are_drawn():
    find(strategies.risks(loss=LEVELS), lambda risk: set(risk.y.tolist()) == {0.0, 1.0, 2.0}, settings=SEARCH)


@pytest.mark.parametrize(("loss", "low", "high"), [(EXPONENTIAL, 0.0, 4.0), (SHARES, 0.0, 1.0)])
def test_targets_are_those_that_a_loss_of_ones_own_accepts(loss, low, high):
    @few
    @given(strategies.risks(loss=loss))
    def drawn(risk):
        assert ((low < risk.y) & (risk.y < high)).all()

    drawn()


@pytest.mark.parametrize(
    ("loss", "error", "sentence"),
    [
        (NOTHING, InvalidArgument, "loss must accept labels, numbers, counts"),
        (ist.PoissonLoss, InvalidType, "loss must be a pointwise loss"),
        (np.exp, InvalidType, "loss must be a pointwise loss"),
    ],
)
def test_losses_without_usual_targets_are_refused(loss, error, sentence):
    with pytest.raises(error, match=sentence):
        find(strategies.risks(loss=loss), lambda risk: True, settings=SEARCH)


def test_designs_shrink_to_zeros():
    drawn = find(strategies.designs(), lambda d: d.X.shape[1] >= 2, settings=SEARCH)
    assert drawn.kind == "well conditioned"
    assert np.array_equal(drawn.X, 4.0 * np.tile(np.eye(2), (3, 1)))


@pytest.mark.slow
def test_groups_shrink_to_single_rows():
    found = find(strategies.groups(8), lambda groups: len(groups) == 2, settings=SEARCH)
    assert sorted(group.tolist() for group in found) == [
        [0],
        [1],
    ]  # in either order
