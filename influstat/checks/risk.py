"""`check_risk`: whether a risk's gradients, rows, Hessian, weights and penalty share belong together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from influstat.checks.first_order_laws import FIRST_ORDER_LAWS
from influstat.checks.point import Point
from influstat.checks.report import Finding, Report, run
from influstat.checks.second_order_laws import SECOND_ORDER_LAWS
from influstat.input.printing import amount
from influstat.input.settings import flag, require_parts
from influstat.input.validation import vector, whole_number
from influstat.risks.contract import Risk

LAWS = FIRST_ORDER_LAWS | SECOND_ORDER_LAWS
RISK_LAWS = tuple(LAWS)


def check_risk(
    risk: Any,
    theta: Any = None,
    *,
    X: Any = None,
    y: Any = None,
    convex: bool = True,
    seed: int = 0,
    laws: Sequence[str] | None = None,
) -> Report:
    """Check a risk at one theta.

    Parameters
    ----------
    risk : Risk
        What to check; all parts of `influstat.Risk` are called.
    theta : array_like, shape (p,), optional
        Where; a random one at which rows have gradients of order 1 when left out. Any theta but a
        special one (0, a minimum) will do.
    X, y : array_like, optional
        New rows, for the law of test rows. Without them it looks at the training rows of a `LinearRisk`
        and passes for other risks.
    convex : bool
        Whether the Hessian must be positive semidefinite.
    seed : int
        Of the random theta and directions.
    laws : sequence of str, optional
        Which laws of `RISK_LAWS`; all when left out.

    Returns
    -------
    Report
        One line per law. The laws, with row losses L_i = l_i (+ P / W if folded): W R = sum w_i L_i (+ P
        if fixed); `gradient` is the derivative of `value`, row gradients those of row losses,
        `curvature` that of the gradient, also with other weights; W grad R - w_i g_i is the gradient
        without row i; when weights change, P stays whole if fixed and keeps its ratio to W if folded; new
        rows carry the training rows' share of the penalty.

    Raises
    ------
    InvalidType
        `risk` lacks a part.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat import checks
    >>> risk = ist.LinearRisk(ist.SquaredError(), [[1.0], [2.0], [0.5]], [1.0, 3.0, 2.0], penalty=ist.L2(2.0))
    >>> checks.check_risk(risk).assert_ok()
    >>> class Doubled:
    ...     def __getattr__(self, name):
    ...         return getattr(risk, name)
    ...     def gradient(self, theta):
    ...         return 2.0 * risk.gradient(theta)
    >>> print(checks.check_risk(Doubled(), [0.5], laws=["gradient"]))       # doctest: +ELLIPSIS
    Doubled(3 rows, 1 coefficient): 1 of 1 laws do not hold
    FAIL  gradient   worst 3.6e-01, ... off by a factor 2.00 everywhere: ...
    """
    require_parts(
        "risk", risk, Risk, need="have all parts of influstat.Risk", example="ist.LinearRisk(loss, X, y)"
    )
    n, p = risk.shape
    seed = whole_number("seed", seed, at_least=0)
    if theta is not None:
        theta = vector("theta", theta, p, per="coefficient")
    at = Point(risk, theta, X, y, seed)
    every: dict[str, Callable[[], Finding]] = {name: partial(law, at) for name, law in LAWS.items()}
    if not flag("convex", convex):
        every["semidefinite"] = lambda: Finding("", True)
    many = f"{amount(n, 'rows')}, {amount(p, 'coefficients')}"
    return run(f"{type(risk).__name__}({many})", every, laws)
