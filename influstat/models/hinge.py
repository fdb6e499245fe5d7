"""`HingeSVC`: the support vector classifier with the hinge loss itself (t = 0), and its refits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import InflustatError, InvalidArgument
from influstat.input.groups import read_rows
from influstat.input.labels import paired_with
from influstat.input.lazy_types import Summary
from influstat.input.printing import amount
from influstat.input.progress import progress
from influstat.input.validation import FloatArray, choice, coefficients, real_number, require_two_classes
from influstat.input.warning import doubt
from influstat.losses.hinge import SmoothedHinge
from influstat.minimise.hinge import HingeSolution, minimise_hinge
from influstat.models.hinge_removal import HingeRemoval, hinge_losses
from influstat.models.hinge_summary import hinge_summary
from influstat.risks.contract import left_over
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties import L2
from influstat.risks.protocol import PROTOCOLS


@dataclass(frozen=True, kw_only=True)
class HingeSVC:
    """Linear support vector classifier with the exact hinge, penalty (lam/2) |beta|^2 (eq. 18, t = 0).

    Parameters
    ----------
    lam : float
        Strength > 0 of the penalty, on the scale of the summed loss.
    intercept : bool
        Fit an unpenalised intercept, last in theta.
    protocol : {"folded", "fixed"}
        What leaves with a row: its loss and its share w_i / W of the penalty, or its loss alone.

    Raises
    ------
    InvalidArgument, InvalidType
        A setting is out of range.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.HingeSVC(lam=1.0).fit([[1.0], [-1.0]], [1, -1])
    >>> fit.theta.round(12) + 0.0, bool(fit.duality_gap < 1e-10)
    (array([1., 0.]), True)
    """

    lam: float = 1.0
    intercept: bool = True
    protocol: str = "folded"

    def __post_init__(self) -> None:
        """Check the settings."""
        object.__setattr__(self, "lam", real_number("lam", self.lam, above=0.0))
        choice("intercept", self.intercept, (True, False))
        choice("protocol", self.protocol, PROTOCOLS)

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        weights: Any = None,
        offset: Any = None,
        names: Any = None,
        row_labels: Any = None,
    ) -> HingeFit:
        """Minimise the hinge risk to a duality gap of 1e-10 of its value.

        Parameters
        ----------
        X : array_like, DataFrame or scipy.sparse, shape (n, p)
            Rows, without an intercept column; made dense.
        y : array_like, shape (n,)
            Labels -1 and +1.
        weights, offset : array_like, shape (n,), optional
            w_i >= 0 and o_i.
        names, row_labels : sequence, optional
            Names of coefficients and rows; a DataFrame brings its own.

        Returns
        -------
        HingeFit

        Raises
        ------
        InvalidArgument, InvalidType
            An input is not usable; among them rows of one class only.
        NotConverged
            The gap stayed above the tolerance.
        """
        # The smoothed hinge checks the same labels; its value is never asked for.
        data = LinearRisk(
            SmoothedHinge(1.0),
            X,
            y,
            penalty=L2(self.lam),
            weights=weights,
            offset=offset,
            intercept=self.intercept,
            protocol=self.protocol,
            names=names,
            row_labels=row_labels,
        )
        require_two_classes(data.y, data.weights)
        return HingeFit(self, data, _solve(data, self.lam))


class HingeFit:
    """A fitted hinge-loss classifier with its certificate.

    Attributes
    ----------
    theta : ndarray, shape (p,)
        Coefficients, the intercept last.
    names, row_labels : tuple of str and ndarray
        Names of the coefficients, in the order of theta, and what each training row is called, shape (n,).
    solution : HingeSolution
        Dual variables, duality gap (mean scale), rows on the margin.

    Notes
    -----
    The hinge has no second derivative, so there is no influence function: `leave_one_out` refits.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.HingeSVC(lam=1.0).fit([[2.0], [1.0], [-1.0], [-2.0]], [1, 1, -1, -1])
    >>> fit.loss([[0.5]], [1]).round(6)      # 1 - 0.5, and the penalty's share (1/2) 1 / 4
    array([0.625])
    """

    def __init__(self, model: HingeSVC, data: LinearRisk, solution: HingeSolution) -> None:
        self.model, self.data, self.solution = model, data, solution
        self.theta: FloatArray = solution.theta
        self.names, self.row_labels = data.names, data.row_labels

    def __repr__(self) -> str:
        """Say what was fitted to how much, and how near the minimum."""
        n, p = self.data.shape
        many = f"{amount(n, 'rows')}, {amount(p, 'coefficients')}"
        return f"HingeFit({self.model!r}, {many}, duality gap {self.duality_gap:.1e})"

    @property
    def duality_gap(self) -> float:
        """Primal minus dual objective, mean scale: R(theta) is at most this far above its minimum."""
        return self.solution.duality_gap

    @property
    def value(self) -> float:
        """The risk R(theta), mean scale."""
        hinge = np.maximum(0.0, 1.0 - self.data.y * self.data.linear_predictor(self.theta))
        return float(
            (self.data.weights @ hinge + self.data.penalty.value(self.theta)) / self.data.total_weight
        )

    def predict(self, X: Any, *, offset: Any = None) -> FloatArray:
        """Return the decision values x'theta + offset of new rows, shape (m,); their sign is the class."""
        (offset,) = paired_with(X, offset=offset)
        return self.data.predictions(self.theta, X, offset=offset)

    def loss(self, X: Any, y: Any, *, offset: Any = None, theta: FloatArray | None = None) -> FloatArray:
        """Return the hinge loss of new rows, the penalty's share P / W included if folded.

        `theta` replaces the fitted coefficients, for instance by those of a refit.

        Returns
        -------
        ndarray, shape (m,)
        """
        at = self.theta if theta is None else coefficients("theta", theta, len(self.theta))
        if at.ndim != 1:
            need, remedy = f"have shape ({len(at)},)", "Ask for one fit after the other."
            raise InvalidArgument("theta", need, f"has shape {at.shape}", remedy)
        y, offset = paired_with(X, y=y, offset=offset)
        return hinge_losses(self.data, self.data.test_rows(X, y, offset=offset), at)

    def leave_one_out(self, *, rows: Any = None) -> HingeRemoval:
        """Refit without each row, in the model's penalty protocol.

        Parameters
        ----------
        rows : array_like, optional
            Which rows to leave out: positions, a mask or row labels; all when left out.

        Returns
        -------
        HingeRemoval
            theta, delta and the changes of losses and predictions; nan for a row without which there is
            no refit (the last of its class, say), `status` says why.

        Raises
        ------
        InvalidArgument
            A row does not exist or is named twice.

        Warns
        -----
        DoubtfulResult
            Some rows have no refit; the first of them is named with the reason.
        """
        groups = read_rows(rows, self.row_labels)
        theta = np.full((len(groups), self.data.shape[1]), np.nan)
        gap = np.full(len(groups), np.nan)
        status = [""] * len(groups)
        for k, row in enumerate(progress(groups.members, "hinge refits")):
            try:
                part = left_over(self.data, row)
                kept = self.data.protocol.after(self.data.total_weight, part.total_weight)
                solution = _solve(part, kept * self.model.lam)
                theta[k], gap[k] = solution.theta, solution.duality_gap
            except InflustatError as error:
                status[k] = str(error)
        failed = [k for k, text in enumerate(status) if text]
        if failed:
            doubt(
                f"{len(failed)} of {len(groups)} rows have no refit and are nan; the first is "
                f"{groups.labels[failed[0]]}: {status[failed[0]]}",
            )
        return HingeRemoval(groups, self.theta, theta, gap, tuple(status), self.data)

    def summary(self, *, title: str | None = None) -> Summary:
        """Return what was fitted, its coefficients, and how far it is from the minimum.

        Parameters
        ----------
        title : str, optional
            Above the summary; "Summary of the fit" when left out.

        Returns
        -------
        statsmodels.iolib.summary.Summary
            As for `Fit.summary`; the hinge has no second derivative, so that standard errors and flags, which
            rest on one, lack. Support vectors are the rows with a part in theta, those short of the margin
            and on it.

        Raises
        ------
        InvalidType
            The title is no text.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.HingeSVC(lam=1.0).fit([[2.0], [1.0], [-1.0], [-2.0]], [1, 1, -1, -1])
        >>> [str(cell.data).strip() for cell in fit.summary().tables[2][0]]
        ['Support vectors:', '2 of 4 rows', 'Risk:', '0.125']
        """
        return hinge_summary(self, title)


def _solve(data: LinearRisk, kappa: float) -> HingeSolution:
    X = data.design.rows(slice(None))
    return minimise_hinge(
        X[:, :-1] if data.design.intercept else X,
        data.y,
        weights=data.weights,
        offset=data.offset,
        kappa=kappa,
        intercept=data.design.intercept,
    )
