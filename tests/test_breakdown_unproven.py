"""Significance where no theorem covers it is said to have no proof, and refits find what there is."""

import numpy as np
import pytest

import influstat as ist
from influstat.errors import InflustatError
from influstat.statistics.inference_of_fragility import PROVEN
from influstat.statistics.setting import CLUSTERED, KINDS

N = 12
DRAWN = np.random.default_rng(4)
X = np.column_stack([np.ones(N), DRAWN.normal(size=(N, 2))])
ETA = X @ [0.1, 0.3, 0.4]
NOISE = DRAWN.normal(size=N)
OWNER = np.arange(N) // 2
TWO_WAY = np.column_stack([OWNER, np.arange(N) % 4])


def fitted(loss, y, penalty=None):
    return ist.Fit.minimise(ist.LinearRisk(loss, X, y, penalty=penalty))


# A dear loss says the same as the others: of those without a proof there is one of each reason.
FITS = {
    "least squares": fitted(ist.SquaredError(), ETA + NOISE),
    "ridge": fitted(ist.SquaredError(), ETA + NOISE, ist.L2(0.5)),
    "logistic": fitted(ist.LogisticLoss(), np.tile([0.0, 1.0, 1.0, 0.0], 3)),
    "poisson": fitted(ist.PoissonLoss(), np.tile([0.0, 2.0, 1.0], 4)),
}
SEEDS = (5, 25, 26)  # where no order of first-order effects has the row first
COVARIANCES = [*((kind, False) for kind in KINDS), ("cluster", True)]


def inference(fit, kind, two_way):
    """Return the inference, None where it has no confidence limits for such a fit."""
    settings = {"groups": TWO_WAY if two_way else OWNER} if kind in CLUSTERED else {}
    settings |= {"lags": 1} if kind == "HAC" else {}
    try:
        found = fit.inference(kind, **settings)
    except InflustatError:
        return None
    return found if np.isfinite([found.table.lower[2], found.table.upper[2]]).all() else None


@pytest.mark.parametrize("of", FITS)
@pytest.mark.parametrize(("kind", "two_way"), COVARIANCES)
def test_what_no_theorem_covers_is_said_to_have_no_proof(of, kind, two_way):
    found = inference(FITS[of], kind, two_way)
    if found is None:
        return
    answer = found.breakdown(2, search=False, budget_seconds=0.0)
    covered = of == "least squares" and kind in PROVEN and not two_way
    status = answer.to_frame().loc["lower", "status"]
    if covered:
        assert "the theorems do not cover" not in answer.limit
        return
    assert (answer.lower, answer.proof) == (1, "none")
    assert answer.limit
    assert f"no proof: {answer.limit}" in repr(answer)
    assert status == f"no proof: {answer.limit}"
    if kind not in PROVEN:
        assert repr(kind) in answer.limit
    if two_way:
        assert "two-way" in answer.limit


def test_the_docstring_names_what_has_no_proof():
    notes = " ".join(FITS["ridge"].inference().breakdown.__doc__.split())
    groups = {"HC4", "HC4m", "HC5", "HAC", "CR2", "two-way clusters", "GLMs", "jackknives", "H1 to H3"}
    assert {name for name in groups if name in notes} == groups


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["HC4", "HC4m", "HC5", "jackknife"])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("opposite", [False, True])
def test_no_row_alone_is_missed_where_nothing_is_proven(kind, seed, opposite):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(N), rng.standard_t(2.0, (N, 2))])
    y = rng.choice([0.0, 0.5, 2.0]) * x[:, 2] + rng.standard_t(2.0, N)
    found = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), x, y)).inference(kind)
    answer = found.breakdown(2, reversed=opposite, budget_seconds=2.0)
    side = 1.0 if answer.side == "above" else -1.0
    each = found.leave_one_out()
    change = (each.upper if "upper limit" in answer.question else each.lower)[:, 2]
    alone = side * (answer.value + change) <= 0.0
    assert (answer.upper == 1) == alone.any()
    if alone.any():
        assert alone[answer.positions[0]]
