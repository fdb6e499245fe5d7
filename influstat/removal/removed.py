"""`Removed`: theta without each row or group as it was found, and what of it the rows left determine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import Unsupported
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.removal.determined import Determined
from influstat.removal.gradients import gradients_without


@dataclass(frozen=True, eq=False, repr=False)
class Removed:
    """What a method has found of k removals; `Removal` says what each field is, and what follows."""

    fit: Minimum
    method: str
    groups: Groups
    theta: FloatArray
    converged: NDArray[np.bool_]
    status: tuple[str, ...]
    measured_norm: FloatArray | None = None  # where the method knows it
    entering: Any = None
    determined: Determined | None = None  # where something is not
    inner: FloatArray | None = None  # in the coordinates it was found in, (k, r)

    @property
    def rows(self) -> NDArray[np.intp]:
        """Which row is left out, by position, shape (k,); `groups` where several leave together."""
        if not self.groups.single:
            raise Unsupported(
                "rows", "be asked of single rows", "holds groups", "Use groups[j], the rows of removal j."
            )
        return self.groups.members

    @property
    def labels(self) -> NDArray[Any]:
        """What the removed rows or groups are called, shape (k,)."""
        return self.groups.labels

    @property
    def delta(self) -> FloatArray:
        """Theta without the row or group minus theta with it, shape (k, p)."""
        return np.asarray(self.theta - self.fit.theta)

    @property
    def solution(self) -> FloatArray:
        """A minimiser without each of the rows, shape (k, p): theta where all of it is determined."""
        return self.theta if self.determined is None else self.determined.solution

    def _known(self, changes: Any, tests: Any) -> FloatArray:
        """Return the changes (k, m) of the losses of test rows, nan for those that are not determined."""
        if self.determined is None:
            return np.asarray(changes)
        return np.where(self.determined.of_rows(tests), changes, np.nan)

    def _known_predictions(self, values: FloatArray, X: Any) -> FloatArray:
        """Return values of the predictions of new rows, shape (k, m), nan for those not determined."""
        if self.determined is None:
            return values
        return np.where(self.determined.of(self.fit.prediction_gradients(X)[0].T), values, np.nan)

    @cached_property
    def gradient_norm(self) -> FloatArray:
        """|grad| at `theta` of the risk without the rows, shape (k,), mean scale (divided by W).

        0 at an exact minimiser. An approximation is measured when this is first asked: two products
        with X for all removals together. A bound where sums over all rows were expanded.
        """
        if self.measured_norm is not None:
            return self.measured_norm
        return np.asarray(np.linalg.norm(self.gradients(), axis=1))

    def gradients(self) -> FloatArray:
        """Return grad (losses of the rows left + penalty left) / W at `theta`, shape (k, p), nan with it."""
        return gradients_without(self.fit, self.groups, self.solution)
