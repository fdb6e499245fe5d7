"""Time diagnostics against statsmodels in the same run: python tests/benchmarks/diagnostics.py.

Targets: DFBETAS of least squares (n = 10,000, p = 20) at least 500 times faster than
`OLSInfluence.dfbetas`; diagnostics of a Logit (n = 100,000, p = 50) at least 3 times faster than
`get_influence()`, with less memory. statsmodels fits OLS anew without each row; `LOOP` of its n fits are
timed and scaled up, since all of them take minutes. Set LOOP = N_OLS to run its own code in full.
The columns of `summary_frame()` of a GLM (n = 5000, p = 20, CPU time): at least 20 times, of a fit that was
asked before; shown too are its first ones, and those with the way from the results to a fit.
"""

import tracemalloc
from time import perf_counter, process_time

import numpy as np
import statsmodels.api as sm
from statsmodels.stats.outliers_influence import OLSInfluence

import influstat as ist

N_OLS, P_OLS, LOOP = 10_000, 20, 200
N_LOGIT, P_LOGIT = 100_000, 50
COLUMNS = ["dfbetas", "cooks_d", "standard_resid", "hat_diag", "dffits_internal"]  # of summary_frame()


def seconds(function, repeats):
    """Return the shortest of several times, and the result."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        result = function()
        times.append(perf_counter() - start)
    return min(times), result


def peak_megabytes(function):
    """Return the most memory that NumPy and Python held at once beyond what was there."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def one_by_one(results, rows):
    """Do what OLSInfluence does for these rows: fit without each, keep its three numbers."""
    y, X = results.model.endog, results.model.exog
    params, scales = [], []
    for row in rows:
        left = np.arange(len(y)) != row
        fitted = sm.OLS(y[left], X[left]).fit()
        np.linalg.det(fitted.cov_params())
        params.append(fitted.params)
        scales.append(fitted.mse_resid)
    errors = np.sqrt(np.outer(scales, np.diag(results.normalized_cov_params)))
    return (results.params - np.array(params)) / errors


def least_squares(rng):
    X = rng.standard_normal((N_OLS, P_OLS))
    results = sm.OLS(X @ rng.standard_normal(P_OLS) + rng.standard_normal(N_OLS), X).fit()
    fit = ist.from_statsmodels(results)
    ours, frame = seconds(lambda: fit.diagnostics("dfbetas"), 20)
    if LOOP == N_OLS:
        theirs, truth = seconds(lambda: OLSInfluence(results).dfbetas, 1)
    else:
        theirs, truth = seconds(lambda: one_by_one(results, range(LOOP)), 2)
        theirs *= N_OLS / LOOP
    apart = np.max(np.abs(frame.to_numpy()[:LOOP] - truth))
    print(f"OLS DFBETAS, n = {N_OLS}, p = {P_OLS}: ours {1e3 * ours:.1f} ms, statsmodels {theirs:.1f} s")
    print(f"  {theirs / ours:.0f} times faster (target 500); largest difference {apart:.1e}")


def logit(rng):
    X = rng.standard_normal((N_LOGIT, P_LOGIT))
    y = (rng.random(N_LOGIT) < 1.0 / (1.0 + np.exp(-X @ np.full(P_LOGIT, 0.2)))).astype(float)
    results = sm.Logit(y, X).fit(disp=0)
    fit = ist.from_statsmodels(results)
    ours, frame = seconds(lambda: fit.diagnostics(COLUMNS), 5)
    theirs, truth = seconds(lambda: results.get_influence().summary_frame(), 5)
    apart = np.max(np.abs(frame[truth.columns].to_numpy() - truth.to_numpy()))
    print(f"Logit, n = {N_LOGIT}, p = {P_LOGIT}: ours {ours:.3f} s, statsmodels {theirs:.3f} s")
    print(f"  {theirs / ours:.1f} times faster (target 3); largest difference {apart:.1e}")
    print(
        f"  peak memory: ours {peak_megabytes(lambda: fit.diagnostics(COLUMNS)):.0f} MB, statsmodels "
        f"{peak_megabytes(lambda: results.get_influence().summary_frame()):.0f} MB (target: less)"
    )


def glm(rng, n, p):
    """Columns of summary_frame(): of a fit that was asked before, that was not, and from the results."""
    X = rng.standard_normal((n, p))
    y = rng.poisson(np.exp(0.1 * X.sum(axis=1))).astype(float)
    results = sm.GLM(y, X, family=sm.families.Poisson()).fit()
    fit = ist.from_statsmodels(results)

    def translated():
        return ist.from_statsmodels(results)

    def least(function, prepared=lambda: None):
        times = []
        for _ in range(40):
            given = prepared()
            start = process_time()
            function(given)
            times.append(process_time() - start)
        return 1e3 * min(times)

    theirs = least(lambda _: results.get_influence().summary_frame())
    again = least(lambda _: fit.diagnostics(COLUMNS))
    first = least(lambda made: made.diagnostics(COLUMNS), translated)
    entry = least(lambda _: translated())
    print(f"GLM, n = {n}, p = {p}, CPU: statsmodels {theirs:.1f} ms, our entry {entry:.1f} ms")
    print(f"  diagnostics of a fit {again:.2f} ms: {theirs / again:.1f} times faster (target 20)")
    print(f"  its first ones {first:.2f} ms: {theirs / first:.1f} times faster")
    print(f"  entry and first ones {entry + first:.1f} ms: {theirs / (entry + first):.1f} times faster")


def main():
    rng = np.random.default_rng(0)
    glm(rng, 5000, 20)
    glm(rng, 50_000, 20)
    least_squares(rng)
    logit(rng)


if __name__ == "__main__":
    main()
