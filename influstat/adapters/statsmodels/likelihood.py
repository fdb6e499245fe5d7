"""Count, choice and other likelihood models, through their own scores."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.adapters.other_rows import few
from influstat.adapters.statsmodels import reading
from influstat.adapters.statsmodels.glm import offset_of
from influstat.adapters.statsmodels.ordered_likelihood import OrderedLikelihoods
from influstat.adapters.statsmodels.pickled import HoldsModel
from influstat.adapters.statsmodels.reading import unsupported
from influstat.errors import InvalidArgument
from influstat.input.groups import Indices
from influstat.input.labels import label_name
from influstat.input.validation import FloatArray, vector
from influstat.risks.classes import ClassLosses, class_codes, class_contrasts, softmax_losses
from influstat.risks.likelihood import LikelihoodRisk, RowLikelihoods, no_such_rows

EXPONENTIAL_MEAN = ("NegativeBinomialP", "GeneralizedPoisson")
NUMERICAL = float(np.finfo(np.float64).eps) ** 0.2  # step of fourth-order differences
SAME = 1e-8  # relative: sums over fewer rows round otherwise


@dataclass(frozen=True, eq=False)
class ScoredLikelihoods(HoldsModel):
    """The rows of a statsmodels likelihood model, by its `loglikeobs`, `score_obs` and `hessian`."""

    model: Any

    def losses(self, theta: FloatArray) -> FloatArray:
        """Return -loglikeobs."""
        with np.errstate(all="ignore"):  # nan beyond the parameters' range: a minimiser steps back
            values = -np.asarray(self.model.loglikeobs(theta), dtype=np.float64)
        return values if values.ndim == 1 else values.sum(axis=1)  # MNLogit: one column per class

    def gradients(self, theta: FloatArray) -> FloatArray:
        """Return -score_obs."""
        with np.errstate(all="ignore"):
            return -np.asarray(self.model.score_obs(theta), dtype=np.float64)

    def rounding(self, theta: FloatArray) -> Any:
        """Return 0: the scores are in closed form."""
        return 0.0

    def hessian_diagonal(self, theta: FloatArray) -> FloatArray:
        """Return -diag(hessian)."""
        with np.errstate(all="ignore"):
            return -np.asarray(self.model.hessian(theta), dtype=np.float64).diagonal()

    def contrasts(self, rows: NDArray[np.intp]) -> FloatArray | None:
        """Return the contrasts of classes, or of counts: a 0 may fall for ever, no other count does."""
        name, X = type(self.model).__name__, np.asarray(self.model.exog, dtype=np.float64)[rows]
        if name == "MNLogit":  # the first class has the coefficients 0
            codes = np.argmax(self.model.wendog, axis=1)[rows]
            return class_contrasts(X, codes, int(self.model.J))[:, X.shape[1] :]
        if name not in EXPONENTIAL_MEAN:
            return None
        both = X[np.asarray(self.model.endog)[rows] > 0]  # held, by both signs
        return np.pad(np.concatenate([-X, both]), ((0, 0), (0, int(self.model.k_extra))))

    def class_losses(self) -> ClassLosses | None:
        """Return those of MNLogit, whose first class has the coefficients 0; None for other models."""
        if type(self.model).__name__ != "MNLogit":
            return None
        classes, X = int(self.model.J), np.asarray(self.model.exog, dtype=np.float64)
        labels = np.array(list(self.model._ynames_map.values()), dtype=object)  # noqa: SLF001 - its only names

        def losses(theta: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
            free = np.broadcast_to(
                theta.reshape(-1, classes - 1, X.shape[1]), (len(rows), classes - 1, X.shape[1])
            )
            return softmax_losses(X[rows], np.pad(free, ((0, 0), (1, 0), (0, 0))))

        return ClassLosses(labels, np.argmax(self.model.wendog, axis=1), losses)

    def softmax_classes(self) -> tuple[NDArray[np.intp], int] | None:
        """Return those of MNLogit; None for other models."""
        if type(self.model).__name__ != "MNLogit":
            return None
        return np.argmax(self.model.wendog, axis=1), int(self.model.J)

    def with_rows(self, X: FloatArray, y: Any, offset: FloatArray | None) -> ScoredLikelihoods:
        """Return the same model on other rows."""
        name = type(self.model).__name__
        if name != "MNLogit" and name not in EXPONENTIAL_MEAN:
            raise no_such_rows("one design matrix and one response", name)
        other = copy.copy(self.model)
        other.exog, other.nobs = X, len(X)
        targets = vector("y", y, len(X))
        other.endog = targets
        if name == "MNLogit":
            codes = class_codes(targets, self.model.J, "the model's classes", reading.AS_IN_MODEL)
            other.wendog = np.eye(self.model.J)[codes]
        other.exposure = np.zeros(len(X))  # its logarithm, as statsmodels keeps it
        other.offset = np.zeros(len(X)) if offset is None else offset
        return ScoredLikelihoods(other)

    def linear(self, theta: FloatArray, X: FloatArray) -> FloatArray:
        """Return X beta, where the first coefficients are those of one linear predictor."""
        name = type(self.model).__name__
        if name not in EXPONENTIAL_MEAN:
            raise no_such_rows("one linear predictor", name)
        return np.asarray(X @ theta[: X.shape[1]])

    def predictor_offset(self) -> FloatArray | None:
        """Return the offset and the logarithm of the exposure, where the mean is e^eta."""
        if type(self.model).__name__ not in EXPONENTIAL_MEAN:
            return None
        found = offset_of(self.model)
        return np.zeros(len(self.model.endog)) if found is None else np.asarray(found, dtype=np.float64)

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return e^eta."""
        return np.asarray(np.exp(eta))

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Return e^eta."""
        return np.asarray(np.exp(eta))


@dataclass(frozen=True, eq=False)
class DifferencedLikelihoods(ScoredLikelihoods):
    """A likelihood model without a score of its own: `loglikeobs` differenced to fourth order."""

    def rounding(self, theta: FloatArray) -> Any:
        """Return |loss| / step."""
        steps = NUMERICAL * np.maximum(1.0, np.abs(theta))
        return np.abs(self.losses(theta))[:, None] / steps

    def gradients(self, theta: FloatArray) -> FloatArray:
        """Return the differences of the losses along each coefficient."""
        columns = []
        for k in range(len(theta)):
            ends = []
            for multiple in (1.0, 2.0):
                right, left = theta.copy(), theta.copy()
                right[k] += multiple * NUMERICAL * max(1.0, abs(theta[k]))
                left[k] -= multiple * NUMERICAL * max(1.0, abs(theta[k]))
                ends.append((self.losses(right) - self.losses(left)) / (right[k] - left[k]))
            columns.append((4.0 * ends[0] - ends[1]) / 3.0)
        return np.stack(columns, axis=1)


def from_likelihood(results: Any) -> reading.Mapped:
    """Map a likelihood model of independent rows."""
    model = results.model
    if hasattr(model, "pen_weight"):  # what every penalised likelihood of statsmodels has, and no other
        reading.unsupported(
            type(model).__name__, "Its penalty is not known here. Use GLMGam, or a penalised ist.LinearRisk."
        )
    if not (hasattr(model, "loglikeobs") and hasattr(model, "score_obs")):
        reading.unsupported(
            type(model).__name__, "It has no loglikeobs and score_obs that would give one row's part."
        )
    likelihood, theta, names = _likelihood(results)
    labels = reading.row_labels(model)
    losses, gradients = likelihood.losses(theta), likelihood.gradients(theta)
    if (losses.shape, gradients.shape) != (labels.shape, (len(labels), len(theta))):
        reading.unsupported(
            type(model).__name__,
            "Its loglikeobs or score_obs does not give one entry per row, so no row can be taken out.",
        )
    if np.isfinite(theta).all():
        _require_finite(losses, gradients, labels)
    if isinstance(likelihood, ScoredLikelihoods) and likelihood.class_losses() is None:
        require_own_rows(likelihood.model, theta, losses)
    design = reading.design_of(model, reading.design_matrix(model))
    return reading.Mapped(LikelihoodRisk(likelihood, design, names, labels), theta)


def _require_finite(losses: FloatArray, gradients: FloatArray, labels: NDArray[Any]) -> None:
    """Raise where a row's log-likelihood or score is no number at the fitted coefficients."""
    for name, values in (("loglikeobs", losses[:, None]), ("score_obs", gradients)):
        wrong = ~np.isfinite(values).all(axis=1)
        if wrong.any():
            row = int(np.argmax(wrong))
            value = values[row][~np.isfinite(values[row])][0]
            more = f" and {wrong.sum() - 1} more" if wrong.sum() > 1 else ""
            raise InvalidArgument(
                "results",
                f"have a finite {name} for every row at their coefficients",
                f"has {value} for row {label_name(labels[row])}{more}",
                "Fit again from other start values, by a likelihood that is finite there, or without such "
                "rows.",
            )


def _likelihood(results: Any) -> tuple[RowLikelihoods, FloatArray, tuple[str, ...]]:
    from statsmodels.base.model import GenericLikelihoodModel
    from statsmodels.discrete import discrete_model
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    model, theta = results.model, reading.parameters(results)
    names = _names(results, len(theta))
    if isinstance(model, OrderedModel):
        return OrderedLikelihoods.of(model), theta, names
    if isinstance(model, discrete_model.NegativeBinomial):
        # Its score_obs is differenced to first order; NegativeBinomialP has the same in closed form.
        return ScoredLikelihoods(_as_negative_binomial_p(model)), theta, names
    if getattr(model, "_transparams", False):
        model = copy.copy(model)
        model._transparams = False  # noqa: SLF001 - a fit that broke off leaves it on; no public switch
    if isinstance(model, GenericLikelihoodModel) and (
        type(model).score_obs is GenericLikelihoodModel.score_obs
    ):
        return DifferencedLikelihoods(model), theta, names
    return ScoredLikelihoods(model), theta, names


def _as_negative_binomial_p(model: Any) -> Any:
    from statsmodels.discrete.discrete_model import NegativeBinomialP

    power = {"nb1": 1, "nb2": 2}[model.loglike_method]
    return NegativeBinomialP(model.endog, reading.design_matrix(model), p=power, offset=offset_of(model))


def _names(results: Any, count: int) -> tuple[str, ...]:
    model = results.model
    if np.ndim(results.params) == 2:  # MNLogit: one column of coefficients per class but the first
        classes = [str(name) for name in getattr(model, "_ynames_map", {}).values()][1:]
        if len(classes) * model.K == count:
            return tuple(f"{label}: {name}" for label in classes for name in model.exog_names)
    given = [str(name) for name in getattr(model, "param_names", None) or model.exog_names]
    return tuple(given) if len(given) == count else tuple(f"theta{j}" for j in range(count))


def require_own_rows(model: Any, theta: FloatArray, losses: FloatArray) -> None:
    """Raise Unsupported where rows among themselves have other log-likelihoods than among all (-losses)."""
    # They have where `loglikeobs` gives the rows in another order, or where a row's entry is made with other
    # rows (a mean, everyone at risk): then no row can be taken out by its own entry.
    rows = few(len(losses))[::2]
    alone = _alone(model, theta, rows)
    if alone is None:  # it cannot be made of fewer rows, so that nothing is known
        return
    if _same(alone, losses, rows):
        return
    every = np.arange(len(losses))
    whole = _alone(model, theta, every)
    if whole is None or not _same(whole, losses, every):
        return  # it keeps what statsmodels does not hand on, so that no model made anew is the same
    unsupported(
        type(model).__name__,
        "Its loglikeobs gives some rows other values when other rows are missing: it has them in another "
        "order than the data, or a row's entry is made with other rows. Return one entry per row, in their "
        "order, and compute means and the like before the model is made.",
    )


def _same(alone: FloatArray, losses: FloatArray, rows: Indices) -> bool:
    """Tell whether log-likelihoods of these rows are minus their losses."""
    room = SAME * np.median(np.abs(losses))
    return bool(np.allclose(-alone, losses[rows], rtol=SAME, atol=room, equal_nan=True))


def _alone(model: Any, theta: FloatArray, rows: Indices) -> FloatArray | None:
    """Return `loglikeobs` of a model of these rows alone; None where there is none."""
    n = np.shape(model.endog)[0]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            settings = model._get_init_kwds()  # noqa: SLF001 - how statsmodels itself makes a model anew
            for name, value in settings.items():
                if np.ndim(value) and np.shape(value)[0] == n:
                    settings[name] = np.asarray(value)[rows]
            other = type(model)(np.asarray(model.endog)[rows], np.asarray(model.exog)[rows], **settings)
            found = np.asarray(other.loglikeobs(theta), dtype=np.float64)
    except Exception:  # noqa: BLE001  # whatever a user's model raises without its other rows
        return None
    return found if found.shape == (len(rows),) else None
