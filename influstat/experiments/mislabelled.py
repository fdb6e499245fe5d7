"""Section 5.2 of the paper (a TODO there): how soon each score finds labels that were flipped.

In every round the model is fitted to the labels as they are, the rows not yet checked are ranked by a
score, the first of them are checked, and flipped labels among them are put right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.applications.mislabelled import find_mislabelled
from influstat.errors import InvalidArgument, InvalidType
from influstat.fit import Fit
from influstat.input.printing import ShortRepr
from influstat.input.progress import progress
from influstat.input.validation import FloatArray, choice, whole_number
from influstat.losses.base import two_labels
from influstat.models.linear import Logistic
from influstat.removal.cross_validation import cross_validate

SCORES = (
    "leave_one_out",
    "cross_validation",
    "loss",
    "self_removal",
    "self_influence",
    "validation",
    "random",
)
FOLDS = 5


@dataclass(frozen=True, eq=False, repr=False)
class Search(ShortRepr):
    """How large a share of the flipped labels was found."""

    checked: NDArray[np.intp]  # rows checked by the end of each round
    found: dict[str, FloatArray]  # score -> share of the flipped labels found, shape (seeds, rounds)

    def mean(self, score: str) -> FloatArray:
        """Return the mean over seeds, shape (rounds,)."""
        return np.asarray(self.found[score].mean(axis=0))


def search_mislabelled(
    X: Any,
    y: Any,
    *,
    lam: float,
    flips: int,
    per_round: int,
    rounds: int = 5,
    seeds: Sequence[int] = (43,),
    scores: Sequence[str] = SCORES,
    intercept: bool = False,
    clean: tuple[Any, FloatArray] | None = None,
) -> Search:
    """Flip labels at random and count how many of them each score finds.

    Parameters
    ----------
    X, y : array_like or scipy.sparse, shape (n, p), and array_like, shape (n,)
        Rows, as the model takes them, and their true labels, 0 and 1.
    lam, intercept : float, bool
        Of the logistic regression, sum of losses + lam |theta|^2; the intercept is not penalised.
    flips : int
        Labels flipped: ``np.random.RandomState(seed).choice(n, flips, replace=False)``.
    per_round, rounds : int
        Rows checked in a round, and rounds.
    seeds : sequence of int
        One search each.
    scores : sequence of str
        Those of `find_mislabelled` by name; "cross_validation" (the loss under the fit to four other
        fifths of the rows) and "random".
    clean : tuple of (X, y), optional
        Clean validation rows, for "validation".

    Returns
    -------
    Search

    Raises
    ------
    InvalidArgument, InvalidType
        X and y do not match or y is not coded 0 and 1; `flips` is not from 1 to n; more rows are to be
        checked than there are; there are no seeds; a score is unknown, or "validation" has no `clean` rows.
    """
    model = Logistic(lam=lam, intercept=intercept)
    y = two_labels(y, (0.0, 1.0), "Code the classes so.")
    flips = whole_number("flips", flips, at_least=1)
    if flips > len(y):
        need = f"be at most the number of rows ({len(y)})"
        raise InvalidArgument("flips", need, f"is {flips}", "Flip fewer.")
    whole_number("rounds", rounds, at_least=1)
    whole_number("per_round", per_round, at_least=1)
    if per_round * rounds > len(y):
        need = f"be at most {len(y) // rounds}, for {rounds} rounds of {len(y)} rows"
        raise InvalidArgument("per_round", need, f"is {per_round}", "Check fewer rows or rounds.")
    seeds = _seeds(seeds)
    for score in scores:
        choice("scores", score, SCORES)
    if "validation" in scores and clean is None:
        need = 'be given for the score "validation"'
        raise InvalidArgument("clean", need, "is None", "Pass (X, y) of rows whose labels are right.")
    found = {score: np.empty((len(seeds), rounds)) for score in scores}
    for k, seed in enumerate(progress(seeds, "seeds")):
        flipped = np.random.RandomState(seed).choice(len(y), flips, replace=False)
        wrong = np.isin(np.arange(len(y)), flipped)
        first = Fit.minimise(model.risk(X, np.where(wrong, 1.0 - y, y)))
        for score in scores:
            found[score][k] = _rounds(model, first, X, y, wrong, score, per_round, rounds, clean)
    return Search(per_round * np.arange(1, rounds + 1), found)


def _seeds(seeds: Any) -> list[int]:
    if not isinstance(seeds, (Sequence, np.ndarray)) or isinstance(seeds, str):
        raise InvalidType("seeds", "be a sequence of ints", f"is a {type(seeds).__name__}", "Pass (43,).")
    if len(seeds) == 0:
        raise InvalidArgument("seeds", "hold at least one seed", "is empty", "Pass (43,).")
    return [whole_number("seeds", seed, at_least=0) for seed in seeds]


def _rounds(
    model: Logistic,
    fit: Fit,
    X: Any,
    y: FloatArray,
    wrong: NDArray[np.bool_],
    score: str,
    per_round: int,
    rounds: int,
    clean: tuple[Any, FloatArray] | None,
) -> FloatArray:
    """Return the share found after each round by one score, shape (rounds,), from the first fit on."""
    labels = np.where(wrong, 1.0 - y, y)
    checked = np.zeros(len(y), dtype=np.bool_)
    shares: list[float] = []
    for _ in range(rounds):
        if shares and score != "random":  # which asks for no fit
            fit = Fit.minimise(model.risk(X, labels), start=fit.theta)
        suspicion = np.where(checked, -np.inf, _suspicion(fit, score, clean))
        first = np.argsort(-suspicion, kind="stable")[:per_round]
        checked[first] = True
        labels[first] = y[first]
        shares.append(wrong[checked].sum() / wrong.sum())
    return np.array(shares)


def _suspicion(fit: Fit, score: str, clean: tuple[Any, FloatArray] | None) -> FloatArray:
    if score == "random":
        return np.random.default_rng(0).random(fit.risk.shape[0])
    if score == "cross_validation":
        return _cross_validated_loss(fit)
    if score == "validation":
        return find_mislabelled(fit, *(clean or ()), by=score).score
    # The Newton step's order of the rows is that of exact refits, at a tenth of the time.
    return find_mislabelled(fit, by=score, method="newton").score


def _cross_validated_loss(fit: Fit) -> FloatArray:
    """Return every row's loss under the fit to the folds without it."""
    folds = np.random.default_rng(0).permutation(fit.risk.shape[0]) % FOLDS
    return cross_validate(fit, folds).row_losses
