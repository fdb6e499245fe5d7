"""Problems made to break a bound that is not one, and removals judged against the truth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st

import influstat as ist
from influstat.input.groups import read_groups, read_rows
from tests.cases import LOSSES, MORE_LOSSES, make_problem, problems
from tests.extended import LONG, Truth

# The share of removals that has to be certified: small, hard problems, most of them by Newton steps.
LEAST = {
    "squared error": 1.0,
    "logistic": 0.85,
    "signed logistic": 0.85,
    "smoothed hinge 1": 0.8,
    "smoothed hinge 0.1": 0.6,
    "smoothed hinge 0.01": 0.55,
}
CERTIFIABLE = [case for case in LOSSES if case.name in LEAST]
MORE = [case for case in MORE_LOSSES if case.name in ("Poisson", "pseudo-Huber")]
HUGE = np.finfo(np.float64).max / 1e6  # bounds add up fewer terms than that, none of them much larger
METHODS = ("newton", "second_order", "influence", "exact")
UNSAID = pytest.mark.filterwarnings("ignore:.* removals have bounds that are nan")  # test_bounds_said says it

# -- problems made to break a bound that is not one -------------------------------------------------------


def plain(rng, problem):
    """Leave the problem as it is drawn."""
    return problem


def nearly_separable(rng, problem):
    """Give labels that the columns all but determine, under a weak penalty: curvature changes fast."""
    if problem.case.targets == "real":
        return replace(problem, strength=1e-3)
    eta = problem.X @ rng.normal(size=problem.X.shape[1])
    low, high = np.unique(problem.y)
    y = np.where(eta > np.median(eta), high, low)
    y[:2] = low, high
    return replace(problem, y=y, strength=0.05, offset=None)


def one_lever(rng, problem):
    """Put one row far out, so that it has nearly all the leverage."""
    X = problem.X.copy()
    X[0] *= 30.0
    return replace(problem, X=X, strength=0.1)


def one_heavy(rng, problem):
    """Give one row half the weight, hence half the penalty if folded."""
    weights = rng.uniform(0.5, 1.5, problem.n)
    weights[0] = problem.n
    return replace(problem, weights=weights, strength=5.0, protocol="folded")


def strongly_folded(rng, problem):
    """Let the penalty's share be most of what leaves."""
    return replace(problem, strength=100.0, protocol="folded", weights=rng.uniform(0.1, 5.0, problem.n))


def other_units(rng, problem):
    """Measure the columns in units that differ by twelve powers of ten."""
    return replace(problem, X=problem.X * 10.0 ** rng.integers(-6, 7, problem.X.shape[1]), strength=1e-3)


SHAPES = [plain, nearly_separable, one_lever, one_heavy, strongly_folded, other_units]


def drawn(shape, case, seed):
    """Return a small problem of the given shape; the same seed gives the same one."""
    rng = np.random.default_rng(seed)
    problem = make_problem(
        case,
        int(rng.integers(6, 13)),
        int(rng.integers(1, 4)),
        seed,
        strength=float(rng.choice([0.05, 1.0, 10.0])),
        intercept=bool(rng.integers(2)),
        protocol=str(rng.choice(["fixed", "folded"])),
        weights=str(rng.choice(["ones", "positive", "counts", "zeros"])),
        offset=bool(rng.integers(2)),
        tests=2,
    )
    return shape(rng, replace(problem, X_test=3.0 * problem.X_test))


def drawn_groups(rng, n, groups):
    """Return single rows, or a few overlapping groups, some with more rows than columns."""
    if not groups:
        return read_rows(None, np.arange(n))
    return read_groups([rng.choice(n, int(rng.integers(1, n // 2)), replace=False) for _ in range(4)], n)


def remove(fit, groups, method):
    """Remove single rows or groups."""
    if groups.single and len(np.unique(groups.members)) == len(groups):
        return fit.leave_one_out(method=method, rows=groups.members)
    return fit.leave_groups_out([groups[k] for k in range(len(groups))], method=method)


# -- the law ----------------------------------------------------------------------------------------------


@st.composite
def certifiable(draw):
    """Draw a problem that a bound which is none would hardly survive, rows or groups to remove, a method.

    Weights over twelve decades, or 0; units over eight; a row of leverage up to 1 - 1e-6; labels that the
    columns all but determine; coefficients without a penalty; offsets; both protocols.
    """
    problem = draw(problems(losses=(*CERTIFIABLE, *MORE), rows=(6, 14), columns=(1, 4), decades=4))
    rng, n = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), problem.n
    X, weights, y = problem.X.copy(), problem.plain().weights.copy(), problem.y
    X[draw(st.integers(0, n - 1))] *= 10.0 ** draw(st.integers(0, 3))
    weights *= 10.0 ** (draw(st.sampled_from([0.0, 1.0, 3.0, 6.0])) * rng.uniform(-1.0, 1.0, n))
    if problem.case.targets in ("0/1", "-1/+1") and draw(st.booleans()):
        eta = X @ (rng.normal(size=X.shape[1]) / np.abs(X).max(axis=0).clip(1e-300))
        low, high = np.unique(y)
        y = np.where(eta > np.median(eta), high, low)
        y[:2] = low, high
    strength = problem.strength * 10.0 ** draw(st.integers(-3, 3))
    X_test = problem.X_test * 10.0 ** draw(st.integers(-2, 2))
    problem = replace(problem, X=X, weights=weights, y=y, strength=strength, X_test=X_test)
    return problem, drawn_groups(rng, n, groups=draw(st.booleans())), draw(st.sampled_from(METHODS))


class Judged:
    """Reported changes against the truth: errors and bounds in pairs of the same shape."""

    @np.errstate(over="ignore", invalid="ignore")  # losses beyond even these numbers are inf, and no truth
    def __init__(self, removal, problem, truth, true):
        self.removal = removal
        self.certified = removal.certificate.certified
        self.known = self.certified & np.isfinite(true).all(axis=1)
        X, y = problem.X_test, problem.y_test
        rows, before = problem.with_ones(X), removal.fit.theta.astype(LONG)[None]
        loss = truth.losses(true, rows, y) - truth.losses(before, rows, y)
        prediction = (true - before) @ rows.T
        self.pairs = {
            "theta": (removal.delta - (true - before), removal.theta_bound()),
            "prediction": (removal.prediction_change(X) - prediction, removal.prediction_bound(X)),
        }
        for linear in (False, True):
            change = removal.loss_change(X, y, linear=linear)
            self.pairs[f"loss, {linear = }"] = (change - loss, removal.loss_bound(X, y, linear=linear))
        # Nothing finite is promised where the squares of a row, or a loss that may be the true one, or the
        # change of the tangent are beyond float64.
        reach = np.nan_to_num(self.pairs["prediction"][1].astype(LONG))
        ends = [truth.loss.value(y, removal.theta @ rows.T + sign * reach) for sign in (-1, 1)]
        start = truth.losses(before, rows, y) + 0 * reach
        tangent = np.abs(truth.loss.first(y, before @ rows.T)) * (np.abs(removal.delta) @ np.abs(rows.T))
        squares = ((rows.astype(LONG) ** 2).sum(axis=1) < HUGE) & np.ones(reach.shape, dtype=bool)
        within = squares & (np.max(np.abs([*ends, start]), axis=0) < HUGE)
        self.promised = {
            "theta": np.ones(removal.theta.shape, dtype=bool),
            "prediction": squares,
            "loss, linear = False": within,
            "loss, linear = True": within & (tangent < HUGE),
        }
        self.effect = np.abs(true - before)

    def assert_sound(self):
        """Assert that no error is beyond its bound, and that bounds are there where they should be."""
        for name, (error, bound) in self.pairs.items():
            assert np.isfinite(bound[self.certified[:, None] & self.promised[name]]).all(), name
            assert not np.isnan(bound[self.certified]).any(), name
            assert np.isnan(bound[~self.certified]).all(), name
            beyond = np.abs(error[self.known]) > bound[self.known]
            assert not beyond.any(), f"{name}: {error[self.known][beyond]} beyond {bound[self.known][beyond]}"


def judged(problem, groups, method, *, disturb=None):
    """Remove the groups from the fit of a problem and judge the result; None if there is no fit.

    `disturb` changes theta-hat, as if the fit had not converged.
    """
    truth = Truth.of(problem)
    lists = [groups[k] for k in range(len(groups))]
    minimisers = truth.minimisers([*lists, []], np.zeros(problem.coefficients))
    true, theta = minimisers[:-1], minimisers[-1].astype(float)
    eta = truth.X.astype(float) @ theta
    if not (np.abs(eta) < 1e3).all():  # no minimum: where the loss is flat to the last digit, or nowhere
        return None
    fit = ist.Fit(problem.risk(), theta if disturb is None else disturb(theta), tolerance=np.inf)
    return Judged(remove(fit, groups, method), problem, truth, true)


class Opaque:
    """A risk that is not a LinearRisk."""

    def __init__(self, risk):
        self._risk = risk

    def __getattr__(self, name):
        return getattr(self._risk, name)
