"""`Drawn`: results about sets of rows show themselves as pictures."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

from influstat.input.lazy_types import Axes


class Drawn:
    """A result with a picture of its own.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0], names=["mean"])
    >>> fit.breakdown("mean").plot().get_ylabel()
    'mean'
    """

    drawn_as: ClassVar[str]  # which of the pictures of `influstat.plots.breakdown`

    def plot(self, *, title: str | None = None, size: Any = None, ax: Axes | None = None) -> Axes:
        """Draw the result, as `influstat.plots.breakdown` does.

        Parameters
        ----------
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            The number of removed rows across, up the quantity; `influstat.plots.breakdown` says more.

        Raises
        ------
        InvalidArgument, InvalidType
            An argument is not as above.
        MissingDependency
            matplotlib is not installed.
        """
        plots = import_module("influstat.plots")  # on demand: drawing is asked for seldom
        drawn: Axes = plots.breakdown(self, title=title, size=size, ax=ax)
        return drawn
