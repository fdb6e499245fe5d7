"""What a caller's function of theta must be, checked once before its gradient is looked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.printing import short
from influstat.minimise.minimum import Minimum
from influstat.numerics.watched import called


def check_function(fit: Minimum, function: Callable[[Any], Any]) -> None:
    """Raise where the function does not give a number, or m numbers, at theta."""
    need = f"return a number or an array of numbers for a float array theta of shape ({len(fit.theta)},)"
    remedy = f"Entries of theta have positions: theta[fit.names.index({fit.names[0]!r})] for example."
    try:
        returned = called("function", function, theta=fit.theta.copy())
    except (LookupError, AttributeError) as error:
        raise InvalidArgument("function", need, f"raises {type(error).__name__}: {error}", remedy) from error
    try:
        array = np.asarray(returned)
    except ValueError:
        raise InvalidArgument("function", need, "returned rows of different lengths", remedy) from None
    if array.dtype.kind not in "fiub":
        raise InvalidType("function", need, f"returned {short(returned)}", remedy)
    if array.ndim > 1 or array.size == 0:
        raise InvalidArgument("function", need, f"returned shape {array.shape}", "Flatten what it returns.")
    if not np.isfinite(array).all():
        need = "return finite numbers at the theta of the fit"
        raise InvalidArgument("function", need, f"returned {short(returned)}", "Ask where it is defined.")
