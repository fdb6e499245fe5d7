"""Time LiSSA against a plain Python loop over steps: python tests/benchmarks/lissa.py.

Targets (n = 13,000, p = 784, depth 10,000, 10 repeats): at most 1.5 s for one right-hand side, and
50 right-hand sides at least 5 times faster than the plain loop takes for one after the other.
"""

from time import perf_counter

import numpy as np

import influstat as ist

N, P, DEPTH, REPEATS, COLUMNS = 13_000, 784, 10_000, 10, 50


def plain_loop(curvature, X, rhs, depth):
    """Return the mean answer to one right-hand side: one step after the other, repeats as an array."""
    scale = curvature.row_sampler().bound()
    rows = np.random.default_rng(0).choice(len(X), size=(depth, REPEATS), p=curvature.share)
    state = np.tile(rhs, (REPEATS, 1))
    for chosen in rows:
        drawn = X[chosen]
        inner = curvature.second[chosen] * np.sum(drawn * state, axis=1)
        state = rhs + state - (drawn * inner[:, None] + curvature.ridge.dot(state.T).T) / scale
    return state.mean(axis=0) / scale


def seconds(function, *arguments):
    """Return the shortest of three times, and the result."""
    times = []
    for _ in range(3):
        start = perf_counter()
        result = function(*arguments)
        times.append(perf_counter() - start)
    return min(times), result


def main():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, P))
    risk = ist.LinearRisk(ist.LogisticLoss(), X, rng.integers(0, 2, N), penalty=ist.L2(2000.0))
    rhs = rng.standard_normal((P, COLUMNS))
    for name, unpenalised in [("every coefficient penalised", None), ("one not penalised", P - 1)]:
        curvature = risk.curvature(np.zeros(P))
        if unpenalised is not None:
            entries = np.where(np.arange(P) == unpenalised, 0.0, curvature.ridge.diagonal())
            curvature = ist.Curvature(curvature.design, curvature.second, curvature.share, entries)
        solver = ist.LiSSA(depth=DEPTH, repeats=REPEATS)
        one, solution = seconds(solver.solve, curvature, rhs[:, 0])
        many, together = seconds(solver.solve, curvature, rhs)
        plain, truth = seconds(plain_loop, curvature, X, rhs[:, 0], DEPTH)
        error = np.abs(solution.value - truth).max() / np.abs(truth).max()
        print(f"LiSSA, n = {N}, p = {P}, depth {DEPTH}, {REPEATS} repeats, {name}:")
        print(f"  1 right-hand side: {one:.2f} s (target 1.5)")
        print(f"    plain loop {plain:.2f} s, ratio {plain / one:.1f}")
        print(f"  {COLUMNS} right-hand sides: {many:.2f} s")
        print(f"    plain loop {COLUMNS * plain:.1f} s, ratio {COLUMNS * plain / many:.1f} (target 5)")
        print(f"  difference from the plain loop: {error:.1e}; residual {float(together.residual.max()):.2f}")


if __name__ == "__main__":
    main()
