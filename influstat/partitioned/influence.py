"""`PartitionedInfluence`: the questions of `Influence`, answered by a map over partitions."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.settings import require_parts
from influstat.input.validation import FloatArray, check_finite, numeric_array
from influstat.partitioned.answers.answer import Answer
from influstat.partitioned.answers.influence import OnQuantities, OnSelf, read_what
from influstat.partitioned.answers.part import Question
from influstat.partitioned.hessian import require_matrix
from influstat.partitioned.risk import require_partitioned_fit
from influstat.solvers import Cholesky, ConjugateGradient, Inverse, Solver


class PartitionedInfluence:
    """Influence functions of a `PartitionedFit`; signs and scales are those of `Influence` and `Scores`.

    Every method takes ``what="removal"``, the first-order change when the row is removed, after minus before,
    -(w_i / W) times ``what="values"``, the derivative when it is upweighted.

    Parameters
    ----------
    fit : PartitionedFit
        The minimiser.
    solver : Solver, optional
        How H^-1 a is found; `Cholesky()` when left out, and beyond 4,000 coefficients `ConjugateGradient()`,
        each of whose steps is a pass over the data. The measured residuals are in `answer.question.solution`.

    Examples
    --------
    >>> import influstat as ist
    >>> data = ist.partitions(np.array([[1.0], [1.0]]), np.array([1.0, 3.0]), rows=1)
    >>> fit = ist.Ridge(lam=0.0).fit(data)
    >>> fit.influence().on_theta(what="values").to_frame()["x0"].round(9).tolist()     # y_i - theta
    [-1.0, 1.0]
    """

    def __init__(self, fit: Any, solver: Solver | None = None) -> None:
        require_partitioned_fit(fit)
        if solver is None:
            solver = ConjugateGradient() if fit.risk.by_products else Cholesky()
        require_parts("solver", solver, Solver, need="be a solver", example="ist.Cholesky()")
        self._fit, self._solver = fit, solver

    def __repr__(self) -> str:
        asked = "ask on_theta(), on_loss(X, y), on_prediction(X), ..."
        return f"Influence functions of {self._fit!r} by {self._solver!r}; {asked}"

    @cached_property
    def _inverse(self) -> Inverse:
        return self._solver.prepare(self._fit.hessian)

    def on_theta(self, *, what: str = "removal") -> Answer:
        """Return the influence on each coefficient: eq. 9, in units of theta; one column each."""
        require_matrix(self._fit.hessian, "influence on every coefficient")
        return self._answer(np.eye(len(self._fit.theta)), self._fit.names, "theta", what)

    def on_loss(self, X: Any, y: Any = None, *, offset: Any = None, what: str = "removal") -> Answer:
        """Return the influence on the loss of test rows: eq. 10; one column for each test row.

        Parameters
        ----------
        X, y : array_like, shapes (m, p) and (m,)
            Test rows, held in memory.
        offset : array_like, shape (m,), optional
            Their offsets.
        what : {"removal", "values"}
            As for the class.

        Returns
        -------
        Answer
            Columns are the labels of the test rows, as text.
        """
        tests = self._fit.sample.test_rows(X, y, offset=offset)
        gradients = tests.row_gradients(self._fit.theta).T
        return self._answer(gradients, tuple(map(str, tests.row_labels.tolist())), "loss", what)

    def on_prediction(
        self, X: Any, *, kind: str = "linear", offset: Any = None, what: str = "removal"
    ) -> Answer:
        """Return the influence on predictions for new rows; `kind` and `offset` as in `Influence`."""
        gradients, labels = self._fit.sample.prediction_gradients(X, kind=kind, offset=offset)
        return self._answer(gradients, tuple(map(str, labels.tolist())), f"{kind} prediction", what)

    def on(self, gradient: Any, *, what: str = "removal") -> Answer:
        """Return the influence on quantities of theta by their gradients, shape (p,) or (p, m)."""
        a = numeric_array("gradient", gradient)
        p = len(self._fit.theta)
        if a.ndim not in (1, 2) or a.shape[0] != p or a.size == 0:
            raise InvalidArgument(
                "gradient", f"have shape ({p},) or ({p}, m)", f"has shape {a.shape}", "Transpose or cut it."
            )
        check_finite("gradient", a)
        columns = np.asarray(a, dtype=np.float64).reshape(p, -1)
        return self._answer(columns, tuple(map(str, range(columns.shape[1]))), "quantity", what)

    def on_self(self, *, what: str = "removal") -> Answer:
        """Return each row's influence on its own loss, with the share of the penalty that leaves with it."""
        require_matrix(self._fit.hessian, "influence on every row's own loss")
        found: Answer = self._fit.answer(OnSelf(read_what(what)))
        return found

    def _answer(self, a: FloatArray, columns: tuple[str, ...], quantity: str, what: str) -> Answer:
        if len(set(columns)) < len(columns):  # labels that repeat: their places tell them apart
            columns = tuple(f"{name} ({k})" for k, name in enumerate(columns))
        solution = self._inverse.apply(np.ascontiguousarray(a))
        question: Question = OnQuantities(columns, quantity, solution, read_what(what))
        found: Answer = self._fit.answer(question)
        return found
