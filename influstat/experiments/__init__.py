"""The paper's experiments as plain functions: each returns a frozen record of numbers and arrays.

The command line, the notebooks and the tests share them. `FIGURES` names, for each figure, the function
that computes it, the table of stated and found numbers, and the drawing.
"""

from influstat.experiments.boundary import Figure5, figure5
from influstat.experiments.catalogue import FIGURES, Reproduction
from influstat.experiments.comparison import Agreement, agreement
from influstat.experiments.digits import Figure2, digits_split, figure2, mnist_data
from influstat.experiments.digits_published import Figure2AsFigure, figure2_as_figure
from influstat.experiments.factors import Figure3, figure3
from influstat.experiments.forest_fires import Figure1, figure1, forest_fires_split
from influstat.experiments.smoothing import (
    Figure4,
    Figure4AsFigure,
    figure4,
    figure4_as_figure,
    iris_split,
)
from influstat.experiments.split import Split, split_rows, standardised

__all__ = [
    "FIGURES",
    "Agreement",
    "Figure1",
    "Figure2",
    "Figure2AsFigure",
    "Figure3",
    "Figure4",
    "Figure4AsFigure",
    "Figure5",
    "Reproduction",
    "Split",
    "agreement",
    "digits_split",
    "figure1",
    "figure2",
    "figure2_as_figure",
    "figure3",
    "figure4",
    "figure4_as_figure",
    "figure5",
    "forest_fires_split",
    "iris_split",
    "mnist_data",
    "split_rows",
    "standardised",
]
