"""One working call of every public callable: name -> (callable, its arguments by name)."""

from functools import cache, wraps

import numpy as np
import statsmodels.api as sm
from hypothesis import Phase, find, settings
from sklearn.linear_model import LogisticRegression

import influstat as ist
from influstat import checks, datasets, experiments, plots, strategies
from tests.argument_calls_of_partitions import of_partitions
from tests.argument_calls_of_plots import ROW, SHOWN, drawn, of_plots

N, M = 8, 3
RNG = np.random.default_rng(0)
X = np.column_stack([np.ones(N), RNG.normal(size=(N, 2)).round(1)])
Y = (X @ [0.5, 1.0, -1.0] + RNG.normal(size=N)).round(1)
LABELS = (RNG.permutation(N) % 2).astype(float)
XT, YT, LT = X[:M] + 0.1, Y[:M] + 0.1, LABELS[:M]
GROUPS = np.arange(N) // 2
NAMES = ["a", "b", "c"]
ROWS = {"weights": np.ones(N), "offset": np.zeros(N), "names": NAMES, "row_labels": list("abcdefgh")}
NEW = {"X": XT, "offset": np.zeros(M)}
TESTS = {"X": XT, "y": YT, "offset": np.zeros(M)}
WAYS = {"kind": "linear"}
STATISTICS = {"dispersion": 1.0, "frequency": False}
COVARIANCE = {"correction": None, "information": "observed", "kernel": "bartlett", "lags": 1}
TOP = {"top": {"k": 2, "column": 0, "side": "rise"}, "to_latex": {}}
BY = {"top": {**TOP["top"], "by": "t_values"}, "to_latex": {}}
CHECK = {"seed": 0, "laws": None}
LIMITS = {"groups": None, "budget_seconds": 0.0, "largest": 2, "search": False}
ANY = settings(database=None, phases=[Phase.generate])  # any draw will do: no simpler one is looked for


def squared(theta):
    return (Y - X @ theta) ** 2


def squared_of_new(theta, X, y):
    with np.errstate(over="ignore"):
        return (np.asarray(y) - np.asarray(X) @ theta) ** 2


def prediction(theta, X):
    return np.asarray(X) @ theta


def elementwise(y, eta):
    return (y - eta) ** 2


@cache
def fits():
    """Return a fit of each sort."""
    logistic = ist.Logistic(lam=1.0).fit(X, LABELS, names=NAMES)
    black = ist.BlackBoxRisk(squared, 3, test_losses=squared_of_new, predict=prediction, penalty=ist.L2(1.0))
    return {
        "ridge": ist.Ridge(lam=1.0, protocol="fixed").fit(X, Y, names=NAMES),
        "logistic": logistic,
        "hinge": ist.HingeSVC(lam=1.0).fit(X[:, 1:], 2 * LABELS - 1),
        "black": ist.Fit.minimise(black),
        "softmax": ist.Fit.minimise(ist.SoftmaxRisk(X, GROUPS % 3, penalty=ist.L2(1.0))),
    }


def of_a_fit(fit):
    return {
        "breakdown": {"coefficient": 1, "at": 0.1, **LIMITS},
        "breakdown_of_loss": {"X": XT[:1], "y": YT[:1], "offset": np.zeros(1), "above": 0.5, **LIMITS},
        "breakdown_of_prediction": {"X": XT[:1], "offset": np.zeros(1), "at": 0.1, **LIMITS},
        "reach": {"coefficient": 1, "k": 1, "groups": None, "budget_seconds": 0.0},
        "covariance": {"kind": "HAC", "groups": None, **STATISTICS, **COVARIANCE},
        "diagnostics": {
            "columns": None, "method": "newton", "deleted_scale": True, "information": "observed",
            **STATISTICS,
        },
        "flags": {"rules": "R", "method": "newton"},
        "variance_inflation": {"factors": None},
        "inference": {
            "kind": "HAC", "groups": None, "use_t": None, "level": 0.9, **STATISTICS, **COVARIANCE,
        },
        "influence": {"solver": None},
        "leave_groups_out": {"groups": GROUPS, "method": "newton"},
        "leave_one_out": {"method": "exact", "rows": None},
        "loss": TESTS,
        "offset_of": NEW,
        "predict": {**NEW, **WAYS},
        "prediction_gradients": {**NEW, **WAYS},
        "predictions": {"theta": fit.theta, **NEW, **WAYS},
        "report": {"coefficient": fit.names[0], "top": 2, "groups": None, "inference": None},
        "removal_report": {**TESTS, "top": 2, "groups": None},
        "summary": {"inference": None, "title": None},
        "test_rows": TESTS,
        "minimise": {"risk": fit.risk, "start": None, "max_iterations": 20, "reader": None},
    }  # fmt: skip


def of_a_risk(risk, theta):
    offset = {} if isinstance(risk, ist.LinearRisk) else {"offset": None}
    return {
        "reweighted": {"weights": np.ones(N)},
        "test_rows": {**TESTS, **offset},
        "predictions": {"theta": theta, **NEW, **WAYS, **offset},
        "prediction_gradients": {"theta": theta, **NEW, **WAYS, **offset},
    }


def methods(prefix, instance, table):
    return {f"{prefix}.{name}": (getattr(instance, name), arguments) for name, arguments in table.items()}


def calls():
    """Return every call; those of results first."""
    fit, logistic = fits()["ridge"], fits()["logistic"]
    removal, scores = fit.leave_one_out(method="newton"), fit.influence().on_theta()
    inference, functional = fit.inference(), ist.contrast(fit, [1.0, 0.0, 0.0])
    table = {
        **methods("Fit", fit, of_a_fit(fit)),
        **methods("Fit of BlackBoxRisk", fits()["black"], {
            name: {**arguments, **({"offset": None} if "offset" in arguments else {})}
            for name, arguments in of_a_fit(fits()["black"]).items()
            if name in ("loss", "predict", "leave_one_out", "test_rows", "predictions")
        }),
        **methods("HingeFit", fits()["hinge"], {
            "predict": {"X": XT[:, 1:], "offset": np.zeros(M)},
            "loss": {"X": XT[:, 1:], "y": 2 * LT - 1, "offset": np.zeros(M), "theta": None},
            "leave_one_out": {"rows": [0, 1]},
            "summary": {"title": "exact"},
        }),
        **methods("HingeRemoval", fits()["hinge"].leave_one_out(rows=[0]), {
            "loss_change": {"X": XT[:, 1:], "y": 2 * LT - 1, "offset": np.zeros(M)},
            "prediction_change": {"X": XT[:, 1:], "offset": np.zeros(M)},
        }),
        **methods("Removal", removal, {
            "loss_change": {**TESTS, "linear": None},
            "loss_bound": {**TESTS, "linear": None},
            "prediction_change": {**NEW, **WAYS},
            "prediction_bound": {**NEW, **WAYS}, **TOP,
        }),
        **methods("Influence", fit.influence(), {
            "on": {"gradient": np.ones(3)}, "on_loss": TESTS, "on_prediction": {**NEW, **WAYS}, **TOP,
        }),
        **methods("Scores", scores, {"to_frame": {"what": "removal"}, **TOP}),
        **methods("InputScores", ist.input_influence(fit, XT, YT), {
            "effect": {"steps": np.ones((N, 3))}, **TOP,
        }),
        **methods("Inference", inference, {
            "leave_one_out": {"rows": [0, 1]}, "leave_groups_out": {"groups": GROUPS},
            "without": {"rows": [0, 1]},
            "breakdown": {"coefficient": 1, "reversed": False, "test": "wald", **LIMITS}, **BY,
        }),
        **methods("InferenceWithout", inference.without([0]), {
            "change": {"quantity": "p_values"}, "to_frame": {"quantity": None, "what": "after"},
            "after": {"quantity": "p_values"}, "before": {"quantity": "p_values"}, **BY,
        }),
        **methods("InferenceTable", inference.table, {"to_frame": {"quantity": "standard_errors"}, **BY}),
        "CoefficientReport.plot": (drawn(fit.report("b", top=2).plot), SHOWN),
        "Breakdown.plot": (drawn(fit.breakdown("b", budget_seconds=0.0).plot), SHOWN),
        **{name: (drawn(call), values) for name, (call, values) in of_pictures(fit, logistic).items()},
        **methods("Functional", functional, {
            "leave_one_out": {"method": "exact", "rows": [0, 1]}, "standard_errors": {"kind": "model"},
            "to_frame": {"level": 0.9},
            "breakdown": {"which": 0, "at": 0.1, **LIMITS}, **TOP,
        }),
        **methods("Suspects", ist.find_mislabelled(logistic), {"top": {"k": 2}}),
        **methods("Flags", fit.flags(), {"top": {"k": 2}}),
        **methods("OutlierTest", fit.outlier_test(), {"top": {"k": 2, "side": "fall"}}),
        "Fit": (ist.Fit, {"risk": fit.risk, "theta": fit.theta, "tolerance": 1e-6, "reader": None}),
        "Influence": (ist.Influence, {"fit": fit, "solver": None}),
    }  # fmt: skip
    for name, risk in (("LinearRisk", fit.risk), ("BlackBoxRisk", fits()["black"].risk)):
        theta = fits()["ridge" if name == "LinearRisk" else "black"].theta
        table |= methods(name, risk, of_a_risk(risk, theta))
    softmax = fits()["softmax"]
    table |= methods("SoftmaxRisk", softmax.risk, {
        **of_a_risk(softmax.risk, softmax.theta), "test_rows": {"X": XT, "y": [0, 1, 2], "offset": None},
    })  # fmt: skip
    table |= of_partitions(X, Y, LABELS, TESTS)
    return table | of_settings() | of_functions(fit, logistic) | of_parts()


def of_pictures(fit, logistic):
    """Return the pictures of a fit."""
    shown = {"names": 1, **SHOWN}
    two = {
        "distance": {"X": XT, "y": LT, "offset": np.zeros(M), **shown},
        "factors": {"X": XT[:1], "y": LT[:1], "offset": np.zeros(1), **shown},
    }
    parted = ist.Ridge(lam=1.0).fit(np.column_stack([np.ones(N), GROUPS % 2]), X[:, 1])
    three = methods("FitPlots", parted.plot, {"levels": {"factor": GROUPS % 2, **shown}})
    return three | methods("FitPlots", logistic.plot, two) | methods("FitPlots", fit.plot, {
        "bubble": shown, "cooks_contours": shown,
        "index": {"measure": "hat_diag", "rules": "R", **shown},
        "dfbetas": {"coefficients": ["a"], "rules": "R", "columns": 1, **shown},
        "residuals": {"kind": None, "smooth": True, **shown},
        "qq": {"simulations": 2, "level": 0.9, "seed": 0, **shown},
        "added_variable": {"column": "b", **shown},
        "component_residual": {"column": "b", "smooth": True, **shown},
        "forest": {"coefficient": "b", "groups": None, "inference": None, **shown},
        "groups": {"groups": GROUPS, "coefficient": "b", "method": "newton", **shown},
        "predicted_against_exact": {**TESTS, "method": "influence", **shown},
        "loss_change": {**TESTS, "method": "influence", **shown},
        "helpful_and_harmful": {
            **TESTS, "images": np.arange(4.0 * N).reshape(N, 4), "method": "influence", "shape": (2, 2),
            **shown,
        },
        "solvers": {**TESTS, "solvers": None, "columns": 1, **shown},
        "removal_report": {**TESTS, "top": 3, "groups": None, "columns": 1, **shown},
        "scale_location": {"smooth": True, **shown},
        "added_variables": {"coefficients": ["b"], "columns": 1, **shown},
        "component_residuals": {"coefficients": ["b"], "smooth": True, "columns": 1, **shown},
        "overview": {"simulations": 2, "seed": 0, **shown},
        "indices": {"measures": ["hat_diag"], "rules": "R", **shown},
    })  # fmt: skip


def of_settings():
    """Return the constructors of what users put together."""
    table = {
        "Ridge": (ist.Ridge, {"lam": 1.0, "intercept": False, "protocol": "folded"}),
        "Logistic": (ist.Logistic, {"lam": 1.0, "labels": (0, 1), "intercept": False, "protocol": "folded"}),
        "SmoothedSVC": (ist.SmoothedSVC, {"lam": 1.0, "t": 0.1, "intercept": True, "protocol": "fixed"}),
        "HingeSVC": (ist.HingeSVC, {"lam": 1.0, "intercept": True, "protocol": "fixed"}),
        "L2": (ist.L2, {"strength": 1.0, "unpenalised": ()}),
        "SmoothedL1": (ist.SmoothedL1, {"strength": 1.0, "t": 0.1, "unpenalised": ()}),
        "Linear": (ist.Linear, {"slope": np.ones(3)}),
        "Quadratic": (ist.Quadratic, {"S": np.eye(3)}),
        "Toward": (ist.Toward, {"mean": np.ones(3), "penalty": ist.L2(1.0)}),
        "HuberLoss": (ist.HuberLoss, {"delta": 1.0}),
        "PseudoHuberLoss": (ist.PseudoHuberLoss, {"delta": 1.0}),
        "SmoothedCheck": (ist.SmoothedCheck, {"quantile": 0.5, "t": 0.1}),
        "SmoothedHinge": (ist.SmoothedHinge, {"t": 0.1}),
        "NumericalLoss": (ist.NumericalLoss, {
            "function": elementwise, "width": 1.0, "targets": None, "mean_function": None,
            "self_concordance": 1.0,
        }),
        "Cholesky": (ist.Cholesky, {"damping": 0.0}),
        "ConjugateGradient": (ist.ConjugateGradient, {
            "rtol": 1e-10, "max_iterations": 10, "jacobi": True, "damping": 0.0,
        }),
        "Taylor": (ist.Taylor, {"depth": 10, "scale": 10.0, "rtol": 0.1, "damping": 0.0}),
        "LiSSA": (ist.LiSSA, {
            "depth": 10, "repeats": 2, "batch_size": 1, "scale": 10.0, "seed": 0, "rtol": 0.1,
            "damping": 0.0,
        }),
        "LinearRisk": (ist.LinearRisk, {
            "loss": ist.SquaredError(), "X": X, "y": Y, "penalty": ist.L2(1.0), "intercept": False,
            "protocol": "fixed", "test_protocol": None, **ROWS,
        }),
        "SoftmaxRisk": (ist.SoftmaxRisk, {
            "X": X, "y": GROUPS, "classes": None, "penalty": None, "intercept": False,
            "protocol": "fixed", "test_protocol": None,
            "weights": np.ones(N), "names": NAMES, "row_labels": ROWS["row_labels"],
        }),
        "BlackBoxRisk": (ist.BlackBoxRisk, {
            "row_losses": squared, "n_params": 3, "row_gradients": None, "hvp": None, "penalty": None,
            "test_losses": None, "predict": None, "width": 1.0, "protocol": "fixed", "weights": np.ones(N),
            "names": NAMES, "row_labels": ROWS["row_labels"],
        }),
        "HingeSVC.fit": (ist.HingeSVC(lam=1.0).fit, {"X": X[:, 1:], "y": 2 * LABELS - 1, **ROWS}),
    }  # fmt: skip
    table["HingeSVC.fit"][1]["names"] = NAMES[1:]
    targets = {"Ridge": Y, "Logistic": LABELS, "SmoothedSVC": 2 * LABELS - 1}
    for name, y in targets.items():
        model = getattr(ist, name)(lam=1.0)
        Z, names = (X[:, 1:], NAMES[1:]) if name == "SmoothedSVC" else (X, NAMES)
        table |= methods(name, model, {
            method: {"X": Z, "y": y, **ROWS, "names": names} for method in ("fit", "risk")
        })  # fmt: skip
    return table


def of_functions(fit, logistic):
    """Return the functions of the top level and of the parts."""
    ols, estimator = sm.OLS(Y, X).fit(), LogisticRegression(tol=1e-10).fit(X[:, 1:], LABELS)
    return {
        "average_marginal_effect": (ist.average_marginal_effect, {
            "fit": logistic, "columns": None, "discrete": (), "X": None, "offset": None, "elasticity": None,
        }),
        "contrast": (ist.contrast, {"fit": fit, "coefficients": [1.0, 0.0, 0.0], "labels": None}),
        "cross_validate": (ist.cross_validate, {
            "fit": fit, "folds": None, "method": "exact", "certified": False,
            "scoring": "neg_mean_absolute_error",
        }),
        "prediction_intervals": (ist.prediction_intervals, {
            "fit": fit, "X": XT, "level": 0.5, "method": "plus", "folds": GROUPS, "refits": "exact",
            "offset": np.zeros(M),
        }),
        "cross_validate_lam": (ist.cross_validate_lam, {"fit": fit, "lams": [0.5, 1.0]}),
        "breakdown_table": (ist.breakdown_table, {
            "fit": fit, "coefficients": [1], "at": 0.1, "groups": None, "budget_seconds": 0.0,
        }),
        "find_mislabelled": (ist.find_mislabelled, {
            "fit": logistic, "X": XT, "y": LT, "by": "validation", "method": "exact",
        }),
        "functional": (ist.functional, {
            "fit": fit, "function": lambda theta: theta[0] * theta[1], "labels": None, "quantity": "product",
        }),
        "input_influence": (ist.input_influence, {"fit": fit, **TESTS, "rows": [0], "solver": None}),
        "negative_curvature_rows": (ist.negative_curvature_rows, {"fit": fit}),
        "odds_ratio": (ist.odds_ratio, {"fit": logistic, "columns": ["a"], "unit": 1.0}),
        "predicted_mean": (ist.predicted_mean, {"fit": fit, **NEW}),
        "from_statsmodels": (ist.from_statsmodels, {
            "results": ols, "polish": False, "drop": None, "alpha": None, "L1_wt": 1.0, "smoothing": None,
        }),
        "from_sklearn": (ist.from_sklearn, {
            "estimator": estimator, "X": X[:, 1:], "y": LABELS, "sample_weight": None, "polish": False,
            "protocol": None, "smoothing": None,
        }),
        "removal.leave_one_out": (ist.removal.leave_one_out, {
            "fit": fit, "method": "exact", "rows": None,
        }),
        "removal.leave_groups_out": (ist.removal.leave_groups_out, {
            "fit": fit, "groups": GROUPS, "method": "exact",
        }),
        "removal.loss_changes": (ist.removal.loss_changes, {
            "fit": fit, **TESTS, "groups": None, "method": "exact",
        }),
        "removal.plan": (ist.removal.plan, {"fit": fit, "groups": None}),
        "removal.stream": (lambda **arguments: list(ist.removal.stream(**arguments)), {
            "fit": fit, "groups": None, "method": "exact",
        }),
        "checks.check_breakdown": (checks.check_breakdown, {
            "fit": fit, "coefficient": 1, "at": 0.1, "groups": None, "size": 1, "most": 5,
            "budget_seconds": 0.0, **CHECK,
        }),
        "checks.check_fit": (checks.check_fit, {
            "fit": fit, "convex": True, "seed": 0, "laws": ["definite"],
        }),
        "checks.check_influence": (checks.check_influence, {
            "fit": fit, "solver": None, "values": None, "rows": [0], "X": None, "y": None, **CHECK,
        }),
        "checks.check_loss": (checks.check_loss, {
            "loss": ist.SquaredError(), "y": None, "width": 1.0, "convex": True, **CHECK,
        }),
        "checks.check_refit": (checks.check_refit, {
            "fit": fit, "refit": lambda rows: fit.theta, "rtol": 1e-4, "rows": 2, "seed": 0,
        }),
        "checks.check_risk": (checks.check_risk, {
            "risk": fit.risk, "theta": None, "X": None, "y": None, "convex": True, **CHECK,
        }),
        "checks.check_solver": (checks.check_solver, {
            "solver": ist.Cholesky(), "operator": None, "rtol": 1e-6, **CHECK,
        }),
        "checks.laws": (checks.laws, {"subject": ist.SquaredError(), "only": None}),
    }  # fmt: skip


def first_of(strategy):
    """Return a call that draws, since a strategy reads its settings no earlier."""

    @wraps(strategy)
    def call(**arguments):
        return find(strategy(**arguments), lambda _: True, settings=ANY)

    return call


def of_parts():
    """Return the functions of plots, data sets, experiments and strategies."""
    table = {
        f"plots.{name}": (drawn(getattr(plots, name)), arguments)
        for name, arguments in of_plots(fits()["ridge"]).items()
    }
    data = datasets.Dataset(X, Y, tuple(NAMES), np.arange(N), "here")
    split = experiments.split_rows(data, np.arange(5), np.arange(5, N))
    return table | {
        "datasets.fetch": (datasets.fetch, {"name": "no such file"}),
        **{
            f"datasets.{name}": (getattr(datasets, name), {argument: "no such part"})
            for name, argument in (
                ("load_a9a", "part"), ("load_diabetes130", "part"), ("load_microcredit", "site"),
                ("load_mnist17", "part"), ("load_newsgroups20", "part"),
            )
        },
        "experiments.agreement": (experiments.agreement, {"predicted": ROW, "exact": ROW}),
        "experiments.split_rows": (experiments.split_rows, {
            "data": data, "train": np.arange(5), "test": np.arange(5, N), "y": None,
        }),
        "experiments.standardised": (experiments.standardised, {"split": split, "target": False}),
        "strategies.designs": (first_of(strategies.designs), {
            "kinds": ("collinear",), "rows": (6, 8), "columns": (1, 2),
        }),
        "strategies.groups": (first_of(strategies.groups), {"n": N, "largest": 2}),
        "strategies.losses": (first_of(strategies.losses), {"smooth": True}),
        "strategies.weights": (first_of(strategies.weights), {"n": N, "zeros": True}),
    }  # fmt: skip
