"""The summary of an exact hinge fit, in the form of `Fit.summary`."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.input.lazy_types import Summary
from influstat.input.settings import optional_text
from influstat.statistics.summary import assembled, estimates_alone

NO_CURVATURE = (
    "No standard errors, t and p values and limits, and no flags: the hinge has no second derivative. "
    "fit.leave_one_out() refits without each row, and ist.SmoothedSVC has them all."
)
NEAR = "Duality gap: the risk is at most this far above its minimum."


def hinge_summary(fit: Any, title: Any) -> Summary:
    """Return the summary of a `HingeFit`, whose `summary` says more."""
    title, risk, solution = optional_text("title", title), fit.data, fit.solution
    n, p = risk.shape
    # A row of weight 0 has no part in theta, and a dual variable of 0.
    parts = np.count_nonzero(solution.dual > 0.0)
    above = (
        {
            "Model:": "support vector classifier",
            "Loss:": "hinge, exact",
            "Penalty:": risk.penalty.in_words(),
            "Protocol:": str(risk.protocol),
        },
        {
            "No. Rows:": str(n),
            "Total weight:": f"{risk.total_weight:.6g}",
            "No. Coefficients:": str(p),
            "Steps:": str(solution.iterations),
        },
    )
    below = (
        {
            "Support vectors:": f"{parts} of {n} rows",
            "On the margin:": f"{np.count_nonzero(solution.margin)} of {n} rows",
        },
        {"Risk:": f"{fit.value:.6g}", "Duality gap:": f"{fit.duality_gap:.2g}"},
    )
    coefficients = estimates_alone(fit.theta, list(fit.names))
    return assembled(title, above, coefficients, below, [NO_CURVATURE, NEAR])
