"""An interrupt never turns rows that were not done into an answer; and results travel between processes."""

import pickle
import re

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import influstat as ist
from influstat.errors import DoubtfulResult
from influstat.removal import leave_out

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(20, 2)), np.arange(20) % 2
DONE = 8  # rows of the first of the blocks


@pytest.fixture
def fit():
    return ist.Logistic(lam=1.0).fit(X, LABELS)


@pytest.fixture
def _interrupted(monkeypatch):
    """Blocks of `DONE` rows, and an interrupt in the second of each method."""

    class Interrupted:
        def __init__(self, method):
            self.method, self.calls, self.at_once, self.operations = method, 0, DONE, 0.0

        def remove(self, groups):
            self.calls += 1
            if self.calls > 1:
                raise KeyboardInterrupt
            return self.method.remove(groups)

    prepare = leave_out.prepare
    monkeypatch.setattr(leave_out, "prepare", lambda *settings: Interrupted(prepare(*settings)))


# Those whose results have one line per removal: the lines' values and status.
LINES = {
    "leave_one_out": (lambda fit: fit.leave_one_out(), "theta"),
    "newton": (lambda fit: fit.leave_one_out(method="newton"), "theta"),
    "leave_groups_out": (lambda fit: fit.leave_groups_out([[i, (i + 1) % 20] for i in range(20)]), "theta"),
    "cross_validate": (ist.cross_validate, "row_losses"),
    "certified": (lambda fit: ist.cross_validate(fit, certified=True), "error_bound"),
    "loss_changes": (lambda fit: ist.removal.loss_changes(fit, X[:1], LABELS[:1]), "change"),
    "functional": (lambda fit: ist.contrast(fit, [1, 0]).leave_one_out(), "change"),
    "inference": (lambda fit: fit.inference("HC0").leave_one_out(), "p_values"),
}
# Those whose results need every removal.
WHOLES = {
    "removal_report": lambda fit: fit.removal_report(X[:1], LABELS[:1], top=20),
    "jackknife": lambda fit: fit.covariance("jackknife"),
    "cluster jackknife": lambda fit: fit.covariance("cluster jackknife", groups=np.arange(20)),
    "inference": lambda fit: fit.inference("jackknife").table,
    "find_mislabelled": ist.find_mislabelled,
    "self_removal": lambda fit: ist.find_mislabelled(fit, by="self_removal", method="newton"),
    "stream": lambda fit: list(ist.removal.stream(fit)),
}


@pytest.mark.usefixtures("_interrupted")
@pytest.mark.filterwarnings("ignore:.*rows have no inference")
@pytest.mark.parametrize("name", LINES)
def test_lines_that_were_not_done_are_marked(name, fit):
    call, values = LINES[name]
    with pytest.warns(DoubtfulResult, match=f"Interrupted after {DONE} of 20 removals"):
        result = call(fit)
    status = result.status
    missing = np.isnan(np.reshape(getattr(result, values), (20, -1))).all(axis=1)
    assert missing.tolist() == [False] * DONE + [True] * (20 - DONE)
    assert list(status) == [""] * DONE + ["not done"] * (20 - DONE)


@pytest.mark.usefixtures("_interrupted")
@pytest.mark.parametrize("name", WHOLES)
def test_what_needs_every_removal_is_interrupted(name, fit):
    with pytest.raises(KeyboardInterrupt):
        WHOLES[name](fit)


def squares(theta):
    return theta**2


RESULTS = {
    "Fit": lambda fit: fit,
    "HingeFit": lambda fit: ist.HingeSVC(lam=1.0).fit(X, 2 * LABELS - 1),
    "HingeRemoval": lambda fit: ist.HingeSVC(lam=1.0).fit(X, 2 * LABELS - 1).leave_one_out(rows=[0]),
    "fit of scikit-learn": lambda fit: ist.from_sklearn(
        LogisticRegression(tol=1e-10).fit(X, LABELS), X, LABELS
    ),
    "Influence": lambda fit: fit.influence(),
    "Scores": lambda fit: fit.influence().on_theta(),
    "Ranking": lambda fit: fit.influence().on_loss(X[:1], LABELS[:1]).top(2),
    "Flags": lambda fit: fit.flags(),
    "OutlierTest": lambda fit: fit.outlier_test(),
    "PredictionIntervals": lambda fit: ist.prediction_intervals(
        ist.Ridge(lam=1.0).fit(X, LABELS), X[:2], level=0.5
    ),
    "Removal": lambda fit: fit.leave_one_out(method="newton"),
    "Certificate": lambda fit: fit.leave_one_out(method="newton").certificate,
    "RemovalReport": lambda fit: fit.removal_report(X[:1], LABELS[:1]),
    "LossChanges": lambda fit: ist.removal.loss_changes(fit, X[:1], LABELS[:1]),
    "CrossValidation": ist.cross_validate,
    "Inference": lambda fit: fit.inference(),
    "InferenceTable": lambda fit: fit.inference().leave_one_out(),
    "breakdown": lambda fit: fit.breakdown(0),
    "breakdown of significance": lambda fit: fit.inference().breakdown(0, budget_seconds=0.1),
    "breakdown of a ratio": lambda fit: (
        ist.Ridge(lam=0.0)
        .fit(X, LABELS)
        .inference()
        .breakdown(0, test="likelihood ratio", budget_seconds=0.1)
    ),
    "breakdown of a functional": lambda fit: ist.odds_ratio(fit).breakdown(0, at=1.0, budget_seconds=0.1),
    "functional": lambda fit: ist.functional(fit, squares),
    "contrast": lambda fit: ist.contrast(fit, [1.0, -1.0]),
    "predicted_mean": lambda fit: ist.predicted_mean(fit, X[:2]),
    "odds_ratio": ist.odds_ratio,
    "average_marginal_effect": ist.average_marginal_effect,
    "FunctionalChange": lambda fit: ist.odds_ratio(fit).leave_one_out(),
    "InputScores": lambda fit: ist.input_influence(fit, X[:1], LABELS[:1]),
    "Suspects": ist.find_mislabelled,
    "Report": lambda fit: ist.checks.check_loss(ist.LogisticLoss()),
    "LinearRisk": lambda fit: fit.risk,
    "Hessian": lambda fit: fit.hessian,
    "diagnostics": lambda fit: fit.diagnostics(),
    "summary": lambda fit: fit.summary(),
    "report": lambda fit: fit.report(fit.names[0]),
    "Breakdown": lambda fit: fit.breakdown(fit.names[0], budget_seconds=0.0),
}


@pytest.mark.dear
@pytest.mark.parametrize("name", RESULTS)
def test_results_pickle(name, fit):
    result = RESULTS[name](fit)
    again = pickle.loads(pickle.dumps(result))
    assert type(again) is type(result)
    address = r" at 0x\w+"
    assert re.sub(address, "", repr(again)) == re.sub(address, "", repr(result))
    if isinstance(result, ist.Functional):
        np.testing.assert_array_equal(again.leave_one_out().change, result.leave_one_out().change)
