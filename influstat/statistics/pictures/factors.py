"""The picture of what an influence is made of: the factors of eq. (17), left out one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, Unsupported
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import LinearRisk, require_linear
from influstat.solvers import Cholesky
from influstat.statistics.pictures.base import Pictures, look_of


class FactorPictures(Pictures):
    """The picture of the factors of an influence."""

    def factors(
        self,
        X: Any,
        y: Any = None,
        *,
        offset: Any = None,
        names: int = 0,
        title: str | None = None,
        size: Any = None,
        ax: Any = None,
    ) -> NDArray[Any]:
        r"""Draw -I against what it would be without some of its factors, as Figure 3 of the paper does.

        -I of eq. (17) is a product: the slope of the loss at the test row, that at the training row, and how
        alike the two are, x_te' H^-1 x_tr. Left out are the size of the training row's slope (sigma(-y eta)
        of a logistic regression: how ill the row is fitted), H^-1, and both.

        Parameters
        ----------
        X, y : array_like, shapes (1, p) and (1,)
            The test row.
        offset : array_like, shape (1,), optional
            Its offset.
        names : int
            How many rows of largest \|I\| are named in each panel, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`; one Axes per panel.

        Returns
        -------
        ndarray of Axes, shape (3,)
            -I up, the variant to the right, in the units of the loss; where the slope is left out a dashed
            line has equal values. Colours say which rows have the label of the test row. As in eq. (17) the
            share that a row has of a folded penalty is left out.

        Raises
        ------
        Unsupported
            The risk has no linear predictor, or y has not two values.
        InvalidArgument, InvalidType
            There is more than one test row, it is not of the fit's columns, or an argument is not as above.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Logistic(lam=1.0).fit([[1.0], [2.0], [-1.0]], [1, 0, 0])
        >>> [ax.get_xlabel().partition("\n")[0] for ax in fit.plot.factors([[1.0]], [1])]
        ["without the row's slope", 'without $H^{-1}$', 'without both']
        """
        look, fit = look_of(names, title, size, ax), self._fit
        risk = of_two_classes(fit, "the factors of eq. (17)")
        test = require_linear(fit.test_rows(X, y, offset=offset), "a test row")
        if test.shape[0] != 1:
            remedy = "Pass one: X[:1] and y[:1], for example."
            raise InvalidArgument("X", "hold one test row", f"holds {test.shape[0]}", remedy)
        x, theta, loss = test.design.rows(slice(None))[0], fit.theta, risk.loss
        at_test = float(loss.first(test.y, test.linear_predictor(theta))[0])
        slope = at_test * risk.slopes(theta)
        signs = np.sign(slope) * abs(at_test)
        alike = risk.design.dot(Cholesky().solve(fit.hessian, x).value)
        plain = risk.design.dot(x)
        without = {
            "without the row's slope": signs * alike,
            "without $H^{-1}$": slope * plain,
            "without both": signs * plain,
        }
        return self._draw_panels(
            "factor_panels",
            slope * alike,
            without,
            same_label=risk.y == test.y[0],
            equal_units=[next(iter(without))],
            **look,
        )


def of_two_classes(fit: Minimum, what: str) -> LinearRisk:
    """Return the risk of a fit of two classes, or raise with another picture of the loss of test rows."""
    risk = require_linear(fit.risk, what)
    kinds = len(np.unique(risk.y))
    if kinds != 2:
        need, was = "have targets of two classes, which a boundary parts", f"has {kinds} kinds of them"
        raise Unsupported("fit", need, was, "Use fit.plot.loss_change.")
    return risk
