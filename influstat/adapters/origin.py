"""Which library an object comes from, for those who bring it to the wrong one of the adapters."""

from __future__ import annotations

from typing import Any

from influstat.errors import InvalidType

DOORS = {
    "statsmodels": "Use ist.from_statsmodels(results), with what model.fit() returned.",
    "sklearn": "Use ist.from_sklearn(estimator, X, y), with the X and y that it was fitted with.",
    "influstat": "It needs no adapter: what model.fit(X, y) or ist.Fit.minimise(risk) returns is a Fit.",
}
SPOKEN = {"sklearn": "scikit-learn"}


def refuse_of_others(argument: str, value: Any, *, own: str, need: str) -> None:
    """Raise if `value`, or its class, comes from a library that another function reads than that of `own`."""
    kind = value if isinstance(value, type) else type(value)
    packages = [cls.__module__.partition(".")[0] for cls in kind.__mro__]
    if own in packages:
        return
    package = next((one for one in packages if one in DOORS), None)
    if package is not None:
        what = f"is a {kind.__name__} of {SPOKEN.get(package, package)}"
        raise InvalidType(argument, need, what, DOORS[package])
