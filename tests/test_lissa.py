"""LiSSA in blocks is the plain loop over draws; what is random about it is said."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.curvature import row_recursion
from influstat.errors import Diverged, DoubtfulResult, IndefiniteHessian, Unsupported
from influstat.input.design import Design
from influstat.solvers.lissa import _Draws
from tests.budget import examples, some
from tests.tolerance import CLOSED_FORM, INVERTED, SOLVED


def plain_lissa(curvature, rhs, *, depth, repeats, batch_size, C, seed):
    """Return u_depth / C of every repeat, shape (repeats, p): loops over everything, one vector."""
    n = len(curvature.share)
    rows = np.random.default_rng(seed).choice(n, size=(depth, repeats, batch_size), p=curvature.share)
    X = curvature.design.rows(np.arange(n))
    answers = []
    for repeat in range(repeats):
        u = rhs.copy()
        for step in range(depth):
            hessian_u = curvature.ridge.dot(u)
            for row in rows[step, repeat]:
                hessian_u = hessian_u + curvature.second[row] * X[row] * (X[row] @ u) / batch_size
            u = rhs + u - hessian_u / C
        answers.append(u / C)
    return np.array(answers)


def curvature_of(n=25, p=5, *, ridge="equal", weights=None, kind=np.asarray, seed=0):
    """Return a logistic Curvature whose ridge has one, two or many distinct entries, or none."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.7)
    penalty = {"none": ist.L2(0.0), "equal": ist.L2(4.0), "two": ist.L2(4.0, unpenalised=(1,))}.get(ridge)
    weights = rng.integers(1, 4, n) if weights is None else weights
    risk = ist.LinearRisk(ist.LogisticLoss(), kind(X), np.arange(n) % 2, penalty=penalty, weights=weights)
    curvature = risk.curvature(np.linspace(-1.0, 1.0, p))
    if ridge == "many":
        entries = np.linspace(0.0, 0.5, p)
        curvature = ist.Curvature(curvature.design, curvature.second, curvature.share, entries)
    return curvature


RIDGES = ["none", "equal", "two", "many"]

# -- the same numbers as the plain loop ---------------------------------------------------------------


@pytest.mark.parametrize("ridge", RIDGES)
@pytest.mark.parametrize("batch_size", [1, 3, 40])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("depth", [1, 24, 61])
def test_it_is_the_plain_loop_over_the_same_draws(ridge, batch_size, kind, depth):
    curvature = curvature_of(p=6, ridge=ridge, kind=kind)
    rhs = np.random.default_rng(1).standard_normal(6)
    solver = ist.LiSSA(depth=depth, repeats=4, batch_size=batch_size, seed=7)
    solution = solver.solve(curvature, rhs)
    answers = plain_lissa(
        curvature,
        rhs,
        depth=depth,
        repeats=4,
        batch_size=batch_size,
        C=curvature.row_sampler().bound(),
        seed=7,
    )
    mean = answers.mean(axis=0)
    np.testing.assert_allclose(solution.value, mean, rtol=INVERTED, atol=CLOSED_FORM)
    deviations = np.sum((answers - mean) ** 2) / (4 * 3)
    np.testing.assert_allclose(solution.spread, np.sqrt(deviations) / np.linalg.norm(mean), rtol=1e-8)
    assert solution.iterations == depth


@examples(30)
@given(
    st.sampled_from(RIDGES),
    st.integers(1, 4),
    st.integers(1, 80),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from([1, 2, 7, 24, 1000]),
    st.integers(0, 10**6),
)
def test_the_size_of_a_block_does_not_matter(ridge, p, depth, repeats, batch_size, block_rows, seed):
    curvature = curvature_of(n=8, p=p + 2, ridge=ridge, seed=seed)
    rhs = np.random.default_rng(seed + 1).standard_normal((p + 2, 2))
    solver = ist.LiSSA(depth=depth, repeats=repeats, batch_size=batch_size, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_recursion, "BLOCK_ROWS", 1)
        plain = solver.solve(curvature, rhs)
        patch.setattr(row_recursion, "BLOCK_ROWS", block_rows)
        blocks = solver.solve(curvature, rhs)
    size = np.abs(plain.value).max()
    np.testing.assert_allclose(blocks.value, plain.value, rtol=0, atol=SOLVED * size)


@pytest.mark.parametrize("entries", [1, 8, 30, 200])
def test_the_memory_of_a_block_does_not_matter(entries, monkeypatch):
    curvature, rhs = curvature_of(), np.ones(5)
    solver = ist.LiSSA(depth=50, repeats=3, batch_size=4)
    free = solver.solve(curvature, rhs)
    monkeypatch.setattr(row_recursion, "BLOCK_ENTRIES", entries)
    gathered, rows = [], Design.rows
    monkeypatch.setattr(
        Design, "rows", lambda self, chosen: gathered.append(len(chosen)) or rows(self, chosen)
    )
    np.testing.assert_allclose(solver.solve(curvature, rhs).value, free.value, rtol=CLOSED_FORM)
    assert max(gathered) * 5 <= max(entries, 3 * 5)  # one row of each repeat is the least


@pytest.mark.parametrize("strength", [1.0, 1.0 - 4e-15, 0.999, 1e-3])
def test_a_penalty_of_the_size_of_the_scale_leaves_nothing_of_the_step_before(strength):
    plain = curvature_of(p=6, ridge="two")
    C = 4.0
    ridge = np.where(np.arange(6) == 2, 0.1, strength * C)
    curvature = ist.Curvature(plain.design, plain.second * 0.1, plain.share, ridge)
    rhs = np.arange(1.0, 7.0)
    settings_ = {"depth": 70, "repeats": 2, "batch_size": 1, "seed": 3}
    truth = plain_lissa(curvature, rhs, C=C, **settings_).mean(axis=0)
    np.testing.assert_allclose(
        ist.LiSSA(scale=C, **settings_).solve(curvature, rhs).value, truth, rtol=INVERTED
    )


# -- the draws ------------------------------------------------------------------------------------------


def test_a_row_of_weight_zero_is_never_drawn():
    weights = np.array([0.0, 2.0, 0.0, 1.0, 3.0, 0.0])
    X = np.random.default_rng(0).standard_normal((6, 3))
    y = np.zeros(6)
    X[[0, 2, 5]] = 1e6  # would be seen at once
    everything = ist.LinearRisk(ist.SquaredError(), X, y, penalty=ist.L2(1.0), weights=weights)
    kept = weights > 0
    without = ist.LinearRisk(ist.SquaredError(), X[kept], y[kept], penalty=ist.L2(1.0), weights=weights[kept])
    solver = ist.LiSSA(depth=500, repeats=2)
    with_zeros, plain = (
        solver.solve(risk.curvature(np.zeros(3)), np.ones(3)) for risk in (everything, without)
    )
    np.testing.assert_allclose(with_zeros.value, plain.value, rtol=INVERTED)


def test_the_smallest_random_number_does_not_draw_a_leading_row_of_weight_zero():
    draws = _Draws(np.array([0.0, 0.0, 0.25, 0.75, 0.0]), ist.LiSSA(repeats=2, batch_size=1))

    class Extremes:
        def random(self, shape):
            return np.resize([0.0, np.nextafter(1.0, 0.0)], shape)

    draws.rng = Extremes()
    assert draws(1).ravel().tolist() == [2, 3]


def test_the_seed_decides_the_answer():
    curvature, rhs = curvature_of(), np.ones(5)
    first, again, other = (ist.LiSSA(depth=300, seed=seed).solve(curvature, rhs) for seed in (1, 1, 2))
    assert np.array_equal(first.value, again.value)
    assert not np.allclose(first.value, other.value, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("ridge", some(RIDGES))
@pytest.mark.parametrize("batch_size", [1, 4])
def test_its_expectation_is_the_taylor_series(ridge, batch_size):
    curvature = curvature_of(ridge=ridge)
    rhs, C = np.ones(5), curvature.row_sampler().bound()
    series = ist.Taylor(depth=150, scale=C).solve(curvature, rhs).value
    repeats = 3000
    solution = ist.LiSSA(depth=150, repeats=repeats, batch_size=batch_size, scale=C).solve(curvature, rhs)
    error = np.linalg.norm(solution.value - series) / np.linalg.norm(series)
    assert error < 2.5 * solution.spread < 0.05
    assert error > 0.1 * solution.spread


@pytest.mark.slow
def test_more_repeats_and_larger_batches_narrow_the_spread():
    curvature, rhs = curvature_of(), np.ones(5)

    def spread(**options):
        return float(ist.LiSSA(depth=400, **options).solve(curvature, rhs).spread)

    assert 1.6 < spread(repeats=200) / spread(repeats=800) < 2.5  # 2, were it not random itself
    assert 2.0 < spread(repeats=200) / spread(repeats=200, batch_size=9) < 4.5  # about 3


def test_one_repeat_knows_no_spread():
    assert np.isnan(ist.LiSSA(depth=10, repeats=1).solve(curvature_of(), np.ones(5)).spread)


def test_converged_is_a_residual_within_rtol():
    curvature, rhs = curvature_of(), np.ones(5)
    solution = ist.LiSSA(depth=2000).solve(curvature, rhs)
    residual = float(solution.residual)
    assert solution.converged == (residual <= 0.1)
    for rtol, converged in [(residual * 1.01, True), (residual * 0.99, False)]:
        assert ist.LiSSA(depth=2000, rtol=rtol).solve(curvature, rhs).converged == converged


# -- the scale ------------------------------------------------------------------------------------------


def uneven(share_of_large=0.1, large=6.0):
    """Return a Curvature with a few long rows: row bound 2 large^2, |H| about share_of_large of it."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2))
    X /= np.linalg.norm(X, axis=1)[:, None]
    X[: int(200 * share_of_large)] *= large
    return ist.LinearRisk(ist.SquaredError(), X, np.zeros(200), penalty=ist.L2(20.0)).curvature(np.zeros(2))


def test_without_a_scale_it_is_the_bound_of_every_row():
    curvature = uneven()
    assert ist.LiSSA().prepare(curvature).scale == curvature.row_sampler().bound()
    np.testing.assert_allclose(curvature.row_sampler().bound(), 2.0 * 36.0 + 20.0 / 200, rtol=CLOSED_FORM)


def test_below_half_of_the_row_bound_it_warns_and_answers():
    curvature = uneven()
    with pytest.warns(
        DoubtfulResult, match=r"scale C = 30 is below 36\.05.*one row: 72\.1.*use scale >= 36\.05"
    ):
        solution = ist.LiSSA(scale=30.0, depth=2000).solve(curvature, np.ones(2))
    truth = np.linalg.solve(curvature.to_dense(), np.ones(2))
    assert np.linalg.norm(solution.value - truth) < 6 * float(solution.spread) * np.linalg.norm(truth)
    ist.LiSSA(scale=36.1, depth=10).solve(curvature, np.ones(2))  # no warning


def test_a_large_batch_is_safe_at_a_smaller_scale():
    curvature = uneven()
    safe = (curvature.row_sampler().bound() + 15 * curvature.bound()) / 16 / 2
    assert safe < 10.0
    ist.LiSSA(scale=safe * 1.001, batch_size=16, depth=10).solve(curvature, np.ones(2))
    with pytest.warns(DoubtfulResult, match="larger batch_size"):
        ist.LiSSA(scale=safe * 0.999, batch_size=16, depth=10).solve(curvature, np.ones(2))


def test_up_to_half_of_the_largest_eigenvalue_it_is_refused():
    curvature = uneven()
    largest = np.linalg.eigvalsh(curvature.to_dense())[-1]
    with pytest.raises(Diverged, match=rf"not above half of the largest eigenvalue {largest:.6g} of H"):
        ist.LiSSA(scale=0.499 * largest).solve(curvature, np.ones(2))


def test_growth_by_unlucky_draws_is_reported_with_the_scale_that_prevents_it():
    curvature = uneven(share_of_large=0.02, large=30.0)
    largest = np.linalg.eigvalsh(curvature.to_dense())[-1]
    solver = ist.LiSSA(scale=0.55 * largest)
    with (
        pytest.warns(DoubtfulResult, match="the variance can grow with the depth"),
        pytest.raises(
            Diverged, match=r"grows without bound at scale C = .*Use scale >= 1800, the bound for one row"
        ),
    ):
        solver.solve(curvature, np.ones(2))
    assert ist.LiSSA(scale=1800.2, depth=2000).solve(curvature, np.ones(2)).residual < 1.0


def test_negative_curvature_is_called_that():
    X = np.array([[1.0, 1.0], [1.0, -1.0]])
    plain = ist.LinearRisk(ist.SquaredError(), X, np.zeros(2)).curvature(np.zeros(2))
    saddle = ist.Curvature(plain.design, np.array([2.0, -1.0]), plain.share, plain.ridge)
    with pytest.raises(IndefiniteHessian, match=r"curvature -1 along a direction of coefficients x0, x1"):
        ist.LiSSA(depth=500).solve(saddle, np.array([1.0, -1.0]))


def test_a_matrix_has_no_rows_to_draw():
    with pytest.raises(
        Unsupported, match=r"^operator must be a Curvature for LiSSA.*without rows.*ist\.Cholesky, ist\.Conj"
    ):
        ist.LiSSA().solve(np.eye(3), np.ones(3))
