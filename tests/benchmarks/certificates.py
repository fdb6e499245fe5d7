"""Certificates on real data, every row: python -m tests.benchmarks.certificates [mnist | classes].

For each fit and method: the share of rows certified, violations against exact refits (0 is the target),
the median of bound / |effect| and of bound / |error|, seconds and, for MNIST (n = 9084, p = 784), memory.
An exact refit has a certified error of its own, of the order of rounding; it is added to the bound. The
refits themselves are held against others in extended precision: those of the largest Newton bounds.
The yardstick is the time of the same two products with X, (n x p) (p x n), that the gradients need.
"""

import resource
import sys
from time import perf_counter

import numpy as np

import influstat as ist
from influstat import datasets
from influstat.risks.class_predictors import class_predictors_of
from tests.extended import LONG, Truth
from tests.softmax_cases import SoftmaxProblem, SoftmaxTruth

EXTENDED_WORK = 5e7  # rows judged in extended precision are at most this over n p
METHODS = ("influence", "newton", "second_order", "exact")
METHODS_OF_CLASSES = ("influence", "newton", "exact")


def standardised(X, rows=slice(None)):
    """Return X with the columns of `rows` at mean 0 and standard deviation 1, constant columns at 0."""
    X = np.asarray(X, dtype=np.float64)
    spread = X[rows].std(axis=0)
    return (X - X[rows].mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def forest_fires():
    """Yield Figure 1's fit and test row."""
    data = datasets.load_forest_fires()
    train = np.arange(517) != 42
    X, y = standardised(data.X, train), standardised(data.y[:, None], train)[:, 0]
    for protocol in ("folded", "fixed"):
        model = ist.Ridge(lam=1.0, protocol=protocol)
        yield f"Forest Fires, {model}", model.fit(X[train], y[train]), X[42:43], y[42:43]


def iris():
    """Yield Figure 4's and 5's fits: 90 training rows, all 10 test rows."""
    data = datasets.load_iris_pair()
    held_out = np.isin(data.row_labels, [133, 103, 120, 95, 94, 89, 72, 130, 60, 50])
    train = ~held_out
    models = [ist.SmoothedSVC(lam=2.0, t=t) for t in (1.0, 0.1, 0.01, 0.001)]
    models.append(ist.Logistic(lam=5.0, labels=(-1, 1)))
    for model in models:
        fit = model.fit(data.X[train], data.y[train])
        yield f"Iris, {model}", fit, data.X[held_out], data.y[held_out]


def spambase():
    """Yield logistic and smoothed-hinge fits of every tenth row held out."""
    data = datasets.load_spambase()
    held_out = np.arange(len(data.y)) % 10 == 0
    X = standardised(data.X, ~held_out)
    signed = 2 * data.y - 1
    for model in (
        ist.Logistic(lam=1.0, intercept=True),
        ist.Logistic(lam=1.0, intercept=True, protocol="fixed"),
        ist.SmoothedSVC(lam=10.0, t=0.1),
    ):
        y = signed if isinstance(model, ist.SmoothedSVC) else data.y
        fit = model.fit(X[~held_out], y[~held_out])
        yield f"Spambase, {model}", fit, X[held_out][:20], y[held_out][:20]


def mnist():
    """Yield Figure 2's fit and test row."""
    data = datasets.load_mnist17_paper()
    order = np.random.RandomState(42).permutation(9085)
    y = (data.y[order] == 1).astype(int)
    train = np.arange(9085) != 7
    X = standardised(data.X[order], train)
    for protocol in ("folded", "fixed"):
        model = ist.Logistic(lam=1000.0, protocol=protocol)
        yield f"MNIST 1 against 7, {model}", model.fit(X[train], y[train]), X[~train], y[~train]


def several_classes():
    """Yield softmax fits of scikit-learn's iris and wine, and statsmodels' MNLogit of three parties."""
    import statsmodels.api as sm
    from sklearn.datasets import load_iris, load_wine
    from sklearn.linear_model import LogisticRegression

    for name, load in (("Iris", load_iris), ("Wine", load_wine)):
        X, y = load(return_X_y=True)
        X = standardised(X)
        model = LogisticRegression(tol=1e-10, max_iter=10_000).fit(X, y)
        yield f"{name}, {model}", ist.from_sklearn(model, X, y), X[::15], y[::15]
    data = sm.datasets.anes96.load_pandas()
    X = sm.add_constant(data.exog[["logpopul", "selfLR", "age", "educ", "income"]]).to_numpy(float)
    y = np.digitize(data.endog, [2, 5])  # Democrats, independents, Republicans
    results = sm.MNLogit(y, X).fit(disp=0, method="newton", maxiter=100)
    yield "anes96, MNLogit of three parties", ist.from_statsmodels(results), X[::50], y[::50]


def judge(name, fit, X, y):
    """Print one line per method."""
    print(name, fit, sep="\n  ")
    start = perf_counter()
    exact = fit.leave_one_out()
    print(f"  exact refits {perf_counter() - start:.1f} s", flush=True)
    effect = exact.loss_change(X, y)
    start = perf_counter()
    rounding = exact.loss_bound(X, y)
    first_call = perf_counter() - start
    refits_beyond, refits = beyond_in_extended_precision(fit, exact, X, y)
    print(f"  refits beyond their bounds in extended precision: {refits_beyond} of {refits}", flush=True)
    for method in METHODS if class_predictors_of(fit.risk) is None else METHODS_OF_CLASSES:
        removal = exact if method == "exact" else fit.leave_one_out(method=method)
        start = perf_counter()
        bound = removal.loss_bound(X, y)
        seconds = first_call if removal is exact else perf_counter() - start
        error = np.abs(removal.loss_change(X, y) - effect)
        certified = removal.certificate.certified
        beyond = int(np.sum((error > bound + rounding)[certified]))
        with np.errstate(divide="ignore", invalid="ignore"):
            to_effect = np.nanmedian((bound / np.abs(effect))[certified])
            to_error = np.nanmedian((bound / error)[certified])
        print(
            f"    {method:<12} certified {certified.mean():.2%}, by own Hessian",
            f"{removal.certificate.own.mean():.1%};",
            f"beyond the bound {beyond} of {error.size}; medians: bound/effect {to_effect:.1e},",
            f"bound/error {to_error:.3g}; largest: bound {np.nanmax(bound):.1e},",
            f"error {np.nanmax(error):.1e}; {seconds:.1f} s",
            flush=True,
        )


def loss_name(loss):
    """Return what tests.cases calls the loss."""
    if isinstance(loss, ist.SmoothedHinge):
        return f"smoothed hinge {loss.t:g}"
    names = {ist.SquaredError: "squared error", ist.LogisticLoss: "logistic"}
    return names.get(type(loss), "signed logistic")


def beyond_in_extended_precision(fit, exact, X, y):
    """Return how many loss changes of exact refits are beyond their bounds, and how many were judged."""
    bound = exact.loss_bound(X, y)
    newton = fit.leave_one_out(method="newton").loss_bound(X, y)
    n, p = fit.risk.shape
    hardest = np.argsort(-np.where(np.isnan(newton), np.inf, newton).max(axis=1))
    hardest = hardest[: int(EXTENDED_WORK / (n * p))]
    if class_predictors_of(fit.risk) is not None:
        return beyond_of_classes(fit, exact, hardest, X, y), len(hardest) * len(y)
    truth = Truth.of_risk(fit.risk, loss_name(fit.risk.loss))
    rows = fit.risk.test_rows(X, y).design.rows(slice(None))
    before = truth.losses(fit.theta.astype(LONG)[None], rows, y)
    effect = exact.loss_change(X, y)
    beyond = 0
    for row in hardest:
        true = truth.minimisers([[row]], exact.theta[row])
        error = np.abs(effect[row] - (truth.losses(true, rows, y) - before)[0])
        beyond += int(np.sum(error > bound[row]))
    return beyond, len(hardest) * len(rows)


def beyond_of_classes(fit, exact, hardest, X, y):
    """Return how many loss changes of the refits without these rows are beyond their bounds."""
    truth = SoftmaxTruth(SoftmaxProblem.of(class_predictors_of(fit.risk)))
    rows = class_predictors_of(fit.test_rows(X, y)).design.rows(slice(None))
    bound, effect, beyond = exact.loss_bound(X, y), exact.loss_change(X, y), 0
    before = truth.losses(fit.theta.astype(LONG), rows, y)
    for row in hardest:
        true = truth.losses(truth.minimiser([row], exact.theta[row]), rows, y)
        beyond += int(np.sum(np.abs(effect[row] - (true - before)) > bound[row]))
    return beyond


def yardstick(n, p):
    """Return the seconds of the two products that measuring all gradients takes."""
    X = np.random.default_rng(0).normal(size=(n, p))
    start = perf_counter()
    for first in range(0, n, 256):
        block = X @ X[first : first + 256].T
        X.T @ block
    return perf_counter() - start


def main():
    named = {"mnist": [mnist], "classes": [several_classes]}
    sources = next((named[name] for name in named if name in sys.argv[1:]), [forest_fires, iris, spambase])
    for source in sources:
        for case in source():
            judge(*case)
    if sources == [mnist]:
        print(f"  yardstick, two products with X for all rows: {yardstick(9084, 784):.1f} s")
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
