"""One working call of every public callable about rows in partitions, for `tests.argument_calls`."""

import tempfile
from pathlib import Path

import numpy as np

import influstat as ist


def of_partitions(X, y, labels, tests):
    """Return name -> (callable, its arguments by name)."""
    data = ist.partitions(X, labels, rows=3, runner="serial", groups=np.arange(len(X)) % 3)
    risk = ist.PartitionedRisk(ist.LogisticLoss(), data, penalty=ist.L2(1.0))
    fit = ist.PartitionedFit.minimise(risk)
    groups = fit.leave_groups_out(method="newton")
    removal, influence = fit.leave_one_out(method="newton"), fit.influence()
    answer = influence.on_theta()
    folder = Path(tempfile.mkdtemp()) / "answer"
    number, n = np.zeros(len(X)), len(X)
    known = {"X": tests["X"], "y": labels[: len(tests["X"])], "offset": None}
    new = {"X": tests["X"], "kind": "linear", "offset": None}
    return {
        "partitions": (ist.partitions, {
            "data": X, "y": y, "columns": None, "weights": np.ones(n), "offset": number, "labels": number,
            "groups": number, "levels": None, "formula": None, "rows": 3, "runner": "serial",
        }),
        "PartitionedRisk": (ist.PartitionedRisk, {
            "loss": ist.LogisticLoss(), "data": data, "penalty": ist.L2(1.0), "intercept": False,
            "protocol": "fixed", "test_protocol": None,
        }),
        "PartitionedRisk.plan": (risk.plan, {"passes": 3}),
        "PartitionedFit": (ist.PartitionedFit, {
            "risk": risk, "theta": fit.theta, "polish": False, "tolerance": 1e-6,
        }),
        "PartitionedFit.minimise": (ist.PartitionedFit.minimise, {
            "risk": risk, "start": None, "max_iterations": 20,
        }),
        "PartitionedFit.influence": (fit.influence, {"solver": None}),
        "PartitionedFit.leave_one_out": (fit.leave_one_out, {"method": "newton"}),
        "PartitionedFit.newton_top": (fit.newton_top, {**known, "k": 2}),
        "PartitionedFit.leave_groups_out": (fit.leave_groups_out, {"groups": None, "method": "newton"}),
        "PartitionedFit.cross_validate": (fit.cross_validate, {
            "folds": np.arange(n) % 3, "method": "newton", "certified": False, "scoring": "r2",
        }),
        "GroupRemoval.loss_change": (groups.loss_change, known),
        "GroupRemoval.prediction_change": (groups.prediction_change, new),
        "GroupRemoval.theta_bound": (groups.theta_bound, {}),
        "GroupRemoval.loss_bound": (groups.loss_bound, known),
        "GroupRemoval.prediction_bound": (groups.prediction_bound, new),
        "GroupRemoval.top": (groups.top, {"k": 2, "column": "x0", "side": "rise"}),
        "PartitionedFit.diagnostics": (fit.diagnostics, {
            "columns": None, "dispersion": 1.0, "frequency": False, "deleted_scale": True,
            "information": "observed",
        }),
        "PartitionedFit.predict": (fit.predict, new),
        "PartitionedFit.loss": (fit.loss, known),
        "PartitionedInfluence": (ist.PartitionedInfluence, {"fit": fit, "solver": None}),
        "PartitionedInfluence.on_theta": (influence.on_theta, {"what": "removal"}),
        "PartitionedInfluence.on_self": (influence.on_self, {"what": "removal"}),
        "PartitionedInfluence.on": (influence.on, {"gradient": np.ones(3), "what": "removal"}),
        "PartitionedInfluence.on_loss": (influence.on_loss, {**known, "what": "removal"}),
        "PartitionedInfluence.on_prediction": (influence.on_prediction, {**new, "what": "removal"}),
        "PartitionedRemoval": (ist.PartitionedRemoval, {"fit": fit, "method": "newton"}),
        "PartitionedRemoval.delta": (removal.delta, {"bounds": False}),
        "PartitionedRemoval.loss_change": (removal.loss_change, {**known, "bounds": False}),
        "PartitionedRemoval.prediction_change": (removal.prediction_change, {**new, "bounds": False}),
        "Answer.top": (answer.top, {"k": 2, "column": "x0"}),
        "Answer.top_of_each": (answer.top_of_each, {"k": 2}),
        "Answer.histogram": (answer.histogram, {"bins": 3, "column": "x0"}),
        "Answer.quantiles": (answer.quantiles, {"q": 0.5, "column": "x0"}),
        "Answer.summary": (answer.summary, {"by": None}),
        "Answer.to_parquet": (answer.to_parquet, {"path": folder}),
    }  # fmt: skip
