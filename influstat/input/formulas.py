"""The design of a model given by a formula: new rows may be tables of the formula's own variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.design import Design
from influstat.input.validation import FloatArray, index_labels


class FormulaDesign(Design):
    """Rows of a formula's design matrix, which knows how new rows become such rows.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        The design matrix, its constant included.
    names : sequence of str
        Its column names.
    model : statsmodels model
        Made from a formula.

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

    def __init__(self, X: FloatArray, names: Any, model: Any) -> None:
        super().__init__(X, names=names)
        self.columns = list(self.names)
        self.model = model

    def like(self, X: Any, *, argument: str) -> Design:
        """Return the design of new rows: of the formula's variables, or of the design's own columns."""
        if not hasattr(X, "columns") or [str(name) for name in X.columns] == self.columns:
            return super().like(X, argument=argument)
        from statsmodels.base.model import Results

        try:
            results = Results(self.model, np.zeros(self.shape[1]))
            rows, labels = results._transform_predict_exog(X, transform=True)
        except Exception as error:
            reason = str(error).strip().splitlines()[-1]
            raise InvalidArgument(
                argument,
                f"hold the variables of the formula {self.model.formula!r}",
                f"does not ({reason})",
                "Pass a table with those columns, or rows of the design matrix itself.",
            ) from error
        design = super().like(rows, argument=argument)
        design.row_labels = index_labels(labels)
        return design
