"""Which inference is meant: read from what the caller says and the fit states."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.validation import choice, real_number
from influstat.input.warning import doubt_once
from influstat.losses.base import constant_second
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import as_linear
from influstat.statistics.inference import Inference
from influstat.statistics.lags import SERIES
from influstat.statistics.sandwich import rows_at_one
from influstat.statistics.setting import read_setting

PERFECT = 1e-12  # of a coefficient: a standard error that is no larger is rounding, which has been said
REPORTED = 1e-3  # relative difference from reported standard errors beyond what differencing a Hessian costs
SOLVED = 1e-6  # and beyond what solving least squares by singular values costs, as a rule


def inference(
    fit: Minimum,
    kind: str | None = None,
    *,
    use_t: bool | None = None,
    level: float = 0.95,
    **settings: Any,
) -> Inference:
    """Return the inference about a fit's coefficients; `Fit.inference` says more."""
    setting = read_setting(fit, kind, **settings)
    number = real_number("level", level, above=0.0)
    if not number < 1.0:
        raise InvalidArgument("level", "be below 1", f"is {number:g}", "Pass 0.95 for 95 %.")
    own = fit.stated.use_t if use_t is None else use_t
    if own is None:
        linear = as_linear(fit.risk)
        loss = None if linear is None else linear.loss
        given = fit.stated.dispersion if settings.get("dispersion") is None else settings["dispersion"]
        estimated = getattr(loss, "dispersion", 1.0) is None and given is None
        own = estimated and constant_second(loss) is not None
    choice("use_t", own, (True, False))
    found = Inference(fit, setting, own, number)
    if setting.kind in SERIES and own and found.degrees_of_freedom < 1:
        doubt_once(
            fit,
            f"p values and limits by Student's t of the {setting.kind!r} covariance have as many degrees of "
            "freedom as there are series, less 1, and here is one series: p values and limits are nan. Pass "
            "use_t=False for the normal distribution.",
        )
    if kind is None and all(value is None for value in settings.values()):
        _compare_with_reported(found)
    return found


def _compare_with_reported(found: Inference) -> None:
    """Warn where the fit's maker reports standard errors that are not the ones here."""
    reported = found.fit.stated.standard_errors
    if reported is None:
        return
    ours = found.table.standard_errors
    if rows_at_one(found.fit, found.setting).size:
        return  # the library divides rounding by rounding, and the covariance has said why it is nan here
    known = np.isfinite(reported) & (reported > PERFECT * np.abs(found.fit.theta)) & ~np.isnan(ours)
    far, linear = np.abs(ours[known] / reported[known] - 1.0), as_linear(found.fit.risk)
    closed = linear is not None and constant_second(linear.loss) is not None
    if far.size and not far.max() <= (SOLVED if closed else REPORTED):
        worst = int(np.flatnonzero(known)[np.argmax(far)])
        doubt_once(
            found.fit,
            f"The standard errors reported by the library are others than these, furthest for "
            f"{found.fit.names[worst]!r}: {reported[worst]:.6g} there, {ours[worst]:.6g} here, the "
            f"{found.setting.kind!r} covariance with {found.setting.information} information at theta. Pass "
            "kind= to say which is meant.",
        )
