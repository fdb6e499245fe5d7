"""`PartitionedFit`: a minimiser over rows in partitions, and the questions about its rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from influstat.curvature.base import Hessian
from influstat.curvature.linear import PLAIN
from influstat.errors import InvalidArgument, InvalidType, NotStationary
from influstat.input.printing import amount, short
from influstat.input.ranking import Ranking
from influstat.input.settings import flag
from influstat.input.validation import FloatArray, real_number, vector, whole_number
from influstat.input.warning import doubt
from influstat.minimise.descent import stationarity
from influstat.minimise.newton import minimise
from influstat.minimise.remaining import ALLOWED, STATIONARITY, remaining_step
from influstat.partitioned.answers.answer import Answer
from influstat.partitioned.answers.part import Ask, Question
from influstat.partitioned.answers.reductions import Finisher
from influstat.partitioned.diagnostics import diagnostics
from influstat.partitioned.groups.questions import GroupQuestions
from influstat.partitioned.influence import PartitionedInfluence
from influstat.partitioned.part import PartMinimum
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.removal.leave_out import PartitionedRemoval
from influstat.partitioned.removal.wide import newton_top
from influstat.partitioned.risk import PartitionedRisk
from influstat.partitioned.runners.base import Work
from influstat.partitioned.start import minimised
from influstat.risks.protocol import described
from influstat.solvers import Solver

SAMPLE = 4096  # rows that tell what a typical removal does


class PartitionedFit(GroupQuestions):
    """A minimiser theta of a `PartitionedRisk`, checked, and every question about rows that sums can answer.

    Parameters
    ----------
    risk : PartitionedRisk
        Loss, penalty and data.
    theta : array_like, shape (p,)
        The minimiser, from wherever it is: another system, or a library on a sample.
    polish : bool
        Go on from theta by Newton's method to the minimum over these rows, instead of asking for it.
    tolerance : float
        Largest `stationarity` accepted, as for `Fit`.

    Raises
    ------
    NotStationary
        theta does not minimise the risk.
    InvalidArgument, InvalidType
        theta is not a finite vector of one entry per coefficient; rows are not usable.

    Examples
    --------
    >>> import influstat as ist
    >>> data = ist.partitions(np.array([[1.0], [1.0]]), np.array([1.0, 3.0]), rows=1)
    >>> risk = ist.PartitionedRisk(ist.SquaredError(), data, penalty=ist.L2(2.0))
    >>> ist.PartitionedFit(risk, [1.0], polish=True).theta              # x'y / (x'x + 1)
    array([1.33333333])
    """

    def __init__(
        self, risk: PartitionedRisk, theta: Any, *, polish: bool = False, tolerance: float = STATIONARITY
    ) -> None:
        _require_partitioned(risk)
        limit = real_number("tolerance", tolerance, above=0.0, or_inf=True)
        self.risk = risk
        descended: Any = risk  # it offers what Newton's method asks of a `Risk`, and no arrays of n rows
        self.theta: FloatArray = vector("theta", theta, len(risk.names), per="coefficient")
        if flag("polish", polish):
            self.theta = minimise(descended, start=self.theta).theta
        self.theta.flags.writeable = False
        self.stationarity: float = stationarity(descended, self.theta)
        if not self.stationarity <= limit:
            raise NotStationary(
                "theta",
                f"minimise the risk (a relative gradient of at most {limit:.1e})",
                f"has {self.stationarity:.3g}; |grad R| = {self.gradient_norm:.3g}",
                "Check that loss, penalty, weights and offset are those it was fitted with, or pass "
                "polish=True.",
            )
        left = remaining_step(_sampled(self), self.theta) if limit <= STATIONARITY and not polish else 0.0
        if ALLOWED < left < np.inf:
            raise NotStationary(
                "theta",
                f"minimise the risk (a Newton step left of at most {ALLOWED:g} times a typical removal)",
                f"is {left:.3g} such removals away, hidden by columns or rows in very different units",
                "Pass polish=True, or rescale the columns and fit again.",
            )

    @classmethod
    def minimise(cls, risk: PartitionedRisk, *, start: Any = None, max_iterations: int = 200) -> Self:
        """Fit by Newton's method on sums over partitions, to a relative gradient of 1e-12.

        Parameters
        ----------
        risk : PartitionedRisk
            What to minimise.
        start : array_like, shape (p,), optional
            Where to start. When left out, at zeros, or of many partitions at the minimum over a few of them.
        max_iterations : int
            Most Newton steps, each a pass over the data.

        Returns
        -------
        PartitionedFit

        Raises
        ------
        SingularHessian, IndefiniteHessian, NotConverged
            The minimiser is not unique, does not exist, or was not found. Separable classes without a penalty
            end so: the linear programme that names their columns in memory would need all rows.
        """
        _require_partitioned(risk)
        limit = whole_number("max_iterations", max_iterations, at_least=1)
        if start is not None:
            start = vector("start", start, len(risk.names), per="coefficient")
        fit = cls(risk, minimised(risk, start, limit), tolerance=np.inf)
        fit.warn_of_few_digits()
        return fit

    def __repr__(self) -> str:
        n, p = self.risk.shape
        known = described(self.risk.protocol, self.risk.recipe.test_protocol)
        parts = amount(len(self.risk.counted.rows), "partitions")
        return (
            f"PartitionedFit({self.risk.loss!r}, {amount(n, 'rows')} in {parts}, "
            f"{amount(p, 'coefficients')}, gradient norm {self.gradient_norm:.1e}, {known})"
        )

    def warn_of_few_digits(self) -> None:
        """Warn where columns are so nearly dependent that the Gram matrix keeps few digits of answers."""
        if self.risk.by_products:
            return  # conjugate gradients measure their residuals themselves
        condition = self.hessian.cholesky().reciprocal_condition
        if condition < PLAIN:
            doubt(
                f"The Hessian's reciprocal condition is {condition:.0e}: columns are far from 0 or nearly "
                "dependent, and answers keep few digits. Subtract their means, or drop one of them: rows in "
                "partitions are not brought into coordinates of their own."
            )

    # -- what was fitted ---------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients, in the order of theta."""
        return self.risk.names

    @property
    def gradient_norm(self) -> float:
        """|grad R(theta)|, mean scale; 0 at the minimum."""
        return float(np.linalg.norm(self.risk.gradient(self.theta)))

    @cached_property
    def hessian(self) -> Hessian:
        """H(theta), the Hessian of R in mean scale, p x p."""
        return self.risk.curvature(self.theta)

    @cached_property
    def recipe(self) -> Recipe:
        """How rows become a risk, with W."""
        return self.risk.recipe.of_weight(self.risk.total_weight)

    @cached_property
    def sample(self) -> PartMinimum:
        """A few rows at this minimum: they know columns, loss and penalty, which new rows are judged by."""
        counts = self.risk.counted.rows
        first = int(np.flatnonzero(counts)[0])
        block = self.risk.data.source.block(first)
        risk = self.recipe.risk(block.take(slice(0, min(SAMPLE, len(block)))))
        sample = PartMinimum(risk, self.theta, self.hessian)
        sample.reader = self.risk.data.source.reader()
        return sample

    def predict(self, X: Any, *, kind: str = "linear", offset: Any = None) -> FloatArray:
        """Return predictions for new rows in memory, as `Fit.predict`."""
        return self.sample.predict(X, kind=kind, offset=offset)

    def loss(self, X: Any, y: Any, *, offset: Any = None) -> FloatArray:
        """Return the loss of new rows in memory, as `Fit.loss`."""
        return self.sample.loss(X, y, offset=offset)

    # -- questions about rows ------------------------------------------------------------------------

    def influence(self, *, solver: Solver | None = None) -> PartitionedInfluence:
        """Return the influence functions of this fit; `solver` as in `Fit.influence`."""
        return PartitionedInfluence(self, solver)

    def leave_one_out(self, *, method: str = "exact") -> PartitionedRemoval:
        """Return what happens without each row alone, by the methods of `Fit.leave_one_out`, with bounds."""
        return PartitionedRemoval(self, method)

    def newton_top(self, X: Any, y: Any, k: int = 5, *, offset: Any = None) -> dict[str, Ranking]:
        """Return, for each test row, the k rows whose removal changes its loss most by a Newton step.

        For wide sparse designs too: nothing of size p x p or n x p is made. One pass finds the rows that can
        be among the k, by a bound on all leverages that the penalty gives; their leverages are solved for by
        conjugate gradients, many columns sharing each pass, with measured residuals.

        Parameters
        ----------
        X, y : array_like, shapes (m, p) and (m,)
            Test rows, held in memory.
        k : int
            How many.
        offset : array_like, shape (m,), optional
            Their offsets.

        Returns
        -------
        dict of str to Ranking
            By the test rows' labels. "change" is that of the loss's tangent, after minus before; besides
            "first_order" (leverage taken as 0), "leverage", and "error": how far residuals may have moved
            the change, nan where a coefficient has no penalty, as the note says.

        Raises
        ------
        Unsupported
            The loss is not convex at theta, or weights carry different shares of a folded penalty.
        NotConverged
            Conjugate gradients have not reached their tolerance.
        """
        tests = self.sample.test_rows(X, y, offset=offset)
        labels = [str(label) for label in tests.row_labels.tolist()]
        if len(set(labels)) < len(labels):
            labels = [f"{label} ({j})" for j, label in enumerate(labels)]
        return newton_top(self, tests.row_gradients(self.theta).T, tuple(labels), k)

    def diagnostics(
        self,
        columns: Sequence[str] | str | None = None,
        *,
        dispersion: float | str | None = None,
        frequency: bool | None = None,
        deleted_scale: bool = True,
        information: str | None = None,
    ) -> Answer:
        """Return leverages, residuals, Cook's distances and other measures of every row.

        Parameters as for `Fit.diagnostics`, with Newton steps for what happens without a row; all but
        "likelihood_displacement" can be had.

        Returns
        -------
        Answer
            One column a measure, and "status": why a row has nan.
        """
        return diagnostics(
            self,
            columns,
            dispersion=dispersion,
            frequency=frequency,
            deleted_scale=deleted_scale,
            information=information,
        )

    def reduce(self, work: Work) -> Any:
        """Return the sum of work over all partitions: one pass."""
        return self.risk.data.runner.reduce(self.risk.data.source, work)

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """Position of the first row of every partition."""
        counts = self.risk.counted.rows
        return np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)

    def answer(self, question: Question, finish: Finisher | None = None) -> Answer:
        """Return the answer to a question of every row, to be reduced or written."""
        own = sorted(set(question.empty()) - set(question.columns) | {"position"})
        twice = [name for name in question.columns if name in (*own, "status")]
        if twice:
            raise InvalidArgument(
                "columns",
                f"leave {', '.join(map(repr, own))} to the answer, whose own columns are called so",
                f"has {twice[0]!r}",
                "Rename that column of the data, or that test row.",
            )
        ask = Ask(self.recipe, self.theta, self.hessian, self.starts, self.risk.counted.rows, question)
        return Answer(self.risk.data, ask, self.risk.data.source.identity(), finish)


def _sampled(fit: PartitionedFit) -> Any:
    """Return the risk over all rows, with a few of them to tell what is typical; see `remaining_step`."""
    risk, rows = fit.risk, fit.sample.risk
    of_all = {name: getattr(risk, name) for name in ("names", "gradient", "gradient_scale", "curvature")}
    few = {name: getattr(rows, name) for name in ("shape", "weights", "row_gradients")}
    return SimpleNamespace(**of_all, **few, total_weight=risk.total_weight)


def _require_partitioned(risk: Any) -> None:
    if not isinstance(risk, PartitionedRisk):
        remedy = "Make one: ist.PartitionedRisk(loss, data)."
        raise InvalidType("risk", "be a PartitionedRisk", f"is {short(risk)}", remedy)
