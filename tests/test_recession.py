"""Is there one finite minimiser? Tables of separated, half separated and overlapping data."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import linprog

import influstat as ist
from influstat.errors import InvalidArgument, NoMinimiser, SingularHessian
from influstat.losses import glm_families as families
from influstat.losses.glm import GLMLoss
from influstat.losses.glm_links import PowerLink
from influstat.minimise.existence import FEW, falls_for_ever
from influstat.minimise.far_out import falls_evenly, is_straight
from tests.budget import examples

LINE = np.arange(-3.0, 4.0)[:, None]
CLASSIFIERS = {
    "logistic": (ist.LogisticLoss(), (0, 1)),
    "signed logistic": (ist.SignedLogisticLoss(), (-1, 1)),
    "smoothed hinge 1": (ist.SmoothedHinge(1.0), (-1, 1)),
    "smoothed hinge 0.01": (ist.SmoothedHinge(0.01), (-1, 1)),
}
each_classifier = pytest.mark.parametrize("name", CLASSIFIERS)


def fit(name, X, upper, **options):
    """Minimise the risk of rows whose label is the upper one where `upper` says so."""
    loss, labels = CLASSIFIERS[name]
    return ist.Fit.minimise(ist.LinearRisk(loss, X, np.where(upper, labels[1], labels[0]), **options))


# X, which rows have the upper label, further arguments, a coefficient that the sentence names
UNBOUNDED = {
    "separated by a slope": (LINE, LINE[:, 0] > 0.5, {"intercept": True}, "x0"),
    "separated by a slope alone": (LINE[LINE[:, 0] != 0], LINE[LINE[:, 0] != 0, 0] > 0, {}, "x0"),
    "one class, free intercept": (LINE, np.ones(7, bool), {"intercept": True, "penalty": ist.L2(1.0)}, "int"),
    "one class left by the weights": (
        LINE,
        np.arange(7) > 0,
        {"intercept": True, "penalty": ist.L2(1.0), "weights": [0.0, 1, 1, 1, 1, 1, 1]},
        "intercept",
    ),
    "a tie at the boundary": (
        np.array([[-1.0], [0.0], [0.0], [1.0]]),
        np.array([False, False, True, True]),
        {},
        "x0",
    ),
    "a group of one class": (
        np.column_stack([np.resize([-2.0, 2.0, 1.0, -1.0], 40), np.arange(40) < 5]),
        (np.arange(40) < 5) | (np.arange(40) % 3 == 0),
        {"intercept": True},
        "x1",
    ),
    "a free column separates, the rest is penalised": (
        np.column_stack([LINE[:, 0], np.resize([1.0, -1.0], 7)]),
        LINE[:, 0] > 0.5,
        {"intercept": True, "penalty": ist.L2(1.0, unpenalised=["x0"])},
        "x0",
    ),
    "an offset that saturates": (
        LINE,
        LINE[:, 0] > 0.5,
        {"intercept": True, "offset": np.full(7, 1e3)},
        "x0",
    ),
}


@each_classifier
@pytest.mark.parametrize("case", UNBOUNDED)
def test_a_risk_without_a_minimum_is_refused_with_the_columns_involved(name, case):
    X, upper, options, involved = UNBOUNDED[case]
    with pytest.raises(
        NoMinimiser, match=rf"^The risk has no finite minimiser: .* involves [^(]*{involved}.*lam > 0"
    ):
        fit(name, X, upper, **options)


@pytest.mark.dear
@each_classifier
def test_sparse_data_and_columns_of_any_unit_are_refused_alike(name):
    X, upper, options, involved = UNBOUNDED["a group of one class"]
    for form in (sp.csr_array(X), X * np.array([1e6, 1e-6])):
        with pytest.raises(NoMinimiser, match=f"involves {involved}"):
            fit(name, form, upper, **options)


BOUNDED = {
    "overlap": (np.vstack([LINE, LINE]), np.repeat([False, True], 7), {"intercept": True}),
    "separated, but penalised": (LINE, LINE[:, 0] > 0.5, {"intercept": True, "penalty": ist.L2(0.01)}),
    "one class, no intercept, penalised": (LINE, np.ones(7, bool), {"penalty": ist.L2(1.0)}),
    "one row on the wrong side": (LINE, (LINE[:, 0] > 0.5) ^ (np.arange(7) == 5), {"intercept": True}),
    "one row barely on the wrong side": (
        np.vstack([LINE, [[1e-3], [-1e-3]]]),
        np.append(LINE[:, 0] > 0.5, [False, True]),
        {"intercept": True},
    ),
}


@each_classifier
@pytest.mark.parametrize("case", BOUNDED)
def test_a_minimum_that_is_there_is_found(name, case):
    X, upper, options = BOUNDED[case]
    if case == "overlap" and name == "smoothed hinge 0.01":  # there, but where its curvature is e^-100
        with pytest.raises(SingularHessian, match="singular in float64"):
            fit(name, X, upper, **options)
        return
    assert fit(name, X, upper, **options).stationarity <= 1e-12


@pytest.mark.parametrize("name", ["logistic", "smoothed hinge 1"])
@examples(40)
@example(26834, 3, 1.46875)  # separated by so little that a perceptron does not find it
@given(st.integers(0, 10**6), st.integers(1, 3), st.floats(-3.0, 3.0))
def test_shifting_one_class_along_a_direction_separates_it_or_not(name, seed, p, shift):
    rng = np.random.default_rng(seed)
    lower, upper = rng.uniform(-1.0, 1.0, (12, p)), rng.uniform(-1.0, 1.0, (12, p))
    upper[:, 0] += shift
    X = np.vstack([lower, upper])
    labels = np.repeat([False, True], 12)
    if abs(shift) > 2.0:  # no two values of x0 meet
        with pytest.raises(NoMinimiser):
            fit(name, X, labels, intercept=True)
        return
    try:
        assert fit(name, X, labels, intercept=True).stationarity <= 1e-12
    except NoMinimiser:
        assert separating_direction(X, labels)


def separating_direction(X, labels):
    """Tell by the widest margin whether some plane has the classes on its two sides, or one class on it."""
    rows = np.column_stack([X, np.ones(len(X))]) * np.where(labels, 1.0, -1.0)[:, None]
    n, p = rows.shape
    # Maximise t with rows direction >= t and entries of the direction in a box.
    found = linprog(
        np.append(np.zeros(p), -1.0),
        A_ub=np.column_stack([-rows, np.ones(n)]),
        b_ub=np.zeros(n),
        bounds=[(-1.0, 1.0)] * p + [(None, 1.0)],
    )
    return (
        found.x[-1] > 1e-9
    )  # the programme's own tolerance is 1e-7 of its rows, whose entries are of order 1


def test_a_squared_error_always_has_a_minimum():
    assert ist.Ridge(lam=0.0).fit(LINE, LINE[:, 0] > 0).stationarity <= 1e-12


@pytest.mark.parametrize(
    ("model", "labels"),
    [
        (ist.Logistic(), (0, 1)),
        (ist.Logistic(labels=(-1, 1), intercept=True), (-1, 1)),
        (ist.SmoothedSVC(), (-1, 1)),
        (ist.HingeSVC(), (-1, 1)),
        (ist.HingeSVC(intercept=False), (-1, 1)),
    ],
)
@pytest.mark.parametrize("only", [0, 1])
def test_classifiers_refuse_rows_of_one_class(model, labels, only):
    sentence = f"^y must hold both classes in the rows of positive weight, but it holds only {labels[only]}"
    with pytest.raises(InvalidArgument, match=sentence):
        model.fit(LINE, np.full(7, labels[only]))
    one_other = np.full(7, labels[only])
    one_other[6] = labels[1 - only]
    with pytest.raises(InvalidArgument, match=sentence):
        model.fit(LINE, one_other, weights=[1, 1, 1, 1, 1, 1, 0])
    assert np.isfinite(model.fit(LINE, one_other).theta).all()


def test_a_column_of_zeros_is_named():
    X = np.column_stack([LINE, np.zeros(7)])
    with pytest.raises(SingularHessian, match="x1"):
        fit("logistic", np.vstack([X, X]), np.repeat([False, True], 7), intercept=True)


class NotANumberFarOut(ist.SignedLogisticLoss):
    """The slope as e^x / (1 + e^x), which is inf / inf beyond 710."""

    def first(self, y, eta):
        """Return the slope."""
        return -y * np.exp(-y * eta) / (1.0 + np.exp(-y * eta))


@pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")  # inf / inf is the point
def test_a_slope_that_is_nan_far_out_is_asked_nearer_by():
    X, y = np.arange(5.0)[:, None], np.array([-1.0, 1.0, -1.0, 1.0, 1.0])
    found, right = (
        ist.Fit.minimise(ist.LinearRisk(loss, X, y, penalty=ist.L2(1.0), intercept=True)).theta
        for loss in (NotANumberFarOut(), ist.SignedLogisticLoss())
    )
    np.testing.assert_allclose(found, right, rtol=1e-9)


INSIDE = {  # losses that are there for eta > 0 alone, or with a mean that is even in eta
    "Gamma": GLMLoss(families.Gamma(), PowerLink(-1.0)),
    "inverse Gaussian": GLMLoss(families.InverseGaussian(), PowerLink(-2.0)),
    "Poisson": GLMLoss(families.Poisson(), PowerLink(1.0)),
    "Tweedie": GLMLoss(families.Tweedie(1.5), PowerLink(-0.5)),
    "a function": ist.NumericalLoss(lambda y, eta: y * eta - np.log(eta)),
}


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of the function's own logarithm
@pytest.mark.parametrize("name", INSIDE)
def test_leaving_the_domain_of_a_loss_is_no_way_to_fall_for_ever(name):
    """Three dummies beside a constant: minima there are, and the means of the groups are theirs."""
    groups = np.resize([0, 1, 2], 12)
    X = np.column_stack([np.ones(12), np.eye(3)[groups]])
    y = np.resize([0.5, 1.0, 2.0, 1.5, 0.25], 12)
    fit = ist.Fit.minimise(ist.LinearRisk(INSIDE[name], X, y), start=np.array([1.0, 0.1, 0.1, 0.1]))
    means = np.array([y[groups == k].mean() for k in range(3)])
    power = {"inverse Gaussian": -2.0, "Poisson": 1.0, "Tweedie": -0.5}.get(name, -1.0)
    np.testing.assert_allclose(X[:3] @ fit.theta, means**power, rtol=1e-8)


# -- losses that nothing bends ------------------------------------------------------------------------------


class Line(ist.Loss):
    """A line of one slope for every row, with derivatives of its own."""

    self_concordance = 0.0
    slope = 3.0

    def check_targets(self, y):
        return np.asarray(y, dtype=float)

    def value(self, y, eta):
        return self.slope * eta - y

    def first(self, y, eta):
        return np.full(np.shape(eta), self.slope)

    def second(self, y, eta):
        return np.zeros(np.shape(eta))

    third = mean = mean_derivative = second


class Declared(Line):
    """The same, which says that its curvature is constant."""

    quadratic = 0.0


class Level(Line):
    """A loss that knows nothing of eta."""

    slope = 0.0


class Differenced(ist.DifferencedLoss):
    def value(self, y, eta):
        return 3.0 * eta - y


LINES = {
    "by complex steps": ist.NumericalLoss(lambda y, eta: 3.0 * eta - y),
    "by differences": ist.NumericalLoss(lambda y, eta: 3.0 * eta.real - y),
    "of slope y": ist.NumericalLoss(lambda y, eta: y * eta),
    "level": ist.NumericalLoss(lambda y, eta: y + 0.0 * eta),
    "own value": Differenced(),
    "own derivatives": Line(),
    "constant curvature": Declared(),
    "level, own derivatives": Level(),
}
DRAWN = np.random.default_rng(0).normal(size=(6, 3))
ROWS = {
    "a mean": np.ones((6, 1)),
    "an intercept": np.column_stack([np.ones(6), DRAWN[:, 0]]),
    "two columns": DRAWN[:, :2],
}


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("name", LINES)
def test_a_loss_that_is_a_straight_line_is_said_to_be_one(name, rows):
    X = ROWS[rows]
    for penalty in (None, *([ist.L2(1.0, unpenalised=[0])] if X.shape[1] > 1 else [])):
        with pytest.raises(
            NoMinimiser, match="^The risk has no unique minimiser: the loss is a straight line"
        ):
            ist.Fit.minimise(ist.LinearRisk(LINES[name], X, DRAWN[:, 2], penalty=penalty))
    held = ist.Fit.minimise(ist.LinearRisk(LINES[name], X, DRAWN[:, 2], penalty=ist.L2(1.0)))
    slopes = {"of slope y": DRAWN[:, 2]}.get(name, 0.0 if "level" in name else 3.0) * np.ones(6)
    np.testing.assert_allclose(held.theta, -X.T @ slopes, rtol=1e-9, atol=1e-12)  # theta = -sum of slopes


@pytest.mark.parametrize("loss", [ist.HuberLoss(1.0), ist.PseudoHuberLoss(1e-3), ist.SmoothedHinge(1e-3)])
def test_a_loss_that_bends_somewhere_is_not_said_to_be_straight(loss):
    y = np.where(DRAWN[:, 2] > 0, 1.0, -1.0) * (1.0 if isinstance(loss, ist.SmoothedHinge) else 1e6)
    risk = ist.LinearRisk(loss, ROWS["an intercept"], y)
    for theta in (np.zeros(2), np.array([1e8, 0.0])):
        assert not is_straight(risk, theta)


# -- losses with a largest slope, against a penalty or each other -----------------------------------------


class Counts:
    """The Poisson loss of a user who checks no targets."""

    self_concordance = 1.0

    def check_targets(self, y):
        return np.asarray(y, dtype=float)

    def value(self, y, eta):
        return np.exp(eta) - y * eta

    def first(self, y, eta):
        return np.exp(eta) - y

    def second(self, y, eta):
        return np.exp(eta)

    third = second
    mean = mean_derivative = lambda self, eta: np.exp(eta)


BENT = {
    "pseudo-Huber": (ist.PseudoHuberLoss(0.5), [1.0, -2.0, 0.5, 1.5, -1.0, 0.0, 2.0], 5.0),
    "Huber": (ist.HuberLoss(0.5), [1.0, -2.0, 0.5, 1.5, -1.0, 0.0, 2.0], 5.0),
    "smoothed check": (ist.SmoothedCheck(0.5, 0.1), [1.0, -2.0, 0.5, 1.5, -1.0, 0.0, 2.0], 5.0),
    "logistic": (ist.LogisticLoss(), [0, 1, 0, 1, 0, 1, 0], 5.0),
    "smoothed hinge": (ist.SmoothedHinge(0.1), [-1, 1, -1, 1, -1, 1, -1], 10.0),
}


@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize("name", BENT)
def test_a_linear_penalty_that_outweighs_the_losses_leaves_no_minimum(name, side):
    loss, y, most = BENT[name]  # `most` is above what any slope there can hold: half of sum |x_i|, or all
    for penalty in (ist.Linear([3.0 * most * side]), ist.L2(0.0) + ist.Linear([3.0 * most * side])):
        with pytest.raises(NoMinimiser, match=r"falls as far as it can be followed .* involves x0.*ist.L2"):
            ist.Fit.minimise(ist.LinearRisk(loss, LINE, y, penalty=penalty))
    held = ist.LinearRisk(loss, LINE, y, penalty=ist.Linear([3.0 * most * side]) + ist.L2(1e-3))
    assert ist.Fit.minimise(held).stationarity <= 1e-12
    weak = ist.LinearRisk(loss, LINE, y, penalty=ist.Linear([0.1 * side]))
    assert ist.Fit.minimise(weak).stationarity <= 1e-12


@pytest.mark.parametrize(("targets", "pull"), [([100.0, 300.0], 4.0), ([-100.0, -300.0], -4.0)])
def test_a_fall_is_seen_too_where_a_search_ended_on_its_other_side(targets, pull):
    risk = ist.LinearRisk(ist.HuberLoss(1.0), [[1.0], [2.0]], targets, penalty=ist.Linear([pull]))
    with pytest.raises(NoMinimiser, match="falls as far as it can be followed"):
        ist.Fit.minimise(risk)


@pytest.mark.parametrize(("strength", "falls"), [(0.0, True), (1e-9, False), (1e-6, False)])
def test_a_weak_square_penalty_ends_the_fall_far_out(strength, falls):
    penalty = ist.Linear([4.0]) + ist.L2(strength)  # slopes of the losses end at 3
    risk = ist.LinearRisk(ist.HuberLoss(1.0), [[1.0], [2.0]], [1.0, 3.0], penalty=penalty)
    assert falls_evenly(risk, np.array([-1.0])) is falls


def test_targets_beyond_what_a_loss_can_fit_are_no_collinear_columns():
    y = np.array([1.0, -2.0, 0.5, 1.5, -1.0, -3.0, 2.0])  # of mean below 0
    with pytest.raises(NoMinimiser, match=r"falls as far as it can be followed .*correct y"):
        ist.Fit.minimise(ist.LinearRisk(Counts(), LINE, y, intercept=True))
    ist.Fit.minimise(ist.LinearRisk(Counts(), LINE, np.abs(y), intercept=True))


def test_rows_far_down_tell_that_a_risk_rises():
    x = np.linspace(-1.0, 1.0, 2 * FEW)
    x[:FEW] = np.where(np.arange(FEW) % 2, 1.0, -1.0)
    y = 1.0 * (x > 0.0)
    assert falls_for_ever(ist.LinearRisk(ist.LogisticLoss(), x[:, None], y), np.ones(1))
    y[-1] = 0.0
    assert not falls_for_ever(ist.LinearRisk(ist.LogisticLoss(), x[:, None], y), np.ones(1))
