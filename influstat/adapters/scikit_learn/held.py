"""What scikit-learn found on all rows before the final fit, and would find anew without some of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from influstat.adapters.scikit_learn.batch_steps import leaves

# Settings that an estimator chooses by the rows, and where its candidates stand.
CANDIDATES = {"alpha": ("alphas", "n_alphas"), "C": ("Cs",), "l1_ratio": ("l1_ratios", "l1_ratio")}
BY_ROWS = {  # those that choose by other means than cross-validation
    "LassoLarsIC": "The alpha of LassoLarsIC was chosen",
    "BayesianRidge": "The precisions of BayesianRidge were estimated",
}
COLUMNS_ALONE = ("PolynomialFeatures",)  # learn the number of columns, nothing of the rows
BY_CATEGORIES = ("OneHotEncoder", "OrdinalEncoder")  # learn nothing where they are told the categories


def held_of(estimator: Any, transformers: Any, of_other_rows: str = "") -> tuple[str, ...]:
    """Return a sentence for each thing that is held when rows go.

    `transformers` are the steps before the final one, `of_other_rows` is what `batch_steps` says of them.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from sklearn.linear_model import RidgeCV
    >>> held_of(RidgeCV(alphas=[0.1, 1.0]).fit([[1.0], [2.0], [4.0]], [1.0, 2.0, 3.0]), None)
    ('The alpha of RidgeCV was chosen on all rows, and is held when rows go.',)
    """
    names = dict.fromkeys(type(step).__name__ for step in leaves(transformers) if _learns(step))
    held = [f"The {name} was fitted on all rows, and is held when rows go." for name in names]
    if of_other_rows:
        held.append(
            f"The columns that {of_other_rows} makes depend on which rows are in the table: they were "
            "computed with all rows, and are held when rows go."
        )
    held += _chosen(estimator)
    if isinstance(getattr(estimator, "class_weight", None), str):
        held.append("The class weights were balanced on all rows, and are held when rows go.")
    return tuple(held)


def searched(searches: Iterable[Any]) -> tuple[str, ...]:
    """Return a sentence for each search for settings that had more than one candidate."""
    held = []
    for search in searches:
        names = list(search.best_params_)
        if len(search.cv_results_["params"]) > 1:
            verb, holds = ("was", "is") if len(names) == 1 else ("were", "are")
            held.append(
                f"The {' and '.join(names)} of {type(search).__name__} {verb} chosen on all rows, and "
                f"{holds} held when rows go."
            )
    return tuple(held)


def _chosen(estimator: Any) -> list[str]:
    """Return sentences of what the estimator chose by the rows among several candidates."""
    kinds = [cls.__name__ for cls in type(estimator).__mro__]  # a class of the user's may extend one
    for kind in kinds:
        if kind in BY_ROWS:
            verb = "are" if "were" in BY_ROWS[kind] else "is"
            return [f"{BY_ROWS[kind]} on all rows, and {verb} held when rows go."]
    name = next((one for one in kinds if one.endswith("CV")), None)
    if name is None:
        return []
    found = [setting for setting, where in CANDIDATES.items() if _has_several(estimator, where)]
    if hasattr(estimator, "alpha_") and not any(hasattr(estimator, one) for one in CANDIDATES["alpha"]):
        found.append("alpha")  # of LassoLarsCV, whose path has all of them
    verb, holds = ("was", "is") if len(found) == 1 else ("were", "are")
    text = f"The {' and '.join(found)} of {name} {verb} chosen on all rows, and {holds} held when rows go."
    return [text] if found else []


def _has_several(estimator: Any, where: tuple[str, ...]) -> bool:
    """Tell whether a setting has several candidates: more than one in a list, or a number of them above 1."""
    given = [value for one in where if (value := getattr(estimator, one, None)) is not None]
    if given and isinstance(given[0], str):  # "warn", the default while it changes: of ratios, one
        return "alphas" in where
    # A number of l1_ratio is the ratio itself, one candidate.
    return bool(given) and (np.size(given[0]) > 1 or (np.ndim(given[0]) == 0 and float(given[0]) > 1.0))


def _learns(step: Any) -> bool:
    """Tell whether fitting the transformer again without some rows could change what it does to others."""
    name = type(step).__name__
    # scikit-learn does not fit a frozen one again either.
    if name == "FrozenEstimator" or name in COLUMNS_ALONE:
        return False
    if name in BY_CATEGORIES and not isinstance(step.categories, str):
        return any(getattr(step, one, None) is not None for one in ("min_frequency", "max_categories"))
    if name == "SimpleImputer" and step.strategy == "constant":
        return False
    if not getattr(step, "__dict__", True):
        return False  # one of the user's own that has kept nothing at all
    if hasattr(step, "__sklearn_tags__"):
        return bool(step.__sklearn_tags__().requires_fit)
    tags: dict[str, Any] = getattr(step, "_get_tags", dict)()  # of versions before 1.6
    return bool(tags.get("requires_fit", True)) and not tags.get("stateless", False)
