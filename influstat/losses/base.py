"""`Loss`: what a pointwise loss l(y, eta) offers; it knows the linear predictor eta, never the design matrix.

Every loss gives its value and its first three derivatives in eta, elementwise and accurate to
rounding for |eta| up to 1e3. A new loss is one class in this folder and one line in ``tests/cases.py``.
A loss whose second derivative jumps says where in `kinks`: influence is not a derivative for a row that
sits there.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from influstat.errors import InvalidArgument, Unsupported
from influstat.input.validation import FloatArray, vector


@runtime_checkable
class Loss(Protocol):
    """What a pointwise loss must offer; all arrays broadcast, all results have eta's shape.

    Attributes
    ----------
    self_concordance : float
        c with abs(l3) <= c * l2 everywhere; inf when there is none. Certificates rest on it.
    quadratic : float, optional
        The second derivative, only where it is the same for every y and eta: refits are then closed forms.
    differenced : bool, optional
        True only where derivatives are computed from values, with errors that are estimated and not proven:
        certificates then prove nothing.
    kinks : callable, optional
        ``kinks(y)``, only where the first or second derivative jumps: at which eta, shape (k, n).
    fourth, higher_bounds : callable and tuple of two floats, optional
        ``fourth(y, eta)`` is d4l/deta4, and ``higher_bounds`` are (c4, c5) with abs(l4) <= c4 * l2 and
        abs(l5) <= c5 * l2 everywhere. With them (and a finite `self_concordance`) all refits without one row
        each take time that grows with the number of rows, not with its square.

    slope_size : callable, optional
        ``slope_size(y)``, of a loss in e^eta alone, such as e^eta - y eta: what its `first` is rounded
        relative to beside its own size, shape (n,). Without it targets count as numbers of the size of eta.

    Examples
    --------
    >>> import influstat as ist
    >>> isinstance(ist.LogisticLoss(), ist.Loss)
    True
    """

    @property
    def self_concordance(self) -> float:
        """Smallest c with |l3| <= c l2 for every y and eta."""
        ...

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64, shape (n,), or raise a ValueError that names the targets allowed."""
        ...

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return l(y, eta)."""
        ...

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return dl/deta."""
        ...

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return d2l/deta2."""
        ...

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return d3l/deta3."""
        ...

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return E(y | eta), or raise Unsupported(argument, need, was, remedy) if there is none."""
        ...

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Return d mean / d eta."""
        ...


def constant_second(loss: Any) -> float | None:
    """Return the second derivative of a loss that declares in `quadratic` that it has only one, else None."""
    second: float | None = getattr(loss, "quadratic", None)
    return second


def has_estimated_derivatives(loss: Any) -> bool:
    """Return whether a loss declares in `differenced` that the errors of its derivatives are estimates."""
    return bool(getattr(loss, "differenced", False))


def target_sizes(loss: Any, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return what slopes are rounded relative to because of targets: in units of eta, and of slopes, (n,)."""
    # A loss of y - eta or y eta feels an error of y as one of eta. e^eta is right to a relative epsilon, as
    # an eta that is off by one, and slopes have that of what is taken off it.
    own = getattr(loss, "slope_size", None)
    return (np.abs(y), np.zeros_like(y)) if own is None else (np.ones_like(y), own(y))


def higher_bounds(loss: Any) -> tuple[float, float] | None:
    """Return (c4, c5) of a loss that declares them and its fourth derivative, else None."""
    bounds: tuple[float, float] | None = getattr(loss, "higher_bounds", None)
    return bounds if callable(getattr(loss, "fourth", None)) else None


class Bell:
    """A loss with l2 proportional to sech^2(c (eta - b) / 2), or to e^(+-c eta), which is its limit.

    Every further derivative is then at most c times as large as the one before: c_m = c^(m - 2).
    """

    @property
    def higher_bounds(self: Any) -> tuple[float, float] | None:
        """Return (c^2, c^3)."""
        c: float = self.self_concordance
        return (c**2, c**3)

    def fourth(self: Any, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return (3/2) l3^2 / l2 - (c^2 / 2) l2, which is what (log l2)'' is for that shape."""
        second, third = self.second(y, eta), self.third(y, eta)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = np.where(second > 0.0, third / second, 0.0)
            return np.asarray(second * (1.5 * ratio**2 - 0.5 * self.self_concordance**2))


def kink_distance(loss: Any, y: FloatArray, eta: FloatArray) -> FloatArray:
    """Return how far each eta is from the nearest of the `kinks` that a loss declares, inf without any."""
    if not hasattr(loss, "kinks"):
        return np.full(np.shape(eta), np.inf)
    return np.asarray(np.min(np.abs(np.asarray(loss.kinks(y)) - eta), axis=0))


class AnyTarget:
    """A loss that has a meaning for every finite number."""

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64, shape (n,); any finite number is a target."""
        return vector("y", y)


class Location(AnyTarget):
    """A loss whose linear predictor is itself the location of y."""

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return eta: the linear predictor is the mean."""
        return eta

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Return 1."""
        return np.ones(np.shape(eta))


class NoMean:
    """A loss that models something other than E(y | eta)."""

    _models: str
    _called = ""  # in messages; the name of its class where empty

    def mean(self, eta: FloatArray) -> FloatArray:
        """Raise: the loss models no mean."""
        raise Unsupported(
            "kind",
            f'be "linear" for {self._called or type(self).__name__}',
            'is "mean"',
            f"It models {self._models}, no mean.",
        )

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Raise: the loss models no mean."""
        return self.mean(eta)


def softplus(x: FloatArray) -> FloatArray:
    """Return log(1 + e^x) of real x, of its shape, without overflow and without cancellation."""
    result: FloatArray = np.maximum(x, 0.0) + np.log1p(np.exp(-np.fabs(x)))
    return result


def sigmoid(x: FloatArray, times: FloatArray | float = 1.0) -> FloatArray:
    """Return times / (1 + e^-x), of the shape of both together; 0 below -709, where it is subnormal."""
    # One exponential: scipy's `expit` takes five to ten times as long, and sums over all rows without each of
    # them spend most of their time here.
    return decaying(np.negative(x), times)


def decaying(x: FloatArray, times: FloatArray | float) -> FloatArray:
    """Return times / (1 + e^x), of the shape of x and times together; x is written to."""
    place = x if np.ndim(x) > 0 else None
    with np.errstate(over="ignore"):  # e^x is inf above 709, and the result 0
        below: FloatArray = np.exp(x, out=place)
    below += 1.0
    fits = np.ndim(below) > 0 and np.broadcast(below, times).shape == below.shape
    result: FloatArray = np.divide(times, below, out=below if fits else None)
    return result


def root_of_slope(x: FloatArray) -> FloatArray:
    """Return the root of sigma(x) sigma(-x), far from underflow wherever its square / t is."""
    half = np.exp(-0.5 * np.abs(x))
    result: FloatArray = half / (1.0 + half * half)
    return result


def two_labels(y: Any, labels: tuple[float, float], other: str) -> FloatArray:
    """Return y, shape (n,), if it holds only the two labels, else say which model takes the others."""
    targets = vector("y", y)
    wrong = targets[(targets != labels[0]) & (targets != labels[1])]
    if wrong.size:
        need = f"hold only the labels {labels[0]:g} and {labels[1]:g}"
        raise InvalidArgument("y", need, f"holds {wrong[0]:g}", other)
    return targets
