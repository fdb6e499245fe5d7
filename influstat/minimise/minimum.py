"""`Minimum`: "theta minimises this risk", checked. What every room of questions about rows starts from."""

from __future__ import annotations

from functools import cached_property
from math import inf
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.kept import Kept
from influstat.input.labels import check_order, paired_with
from influstat.input.printing import amount, short
from influstat.input.reader import LabelledTable, Reader, TableReader
from influstat.input.settings import require_parts
from influstat.input.validation import (
    FloatArray,
    check_finite,
    choice,
    numeric_array,
    real_number,
    vector,
    whole_number,
)
from influstat.minimise.descent import stationarity
from influstat.minimise.newton import minimiser_next_to
from influstat.minimise.remaining import STATIONARITY, refuse, require_no_step
from influstat.minimise.stated import Stated
from influstat.risks.chart import AnyChart, chart_of
from influstat.risks.contract import EXAMPLES, Risk
from influstat.risks.linear import PREDICTIONS
from influstat.risks.protocol import described
from influstat.risks.row_space import RowSpace, row_space_of


class Minimum:
    """A minimiser theta of a risk, with its data; `influstat.Fit` adds the questions.

    Parameters
    ----------
    risk : Risk
        Loss, penalty and data.
    theta : array_like, shape (p,)
        The minimiser of the risk.
    tolerance : float
        Largest `stationarity` accepted; ``np.inf`` accepts any theta. Up to 1e-6 the Newton step left may
        not exceed 1 % of what removing a typical row does either.
    reader : Reader, optional
        Turns new rows as the caller has them into rows of the risk; they are that already when left out.

    Raises
    ------
    NotStationary
        theta does not minimise the risk: not converged, or another objective than claimed.
    InvalidArgument, InvalidType
        theta is not a finite vector of one entry per coefficient, or risk is not a risk.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.minimise.minimum import Minimum
    >>> risk = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0], penalty=ist.L2(2.0))
    >>> Minimum(risk, [4.0 / 3.0]).predict([[3.0]])
    array([4.])
    """

    def __init__(
        self, risk: Risk, theta: Any, *, tolerance: float = STATIONARITY, reader: Reader | None = None
    ) -> None:
        _require_risk(risk)
        limit = real_number("tolerance", tolerance, above=0.0, or_inf=True)
        self.risk, self.reader, self.kept = risk, reader, Kept()
        self.stated = Stated()  # an adapter states the inference of the library's own fit
        self.theta: FloatArray = _coefficients("theta", theta, risk)
        self.theta.flags.writeable = False  # a change would leave everything derived from it behind
        if limit < inf and not self.stationarity <= limit:
            refuse(risk, self.theta, self.stationarity, limit)
        if limit <= STATIONARITY:
            require_no_step(risk, self.theta)

    @classmethod
    def minimise(
        cls, risk: Risk, *, start: Any = None, max_iterations: int = 200, reader: Reader | None = None
    ) -> Self:
        """Fit by Newton's method, to a relative gradient of 1e-12.

        Parameters
        ----------
        risk : Risk
            What to minimise.
        start : array_like, shape (p,), optional
            Where to start; zeros when left out. Where columns depend on each other, so that there are
            many minimisers, the one that `start` leads to is taken, what the rows do not determine as it is
            there, and they are refused without a start.
        max_iterations : int
            Most Newton steps.
        reader : Reader, optional
            As for the class.

        Returns
        -------
        Self

        Raises
        ------
        SingularHessian, NoMinimiser, IndefiniteHessian, NotConverged
            The minimiser is not unique, does not exist, or was not found; the message says why.

        Examples
        --------
        >>> import influstat as ist
        >>> risk = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0], penalty=ist.L2(2.0))
        >>> ist.Fit.minimise(risk).theta        # x'y / (x'x + 1)
        array([1.33333333])
        """
        _require_risk(risk)
        start = None if start is None else _coefficients("start", start, risk)
        most = whole_number("max_iterations", max_iterations, at_least=1)
        return cls(risk, minimiser_next_to(risk, start, most), tolerance=inf, reader=reader)

    def __repr__(self) -> str:
        """Say what was fitted to how much, what leaves with a row and what a test loss holds."""
        n, p = self.risk.shape
        loss = getattr(self.risk, "loss", type(self.risk).__name__)
        kind, norm = type(self).__name__, self.gradient_norm
        return (
            f"{kind}({loss!r}, {amount(n, 'rows')}, {amount(p, 'coefficients')}, gradient norm {norm:.1e}, "
            f"{described(self.risk.protocol, getattr(self.risk, 'test_protocol', self.risk.protocol))})"
        )

    # -- what was fitted ---------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients, in the order of theta."""
        return tuple(self.risk.names)

    @property
    def row_labels(self) -> NDArray[Any]:
        """What each training row is called, shape (n,)."""
        return self.risk.row_labels

    @cached_property
    def stationarity(self) -> float:
        """The largest entry of the gradient, each relative to its terms' size; inf where not finite."""
        return stationarity(self.risk, self.theta)

    @property
    def gradient_norm(self) -> float:
        """|grad R(theta)|, mean scale; 0 at the minimum."""
        return float(np.linalg.norm(self.risk.gradient(self.theta)))

    @property
    def hessian(self) -> Any:
        """H(theta), the Hessian of R in mean scale, as a `scipy.sparse.linalg.LinearOperator`.

        For one linear predictor per row it is [X' diag(w_i l2_i) X + kappa D] / W.
        """
        return self.risk.curvature(self.theta)

    @cached_property
    def row_space(self) -> RowSpace | None:
        """Coordinates of the rows where there are too many coefficients to factor; None elsewhere."""
        return row_space_of(self.risk, self.theta)

    @cached_property
    def chart(self) -> AnyChart | None:
        """Coordinates for questions that need H^-1; None where the coefficients themselves will do."""
        return chart_of(self.risk, self.theta)

    @property
    def lost(self) -> tuple[str, ...]:
        """Names of the coefficients that the rows do not determine, since columns depend on each other."""
        if self.chart is None:
            return ()
        found = self.chart.coordinates.determined
        return tuple(name for name, known in zip(self.names, found, strict=True) if not known)

    @property
    def regular(self) -> Minimum:
        """The minimum in coordinates in which its Hessian has an inverse: itself where it needs none."""
        chart = self.chart
        if chart is None:
            return self
        return self.kept.once("regular", None, lambda: Minimum(chart.risk, chart.start, tolerance=inf))

    # -- new rows ------------------------------------------------------------------------------------

    def predict(self, X: Any, *, kind: str = "linear", offset: Any = None) -> FloatArray:
        """Predict for new rows.

        Parameters
        ----------
        X : array_like, shape (m, p)
            Rows with the training columns, without the intercept column if the fit has its own.
        kind : {"linear", "mean"}
            The linear predictor x'theta + offset, or the mean E(y | x) that belongs to it.
        offset : array_like, shape (m,), optional
            Zeros when left out.

        Returns
        -------
        ndarray, shape (m,)
            In the units of the linear predictor, or of y.

        Raises
        ------
        InvalidArgument, InvalidType
            X has other columns, or the loss has no mean.
        """
        return self.predictions(self.theta, X, kind=kind, offset=offset)

    def loss(self, X: Any, y: Any = None, *, offset: Any = None) -> FloatArray:
        """Return the loss of new rows.

        L_te = l(y_te, x_te'theta + o_te), alone for fits of other libraries, whatever leaves with a row; for
        the paper's models and risks that are "folded" plus P(theta) / W, W the training rows' weight. The
        `repr` of the fit says which.

        Returns
        -------
        ndarray, shape (m,)
            inf where beyond float64.
        """
        with np.errstate(over="ignore"):
            return np.asarray(self.test_rows(X, y, offset=offset).row_losses(self.theta))

    def test_rows(self, X: Any, y: Any = None, *, offset: Any = None) -> Any:
        """Return new rows as a risk, for its row_losses and row_gradients; W stays the training total."""
        y, offset = paired_with(X, y=y, offset=offset)
        targets = y
        if isinstance(self.reader, TableReader):
            targets, offset = self.reader.targets_in(X, y), self.reader.offset_in(X, offset)
        elif self.reader is not None and y is not None:
            targets = self.reader.targets(y)
        if targets is None:
            raise InvalidArgument("y", "be given with new rows", "is left out", "Pass their targets.")
        return self.risk.test_rows(self._read(X, y), targets, offset=offset)

    def predictions(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> FloatArray:
        """Return predictions for new rows at any theta, shape (m,), or (m, k) for theta of shape (p, k)."""
        offset = self.offset_of(X, offset)
        return self.risk.predictions(theta, self._read(X), kind=kind, offset=offset)

    def prediction_gradients(
        self, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> tuple[FloatArray, NDArray[Any]]:
        """Return the gradients of the predictions at theta, shape (p, m), and the labels of the rows."""
        if choice("kind", kind, PREDICTIONS) == "mean":  # the linear predictor's is the row itself
            offset = self.offset_of(X, offset)
        return self.risk.prediction_gradients(self.theta, self._read(X), kind=kind, offset=offset)

    def offset_of(self, X: Any, offset: Any) -> Any:
        """Return the offset of new rows, shape (m,), in their order and the units of the linear predictor.

        A pandas object is paired with the rows of X by label. Where a formula's model has an exposure or an
        offset it comes from the table X, also if left out.

        Returns
        -------
        array_like, shape (m,), or None
            None where there is none.

        Raises
        ------
        InvalidArgument, InvalidType
            It is not finite, of other rows, or missing where the model has one.
        """
        (offset,) = paired_with(X, offset=offset)
        if isinstance(self.reader, TableReader):
            offset = self.reader.offset_in(X, offset)
        if offset is not None:
            check_finite("offset", numeric_array("offset", offset))
        return offset

    def _read(self, X: Any, y: Any = None) -> Any:
        """Return X as the risk needs it, its rows called as the caller's are."""
        if self.reader is None:
            return X
        table, labels = self.reader.columns(X), self.reader.labels(X, y)
        return table if labels is None else LabelledTable(table, labels)


# What is passed where a fit is meant, by the package that it comes from, and what makes a fit of it.
TRANSLATED = {
    "statsmodels": "Translate the results first: ist.from_statsmodels(results).",
    "sklearn": "Translate the estimator first: ist.from_sklearn(estimator, X, y).",
    "influstat": "Fit it: ist.Fit.minimise(risk), or model.fit(X, y); a hinge has no second derivative, "
    "ist.SmoothedSVC has.",
}


def require_fit(value: Any) -> Minimum:
    """Return `value` if it is a fit, or raise with what makes one of it."""
    if isinstance(value, Minimum):
        return value
    package = type(value).__module__.partition(".")[0]
    remedy = TRANSLATED.get(package, "Fit one, e.g. ist.Ridge(lam=1.0).fit(X, y).")
    raise InvalidType("fit", "be a Fit", f"is {short(value)}", remedy)


def _require_risk(risk: Any) -> None:
    require_parts("risk", risk, Risk, need="be a risk", example=EXAMPLES)


def _coefficients(argument: str, value: Any, risk: Risk) -> FloatArray:
    """Return one finite number per coefficient; names, where they come along, must be in order."""
    check_order(argument, value, np.array(risk.names, dtype=object), of="the coefficients")
    return vector(argument, value, risk.shape[1], per="coefficient")
