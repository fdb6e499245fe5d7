"""`leave_groups_out` of rows in partitions: by the methods of `Fit.leave_groups_out`, on sums over groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError, SingularHessian
from influstat.input.groups import Groups, Indices
from influstat.input.labels import index_of
from influstat.input.progress import progress
from influstat.input.ranking import Moves, Ranked
from influstat.input.validation import FloatArray, choice
from influstat.input.warning import doubt
from influstat.partitioned.groups.certificates import certificate_of
from influstat.partitioned.groups.expansion import GroupExpansion, GroupInverse, GroupRemainder
from influstat.partitioned.groups.grouping import Counts, Grouping, grouping_of
from influstat.partitioned.groups.sums import Bend
from influstat.partitioned.hessian import require_matrix
from influstat.partitioned.sums import ArraySum
from influstat.removal.certificates.theorem import Certificate
from influstat.removal.leave_out import METHODS
from influstat.removal.methods.base import BLOCK, Outcome, without
from influstat.removal.methods.exact import own_newton
from influstat.removal.methods.quadratic import ILL_CONDITIONED
from influstat.removal.methods.sweeps import Chord
from influstat.removal.result import Removal
from influstat.solvers import Cholesky

MEMORY = 2**23  # entries of what is summed for groups together: 64 MiB


@dataclass(frozen=True, eq=False, repr=False)
class GroupRemoval(Ranked):
    """The coefficients after each of k groups of partitioned rows was left out.

    Attributes
    ----------
    fit : PartitionedFit
        The fit with all rows.
    method : str
        How the coefficients were found.
    labels : ndarray, shape (k,)
        What the groups are called.
    rows : ndarray of int, shape (k,)
        How many rows each has.
    theta : ndarray, shape (k, p)
        The coefficients without each; nan where there are none.
    converged : ndarray of bool, shape (k,)
        Whether `theta` is an exact minimiser.
    status : tuple of str
        "" or why theta is nan.
    gradient_norm : ndarray, shape (k,), or None
        |grad| at `theta` of the risk without the group, mean scale; of exact refits.

    Examples
    --------
    >>> import influstat as ist
    >>> data = ist.partitions(np.ones((3, 1)), np.array([1.0, 2.0, 6.0]), groups=["a", "a", "b"], rows=2)
    >>> fit = ist.Ridge(lam=0.0, protocol="fixed").fit(data)
    >>> fit.leave_groups_out().theta.ravel().round(12)       # 6 and (1 + 2) / 2
    array([6. , 1.5])
    """

    HEADING = "Change of each coefficient without the groups, after minus before ({0.method})"

    fit: Any
    method: str
    labels: NDArray[Any]
    rows: Indices
    theta: FloatArray
    converged: NDArray[np.bool_]
    status: tuple[str, ...]
    gradient_norm: FloatArray | None = None
    grouping: Grouping | None = field(default=None, repr=False)
    counts: Counts | None = field(default=None, repr=False)

    @property
    def delta(self) -> FloatArray:
        """Theta without the group minus theta with it, shape (k, p)."""
        return np.asarray(self.theta - self.fit.theta)

    def _removal(self) -> Removal:
        """Return the same for questions about test rows, which ask for coefficients alone."""
        k = len(self.labels)
        groups = Groups(np.zeros(k, dtype=np.intp), np.arange(k + 1), self.labels)
        return Removal(self.fit.sample, self.method, groups, self.theta, self.converged, self.status)

    @property
    def _certified(self) -> Removal:
        removal = self._removal()
        removal.__dict__["certificate"] = self.certificate
        return removal

    @cached_property
    def certificate(self) -> Certificate:
        """What is proven about the distance to the true coefficients, summed when first asked.

        Three passes for up to some hundreds of groups at a time, whose Hessians are held; `status` says why a
        group has none.
        """
        assert self.grouping is not None  # it was made with both
        assert self.counts is not None
        step = _at_once(len(self.fit.theta), "exact")
        return certificate_of(self.fit, self.grouping, self.counts, self.theta, step)

    def theta_bound(self) -> FloatArray:
        """Return certified bounds on |theta - theta of the exact minimiser without the group|, shape (k, p).

        Returns
        -------
        ndarray
            nan where not certified, as `certificate.status` says.
        """
        return self._certified.theta_bound()

    def loss_bound(self, X: Any, y: Any = None, *, offset: Any = None) -> FloatArray:
        """Return certified bounds on |loss_change - true change|, shape (k, m), as `Removal.loss_bound`."""
        return self._certified.loss_bound(X, y, offset=offset)

    def prediction_bound(self, X: Any, *, kind: str = "linear", offset: Any = None) -> FloatArray:
        """Return certified bounds on |prediction_change - true change|, shape (k, m)."""
        return self._certified.prediction_bound(X, kind=kind, offset=offset)

    def loss_change(self, X: Any, y: Any = None, *, offset: Any = None) -> FloatArray:
        """Return the change of the loss of test rows, after minus before, shape (k, m).

        Parameters
        ----------
        X, y : array_like, shapes (m, p) and (m,)
            Test rows, held in memory.
        offset : array_like, shape (m,), optional
            Their offsets.

        Returns
        -------
        ndarray, shape (k, m)
            As `Removal.loss_change`.
        """
        return self._removal().loss_change(X, y, offset=offset)

    def prediction_change(self, X: Any, *, kind: str = "linear", offset: Any = None) -> FloatArray:
        """Return the change of predictions for new rows, after minus before, shape (k, m)."""
        return self._removal().prediction_change(X, kind=kind, offset=offset)

    def to_frame(self) -> Any:
        """Return delta as a DataFrame: a line for each group, "rows", a column a coefficient, "status"."""
        import pandas as pd

        columns = dict(zip(self.fit.names, self.delta.T, strict=True))
        table = {"rows": self.rows, **columns, "status": list(self.status)}
        return pd.DataFrame(table, index=index_of(self.labels))

    def moves(self) -> Moves:
        """Return `delta`, a column for each coefficient."""
        title = f"Change of each coefficient without the groups, after minus before ({self.method})"
        return Moves(self.delta, self.labels, self.fit.names, title, "groups")


def leave_groups_out(fit: Any, groups: Any, method: str, argument: str = "groups") -> GroupRemoval:
    """Return the coefficients without each of the groups; see `PartitionedFit.leave_groups_out`."""
    choice("method", method, METHODS)
    require_matrix(fit.hessian, "removals of groups")
    grouping, counts = grouping_of(fit, groups, argument)
    found = list(_blocks(fit, grouping, counts, method))
    norms = [one.gradient_norm for one in found if one.gradient_norm is not None]
    status = [text for one in found for text in one.status]
    names = Groups(np.zeros(0, dtype=np.intp), np.zeros(1, dtype=np.intp), counts.names)
    of = "Fold" if argument == "folds" else "Group"
    removal = GroupRemoval(
        fit,
        method,
        counts.names,
        counts.rows,
        np.ascontiguousarray(np.concatenate([one.theta for one in found], axis=1).T),
        np.concatenate([one.converged for one in found]),
        names.named(status, of),
        np.concatenate(norms) if len(norms) == len(found) else None,
        grouping,
        counts,
    )
    bad = [text for text in removal.status if text]
    if bad:
        doubt(f"{len(bad)} of {len(status)} groups have no refit (`status` says why). The first: {bad[0]}")
    return removal


def _blocks(fit: Any, grouping: Grouping, counts: Counts, method: str) -> Iterator[Outcome]:
    """Yield the outcomes of as many groups at a time as memory has room for."""
    k, step = len(counts.names), _at_once(len(fit.theta), method)
    for start in progress(range(0, k, step), "blocks of groups"):
        codes = np.arange(start, min(start + step, k))
        expansion = GroupExpansion(fit, grouping, counts, codes, hessians=method != "influence")
        here = np.arange(len(codes))
        removals = Groups(here, np.arange(len(codes) + 1), counts.names[codes])
        yield _removed(fit, expansion, removals, method)


def _at_once(p: int, method: str) -> int:
    """Return for how many groups memory has room."""
    step = max(1, MEMORY // (4 * p if method == "influence" else 4 * p * p))
    return min(step, BLOCK) if method in ("exact", "second_order") else step


def _removed(fit: Any, expansion: GroupExpansion, groups: Groups, method: str) -> Outcome:
    remainder = GroupRemainder(expansion, groups)
    center = remainder.gradients_at_center()
    theta, k = expansion.theta[:, None], len(groups)
    rough = np.zeros(k, dtype=np.bool_)
    if method in ("influence", "second_order"):
        inverse = Cholesky().prepare(fit.hessian)
        total = fit.risk.total_weight
        first = inverse.solve((expansion.gradient[:, None] - center) / total)
        if method == "influence":
            return Outcome(theta + first, rough, [""] * k)
        second = inverse.solve(_second(fit, expansion, remainder, first) / total)
        return Outcome(theta + first + 0.5 * second, rough, [""] * k)
    inverses = GroupInverse(expansion, remainder.factors)
    delta = -inverses.solve(center)
    if expansion.risk.quadratic:
        return _quadratic(expansion, remainder, inverses, center, delta)
    if method == "newton":
        return Outcome(theta + delta, rough, inverses.status)
    return _exact(expansion, remainder, inverses, theta + delta)


def _second(fit: Any, expansion: GroupExpansion, remainder: GroupRemainder, first: FloatArray) -> FloatArray:
    """Return 2 H_S theta' - X'(w l3 (X theta')^2) - D^3 P[theta', theta'], shape (p, K)."""
    own = expansion.sums.hessians
    assert own is not None  # wanted
    curved = (1.0 - remainder.factors) * expansion.penalty_hessian.dot(first)
    curved += np.einsum("kpq,qk->pk", own[:-1], first)
    bend: ArraySum = fit.reduce(Bend(fit.risk.recipe.summed(), expansion.theta, first))
    third = fit.risk.penalty.third(expansion.theta, first)
    return np.asarray(2.0 * curved - bend.values - third)


def _quadratic(
    expansion: GroupExpansion,
    remainder: GroupRemainder,
    inverses: GroupInverse,
    center: FloatArray,
    delta: FloatArray,
) -> Outcome:
    """Return one Newton step, refined: the minimiser of a quadratic F_k."""
    delta -= inverses.solve(center + inverses.product(delta))
    gradients = center + inverses.product(delta)
    if inverses.reciprocal_condition < ILL_CONDITIONED:  # the Gram matrices have too few digits
        delta -= inverses.solve(remainder.gradients(expansion.theta[:, None] + delta))
        gradients = remainder.gradients(expansion.theta[:, None] + delta)
    norms = np.linalg.norm(gradients, axis=0) / expansion.risk.total_weight
    return Outcome(expansion.theta[:, None] + delta, ~inverses.hard, inverses.status, norms)


def _exact(
    expansion: GroupExpansion, remainder: GroupRemainder, inverses: GroupInverse, start: FloatArray
) -> Outcome:
    """Return the minimisers: sweeps over all partitions that the groups share, then each for itself."""
    given: Any = inverses  # it offers what the iteration asks of a `Downdated`
    chord = Chord(expansion, remainder, given, start, newton=True)
    chord.run()
    status = [""] * len(start.T)
    for k in np.flatnonzero(~chord.done).tolist():
        try:
            chord.theta[:, k] = own_newton(expansion, np.array([k]), chord.theta[:, k])
            chord.done[k] = True
        except SingularHessian as error:
            chord.theta[:, k] = np.nan
            status[k] = inverses.status[k] or without(np.arange(expansion.sizes[k]), str(error))
        except InflustatError as error:
            chord.theta[:, k] = np.nan
            status[k] = without(np.arange(expansion.sizes[k]), str(error))
    norms = chord.norms
    if chord.left.size:
        left = GroupRemainder(expansion, remainder.groups.take(chord.left))
        norms[chord.left] = np.linalg.norm(left.gradients(chord.theta[:, chord.left]), axis=0)
    return Outcome(chord.theta, chord.done, status, norms / expansion.risk.total_weight)
