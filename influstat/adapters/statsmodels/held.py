"""What a statsmodels fit found on all rows, and the same call without some of them would find anew."""

from __future__ import annotations

from typing import Any

from influstat.adapters.statsmodels.batch_terms import batch_terms, sides


def held_of(results: Any) -> tuple[str, ...]:
    """Return a sentence for each thing that is held when rows go.

    Parameters
    ----------
    results : statsmodels results
        Without their wrapper.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> held_of(sm.RLM([1.0, 3.0, 2.0, 9.0], [[1.0]] * 4).fit())
    ('The scale of RLM was estimated on all rows, and is held when rows go.',)
    """
    held, model = [], results.model
    specs = sides(model)
    learning = [name for spec in specs for name in _learning(spec)]
    terms = list(dict.fromkeys(learning + batch_terms(model, specs)))
    if terms:
        many, verb, hold = ("s", "were", "are") if len(terms) > 1 else ("", "was", "is")
        held.append(
            f"The term{many} {', '.join(terms)} of the formula {verb} computed with all rows, and {hold} "
            "held when rows go."
        )
    if getattr(model, "smoother", None) is not None:
        held.append("The knots of the smoother were placed by all rows, and are held when rows go.")
    if type(model).__name__ == "RLM":
        held.append("The scale of RLM was estimated on all rows, and is held when rows go.")
    return tuple(held)


def _learning(spec: Any) -> list[str]:
    """Return the factors of one side that hold a stateful transform's state."""
    if hasattr(spec, "factor_infos"):  # patsy
        parts = spec.factor_infos.items()
        return [factor.name() for factor, info in parts if info.state.get("transforms")]
    return [name for name, state in getattr(spec, "transform_state", {}).items() if state]  # formulaic
