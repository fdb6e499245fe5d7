"""Diagnostics of rows in partitions are those in memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.statistics.diagnostics import COLUMNS
from tests.budget import examples
from tests.partition_cases import X, Y, cuts, pieces
from tests.test_partitions_removal import fitted

CLOSE = {"rtol": 1e-11, "atol": 1e-12}  # dispersions of single rows divide by what is left of a difference
EVERY = [name for name in COLUMNS if name != "likelihood_displacement"]


def same(fit, whole, columns, **settings):
    frame = fit.diagnostics(columns, **settings).to_frame()
    memory = whole.diagnostics(columns, **settings)
    assert list(frame.columns) == ["position", *memory.columns, "status"]
    np.testing.assert_allclose(frame[list(memory.columns)], memory, **CLOSE)
    assert tuple(frame["status"]) == memory.attrs["status"]


@pytest.mark.parametrize("name", ["ridge", "ridge fixed", "logistic", "poisson"])
@pytest.mark.parametrize("information", ["observed", "expected"])
def test_measures_are_those_in_memory(name, information):
    fit, whole, _ = fitted(name, [1, 0, 20, 39])
    same(fit, whole, EVERY, information=information)
    same(fit, whole, None)


@examples(5)
@given(sizes=cuts(), name=st.sampled_from(["ridge", "logistic", "poisson"]), frequency=st.booleans())
def test_every_cut_gives_the_same(sizes, name, frequency):
    fit, whole, _ = fitted(name, sizes)
    same(fit, whole, EVERY, frequency=frequency)


@pytest.mark.parametrize("given_", [2.0, "X2", "dev"])
@pytest.mark.parametrize("name", ["ridge", "poisson"])
def test_dispersions_are_those_in_memory(name, given_):
    fit, whole, _ = fitted(name, [30, 30])
    same(fit, whole, EVERY, dispersion=given_, deleted_scale=False)


def test_a_loss_without_a_variance_has_what_needs_none():
    fit, whole, _ = fitted("svc", [30, 30])
    same(fit, whole, None)
    with pytest.raises(ist.errors.Unsupported, match="variance"):
        fit.diagnostics(["cooks_d"])
    same(fit, whole, ["cooks_d"], dispersion=1.0)


def test_a_sum_over_all_rows_for_every_row_is_refused():
    fit, _, _ = fitted("ridge", [30, 30])
    with pytest.raises(ist.errors.Unsupported, match="likelihood_displacement.*Ask for cooks_d"):
        fit.diagnostics(["likelihood_displacement"])
    assert "likelihood_displacement" not in fit.diagnostics("all").columns


def test_ill_conditioned_columns_are_factored_twice():
    far = X.astype(float) * [1.0, 1e3, 1.0] + [0.0, 5e3, 0.0]
    far[:, 2] = far[:, 1] * 1e-3 + 0.01 * far[:, 2]
    fit = ist.Ridge(lam=1e-4).fit(pieces([30, 30], Y, rows=far))
    whole = ist.Ridge(lam=1e-4).fit(far, Y)
    frame = fit.diagnostics(["hat_diag"]).to_frame()
    np.testing.assert_allclose(frame["hat_diag"], whole.diagnostics(["hat_diag"])["hat_diag"], rtol=1e-7)


def test_a_perfect_fit_has_reasons():
    y = X.astype(float) @ [1.0, 2.0, 3.0]
    fit = ist.Ridge(lam=0.0).fit(pieces([30, 30], y))
    with pytest.warns(ist.errors.DoubtfulResult, match="The fit is perfect"):
        answer = fit.diagnostics(["hat_diag"])
    whole = ist.Ridge(lam=0.0).fit(X, y)
    with pytest.warns(ist.errors.DoubtfulResult, match="The fit is perfect"):
        memory = whole.diagnostics(["hat_diag"])
    np.testing.assert_allclose(answer.to_frame()["hat_diag"], memory["hat_diag"])


def test_top_measures_are_ranked():
    fit, whole, _ = fitted("logistic", [20, 40])
    ranking = fit.diagnostics().top(3, column="cooks_d")
    order = np.argsort(-whole.diagnostics()["cooks_d"].to_numpy())[:3]
    assert ranking.position.tolist() == order.tolist()
    assert ranking.title == "cooks_d"
