"""`laws`: one line in a test file runs every law of a check as a test of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from influstat.checks.fit import FIT_LAWS, check_fit
from influstat.checks.influence import INFLUENCE_LAWS, check_influence
from influstat.checks.loss import LOSS_LAWS, check_loss
from influstat.checks.risk import RISK_LAWS, check_risk
from influstat.checks.solver import SOLVER_LAWS, check_solver
from influstat.errors import InvalidArgument, InvalidType
from influstat.input.settings import missing_parts, parts_of, require_parts, texts
from influstat.losses.base import Loss
from influstat.minimise.minimum import Minimum
from influstat.risks.contract import Risk
from influstat.solvers import Solver

Check = Callable[..., Any]
KINDS: tuple[tuple[Any, tuple[str, ...], Check], ...] = (
    (Risk, RISK_LAWS, check_risk),
    (Solver, SOLVER_LAWS, check_solver),
    (Loss, LOSS_LAWS, check_loss),
)


def laws(subject: Any, *, only: Sequence[str] | None = None, **settings: Any) -> Any:
    """Return a pytest test, parametrised by law, of a loss, risk, fit or solver.

    Parameters
    ----------
    subject : Loss, Risk, Fit or Solver, or a callable without arguments that returns one
        What to check: with `check_loss`, `check_risk`, `check_fit` and `check_influence`, or
        `check_solver`. A callable is called in each test, where it may be slow or fail, and once when
        the test file is imported, to find out its kind.
    only : sequence of str, optional
        Which laws; all when left out.
    **settings
        Passed on to the check (width=, y=, theta=, X=, rtol=, seed=, ...). A fit's go to
        `check_influence`.

    Returns
    -------
    callable
        Bind it to a name that starts with ``test``.

    Raises
    ------
    InvalidArgument, InvalidType
        The subject is none of these, or there is no law of a name in `only`.
    ImportError
        pytest is not installed.

    Examples
    --------
    The whole of a user's ``test_my_loss.py``::

        from influstat import checks
        from my_loss import MyLoss

        test_my_loss = checks.laws(MyLoss())

    >>> import influstat as ist
    >>> from influstat import checks
    >>> test_poisson = checks.laws(ist.PoissonLoss())
    >>> test_poisson("second derivative")        # pytest calls it once for each law
    """
    import pytest

    made = _made(subject)
    every = _laws_of(made)
    known = [law for law, _ in every]
    wanted = known if only is None else texts("only", only)
    for law in wanted:
        if law not in known:
            raise InvalidArgument("only", f"name laws from {known}", f"holds {law!r}", "Correct it.")
    chosen = [(law, check) for law, check in every if law in wanted]

    @pytest.mark.parametrize("law", [law for law, _ in chosen])
    def test_law(law: str) -> None:
        check = dict(chosen)[law]
        fresh = _made(subject)
        used = {} if check is check_fit else settings
        check(fresh, laws=[law], **used).assert_ok()

    return test_law


def _made(subject: Any) -> Any:
    """Return the subject, or what it makes."""
    if not _is_maker(subject):
        return subject
    try:
        return subject()
    except TypeError as error:
        need, remedy = "be made without arguments", "Pass a function that returns one, or the object itself."
        raise InvalidType("subject", need, f"raises {error}", remedy) from error


def _is_maker(subject: Any) -> bool:
    complete = isinstance(subject, Minimum) or any(not missing_parts(subject, kind) for kind, _, _ in KINDS)
    return callable(subject) and (isinstance(subject, type) or not complete)


def _laws_of(subject: Any) -> list[tuple[str, Check]]:
    if isinstance(subject, Minimum):
        return [*((law, check_fit) for law in FIT_LAWS), *((law, check_influence) for law in INFLUENCE_LAWS)]
    # The nearest kind: what it lacks tells a forgotten method from a wrong object.
    kind, names, check = min(KINDS, key=lambda of: len(missing_parts(subject, of[0])) / len(parts_of(of[0])))
    need, example = "be a loss, a risk, a fit or a solver", "ist.PoissonLoss(), or what returns one"
    require_parts("subject", subject, kind, need=need, example=example)
    return [(law, check) for law in names]
