"""The reader of a model given by a formula: new rows may be tables of the formula's own variables."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.reader import LabelledTable
from influstat.input.validation import index_labels


@dataclass(frozen=True)
class FormulaReader:
    """Turns tables of a formula's variables into rows of its design matrix; other rows are those already.

    Attributes
    ----------
    model : statsmodels model
        Made from a formula.
    names : tuple of str
        The columns of its design matrix.

    Examples
    --------
    >>> import pandas as pd
    >>> import statsmodels.api as sm
    >>> import influstat as ist
    >>> table = pd.DataFrame({"y": [1.0, 3.0, 2.0], "dose": [1.0, 4.0, 9.0]})
    >>> fit = ist.from_statsmodels(sm.OLS.from_formula("y ~ np.sqrt(dose)", table, eval_env=0).fit())
    >>> bool(fit.predict(table).sum().round(9) == 6.0)
    True
    """

    model: Any
    names: tuple[str, ...]

    @property
    def training(self) -> Any:
        """The training rows as the user has them: the formula's variables; None where they are not kept."""
        frame: Any = getattr(self.model.data, "frame", None)
        if not hasattr(frame, "iloc"):
            return None
        used = [j for j, name in enumerate(frame.columns) if str(name) in self.model.formula]
        gone = getattr(self.model.data, "missing_row_idx", None)
        kept = np.setdiff1d(np.arange(len(frame)), [] if gone is None else gone)
        return frame.iloc[kept, used]

    def columns(self, X: Any) -> Any:
        """Return rows of the design matrix.

        Returns
        -------
        LabelledTable, shape (m, q)
            Called as the rows of the table are; X itself where it holds such rows already.

        Raises
        ------
        InvalidArgument
            X is a table without the variables of the formula.
        """
        if not hasattr(X, "columns") or tuple(str(name) for name in X.columns) == self.names:
            return X
        try:
            rows, labels = self._transformed(X)
        except Exception as error:
            reason = str(error).strip().splitlines()[-1]
            raise InvalidArgument(
                "X",
                f"hold the variables of the formula {self.model.formula!r}",
                f"does not ({reason})",
                "Pass a table with those columns, or rows of the design matrix itself.",
            ) from error
        return LabelledTable(rows, index_labels(labels))

    def _transformed(self, X: Any) -> tuple[Any, Any]:
        """Return the rows that statsmodels hands to the model's `predict` for X, and their index."""
        from statsmodels.base.model import Results

        kept = []

        def predict(_: Any, rows: Any) -> Any:
            kept.append(rows)
            return np.zeros(len(rows))

        listening = copy.copy(self.model)  # Results.predict is the one public way to such rows
        listening.predict = predict
        labels = Results(listening, np.zeros(len(self.names))).predict(X).index
        return kept[0], labels

    def targets(self, y: Any) -> Any:
        """Return y as it is: the targets of new rows are coded as in the model."""
        return y

    def labels(self, X: Any, y: Any) -> None:
        """Return None: the rows of the design matrix bring their labels along."""


def formula_reader(model: Any, names: tuple[str, ...]) -> FormulaReader | None:
    """Return the reader of a fit with these coefficients; None where they are not those of a formula."""
    given = tuple(str(name) for name in model.exog_names or ())[: len(names)]
    return FormulaReader(model, names) if hasattr(model, "formula") and given == names else None
