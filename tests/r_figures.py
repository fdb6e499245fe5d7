"""Figures of R, read from `r_reference/*.json`: models of public data that tests fit again without R.

`r_reference/models.R` lists the models and makes the files, `r_reference/figures.R` says what each figure is.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from influstat.errors import DoubtfulResult

FOLDER = Path(__file__).parent / "r_reference"
CLUSTER = 5  # rows in a cluster, as in figures.R
LAG = 3  # of Newey and West's covariance, as in figures.R

# Both sides solve the same equations in float64, with designs of condition up to 5e9 (longley): 1e-7 is that
# times epsilon, with a little left. An entry that cancels to less than FLOOR of its column's root mean square
# has the error of the terms it comes from.
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
    aliased: tuple[int, ...]
    rows: np.ndarray
    figures: dict

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


def covariance_disagreement(found, figure):
    """Return where a covariance is not R's, "" where it is; R's is its diagonal, then its first row."""
    truth = np.array(figure, dtype=np.float64)
    p = len(found)
    values = np.concatenate([np.diag(found), found[0, 1:]])
    error = np.sqrt(truth[:p])
    size = np.concatenate([truth[:p], error[0] * error[1:]])
    return _differing(values, truth, size, [*(f"variance {j}" for j in range(p)), *(f"0, {j}" for j in range(1, p))])


def list_disagreement(found, figure):
    """Return where a vector over the coefficients is not R's, "" where it is."""
    truth = np.array(figure)
    return _differing(np.asarray(found), truth, np.abs(truth), [f"entry {j}" for j in range(len(truth))])


def _differing(found, truth, size, labels):
    if found.shape != truth.shape:
        return f"{len(found)} numbers for {len(truth)}"
    known = np.isfinite(truth)
    wrong = np.where(known, ~(np.abs(found - truth) <= RELATIVE * size), np.isfinite(found))
    if not wrong.any():
        return ""
    with np.errstate(all="ignore"):
        excess = np.where(wrong, np.abs(found - truth) / size, 0.0)
    worst = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
    return f"{int(wrong.sum())} of {len(truth)}; {labels[worst]}: {found[worst]:.9g}, R {truth[worst]:.9g}"


def frame_of(fit, columns):
    """Return the diagnostics of a fit, of which some may be nan at leverage 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulResult)
        return fit.diagnostics(columns)


def assert_no_disagreement(measure, models):
    """Assert that a measure, a function of a model that returns a disagreement, finds none in any."""
    said = [(model.name, measure(model)) for model in models]
    wrong = [f"{name}\n    {text}" for name, text in said if text]
    assert not wrong, f"{len(wrong)} of {len(said)} models differ:\n" + "\n".join(wrong)
