"""Figure 3: what the factors of eq. (17) do, on raw pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from influstat.datasets import Dataset
from influstat.experiments.comparison import largest_gap
from influstat.experiments.digits import LAM, digits_split, mnist_data
from influstat.experiments.split import Split
from influstat.experiments.table import Line, below, number
from influstat.fit import Fit
from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray
from influstat.models.linear import Logistic
from influstat.plots import factor_panels
from influstat.solvers import Cholesky

TITLE = "Figure 3: the factors of (17), MNIST 1 against 7, raw pixels"


@dataclass(frozen=True, eq=False, repr=False)
class Figure3(ShortRepr):
    """-I of eq. (17) for the test image, and without some of its factors, shape (n,).

    Attributes
    ----------
    split : Split
        Rows and test row of Figure 2, grey levels 0 to 255, y = 1 for digit one and -1 for seven.
    fit : Fit
        Logistic regression, labels -1 and +1, lam = 1000, penalty fixed: eq. (17) has no penalty share.
    same_label : ndarray of bool
        Whether the row shows the digit of the test image.
    true : ndarray
        y_te y_tr sigma(-y_te eta_te) sigma(-y_tr eta_tr) x_te' H^-1 x_tr: -I, all factors.
    without_sigma, without_hessian, without_both : ndarray
        The same without sigma(-y_tr eta_tr), with x_te'x_tr in place of x_te' H^-1 x_tr, and both.
    general : ndarray
        -I by the general machinery, to which `true` must be equal.
    """

    split: Split
    fit: Fit
    same_label: NDArray[np.bool_]
    true: FloatArray
    without_sigma: FloatArray
    without_hessian: FloatArray
    without_both: FloatArray
    general: FloatArray

    @property
    def variants(self) -> dict[str, FloatArray]:
        """The three variants by name, each of shape (n,)."""
        return {
            "without sigma": self.without_sigma,
            "without H^-1": self.without_hessian,
            "without both": self.without_both,
        }


def figure3(*, data: Dataset | None = None, lam: float = LAM) -> Figure3:
    """Compute Figure 3 (paper, eq. (17)).

    Raw pixels are not negative, so that without H^-1 the sign can only be that of y_te y_tr; sigma is
    below 1, so that without it no absolute value gets smaller.

    Parameters
    ----------
    data : Dataset, optional
        Images of ones and sevens; those of `figure2` when left out.
    lam : float
        Strength of the penalty.

    Returns
    -------
    Figure3

    Raises
    ------
    DatasetError, MissingDependency
        The data are not at hand.

    Examples
    --------
    >>> from influstat.experiments import figure3
    >>> record = figure3()  # doctest: +SKIP
    >>> bool(((record.without_hessian > 0) == record.same_label).all())  # doctest: +SKIP
    True
    """
    split = digits_split(mnist_data() if data is None else data)[0]
    split = replace(split, y=2.0 * split.y - 1.0, y_test=2.0 * split.y_test - 1.0)
    fit = Logistic(lam=lam, labels=(-1, 1), protocol="fixed").fit(split.X, split.y)
    x, y = split.X_test[0], float(split.y_test[0])
    signs = y * split.y * expit(-y * (x @ fit.theta))
    sigma = expit(-split.y * fit.predict(split.X))
    similarity = split.X @ Cholesky().solve(fit.hessian, x).value
    plain = split.X @ x
    return Figure3(
        split=split,
        fit=fit,
        same_label=split.y == y,
        true=signs * sigma * similarity,
        without_sigma=signs * similarity,
        without_hessian=signs * sigma * plain,
        without_both=signs * plain,
        general=-fit.influence().on_loss(split.X_test, split.y_test).values[:, 0],
    )


def table(record: Figure3) -> list[Line]:
    """Return the statements about Figure 3 beside what is found."""
    sign = np.where(record.same_label, 1.0, -1.0)
    by_label = float(np.mean(np.sign(record.without_hessian) == sign))
    smaller = float(np.mean(np.abs(record.without_sigma) < np.abs(record.true)))
    mixed = float(np.mean(np.sign(record.true) == sign))
    gap = largest_gap(record.true, record.general) / float(np.max(np.abs(record.true)))
    return [
        number("% of rows with the sign of y_te y_tr, no H^-1", "100", 100.0 * by_label),
        number("% of rows smaller without sigma", "0", 100.0 * smaller),
        Line("% with the sign of y_te y_tr, all factors", "not 100", f"{100.0 * mixed:.1f}", mixed < 1.0),
        below("(17) against the general influence, relative", "1e-10", gap),
    ]


def draw(record: Figure3) -> Any:
    """Draw Figure 3 and return the matplotlib Figure."""
    shown = {_in_symbols(name): values for name, values in record.variants.items()}
    units = (_in_symbols("without sigma"),)
    axes = factor_panels(record.true, shown, same_label=record.same_label, equal_units=units)
    return axes[0].figure


def _in_symbols(name: str) -> str:
    return name.replace("sigma", r"$\sigma$").replace("H^-1", "$H^{-1}$")
