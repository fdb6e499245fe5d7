"""What the pictures of a fit share: the room of plots when it is needed, and columns of diagnostics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.lazy_types import Axes
from influstat.input.printing import as_drawn, short
from influstat.input.settings import text
from influstat.input.validation import FloatArray, whole_number
from influstat.input.warning import unsaid
from influstat.minimise.minimum import Minimum
from influstat.statistics.diagnostics import COLUMNS, PER_COEFFICIENT, diagnostics
from influstat.statistics.flags import outlier_test
from influstat.statistics.refusals import remedied

NAMES = {
    "cooks_d": "Cook's distance",
    "standard_resid": "standardised residual",
    "hat_diag": "leverage",
    "dffits_internal": "DFFITS, internal",
    "student_resid": "studentised residual",
    "dffits": "DFFITS",
    "cov_ratio": "COVRATIO",
    "resid_response": "residual, y - mean",
    "resid_pearson": "Pearson residual",
    "resid_std": "standard error of the residual",
    "resid_deviance": "deviance residual",
    "standard_resid_deviance": "standardised deviance residual",
    "resid_press": "PRESS residual",
    "likelihood_displacement": "likelihood displacement",
}
P_VALUES = {
    "p_values": "p value as an outlier",
    "bonferroni": "Bonferroni p value",
    "holm": "Holm p value",
    "fdr_bh": "p value, false discovery rate",
}
SINGLE = tuple(name for name in COLUMNS if name not in PER_COEFFICIENT)


class Pictures:
    """What draws the rows of a fit."""

    def __init__(self, fit: Minimum) -> None:
        self._fit = fit

    def __repr__(self) -> str:
        """Say which pictures there are."""
        pictures = sorted(name for name in dir(self) if not name.startswith("_"))
        return f"plots of {self._fit!r}: {', '.join(f'.{name}()' for name in pictures)}"

    def _draw(self, picture: str, *values: Any, **settings: Any) -> Axes:
        """Return what a function of `influstat.plots` draws of the rows, which have their names."""
        with drawing() as plots:
            drawn: Axes = getattr(plots, picture)(*values, **{"row_labels": self._fit.row_labels, **settings})
        return drawn

    def _draw_panels(self, picture: str, *values: Any, **settings: Any) -> NDArray[Any]:
        """Return the same where it is several panels."""
        drawn: Any = self._draw(picture, *values, **settings)
        return np.asarray(drawn)

    def _panels(
        self, count: int, *, columns: int, height: float, title: str | None, size: Any, ax: Any
    ) -> NDArray[Any]:
        """Return the axes of a figure of panels under one title."""
        with drawing() as plots:
            axes: NDArray[Any] = plots.base.several_axes(ax, count, columns=columns, height=height, size=size)
            plots.base.figure_title(axes, title)
        return axes

    def _columns(self, *names: str) -> list[FloatArray]:
        """Return columns of the diagnostics, each of shape (n,), or raise where no row has all of them."""
        frame = self._diagnostics(*names)
        columns = [frame[name].to_numpy() for name in names]
        require_some(*columns)
        return columns

    def _diagnostics(self, *names: str) -> Any:
        """Return the diagnostics of these names, or raise with a picture that every fit has."""
        with self._another():
            return diagnostics(self._fit, list(names))

    def _another(self) -> AbstractContextManager[None]:
        """Name the picture that every fit has where one is refused for what the fit is."""
        other = f'fit.plot.index("dfbeta_{self._fit.names[0]}")'
        return remedied(f"Draw {other}, the change of a coefficient without each row, which every fit has.")

    def _measure(self, measure: Any) -> tuple[FloatArray, str, str]:
        """Return one column of the diagnostics, its name in words, and of which kind it is; or raise."""
        name = text("measure", measure)
        if name in SINGLE:
            return self._columns(name)[0], NAMES[name], name
        if name in P_VALUES:
            with self._another():
                found = outlier_test(self._fit)[name].to_numpy()
            require_some(found)
            return found, P_VALUES[name], name
        for kind, prefix in PER_COEFFICIENT.items():
            known = [prefix + one for one in self._fit.names]
            if known.count(name) == 1:
                k = known.index(name)
                values = self._diagnostics(kind).to_numpy()[:, k]
                require_some(values)
                return values, f"{kind.upper()} of {as_drawn(self._fit.names[k])}", kind
        measures = ", ".join([*SINGLE, *P_VALUES])
        need = f"be one of {measures}, or dfb_ or dfbeta_ before the name of one coefficient"
        raise InvalidArgument("measure", need, f"is {short(name)}", "Pass one of these.")


def look_of(names: Any, title: Any, size: Any, ax: Any) -> dict[str, Any]:
    """Return what every picture takes; names are refused before anything is computed."""
    return {"names": whole_number("names", names, at_least=0), "title": title, "size": size, "ax": ax}


def require_some(*columns: FloatArray) -> None:
    """Raise where every row has a nan in one of the columns, each of shape (n,) or (n, k)."""
    if np.isnan(np.column_stack(columns)).any(axis=1).all():
        raise InvalidArgument(
            "fit",
            "have a row whose measures exist, to be drawn",
            "has none",
            "A row has none where its leverage is 1, or where no degrees of freedom are left without it: use "
            "fewer columns or a penalty.",
        )


@contextmanager
def drawing() -> Iterator[Any]:
    """Give the room of plots, on demand; rows that are nan were announced by their measures."""
    with unsaid():
        yield import_module("influstat.plots")
