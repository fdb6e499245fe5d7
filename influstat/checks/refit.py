"""Check the exact removals of a fit against the caller's own way to fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from influstat.checks.compare import compare
from influstat.checks.report import Finding, Report, run
from influstat.errors import InvalidType
from influstat.input.printing import short
from influstat.input.validation import FloatArray, real_number, vector, whole_number
from influstat.minimise.minimum import Minimum, require_fit
from influstat.numerics.watched import called
from influstat.removal.leave_out import leave_groups_out, leave_one_out

ROWS = 5  # refits of single rows, beside that of all rows and that without three of them
REFIT_LAWS = ("all rows", "without a row", "without a group")


def check_refit(
    fit: Minimum, refit: Callable[[Any], Any], *, rtol: float = 1e-4, rows: int = ROWS, seed: int = 0
) -> Report:
    """Compare what a fit says happens without rows with what the caller's own refit finds.

    It tells a loss that depends on the other rows of a call (a mean, statistics of the batch, a partial
    likelihood), a penalty that leaves with the rows or stays, another objective than claimed, and weights
    or offsets that are not those of the refit. Rows that are all there twice, or weights that are all
    doubled, have the same refits where losses are averaged or nothing is penalised: only standard errors
    tell them.

    Parameters
    ----------
    fit : Fit
        What to check.
    refit : callable
        f(rows) -> theta, shape (p,): fits anew on the training rows at these positions, in increasing
        order, with the code that the fit came from.
    rtol : float
        How near the changes of theta must be, relative to the largest change of each coefficient.
    rows : int
        How many rows are left out one by one, those of largest effect and random ones.
    seed : int
        Of the random rows.

    Returns
    -------
    Report
        One line per law of `REFIT_LAWS`.

    Raises
    ------
    InvalidArgument, InvalidType
        `refit` is no function, or returns something else than p finite numbers.

    Examples
    --------
    >>> import numpy as np, influstat as ist
    >>> from influstat import checks
    >>> X, y = np.array([[1.0], [2.0], [1.0], [3.0], [2.0]]), np.array([1.0, 3.0, 2.0, 2.0, 1.0])
    >>> fit = ist.Ridge(lam=2.0, protocol="fixed").fit(X, y)
    >>> def refit(rows):
    ...     return ist.Ridge(lam=2.0).fit(X[rows], y[rows]).theta
    >>> checks.check_refit(fit, refit).passed
    True
    >>> checks.check_refit(ist.Ridge(lam=2.0, protocol="folded").fit(X, y), refit)["without a row"].passed
    False
    """
    require_fit(fit)
    if not callable(refit):
        raise InvalidType("refit", "be a function of rows", f"is {short(refit)}", "Pass f(rows) -> theta.")
    rtol = real_number("rtol", rtol, above=0.0)
    count = whole_number("rows", rows, at_least=1)
    at = _Refits(fit, refit, rtol, count, np.random.default_rng(whole_number("seed", seed, at_least=0)))
    laws: dict[str, Callable[[], Finding]] = dict(
        zip(REFIT_LAWS, (at.whole, at.singles, at.group), strict=True)
    )
    return run(repr(fit), laws, None)


class _Refits:
    """A fit, the caller's refits, and the rows that are left out."""

    def __init__(
        self, fit: Minimum, refit: Callable[[Any], Any], rtol: float, count: int, rng: np.random.Generator
    ) -> None:
        self.fit, self._refit, self.rtol = fit, refit, rtol
        n = fit.risk.shape[0]
        self._every = np.arange(n)
        weighted = np.flatnonzero(fit.risk.weights > 0)
        self.removal = leave_one_out(fit, rows=weighted)
        moved = np.linalg.norm(np.nan_to_num(self.removal.delta) / self._scale(), axis=1)
        largest = np.argsort(-moved, kind="stable")[: -(-count // 2)]
        others = np.setdiff1d(np.flatnonzero(self.removal.converged), largest)
        drawn = rng.choice(others, min(count // 2, len(others)), replace=False)
        chosen = np.concatenate([largest, drawn]).astype(np.intp)
        self.chosen = chosen[self.removal.converged[chosen]]
        self.start = self._theta(self._every)

    def _scale(self) -> FloatArray:
        """Return the largest change of each coefficient on removal, shape (p,)."""
        size = np.nanmax(np.abs(self.removal.delta), axis=0, initial=0.0)
        return np.where(size > 0, size, 1.0)

    def _theta(self, rows: Any) -> FloatArray:
        found = called("refit", self._refit, rows=rows.copy())
        if np.asarray(found).dtype.kind == "O":  # None, a fit, an estimator
            need, remedy = "return theta", "Return fit.theta, or coef_ with intercept_ last."
            raise InvalidType("refit", need, f"returned {short(found)}", remedy)
        return vector("refit", found, len(self.fit.theta), per="coefficient")

    def _near(self, found: FloatArray, truth: FloatArray, place: Callable[[tuple[int, ...]], str]) -> Finding:
        scale = self._scale()
        near = partial(compare, tolerance=self.rtol, size=1.0, place=place)
        return near(found / scale, truth / scale)

    def whole(self) -> Finding:
        """With all rows the refit is the fit, to `rtol` of the largest effect of a row."""
        found = self._near(self.fit.theta[None], self.start[None], lambda at: self.fit.names[at[1]])
        cause = "the refit of all rows is not the fit: it is not at its minimum, or of another objective"
        return found if found.passed else found.because(cause)

    def singles(self) -> Finding:
        """Return the comparison for single rows."""
        if not self.chosen.size:
            return Finding("", True, where="no row has a refit")
        rows = self.removal.rows[self.chosen]
        truth = np.array([self._theta(np.delete(self._every, row)) for row in rows]) - self.start
        return self._near(self.removal.delta[self.chosen], truth, lambda at: f"row {rows[at[0]]}")

    def group(self) -> Finding:
        """Return the comparison for three rows together."""
        rows = self.removal.rows[self.chosen[:3]]
        if not 0 < len(rows) < len(self._every) - 1:
            return Finding("", True, where="too few rows")
        found = leave_groups_out(self.fit, [rows])
        if not found.converged[0]:
            return Finding("", True, where=found.status[0])
        truth = self._theta(np.delete(self._every, rows)) - self.start
        return self._near(found.delta, truth[None], lambda at: f"rows {rows.tolist()}")
