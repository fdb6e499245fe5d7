"""One working call of every function of `influstat.plots`, by its arguments."""

from functools import wraps

import matplotlib.pyplot as plt
import numpy as np

SHOWN = {"title": None, "size": None, "ax": None}
NAMED = {"row_labels": None, "names": 1, **SHOWN}
LIMIT = {"threshold": 1.0, "threshold_name": "t"}
ROW = np.arange(8.0)


def drawn(function):
    """Return a call that leaves no figure and no setting behind."""

    @wraps(function)
    def call(**arguments):
        try:
            with plt.rc_context():
                return function(**arguments)
        finally:
            plt.close("all")

    return call


def of_plots(fit):
    """Return the arguments of each; `fit` has a coefficient b."""
    return {
        "breakdown": {"result": fit.breakdown("b", budget_seconds=0.0), **SHOWN},
        "coefficient_forest": {
            "estimate": 1.0, "without": ROW, "row_labels": None, "interval": (0.0, 2.0),
            "intervals_without": None, "name": "x", **SHOWN,
        },
        "influence_index": {
            "values": ROW, "name": "x", "origin": 0.0, "unit": "row", **NAMED, **LIMIT,
        },
        "influence_panels": {
            "measures": {"a": ROW}, "name": "x", "columns": 1, **NAMED, **LIMIT,
        },
        "residuals_against_fitted": {
            "fitted": ROW, "residuals": ROW, "name": "r", "fitted_name": "f", "smooth": True, "limit": 2.0,
            **NAMED,
        },
        "residual_quantiles": {
            "residuals": ROW, "quantiles": ROW, "envelope": np.column_stack([ROW - 1.0, ROW + 1.0]),
            "name": "r", "quantile_name": "q", "note": "n", **NAMED,
        },
        "leverage_contours": {
            "leverage": ROW / 10, "residual": ROW, "coefficients": 2.0, "levels": (0.5, 1.0),
            "residual_name": "r", **NAMED,
        },
        "coefficient_slope": {
            "x": ROW, "y": ROW, "slope": 1.0, "xlabel": "x", "ylabel": "y", "smooth": True, **NAMED,
        },
        "influence_bubble": {
            "leverage": ROW / 10, "residual": ROW, "cooks_distance": ROW, "coefficients": 2.0,
            "residual_name": "r", "limit": 2.0, **NAMED,
        },
        "influence_against_distance": {
            "distance": ROW, "influence": ROW, "classes": None, "quantity": "q", "unit": "cm", **NAMED,
        },
        "influence_pairs": {
            "first": ROW, "second": ROW, "distances": np.column_stack([ROW, ROW]), "models": ("a", "b"),
            "quantity": "q", **NAMED,
        },
        "factor_panels": {
            "true": ROW, "variants": {"a": ROW}, "same_label": ROW > 3, "equal_units": (), **NAMED,
        },
        "values_by_level": {
            "levels": ROW // 4, "values": ROW, "effects": {0.0: 1.0, 1.0: 2.0}, "name": "v",
            "level_name": "l", **NAMED,
        },
        "for_notebooks": {"dpi": 100.0, "retina": True},
        "image_panels": {
            "images": np.eye(4), "titles": list("abcd"), "shape": (2, 2), "columns": 2, "frames": None,
            **SHOWN,
        },
        "image_difference": {
            "before": [0.0, 1.0], "after": [1.0, 1.0], "shape": (1, 2), "unit": "u", **SHOWN,
        },
        "helpful_and_harmful_images": {
            "images": np.eye(4), "change": [1.0, -1.0, 2.0, 0.0], "k": 1, "row_labels": None,
            "shape": None, **SHOWN,
        },
        "predicted_against_exact": {
            "predicted": ROW, "exact": ROW + 0.1, "classes": None, "quantity": "q", "reference": None,
            "agreement": "slope", "equal": True, **NAMED,
        },
        "solver_panels": {
            "predictions": {"a": ROW}, "exact": ROW, "classes": None, "quantity": "q", "reference": None,
            "agreement": "slope", "columns": 1, **NAMED,
        },
        "search_curves": {
            "checked": [1, 2], "found": {"a": [0.1, 0.2]}, "total_rows": 8, **SHOWN,
        },
    }  # fmt: skip
