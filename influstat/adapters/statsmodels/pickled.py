"""A model made from a formula, in a form that can be pickled.

patsy's objects cannot be, and statsmodels evaluates the formula anew wherever the pickle is read, among
whatever names stand there. Here what the formula takes from outside of its table goes into the pickle; its
right side is made anew of it when it is asked for, and checked against the design that was fitted.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, field, fields
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from influstat.adapters.statsmodels.formula_parts import (
    RECIPE,
    SAME,
    SPECS,
    evaluated,
    formula_of,
    right_spec,
    said,
    training_table,
)
from influstat.errors import Unsupported
from influstat.input.tables import as_pandas


@dataclass
class Recipe:
    """How the right side of a model's formula is made anew."""

    # What the formula takes from outside of its table, by name: numbers, functions of modules.
    names: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)  # modules among them, by their own names
    lost: tuple[str, ...] = ()  # those that cannot be pickled
    spec: Any = None  # formulaic's right side, which can be pickled as it is; once it is made, patsy's

    def scope(self) -> dict[str, Any]:
        """Return what the formula takes from outside of its table, by name."""
        return self.names | {name: import_module(module) for name, module in self.modules.items()}

    def right(self, model: Any) -> Any:
        """Return the right side of the model's formula, or raise Unsupported where it is lost."""
        if self.spec is None:
            self.spec = self._made(model)
        return self.spec

    def _made(self, model: Any) -> Any:
        import patsy

        right, why = str(formula_of(model)).rpartition("~")[2], "the table has been changed since"
        try:
            table = as_pandas("data", model.data.frame)
            spec = patsy.dmatrix(right, table, patsy.EvalEnvironment([self.scope()])).design_info
            rows, columns = evaluated(model, spec, training_table(model)), list(model.exog_names)
            known = [name for name in spec.column_names if name in columns]
            ours = rows[:, [spec.column_names.index(name) for name in known]]
            fitted = np.asarray(model.exog, dtype=np.float64)[:, [columns.index(name) for name in known]]
            if known and np.allclose(ours, fitted, rtol=SAME, atol=SAME):
                return spec
        except Exception as error:  # noqa: BLE001  # whatever a formula raises
            why = said(error)
        if self.lost:
            why = f"{', '.join(self.lost)} could not be pickled"
        raise Unsupported(
            "X",
            f"be rows of the design matrix where the formula {formula_of(model)!r} is lost",
            f"is a table of its variables, and the fit comes from a pickle ({why})",
            "Pass such rows; or define what the formula uses in a module, which a pickle can name, fit again "
            "and pickle that.",
        )


class HoldsModel:
    """Base of dataclasses of a statsmodels model, whose pickles hold nothing that patsy has made."""

    model: Any

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields, with a portable model."""
        own: Any = self
        return {one.name: getattr(self, one.name) for one in fields(own)} | {"model": portable(self.model)}


def portable(model: Any) -> Any:
    """Return a model that can be pickled: without what patsy has made, if it comes from a formula.

    Returns
    -------
    statsmodels model
        A copy that shares the data, or the model itself where it needs none.

    Examples
    --------
    >>> import pickle
    >>> import pandas as pd
    >>> import statsmodels.api as sm
    >>> from influstat.adapters.statsmodels.formula_parts import right_spec
    >>> table = pd.DataFrame({"y": [1.0, 3.0, 2.0], "dose": [1.0, 4.0, 9.0]})
    >>> model = sm.OLS.from_formula("y ~ center(dose)", table, eval_env=0)
    >>> right_spec(pickle.loads(pickle.dumps(portable(model)))).column_names
    ['Intercept', 'center(dose)']
    """
    if formula_of(model) is None:
        return model
    recipe = getattr(model, RECIPE, None) or _recipe(model)
    plain = _without_specs(model)
    for name, part in vars(plain).items():
        if any(hasattr(part, spec) for spec in SPECS) and hasattr(part, "orig_exog"):
            setattr(plain, name, _without_specs(part))  # `data`, and that of a GLMGam's linear part
    setattr(plain, RECIPE, recipe if hasattr(recipe.spec, "formula") else _unmade(recipe))
    return plain


def _without_specs(owner: Any) -> Any:
    """Return a shallow copy, by no way that would make the specifications anew."""
    plain = object.__new__(type(owner))
    plain.__dict__.update({name: part for name, part in vars(owner).items() if name not in SPECS})
    return plain


def _unmade(recipe: Recipe) -> Recipe:
    recipe = copy.copy(recipe)
    recipe.spec = None
    return recipe


def _recipe(model: Any) -> Recipe:
    """Return how the right side of a model is made anew."""
    spec = right_spec(model)
    if not hasattr(spec, "factor_infos"):  # formulaic's
        return Recipe(spec=spec)
    import patsy

    table, recipe = training_table(model), Recipe()
    columns = [] if table is None else list(table.columns)
    infos = [spec, getattr(getattr(model.data, "orig_endog", None), "design_info", None)]
    for info in [one for side in infos if side is not None for one in side.factor_infos.values()]:
        for space in getattr(info.state.get("eval_env"), "_namespaces", []):
            for name, value in space.items():
                if name not in columns and getattr(patsy.builtins, name, None) is not value:
                    _keep(recipe, name, value)
    return recipe


def _keep(recipe: Recipe, name: str, value: Any) -> None:
    if isinstance(value, ModuleType):
        recipe.modules[name] = value.__name__
        return
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001  # a function defined in another, a lock, ...: each has its own error
        recipe.lost += () if name in recipe.lost else (name,)
    else:
        recipe.names[name] = value
