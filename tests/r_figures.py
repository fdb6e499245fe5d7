"""Figures of R, read from `r_reference/*.json`: models of public data that tests fit again without R.

`r_reference/models.R` lists the models and makes the files, `r_reference/figures.R` says what each figure is.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from influstat.errors import DoubtfulResult
from tests.tolerance import EPSILON, condition

FOLDER = Path(__file__).parent / "r_reference"
CLUSTER = 5  # rows in a cluster, as in figures.R
LAG = 3  # of Newey and West's covariance, as in figures.R

# Both sides solve the same equations in float64. An entry that cancels to less than FLOOR of its column's
# root mean square has the error of the terms it comes from.
RELATIVE = 1e-7
FLOOR = 1e-3


@dataclass(frozen=True, eq=False)
class Reference:
    """One model: its data, and what R says of it."""

    name: str
    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    offset: np.ndarray | None
    aliased: tuple[int, ...]  # columns that are sums of earlier ones
    rows: np.ndarray
    figures: dict

    def without_aliased(self):
        """Return the model without the columns that R calls aliased; what R says of it is the same."""
        return replace(self, X=np.delete(self.X, self.aliased, axis=1), aliased=())

    @property
    def clusters(self):
        return np.arange(len(self.y)) // CLUSTER

    def __repr__(self):
        return self.name


@cache
def references(kind):
    """Return the models of "lm" or "glm", in the order of models.R."""
    text = (FOLDER / f"{kind}.json").read_text(encoding="utf-8")
    return tuple(_reference(model) for model in json.loads(text)["models"])


def _reference(model):
    y = np.array(model["y"])
    offset = model.get("offset")
    return Reference(
        name=model["model"],
        X=np.array(model["X"]).T,
        y=y,
        weights=np.array(model.get("weights", np.ones(len(y)))),
        offset=None if offset is None else np.array(offset),
        aliased=tuple(model["aliased"]),
        rows=np.array(model["rows"]),
        figures=model,
    )


def disagreement(found, figure, rows):
    """Return where a vector over the rows is not R's, "" where it is.

    R's is its values at `rows`, then the sum and the sum of squares of all that is finite. What R leaves
    out as not finite must not be finite here.
    """
    found = np.asarray(found, dtype=np.float64)
    finite = found[np.isfinite(found)]
    summed = np.array([*found[rows], finite.sum(), (finite**2).sum()])
    truth = np.array([np.nan if value is None else value for value in figure])
    size = np.abs(truth)
    square = truth[-1]
    size[:-2] = np.maximum(size[:-2], FLOOR * np.sqrt(square / max(1, len(finite))))
    size[-2] = np.sqrt(len(finite) * square)  # of a sum whose terms may cancel
    return _differing(summed, truth, size, [*(f"row {row}" for row in rows), "sum", "sum of squares"])


def covariance_disagreement(found, figure, model):
    """Return where a covariance is not R's, "" where it is; R's is its diagonal, then its first row.

    Variances by few clusters can cancel to 0 beside HC0's, the squares without the products. Both sides
    invert X'X and may lose epsilon times its condition: R has lost 1.2e-7 of the variances of Newey and West
    for longley (4e-7 allowed), as a calculation in 50 digits tells. No other model is allowed more than 1e-7.
    """
    truth = np.array(figure, dtype=np.float64)
    p = len(found)
    terms = np.array(model.figures["covariance"]["HC0"][:p])
    values = np.concatenate([np.diag(found), found[0, 1:]])
    size = np.maximum(np.sqrt(np.abs(truth[:p])), FLOOR * np.sqrt(terms))
    size = np.concatenate([size**2, size[0] * size[1:]])
    labels = [*(f"variance {j}" for j in range(p)), *(f"0, {j}" for j in range(1, p))]
    lost = EPSILON * condition(model.X.T @ model.X)
    return _differing(values, truth, size, labels, max(RELATIVE, lost))


def list_disagreement(found, figure):
    """Return where a vector over the coefficients is not R's, "" where it is."""
    truth = np.array(figure)
    return _differing(np.asarray(found), truth, np.abs(truth), [f"entry {j}" for j in range(len(truth))])


def _differing(found, truth, size, labels, relative=RELATIVE):
    if found.shape != truth.shape:
        return f"{len(found)} numbers for {len(truth)}"
    known = np.isfinite(truth)
    wrong = np.where(known, ~(np.abs(found - truth) <= relative * size), np.isfinite(found))
    if not wrong.any():
        return ""
    with np.errstate(all="ignore"):
        excess = np.where(wrong, np.abs(found - truth) / size, 0.0)
    worst = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
    return f"{int(wrong.sum())} of {len(truth)}; {labels[worst]}: {found[worst]:.9g}, R {truth[worst]:.9g}"


def assert_no_disagreement(disagreement_of, models):
    """Assert that a measure, a function of a model that says where it is not R's, says nothing of any."""
    assert models
    said = [(model.name, disagreement_of(model)) for model in models]
    wrong = [f"{name}\n    {text}" for name, text in said if text]
    assert not wrong, f"{len(wrong)} of {len(said)} models differ:\n" + "\n".join(wrong)


# -- measures, functions of a fit and of what R says of it -------------------------------------------------

# Columns of `diagnostics`, and what R calls them.
COLUMNS = {
    "hat_diag": "hat_diag",
    "cooks_d": "cooks_d",
    "standard_resid": "rstandard",
    "student_resid": "rstudent",
    "dffits": "dffits",
    "cov_ratio": "cov_ratio",
}
SANDWICHES = ("HC0", "HC1", "HC2", "HC3", "HC4", "HC4m", "HC5")


def coefficients(fit, model):
    return list_disagreement(fit.theta, model.figures["coef"])


def standard_errors(fit, model):
    return list_disagreement(np.sqrt(np.diag(fit.covariance("model"))), model.figures["se"])


def response_residuals(fit, model, name="residual"):
    fitted = fit.predict(model.X, kind="mean", offset=model.offset)
    return disagreement(model.y - fitted, model.figures["vectors"][name], model.rows)


@cache
def frame_of(fit):
    """Return the diagnostics of a fit, some of them nan at leverage 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulResult)
        return fit.diagnostics([*COLUMNS, "dfbetas"])


def column(fit, model, name, figure):
    return disagreement(frame_of(fit)[name], model.figures["vectors"][figure], model.rows)


def dfbetas(fit, model):
    found = frame_of(fit).filter(regex="^dfb_").to_numpy()
    said = [disagreement(a, b, model.rows) for a, b in zip(found.T, model.figures["dfbetas"], strict=True)]
    return "; ".join(filter(None, said))


def sandwich(fit, model, name, kind=None, **settings):
    """Compare `fit.covariance(kind, ...)`; R has none to compare where it leaves the figure out."""
    figure = model.figures.get("covariance", {}).get(name)
    if figure is None:
        return ""
    found = fit.covariance(*(() if kind is None else (kind,)), **settings)
    return covariance_disagreement(found, figure, model)


GROUPED_AND_LAGGED = {
    "cluster": lambda fit, model: sandwich(fit, model, "cluster", "cluster", groups=model.clusters),
    "cluster, no factor": lambda fit, model: sandwich(
        fit, model, "cluster_plain", "cluster", groups=model.clusters, correction=False
    ),
    "Newey-West": lambda fit, model: sandwich(fit, model, "newey_west", "HAC", lags=LAG),
    "Newey-West, factor": lambda fit, model: sandwich(
        fit, model, "newey_west_adjusted", "HAC", lags=LAG, correction=True
    ),
}
