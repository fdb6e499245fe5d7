"""Training rows and test rows of one experiment, and what is asked of a fit to them.

In all five figures the test loss is the paper's, with its share of the penalty: L_te = l_te + P / W, and
the influences are those of training rows that carry their share too ("folded"). Leave-one-out "a" refits
with the whole penalty ("fixed", as scikit-learn does), "b" lets the row's share leave with it ("folded").
Where a figure is called "fixed", the training rows carry no share; the test loss still does.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.datasets import Dataset
from influstat.errors import DoubtfulResult, InvalidType
from influstat.fit import Fit
from influstat.input.groups import read_rows
from influstat.input.printing import ShortRepr, short
from influstat.input.settings import flag
from influstat.input.validation import FloatArray, vector
from influstat.solvers import LiSSA, Solver
from influstat.statistics.leverage import Leverage


@dataclass(frozen=True, eq=False, repr=False)
class Split(ShortRepr):
    """Training rows and test rows.

    Attributes
    ----------
    X, y : ndarray, shapes (n, p) and (n,)
        Training rows.
    X_test, y_test : ndarray, shapes (m, p) and (m,)
        Test rows.
    names : tuple of str
        The p column names.
    row_labels, test_labels : ndarray, shapes (n,) and (m,)
        What the rows are called in the original data.
    source : str
        Which data, by whom.
    """

    X: FloatArray
    y: FloatArray
    X_test: FloatArray
    y_test: FloatArray
    names: tuple[str, ...]
    row_labels: NDArray[Any]
    test_labels: NDArray[Any]
    source: str


def require_dataset(data: Any) -> None:
    """Raise unless data is a Dataset."""
    if not isinstance(data, Dataset):
        raise InvalidType("data", "be a Dataset", f"is {short(data)}", "Load one from influstat.datasets.")


def split_rows(data: Dataset, train: NDArray[np.intp], test: NDArray[np.intp], *, y: Any = None) -> Split:
    """Return the chosen rows of a data set, in this order, as floats; `y` replaces its targets."""
    require_dataset(data)
    X = data.X.astype(np.float64)
    targets = vector("y", data.y if y is None else y, len(X))
    train, test = (
        read_rows(rows, np.arange(len(X)), name).members for name, rows in (("train", train), ("test", test))
    )
    return Split(
        X[train], targets[train], X[test], targets[test],
        data.names, data.row_labels[train], data.row_labels[test], data.source,
    )  # fmt: skip


def standardised(split: Split, *, target: bool = False) -> Split:
    """Return the split with columns of mean 0 and standard deviation 1 (ddof 0) on the training rows.

    Returns
    -------
    Split
        A new one. Constant columns are divided by 1; with `target`, y is standardised too.
    """
    if not isinstance(split, Split):
        raise InvalidType("split", "be a Split", f"is {short(split)}", "Make one with split_rows.")
    centre, spread = centre_and_spread(split.X)
    split = replace(split, X=(split.X - centre) / spread, X_test=(split.X_test - centre) / spread)
    if not flag("target", target):
        return split
    centre, spread = centre_and_spread(split.y)
    return replace(split, y=(split.y - centre) / spread, y_test=(split.y_test - centre) / spread)


def centre_and_spread(X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation (ddof 0) of each column, shape (p,), 1 for a constant column."""
    spread = X.std(axis=0)
    return X.mean(axis=0), np.where(spread > 0.0, spread, 1.0)


def folded_and_fixed(model: Any, split: Split) -> tuple[Fit, Fit]:
    """Return the fit of a model whose rows carry their share of the penalty, and the same without it."""
    fit = model.fit(split.X, split.y)
    return fit, Fit(replace(model, protocol="fixed").risk(split.X, split.y), fit.theta)


def removal(fit: Fit, split: Split, solver: Solver | None = None) -> FloatArray:
    """Return -I/n of all training rows on the test losses, shape (n, m)."""
    return fit.influence(solver=solver).on_loss(split.X_test, split.y_test).removal


def lissa_removals(fit: Fit, split: Split, seeds: Sequence[int], settings: dict[str, Any]) -> FloatArray:
    """Return -I/n on the loss of the first test row by LiSSA, shape (seeds, n)."""
    # With the paper's scales the variance can grow with the depth, as the solver warns each time; here the
    # spread over seeds shows it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulResult)
        solvers = [LiSSA(seed=seed, **settings) for seed in seeds]
        return np.array([removal(fit, split, solver)[:, 0] for solver in solvers])


def loss_change_at(fit: Fit, theta: FloatArray, split: Split) -> FloatArray:
    """Return L_te(theta_k) - L_te(theta-hat), shape (k, m), with the test loss of `fit`, whoever refitted."""
    tests = fit.test_rows(split.X_test, split.y_test)
    return np.asarray((tests.row_losses(theta.T) - tests.row_losses(fit.theta)[:, None]).T)


def leverage(fit: Fit) -> FloatArray:
    """Return h_i = w_i l2_i x_i'S^-1 x_i of every training row, shape (n,), S the Hessian in sum scale."""
    return np.asarray(Leverage(fit).values)
