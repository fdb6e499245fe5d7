"""The paper's models: frozen settings whose `fit` gives a `Fit` (eqs. 13, 15, 17 and 18)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, overload

import numpy as np

from influstat.errors import InvalidArgument
from influstat.fit import Fit
from influstat.input.validation import choice, real_number, require_two_classes
from influstat.losses.base import Loss
from influstat.losses.hinge import SmoothedHinge
from influstat.losses.logistic import LogisticLoss, SignedLogisticLoss
from influstat.losses.squared import SquaredError
from influstat.models.hinge import HingeSVC
from influstat.partitioned.data import Partitions, beyond_memory, partitions
from influstat.partitioned.fit import PartitionedFit
from influstat.partitioned.risk import PartitionedRisk
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties import L2
from influstat.risks.protocol import PROTOCOLS

__all__ = ["HingeSVC", "Logistic", "Ridge", "SmoothedSVC"]


class _Model:
    """What the models share: settings -> risk -> fit."""

    lam: float
    intercept: bool
    protocol: str
    _classifies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the settings."""
        object.__setattr__(self, "lam", real_number("lam", self.lam, at_least=0.0))
        choice("intercept", self.intercept, (True, False))
        choice("protocol", self.protocol, PROTOCOLS)

    def _loss(self) -> Loss:
        raise NotImplementedError  # pragma: no cover - each model has its own

    def _strength(self) -> float:
        """Return kappa, the total penalty being (kappa / 2) |theta|^2, the intercept left out."""
        return 2.0 * self.lam

    def risk(
        self,
        X: Any,
        y: Any,
        *,
        weights: Any = None,
        offset: Any = None,
        names: Any = None,
        row_labels: Any = None,
    ) -> LinearRisk:
        """Return the risk that `fit` minimises; the parameters are those of `LinearRisk`."""
        return LinearRisk(
            self._loss(),
            X,
            y,
            penalty=L2(self._strength()),
            weights=weights,
            offset=offset,
            intercept=self.intercept,
            protocol=self.protocol,
            names=names,
            row_labels=row_labels,
        )

    @overload
    def fit(self, X: Partitions) -> PartitionedFit: ...

    @overload
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        weights: Any = None,
        offset: Any = None,
        names: Any = None,
        row_labels: Any = None,
    ) -> Fit: ...

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        weights: Any = None,
        offset: Any = None,
        names: Any = None,
        row_labels: Any = None,
    ) -> Fit | PartitionedFit:
        """Minimise the risk.

        Parameters
        ----------
        X : array_like, DataFrame or scipy.sparse, shape (n, p), or Partitions
            Rows, without an intercept column; or rows in partitions, which bring all the rest. A dask array
            or dataframe, or the path of Parquet files, stands for `influstat.partitions` of it: y, weights
            and offset may then be the names of columns.
        y : array_like, shape (n,), or str
            Targets, in the model's own coding.
        weights, offset : array_like, shape (n,), optional
            w_i >= 0 and o_i.
        names, row_labels : sequence, optional
            Names of coefficients and rows; a DataFrame brings its own.

        Returns
        -------
        Fit, or PartitionedFit
            With |grad R| at most 1e-12 relative to its terms.

        Raises
        ------
        InvalidArgument, InvalidType
            An input is not usable; for a classifier among them rows of one class only.
        NoMinimiser, SingularHessian, NotConverged
            There is no finite minimiser, no unique one, or none was found.
        """
        if beyond_memory(X):
            X = partitions(X, y, columns=names, weights=weights, offset=offset, labels=row_labels)
            return self._fit_partitions(X, {})
        if isinstance(X, Partitions):
            others = {"y": y, "weights": weights, "offset": offset, "names": names, "row_labels": row_labels}
            return self._fit_partitions(X, {name: one for name, one in others.items() if one is not None})
        risk = self.risk(X, y, weights=weights, offset=offset, names=names, row_labels=row_labels)
        if self._classifies:
            require_two_classes(risk.y, risk.weights)
        fit = Fit.minimise(risk)
        fit.stated = replace(fit.stated, origin=f"{type(self).__name__}, lam={self.lam:g}")
        return fit

    def _fit_partitions(self, data: Partitions, others: dict[str, Any]) -> PartitionedFit:
        if others:
            name = next(iter(others))
            raise InvalidArgument(
                name, "be left out with partitions", "is given", "Pass it to ist.partitions(...) instead."
            )
        risk = PartitionedRisk(
            self._loss(),
            data,
            penalty=L2(self._strength()),
            intercept=self.intercept,
            protocol=self.protocol,
        )
        if self._classifies:
            require_two_classes(np.array([risk.counted.least, risk.counted.most]), np.ones(2))
        return PartitionedFit.minimise(risk)


@dataclass(frozen=True, kw_only=True)
class Ridge(_Model):
    """Ridge regression: sum_i w_i (y_i - x_i'theta)^2 + lam |theta|^2, over W (eq. 13).

    Parameters
    ----------
    lam : float
        Strength >= 0 of the penalty, on the scale of the summed loss.
    intercept : bool
        Add an unpenalised intercept, last in theta.
    protocol : {"folded", "fixed"}
        What leaves with a row: its loss and its share w_i / W of the penalty, or its loss alone.

    Raises
    ------
    InvalidArgument, InvalidType
        A setting is out of range.

    Examples
    --------
    >>> import influstat as ist
    >>> ist.Ridge(lam=1.0).fit([[1.0], [1.0]], [1.0, 3.0]).theta        # 4 / (2 + 1)
    array([1.33333333])
    """

    lam: float = 1.0
    intercept: bool = False
    protocol: str = "folded"
    _classifies: ClassVar[bool] = False

    def _loss(self) -> Loss:
        return SquaredError()


@dataclass(frozen=True, kw_only=True)
class Logistic(_Model):
    """Logistic regression with the penalty lam |theta|^2, over W (eqs. 15 to 17).

    Parameters
    ----------
    lam : float
        Strength >= 0 of the penalty, on the scale of the summed loss; scikit-learn's C is 1 / (2 lam).
    labels : {(0, 1), (-1, 1)}
        Coding of y: the loss of eq. 15 or that behind eq. 17. Both give the same theta.
    intercept : bool
        Add an unpenalised intercept, last in theta.
    protocol : {"folded", "fixed"}
        What leaves with a row: its loss and its share w_i / W of the penalty, or its loss alone.

    Raises
    ------
    InvalidArgument, InvalidType
        A setting is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import influstat as ist
    >>> fit = ist.Logistic(lam=0.5).fit([[1.0], [-1.0]], [1, 0])
    >>> float((2.0 / (1.0 + np.exp(fit.theta)) - fit.theta)[0].round(12))      # grad R = 0
    0.0
    """

    lam: float = 1.0
    labels: tuple[int, int] = (0, 1)
    intercept: bool = False
    protocol: str = "folded"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        choice("labels", self.labels, ((0, 1), (-1, 1)))

    def _loss(self) -> Loss:
        return LogisticLoss() if self.labels == (0, 1) else SignedLogisticLoss()


@dataclass(frozen=True, kw_only=True)
class SmoothedSVC(_Model):
    """Linear support vector classifier with the smoothed hinge, penalty (lam/2) |beta|^2 (eq. 18).

    Parameters
    ----------
    lam : float
        Strength >= 0 of the penalty, on the scale of the summed loss.
    t : float
        Width > 0 of the smoothing; `HingeSVC` fits t = 0.
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
    >>> fit = ist.SmoothedSVC(lam=1.0, t=0.01).fit([[1.0], [-1.0]], [1, -1])
    >>> fit.names, fit.theta.round(3) + 0.0       # both rows just inside the margin
    (('x0', 'intercept'), array([1., 0.]))
    """

    lam: float = 1.0
    t: float = 0.1
    intercept: bool = True
    protocol: str = "folded"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        object.__setattr__(self, "t", real_number("t", self.t, above=0.0))

    def _loss(self) -> Loss:
        return SmoothedHinge(self.t)

    def _strength(self) -> float:
        return self.lam
