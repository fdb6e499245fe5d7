"""What every statsmodels adapter reads from a results object, and which models are refused, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from influstat.adapters.origin import refuse_of_others
from influstat.errors import InvalidArgument, InvalidType, NotConverged, Unsupported
from influstat.input.chosen import is_pandas_index
from influstat.input.design import Design
from influstat.input.labels import index_labels
from influstat.input.validation import FloatArray
from influstat.losses.base import Loss
from influstat.risks.linear import LinearRisk

SUPPORTED = (
    "OLS, WLS, GLS, RLM, QuantReg (smoothed), GLM (every family and link), GLMGam, Logit, Probit, Poisson, "
    "NegativeBinomial, NegativeBinomialP, GeneralizedPoisson, MNLogit, OrderedModel, other likelihood "
    "models of independent rows, and fit_regularized of the linear ones"
)


AS_IN_MODEL = "Code the classes as model.endog does."
# A module of statsmodels, or one of its classes -> why its fits are refused, and what to do.
REASONS = {
    "statsmodels.regression.mixed_linear_model": (
        "Its likelihood couples all rows of a group through the random effects, so a single row is no term "
        "of it. Refit without the row or the group."
    ),
    "statsmodels.genmod.bayes_mixed_glm": (
        "Its estimates are posterior summaries in which random effects couple the rows. Refit without them."
    ),
    "statsmodels.duration.hazard_regression": (
        "Its partial likelihood couples each row with everyone still at risk, so a row is no term of it. "
        "Refit without the row."
    ),
    "statsmodels.genmod.generalized_estimating_equations": (
        "Its estimating equations have clusters, not rows, as terms, and minimise no risk. Refit without the "
        "cluster, or fit sm.GLM with cov_type='cluster', whose coefficients are those under independence."
    ),
    "statsmodels.genmod.qif": (
        "Its quadratic inference function is a quadratic form in sums over clusters, not a sum over rows. "
        "Refit without the cluster."
    ),
    "statsmodels.sandbox.regression.gmm": (
        "Instrumental variables and GMM solve moment conditions and minimise no sum over rows. Refit without "
        "the row."
    ),
    "statsmodels.tsa": (
        "Its rows follow one another: without one of them the others' likelihood changes too. Refit with the "
        "value missing, where the model allows it."
    ),
    "statsmodels.regression.rolling": "It is many fits, one for each window. Pass those of one window.",
    "statsmodels.regression.recursive_ls": (
        "It is a state space fit, one for each time. Fit sm.OLS, which has the same final coefficients."
    ),
    "statsmodels.discrete.conditional_models": (
        "Its conditional likelihood couples all rows of a group. Refit without the row or the group."
    ),
    "statsmodels.imputation": (
        "Its estimates are averages over imputed tables, each with a fit of its own. Pass the fit to one of "
        "them."
    ),
    "statsmodels.regression.dimred": (
        "It finds directions from means of slices of all rows, and minimises no sum over them. Refit without "
        "the row."
    ),
    "statsmodels.regression.process_regression": (
        "Its likelihood couples all rows of a group. Refit without the row or the group."
    ),
    "statsmodels.multivariate": "It has several responses. Fit one response at a time.",
    "GLSAR": (
        "It estimates the autocorrelation that whitens its rows. Fit sm.GLS with that correlation held fixed."
    ),
    "HurdleCountModel": (
        "Its two parts are separate fits. Fit sm.Logit to y > 0 and the truncated model to the rows with "
        "y > 0, and pass each."
    ),
    "LogitGam": "It penalises a Logit: fit GLMGam with the Binomial family instead.",
}


@dataclass(frozen=True, eq=False)
class Mapped:
    """A results object in influstat's terms: the risk, and theta as the library left it."""

    risk: Any
    theta: FloatArray


def unsupported(found: str, why: str) -> NoReturn:
    """Raise Unsupported for a kind of results, with the reason."""
    raise Unsupported(
        "results", "come from a supported model", f"comes from {found}", f"{why} Supported are {SUPPORTED}."
    )


def unwrapped(results: Any) -> Any:
    """Return the results object inside statsmodels' wrapper, or raise."""
    inner = getattr(results, "_results", results)
    model = getattr(inner, "model", None)
    need = "be the fitted results of a statsmodels model"
    if not hasattr(inner, "params") or model is None:
        refuse_of_others("results", results, own="statsmodels", need=need)
        what = "a model that was not fitted" if hasattr(results, "fit") else f"a {type(results).__name__}"
        raise InvalidType("results", need, f"is {what}", "Pass what model.fit() returns.")
    packages = [cls.__module__.partition(".")[0] for kind in (inner, model) for cls in type(kind).__mro__]
    if "statsmodels" not in packages:
        raise InvalidType(
            "results",
            need,
            f"is a {type(inner).__name__} of {packages[0]}",
            "Fit the same model with statsmodels, or write its loss and use ist.LinearRisk(loss, X, y).",
        )
    return inner


def require_converged(results: Any) -> None:
    """Raise NotConverged if the library says that its own iterations did not converge."""
    said = getattr(results, "converged", None)
    if said is None:
        said = (getattr(results, "mle_retvals", None) or {}).get("converged")
    if said is not None and not np.all(said):  # hurdle models say it for each of their parts
        raise NotConverged(
            f"The {type(results.model).__name__} fit did not converge: the library itself says so, and its "
            "coefficients minimise nothing. Fit again with a larger maxiter or another method, or pass "
            "polish=True to finish the fit by Newton's method here."
        )


def require_usable(results: Any) -> None:
    """Raise if the data are gone, or theta is no minimum over all coefficients."""
    model = results.model
    if getattr(model, "endog", None) is None or getattr(model, "exog", None) is None:
        raise InvalidArgument(
            "results",
            "still hold their data",
            "lost them to remove_data()",
            "Pass the results before remove_data() or save(remove_data=True), or fit again.",
        )
    for name, values in (("y", model.endog), ("X", model.exog)):
        if np.iscomplexobj(values):
            raise InvalidType(
                "results",
                "come from real numbers",
                f"comes from {name} of dtype {np.asarray(values).dtype}",
                "Take its .real or .imag before the fit.",
            )
    try:
        getattr(model, "exog_names", None)  # which it makes when asked
    except TypeError as error:
        raise InvalidArgument(
            "results",
            "come from columns that statsmodels can name",
            f"comes from X with a MultiIndex of other things than text ({error})",
            "Fit again with names of text: X.columns = [str(name) for name in X.columns].",
        ) from error
    if getattr(results, "constraints", None) is not None or getattr(results, "k_constr", None):
        unsupported(
            "fit_constrained",
            "Its coefficients minimise the risk on a subspace only. Fit the reduced design without "
            "constraints and pass those results.",
        )
    if getattr(results, "regularized", False):
        unsupported(
            "fit_regularized(refit=True)",
            "Its coefficients are those of a smaller model. Fit that model on the selected columns with "
            "fit() and pass its results.",
        )


def parameters(results: Any) -> FloatArray:
    """Return the coefficients as a vector, a matrix of them column by column."""
    return np.asarray(results.params, dtype=np.float64).ravel(order="F")


def one_predictor(
    results: Any, loss: Loss, *, X: Any = None, y: Any = None, weights: Any = None, offset: Any = None
) -> Mapped:
    """Map results with one linear predictor: the loss on the model's own rows where none are given."""
    model = results.model
    risk = LinearRisk(
        loss,
        design_of(model, design_matrix(model) if X is None else X),
        np.asarray(model.endog if y is None else y, dtype=np.float64),
        weights=weights,
        offset=offset,
        row_labels=row_labels(model),
    )
    return Mapped(risk, parameters(results))


def row_labels(model: Any) -> NDArray[Any]:
    """Return the labels of the rows that were fitted, (n,): those of the data, less the ones dropped."""
    # Data without an index are counted from 0, before missing='drop' took rows away.
    n = np.shape(model.endog)[0]
    labels = model.data.row_labels
    if labels is not None and len(labels) == n:
        return index_labels(labels) if is_pandas_index(labels) else np.asarray(labels)
    dropped = getattr(model.data, "missing_row_idx", None) or []
    left = np.delete(np.arange(n + len(dropped)), np.asarray(dropped, dtype=int))
    return left if len(left) == n else np.arange(n)


def design_matrix(model: Any) -> FloatArray:
    """Return the fitted rows of the design, with its own column of ones, in the model's order."""
    exog = np.asarray(model.exog, dtype=np.float64)
    return exog.reshape(-1, 1) if exog.ndim == 1 else exog


def design_of(model: Any, X: FloatArray) -> Design:
    """Return rows of the design under the model's names, shape (n, q)."""
    # Where the model was given a table, new rows in a table must have its columns in its order; where it
    # was made from a formula, `formula_reader` makes such rows of tables of the formula's variables.
    count = X.shape[1]
    given = [str(name) for name in model.exog_names or ()][:count]  # extra parameters follow
    named = len(given) == count
    design = Design(X, names=given if named else None)
    own: Any = getattr(getattr(model.data, "orig_exog", None), "columns", None)
    if (named and hasattr(model, "formula")) or own is not None:
        # Columns of several levels have other names in the model ("a_x") than in the caller's own table.
        several = own is not None and own.nlevels > 1 and len(own) == count
        design.columns = [str(name) for name in own] if several else list(design.names)
    return design


def refuse(results: Any) -> None:
    """Raise Unsupported if the model is one of the above; the nearest of its parents gives the reason."""
    kind = type(results.model)
    if kind.__name__ in REASONS:
        unsupported(kind.__name__, REASONS[kind.__name__])
    for parent in kind.__mro__:
        for module, why in REASONS.items():
            if parent.__module__ == module or parent.__module__.startswith(f"{module}."):
                unsupported(kind.__name__, why)
