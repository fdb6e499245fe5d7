"""Models of statsmodels whose rows are not independent terms of one risk, each with the reason."""

from __future__ import annotations

from typing import Any

from influstat.adapters.statsmodels.reading import unsupported

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


def refuse(results: Any) -> None:
    """Raise Unsupported if the model is one of the above; the nearest of its parents gives the reason."""
    kind = type(results.model)
    if kind.__name__ in REASONS:
        unsupported(kind.__name__, REASONS[kind.__name__])
    for parent in kind.__mro__:
        for module, why in REASONS.items():
            if parent.__module__ == module or parent.__module__.startswith(f"{module}."):
                unsupported(kind.__name__, why)
