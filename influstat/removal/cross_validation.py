"""Cross-validated loss without a refitting loop: leave-one-out and k-fold, for one fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from numbers import Number
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument, Unsupported
from influstat.input.groups import Groups
from influstat.input.settings import flag
from influstat.input.validation import FloatArray, choice, whole_number
from influstat.input.warning import doubt, doubt_once
from influstat.losses.alone import where_known
from influstat.minimise.minimum import Minimum, require_fit
from influstat.minimise.named_column import groups_or_rows
from influstat.removal.certificates.bounds import held_out_bound
from influstat.removal.cross_validation_result import (
    CrossValidation,
    held_out,
    held_out_of_classes,
    losses_of_classes,
)
from influstat.removal.engine.shared import Shared
from influstat.removal.expansion import Expansion
from influstat.removal.inverse import HARD, SharedInverse
from influstat.removal.leave_out import METHODS, NOT_DONE, marked_blocks
from influstat.removal.result import Removal
from influstat.removal.scoring import scorer_of
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.linear import LinearRisk, as_linear
from influstat.risks.penalties.active_l1 import active_l1


class HoldsOutItself(ABC):
    """A fit whose rows are not in memory, which answers for itself."""

    @abstractmethod
    def cross_validate(
        self, folds: Any = None, *, method: str = "exact", certified: bool = False, scoring: Any = None
    ) -> Any:
        """Return the losses, as `cross_validate` of its rows would."""

    @abstractmethod
    def planned(self, groups: Any) -> Any:
        """Return what it costs to leave every row out, as `plan` of its rows would."""


def cross_validate(
    fit: Minimum,
    folds: Any = None,
    *,
    method: str = "exact",
    certified: bool = False,
    scoring: Any = None,
) -> CrossValidation:
    """Return the loss of every row at the coefficients found without its fold.

    Parameters
    ----------
    fit : Fit
        The fit with all rows; refits keep its penalty protocol ("fixed": the penalty stays whole;
        "folded": it shrinks with the weight that leaves). A `PartitionedFit` answers by its own
        `cross_validate`, which says what differs.
    folds : array_like, shape (n,), list, dict, splitter, str or int, optional
        As the groups of `Fit.leave_groups_out`, disjoint: labels, sets of rows, a scikit-learn splitter or
        its (train, test) pairs; each row alone when left out. A number k of at least 2 makes k folds of
        neighbouring rows, not shuffled, as scikit-learn's ``KFold(k)`` (which its ``cv=k`` means, but for
        classifiers, whose folds it stratifies).
    method : {"exact", "newton", "second_order", "influence"}
        As in `Fit.leave_groups_out`.
    certified : bool
        Whether to fill `error_bound` (see `Removal.held_out_bound`), at the cost of about another run.
    scoring : str or callable, optional
        Score each fold too: by the name of one of scikit-learn's scorers ("r2", "neg_mean_squared_error",
        "accuracy", "neg_log_loss", "roc_auc", ...), by a scorer of its `make_scorer`, or by a function
        (y, prediction) -> number of the fold's targets and predictions, both as `Fit.predict` has them:
        means, or linear predictors where the loss has no mean.

    Returns
    -------
    CrossValidation

    Raises
    ------
    InvalidArgument, InvalidType
        Folds overlap or are not usable (see `Fit.leave_groups_out`), or the method or the scorer is unknown.
    Unsupported
        The fit has no linear predictor, nor one per class (softmax, MNLogit); or lacks what a scorer needs,
        such as one predictor per row, or classes or their probabilities.
    MissingDependency
        A scorer is named, and scikit-learn is not installed.

    Warns
    -----
    DoubtfulResult
        The fit holds what was found on all rows, which is said once for each fit. Some rows have no loss,
        because their fold has no refit; or, if asked for, no certified bound; or some folds no score: it says
        how many and why.

    Notes
    -----
    Squared error, rows one by one: y_i - x_i'theta_-i - o_i = e_i / (1 - h_i) (Allen's PRESS, 1974),
    in O(n p^2) for all rows, no coefficients stored.

    Scores are those of `sklearn.model_selection.cross_val_score` of the final estimator on the same splits,
    whose refits these predictions are. As there, rows count alike in a score, whatever weight they were
    fitted with. What was found on all rows is held: a Pipeline's fitted transformers, an alpha or C chosen by
    cross-validation, the scale of RLM, terms of a formula such as ``center(x)``. `cross_val_score` of the
    Pipeline, or of the estimator that chooses, finds them anew without each fold; its scores are others,
    and may be far worse. `fit.stated.held` names what is held.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0, protocol="fixed").fit([[1.0], [1.0], [1.0]], [1.0, 2.0, 6.0])
    >>> ist.cross_validate(fit).row_losses         # (1 - 4)^2, (2 - 3.5)^2, (6 - 1.5)^2
    array([ 9.  ,  2.25, 20.25])
    >>> ist.cross_validate(fit, ["a", "a", "b"], scoring="neg_mean_absolute_error").scores   # 4.5, 4.5
    array([-4.5, -4.5])
    """
    if isinstance(fit, HoldsOutItself):
        own: CrossValidation = fit.cross_validate(folds, method=method, certified=certified, scoring=scoring)
        return own
    weights = require_fit(fit).risk.weights
    choice("method", method, METHODS)
    certified = flag("certified", certified)
    groups = read_folds(fit, folds)
    score = None if scoring is None else scorer_of(fit, scoring)
    bound = np.full(len(weights), np.nan)
    find = _in_classes if class_predictors_of(fit.risk) is not None else _along_a_line
    linear_predictor, losses, status = find(fit, groups, method, bound if certified else None)
    with np.errstate(invalid="ignore"):  # a fold of weight 0 has no mean
        fold_losses = groups.sums(weights * losses) / groups.sums(weights)
    held = groups.members
    mean = float(weights[held] @ losses[held] / weights[held].sum())
    status = status if folds is None else list(groups.named(status, "Fold", but=NOT_DONE))
    _warn_of_no_refits(status, losses, groups)
    warn_of_held(fit, "These losses and scores")
    if certified:
        _warn_of_no_bounds(fit, groups, method, losses, bound)
    scores, name = None, ""
    if score is not None:
        scores, reasons = score.of_folds(linear_predictor, groups)
        status, name = [a or b for a, b in zip(status, reasons, strict=True)], score.name
    return CrossValidation(
        losses,
        fold_losses,
        mean,
        bound,
        groups,
        method,
        tuple(status),
        linear_predictor,
        scores,
        name,
    )


_Found = tuple[FloatArray, FloatArray, list[str]]  # predictors and losses of all rows, the folds' status


def _along_a_line(fit: Minimum, groups: Groups, method: str, bound: FloatArray | None) -> _Found:
    """Return what is held out where every row has one linear predictor."""
    _linear(fit)
    inner = fit.regular if bound is None else fit  # losses are the same in any coordinates of theta
    risk = _linear(inner)
    eta = np.full(risk.shape[0], np.nan)
    every = np.array_equal(groups.members, np.arange(len(eta)))  # each row alone, in order
    closed = groups.single and every and risk.quadratic and active_l1(risk.penalty) is None
    if closed and method in ("exact", "newton") and bound is None:
        status = _closed_form(inner, Shared.of(inner, risk).expansion, groups, eta)
    else:
        status = _by_removal(inner, groups, method, partial(held_out, risk), eta, bound)
    if inner is not fit:
        _in_coefficients(fit, groups, method, status)
    return eta, where_known(risk.loss.value, risk.y, eta), status


def _in_classes(fit: Minimum, groups: Groups, method: str, bound: FloatArray | None) -> _Found:
    """Return what is held out where every row has one linear predictor per class."""
    rows = class_predictors_of(fit.risk)
    assert rows is not None  # who calls has looked
    eta = np.full((len(rows.y), rows.classes), np.nan)
    status = _by_removal(fit, groups, method, partial(held_out_of_classes, rows), eta, bound)
    return eta, losses_of_classes(rows, eta), status


def read_folds(fit: Minimum, folds: Any) -> Groups:
    """Return the folds that a caller gave, each row alone for None; or raise."""
    if isinstance(folds, (Number, np.bool_)):
        n = len(fit.row_labels)
        count = whole_number("folds", folds, at_least=2, at_most=n)
        parts = np.array_split(np.arange(n), count)
        folds = np.repeat(np.arange(count), [len(part) for part in parts])
    groups = groups_or_rows(fit, folds, "folds")
    if np.bincount(groups.members).max() > 1:
        remedy = "Put each row in one fold: of repeated folds, ask for each repetition by itself."
        raise InvalidArgument("folds", "be disjoint", "holds a row twice", remedy)
    return groups


def _in_coefficients(fit: Minimum, groups: Groups, method: str, status: list[str]) -> None:
    """Say in the fit's own coefficients why folds have no refit."""
    bad = [k for k, text in enumerate(status) if text and text != NOT_DONE]
    if bad:
        parts = marked_blocks(fit, groups.take(bad), method)
        for k, text in zip(bad, (text for part in parts for text in part.status), strict=True):
            status[k] = text or status[k]


def warn_of_held(fit: Minimum, what: str) -> None:
    """Warn, once for each fit, that `fit.stated.held` has seen the rows left out; `what` is a plural."""
    if fit.stated.held:
        doubt_once(
            fit,
            f"{what} are not those of whole refits, which may be far worse: rows left out have had a part in "
            f"what is held. {' '.join(fit.stated.held)} For whole refits, fit everything anew without each "
            "fold, as scikit-learn's cross_val_score of a Pipeline does.",
        )


def _warn_of_no_refits(status: list[str], losses: FloatArray, groups: Groups) -> None:
    """Say once how many folds have rows without a loss, and why the first has."""
    owners = np.unique(groups.owners[np.isnan(losses[groups.members])])
    reasons = [status[k] or "A loss is not a number." for k in owners if status[k] != NOT_DONE]
    if reasons:
        doubt(
            f"{len(reasons)} of {len(groups)} folds hold rows that nothing predicts without the fold, so "
            f"that `mean` is nan (`status` says why). The first: {reasons[0]} np.nanmean(row_losses) is the "
            "mean over the others."
        )


def _warn_of_no_bounds(
    fit: Minimum, groups: Groups, method: str, losses: FloatArray, bound: FloatArray
) -> None:
    """Say once how many losses have no certified bound, and why the first has none."""
    lost = np.flatnonzero((np.isnan(bound) & ~np.isnan(losses))[groups.members])
    if lost.size:
        first = groups.take([int(groups.owners[lost[0]])])
        (part,) = marked_blocks(fit, first, method)
        doubt(
            f"{len(lost)} of {len(groups.members)} losses have no certified bound on their error "
            f"(`error_bound` is nan there). The first: {part.certificate.status[0]}."
        )


def _linear(fit: Minimum) -> LinearRisk:
    risk = as_linear(fit.risk)
    if risk is None:
        raise Unsupported(
            "fit",
            "have a linear predictor, or one per class",
            f"has a {type(fit.risk).__name__}",
            "For removal = fit.leave_groups_out(folds), fit.loss(X, y) + removal.loss_change(X, y) holds the "
            "loss of each row by the fit without each fold.",
        )
    return risk


def _by_removal(
    fit: Minimum,
    groups: Groups,
    method: str,
    find: Callable[[Removal], FloatArray],
    predictor: FloatArray,
    bound: FloatArray | None = None,
) -> list[str]:
    """Fill the linear predictors block by block of folds; return their status."""
    status = list[str]()
    for part in marked_blocks(fit, groups, method):
        status += part.status
        rows = part.groups.members
        predictor[rows] = find(part)  # nan: no refit without that fold; its status says why
        if bound is not None:
            bound[rows] = held_out_bound(fit, part.certificate)
    return status


def _closed_form(fit: Minimum, expansion: Expansion, groups: Groups, predictor: FloatArray) -> list[str]:
    """Fill the leave-one-out linear predictors of a quadratic risk; rows of leverage near 1 by a refit."""
    risk = expansion.risk
    factors = expansion.left(groups)
    shared = SharedInverse(expansion, factors)
    penalty = expansion.penalty_gradient
    status, hard = [""] * len(groups), []
    for rows, x in risk.design.dense_blocks():
        norms = shared.square_norms(x, factors[rows])
        leverage = expansion.second[rows] * norms
        # x'delta = -x' S_-i^-1 grad F_i(theta-hat), with x' S_-i^-1 = x' S_c^-1 / (1 - h).
        along = _along(shared, x, expansion.gradient, penalty, factors[rows])
        along -= expansion.first[rows] * norms
        good = 1.0 - leverage > HARD
        predictor[rows] = expansion.eta[rows] - along / np.where(good, 1.0 - leverage, np.nan)
        hard += (rows.start + np.flatnonzero(~good)).tolist()
    if hard:
        refitted = _by_removal(fit, groups.take(hard), "exact", partial(held_out, risk), predictor)
        for k, text in zip(hard, refitted, strict=True):
            status[k] = text
    return status


def _along(
    shared: SharedInverse, x: FloatArray, gradient: FloatArray, penalty: FloatArray, factors: FloatArray
) -> FloatArray:
    """Return x_k' S_k^-1 (gradient - (1 - c_k) penalty) for every row of x, S_k = A + c_k kappa D."""
    common = bool((factors == factors[0]).all())
    if common:
        pull = (gradient - (1.0 - factors[0]) * penalty)[:, None]
        return np.asarray(x @ shared.solve(pull, factors[:1])[:, 0])
    solved = shared.solve(gradient[:, None] - penalty[:, None] * (1.0 - factors), factors)
    return np.asarray(np.einsum("kp,pk->k", x, solved))
