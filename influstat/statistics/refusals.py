"""Refusals with a remedy that the called method has: what is refused deep below knows only its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from influstat.errors import Unsupported


@contextmanager
def remedied(remedy: str) -> Iterator[None]:
    """Give what is refused for what the fit is, such as a loss without a variance, a remedy of its own.

    Raises
    ------
    Unsupported
        With this remedy; refusals of arguments are not touched.

    Examples
    --------
    >>> from influstat.errors import Unsupported
    >>> from influstat.statistics.refusals import remedied
    >>> try:
    ...     with remedied("Ask another."):
    ...         raise Unsupported("fit", "have leverages", "has none", "Pass what you cannot pass here.")
    ... except Unsupported as error:
    ...     print(error)
    fit must have leverages, but it has none. Ask another.
    """
    try:
        yield
    except Unsupported as error:
        if error.argument not in ("fit", "dispersion"):
            raise
        was = "has none" if error.argument == "dispersion" else str(error.value)
        need = "have a known variance of y" if error.argument == "dispersion" else error.need
        raise Unsupported("fit", need, was, remedy) from error
