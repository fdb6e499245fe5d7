"""One call of every plot, for tests of what they have in common."""

from functools import cache

import numpy as np

import influstat as ist
from influstat import plots

RNG = np.random.default_rng(8)
N = 12
EXACT = RNG.standard_normal(N)
PREDICTED = 0.8 * EXACT
PREDICTED[4] += 3.0
LABELS = np.array([f"row {chr(97 + i)}" for i in range(N)])
CLASSES = np.arange(N) % 2
IMAGES = RNG.integers(0, 255, (N, 16))
CURVES = RNG.random((4, 3))

FIT = ist.Ridge(lam=0.0).fit(np.ones((N, 1)), EXACT + 0.5, names=["mean"])

# name -> (function of ax, number of axes)
CALLS = {
    "breakdown": (lambda ax: plots.breakdown(FIT.breakdown("mean"), ax=ax), 1),
    "predicted_against_exact": (
        lambda ax: plots.predicted_against_exact(
            PREDICTED, EXACT, row_labels=LABELS, classes=CLASSES, title="a", ax=ax
        ),
        1,
    ),
    "solver_panels": (
        lambda ax: plots.solver_panels({"one": PREDICTED, "two": EXACT, "three": EXACT}, EXACT, ax=ax),
        3,
    ),
    "influence_against_distance": (
        lambda ax: plots.influence_against_distance(EXACT, PREDICTED, classes=CLASSES, names=2, ax=ax),
        1,
    ),
    "influence_pairs": (
        lambda ax: plots.influence_pairs(
            EXACT, PREDICTED, distances=np.column_stack([EXACT, PREDICTED]), names=2, ax=ax
        ),
        1,
    ),
    "factor_panels": (
        lambda ax: plots.factor_panels(
            EXACT, {"a": PREDICTED, "b": 1e6 * EXACT}, same_label=CLASSES == 1, equal_units=["a"], ax=ax
        ),
        2,
    ),
    "values_by_level": (
        lambda ax: plots.values_by_level(CLASSES, EXACT, effects={0: 0.5, 1: 0.0}, row_labels=LABELS, ax=ax),
        1,
    ),
    "image_panels": (lambda ax: plots.image_panels(IMAGES[:3], ["x", "y", "z"], ax=ax), 3),
    "image_difference": (lambda ax: plots.image_difference(IMAGES[0], IMAGES[1], ax=ax), 1),
    "helpful_and_harmful_images": (
        lambda ax: plots.helpful_and_harmful_images(IMAGES, EXACT, k=2, row_labels=LABELS, ax=ax),
        4,
    ),
    "influence_index": (lambda ax: plots.influence_index(EXACT, threshold=1.0, ax=ax), 1),
    "influence_bubble": (
        lambda ax: plots.influence_bubble(abs(EXACT), EXACT, EXACT**2, coefficients=3, ax=ax),
        1,
    ),
    "coefficient_forest": (
        lambda ax: plots.coefficient_forest(
            -4.5, [0.4, -4.1], interval=(-16, 7), intervals_without=[[-6, 7], [-15, 7]], ax=ax
        ),
        1,
    ),
    "influence_panels": (
        lambda ax: plots.influence_panels({"a": EXACT, "b": PREDICTED}, threshold=1.0, ax=ax),
        2,
    ),
    "residuals_against_fitted": (
        lambda ax: plots.residuals_against_fitted(EXACT, PREDICTED, row_labels=LABELS, limit=2.0, ax=ax),
        1,
    ),
    "residual_quantiles": (
        lambda ax: plots.residual_quantiles(
            EXACT, np.sort(EXACT), envelope=np.sort(EXACT)[:, None] + [-0.1, 0.1], note="band", ax=ax
        ),
        1,
    ),
    "leverage_contours": (
        lambda ax: plots.leverage_contours(abs(EXACT) / 4, EXACT, 3, title="a", ax=ax),
        1,
    ),
    "coefficient_slope": (
        lambda ax: plots.coefficient_slope(EXACT, PREDICTED, 0.8, smooth=True, row_labels=LABELS, ax=ax),
        1,
    ),
    "search_curves": (
        lambda ax: plots.search_curves([1, 2, 3], {"a": CURVES, "b": [0.1, 0.2, 0.3]}, ax=ax),
        1,
    ),
}


@cache
def drawn(name):
    """Return the axes of a picture on a figure of its own, drawn once for all tests that only look at it."""
    return CALLS[name][0](None)
