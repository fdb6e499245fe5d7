"""`cross_validate` of rows in partitions: held-out losses as an answer, their means by fold, and scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import Unsupported
from influstat.input.groups import Indices
from influstat.input.labels import index_of
from influstat.input.printing import amount
from influstat.input.ranking import Moves, Ranked
from influstat.input.settings import flag
from influstat.input.validation import FloatArray, choice
from influstat.partitioned.answers.answer import Answer
from influstat.partitioned.block import Block
from influstat.partitioned.groups.held_out import (
    Collected,
    FoldTotals,
    HeldOutAlone,
    HeldOutByFolds,
    OfFold,
    TotalsByFold,
)
from influstat.partitioned.groups.leave_out import leave_groups_out
from influstat.partitioned.part import PartMinimum
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.removal.leave_out import PartitionedRemoval
from influstat.removal.leave_out import METHODS
from influstat.removal.scoring import NO_PREDICTION, Scorer, scorer_of, warn_of_no_scores

ALL = "each row alone"


@dataclass(frozen=True, eq=False, repr=False)
class PartitionedCrossValidation(Ranked):
    """Losses of rows in partitions that the coefficients have not seen.

    Attributes
    ----------
    row_losses : Answer
        "loss", "linear_predictor", "weight" and "status" of every row, with "fold" (its place in `labels`,
        -1 for none) and, where certified, "bound of loss"; to be reduced or written: nothing of the size of n
        is held.
    labels : ndarray, shape (k,)
        What the folds are called; one entry where each row was held out alone.
    rows : ndarray of int, shape (k,)
        How many rows each has.
    fold_losses : ndarray, shape (k,)
        Weighted mean of the losses of each fold's rows.
    mean : float
        Weighted mean over all rows in a fold; nan if one of them has no refit.
    method : str
        How theta without a fold was found.
    status : tuple of str
        "" or why a fold has no refit, or no score.
    theta : ndarray, shape (k, p), or None
        The coefficients without each fold; None where each row was held out alone.
    scores : ndarray, shape (k,), or None
        The score of each fold, where `scoring` was given.
    scoring : str
        What it is called, "" without one.

    Examples
    --------
    >>> import influstat as ist
    >>> data = ist.partitions(np.ones((3, 1)), np.array([1.0, 2.0, 6.0]), groups=["a", "a", "b"], rows=2)
    >>> fit = ist.Ridge(lam=0.0, protocol="fixed").fit(data)
    >>> print(fit.cross_validate())                         # (1 - 4)^2, (2 - 3.5)^2, (6 - 1.5)^2
    3 rows held out, each alone, refits by 'exact': mean loss 10.5
                    rows loss status
    each row alone     3 10.5
    """

    HEADING = "{0.held_out}, refits by {0.method!r}: {0.summary}"

    row_losses: Answer
    labels: NDArray[Any]
    rows: Indices
    fold_losses: FloatArray
    mean: float
    method: str
    status: tuple[str, ...]
    theta: FloatArray | None = None
    scores: FloatArray | None = None
    scoring: str = ""

    @property
    def count(self) -> int:
        """How many folds there are."""
        return len(self.labels)

    @property
    def held_out(self) -> str:
        """Which rows were held out together, in words."""
        if self.alone:
            return f"{amount(int(self.rows[0]), 'rows')} held out, each alone"
        return f"Rows held out by {amount(self.count, 'folds')}"

    @property
    def alone(self) -> bool:
        """Whether each row was held out alone; there is then one line for all of them."""
        return self.theta is None

    def in_short(self) -> str:
        """Return how many folds are done, and the three largest losses, in one line; "" without folds."""
        return "" if self.alone else super().in_short()

    @property
    def summary(self) -> str:
        """The mean loss, and the mean score where there is one, in words."""
        text = f"mean loss {self.mean:.6g}"
        return text if self.scores is None else f"{text}, {self.scoring} {float(np.mean(self.scores)):.6g}"

    def to_frame(self) -> Any:
        """Return a line for each fold: "rows", "loss", "score" where there are scores, and "status"."""
        import pandas as pd

        scores = {} if self.scores is None else {"score": self.scores}
        columns = {"rows": self.rows, "loss": self.fold_losses, **scores, "status": list(self.status)}
        return pd.DataFrame(columns, index=index_of(self.labels))

    def moves(self) -> Moves:
        """Return the losses of the folds: levels, no changes."""
        title = "Loss of the rows of each fold under the fit without it"
        return Moves(self.fold_losses[:, None], self.labels, ["loss"], title, "folds", called="loss")


def cross_validate(
    fit: Any, folds: Any, *, alone: bool, method: str, certified: bool, scoring: Any
) -> PartitionedCrossValidation:
    """Return held-out losses; see `PartitionedFit.cross_validate`."""
    choice("method", method, METHODS)
    bounds = flag("certified", certified)
    if alone:
        if scoring is not None:
            need = "be left out where each row is held out alone: no score is that of a single row"
            raise Unsupported("scoring", need, "is given", "Pass folds, or use row_losses.")
        return _one_by_one(fit, method, bounds=bounds)
    removal = leave_groups_out(fit, folds, method, "folds")
    assert removal.grouping is not None  # it was made from one
    proven = replace(removal.certificate, point=None) if bounds else None  # rows bring their own
    reasons = removal.status
    if proven is not None:
        reasons = tuple(a or b for a, b in zip(reasons, proven.status, strict=True))
    question = HeldOutByFolds(removal.grouping, removal.theta, reasons, proven)
    answer: Answer = fit.answer(question)
    totals: FoldTotals = answer.reduce(TotalsByFold(len(removal.labels)))
    scores, name, status = None, "", list(removal.status)
    if scoring is not None:
        scores, lacking, name = _scores(fit, question, scoring)
        status = [a or b for a, b in zip(status, lacking, strict=True)]
    with np.errstate(invalid="ignore"):  # a fold of weight 0 has no mean
        fold_losses = totals.losses / totals.weights
    mean = float(totals.losses.sum() / totals.weights.sum())
    known = removal.labels, removal.rows, fold_losses, mean, method, tuple(status), removal.theta
    return PartitionedCrossValidation(answer, *known, scores, name)


def _one_by_one(fit: Any, method: str, *, bounds: bool) -> PartitionedCrossValidation:
    answer = PartitionedRemoval(fit, method).read(HeldOutAlone(bounds))
    totals: FoldTotals = answer.reduce(TotalsByFold(1))
    mean = float(totals.losses[0] / totals.weights[0])
    rows = np.array([fit.risk.shape[0]])
    status = ("",) if not np.isnan(mean) else ("A row has no loss: its status says why.",)
    return PartitionedCrossValidation(answer, np.array([ALL]), rows, np.array([mean]), mean, method, status)


def _scores(fit: Any, question: HeldOutByFolds, scoring: Any) -> tuple[FloatArray, list[str], str]:
    """Return the score of each fold: one pass for each, whose targets and predictions are held."""
    scores, reasons, name = np.full(len(question.theta), np.nan), [""] * len(question.theta), ""
    for k, theta in enumerate(question.theta):
        if np.isnan(theta).any():
            reasons[k] = NO_PREDICTION
            continue
        found: Collected = fit.reduce(OfFold(question, fit.recipe, theta, k))
        y, eta = np.concatenate(found.y), np.concatenate(found.eta)
        scorer = _scorer(fit, y, scoring)
        name = scorer.name
        scores[k], reasons[k] = scorer.score(np.append(eta, np.zeros(2)))(np.arange(len(y)))
    warn_of_no_scores(name, reasons)
    return scores, reasons, name


def _scorer(fit: Any, y: FloatArray, scoring: Any) -> Scorer:
    """Return the scorer of a fold: two more targets, the least and the most, tell the classes of all rows."""
    recipe: Recipe = fit.recipe
    counted = fit.risk.counted
    targets = np.append(y, [counted.least, counted.most])
    one = Recipe(recipe.loss, ("x",), False, recipe.penalty, recipe.protocol, recipe.test_protocol)
    risk = one.risk(Block(np.zeros((len(targets), 1)), targets))
    assert risk is not None  # it has rows
    return scorer_of(PartMinimum(risk, np.zeros(1), None), scoring)
