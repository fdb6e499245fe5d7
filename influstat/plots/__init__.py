"""Pictures of influence and removal: plain arrays (of `breakdown`, a result) in, matplotlib Axes out.

Every function returns the Axes that it drew on, and takes, as every picture of `fit.plot` and of a result
does where its signature has them:

- `title`: text above the axes, or above the figure where it has several panels.
- `size`: width and height of a new figure in inches.
- `ax`: the Axes to draw on, or where there are several panels a sequence with one for each; a new figure
  is made when it is left out.
- `row_labels`: what the rows are called, one entry for each; their positions when left out.
- `names`: how many rows are named, where there is room. A row whose number is nan is left out, and how
  many are is written below the axis.

matplotlib is imported when a function is called; it comes with `pip install 'influstat[plot]'`. Colours are
those of Okabe and Ito, told apart with every common form of colour blindness; classes also differ in their
markers. Text, lines and rims follow the style of matplotlib in use, a dark one too.
"""

from influstat.plots.base import for_notebooks
from influstat.plots.coefficients import coefficient_forest, coefficient_slope
from influstat.plots.diagnostics import influence_bubble
from influstat.plots.factors import factor_panels, influence_against_distance
from influstat.plots.images import helpful_and_harmful_images, image_difference, image_panels
from influstat.plots.index import influence_index, influence_panels
from influstat.plots.levels import values_by_level
from influstat.plots.pairs import influence_pairs
from influstat.plots.removal import predicted_against_exact, solver_panels
from influstat.plots.residuals import leverage_contours, residual_quantiles, residuals_against_fitted
from influstat.plots.search import search_curves
from influstat.plots.sets import breakdown

__all__ = [
    "breakdown",
    "coefficient_forest",
    "coefficient_slope",
    "factor_panels",
    "for_notebooks",
    "helpful_and_harmful_images",
    "image_difference",
    "image_panels",
    "influence_against_distance",
    "influence_bubble",
    "influence_index",
    "influence_pairs",
    "influence_panels",
    "leverage_contours",
    "predicted_against_exact",
    "residual_quantiles",
    "residuals_against_fitted",
    "search_curves",
    "solver_panels",
    "values_by_level",
]
