"""Time influence and leave-one-out against pyinfluence 0.5: python -m tests.benchmarks.pyinfluence.

It has to be importable (``pip install pyinfluence==0.5.0`` into an environment of its own). CPU time, least
of a few runs by turns. Targets: from a scikit-learn fit with ``polish=True`` to the scores of all pairs
(logistic, n = 13,000, p = 784, m = 500) at most 0.7 times its ``fit`` + ``explain``; loss changes of 20 test
rows without each of 1,500 rows, p = 30, at least 100 times faster than its ``LOOInfluence``.
"""

import warnings
from time import process_time

import numpy as np
from sklearn.linear_model import LogisticRegression

import influstat as ist


def least(repeats, *functions):
    """Return the least CPU seconds of each function, and the last results."""
    times, found = [[] for _ in functions], [None for _ in functions]
    for _ in range(repeats):
        for k, function in enumerate(functions):
            start = process_time()
            found[k] = function()
            times[k].append(process_time() - start)
    return [min(some) for some in times], found


def drawn(n, p, m):
    """Return rows, their classes, and test rows."""
    rng = np.random.default_rng(0)
    X, X_test = rng.standard_normal((n, p)), rng.standard_normal((m, p))
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-X @ rng.standard_normal(p) / np.sqrt(p)))).astype(int)
    return X, y, X_test, rng.integers(0, 2, m)


def pairs(theirs):
    """Print the ratio for all pairs of rows and test rows, from an estimator that was fitted."""
    for n, C in ((13_000, 1 / 2000), (13_000, 1.0), (5000, 1.0)):
        X, y, X_test, y_test = drawn(n, 784, 500)
        estimator = LogisticRegression(C=C, fit_intercept=False, max_iter=1000).fit(X, y)

        def ours(estimator=estimator, X=X, y=y, X_test=X_test, y_test=y_test):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the default tolerance is coarse: polishing says so
                fit = ist.from_sklearn(estimator, X, y, polish=True)
            return fit.influence().on_loss(X_test, y_test)

        def other(estimator=estimator, X=X, y=y, X_test=X_test, y_test=y_test):
            return theirs.InfluenceFunctions(mode="loss").fit(estimator, X, y).explain(X_test, y_test)

        (own, yardstick, gram), _ = least(4, ours, other, lambda X=X: X.T @ X)
        print(
            f"all pairs, n = {n}, C = {C:g}: {own:.2f} s, pyinfluence {yardstick:.2f} s,",
            f"X.T @ X {gram:.2f} s: {own / yardstick:.2f} times (target 0.7)",
        )


def leave_one_out(theirs):
    """Print the ratio of loss changes without each row, and how far they are apart."""
    for n in (1500, 800):
        one_size(theirs, n)


def one_size(theirs, n):
    X, y, X_test, y_test = drawn(n, 30, 20)
    estimator = LogisticRegression(fit_intercept=False, tol=1e-8, max_iter=1000).fit(X, y)

    def ours():
        fit = ist.from_sklearn(estimator, X, y, polish=True)
        return fit.leave_one_out().loss_change(X_test, y_test)

    def other():
        return theirs.LOOInfluence(mode="loss", verbose=0).fit(estimator, X, y).explain(X_test, y_test)

    (own,), (found,) = least(5, ours)
    (yardstick,), (truth,) = least(2, other)
    (again,), _ = least(5, ours)  # before and after, so that other load hits both
    own = min(own, again)
    apart = np.max(np.abs(found.T - truth)) / np.max(np.abs(truth))
    print(
        f"leave one out, n = {n}: {own:.3f} s, pyinfluence {yardstick:.2f} s: {yardstick / own:.0f} times",
        f"(target 100), apart by {apart:.0e} of the largest",
    )


def main():
    import pyinfluence

    pairs(pyinfluence)
    leave_one_out(pyinfluence)


if __name__ == "__main__":
    main()
