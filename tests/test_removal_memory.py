"""What removals, their bounds and inference without rows hold beside data and answer does not grow."""

import tracemalloc

import numpy as np
import pytest

import influstat as ist

HELD = 10 * 2**20  # a few arrays of 1 or 2 MiB each
TIMES = 4.5  # times X beside them


def logistic(n):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 20))
    y = rng.random(n) < 1.0 / (1.0 + np.exp(-X @ rng.normal(size=20) / np.sqrt(20)))
    return ist.Logistic(lam=0.5, protocol="fixed").fit(X, y.astype(float)), X.nbytes


def beyond_answer(ask):
    """Return the most bytes that were held beyond what is held afterwards."""
    tracemalloc.start()
    answer = ask()
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer is not None
    return peak - now


def test_bounds_of_all_rows_work_in_blocks():
    fit, size = logistic(2000)
    removal = fit.leave_one_out(method="newton")
    assert beyond_answer(removal.theta_bound) < HELD + TIMES * size


@pytest.mark.slow
@pytest.mark.parametrize("question", ["refits", "bounds", "inference"])
def test_refits_and_what_is_asked_of_them_work_in_blocks(question):
    fit, size = logistic(10_000)  # so many that sums over all rows are expanded
    ask = {"refits": fit.leave_one_out, "inference": fit.inference().leave_one_out}
    asked = fit.leave_one_out().theta_bound if question == "bounds" else ask[question]
    assert beyond_answer(asked) < HELD + TIMES * size
