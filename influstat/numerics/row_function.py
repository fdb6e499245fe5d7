"""One value per row as a function of theta: watched calls, and gradients by formula or by steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType, OutsideDomain
from influstat.input.printing import short
from influstat.input.validation import FloatArray
from influstat.numerics.derivatives import (
    Derivative,
    Displaced,
    complex_step,
    jumps,
    ridders,
    takes_complex,
)
from influstat.numerics.watched import differing, float64, sloped, watched

TINY = float(np.finfo(np.float64).tiny)


class RowFunction:
    """f(theta) -> (m,), with its Jacobian (m, p) by a formula, or by steps from `widths`, shape (p,), on."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        widths: FloatArray,
        jacobian: Callable[..., Any] | None = None,
    ) -> None:
        given = {name: function, "row_gradients": function if jacobian is None else jacobian}
        for argument, value in given.items():
            if not callable(value):
                raise InvalidType(
                    argument, "be a function of theta", f"is {short(value)}", "Pass a callable."
                )
        self.name, self._function, self.widths, self._jacobian = name, function, widths, jacobian
        self.length: int = -1
        with np.errstate(all="ignore"):  # zeros need not be a place where the losses exist
            self.length = len(self.call(np.zeros(len(widths))))
        self._latest: tuple[FloatArray, Derivative] | None = None

    # -- calls ------------------------------------------------------------------------------------------

    def call(self, theta: NDArray[Any]) -> NDArray[Any]:
        """Return f(theta), shape (m,), real or complex, its form checked."""
        result = watched(self.name, self._function, theta=theta)
        if result.ndim != 1 or (self.length >= 0 and len(result) != self.length):
            need = "(rows,)" if self.length < 0 else f"({self.length},)"
            raise InvalidArgument(
                self.name,
                f"return one value per row, shape {need}",
                f"returned shape {result.shape}",
                "Return the values themselves, not their sum or mean.",
            )
        return sloped(self.name, result, complex_allowed=np.iscomplexobj(theta))

    def values(self, theta: FloatArray) -> FloatArray:
        """Return f(theta), shape (m,), or (m, k) for theta of shape (p, k)."""
        if theta.ndim == 2:
            return np.column_stack([self.values(column) for column in np.ascontiguousarray(theta.T)])
        if not np.isfinite(theta).all():  # a removal without a minimiser: its losses are not known either
            return np.full(self.length, np.nan)
        result = self.call(theta)
        if np.isnan(result).any():
            row = int(np.argmax(np.isnan(result)))
            raise OutsideDomain(
                self.name,
                "return numbers",
                f"gives nan at row {row}, theta = {theta!r}",
                "Is theta outside the function's domain (a log or root of a negative number), or the row's "
                "data nan? Write it in a parameter that may take any value, or start elsewhere.",
            )
        return result

    # -- derivatives ------------------------------------------------------------------------------------

    def gradients(self, theta: FloatArray) -> Derivative:
        """Return the Jacobian (m, p) with its errors, the latest one kept, or raise InvalidArgument."""
        if self._latest is None or not np.array_equal(self._latest[0], theta):
            found = self.jacobian(theta) if self.has_jacobian else self._by_steps(theta)
            self._latest = (np.array(theta), found)
        return self._latest[1]

    @property
    def has_jacobian(self) -> bool:
        """Whether the Jacobian is a formula."""
        return self._jacobian is not None

    def gradients_by_differences(self, theta: FloatArray) -> bool:
        """Return whether gradients come from differences, too inexact to be differenced once more."""
        return not self.has_jacobian and not self.uses_complex_step(theta)

    def jacobian(self, theta: FloatArray) -> Derivative:
        """Return the Jacobian that the caller's formula gives, its form checked."""
        assert self._jacobian is not None
        result = watched("row_gradients", self._jacobian, theta=theta)
        expected = (self.length, len(self.widths))
        if result.shape != expected:
            raise InvalidArgument(
                "row_gradients",
                f"return one gradient per row, shape {expected}",
                f"returned shape {result.shape}",
                "Put rows first, coefficients second.",
            )
        value = float64("row_gradients", result, complex_allowed=False)
        if not np.isfinite(value).all():
            row = int(np.argwhere(~np.isfinite(value))[0][0])
            raise InvalidArgument("row_gradients", "be finite", f"is not at row {row}", "Correct it.")
        return Derivative(value, np.finfo(np.float64).eps * np.abs(value))

    def uses_complex_step(self, theta: FloatArray) -> bool:
        """Return whether f takes complex theta and means it: tried along one direction."""
        return takes_complex(self._oblique(theta), n=self.length)

    def require_smooth(self, theta: FloatArray, order: int) -> None:
        """Raise where the derivative of this order jumps at theta, looked at along one direction."""
        jump = jumps(self._oblique(theta), order, n=self.length, typical=self._typical(theta))
        if jump.any():
            need = {1: "be differentiable", 2: "be twice differentiable"}[order]
            raise InvalidArgument(
                self.name,
                f"{need} around theta",
                f"has a kink at row {int(np.argmax(jump))}, theta = {theta!r}",
                "Make it smooth there (PseudoHuberLoss is a smooth HuberLoss; float32 is a staircase), or "
                "start elsewhere.",
            )

    def _typical(self, theta: FloatArray) -> float:
        """Return how large the values are at theta or at 0: what their rounding is measured against."""
        with np.errstate(all="ignore"):
            values = np.abs(np.concatenate([self.call(theta), self.call(np.zeros(len(theta)))]))
        return float(np.max(values[np.isfinite(values)], initial=0.0))

    def _oblique(self, theta: FloatArray) -> Displaced:
        """Return the function along a direction in which every coefficient takes part."""
        share = 0.7 + 0.3 * np.cos(np.arange(len(theta)))
        return self._along(theta, share * self.widths)

    def _by_steps(self, theta: FloatArray) -> Derivative:
        self._require_deterministic(theta)
        self.require_smooth(theta, 1)
        method = complex_step if self.uses_complex_step(theta) else ridders_first
        columns = []
        for j, width in enumerate(self.widths):
            direction = np.zeros(len(theta))
            direction[j] = width
            size = abs(theta[j]) / width
            found = method(self._along(theta, direction), n=self.length, size=size)
            self._require_derivative(found, theta, j)
            columns.append((found.value / width, found.error / width))
        values, errors = zip(*columns, strict=True)
        return Derivative(np.column_stack(values), np.column_stack(errors))

    def _along(self, theta: FloatArray, direction: FloatArray) -> Displaced:
        return lambda r, rows: self.call(theta + r * direction)[rows]

    def _require_derivative(self, found: Derivative, theta: FloatArray, j: int) -> None:
        """Raise where the steps did not agree; derivatives here are per width of the coefficient."""
        size = self._typical(theta) + np.nanmax(np.abs(found.value), initial=0.0)
        # Two digits of a derivative will do; where it is nearly 0, a millionth of the typical value.
        bad = ~(found.error <= 0.01 * np.abs(found.value) + 1e-6 * size + TINY)
        if bad.any():
            raise InvalidArgument(
                self.name,
                "be differentiable",
                f"has no derivative at row {int(np.argmax(bad))} in coefficient {j}",
                "Make it smooth and finite around theta.",
            )

    def _require_deterministic(self, theta: FloatArray) -> None:
        differs = differing(self.call(theta), self.call(theta))
        if differs.any():
            raise InvalidArgument(
                self.name,
                "be deterministic",
                f"gives different values for the same theta at row {int(np.argmax(differs))}",
                "Fix its random numbers before the fit.",
            )


def ridders_first(function: Displaced, *, n: int, size: Any = 0.0) -> Derivative:
    """Return first derivatives by extrapolated differences; the call is that of `complex_step`."""
    return ridders(function, 1, n=n, size=size)
