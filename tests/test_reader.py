"""A fit with a reader takes new rows as its caller has them: every room must ask the fit, not the risk."""

from dataclasses import dataclass

import numpy as np
import pytest

import influstat as ist
from influstat.input.reader import LabelledTable

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 2))
Y = (X @ [1.0, -2.0] + rng.normal(size=30) > 0).astype(float)
NEW, WORDS = rng.normal(size=(4, 2)), ["yes", "no", "no", "yes"]
CODES = np.array([1.0, 0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Millimetres:
    """Rows in millimetres and answers in words; the risk has metres and 0 or 1."""

    names: tuple[str, ...] | None = ("a", "b", "c", "d")

    def columns(self, table):
        return np.asarray(table) / 1000.0

    def targets(self, y):
        return np.array([1.0 if word == "yes" else 0.0 for word in y])

    def labels(self, table, y):
        return None if self.names is None else np.array(self.names)


RISK = ist.LinearRisk(ist.LogisticLoss(), X, Y, penalty=ist.L2(1.0), intercept=True)
PLAIN = ist.Fit.minimise(RISK)
READ = ist.Fit.minimise(RISK, reader=Millimetres())

QUESTIONS = {
    "predict": lambda fit, new, y: fit.predict(new, kind="mean"),
    "loss": lambda fit, new, y: fit.loss(new, y),
    "influence on losses": lambda fit, new, y: fit.influence().on_loss(new, y).values,
    "influence on predictions": lambda fit, new, y: fit.influence().on_prediction(new).values,
    "influence of inputs": lambda fit, new, y: ist.input_influence(fit, new, y).values,
    "loss change": lambda fit, new, y: fit.leave_one_out().loss_change(new, y),
    "linear loss change": lambda fit, new, y: fit.leave_one_out().loss_change(new, y, linear=True),
    "prediction change": lambda fit, new, y: fit.leave_one_out().prediction_change(new, kind="mean"),
    "prediction bound": lambda fit, new, y: fit.leave_one_out().prediction_bound(new, kind="mean"),
    "loss bound": lambda fit, new, y: fit.leave_one_out().loss_bound(new, y),
    "report": lambda fit, new, y: fit.removal_report(new, y).changes["exact"],
    "stream": lambda fit, new, y: ist.removal.loss_changes(fit, new, y).change,
    "predicted mean": lambda fit, new, y: ist.predicted_mean(fit, new).leave_one_out().change,
    "marginal effect": lambda fit, new, y: ist.average_marginal_effect(fit, X=new).value,
    "mislabelled": lambda fit, new, y: ist.find_mislabelled(fit, new, y, by="validation").score,
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_about_new_rows_reads_them_first(question):
    ask = QUESTIONS[question]
    # Not bit for bit: 1000 x / 1000 may round once.
    np.testing.assert_allclose(ask(READ, 1000.0 * NEW, WORDS), ask(PLAIN, NEW, CODES), rtol=1e-9, atol=1e-12)


def test_rows_are_called_as_the_reader_says():
    assert READ.influence().on_loss(NEW, WORDS).columns == ("a", "b", "c", "d")
    assert READ.influence().on_prediction(NEW).columns == ("a", "b", "c", "d")
    assert "test row a" in repr(
        ist.Fit(RISK, PLAIN.theta, reader=Millimetres(("a",))).removal_report(NEW[:1], ["no"])
    )
    unnamed = ist.Fit(RISK, PLAIN.theta, reader=Millimetres(None))
    assert unnamed.influence().on_loss(NEW, WORDS).columns == (0, 1, 2, 3)


def test_the_laws_hold_for_a_fit_with_a_reader():
    ist.checks.check_influence(READ, X=1000.0 * NEW, y=WORDS).assert_ok()


def test_labels_of_a_table_stand_whatever_index_the_targets_have():
    pd = pytest.importorskip("pandas")
    y = pd.Series(CODES, index=list("wxyz"))
    assert RISK.test_rows(NEW, y).row_labels.tolist() == list("wxyz")
    table = LabelledTable(NEW, np.array(list("abcd")))
    assert RISK.test_rows(table, y).row_labels.tolist() == list("abcd")
