"""Cost of breakdowns, as ratios to np.linalg.lstsq(X, y) or X @ v: python -m tests.benchmarks.breakdown.

Gaussian data, squared error, the sign of the last coefficient, one thread (OMP_NUM_THREADS=1). Each is CPU
time, the least of a few runs. Demanded: counts 3 lstsq, the largest k of the quick certificate 100 lstsq for
n >= 10^4, a step of greedy removal 5 X @ v, cones with one nuisance coefficient 2,000 lstsq, a node 30 lstsq.
"""

from collections.abc import Callable
from time import process_time

import numpy as np

import influstat as ist
from influstat.sets.budget import Budget
from influstat.sets.null_fit import null_fit
from influstat.sets.proofs.order import by_cones
from influstat.sets.proofs.quick import Quick
from influstat.sets.proofs.rows import branch_and_bound
from influstat.sets.proofs.sums import fewest
from influstat.sets.question import coefficient_of, question
from influstat.sets.search.counts import Counts
from influstat.sets.search.greedy import greedy
from influstat.sets.search.without import Downdates

STEPS = 20  # of greedy removal
FEW_NODES = 5
TIMES = 10  # that counts are made


def least(work: Callable[[], object], times: int = 3) -> float:
    """Return the least seconds of a few runs."""
    found = []
    for _ in range(times):
        start = process_time()
        work()
        found.append(process_time() - start)
    return min(found)


def drawn(n: int, p: int, slope: float = 0.2) -> tuple[np.ndarray, np.ndarray, ist.Fit]:
    """Return a fit of n rows, and its question."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, p))
    X[:, 0] = 1.0
    y = slope * X[:, -1] + rng.normal(size=n)
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y))
    return X, y, fit


def counts(fit: ist.Fit) -> tuple[int | None, ...]:
    """Return the three counts that need no search, from a fit that was never asked anything."""
    asked = question(fit, *coefficient_of(fit, -1))
    effects, distance = Counts.of(asked), abs(asked.value)
    score = Quick(asked.null).score_count()
    return fewest(effects.first_order, distance), fewest(effects.rescaled, distance), score


def of_quick(n: int, p: int) -> None:
    """Print the ratios of counts, the largest k and a greedy step."""
    X, y, fit = drawn(n, p)
    risk, theta = fit.risk, fit.theta
    unit = least(lambda: np.linalg.lstsq(X, y, rcond=None))
    product = least(lambda: X @ theta, 20)
    fresh = [ist.Fit(risk, theta) for _ in range(TIMES)]
    of_counts = least(lambda: counts(fresh.pop()), TIMES)
    null = null_fit(question(fit, *coefficient_of(fit, -1)).problem)
    quick, most = least(lambda: Quick(null).largest()), Quick(null).largest()
    downdates, budget = Downdates(null), Budget(60.0)
    steps = [least(lambda k=k: greedy(null.problem, downdates, k, budget)) for k in (1, 1 + STEPS)]
    each = (steps[1] - steps[0]) / STEPS / product
    ratios = f"{of_counts / unit:6.1f} {quick / unit:7.1f} ({most}) {each:6.1f}"
    print(f"{n:>7} {p:>3} {1e3 * unit:8.2f} ms: {ratios}", flush=True)


def of_cones(n: int) -> None:
    """Print the ratio of cones with one nuisance coefficient."""
    X, y, fit = drawn(n, 2)
    unit = least(lambda: np.linalg.lstsq(X, y, rcond=None), 20)
    null = null_fit(question(fit, *coefficient_of(fit, -1)).problem)
    low = Quick(null).largest()
    cones = least(lambda: list(by_cones(null, low, n, Budget(60.0))))
    print(f"cones, n = {n}, one nuisance coefficient: {cones / unit:.0f} lstsq")


def of_nodes(n: int, p: int) -> None:
    """Print the ratio of a node of branch and bound, at the first k for which there are a few."""
    X, y, fit = drawn(n, p, 0.5)
    problem = question(fit, *coefficient_of(fit, -1)).problem
    unit = least(lambda: np.linalg.lstsq(X, y, rcond=None), 20)
    k, nodes = Quick(null_fit(problem)).largest(), 1
    while nodes < FEW_NODES:
        k += 1
        start = process_time()
        nodes = branch_and_bound(problem, k, Budget(5.0)).nodes
        each = (process_time() - start) / nodes
    print(f"node, n = {n}, p = {p}: {each / unit:.1f} lstsq, {1e3 * each:.1f} ms ({nodes} nodes, k = {k})")


def main() -> None:
    """Print all of them."""
    print("n, p, lstsq: counts / lstsq, largest k / lstsq (k), greedy step / (X @ v)")
    for n, p in ((1000, 5), (10_000, 5), (10_000, 20), (100_000, 5), (100_000, 20), (100_000, 40)):
        of_quick(n, p)
    of_cones(500)
    of_nodes(50, 4)
    of_nodes(500, 14)


if __name__ == "__main__":
    main()
