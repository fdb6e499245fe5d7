"""Cross-validated loss without a refitting loop: leave-one-out and k-fold, for one fit or a grid of lam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.algebra.pencil import both_diagonal
from influstat.errors import InvalidArgument, Unsupported
from influstat.input.groups import Groups, read_groups, read_rows
from influstat.input.printing import ShortRepr, short
from influstat.input.settings import flag
from influstat.input.validation import FloatArray, choice, vector
from influstat.input.warning import doubt
from influstat.losses.base import constant_second
from influstat.minimise.minimum import Minimum, named_column, require_fit
from influstat.removal.expansion import Expansion
from influstat.removal.inverse import HARD, SharedInverse
from influstat.removal.leave_out import METHODS, NOT_DONE, marked_blocks
from influstat.removal.result import Removal
from influstat.risks.linear import LinearRisk, as_linear
from influstat.risks.penalties import L2
from influstat.risks.penalties.active_l1 import active_l1

ALONE = 1e-9  # 1 - leverage at most that: the row alone determines an unpenalised coefficient
BLOCK_ENTRIES = 2**17  # entries of the row blocks in closed forms: 1 MiB, so that they stay in cache


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation(ShortRepr):
    """Losses of rows that the coefficients have not seen.

    Attributes
    ----------
    row_losses : ndarray, shape (n,)
        l(y_i, x_i'theta + o_i) at the theta found without row i's fold, without any share of the
        penalty; nan for rows in no fold, or whose fold has no refit.
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
        "" or why a fold has no refit.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0, protocol="fixed").fit([[1.0], [1.0], [1.0]], [1.0, 2.0, 6.0])
    >>> ist.cross_validate(fit, ["a", "a", "b"]).fold_losses.round(9)   # 12.5 + 8, 4.5^2
    array([20.5 , 20.25])
    """

    row_losses: FloatArray
    fold_losses: FloatArray
    mean: float
    error_bound: FloatArray
    folds: Groups
    method: str
    status: tuple[str, ...]


def cross_validate(
    fit: Minimum, folds: Any = None, *, method: str = "exact", certified: bool = False
) -> CrossValidation:
    """Return the loss of every row at the coefficients found without its fold.

    Parameters
    ----------
    fit : Fit
        The fit with all rows; refits keep its penalty protocol ("fixed": the penalty stays whole;
        "folded": it shrinks with the weight that leaves).
    folds : array_like, shape (n,), list, dict, splitter or str, optional
        As the groups of `Fit.leave_groups_out`, disjoint: labels, sets of rows, a scikit-learn splitter or
        its (train, test) pairs; each row alone when left out.
    method : {"exact", "newton", "second_order", "influence"}
        As in `Fit.leave_groups_out`.
    certified : bool
        Whether to fill `error_bound` (see `Removal.held_out_bound`), at the cost of about another run.

    Returns
    -------
    CrossValidation

    Raises
    ------
    InvalidArgument, InvalidType
        Folds overlap or are not usable (see `Fit.leave_groups_out`), or the method is unknown.

    Warns
    -----
    DoubtfulResult
        Some rows have no loss, because their fold has no refit; it says how many and why.

    Notes
    -----
    Squared error, rows one by one: y_i - x_i'theta_-i - o_i = e_i / (1 - h_i) (Allen's PRESS, 1974),
    in O(n p^2) for all rows, no coefficients stored.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0, protocol="fixed").fit([[1.0], [1.0], [1.0]], [1.0, 2.0, 6.0])
    >>> ist.cross_validate(fit).row_losses         # (1 - 4)^2, (2 - 3.5)^2, (6 - 1.5)^2
    array([ 9.  ,  2.25, 20.25])
    """
    weights = require_fit(fit).risk.weights
    choice("method", method, METHODS)
    certified = flag("certified", certified)
    if folds is None:
        groups = read_rows(None, fit.row_labels)
    else:
        groups = read_groups(named_column(fit, folds, "folds"), fit.row_labels, "folds")
    if np.bincount(groups.members).max() > 1:
        raise InvalidArgument("folds", "be disjoint", "holds a row twice", "Put each row in one fold.")
    losses, bound = np.full((2, len(weights)), np.nan)
    _linear(fit)
    inner = fit if certified else fit.regular  # losses are the same in any coordinates of theta
    risk = _linear(inner)
    expansion = Expansion(risk, inner.theta)
    closed = groups.single and risk.quadratic and active_l1(risk.penalty) is None
    if closed and method in ("exact", "newton") and not certified:
        status = _closed_form(inner, expansion, groups, losses)
    else:
        status = _by_removal(inner, groups, method, losses, bound if certified else None)
    if inner is not fit:
        _in_coefficients(fit, groups, method, status)
    with np.errstate(invalid="ignore"):  # a fold of weight 0 has no mean
        fold_losses = groups.sums(weights * losses) / groups.sums(weights)
    held = groups.members
    mean = float(weights[held] @ losses[held] / weights[held].sum())
    status = status if folds is None else list(groups.named(status, "Fold", but=NOT_DONE))
    _warn_of_no_refits(status, losses, groups)
    return CrossValidation(losses, fold_losses, mean, bound, groups, method, tuple(status))


def _in_coefficients(fit: Minimum, groups: Groups, method: str, status: list[str]) -> None:
    """Say in the fit's own coefficients why folds have no refit."""
    bad = [k for k, text in enumerate(status) if text and text != NOT_DONE]
    if bad:
        parts = marked_blocks(fit, groups.take(bad), method)
        for k, text in zip(bad, (text for part in parts for text in part.status), strict=True):
            status[k] = text or status[k]


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


def _linear(fit: Minimum) -> LinearRisk:
    risk = as_linear(fit.risk)
    if risk is None:
        raise Unsupported(
            "fit", "have a LinearRisk", f"has a {type(fit.risk).__name__}", "Use leave_groups_out."
        )
    return risk


def _by_removal(
    fit: Minimum, groups: Groups, method: str, losses: FloatArray, bound: FloatArray | None = None
) -> list[str]:
    """Fill the losses block by block of folds; return their status."""
    risk, status = _linear(fit), list[str]()
    for part in marked_blocks(fit, groups, method):
        status += part.status
        rows = part.groups.members
        x = risk.design.rows(rows)
        eta = np.einsum("mp,mp->m", x, part.solution[part.groups.owners])
        eta += _let_in(risk, part)
        if part.determined is not None:
            known = part.determined.of(x)[part.groups.owners, np.arange(len(rows))]
            eta = np.where(known, eta, np.nan)
        found = ~np.isnan(eta)  # nan: no refit without that fold; its status says why
        held = rows[found]
        losses[held] = risk.loss.value(risk.y[held], eta[found] + risk.offset[held])
        if bound is not None:
            bound[rows] = part.held_out_bound()
    return status


def _let_in(risk: LinearRisk, part: Removal) -> Any:
    """Return what columns that the fit left out add to the predictors of the rows removed."""
    lasso = active_l1(risk.penalty)
    if part.entering is None or lasso is None or lasso.excluded is None:
        return 0.0
    columns = lasso.excluded.rows(part.groups.members)
    return part.entering[part.groups.owners].multiply(columns).sum(axis=1)


def _closed_form(fit: Minimum, expansion: Expansion, groups: Groups, losses: FloatArray) -> list[str]:
    """Fill the leave-one-out losses of a quadratic risk; rows of leverage near 1 by a refit."""
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
        eta = expansion.eta[rows] - along / np.where(good, 1.0 - leverage, np.nan)
        losses[rows] = risk.loss.value(risk.y[rows], eta)
        hard += (rows.start + np.flatnonzero(~good)).tolist()
    if hard:
        for k, text in zip(hard, _by_removal(fit, groups.take(hard), "exact", losses), strict=True):
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


def cross_validate_lam(fit: Minimum, lams: Any) -> FloatArray:
    """Return the leave-one-out loss of a ridge fit's data under other penalties, one eigendecomposition.

    Parameters
    ----------
    fit : Fit
        A fit by squared error with a penalty, e.g. of `Ridge`; its rows, weights, offset, unpenalised
        coefficients and penalty protocol are kept.
    lams : array_like, shape (m,)
        Strengths lam > 0 as in `Ridge`: penalty lam |theta|^2 on the scale of the summed loss.

    Returns
    -------
    ndarray, shape (m,)
        Weighted mean of (y_i - x_i'theta_-i - o_i)^2 for each lam. nan where a row alone determines an
        unpenalised coefficient.

    Raises
    ------
    InvalidArgument, Unsupported
        The loss is not the squared error, the fit has no penalty, or a lam is not positive.
    SingularHessian
        Unpenalised columns are collinear.

    Notes
    -----
    Golub, Heath and Wahba (1979): e_i / (1 - h_i) in the coordinates where Gram matrix and penalty are
    both diagonal; the coordinates serve every lam, and every share of the penalty under "folded".

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=1.0, protocol="fixed").fit([[1.0], [1.0], [1.0]], [1.0, 2.0, 6.0])
    >>> # the mean of (1 - 8/3)^2, (2 - 7/3)^2 and (6 - 1)^2
    >>> ist.cross_validate_lam(fit, [1.0]).round(7), round(ist.cross_validate(fit).mean, 12)
    (array([9.2962963]), 9.296296296296)
    """
    risk = as_linear(require_fit(fit).risk)
    second = None if risk is None else constant_second(risk.loss)
    if risk is None or second is None:
        raise Unsupported("fit", "be by squared error", f"is {fit!r}", "Cross-validate each fit instead.")
    if not isinstance(risk.penalty, L2):
        raise Unsupported(
            "fit",
            "have a ridge penalty of one strength",
            f"has {risk.penalty!r}",
            "Cross-validate each fit instead.",
        )
    values = vector("lams", lams)
    if not values.size:
        raise InvalidArgument("lams", "hold at least one strength", "is empty", "Pass e.g. [0.1, 1.0, 10.0].")
    if not (values > 0).all() or not risk.penalty.strength:
        raise InvalidArgument(
            "lams",
            "be positive, for a fit with a penalty",
            f"is {short(lams)}",
            "Use cross_validate for none.",
        )
    coordinates = _Coordinates(risk, second)
    groups = read_rows(None, fit.row_labels)
    kept = Expansion(risk, fit.theta).left(groups)
    return np.array([coordinates.mean_loss(2.0 * lam * kept) for lam in values])


class _Coordinates:
    """V with V'A V = diag(a) and V'D0 V = diag(m), A = X' diag(w l2) X, D0 a penalty of A's size.

    V makes A + D0 the identity. But a is not taken as 1 - m, which has no digits left where m is near 1, as
    for columns in units far larger than the others': both are measured in the coordinates found.
    """

    def __init__(self, risk: LinearRisk, second: float) -> None:
        self.risk, self._curvature = risk, second * risk.weights
        gram = risk.design.gram(self._curvature)
        pattern = risk.penalty.axes(risk.shape[1]).astype(np.float64)
        self.reference = _typical(gram.diagonal()[pattern > 0])
        matrix = gram.copy(order="F")
        matrix.flat[:: len(matrix) + 1] += self.reference * pattern
        CholeskyInverse(matrix.copy(), risk.names)  # refuses collinear unpenalised columns by name
        basis = both_diagonal(matrix, np.diag(np.sqrt(self.reference * pattern)))[0]
        self.rows = risk.design.dot(basis)
        self.own = self._curvature @ self.rows**2
        self.ratios = self.reference * (pattern @ basis**2)
        self.target = risk.y - risk.offset
        self.right = self.rows.T @ (self._curvature * self.target)

    def mean_loss(self, strengths: FloatArray) -> float:
        """Return the mean leave-one-out loss where row i's refit has the penalty strengths_i."""
        weights = self.risk.weights
        eta, leverage = np.empty(len(weights)), np.empty(len(weights))
        step = max(1, BLOCK_ENTRIES // len(self.ratios))
        common = bool((strengths == strengths[0]).all())
        for start in range(0, len(weights), step):
            chosen = slice(start, start + step)
            strength = strengths[:1] if common else strengths[chosen]
            inverse = 1.0 / (self.own + strength[:, None] / self.reference * self.ratios)
            block = self.rows[chosen]
            eta[chosen] = block @ (inverse[0] * self.right) if common else (block * inverse) @ self.right
            squares = block * block
            leverage[chosen] = squares @ inverse[0] if common else np.sum(squares * inverse, axis=1)
        leverage *= self._curvature
        left = 1.0 - leverage
        left[left <= ALONE] = np.nan
        return float(weights @ ((self.target - eta) / left) ** 2 / weights.sum())


def _typical(sizes: FloatArray) -> float:
    """Return the geometric mean of those above 0: units of one column must not outweigh all others."""
    sizes = sizes[sizes > 0]
    return float(np.exp(np.mean(np.log(sizes)))) if sizes.size else 1.0
