"""The checks as a user meets them: reports, settings, one line per law in a test file, bad input."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import find

import influstat as ist
from influstat import checks, strategies
from influstat.checks.compare import compare
from influstat.errors import InvalidArgument, InvalidType
from influstat.losses import glm_families as families
from influstat.losses.glm import GLMLoss
from influstat.losses.glm_links import PowerLink
from tests.cases import LOSSES, MORE_LOSSES, make_problem
from tests.solver_cases import CASES, rows_alike

# -- one line per law: our own losses, solvers, a risk and a fit ----------------------------------------

PROBLEM = make_problem(LOSSES[2], 12, 3, seed=5, weights="zeros", strength=2.0, protocol="folded")

test_logistic = checks.laws(ist.LogisticLoss())
test_smoothed_hinge = checks.laws(ist.SmoothedHinge(0.01), width=0.01)
test_numerical = checks.laws(ist.NumericalLoss(lambda y, eta: np.log1p(np.exp(-y * eta))), y=[-1, 1])
test_risk = checks.laws(PROBLEM.risk, X=PROBLEM.X_test, y=PROBLEM.y_test)
test_fit = checks.laws(
    lambda: ist.Fit.minimise(PROBLEM.risk()), X=PROBLEM.X_test, y=PROBLEM.y_test, rows=[0, 3]
)
test_conjugate_gradient = checks.laws(ist.ConjugateGradient())
test_only = checks.laws(ist.PoissonLoss(), only=["mean"])


def smoothed_l1():
    return PROBLEM.risk(penalty=ist.SmoothedL1(2.0, t=0.1))


test_smoothed_l1 = checks.laws(smoothed_l1, X=PROBLEM.X_test, y=PROBLEM.y_test)
test_smoothed_l1_fit = checks.laws(lambda: ist.Fit.minimise(smoothed_l1()), rows=[1])


def test_laws_make_one_test_per_law():
    (mark,) = test_logistic.pytestmark
    assert mark.args == ("law", list(checks.LOSS_LAWS))
    assert test_only.pytestmark[0].args[1] == ["mean"]
    assert test_fit.pytestmark[0].args[1] == [*checks.FIT_LAWS, *checks.INFLUENCE_LAWS]


def test_a_failing_law_fails_its_test():
    class Wrong(ist.PoissonLoss):
        def mean(self, eta):
            return eta

    test = checks.laws(Wrong())
    test("first derivative")
    with pytest.raises(AssertionError, match="FAIL  mean"):
        test("mean")


@pytest.mark.parametrize("case", LOSSES + MORE_LOSSES, ids=str)
def test_every_public_loss_passes(case):
    checks.check_loss(case.loss, width=min(1.0, case.plain.width), seed=3).assert_ok()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_public_solver_passes(case):
    operator = rows_alike() if case.draws_rows else None
    checks.check_solver(case.solver, operator, rtol=1e-5).assert_ok()


@pytest.mark.parametrize("case", LOSSES + MORE_LOSSES, ids=str)
def test_a_risk_of_every_loss_passes(case):
    problem = make_problem(
        case, 10, 2, seed=9, offset=True, scales=(1e-4, 1e3), weights="zeros", strength=0.3
    )
    checks.check_risk(problem.risk(), X=problem.X_test, y=problem.y_test).assert_ok()


@pytest.mark.slow
def test_a_file_of_one_line_is_a_test_file(tmp_path):
    file = tmp_path / "test_my_loss.py"
    file.write_text("import influstat as ist\ntest_mine = ist.checks.laws(ist.PoissonLoss())\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", str(file)]
    tree = {**os.environ, "PYTHONPATH": str(Path(ist.__file__).parents[1])}  # no copy installed elsewhere
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=tree)
    assert f"{len(checks.LOSS_LAWS)} passed" in run.stdout, run.stdout


# -- reports ------------------------------------------------------------------------------------------


def test_a_report_reads_well_and_asserts():
    class Halved(ist.SquaredError):
        def second(self, y, eta):
            return np.ones(np.shape(eta))

    report = checks.check_loss(Halved())
    assert not report.passed
    assert [finding.law for finding in report.failures] == ["second derivative"]
    text = str(report)
    assert "Halved(): 1 of 12 laws do not hold" in text.splitlines()[0]
    assert "ok    first derivative" in text
    assert "FAIL  second derivative" in text
    assert "is 1, must be 2; off by a factor 0.50 everywhere" in text
    with pytest.raises(AssertionError, match="Halved"):
        report.assert_ok()
    with pytest.raises(InvalidArgument, match="law must be one of"):
        report["no such law"]
    checks.check_loss(ist.SquaredError()).assert_ok()


CAUSES = {
    "the sign is reversed": lambda a: -a,
    "off by a factor 2.00 everywhere": lambda a: 2.0 * a,
    "off by a factor 0.50 everywhere": lambda a: 0.5 * a,
    "off by a factor 1.3 everywhere": lambda a: 1.3 * a,
    "it is left out": lambda a: 0.0 * a,
    "a mean": lambda a: a / 6.0,
    "off by 0.25 of it": lambda a: a + 0.25 * np.arange(1.0, 7.0)[:, None],
    "it is transposed": lambda a: a.T,
    "rows are shifted by one down": lambda a: np.roll(a, 1, axis=0),
    "rows are shifted by one up": lambda a: np.roll(a, -1, axis=0),
    "the rows are right but in another order": lambda a: a[[3, 0, 4, 1, 5, 2]],
    "only column 4 is wrong": lambda a: a + np.eye(6)[4] * np.array([[3.0, 1.0, -2.0, 5.0, 1.0, 1.0]]).T,
    "is something computed in float32?": lambda a: a.astype("f4"),
    "is not finite": lambda a: np.where(a == a[1, 1], np.nan, a),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_likely_causes(cause):
    truth = np.random.default_rng(0).normal(size=(6, 6))
    found = compare(
        CAUSES[cause](truth),
        truth,
        tolerance=1e-9,
        factors={"a mean": 1.0 / 6.0},
        shifts={"off by {:g} of it": np.arange(1.0, 7.0)[:, None] * np.ones(6)},
    )
    assert not found.passed
    assert cause in found.cause
    assert compare(truth * (1.0 + 1e-12), truth, tolerance=1e-9).passed


def test_the_same_seed_checks_the_same_points():
    first, again = (str(checks.check_loss(ist.LogisticLoss(), seed=4)) for _ in range(2))
    assert first == again
    assert first != str(checks.check_loss(ist.LogisticLoss(), seed=5))


# -- bad input ------------------------------------------------------------------------------------------

RISK = PROBLEM.risk()
FIT = ist.Fit.minimise(RISK)
BAD = [
    (lambda: checks.check_loss(ist.LogisticLoss), InvalidType, "loss must be an instance with value"),
    (lambda: checks.check_loss("logistic"), InvalidType, "loss must .* has no value, first, second, third"),
    (lambda: checks.check_loss(ist.LogisticLoss(), y=[2.0]), InvalidArgument, "y must hold only the labels"),
    (lambda: checks.check_loss(ist.LogisticLoss(), width=0), InvalidArgument, "width must be greater than 0"),
    (lambda: checks.check_loss(ist.LogisticLoss(), laws=["x"]), InvalidArgument, "laws must name laws from"),
    (lambda: checks.check_risk(ist.LogisticLoss()), InvalidType, "risk must have all parts .* without shape"),
    (lambda: checks.check_risk(RISK, [1.0]), InvalidArgument, "theta must have one entry per coefficient"),
    (lambda: checks.check_fit(RISK), InvalidType, "fit must be a Fit"),
    (lambda: checks.check_influence(RISK), InvalidType, "fit must be a Fit"),
    (lambda: checks.check_influence(FIT, values=[1.0]), InvalidArgument, r"values must have shape \(12, 3\)"),
    (lambda: checks.check_influence(FIT, rows=[12]), InvalidArgument, "rows must be positions from 0 to 11"),
    (lambda: checks.check_solver(ist.Cholesky), InvalidType, "solver must be a solver"),
    (lambda: checks.check_solver(ist.Cholesky(), rtol=0.0), InvalidArgument, "rtol must be greater than 0"),
    (lambda: checks.laws(3.0), InvalidType, "subject must be a loss, a risk, a fit or a solver"),
    (lambda: checks.laws(ist.PoissonLoss(), only=["men"]), InvalidArgument, "only must name laws from"),
    (lambda: checks.check_influence(FIT, rows=[0, 0]), InvalidArgument, "rows must name each row once"),
    (
        lambda: checks.check_loss(ist.PoissonLoss(), y=[]),
        InvalidArgument,
        "y must hold targets, but it is empty",
    ),
    (lambda: checks.check_loss(Silent()), InvalidType, "check_targets must return an array, .* None"),
    (lambda: checks.check_influence(LEFT_OUT, rows=[1]), InvalidArgument, "rows must name rows of positive"),
    (lambda: find(strategies.groups(1), bool), InvalidArgument, "n must be at least 2"),
]


LEFT_OUT = ist.Ridge(lam=1.0).fit([[1.0], [2.0], [3.0]], [1.0, 0.0, 1.0], weights=[1.0, 0.0, 1.0])


class SlightlyOff:
    """A risk whose value is off by a millionth."""

    def __init__(self, right):
        self._right = right

    def __getattr__(self, name):
        return getattr(self._right, name)

    def value(self, theta):
        """Return too much."""
        return self._right.value(theta) * (1 + 1e-6)


def test_a_wrong_number_gets_a_cause_and_no_error():
    X, y = np.random.default_rng(0).normal(size=(9, 2)), np.resize([1.0, -1.0], 9)
    risk = ist.LinearRisk(ist.SignedLogisticLoss(), X, y, penalty=ist.L2(1.0), protocol="folded")
    report = checks.check_risk(SlightlyOff(risk), laws=["rows add up"])
    assert "agrees to 6 digits" in report["rows add up"].cause


class Silent(ist.PoissonLoss):
    """A loss whose check_targets forgot its return."""

    def check_targets(self, y):
        """Return nothing."""


@pytest.mark.parametrize(("call", "error", "sentence"), BAD)
def test_bad_input_is_refused(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


class NearlyRight(type(ist.LogisticLoss())):
    """A third derivative that is off by a millionth of itself."""

    def third(self, y, eta):
        return (1.0 + 1e-6) * super().third(y, eta)


def test_missing_digits_are_not_taken_for_rows_in_another_order():
    report = checks.check_loss(NearlyRight())
    assert not report["third derivative"].passed
    assert "another order" not in str(report)


def test_a_report_names_no_memory_address():
    class Plain:
        pass

    for name in ("check_targets", "value", "first", "second", "third", "mean", "mean_derivative"):
        setattr(Plain, name, lambda self, *a, _name=name: getattr(ist.LogisticLoss(), _name)(*a))
    Plain.self_concordance = 1.0
    report = checks.check_loss(Plain())
    assert report.passed
    assert " at 0x" not in str(report)


# -- losses that are not everywhere -------------------------------------------------------------------------

POLES = [(power, link) for power in (1.2, 1.5) for link in (-2.0, -1.0, -0.5, -0.3, 0.5, 1.0, 2.0)]


@pytest.mark.parametrize(("power", "link"), POLES)
def test_a_pole_is_no_loss_that_is_the_same_for_every_eta(power, link):
    report = checks.check_loss(GLMLoss(families.Tweedie(power), PowerLink(link)))
    assert not [one.cause for one in report.failures if one.law in ("targets", "digits")]
    assert not [one.cause for one in report.failures if one.cause.startswith("raises")]
    assert report.failures[0].law == ("form" if link not in (-0.5, 0.5) else "smoothness")


@pytest.mark.parametrize("pole", [np.inf, np.nan])
def test_a_loss_that_is_level_but_for_a_pole_is_the_same_for_every_eta(pole):
    loss = ist.NumericalLoss(lambda y, eta: np.where(eta == 0.0, pole, 0.0 * y))
    (finding,) = checks.check_loss(loss, laws=["targets"]).findings
    assert "the same for every eta" in finding.cause
