"""Time and memory of influence on loss for all pairs: python tests/benchmarks/all_pairs.py.

Targets (logistic, n = 13,000, p = 784, m = 500, Cholesky): at most twice the time of one ``X.T @ X``
plus one ``X @ B`` (784 x 500) in the same run, and at most a quarter of X in memory beyond X and the
answer. Memory is the peak of a process of its own, beyond what it holds before the question: once as
NumPy counts its arrays, once as the system counts its pages (which adds the workspace of the BLAS).
"""

import resource
import subprocess
import sys
import tracemalloc
from pathlib import Path
from time import perf_counter

import numpy as np

import influstat as ist

N, P, M = 13_000, 784, 500
REPEATS = 5


def data():
    """Return training and test rows."""
    rng = np.random.default_rng(0)
    X, X_test = rng.standard_normal((N, P)), rng.standard_normal((M, P))
    return X, rng.integers(0, 2, N), X_test, rng.integers(0, 2, M)


def shortest(*functions):
    """Return the shortest time of each function, taken by turns so that other load hits all alike."""
    times = [[] for _ in functions]
    for _ in range(REPEATS):
        for function, taken in zip(functions, times, strict=True):
            start = perf_counter()
            function()
            taken.append(perf_counter() - start)
    return [min(taken) for taken in times]


def measure_memory(how):
    """Print the fraction of X that one question takes beyond X and the answer."""
    X, y, X_test, y_test = data()
    risk = ist.LinearRisk(ist.LogisticLoss(), X, y, penalty=ist.L2(2000.0), protocol="folded")
    fit = ist.Fit(risk, np.zeros(P), tolerance=np.inf)
    np.ones((500, 500)) @ np.ones((500, 500))  # let the BLAS take its workspace
    if how == "arrays":
        tracemalloc.start()
        values = fit.influence().on_loss(X_test, y_test).values
        extra = tracemalloc.get_traced_memory()[1] - values.nbytes
    else:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        values = fit.influence().on_loss(X_test, y_test).values
        extra = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 - values.nbytes
    print(extra / X.nbytes)


def main():
    X, y, X_test, y_test = data()
    fit = ist.Logistic(lam=1000.0).fit(X, y)
    B = np.random.default_rng(1).standard_normal((P, M))
    gram, product, pairs = shortest(
        lambda: X.T @ X, lambda: X @ B, lambda: fit.influence().on_loss(X_test, y_test)
    )
    print(f"all pairs, n = {N}, p = {P}, m = {M}, shortest of {REPEATS}:")
    print(f"  X.T @ X {gram:.3f} s, X @ B {product:.3f} s, together {gram + product:.3f} s")
    print(f"  on_loss {pairs:.3f} s: {pairs / (gram + product):.2f} times that (target 2)")
    for how in ("arrays", "pages"):
        code = f"from tests.benchmarks.all_pairs import measure_memory; measure_memory({how!r})"
        root = Path(__file__).parents[2]
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
        )
        print(f"  memory beyond X and the answer, by {how}: {float(done.stdout):.3f} of X (target 0.25)")


if __name__ == "__main__":
    main()
