"""`check_influence`: whether influences are the derivatives of refits in the weights of rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from influstat.checks.influence_laws import LAWS
from influstat.checks.refitted import Influences
from influstat.checks.report import Report, run
from influstat.input.validation import whole_number
from influstat.minimise.minimum import require_fit
from influstat.solvers import Solver

INFLUENCE_LAWS = tuple(LAWS)


def check_influence(
    fit: Any,
    *,
    solver: Solver | None = None,
    values: Any = None,
    rows: Any = None,
    X: Any = None,
    y: Any = None,
    seed: int = 0,
    laws: Sequence[str] | None = None,
) -> Report:
    """Check influences against refits with shifted weights.

    Parameters
    ----------
    fit : Fit
        The fit.
    solver : Solver, optional
        What the fit's influence functions solve with; `Cholesky()` when left out.
    values : array_like, shape (n, p), optional
        Influences on theta to be checked in place of ``fit.influence().on_theta().values``: your own
        formula for -H^-1 g_i (eq. 9).
    rows : sequence of int, optional
        The rows to refit; a few at random, of positive weight, when left out.
    X, y : array_like, optional
        Test rows for the laws of losses and predictions, which pass without them.
    seed : int
        Of the random rows.
    laws : sequence of str, optional
        Which laws of `INFLUENCE_LAWS`; all when left out.

    Returns
    -------
    Report
        One line per law. "derivative of the refit": -H^-1 g_i is d theta / d eps for weights
        w_i + eps W. "order": a removal of a share a of the row is right up to order a^2, so halving a
        divides the error by four. "exact refits": `fit.leave_one_out` gives the minimisers found anew.

    Raises
    ------
    InvalidArgument, InvalidType
        `fit` is no Fit, or `values` or `rows` have another shape.

    Examples
    --------
    >>> import numpy as np, influstat as ist
    >>> from influstat import checks
    >>> X, y = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), np.array([1.0, 2.0, 4.0])
    >>> fit = ist.Ridge(lam=1.0).fit(X, y)
    >>> checks.check_influence(fit, X=X, y=y).assert_ok()
    >>> mine = -fit.influence().on_theta().values
    >>> report = checks.check_influence(fit, values=mine, laws=["derivative of the refit"])
    >>> print(report.failures[0].cause.split("; ")[1])
    the sign is reversed
    """
    require_fit(fit)
    at = Influences(fit, solver, values, rows, X, y, whole_number("seed", seed, at_least=0))
    return run(repr(fit), {name: partial(law, at) for name, law in LAWS.items()}, laws)
