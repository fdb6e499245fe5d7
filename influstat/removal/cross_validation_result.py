"""`CrossValidation`: what rows are predicted to be, and lose, by fits that have not seen them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from influstat.input.groups import Groups
from influstat.input.labels import index_of
from influstat.input.lazy_types import DataFrame
from influstat.input.printing import amount
from influstat.input.ranking import Moves, Ranked
from influstat.input.validation import FloatArray
from influstat.removal.result import Removal
from influstat.risks.class_predictors import ClassPredictors
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties.active_l1 import active_l1


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation(Ranked):
    """Losses of rows that the coefficients have not seen.

    Attributes
    ----------
    row_losses : ndarray, shape (n,)
        l(y_i, x_i'theta + o_i), of K classes -log of the probability of the row's own, at the theta found
        without row i's fold, without any share of the penalty; nan for rows in no fold, or whose fold has no
        refit.
    fold_losses : ndarray, shape (k,)
        Weighted mean of the losses of each fold's rows.
    mean : float
        Weighted mean over all rows in a fold; nan if one of them has no refit.
    error_bound : ndarray, shape (n,)
        Certified bound on the error of `row_losses`; nan where there is none, or none was asked for.
    folds : Groups
        Which rows were held out together.
    method : str
        How theta without a fold was found.
    status : tuple of str, length k
        "" or why a fold has no refit, or no score.
    linear_predictor : ndarray, shape (n,), or (n, K) of K classes
        x_i'theta + o_i at that theta; nan as `row_losses`. Of classes one each, as far as rows tell them
        apart: a number added to all of a row changes nothing.
    scores : ndarray, shape (k,), or None
        The score of each fold, where `scoring` was given: larger is better for scikit-learn's.
    scoring : str
        What it is called, "" without one.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0, protocol="fixed").fit([[1.0], [1.0], [1.0]], [1.0, 2.0, 6.0])
    >>> print(ist.cross_validate(fit, ["a", "a", "b"]))     # (1 - 6)^2 and (2 - 6)^2; (6 - 1.5)^2
    Rows held out by 2 folds, refits by 'exact': mean loss 20.4167
    2 of 2 folds done. Largest: a 20.5, b 20.25
       rows  loss status
    a     2  20.5
    b     1 20.25
    """

    HEADING = "{0.held_out}, refits by {0.method!r}: {0.summary}"

    row_losses: FloatArray
    fold_losses: FloatArray
    mean: float
    error_bound: FloatArray
    folds: Groups
    method: str
    status: tuple[str, ...]
    linear_predictor: FloatArray
    scores: FloatArray | None = None
    scoring: str = ""

    @property
    def count(self) -> int:
        """How many folds there are."""
        return len(self.folds)

    @property
    def held_out(self) -> str:
        """Which rows were held out together, in words."""
        if self.folds.single:
            return f"{amount(self.count, 'rows')} held out, each alone"
        return f"Rows held out by {amount(self.count, 'folds')}"

    @property
    def score_mean(self) -> float:
        """Mean of the scores of the folds, each fold alike; nan without scores."""
        return np.nan if self.scores is None else float(np.mean(self.scores))

    @property
    def score_std(self) -> float:
        """Standard deviation of the scores over the folds, divided by k as `numpy.std` does."""
        return np.nan if self.scores is None else float(np.std(self.scores))

    @property
    def summary(self) -> str:
        """The mean loss, and mean and standard deviation of the score where there is one, in words."""
        text = f"mean loss {self.mean:.6g}"
        if self.scores is None:
            return text
        return f"{text}, {self.scoring} {self.score_mean:.6g} (standard deviation {self.score_std:.3g})"

    def to_frame(self) -> DataFrame:
        """Return a line for each fold.

        Returns
        -------
        DataFrame
            Columns "rows" (how many), "loss" (weighted mean), "score" where there are scores, and "status".
        """
        import pandas as pd

        scores = {} if self.scores is None else {"score": self.scores}
        columns = {"rows": self.folds.sizes, "loss": self.fold_losses, **scores, "status": list(self.status)}
        return pd.DataFrame(columns, index=index_of(self.folds.labels))

    def moves(self) -> Moves:
        """Return the losses of the folds: levels, no changes."""
        units, whose = ("rows", "each row") if self.folds.single else ("folds", "the rows of each fold")
        title = f"Loss of {whose} under the fit without it"
        return Moves(self.fold_losses[:, None], self.folds.labels, ["loss"], title, units, called="loss")


def held_out(risk: LinearRisk, part: Removal) -> FloatArray:
    """Return the linear predictors of `groups.members` by the fits without them; nan where there is none."""
    rows = part.groups.members
    x = risk.design.rows(rows)
    eta = np.einsum("mp,mp->m", x, part.solution[part.groups.owners])
    eta += _let_in(risk, part)
    if part.determined is not None:
        known = part.determined.of(x)[part.groups.owners, np.arange(len(rows))]
        eta = np.where(known, eta, np.nan)
    return np.asarray(eta + risk.offset[rows])


def _let_in(risk: LinearRisk, part: Removal) -> Any:
    """Return what columns that the fit left out add to the predictors of the rows removed."""
    lasso = active_l1(risk.penalty)
    if part.entering is None or lasso is None or lasso.excluded is None:
        return 0.0
    columns = lasso.excluded.rows(part.groups.members)
    return part.entering[part.groups.owners].multiply(columns).sum(axis=1)


def held_out_of_classes(rows: ClassPredictors, part: Removal) -> FloatArray:
    """Return the predictors (s, K) of `groups.members` by the fits without them; nan where there are none."""
    members, owners = part.groups.members, part.groups.owners
    x = rows.design.rows(members)
    eta = np.einsum("sq,skq->sk", x, rows.by_class(part.solution)[owners])
    if part.determined is not None:  # losses and probabilities are those of differences between classes
        contrasts = rows.functionals(x, rows.y[members])
        each = part.determined.of(contrasts.reshape(-1, contrasts.shape[2]))
        known = np.all(each.reshape(-1, *contrasts.shape[:2]), axis=2)[owners, np.arange(len(members))]
        eta[~known] = np.nan
    return np.asarray(eta)


def losses_of_classes(rows: ClassPredictors, eta: FloatArray) -> FloatArray:
    """Return log sum_b e^(eta_b - eta_y) of every row, shape (n,)."""
    own = np.take_along_axis(eta, rows.y[:, None], axis=1)
    return np.asarray(logsumexp(eta - own, axis=1))
