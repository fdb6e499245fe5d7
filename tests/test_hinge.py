"""The exact hinge fit: certified by its own duality gap, and equal to slow references."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.svm import SVC

from influstat.datasets import load_iris_pair
from influstat.errors import InvalidArgument, NotConverged
from influstat.minimise import hinge_dual
from influstat.minimise.hinge import minimise_hinge
from tests.tolerance import ROUNDING



class Problem:
    """Arrays of a hinge problem, with the definitions written out."""

    def __init__(self, X, y, *, weights=None, offset=None, kappa=1.0, intercept=True):
        self.X, self.y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
        n = len(self.y)
        self.weights = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
        self.offset = np.zeros(n) if offset is None else np.asarray(offset, dtype=float)
        self.kappa, self.intercept = kappa, intercept

    def fit(self, **changes):
        arguments = {key: value for key, value in vars(self).items() if key not in ("X", "y")}
        return minimise_hinge(self.X, self.y, **(arguments | changes))

    def but(self, **changes):
        return Problem(**(vars(self) | changes))

    def rows(self, chosen):
        parts = {key: getattr(self, key)[chosen] for key in ("X", "y", "weights", "offset")}
        return self.but(**parts)

    @property
    def design(self):
        return np.column_stack([self.X, np.ones(len(self.y))]) if self.intercept else self.X

    def beta(self, theta):
        return theta[: self.X.shape[1]]

    def shortfall(self, theta):
        return 1.0 - self.y * (self.design @ theta + self.offset)

    def primal(self, theta):
        beta = self.beta(theta)
        return self.weights @ np.maximum(self.shortfall(theta), 0.0) + self.kappa / 2 * beta @ beta

    def dual(self, alpha):
        pull = self.X.T @ (alpha * self.y)
        return alpha @ (1.0 - self.y * self.offset) - pull @ pull / (2 * self.kappa)

    def rounding(self, theta):
        """What 64-bit arithmetic can do to each 1 - y eta."""
        return ROUNDING * (1.0 + np.abs(self.design) @ np.abs(theta) + np.abs(self.offset))


def random_problem(kind, n, p, seed, intercept=True, kappa=1.0, weights="ones", offset=0.0, scale=1.0):
    """Return a problem with both classes; `kind` says which degeneracy it has."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    if kind == "few values":
        X = rng.integers(-1, 2, (n, p)).astype(float)
    elif kind == "repeated rows":
        X = X[rng.integers(0, (n + 1) // 2, n)]
    elif kind == "collinear":
        X[:, -1] = X[:, 0]
    elif kind == "shifted":
        X += 100.0
    elif kind == "uneven units":
        X *= 10.0 ** rng.uniform(-3.0, 3.0, p)
    spread = 0.0 if kind == "separable" else np.abs(X).mean()
    eta = (X - X.mean(axis=0)) @ rng.standard_normal(p)
    y = np.where(eta + spread * rng.standard_normal(n) > 0, 1.0, -1.0)
    y[:2] = 1.0, -1.0
    w = {"ones": np.ones(n), "counts": rng.integers(0, 4, n).astype(float), "any": rng.uniform(0.0, 3.0, n)}
    w[weights][:2] += 1.0
    offsets = offset * rng.standard_normal(n)
    return Problem(scale * X, y, weights=w[weights], offset=offsets, kappa=kappa, intercept=intercept)


KINDS = ["noisy", "separable", "few values", "repeated rows", "collinear", "shifted", "uneven units"]
powers_of_ten = st.integers(-4, 4).map(lambda power: 10.0**power)
problems = st.builds(
    random_problem,
    kind=st.sampled_from(KINDS),
    n=st.integers(2, 30),
    p=st.integers(1, 8) | st.just(40),
    seed=st.integers(0, 10**6),
    intercept=st.booleans(),
    kappa=powers_of_ten,
    weights=st.sampled_from(["ones", "counts", "any"]),
    offset=st.sampled_from([0.0, 0.5, 10.0]),
    scale=st.sampled_from([0.01, 1.0, 100.0]),
)
ordinary = st.builds(  # well enough conditioned for theta itself to be compared
    random_problem,
    kind=st.sampled_from(["noisy", "few values", "repeated rows"]),
    n=st.integers(8, 30),
    p=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    intercept=st.booleans(),
    kappa=st.sampled_from([0.1, 1.0, 10.0]),
    weights=st.sampled_from(["ones", "counts", "any"]),
    offset=st.sampled_from([0.0, 0.5]),
)


def assert_same_theta(problem, solution, theta, other):
    """Assert that theta, carried here from the solution of an `other` form of the problem, is the minimiser.

    A duality gap E holds beta within sqrt(2 E / kappa) of the minimiser, as the risk bends by kappa; where
    many rows stand just on the margin that is all that is known. The kinks in b move along with beta.
    """
    p, rounding = problem.X.shape[1], problem.rounding(theta)
    gaps = (solution.duality_gap + other.duality_gap) * problem.weights.sum()
    # The objective's own digits; twice, here and in the other form.
    excess = gaps + 2.0 * (problem.weights @ rounding + ROUNDING * problem.primal(theta))
    assert problem.primal(theta) <= problem.primal(solution.theta) + excess
    reach = 2.0 * np.sqrt(2.0 * excess / problem.kappa)
    np.testing.assert_allclose(theta[:p], solution.theta[:p], rtol=0, atol=reach)
    moved = np.linalg.norm(problem.X, axis=1).max() * reach + rounding.max()
    np.testing.assert_allclose(theta[p:], solution.theta[p:], rtol=0, atol=moved)


# -- what certifies a solution ------------------------------------------------------------------------


@settings(max_examples=300)
@given(problems)
def test_the_duality_gap_is_what_it_says_and_at_most_1e_10_of_the_risk(problem):
    solution = problem.fit()
    theta, alpha = solution.theta, solution.dual
    assert theta.shape == (problem.design.shape[1],)
    assert ((alpha >= 0) & (alpha <= problem.weights)).all()
    if problem.intercept:
        assert abs(alpha @ problem.y) <= ROUNDING * alpha.sum()
    primal, total = problem.primal(theta), problem.weights.sum()
    allowance = problem.weights @ problem.rounding(theta)
    naive = primal - problem.dual(alpha)
    # The naive difference cancels: it knows the gap no better than to the rounding of its two terms.
    terms = primal + alpha @ np.abs(1.0 - problem.y * problem.offset)
    terms += np.abs(problem.X.T @ (alpha * problem.y)) @ (np.abs(problem.X).T @ alpha) / problem.kappa
    assert abs(solution.duality_gap * total - naive) <= ROUNDING * terms + allowance
    assert 0 <= solution.duality_gap * total <= 1e-10 * primal + allowance


@settings(max_examples=300)
@given(problems)
def test_the_optimality_conditions_hold_row_by_row(problem):
    solution = problem.fit()
    alpha, weights, shortfall = solution.dual, problem.weights, problem.shortfall(solution.theta)
    rounding = problem.rounding(solution.theta)
    short, beyond = shortfall > rounding, shortfall < -rounding
    np.testing.assert_allclose(alpha[short], weights[short], rtol=1e-9, atol=0)
    np.testing.assert_allclose(alpha[beyond], 0.0, atol=1e-9 * min(alpha.max(), weights.max()))
    pull = problem.X.T @ (alpha * problem.y)
    size = np.abs(problem.X).T @ alpha + problem.kappa * np.linalg.norm(problem.beta(solution.theta))
    np.testing.assert_array_less(
        np.abs(problem.kappa * problem.beta(solution.theta) - pull), 1e-9 * size + 1e-300
    )
    assert not (solution.margin & (short | beyond)).any()
    inside = (alpha > 1e-6 * alpha.max()) & (alpha < (1 - 1e-6) * weights)
    assert solution.margin[inside].all()


@settings(max_examples=100)
@given(problems, st.integers(0, 10**6))
def test_no_other_theta_has_a_smaller_risk(problem, seed):
    theta = problem.fit().theta
    rng = np.random.default_rng(seed)
    size = np.linalg.norm(theta) + 1e-3
    others = theta + size * 10.0 ** rng.uniform(-6, 1, (50, 1)) * rng.standard_normal((50, len(theta)))
    smallest = min(problem.primal(other) for other in [*others, np.zeros(len(theta))])
    assert problem.primal(theta) <= smallest * (1 + 1e-10) + problem.weights @ problem.rounding(theta)


@settings(max_examples=60)
@given(problems, st.integers(0, 10**6))
def test_the_gap_is_primal_minus_dual_at_any_feasible_point(problem, seed):
    rng = np.random.default_rng(seed)
    rows, target = problem.y[:, None] * problem.design, 1.0 - problem.y * problem.offset
    same = hinge_dual.HingeProblem(rows, target, problem.weights, problem.kappa, problem.intercept)
    alpha = same.feasible(rng.uniform(-0.5, 1.5, len(target)) * problem.weights)
    assert ((alpha >= 0) & (alpha <= problem.weights)).all()
    if problem.intercept:
        assert abs(alpha @ problem.y) <= ROUNDING * problem.weights.sum()
    theta = rng.standard_normal(rows.shape[1])
    expected = problem.primal(theta) - problem.dual(alpha)
    size = problem.primal(theta) + alpha @ np.abs(target)
    assert same.gap(theta, alpha) == pytest.approx(expected, rel=1e-10, abs=1e-12 * size)
    assert same.value(theta) == pytest.approx(problem.primal(theta), rel=1e-12)


# -- slow references ----------------------------------------------------------------------------------


def smallest_by_enumeration(problem):
    """Return the smallest objective, and its beta: every row is beyond, on or short of the margin."""
    p, n = problem.design.shape[1], len(problem.y)
    signed = problem.y[:, None] * problem.design
    target = 1.0 - problem.y * problem.offset
    penalty = np.diag([problem.kappa] * problem.X.shape[1] + [0.0] * problem.intercept)
    best = np.inf, None
    for places in product((0, 1, 2), repeat=n):
        on, short = (np.array(places) == place for place in (1, 2))
        k = int(on.sum())
        system = np.block([[penalty, -signed[on].T], [signed[on], np.zeros((k, k))]])
        right = np.concatenate([(problem.weights * short) @ signed, target[on]])
        theta = np.linalg.lstsq(system, right)[0][:p]
        for b in (problem.y * target - problem.X @ problem.beta(theta)) if problem.intercept else [None]:
            point = theta.copy()
            if b is not None:
                point[-1] = b  # some row's kink is among the optimal b
            best = min(best, (problem.primal(point), tuple(problem.beta(point))))
    return best


@settings(max_examples=60)
@given(
    st.builds(
        random_problem,
        kind=st.sampled_from(KINDS[:5]),
        n=st.integers(2, 5),
        p=st.integers(1, 3),
        seed=st.integers(0, 10**6),
        intercept=st.booleans(),
        kappa=st.sampled_from([0.1, 1.0, 10.0]),
        weights=st.sampled_from(["ones", "counts", "any"]),
        offset=st.sampled_from([0.0, 0.5]),
    )
)
def test_it_equals_trying_every_place_of_every_row(problem):
    value, beta = smallest_by_enumeration(problem)
    theta = problem.fit().theta
    assert problem.primal(theta) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(problem.beta(theta), beta, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["noisy", "separable", "few values", "repeated rows"])
@pytest.mark.parametrize("weights", ["ones", "any"])
def test_it_equals_libsvm(kind, weights):
    problem = random_problem(kind, 60, 4, seed=7, weights=weights, kappa=0.7)
    theta = problem.fit().theta
    svc = SVC(kernel="linear", C=1 / problem.kappa, tol=1e-10)
    svc.fit(problem.X, problem.y, sample_weight=problem.weights)
    theirs = problem.primal(np.append(svc.coef_[0], svc.intercept_))
    assert problem.primal(theta) <= theirs * (1 + 1e-13)
    # libsvm keeps its kernel matrix in float32.
    assert theirs <= problem.primal(theta) * (1 + 1e-6)
    np.testing.assert_allclose(problem.beta(theta), svc.coef_[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("t", [0.1, 0.01])
def test_the_smoothed_hinge_encloses_it(intercept, t):
    problem = random_problem("noisy", 40, 3, seed=3, weights="any", offset=0.5, intercept=intercept)

    def smoothed(theta):
        beta = problem.beta(theta)
        losses = t * np.logaddexp(0.0, problem.shortfall(theta) / t)
        return problem.weights @ losses + problem.kappa / 2 * beta @ beta

    theta = problem.fit().theta
    found = minimize(smoothed, np.zeros(len(theta)), method="BFGS", options={"gtol": 1e-3}).fun
    total, value = problem.weights.sum(), problem.primal(theta)
    assert found - t * np.log(2.0) * total - 1e-4 <= value <= found
    assert smoothed(theta) >= found - 1e-6


# -- the paper's figure 4 -----------------------------------------------------------------------------


@pytest.mark.usefixtures("data_dir")
def test_iris_has_the_numbers_of_figure_4():
    iris = load_iris_pair()
    order = np.random.RandomState(42).permutation(100)  # scikit-learn's train_test_split(test_size=0.1)
    assert iris.row_labels[order[:10]].tolist() == [133, 103, 120, 95, 94, 89, 72, 130, 60, 50]
    problem = Problem(iris.X[order[10:]], iris.y[order[10:]], kappa=2.0)
    solution = problem.fit()
    expected = [0.435113984, 0.612589316, -1.782647159, -1.717454917, 7.140333447]
    np.testing.assert_allclose(solution.theta, expected, rtol=0, atol=5.1e-10)
    assert problem.primal(solution.theta) / 90 == pytest.approx(0.200094514385, abs=5.1e-13)
    assert solution.margin.sum() == 3
    assert solution.duality_gap <= 1e-13  # rounding of 90 terms; the issue asks for 1e-10


@pytest.mark.usefixtures("data_dir")
def test_every_leave_one_out_refit_of_iris_is_certified():
    iris = load_iris_pair()
    order = np.random.RandomState(42).permutation(100)[10:]
    problem = Problem(iris.X[order], iris.y[order], kappa=2.0)
    whole = problem.fit()
    for row in range(90):
        without = problem.but(weights=np.arange(90) != row).fit()
        assert without.duality_gap <= 1e-13
        moved = np.linalg.norm(without.theta - whole.theta)
        assert (moved <= 1e-12) == (whole.dual[row] == 0)  # a row beyond the margin may go unnoticed


# -- laws ---------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(ordinary.filter(lambda problem: (problem.weights == problem.weights.round()).all()))
def test_whole_weights_equal_repeated_rows(problem):
    chosen = np.repeat(np.arange(len(problem.y)), problem.weights.astype(int))
    repeated = problem.rows(chosen).but(weights=np.ones(len(chosen)))
    once, often = problem.fit(), repeated.fit()
    assert_same_theta(problem, once, often.theta, often)
    differ = once.margin[chosen] != often.margin  # only where beta is not known to the last digit
    reach = np.linalg.norm(problem.X, axis=1).max() * np.linalg.norm(once.theta - often.theta)
    assert np.all(np.abs(repeated.shortfall(once.theta))[differ] <= 2.0 * reach)


@settings(max_examples=60)
@given(ordinary)
def test_weight_zero_equals_no_row(problem):
    solution, kept = problem.fit(), np.flatnonzero(problem.weights)
    without = problem.rows(kept).fit()
    assert (solution.dual[problem.weights == 0] == 0).all()
    # The search sees the same rows. The middle of an interval of b and the gap are from all of them, whose
    # products with theta are rounded otherwise where there are more.
    np.testing.assert_array_equal(problem.beta(solution.theta), problem.beta(without.theta))
    np.testing.assert_array_equal(solution.dual[kept], without.dual)
    rounding = problem.rounding(solution.theta)
    np.testing.assert_allclose(solution.theta, without.theta, rtol=0, atol=rounding[kept].max())
    allowed = problem.weights @ rounding / problem.weights.sum()
    assert abs(solution.duality_gap - without.duality_gap) <= allowed


@settings(max_examples=60)
@given(ordinary, st.integers(0, 10**6))
def test_the_order_of_rows_does_not_matter(problem, seed):
    order = np.random.default_rng(seed).permutation(len(problem.y))
    shuffled = problem.rows(order).fit()
    assert_same_theta(problem, problem.fit(), shuffled.theta, shuffled)


@settings(max_examples=60)
@given(ordinary, st.sampled_from([0.125, 3.0, 50.0]))
def test_units_of_x_and_of_the_weights_only_rescale_beta(problem, unit):
    solution, p = problem.fit(), problem.X.shape[1]
    rescaled = problem.but(X=unit * problem.X, kappa=unit**2 * problem.kappa).fit()
    carried = np.append(unit * rescaled.theta[:p], rescaled.theta[p:])
    assert_same_theta(problem, solution, carried, rescaled)
    heavier = problem.but(weights=unit * problem.weights, kappa=unit * problem.kappa).fit()
    assert_same_theta(problem, solution, heavier.theta, heavier)


@settings(max_examples=60)
@given(ordinary, st.integers(0, 10**6))
def test_rotated_columns_rotate_beta(problem, seed):
    p = problem.X.shape[1]
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((p, p)))[0]
    rotated = problem.but(X=problem.X @ rotation).fit()
    carried = np.append(rotation @ rotated.theta[:p], rotated.theta[p:])
    assert_same_theta(problem, problem.fit(), carried, rotated)


@settings(max_examples=60)
@given(ordinary.filter(lambda problem: problem.intercept), st.floats(-5.0, 5.0))
def test_a_constant_offset_and_a_shift_of_x_move_the_intercept_alone(problem, shift):
    solution, p = problem.fit(), problem.X.shape[1]
    offset = problem.but(offset=problem.offset + shift).fit()
    assert_same_theta(problem, solution, offset.theta + shift * np.eye(p + 1)[p], offset)
    shifted = problem.but(X=problem.X + shift).fit()
    carried = np.append(shifted.theta[:p], shifted.theta[p] + shift * shifted.theta[:p].sum())
    assert_same_theta(problem, solution, carried, shifted)


@settings(max_examples=60)
@given(ordinary)
def test_exchanged_labels_change_the_sign(problem):
    exchanged = problem.but(y=-problem.y, offset=-problem.offset).fit()
    assert_same_theta(problem, problem.fit(), -exchanged.theta, exchanged)


@settings(max_examples=60)
@given(st.integers(2, 12), st.floats(-3.0, 3.0), st.integers(0, 10**6))
def test_where_no_row_decides_the_intercept_is_the_middle_of_its_interval(pairs, shift, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2 * pairs, 2)) + shift
    problem = Problem(X, np.tile([1.0, -1.0], pairs), kappa=50.0 * pairs)  # beta too short for a margin
    solution = problem.fit()
    assert not solution.margin.any()
    assert (solution.dual == 1).all()
    ends = problem.y - X @ solution.theta[:2]
    low, high = ends[problem.y < 0].max(), ends[problem.y > 0].min()
    assert solution.theta[2] == pytest.approx((low + high) / 2, abs=1e-12)
    values = [problem.primal(np.append(solution.theta[:2], b)) for b in (low, high)]
    np.testing.assert_allclose(values, problem.primal(solution.theta), rtol=1e-14)


# -- degenerate data ----------------------------------------------------------------------------------

A_ROW = np.array([[2.0, -1.0]])


@pytest.mark.parametrize(
    ("problem", "theta", "margin"),
    [
        pytest.param(Problem([[1.0], [-1.0]], [1, -1], kappa=1e-6), [1, 0], [True, True], id="hard margin"),
        pytest.param(
            Problem([[1.0], [-1.0], [1.0 + 1e-9]], [1, -1, 1], kappa=0.1),
            [1, 0],
            [True, True, False],
            id="near",
        ),
        pytest.param(Problem([[1.0], [-1.0]], [1, -1], kappa=8.0), [0.25, 0], [False, False], id="short"),
        pytest.param(Problem([[3.0], [1.0]], [1, -1], kappa=1.0), [1, -2], [True, True], id="shifted"),
        pytest.param(Problem(A_ROW, [1], kappa=1.0, intercept=False), [0.4, -0.2], [True], id="one row"),
        pytest.param(
            Problem(A_ROW, [-1], kappa=50.0, intercept=False), [-0.04, 0.02], [False], id="one class"
        ),
        pytest.param(Problem(np.zeros((3, 2)), [1, 1, -1]), [0, 0, 1], [True, True, False], id="zeros"),
        pytest.param(
            Problem(np.zeros((2, 1)), [1, -1], intercept=False),
            [0.0],
            [False, False],
            id="zeros, no intercept",
        ),
        pytest.param(Problem(np.ones((3, 1)), [1, 1, -1]), [0, 1], [True, True, False], id="constant column"),
        pytest.param(Problem([[1.0], [-1.0]] * 4, [1, -1] * 4, kappa=1.0), [1, 0], [True] * 8, id="repeated"),
        pytest.param(Problem(np.zeros((4, 1)), [1, 1, -1, -1]), [0, 0], [False] * 4, id="balanced zeros"),
        pytest.param(
            Problem([[1.0], [2.0]], [1, -1], offset=[2.0, -4.0]),
            [0, 1],
            [False, False],
            id="offset separates",
        ),
        pytest.param(
            Problem([[1.0], [2.0]], [1, -1], offset=[1.0, -1.0]),
            [0, 0],
            [True, True],
            id="offset just separates",
        ),
        pytest.param(
            Problem([[1.0], [-1.0], [0.1]], [1, -1, 1], weights=[1, 1, 0]),
            [1, 0],
            [True, True, False],
            id="weight 0",
        ),
    ],
)
def test_known_answers(problem, theta, margin):
    solution = problem.fit()
    np.testing.assert_allclose(solution.theta, theta, rtol=1e-13, atol=1e-13)
    assert solution.margin.tolist() == margin
    assert solution.duality_gap <= 1e-13  # rounding of 90 terms; the issue asks for 1e-10


@pytest.mark.parametrize("kappa", [1e-10, 1e-4, 1e10])
@pytest.mark.parametrize("kind", KINDS)
def test_penalties_at_either_end_converge(kind, kappa):
    for seed in range(5):
        problem = random_problem(kind, 40, 6, seed, kappa=kappa)
        solution = problem.fit()
        slack = problem.weights @ problem.rounding(solution.theta)
        assert problem.primal(solution.theta) - problem.dual(solution.dual) <= (
            1e-10 * problem.primal(solution.theta) + slack
        )


@pytest.mark.parametrize(
    ("kind", "n", "p", "seed", "kappa", "scale", "offset", "weights"),
    [
        ("uneven units", 7, 2, 15322, 10.0, 1.0, 10.0, "any"),
        ("separable", 8, 7, 27014, 0.001, 1.0, 0.0, "ones"),
        ("collinear", 8, 6, 38896, 0.01, 1.0, 10.0, "ones"),
        ("few values", 5, 4, 54483, 1.0, 1.0, 0.5, "any"),
        ("noisy", 10, 5, 98714, 10.0, 100.0, 10.0, "any"),
    ],
)
def test_problems_where_steps_without_a_limit_go_in_circles(kind, n, p, seed, kappa, scale, offset, weights):
    problem = random_problem(kind, n, p, seed, kappa=kappa, scale=scale, offset=offset, weights=weights)
    assert problem.fit().iterations <= 30


# -- errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "weights", "found"), [([1, 1, 1], [1, 1, 1], r"\+1"), ([-1, 1, -1], [1, 0, 2], "-1")]
)
def test_one_class_with_a_free_intercept_is_refused(y, weights, found):
    problem = Problem([[1.0], [2.0], [4.0]], y, weights=weights)
    with pytest.raises(
        InvalidArgument, match=f"y must hold both classes.*but it holds only {found}. Add rows"
    ):
        problem.fit()
    assert problem.fit(intercept=False).duality_gap <= 1e-15


def test_too_few_steps_are_an_error_unless_the_tolerance_allows_them(monkeypatch):
    problem = random_problem("noisy", 30, 4, seed=1)
    full = problem.fit()
    monkeypatch.setattr(hinge_dual, "MAX_ITERATIONS", full.iterations + 1)
    np.testing.assert_array_equal(problem.fit().theta, full.theta)
    monkeypatch.setattr(hinge_dual, "MAX_ITERATIONS", full.iterations)
    sentence = (
        rf"stopped after {full.iterations - 1} interior-point steps with a duality gap of .*, above .* \(sum"
    )
    with pytest.raises(NotConverged, match=sentence):
        problem.fit()
    rough = problem.fit(tolerance=0.1)
    primal = problem.primal(rough.theta)
    gap = (primal - problem.dual(rough.dual)) / problem.weights.sum()
    assert rough.duality_gap == pytest.approx(gap, rel=1e-6)
    assert 1e-10 < rough.duality_gap / (primal / 30) < 0.1
