"""`NumericalLoss`: a pointwise loss of which only the value is known; its derivatives are computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from math import inf
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType, OutsideDomain, Unsupported
from influstat.input.printing import short
from influstat.input.validation import FloatArray, choice, real_number, vector
from influstat.numerics import derivatives
from influstat.numerics.watched import differing, sloped, watched

SAMPLE = 64  # entries evaluated twice, to see that the function is deterministic
ORDERS = ("first", "second", "third")
REWRITE = (
    "Rewrite the loss so that it is smooth and finite there (np.logaddexp for log(1 + e^x), PseudoHuberLoss "
    "for HuberLoss; float64 throughout, float32 is a staircase), or give a loss class with its own "
    "derivatives."
)


@dataclass(frozen=True, repr=False)
class NumericalLoss:
    """The loss l(y, eta) that a function gives; derivatives by complex steps or by differences.

    Parameters
    ----------
    function : callable
        f(y, eta) -> ndarray, all of shape (m,): the loss of each pair. It must work elementwise, leave
        its input alone and be twice differentiable in eta. If it also works for complex eta (arithmetic,
        np.exp, np.log, np.sqrt, np.where on eta.real; not np.abs, np.logaddexp or scipy's expit), the
        derivatives are almost as exact as formulas; whether it does is found out, and tested against
        differences, at every call.
    width : float, optional
        A change of eta over which the loss bends; the first step. Orders of magnitude will do. Left out,
        `LinearRisk` finds it from the loss at its targets; it is 1 where there are none.
    targets : callable, optional
        Says for y (float64, shape (n,)) whether the loss has a meaning for it: True or False, for all
        or one per row; or raises an error of its own.
    mean_function : callable, optional
        E(y | eta), elementwise, where the loss models a mean.
    self_concordance : float
        c with |l3| <= c l2 everywhere, if known: the loss is then convex, and has one minimum. Certificates
        need more, derivatives whose errors are proven, and are refused.

    Notes
    -----
    First derivative: complex step, else extrapolated central differences (Ridders). Second and third:
    imaginary parts on a half circle, else the same differences. `derivative` also gives the error
    estimate. Measured on the losses of this package, relative to |l_k| + |l1| / width^(k-1): complex
    1e-13 for all three, differences 1e-12, 1e-11 and 1e-8. The cost is 3 to 60 evaluations of the
    function per derivative; sums over rows stay those of `LinearRisk`, through BLAS.

    Raises
    ------
    InvalidArgument, InvalidType
        At the first use: the function returns another shape, nan, complex, float32 or whole numbers, changes
        its input, gives different values for the same input, or has no second derivative where it is needed.

    Examples
    --------
    >>> import influstat as ist
    >>> log_cosh = ist.NumericalLoss(lambda y, eta: np.log(np.cosh(y - eta)))
    >>> y, eta = np.array([1.0]), np.array([0.5])
    >>> bool(abs(log_cosh.first(y, eta) + np.tanh(0.5)) < 1e-14)
    True
    >>> ist.Fit.minimise(ist.LinearRisk(log_cosh, [[1.0], [1.0]], [1.0, 3.0])).theta
    array([2.])
    """

    differenced: ClassVar[bool] = True  # errors of derivatives are estimates

    function: Callable[[Any, Any], Any]
    width: float | None = field(default=None, kw_only=True)
    targets: Callable[[FloatArray], Any] | None = field(default=None, kw_only=True)
    mean_function: Callable[[FloatArray], Any] | None = field(default=None, kw_only=True)
    self_concordance: float = field(default=float("inf"), kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        for name in ("function", "targets", "mean_function"):
            value = getattr(self, name)
            if not (callable(value) or (value is None and name != "function")):
                raise InvalidType(name, "be a function", f"is {short(value)}", "Pass a callable.")
        if self.width is not None:
            object.__setattr__(self, "width", real_number("width", self.width, above=0.0))
        c = real_number("self_concordance", self.self_concordance, at_least=0.0, or_inf=True)
        if c < inf:
            object.__setattr__(self, "self_concordance", c)

    def __repr__(self) -> str:
        """Return the function's name, and the settings that are not the usual ones."""
        given = [(one, getattr(self, one.name)) for one in fields(self)[1:]]
        settings = [f"{one.name}={_called(value)}" for one, value in given if value != one.default]
        return f"{type(self).__name__}({', '.join([_called(self.function), *settings])})"

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64; any finite number is a target unless `targets` says otherwise."""
        checked = vector("y", y)
        verdict = None if self.targets is None else self.targets(checked.copy())
        if verdict is None:
            return checked
        allowed = np.asarray(verdict)
        if allowed.dtype != np.bool_ or allowed.shape not in ((), checked.shape):
            need = "return True or False, or one of them per row"
            raise InvalidType("targets", need, f"returned {verdict!r}", "For instance lambda y: y >= 0.")
        if not allowed.all():
            was = f"holds {checked[int(np.argmin(allowed))]:g}" if allowed.ndim else "is refused by `targets`"
            raise InvalidArgument("y", "be targets that the loss has a meaning for", was, "Correct it.")
        return checked

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return l(y, eta), as the function gives it."""
        targets, predictors, shape = _flat(y, eta)
        losses = self._call(targets, predictors)
        _refuse(np.isnan(losses), targets, predictors, "give a number", "gives nan", kind=OutsideDomain)
        return losses.reshape(shape)

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return dl/deta."""
        return self._derivative(1, y, eta)

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return d2l/deta2."""
        return self._derivative(2, y, eta)

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return d3l/deta3."""
        return self._derivative(3, y, eta)

    def derivative(self, order: int, y: FloatArray, eta: FloatArray) -> derivatives.Derivative:
        """Return derivative `order` (1, 2, 3) with an estimate of its absolute error, each of eta's shape."""
        choice("order", order, (1, 2, 3))
        targets, predictors, shape = _flat(y, eta)
        self._require_deterministic(targets[:SAMPLE], predictors[:SAMPLE])
        displaced, settings = self._displaced(targets, predictors)
        if not derivatives.takes_complex(displaced, **settings):
            found = derivatives.ridders(displaced, order, **settings)
        elif order == 1:
            found = derivatives.complex_step(displaced, **settings)
        else:
            found = derivatives.half_circle(displaced, order, **settings)
        return derivatives.Derivative(found.value.reshape(shape), found.error.reshape(shape))

    def uses_complex_step(self, y: FloatArray, eta: FloatArray) -> bool:
        """Return whether derivatives at these pairs come from complex evaluations."""
        targets, predictors, _ = _flat(y, eta)
        displaced, settings = self._displaced(targets, predictors)
        return derivatives.takes_complex(displaced, **settings)

    def growth(self, y: FloatArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return whether each row's loss rises towards eta = +inf, and towards -inf; shape (n,) each."""
        # Asked beyond every target, or as far out as the function stays finite: its slope has settled.
        reach = 2.0 * np.abs(y)
        for far in (1e3, 300.0, 100.0, 30.0, 10.0):
            with np.errstate(all="ignore"):  # a function that overflows there is asked nearer
                ends = [self.derivative(1, y, sign * (reach + far)) for sign in (1.0, -1.0)]
            if all(np.isfinite(end.value).all() for end in ends):
                break
        # A loss that levels off has a slope of rounding there: 1e-13 by complex steps, 1e-12 by differences.
        # What has no slope at any of them is beyond its domain, where nothing falls for ever: as if it rose.
        return ~(ends[0].value <= 1e-9), ~(ends[1].value >= -1e-9)

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return E(y | eta), or raise Unsupported without a `mean_function`."""
        if self.mean_function is None:
            raise Unsupported(
                "kind", 'be "linear" here', 'is "mean"', "Give NumericalLoss a mean_function for the mean."
            )
        return np.asarray(self.mean_function(eta), dtype=np.float64)

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Return d mean / d eta by extrapolated differences."""
        flat = np.ravel(eta)
        self.mean(flat)
        found = derivatives.ridders(
            lambda r, rows: self.mean(flat[rows] + r), 1, n=flat.size, width=self._width, size=np.abs(flat)
        )
        return found.value.reshape(np.shape(eta))

    @property
    def _width(self) -> float:
        return 1.0 if self.width is None else float(self.width)

    # -- calls of the function, watched -----------------------------------------------------------------

    def _displaced(self, y: FloatArray, eta: FloatArray) -> tuple[derivatives.Displaced, dict[str, Any]]:
        """Return the loss as a function of a displacement of eta, and how to differentiate it."""

        def displaced(r: Any, rows: Any) -> NDArray[Any]:
            return self._call(y[rows], eta[rows] + r)

        return displaced, {"n": y.size, "width": self._width, "size": np.abs(eta)}

    def _derivative(self, order: int, y: FloatArray, eta: FloatArray) -> FloatArray:
        found = self.derivative(order, y, eta)
        targets, predictors, _ = _flat(y, eta)
        value, error = np.ravel(found.value), np.ravel(found.error)
        need = "be finite around every row" if order == 1 else "be twice differentiable in eta"
        _refuse(~np.isfinite(value), targets, predictors, need, f"has no {ORDERS[order - 1]} derivative")
        if order == 2:
            noise = np.flatnonzero(np.abs(value) <= error)  # of a straight loss: its sign means nothing
            size = self._size_around(targets[noise], predictors[noise]) if noise.size else 0.0
            value[noise[np.abs(value[noise]) <= 1e-9 * size / self._width**2]] = 0.0
            # Two digits of a second derivative will do; where it is nearly 0, a millionth of the loss itself.
            suspect = error > 0.01 * np.abs(value)
            if suspect.any():
                size = self._size_around(targets[suspect], predictors[suspect])
                size = np.maximum(size, self._size_at_zero(targets[suspect]))
                suspect[suspect] = error[suspect] > 1e-6 * size / self._width**2
            remedy = self._rewrite(targets)
            what = "has a second derivative that steps do not agree on"
            _refuse(suspect, targets, predictors, need, what, remedy)
            displaced, _ = self._displaced(targets, predictors)
            typical = self._size_at_zero(targets)
            for name, lower in (("first", 1), ("second", 2)):
                jump = derivatives.jumps(displaced, lower, n=targets.size, width=self._width, typical=typical)
                _refuse(jump, targets, predictors, need, f"has a {name} derivative that jumps", remedy)
        return value.reshape(found.value.shape)

    def _rewrite(self, y: FloatArray) -> str:
        """Return the remedy, with another `width` first where the targets are of another size."""
        size = float(np.std(y) if len(y) > 1 else np.abs(y).max()) or self._width
        if 0.03 < size / self._width < 30.0:
            return REWRITE
        return (
            f"The targets spread over {size:.1g}, and width is {self._width:g}: pass width={size:.1g} if the "
            f"loss bends over changes of eta of that size. {REWRITE}"
        )

    def _size_at_zero(self, y: FloatArray) -> FloatArray:
        """Return how large the loss of each target is at eta = 0: what its rounding is measured against."""
        with np.errstate(all="ignore"):
            size = np.abs(self._call(y, np.zeros_like(y)))
        return np.where(np.isfinite(size), size, 0.0)

    def _size_around(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return the largest size of the loss within a width of eta, as far as it is finite there."""
        steps = (-self._width, 0.0, self._width)
        with np.errstate(all="ignore"):
            sizes = np.array([np.abs(self._call(y, eta + step)) for step in steps])
        return np.asarray(np.max(np.where(np.isfinite(sizes), sizes, 0.0), axis=0))

    def _call(self, y: NDArray[Any], eta: NDArray[Any]) -> NDArray[Any]:
        """Return f(y, eta) for writeable-looking but protected input, its form checked."""
        result = watched("function", self.function, y=y, eta=eta)
        if result.shape != eta.shape:
            raise InvalidArgument(
                "function",
                f"return one loss per row, shape {eta.shape}",
                f"returned shape {result.shape}",
                "Return the losses themselves, not their sum or mean.",
            )
        return sloped("function", result, complex_allowed=eta.dtype.kind == "c")

    def _require_deterministic(self, y: FloatArray, eta: FloatArray) -> None:
        differs = differing(self._call(y, eta), self._call(y, eta))
        what = "gives different values for the same input"
        _refuse(differs, y, eta, "be deterministic", what, "Draw its random numbers once, before the fit.")


def _flat(y: Any, eta: Any) -> tuple[FloatArray, FloatArray, tuple[int, ...]]:
    """Return both as float64 vectors of one length, and the shape that they stand for."""
    targets, predictors = np.broadcast_arrays(np.asarray(y, dtype=float), np.asarray(eta, dtype=float))
    return targets.ravel(), predictors.ravel(), predictors.shape


def _called(value: Any) -> str:
    """Return what a function is called in its source, without its address, or any value in short."""
    return str(getattr(value, "__name__", "")) or short(value)


def _refuse(
    bad: NDArray[np.bool_],
    y: FloatArray,
    eta: FloatArray,
    need: str,
    what: str,
    remedy: str = REWRITE,
    kind: type[InvalidArgument] = InvalidArgument,
) -> None:
    """Raise for the first pair that is bad, naming it."""
    if bad.any():
        row = int(np.argmax(bad))
        where = f"{what} at y = {y[row]:.6g}, eta = {eta[row]:.17g}"
        raise kind("function", need, where, remedy)
