"""`CoefficientReport`: one coefficient with and without the rows or groups that move it most."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any

import numpy as np

from influstat.input.groups import Groups
from influstat.input.labels import index_of, label_name
from influstat.input.lazy_types import Axes, DataFrame
from influstat.input.printing import as_drawn, latex
from influstat.input.ranking import Moves, Ranked
from influstat.input.validation import FloatArray
from influstat.statistics.inference import Inference

SHOWN = ("estimates", "standard_errors", "lower", "upper", "p_values")
TITLES = {"hat_diag": "leverage", "cooks_d": "Cook's distance"}


@dataclass(frozen=True, eq=False, repr=False)
class CoefficientReport(Ranked):
    """One coefficient without each of k rows or groups, those that move it most first.

    Attributes
    ----------
    coefficient : str
        Its name.
    groups : Groups
        `groups.labels[j]` is the row or group of line j, `groups[j]` are its rows by position.
    measures : dict of str to ndarray, shape (k,)
        "hat_diag" and "cooks_d" of each row or group, where the fit has them.
    values : dict of str to ndarray, shape (k,)
        "estimates", "standard_errors", "lower", "upper" (confidence limits) and "p_values" without it,
        everything estimated anew but for what the fit holds (`fit.stated.held`); nan where there is no such
        fit.
    whole : dict of str to float
        The same with all rows.
    flags : tuple of str
        Which rules of `Fit.flags` flag the row, and whether the sign or the significance of the coefficient
        changes without it (whether its confidence interval covers 0): these alone where there are no rules.
    status : tuple of str
        "" for a line like any other, else why it has nan.
    made_by : Inference
        The covariance, distribution and level behind standard errors, p values and limits.
    unflagged : str
        Why no rule of `Fit.flags` is about the lines, "" where there are such rules.
    called : str
        What the groups' labels are values of, such as the column that names the groups; "" where that is
        not known, and for single rows.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"), names=["m"])
    >>> fit.report("m", top=1).table()["95 % interval"].tolist()     # 15 / 4 +- ..., 2 +- 4.30 / sqrt(3)
    ['-1.9688 to 9.4688', '-0.48414 to 4.4841']
    """

    coefficient: str
    groups: Groups
    measures: dict[str, FloatArray]
    values: dict[str, FloatArray]
    whole: dict[str, float]
    flags: tuple[str, ...]
    status: tuple[str, ...]
    made_by: Inference
    unflagged: str = ""
    called: str = ""

    def to_frame(self) -> DataFrame:
        """Return the numbers as a pandas DataFrame, one line per row or group.

        Returns
        -------
        DataFrame
            Columns hat_diag and cooks_d (where there are such), estimates, standard_errors, lower, upper,
            p_values, flags ("changes" where no rule of `Fit.flags` is about the lines: of sign and
            significance) and status. `attrs["all_rows"]` has the estimate with all rows, and what belongs
            to it.
        """
        import pandas as pd

        columns: dict[str, Any] = {**self.measures, **self.values}
        columns |= {"changes" if self.unflagged else "flags": list(self.flags), "status": list(self.status)}
        frame = pd.DataFrame(columns, index=index_of(self.groups.labels))
        frame.attrs["all_rows"] = dict(self.whole)
        return frame

    def moves(self) -> Moves:
        """Return the changes of the estimate."""
        change = (self.values["estimates"] - self.whole["estimates"])[:, None]
        units = self.groups.units
        title = f"Change of {self.coefficient} without the {units}, after minus before"
        return Moves(change, self.groups.labels, [self.coefficient], title, units)

    def to_latex(self, **settings: Any) -> str:
        """Return the table as it is printed in LaTeX; settings are those of `pandas.DataFrame.to_latex`."""
        return latex(self.table(), **settings)

    def table(self) -> DataFrame:
        """Return the table as it is printed: text, the line of all rows first.

        Returns
        -------
        DataFrame of str
            Leverage (of groups its sum), Cook's distance, estimate, standard error, confidence interval,
            p value and flags. Without rules the column "changes" is there where a sign or significance does.
        """
        import pandas as pd

        titles = TITLES if self.groups.single else TITLES | {"hat_diag": "leverage (sum)"}
        columns = {titles[name]: ["", *map(_short, values)] for name, values in self.measures.items()}
        all_of = {name: [self.whole[name], *self.values[name]] for name in SHOWN}
        limits = zip(all_of["lower"], all_of["upper"], strict=True)
        columns |= {
            "estimate": list(map(_number, all_of["estimates"])),
            "standard error": list(map(_number, all_of["standard_errors"])),
            f"{100.0 * self.made_by.level:g} % interval": [_interval(*pair) for pair in limits],
            "p": [f"{p:.4f}" if p >= 0.0001 else "< 0.0001" if p >= 0.0 else "-" for p in all_of["p_values"]],
        }
        if not self.unflagged or any(self.flags):
            columns["changes" if self.unflagged else "flags"] = ["", *self.flags]
        return pd.DataFrame(columns, index=["all rows", *self._lines()])

    def plot(self, *, title: str | None = None, size: Any = None, ax: Axes | None = None) -> Axes:
        """Draw the estimates and their intervals as a forest plot: all rows on top, then each line.

        Parameters
        ----------
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            As `influstat.plots.coefficient_forest` draws it; lines of groups have `called` before the label.

        Raises
        ------
        InvalidArgument
            No line has an estimate, ax is no Axes, or size no pair of inches.
        MissingDependency
            matplotlib is not installed.
        """
        plots = import_module("influstat.plots")  # on demand: drawing is asked for seldom
        drawn: Axes = plots.coefficient_forest(
            self.whole["estimates"],
            self.values["estimates"],
            row_labels=[f"{self.called} {line}".lstrip() for line in self._lines()],
            interval=(self.whole["lower"], self.whole["upper"]),
            intervals_without=np.column_stack([self.values["lower"], self.values["upper"]]),
            name=f"{as_drawn(self.coefficient)}, {100.0 * self.made_by.level:g} % intervals",
            title=title,
            size=size,
            ax=ax,
        )
        return drawn

    def __repr__(self) -> str:
        """Return the table as text, under what it is about and above what belongs to it."""
        table = self.table()
        last = table.columns[-1]
        if last != "p":
            width = max(map(len, [last, *self.flags]))  # pandas writes text to the right
            table[last] = table[last].str.ljust(width)
            table.columns = [*table.columns[:-1], last.ljust(width)]
        heading, *notes = self._around()
        lines = [heading, *table.to_string().splitlines(), *notes]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        """Return the same for notebooks."""
        heading, *notes = (f"<p>{escape(line)}</p>" for line in self._around())
        return "\n".join([heading, self.table().to_html(), *notes])

    def _lines(self) -> list[str]:
        """Return what the rows or groups are called."""
        return list(map(label_name, self.groups.labels))

    def _on_flags(self) -> str:
        """Return what is said where no rule is about the lines."""
        none = "" if any(self.flags) else ", and neither sign nor significance changes without any of them"
        return f"No flags: {self.unflagged}{none}."

    def _around(self) -> list[str]:
        """Return the heading, and the notes below the table."""
        made_by = self.made_by
        freedom = made_by.degrees_of_freedom
        by = "normal" if np.isinf(freedom) else f"t with {freedom:g} degrees of freedom for all rows"
        held = made_by.fit.stated.held
        anew = "Estimated anew without each" + (" but for what is held" if held else "")
        notes = [f"{anew}, with the {made_by.kind!r} covariance ({by}).", *held]
        notes += [made_by.note] if made_by.note else []
        notes += [self._on_flags()] if self.unflagged else []
        notes += [f"{label}: {text}" for label, text in zip(self._lines(), self.status, strict=True) if text]
        n = len(made_by.fit.row_labels)
        return [
            f"{self.coefficient} with all {n} rows, and without each of the {self.groups.units} that move it",
            *notes,
        ]


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:#.5g}"


def _short(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:#.3g}"


def _interval(lower: float, upper: float) -> str:
    return "-" if np.isnan(lower) else f"{lower:#.5g} to {upper:#.5g}"
