"""Show that cost is linear in n and in m: python tests/benchmarks/linear_cost.py.

Target: seconds per row constant for n = 10^4, 10^5, 10^6 at p = 20 (logistic, 10 test rows), and
seconds per test row constant for m = 10, 100, 1000 at n = 10^5. The yardstick in the same run is one
``X @ B`` with as many columns as there are test rows, which moves the same numbers.
"""

from time import perf_counter

import numpy as np

import influstat as ist

P = 20


def shortest(function, repeats=5):
    """Return the shortest of several times."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return min(times)


def data(n, m):
    """Return a risk of n rows and m test rows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, P))
    y = (X[:, 0] + rng.standard_normal(n) > 0).astype(float)
    return X, y, rng.standard_normal((m, P)), rng.integers(0, 2, m)


def seconds_for_rows(n):
    """Return the times of a fit, on_loss, on_self and X @ B for n rows and 10 test rows."""
    X, y, X_test, y_test = data(n, 10)
    model = ist.Logistic(lam=1.0)
    fit = model.fit(X, y)
    return (
        shortest(lambda: model.fit(X, y), 2),
        shortest(lambda: fit.influence().on_loss(X_test, y_test)),
        shortest(lambda: fit.influence().on_self()),
        shortest(lambda: X @ X_test.T),
    )


def seconds_for_tests(m):
    """Return the times of on_loss, once factored, and X @ B for m test rows and 10^5 rows."""
    X, y, X_test, y_test = data(10**5, m)
    infl = ist.Logistic(lam=1.0).fit(X, y).influence()
    infl.on_loss(X_test[:1], y_test[:1])
    return shortest(lambda: infl.on_loss(X_test, y_test)), shortest(lambda: X @ X_test.T)


def main():
    print(f"p = {P}, 10 test rows: microseconds per row (fit, on_loss, on_self, X @ B)")
    for n in (10**4, 10**5, 10**6):
        print(f"  n = {n:>7}: " + "  ".join(f"{taken * 1e6 / n:.3f}" for taken in seconds_for_rows(n)))
    print(f"n = 100000, p = {P}: microseconds per test row (on_loss, X @ B)")
    for m in (10, 100, 1000):
        print(f"  m = {m:>4}: " + "  ".join(f"{taken * 1e6 / m:.0f}" for taken in seconds_for_tests(m)))


if __name__ == "__main__":
    main()
