"""The proofs beyond the quick certificate, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from influstat.sets.budget import Budget
from influstat.sets.cones.cover import Cover
from influstat.sets.cones.slopes import Slopes
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.absorbing import climbed_without_levels
from influstat.sets.proofs.enumeration import enumeration
from influstat.sets.proofs.quartic import Quartic
from influstat.sets.proofs.reached import Reached, climbed_by
from influstat.sets.proofs.rows import climbed

FEW, SOME = 4, 6  # nuisance coefficients: the number of cones grows like 2^d at least
PART = "weights that {} units keep in part do it"
CONES = 0.5  # share of the budget for them, and for a factor; the rest is for the rows


# From a null fit, what is proven already, a number of units that do flip it (or one more than may be
# asked for) and the time: reports one after the other, so that an interrupt loses nothing.
Prover = Callable[[NullFit, int, int, Budget], Iterator[Reached]]


def by_absorbing(null: NullFit, safe: int, flips: int, budget: Budget) -> Iterator[Reached]:
    """Yield what the quick certificate proves with a factor of many levels absorbed."""
    for proven in climbed_without_levels(null, safe, flips, budget.part(CONES)):
        yield Reached(proven)


def by_cones(null: NullFit, safe: int, flips: int, budget: Budget) -> Iterator[Reached]:
    """Yield what cones prove for squared error and few nuisance coefficients."""
    return _bisected(null, safe, flips, budget) if null.d <= FEW else iter(())


def by_many_cones(null: NullFit, safe: int, flips: int, budget: Budget) -> Iterator[Reached]:
    """Yield what cones prove with a few more, where they are many and other proofs go first."""
    return _bisected(null, safe, flips, budget) if FEW < null.d <= SOME else iter(())


def _bisected(null: NullFit, safe: int, flips: int, budget: Budget) -> Iterator[Reached]:
    if not null.problem.risk.quadratic:
        return
    problem, part = Slopes.at(null), budget.part(CONES)
    while safe + 1 < flips and not part.out:
        k = (safe + flips) // 2
        found = Cover(problem, k).proven(part)
        safe, flips = (k, flips) if found.proven else (safe, k)
        limit = PART.format(k) if found.start.size else ""
        yield Reached(safe, (found.start,) if found.start.size else (), found.cones, limit)


def by_rows(null: NullFit, safe: int, flips: int, budget: Budget) -> Iterator[Reached]:
    """Yield what branch and bound proves."""
    for proven, found in climbed(null.problem, safe, flips, budget):
        yield Reached(proven, (found.removed,) if found.flips else (), found.nodes, found.limit)


def by_quartic(null: NullFit, safe: int, flips: int, budget: Budget) -> Iterator[Reached]:
    """Yield what the quartic envelope proves: k grows by steps that double, then is bisected."""
    test = Quartic(null)
    if test.usable:
        for k in climbed_by(lambda k: test.proves(k, start=test.best), safe, flips, budget):
            yield Reached(k)


def by_enumeration(null: NullFit, safe: int, flips: int, budget: Budget) -> Iterator[Reached]:
    """Yield what looking at every set proves, where there are few of them."""
    for k in range(safe + 1, flips):
        found = enumeration(null, k, budget)
        yield found
        if found.safe < k:
            return


PROVERS: tuple[tuple[str, Prover], ...] = (
    ("absorbed factor", by_absorbing),
    ("cones", by_cones),
    ("enumeration", by_enumeration),
    ("quartic envelope", by_quartic),
    ("cones", by_many_cones),
    ("branch and bound", by_rows),
)
