"""Figure 2: logistic regression on the digits 1 and 7, four ways to solve, against exact leave-one-out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.datasets import Dataset, load_mnist17, load_mnist17_paper
from influstat.errors import DatasetError
from influstat.experiments.comparison import Agreement, agreement, largest_gap, pearson
from influstat.experiments.split import (
    Split,
    folded_and_fixed,
    leverage,
    lissa_removals,
    loss_change_at,
    removal,
    require_dataset,
    split_rows,
    standardised,
)
from influstat.experiments.table import Line, below, number, same, within
from influstat.fit import Fit
from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray
from influstat.models.linear import Logistic
from influstat.plots import image_panels, solver_panels
from influstat.solvers import ConjugateGradient, Taylor

LAM = 1000.0
SCALE = 1000.0
DEPTH = 10_000
TEST_IMAGE = 24_816  # its place in MNIST's training images; row 7 of the paper's shuffled file
FOLDED_ROWS = 20
PAPER_ROWS = 9084
NOTE = (
    "The range stated for LiSSA with ten repeats is that of ten lucky seeds: about one single run in ten is "
    "far off (C = 1000 is below half of the largest row Hessian, 4318), and averaging it with nine others "
    "leaves r near 0.98. Of 100 seeds 77 lie inside the range, 90 above 0.992, all above 0.978. With MNIST's "
    "own split the stated numbers, those of the paper's rows, do not apply."
)
TITLE = "Figure 2: logistic regression, MNIST 1 against 7, lam = 1000"


@dataclass(frozen=True, eq=False, repr=False)
class Figure2(ShortRepr):
    """Everything behind Figure 2. All changes are of the loss of the test image, shape (n,), as -I/n.

    Attributes
    ----------
    split : Split
        Standardised pixels, y = 1 for digit one; rows labelled by their place in MNIST.
    pixels, test_pixels : ndarray, shapes (n, p) and (1, p)
        The same rows as grey levels.
    fit : Fit
        Logistic regression without intercept, folded.
    accuracy : float
        Share of training rows on the right side.
    loo : ndarray
        Leave-one-out "a"; see `split`. Exact where `refitted`, else the Newton step, loss evaluated anew.
    refitted : ndarray of bool, shape (n,)
        All, unless `figure2` was asked for fewer refits.
    folded_rows, folded_loo : ndarray, shape (20,)
        The rows whose first-order removals are furthest from `loo`, and their leave-one-out "b".
    explicit, conjugate_gradient, taylor : ndarray
        First-order removal by a factorisation, by CG, by the full recursion (m = 10,000, C = 1000).
    lissa, lissa_averaged : ndarray, shape (seeds, n)
        LiSSA with the same depth and scale: one repeat, and ten averaged.
    newton_reevaluated : ndarray
        The loss evaluated anew after the Newton step for the refit "a".
    leverage : ndarray
        Of the training rows.
    """

    split: Split
    pixels: NDArray[Any]
    test_pixels: NDArray[Any]
    fit: Fit
    accuracy: float
    loo: FloatArray
    refitted: NDArray[np.bool_]
    folded_rows: NDArray[np.intp]
    folded_loo: FloatArray
    explicit: FloatArray
    conjugate_gradient: FloatArray
    taylor: FloatArray
    lissa: FloatArray
    lissa_averaged: FloatArray
    newton_reevaluated: FloatArray
    leverage: FloatArray

    @property
    def agreement(self) -> Agreement:
        """Of the explicit solution with leave-one-out "a"."""
        return agreement(self.explicit, self.loo)

    @property
    def folded_max_error(self) -> float:
        """Largest |-I/n - leave-one-out "b"|, among the rows where "a" is furthest."""
        return float(np.max(np.abs(self.explicit[self.folded_rows] - self.folded_loo)))


def mnist_data() -> Dataset:
    """Return the paper's 9,085 rows where their list is at hand, else MNIST's own training split."""
    try:
        return load_mnist17_paper()
    except DatasetError:
        return load_mnist17()


def digits_split(data: Dataset) -> tuple[Split, NDArray[Any], NDArray[Any]]:
    """Return the rows as Figures 2 and 3 have them, with grey levels of training and test rows.

    The rows are shuffled by `np.random.RandomState(42).permutation(len(y))`; the test row is MNIST's training
    image 24816, which is row 7 of the paper's file so shuffled; where the data have no such image, row 7.

    Returns
    -------
    tuple of Split and two ndarrays, shapes (n, p) and (1, p)
        The standardised rows, and the grey levels of training and test rows.
    """
    require_dataset(data)
    order = np.random.RandomState(42).permutation(len(data.y))
    found = np.flatnonzero(data.row_labels[order] == TEST_IMAGE)
    place = int(found[0]) if len(found) else 7
    train, test = np.delete(order, place), order[[place]]
    split = split_rows(data, train, test, y=data.y == 1)
    return split, data.X[train], data.X[test]


def figure2(
    *,
    data: Dataset | None = None,
    lam: float = LAM,
    seeds: Sequence[int] = range(10),
    refits: int | None = None,
) -> Figure2:
    """Compute Figure 2 (paper, section 4.2) as the text says, with one objective throughout.

    Parameters
    ----------
    data : Dataset, optional
        Images of ones and sevens, y the digit; `mnist_data()` when left out.
    lam : float
        Strength of the penalty.
    seeds : sequence of int
        Of the LiSSA runs.
    refits : int, optional
        How many rows are refitted exactly: those with the largest Newton steps, in test loss. All when
        left out, which takes about half a minute.

    Returns
    -------
    Figure2

    Raises
    ------
    DatasetError, MissingDependency
        The data are not at hand.

    Examples
    --------
    >>> from influstat.experiments import figure2
    >>> record = figure2()  # doctest: +SKIP
    >>> int(record.loo.argmin())  # doctest: +SKIP
    6752
    """
    split, pixels, test_pixels = digits_split(mnist_data() if data is None else data)
    split = standardised(split)
    fit, fixed = folded_and_fixed(Logistic(lam=lam), split)

    def change(theta: FloatArray) -> FloatArray:
        return loss_change_at(fit, theta, split)[:, 0]

    newton, explicit = change(fixed.leave_one_out(method="newton").theta), removal(fit, split)[:, 0]
    chosen = np.sort(np.argsort(-np.abs(newton), kind="stable")[:refits])
    loo = newton.copy()
    loo[chosen] = change(fixed.leave_one_out(rows=chosen).theta)
    furthest = np.argsort(-np.abs(explicit - loo))[:FOLDED_ROWS]
    lissa = {"depth": DEPTH, "scale": SCALE}
    return Figure2(
        split=split,
        pixels=pixels,
        test_pixels=test_pixels,
        fit=fit,
        accuracy=float(np.mean((fit.predict(split.X) > 0) == (split.y == 1))),
        loo=loo,
        refitted=np.isin(np.arange(len(loo)), chosen),
        folded_rows=furthest,
        folded_loo=change(fit.leave_one_out(rows=furthest).theta),
        explicit=explicit,
        conjugate_gradient=removal(fit, split, ConjugateGradient(rtol=1e-12))[:, 0],
        taylor=removal(fit, split, Taylor(depth=DEPTH, scale=SCALE))[:, 0],
        lissa=lissa_removals(fit, split, seeds, {**lissa, "repeats": 1}),
        lissa_averaged=lissa_removals(fit, split, seeds, {**lissa, "repeats": 10}),
        newton_reevaluated=newton,
        leverage=leverage(fixed),
    )


def table(record: Figure2) -> list[Line]:
    """Return the numbers of Figure 2 beside those stated for a right implementation, on the paper's rows."""
    found = record.agreement
    taylor = agreement(record.taylor, record.explicit)
    newton = largest_gap(record.newton_reevaluated, record.loo)
    single, averaged = (
        [pearson(one, record.loo) for one in runs] for runs in (record.lissa, record.lissa_averaged)
    )
    return [
        same("training rows (the paper's file)", PAPER_ROWS, len(record.split.y)),
        number("norm of theta", "0.620330142803", float(np.linalg.norm(record.fit.theta))),
        number("risk", "0.094068825015", record.fit.risk.value(record.fit.theta)),
        number("training accuracy", "0.989762219287", record.accuracy),
        number("-I/n against LOO a: Pearson", "0.997586", found.pearson),
        number("  Spearman", "0.998421", found.spearman),
        number("  slope", "0.97804", found.slope),
        number("  largest error, against LOO b", "2.6e-5", record.folded_max_error),
        below("CG against explicit", "1e-15", largest_gap(record.conjugate_gradient, record.explicit)),
        number("Taylor m = 10,000, C = 1000, against explicit", "8.2e-6", taylor.max_error),
        number("  slope", "0.969", taylor.slope),
        within("LiSSA, one repeat: r with LOO, by seed", "0.95", "0.99", single, allowed_outside=1),
        within("LiSSA, ten repeats", "0.994", "0.997", averaged),
        number("Newton + re-evaluated loss against LOO a", "3.7e-6", newton),
        number("largest leverage", "0.588", float(record.leverage.max())),
        same("most harmful row (smallest LOO)", 6752, int(np.argmin(record.loo))),
    ]


def draw(record: Figure2) -> Any:
    """Draw the panels of Figure 2, all rows in the frame, and return the matplotlib Figure."""
    panels = {
        "explicit": record.explicit,
        "conjugate gradients": record.conjugate_gradient,
        "LiSSA, one repeat": record.lissa[0],
        "LiSSA, ten repeats": record.lissa_averaged[0],
    }
    digit = np.where(record.split.y == 1, "digit 1", "digit 7")
    axes = solver_panels(panels, record.loo, classes=digit)
    for ax in axes[1:]:
        ax.get_legend().remove()
    return axes[0].figure


def draw_images(record: Figure2) -> Any:
    """Draw the test image, the least influential and the most harmful training image."""
    rows = [int(np.argmin(np.abs(record.loo))), int(np.argmin(record.loo))]
    (test,), (least, worst) = record.split.test_labels, record.split.row_labels[rows]
    titles = [f"test image {test}", f"least influence: {least}", f"most harmful: {worst}"]
    return image_panels(np.vstack([record.test_pixels, record.pixels[rows]]), titles)[0].figure
