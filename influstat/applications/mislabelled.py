"""Which rows carry a wrong label? Rows ranked by suspicion, to be checked by hand (paper, section 5.2).

Koh and Liang propose the self-influence, a row's influence on its own loss. The loss of a row under the
fit *without* it found more flipped labels on each of three data sets, and at least as many as the
training loss (clearly more where the model can fit wrong labels): see `find_mislabelled`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, Unsupported
from influstat.influence.influence import Influence
from influstat.input.frame_like import FrameLike, Reasons
from influstat.input.groups import one_by_one
from influstat.input.labels import index_of
from influstat.input.ranking import Ranking
from influstat.input.reader import TableReader
from influstat.input.validation import FloatArray, choice, whole_number
from influstat.minimise.minimum import Minimum, require_fit
from influstat.models.hinge import HingeFit
from influstat.removal.leave_out import announced, collect
from influstat.risks.classes import ClassLosses, ClassRisk, tells_apart
from influstat.risks.linear import LinearRisk, as_linear

BY = ("leave_one_out", "loss", "self_influence", "self_removal", "validation")
UNDETERMINED = "coefficients are not determined, since columns depend on each other"
BLOCK_ENTRIES = 2**22  # coefficients without a row that are held at once: 32 MiB


@dataclass(frozen=True, eq=False, repr=False)
class Suspects(FrameLike):
    """All training rows, ranked by how much their label surprises the rest: a table used as a DataFrame.

    Attributes
    ----------
    score : ndarray, shape (n,)
        Suspicion of each row, in units of the loss; larger is more suspect. nan where there is no fit
        without the row, as for the only row of a class: it is unknown, and `order` has it last.
    row_labels : ndarray, shape (n,)
        What the rows are called.
    by : str
        How suspicion was measured.
    proposed : ndarray, shape (n,)
        The most likely class of each row but for its own: of two classes the other one. By the fit without
        the row where suspicion is, else by the fit.
    status : sequence of str
        "" for a row with a score, else why it has none.

    Examples
    --------
    >>> import influstat as ist
    >>> X = [[-2.0], [-1.0], [-1.5], [1.0], [2.0], [1.5]]
    >>> fit = ist.Logistic(lam=0.1).fit(X, [0, 0, 1, 1, 1, 1])
    >>> ist.find_mislabelled(fit).order[0]
    np.int64(2)
    """

    HEADING = "Rows whose labels are suspect ({0.by}), the most suspect first"

    score: FloatArray
    row_labels: NDArray[Any]
    by: str
    proposed: NDArray[Any]
    status: Sequence[str]

    @property
    def order(self) -> NDArray[np.intp]:
        """Positions of the rows, the most suspect first, those of unknown score last, shape (n,)."""
        return np.argsort(-self.score, kind="stable")

    def top(self, k: int = 10) -> Ranking:
        """Return the k most suspect rows.

        Parameters
        ----------
        k : int
            How many; fewer where fewer have a score.

        Returns
        -------
        Ranking
            Columns "position", "score" and "proposed" by row label, the most suspect first.

        Raises
        ------
        InvalidArgument, InvalidType
            k is not a whole number above 0.
        """
        known = self.order[: len(self.score) - int(np.isnan(self.score).sum())]
        chosen = known[: whole_number("k", k, at_least=1)]
        more = {"proposed": self.proposed[chosen]}
        title = self.HEADING.format(self).removesuffix(", the most suspect first")
        return Ranking(self.row_labels[chosen], chosen, self.score[chosen], title, called="score", more=more)

    def in_short(self) -> str:
        """Return how many rows there are, how many have no fit without them, and the three most suspect."""
        lost = int(np.isnan(self.score).sum())
        first = ", ".join(f"{row.Index} {row.score:.4g}" for row in self.top(3))
        return f"{len(self.score) - lost} of {len(self.score)} rows done. Most suspect: {first}"

    def to_frame(self) -> Any:
        """Return position, score, proposed class and status by row label, the most suspect first."""
        import pandas as pd

        order = self.order
        table: dict[str, Any] = {
            "position": order,
            "score": self.score[order],
            "proposed": self.proposed[order],
        }
        table["status"] = [self.status[row] for row in order]
        index = index_of(self.row_labels[order])
        return pd.DataFrame(table, index=index if any(index.names) else index.rename("row"))


def find_mislabelled(
    fit: Minimum, X: Any = None, y: Any = None, *, by: str = "leave_one_out", method: str = "exact"
) -> Suspects:
    """Rank the training rows of a classifier by how suspect their labels are.

    Parameters
    ----------
    fit : Fit
        A fitted classifier: of two labels (logistic or another binary model, smoothed hinge), or of several
        classes (softmax, statsmodels' MNLogit and OrderedModel).
    X, y : array_like, shapes (m, p) and (m,), optional
        Clean validation rows; for ``by="validation"`` only.
    by : {"leave_one_out", "loss", "self_influence", "self_removal", "validation"}
        What makes a row suspect:

        * "leave_one_out": its loss under the fit without it;
        * "loss": its loss under the fit with it;
        * "self_influence": g_i' H^-1 g_i, the paper's section 5.2;
        * "self_removal": how much its own loss rises when it is removed;
        * "validation": how much the loss of the validation rows falls when it is removed.
    method : {"exact", "newton"}
        How the fits without a row are found; the Newton step is much faster on large data, and its
        order of the rows is nearly always the same.

    Returns
    -------
    Suspects
        Score and order of all rows. A row without which there is no fit, such as the only one of a class, has
        the score nan and its reason in `status`: it comes last, but may well be mislabelled. A
        label cannot be turned over where there are more than two: `proposed` has the most likely other class.

    Raises
    ------
    Unsupported
        The loss is not that of a classifier.
    InvalidArgument, InvalidType
        `by` is unknown; validation rows are missing, given without need, or do not suit the fit; `fit` is
        no `Fit`, but results or an estimator (translate them first).

    Notes
    -----
    The default is the best of those measured. One label in ten is flipped at random; five rounds of a
    refit and a check of the most suspect rows, whose flipped labels are put right; share of the flips
    found once 1.1 times as many rows are checked (`influstat.experiments.mislabelled`; logistic
    regression, mean and standard deviation over ten seeds):

    =====================  ==============  ==============  ==============
    score                  MNIST 1 and 7   Spambase        Enron1
    =====================  ==============  ==============  ==============
    "leave_one_out"        0.990 (0.002)   0.844 (0.009)   0.941 (0.007)
    cross-validated loss   0.991 (0.002)   0.840 (0.005)   0.935 (0.012)
    "loss"                 0.986 (0.002)   0.841 (0.011)   0.873 (0.013)
    "self_influence"       0.960 (0.004)   0.762 (0.010)   0.927 (0.009)
    "self_removal"         0.940 (0.004)   0.753 (0.013)   0.860 (0.011)
    "validation"           0.893 (0.006)   0.743 (0.011)   0.803 (0.011)
    at random              0.108 (0.012)   0.106 (0.015)   0.108 (0.010)
    =====================  ==============  ==============  ==============

    On Spambase the loss without the row only ties with the plain loss, and before all flips can be
    found, after as many checks as a fifth of them, the plain loss is as good or a little better. Where
    the model is flexible (Enron1: 1,276 words, 4,672 mails) it fits many wrong labels, so their loss is
    small and the loss without the row is needed.

    Examples
    --------
    >>> import influstat as ist
    >>> X = [[-2.0], [-1.0], [-1.5], [1.0], [2.0], [1.5]]
    >>> fit = ist.Logistic(lam=0.1).fit(X, [0, 0, 1, 1, 1, 1], row_labels=list("abcdef"))
    >>> print(ist.find_mislabelled(fit).top(1))
    Rows whose labels are suspect (leave_one_out), the largest first
       position   score  proposed
    c         2 3.16408         0
    """
    choice("by", by, BY)
    choice("method", method, ("exact", "newton"))
    classes = _classes_of(fit)
    if by == "validation" and (X is None or (y is None and not isinstance(fit.reader, TableReader))):
        need, remedy = 'be given for by="validation"', "Pass clean rows, held out of the fit."
        raise InvalidArgument("X and y", need, "are missing", remedy)
    if by != "validation" and not (X is None and y is None):
        need = 'be left out unless by="validation"'
        raise InvalidArgument("X and y", need, f'are given with by="{by}"', "Drop them.")
    rows = np.arange(len(classes.own))
    losses = np.concatenate([classes.at(fit.theta, part) for part in _blocks(fit)])
    without, status = losses, Reasons([""] * len(rows))
    if by in ("leave_one_out", "self_removal"):
        without, status = _without_each(fit, classes, method)
    if by == "self_influence":
        score = -Influence(fit).on_self().values
    elif by == "validation":
        score = -Influence(fit).on_loss(X, y).removal.sum(axis=1)
    else:  # the penalty's share is the same for all rows
        score = without[rows, classes.own]
        if by == "self_removal":
            score = score - losses[rows, classes.own]
    others = np.where(np.isnan(without), losses, without)
    others[rows, classes.own] = np.inf
    proposed = classes.labels[np.argmin(others, axis=1)]
    return Suspects(score, fit.row_labels, by, proposed, status)


def _classes_of(fit: Any) -> ClassLosses:
    """Return the losses in each class if the fit is that of a classifier, or raise."""
    if isinstance(fit, HingeFit):
        remedy = "Use ist.SmoothedSVC with a small t; its ranking is that of the hinge."
        raise Unsupported("fit", "have a smooth loss", "is an exact hinge fit", remedy)
    risk = as_linear(require_fit(fit).risk)
    if risk is not None and tells_apart(risk.loss, risk.y):
        return _of_two(risk, getattr(fit.reader, "classes", None))
    found = fit.risk.class_losses() if isinstance(fit.risk, ClassRisk) else None
    if found is None:
        need = "be a linear classifier of two labels, or of several classes (softmax, MNLogit, OrderedModel)"
        remedy = "Use ist.Logistic, ist.SmoothedSVC or scikit-learn's LogisticRegression."
        raise Unsupported("fit", need, "is not", remedy)
    return found


def _of_two(risk: LinearRisk, names: Any) -> ClassLosses:
    """Return the losses of a linear predictor's rows with the one label and the other."""
    labels = np.unique(risk.y)

    def losses(theta: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
        eta = np.sum(risk.design.rows(rows) * theta, axis=1) + risk.offset[rows]
        return np.stack([risk.loss.value(np.full(eta.shape, label), eta) for label in labels], axis=1)

    called = labels if names is None else np.asarray(names)
    return ClassLosses(called, np.searchsorted(labels, risk.y), losses)


def _blocks(fit: Minimum) -> Iterator[NDArray[np.intp]]:
    """Yield the rows in blocks of which all coefficients can be held."""
    n, p = fit.risk.shape
    step = max(1, BLOCK_ENTRIES // p)
    for start in range(0, n, step):
        yield np.arange(start, min(start + step, n))


def _without_each(fit: Minimum, classes: ClassLosses, method: str) -> tuple[FloatArray, Reasons]:
    """Return the losses of each row under the fit without it, (n, K), nan where there is none; and why."""
    result = np.full((len(classes.own), len(classes.labels)), np.nan)
    status = list[str]()
    for rows in _blocks(fit):
        every = collect(fit, one_by_one(rows, fit.row_labels), method, whole=True)
        without = announced(every).theta
        found = np.asarray(~np.isnan(without).any(axis=1))
        # A coefficient that no row determines has no reason of its own.
        status += [
            why or ("" if there else UNDETERMINED) for why, there in zip(every.status, found, strict=True)
        ]
        if found.any():
            result[rows[found]] = classes.at(without[found], rows[found])
    return result, Reasons(status)
