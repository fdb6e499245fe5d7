"""Figure 4: influence by a smoothed hinge against leave-one-out in the exact hinge loss, Iris."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.datasets import first_available, load_bundled_iris_pair, load_iris_pair
from influstat.experiments.comparison import agreement, pearson
from influstat.experiments.split import Split, folded_and_fixed, loss_change_at, removal, split_rows
from influstat.experiments.table import Line, number, same, unstated
from influstat.fit import Fit
from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray
from influstat.models.hinge import HingeFit, HingeSVC
from influstat.models.linear import SmoothedSVC
from influstat.plots import predicted_against_exact
from influstat.plots.base import CYCLE, SMALL, several_axes, tidy
from influstat.solvers import Cholesky

LAM = 2.0
WIDTHS = (0.001, 0.01, 0.1)  # t
DAMPING = 1e-4  # at t = 0, where no Hessian exists: that of the stated numbers
NOTE = (
    "The paper's 0.8602 belongs to libsvm's hinge fits, which stop up to 4e-4 from the minimum; exact fits, "
    "to a duality gap of 1e-14, give 0.8603."
)
TITLE = "Figure 4: smoothed-hinge SVC, Iris, test row 133 and all ten"


@dataclass(frozen=True, eq=False, repr=False)
class Figure4(ShortRepr):
    """Everything behind Figure 4. Changes have shape (90, 10): training rows by test rows, 133 first.

    Attributes
    ----------
    split : Split
        90 training and 10 test rows of versicolor (+1) and virginica (-1), raw centimetres.
    hinge : HingeFit
        The exact-hinge fit (t = 0), lam = 2.
    hinge_loo : ndarray, shape (90, 10)
        Leave-one-out "a" in the exact hinge loss: refits with the whole penalty, judged by
        max(0, 1 - y eta) + P / n.
    removals : mapping of float to ndarray of shape (90, 10)
        t -> -I/n of the smoothed SVC fitted at that t, folded.
    own_loo : mapping of float to ndarray of shape (90, 10)
        t -> leave-one-out "a" in the smoothed loss itself.
    margin_rows : ndarray of int
        Training rows with y eta = 1 exactly, where the hinge has a kink.
    subgradients : ndarray, shape (2^k, k)
        All choices of slope 0 or -1 at the k rows on the margin.
    unsmoothed : ndarray, shape (2^k, 90, 10)
        -I/n forced out of the hinge without smoothing for each of these choices: subgradients, and the
        penalty's Hessian damped by 1e-4 in place of the one that does not exist.
    unsmoothed_dual : ndarray, shape (90, 10)
        The same with the slopes of the dual solution, the only ones that sum to 0 with the penalty.
    """

    split: Split
    hinge: HingeFit
    hinge_loo: FloatArray
    removals: Mapping[float, FloatArray]
    own_loo: Mapping[float, FloatArray]
    margin_rows: NDArray[np.intp]
    subgradients: FloatArray
    unsmoothed: FloatArray
    unsmoothed_dual: FloatArray


def iris_split() -> Split:
    """Return Iris as Figures 4 and 5 have it: 90 training rows, 10 test rows.

    The rows are those of scikit-learn's ``train_test_split(test_size=0.1, random_state=42)``. Where the file
    is not at hand, the same 100 rows come from scikit-learn.

    Returns
    -------
    Split
        Four columns; labels -1 and +1.
    """
    order = np.random.RandomState(42).permutation(100)
    data = first_available(load_iris_pair, load_bundled_iris_pair)
    return split_rows(data, order[10:], order[:10])


def figure4() -> Figure4:
    """Compute Figure 4 as the text says: every fit minimises the risk that is differentiated.

    Paper, section 4.3 and Figure 4. At t = 0 there is no Hessian and, for the rows on the margin, no
    gradient either: 2^k choices of subgradient are equally valid, and correlations depend on them.

    Returns
    -------
    Figure4

    Raises
    ------
    DatasetError, MissingDependency
        The data are not at hand.

    Examples
    --------
    >>> from influstat.experiments import figure4
    >>> sorted(figure4().removals)  # doctest: +SKIP
    [0.001, 0.01, 0.1]
    """
    split = iris_split()
    hinge = HingeSVC(lam=LAM, protocol="fixed").fit(split.X, split.y)
    removals, own = {}, {}
    for t in WIDTHS:
        fit, fixed = folded_and_fixed(SmoothedSVC(lam=LAM, t=t), split)
        removals[t] = removal(fit, split)
        own[t] = loss_change_at(fit, fixed.leave_one_out().theta, split)
    margin = np.flatnonzero(hinge.solution.margin)
    choices = np.array(list(product((0.0, 1.0), repeat=len(margin))))
    return Figure4(
        split=split,
        hinge=hinge,
        hinge_loo=hinge_loss_change(hinge.theta, hinge.leave_one_out().theta, split),
        removals=removals,
        own_loo=own,
        margin_rows=margin,
        subgradients=choices,
        unsmoothed=np.array([_unsmoothed(hinge, split, _slopes(hinge, split, one)) for one in choices]),
        unsmoothed_dual=_unsmoothed(hinge, split, hinge.solution.dual),
    )


def hinge_loss_change(before: FloatArray, after: FloatArray, split: Split) -> FloatArray:
    """Return the change of each test row's max(0, 1 - y eta) + P / n (lam = 2) by k refits, shape (k, m)."""

    def loss(theta: FloatArray) -> FloatArray:
        eta = theta[:, :-1] @ split.X_test.T + theta[:, -1:]
        penalty = 0.5 * LAM * np.sum(theta[:, :-1] ** 2, axis=1, keepdims=True)
        return np.asarray(np.maximum(0.0, 1.0 - split.y_test * eta) + penalty / len(split.y))

    return loss(after) - loss(before[None, :])


@dataclass(frozen=True, eq=False, repr=False)
class Figure4AsFigure(ShortRepr):
    """What the published Figure 4 shows of test row 133: an exact-hinge fit, lam = 1, differentiated as h_t.

    Attributes
    ----------
    loo : ndarray, shape (90,)
        Leave-one-out of the hinge fit, judged as in `Figure4.hinge_loo`.
    removals : mapping of float to ndarray of shape (90,)
        t -> -I/n of the smoothed risk with lam = 2, which has no minimum there.
    """

    loo: FloatArray
    removals: Mapping[float, FloatArray]

    @property
    def pearson(self) -> dict[float, float]:
        """Correlation of removals and leave-one-out by t."""
        return {t: pearson(removals, self.loo) for t, removals in self.removals.items()}


def as_figure(theta: FloatArray, without: FloatArray, split: Split) -> Figure4AsFigure:
    """Return the published figure of an exact-hinge fit with lam = 1 and its refits without each row."""
    removals = {}
    for t in (0.01, 0.1):
        risk = SmoothedSVC(lam=LAM, t=t).risk(split.X, split.y)
        elsewhere = Fit(risk, theta, tolerance=np.inf)  # not a minimum: that is the point
        removals[t] = removal(elsewhere, split)[:, 0]
    return Figure4AsFigure(loo=hinge_loss_change(theta, without, split)[:, 0], removals=removals)


def figure4_as_figure() -> Figure4AsFigure:
    """Compute Figure 4 as the paper prints it, from exact fits.

    Returns
    -------
    Figure4AsFigure

    Examples
    --------
    >>> from influstat.experiments import figure4_as_figure
    >>> round(figure4_as_figure().pearson[0.1], 4)  # doctest: +SKIP
    0.77
    """
    split = iris_split()
    hinge = HingeSVC(lam=1.0, protocol="fixed").fit(split.X, split.y)
    return as_figure(hinge.theta, hinge.leave_one_out().theta, split)


def _slopes(hinge: HingeFit, split: Split, on_margin: FloatArray) -> FloatArray:
    """Return -y dl/deta of every training row: 1 inside the margin, 0 beyond, as chosen at the kink."""
    slopes = (split.y * hinge.predict(split.X) < 1.0).astype(np.float64)
    slopes[hinge.solution.margin] = on_margin
    return slopes


def _unsmoothed(hinge: HingeFit, split: Split, slopes: FloatArray) -> FloatArray:
    """Return g_te'(H + damping I)^-1 g_i / n with subgradients, H that of the penalty alone."""
    n = len(split.y)
    penalised = np.append(np.ones(split.X.shape[1]), 0.0)
    share = LAM * penalised * hinge.theta / n

    def gradients(X: FloatArray, y: FloatArray, active: FloatArray) -> FloatArray:
        return -(y * active)[:, None] * np.column_stack([X, np.ones(len(y))]) + share

    inside = (split.y_test * hinge.predict(split.X_test) < 1.0).astype(np.float64)
    tests = gradients(split.X_test, split.y_test, inside)
    solved = Cholesky(damping=DAMPING).solve(np.diag(LAM * penalised / n), tests.T).value
    return gradients(split.X, split.y, slopes) @ solved / n


def table(record: Figure4) -> list[Line]:
    """Return the numbers of Figure 4 beside those stated for a right implementation."""
    theta = ("0.435113984", "0.612589316", "-1.782647159", "-1.717454917", "7.140333447")
    names = (*record.split.names, "intercept")
    lines = [
        number(f"exact hinge theta, {name}", stated, value)
        for name, stated, value in zip(names, theta, record.hinge.theta, strict=True)
    ]
    lines.append(number("exact hinge risk", "0.200094514385", record.hinge.value))
    lines.append(same("rows on the margin", 3, len(record.margin_rows)))
    choice = rounded_choice(record)
    slopes = "".join(str(int(one)) for one in record.subgradients[choice])
    predictions = {0.0: record.unsmoothed[choice], **record.removals}
    stated_by_t = {  # row 133, all pairs, row 133 against its own smoothed leave-one-out
        0.0: ("0.739", "0.531", ""),
        0.001: ("0.600", "0.711", "0.610"),
        0.01: ("0.801", "0.869", "0.893"),
        0.1: ("0.862", "0.868", "0.993"),
    }
    for t, (one_row, pairs, own) in stated_by_t.items():
        predicted, loo = predictions[t], record.hinge_loo
        note = f", damped 1e-4, slopes {slopes}" if t == 0.0 else ""
        lines.append(number(f"t = {t:g}{note}: row 133", one_row, pearson(predicted[:, 0], loo[:, 0])))
        slope = agreement(predicted[:, 0], loo[:, 0]).slope
        lines.append(unstated("  slope of predicted on exact", slope))
        lines.append(number("  all 900 pairs", pairs, pearson(predicted.ravel(), loo.ravel())))
        if own:
            found = pearson(predicted[:, 0], record.own_loo[t][:, 0])
            lines.append(number("  row 133 against its own smoothed LOO", own, found))
    published = figure4_as_figure().pearson
    return [
        *lines,
        number("as figure, t = 0.01 (paper: libsvm's fit)", "0.8602", published[0.01]),
        number("as figure, t = 0.1", "0.7700", published[0.1]),
    ]


def rounded_choice(record: Figure4) -> int:
    """Return which row of `record.subgradients` the stated numbers for t = 0 belong to."""
    # Rounding of y eta - 1 decided it where they were computed. Over all eight choices the correlations run
    # from 0.722 to 0.768 (row 133) and from 0.524 to 0.550 (all pairs).
    return int(np.flatnonzero((record.subgradients == [0.0, 1.0, 1.0]).all(axis=1))[0])


def draw(record: Figure4) -> Any:
    """Draw Figure 4 for test row 133, with correlations as in the paper, and return the matplotlib Figure."""
    axes = several_axes(None, 4, columns=2, height=4.1)
    eta = np.linspace(-0.5, 2.5, 301)
    for t, style, colour in zip((0.001, 0.1, 0.5), ("-", "--", ":"), CYCLE, strict=False):
        smoothed = t * np.logaddexp(0.0, (1.0 - eta) / t)
        axes[0].plot(eta, smoothed, style, color=colour, linewidth=1.2, label=f"t = {t:g}")
    tidy(axes[0], xlabel=r"$y\,\eta$", ylabel="loss", title="the smoothed hinge")
    axes[0].legend(fontsize=SMALL, frameon=False)
    species = np.where(record.split.y > 0, "versicolor", "virginica")
    panels = {
        "t = 0, where no second derivative exists": record.unsmoothed_dual,
        "t = 0.01": record.removals[0.01],
        "t = 0.1": record.removals[0.1],
    }
    for ax, (title, predicted) in zip(axes[1:], panels.items(), strict=True):
        predicted_against_exact(
            predicted[:, 0], record.hinge_loo[:, 0], row_labels=record.split.row_labels, classes=species,
            names=1, quantity="hinge loss", agreement="correlation", equal=ax is not axes[1], title=title,
            ax=ax,
        )  # fmt: skip
    return axes[0].figure
