"""`FormulaColumns`: both sides of a formula, evaluated on each partition with levels fixed beforehand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType, MissingDependency, Unsupported
from influstat.input.printing import short
from influstat.partitioned.sources.columns import Columns, lacking, missing

PLAIN = r"(?:C\()?\s*(\w+)\s*(?:,.*)?\)?"  # a column, or C() of one
BY_SAMPLE = (
    "Fit it on a sample with statsmodels, and pass those results as formula=: what was learned is reused."
)


def patsy() -> Any:
    """Return the package, or raise MissingDependency."""
    try:
        import patsy as package
    except ImportError:  # pragma: no cover - statsmodels brings it along
        raise MissingDependency("Formulas over partitions need patsy. Run pip install patsy.") from None
    return package


@dataclass(frozen=True)
class FormulaColumns(Columns):
    """The columns that a formula makes of a table.

    `x` are the columns of the table that it takes; `levels` are those of its categories. `given` is the right
    side of a fitted model, where one was passed: transforms keep what they have learned there.
    """

    formula: str = ""
    given: Any = field(default=None, compare=False)

    def chosen(self, names: Sequence[str], index: Sequence[str] = ()) -> Columns:
        """Return the same with the table's columns that the formula takes; or raise."""
        del index  # taken only where the formula names it
        there = [name for name in names if _word(name).search(self.formula)]
        for argument, name in self._others:
            if name not in names:
                raise missing(argument, name, names)
        for name, _ in self.levels:
            if name not in there:
                raise missing("levels", name, there)
        if not there:
            raise InvalidArgument(
                "formula",
                "take columns of the table",
                f"is {self.formula!r}; there are {short(list(names))}",
                "Correct it.",
            )
        found = replace(self, x=tuple(there))
        found.sides  # noqa: B018 - a formula that cannot be read is refused now
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Return all but what patsy has made, which has no form to be sent in: it is made anew."""
        if self.given is not None and _learned(self.given):
            raise Unsupported(
                "formula",
                "have no transforms that learn from rows, to be sent to other processes",
                f"has {', '.join(_learned(self.given))}",
                'Use threads (runner="threads"), or transform the columns beforehand.',
            )
        return {**{name: self.__dict__[name] for name in self.__dataclass_fields__}, "given": None}

    @cached_property
    def sides(self) -> tuple[Any, Any]:
        """The left and the right side as patsy holds them."""
        package = patsy()
        left, tilde, right = self.formula.partition("~")
        if not (tilde and left.strip()):
            raise InvalidArgument(
                "formula", 'have a left side, as "y ~ x"', f"is {self.formula!r}", "Name the targets."
            )
        sample = self._sample()
        try:
            y = package.dmatrix(f"{left} - 1", sample, 0, NA_action="raise").design_info
            x = self.given
            if x is None:
                x = package.dmatrix(right, sample, 0, NA_action="raise").design_info
        except Exception as error:  # a formula may call anything
            raise InvalidArgument(
                "formula",
                "be one that patsy can read, of columns of numbers and of those in levels",
                f"is {self.formula!r} ({type(error).__name__}: {_first_line(error)})",
                "Correct it; give categories as levels={column: [...]}.",
            ) from error
        if len(y.column_names) != 1:
            was = f"makes {', '.join(y.column_names)}"
            raise InvalidArgument(
                "formula", "have one column on its left side", was, "Code the targets as numbers."
            )
        self._require_known(y, "left")
        if self.given is None:
            self._require_known(x, "right")
        return y, x

    def _sample(self) -> Any:
        """Return a few rows that hold every level, and numbers elsewhere."""
        import pandas as pd

        known = dict(self.levels)
        n = max([2, *(len(some) for some in known.values())])
        table: dict[str, Any] = {}
        assert self.x is not None  # `chosen` has named them
        for name in self.x:
            if name in known:
                rows = [known[name][k % len(known[name])] for k in range(n)]
                table[name] = pd.Categorical(rows, categories=list(known[name]))
            else:
                table[name] = np.linspace(0.25, 0.75, n)  # where logarithms, roots and logits exist
        return pd.DataFrame(table)

    def _require_known(self, side: Any, which: str) -> None:
        """Raise where a side would learn from the sample: levels or what a transform keeps."""
        learned = _learned(side)
        if learned:
            need = f"have no term on its {which} side that learns from all rows"
            raise Unsupported("formula", need, f"has {', '.join(learned)}", BY_SAMPLE)
        fixed = [name for name, _ in self.levels]
        for factor, info in side.factor_infos.items():
            if info.type == "categorical" and not any(_named_in(name, [factor.name()]) for name in fixed):
                plain = re.fullmatch(PLAIN, factor.name())
                remedy = "Pass levels={column: [...]}, fixed for all partitions." if plain else BY_SAMPLE
                need = f"hold the categories of {factor.name()!r}"
                raise InvalidArgument("levels", need, "lacks them", remedy)

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of the design matrix are called."""
        return tuple(map(str, self.sides[1].column_names))

    @property
    def numeric(self) -> list[str]:
        """The columns of the table that are no categories of the formula."""
        return [name for name in super().numeric if name not in self._categories]

    @cached_property
    def _categories(self) -> set[str]:
        """Columns in categorical factors of a right side that was given."""
        assert self.x is not None  # `chosen` has named them
        infos = self.sides[1].factor_infos.items()
        categorical = [factor.name() for factor, info in infos if info.type == "categorical"]
        return {name for name in self.x if _named_in(name, categorical)}

    def _targets(self, table: Any) -> NDArray[Any]:
        return np.asarray(self._evaluated(table, self.sides[0])[:, 0])

    def matrix(self, table: Any) -> Any:
        """Return the rows of the design matrix."""
        return self._evaluated(table, self.sides[1])

    def columns_of(self, table: Any) -> Any:
        """Return the rows of the design matrix for a table of new rows, called by its index."""
        import pandas as pd

        return pd.DataFrame(self._evaluated(table, self.sides[1]), table.index, list(self.names))

    def _evaluated(self, table: Any, side: Any) -> Any:
        """Return the columns of one side; nan stays nan, and an unknown category is named with its row."""
        import pandas as pd

        package = patsy()
        if len(table) == 0:
            return np.zeros((0, len(side.column_names)))
        assert self.x is not None  # `chosen` has named them
        factors = [factor.name() for factor in side.factor_infos]
        held = [name for name in self.x if name in table.columns and _named_in(name, factors)]
        text = {name for name, _ in self.levels} | self._categories
        known = {name: _plain(table[name], name in text) for name in held}
        rows = pd.DataFrame(known, index=np.arange(len(table)))
        for factor, info in side.factor_infos.items():
            if info.type == "categorical":
                _require_levels(factor, info, rows)
        try:
            with np.errstate(all="ignore"):  # what is not finite is refused as such, with its row
                found = package.build_design_matrices([side], rows, package.NAAction(NA_types=[]))[0]
        except package.PatsyError as error:
            raise InvalidArgument(
                "formula",
                "suit the columns of every partition",
                f"does not: {_first_line(error)}",
                "Correct that column.",
            ) from error
        values = np.asarray(found)
        return values if len(values) == len(table) else np.repeat(values, len(table), axis=0)  # "y ~ 1"


class FormulaReader:
    """Takes new rows as tables of a formula's variables; other rows are those of the design already."""

    def __init__(self, columns: FormulaColumns) -> None:
        self._columns = columns

    def columns(self, X: Any) -> Any:
        """Return rows of the design matrix."""
        named = getattr(X, "columns", None)
        if named is None or tuple(map(str, named)) == self._columns.names or not hasattr(X, "iloc"):
            return X
        table = X.set_axis([str(name) for name in named], axis=1)
        lacking = [name for name in self._wanted() if name not in table.columns]
        if lacking:
            raise missing("X", lacking[0], list(table.columns))
        return self._columns.columns_of(table)

    def _wanted(self) -> list[str]:
        factors = [factor.name() for factor in self._columns.sides[1].factor_infos]
        names = self._columns.x or ()
        return [name for name in names if _named_in(name, factors)]

    def targets(self, y: Any) -> Any:
        """Return y as it is: a formula's left side is not applied to targets."""
        return y

    def labels(self, X: Any, y: Any) -> NDArray[Any] | None:
        """Return None: tables say it themselves."""
        del X, y
        return None


def formula_reader(columns: Any) -> FormulaReader | None:
    """Return what takes tables of a formula's variables; None where there is no formula."""
    return FormulaReader(columns) if isinstance(columns, FormulaColumns) else None


def formula_columns(formula: Any, levels: Any, others: dict[str, Any]) -> FormulaColumns:
    """Return the columns of a formula: text, or results of statsmodels whose right side is reused."""
    # `others` are the names of weights, offset, labels and groups; `levels` see `read_levels`.
    given = None
    if not isinstance(formula, str):
        model = getattr(formula, "model", None)
        text, data = getattr(model, "formula", None), getattr(model, "data", None)
        given = getattr(data, "model_spec", None) or getattr(data, "design_info", None)
        if not isinstance(text, str) or given is None:
            need, remedy = "be text, or results of a statsmodels fit that was given by a formula", "Pass one."
            raise InvalidType("formula", need, f"is {short(formula)}", remedy)
        if not hasattr(given, "factor_infos"):
            need = "be a formula read by patsy"
            raise Unsupported("formula", need, f"is one of {type(given).__module__}", "Pass its text.")
        levels = levels or _levels_in(given)
        formula = text
    for name, value in others.items():
        if not (value is None or isinstance(value, str)):
            raise InvalidType(name, "name a column of the table", f"is {short(value)}", "Pass its name.")
    return FormulaColumns("", None, levels=levels, formula=formula, given=given, **others)


def _levels_in(side: Any) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Return the categories of factors that are columns, or C() of one: others are known by `given` alone."""
    found = []
    for factor, info in side.factor_infos.items():
        if info.type == "categorical":
            plain = re.fullmatch(PLAIN, factor.name())
            if plain:
                found.append((plain.group(1), tuple(info.categories)))
    return tuple(found)


def _learned(side: Any) -> list[str]:
    """Return the factors that keep what a transform has learned from rows; levels are no such thing."""
    known = side.factor_infos.items()
    return [factor.name() for factor, info in known if info.state.get("transforms")]


def _plain(column: Any, category: bool) -> Any:
    """Return a column as patsy takes it: objects of categories, whatever pandas calls them, else numbers."""
    if category:
        return column.astype(object).to_numpy()
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _require_levels(factor: Any, info: Any, rows: Any) -> None:
    """Raise where a factor has a category that is not among its levels."""
    import pandas as pd

    value = factor.eval(info.state, rows)
    values = pd.Series(np.asarray(getattr(value, "data", value)).ravel(), dtype=object)
    known = values.isin(info.categories).to_numpy()
    if not known.all():
        raise lacking(factor.name(), values, int(np.argmin(known)))


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(str(name))}(?!\w)")


def _named_in(name: str, factors: Sequence[str]) -> bool:
    """Tell whether a column is named in one of the factors."""
    return any(_word(name).search(text) for text in factors)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip(" ^")), "")
