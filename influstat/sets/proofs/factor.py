"""A factor with many levels among the columns, and the null fit in coordinates in which it is absorbed.

Columns of zeros and ones that no row has two of are the levels of a factor; with a constant column the rows
that have none of them are one level more. With 1_c the indicator of level c, H_c its sum of h, every
nuisance direction is one along the levels or orthogonal to them all: there are directions V (d of them) with

    sum h z z' = I,    sum over c of h z = 0 for every level c,    z_i = V x_i,

and 1_c / H_c^1/2 are the others. In whitened coordinates 1_c is g_c = sum over c of h z, so that V is the
orthogonal complement of all g_c.

**Clusters with levels of their own.** Let whole clusters leave, and let every level's rows lie in one cluster
(its own dummy, dummies of what is inside it). At the null fit the sums of h xi and of r over a level are 0, as
is that of h z for the directions V: so B_S, C_S and A_S have no part along 1_c, whether the level leaves whole
with S or stays whole. Without a row of its own a level has no coefficient. Hence N(T) is

    N(T) = N0 - f_S - B_S'(I - A_S)^-1 C_S      in the directions V alone,

as for least squares of what is demeaned within levels, and all proofs hold in these directions (Frisch and
Waugh 1933, Lovell 1963). In those of the levels A_S has the eigenvalue 1, where nothing could be proven.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit, largest_leverages

FEWEST = 4  # levels: fewer are nuisance directions like all others
MOST_COLUMNS = 2000  # of zeros and ones that are compared with each other
NONE = -1


@dataclass(frozen=True, eq=False)
class Absorbed:
    """A null fit whose nuisance directions are those that are orthogonal to the levels of a factor.

    Attributes
    ----------
    null : NullFit
        In these coordinates; `relative` holds what they lack of being orthogonal.
    level : ndarray of int, shape (n,)
        The level of each row; levels are 0, 1, ..., and -1 is none.
    held : ndarray, shape (levels,)
        H_c.
    whole : ndarray, shape (3, levels + 1)
        Of all rows of each level the largest eigenvalue of sum h z z', the sum of h xi^2 and that of r^2 / h;
        0 for no level.
    """

    null: NullFit
    level: NDArray[np.intp]
    held: FloatArray
    whole: FloatArray


def over(values: FloatArray, h: FloatArray) -> FloatArray:
    """Return values / h, 0 where h is."""
    return np.asarray(np.divide(values, h, out=np.zeros_like(h), where=h > 0.0))


def absorbed(null: NullFit) -> Absorbed | None:
    """Return the null fit with its factor of most levels absorbed, None where there is none.

    For squared error without a penalty, and rows.

    Returns
    -------
    Absorbed or None
    """
    level = _levels(null, FEWEST) if null.units.single and _plain(null) else None
    if level is None:
        return None
    count = int(level.max()) + 1
    held = np.asarray(np.bincount(level[level != NONE], null.h[level != NONE], count), dtype=np.float64)
    if not (held > 0.0).all():
        return None
    inner = _orthogonal(null, level, held)
    return Absorbed(inner, level, held, _whole(inner, level, count))


def without_own_levels(null: NullFit) -> NullFit:
    """Return the null fit in the directions that are orthogonal to levels of which each is in one cluster.

    Returns
    -------
    NullFit
        The same one where there are none, and for rows, penalties and losses that bend.
    """
    level = None if null.units.single or not _plain(null) else _levels(null, 1)
    if level is None:
        return null
    held = np.bincount(level[level != NONE], null.h[level != NONE], int(level.max()) + 1)
    return _orthogonal(null, level, np.asarray(held)) if (held > 0.0).all() else null


def _plain(null: NullFit) -> bool:
    """Tell whether it is of squared error without a penalty."""
    risk = null.problem.risk
    return bool(
        risk.quadratic
        and not null.penalty.any()
        and not risk.penalty.gradient(np.ones_like(null.theta)).any()
    )


def _orthogonal(null: NullFit, level: NDArray[np.intp], held: FloatArray) -> NullFit:
    """Return the null fit in the directions V, `held` being H_c."""
    count, inside = len(held), level != NONE
    own = null.z * null.h[:, None]
    sums = np.zeros((count, null.d))
    np.add.at(sums, level[inside], own[inside])
    q = np.linalg.qr(sums.T / np.sqrt(held), mode="complete")[0][:, count:]
    z = null.z @ q
    own = z * null.h[:, None]
    left = np.zeros((count, z.shape[1]))
    np.add.at(left, level[inside], own[inside])
    tilt = float(
        np.linalg.norm(z.T @ own - np.eye(z.shape[1])) + np.linalg.norm(left / np.sqrt(held)[:, None])
    )
    relative = 4.0 * null.relative + tilt + unit_rounding(len(z) + null.d) * null.d
    return replace(
        null, basis=q.T @ null.basis, z=z, B=null.B @ q, C=null.C @ q, relative=relative,
        lev=largest_leverages(null.units, null.open, z, null.h) * (1.0 + relative),
        penalty=np.zeros((z.shape[1], z.shape[1])),
    )  # fmt: skip


def _whole(null: NullFit, level: NDArray[np.intp], count: int) -> FloatArray:
    """Return what all rows of each level hold."""
    found = np.zeros((3, count + 1))
    for c in range(count):
        rows = np.flatnonzero(level == c)
        z, h = null.z[rows], null.h[rows]
        if null.d:
            found[0, c] = np.linalg.eigvalsh((z * h[:, None]).T @ z)[-1]
        found[1:, c] = h @ null.xi[rows] ** 2, np.sum(over(null.r[rows] ** 2, h))
    return found


def _levels(null: NullFit, fewest: int) -> NDArray[np.intp] | None:
    """Return the level of each row, None where no factor of so many levels is found.

    Where clusters leave each level is in one of them.

    Returns
    -------
    ndarray of int, shape (n,), or None
    """
    design, free = null.problem.risk.design, null.problem.a == 0.0
    p, n = len(free), len(null.h)
    lowest, highest, binary = np.full(p, np.inf), np.full(p, -np.inf), free.copy()
    for _, x in design.dense_blocks():
        lowest, highest = np.minimum(lowest, x.min(axis=0)), np.maximum(highest, x.max(axis=0))
        binary &= ((x == 0.0) | (x == 1.0)).all(axis=0)
    columns = np.flatnonzero(binary & (lowest < highest))
    if not max(fewest - 1, 1) <= len(columns) <= MOST_COLUMNS:
        return None
    X = np.concatenate([x[:, columns] for _, x in design.dense_blocks()])
    within = [_in_one_cluster(null, column > 0.0) for column in X.T]
    X = X[:, within]
    if not len(X.T):
        return None
    chosen = _disjoint(X.T @ X > 0.0)
    level = np.full(n, NONE, dtype=np.intp)
    rows, which = np.nonzero(X[:, chosen])
    level[rows] = which
    constant = bool((free & (lowest == highest) & (lowest != 0.0)).any())
    rest = (level == NONE) & (null.h > 0.0)
    if constant and rest.any() and _in_one_cluster(null, rest):
        level[level == NONE] = len(chosen)
    return level if level.max() + 1 >= fewest else None


def _in_one_cluster(null: NullFit, rows: NDArray[np.bool_]) -> bool:
    """Tell whether all of these rows that count are of one unit, where units are clusters."""
    if null.units.single:
        return True
    counted = (null.h > 0.0)[null.units.members] & rows[null.units.members]
    return len(np.unique(null.units.owners[counted])) <= 1


def _disjoint(together: NDArray[np.bool_]) -> list[int]:
    """Return the largest set of columns without common rows, of those made one column after the other."""
    sets: list[list[int]] = []
    for j in range(len(together)):
        for one in sets:
            if not together[j, one].any():
                one.append(j)
                break
        else:
            sets.append([j])
    return max(sets, key=len)
