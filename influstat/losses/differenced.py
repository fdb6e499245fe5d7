"""`DifferencedLoss`: a class of one's own in which the value alone is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from influstat.errors import InvalidType, Unsupported
from influstat.input.validation import FloatArray
from influstat.losses.numerical import NumericalLoss


class DifferencedLoss(NumericalLoss):
    """Base class for a loss of one's own of which `value` alone is written; the rest is computed from it.

    Define ``value(self, y, eta)``, elementwise, as `NumericalLoss` asks of its function. Whatever else is
    defined is used as it is: `first`, `second`, `third`, `check_targets`, `mean`, `mean_derivative`; so are
    attributes of the class, `width` (a change of eta over which the loss bends) and `self_concordance`.

    Raises
    ------
    InvalidType
        The class does not define `value`.

    Examples
    --------
    >>> import numpy as np
    >>> import influstat as ist
    >>> class LogCosh(ist.DifferencedLoss):
    ...     def value(self, y, eta):
    ...         return np.log(np.cosh(y - eta))
    >>> ist.Fit.minimise(ist.LinearRisk(LogCosh(), [[1.0], [1.0]], [1.0, 3.0])).theta
    array([2.])
    """

    def __new__(cls, *_arguments: Any, **_settings: Any) -> Self:
        """Refuse a class that has no value of its own."""
        if cls.value is DifferencedLoss.value:
            was = f"is a {cls.__name__} without it"
            raise InvalidType("loss", "define value(self, y, eta)", was, "Write that method in a subclass.")
        return super().__new__(cls)

    def __init__(self) -> None:
        """Nothing is needed; a subclass may have settings of its own."""

    def __repr__(self) -> str:
        """Name the class."""
        return f"{type(self).__name__}()"

    @property
    def function(self) -> Callable[[Any, Any], Any]:
        """The value, of which derivatives are computed."""
        return self.value

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return l(y, eta): each loss has its own."""
        raise NotImplementedError  # pragma: no cover - refused when made

    def mean(self, eta: FloatArray) -> FloatArray:
        """Raise Unsupported; a loss that models a mean defines this."""
        remedy = "Define mean(self, eta) in the class, if it models E(y | eta)."
        raise Unsupported("kind", 'be "linear" here', f'is "mean", and {self!r} has no mean', remedy)
