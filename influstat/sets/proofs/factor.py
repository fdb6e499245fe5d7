"""A factor with many levels among the columns, and the null fit in coordinates in which it is absorbed.

Columns of zeros and ones that no row has two of are the levels of a factor; with a constant column the rows
that have none of them are one level more. With 1_c the indicator of level c, H_c its sum of h, every
nuisance direction is one along the levels or orthogonal to them all: there are directions V (d of them) with

    sum h z z' = I,    sum over c of h z = 0 for every level c,    z_i = V x_i,

and 1_c / H_c^1/2 are the others. In whitened coordinates 1_c is g_c = sum over c of h z, so that V is the
orthogonal complement of all g_c.

**Clusters with levels of their own.** Let whole clusters leave, and let every level's rows lie in one
cluster (its own dummy, dummies of what is inside it). At the null fit the sums of h xi and of r over a level
are 0, as is that of h z for the directions V: so B_S, C_S and A_S have no part along 1_c, whether the level
leaves whole with S or stays whole. Without a row of its own a level has no coefficient. Hence N(T) is

    N(T) = N0 - f_S - B_S'(I - A_S)^-1 C_S      in the directions V alone,

as for least squares of what is demeaned within levels, and all proofs hold in these directions (Frisch and
Waugh 1933, Lovell 1963). In those of the levels A_S has the eigenvalue 1, where nothing could be proven.

For losses that bend the nuisance without S is V and the levels that stay, K. A_S, B_S and C_S are 0 along K
(A_S since sum h z = 0 over every level), so that in V + K they are as long as in V: Lam, Cmax and Bmax are
those of V. What the losses bend by, R3, max |z| and the sums of zz', belongs to all directions (`wide`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import unit_rounding
from influstat.input.design import Design
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk
from influstat.sets.null_fit import NullFit, Problem, null_fit

FEWEST = 4  # levels: fewer are nuisance directions like all others
MOST_COLUMNS = 2000  # of zeros and ones that are compared with each other
MOST_ENTRIES = 10**7  # of a design that is written anew
NONE = -1


@dataclass(frozen=True, eq=False)
class Absorbed:
    """A null fit whose nuisance directions are those that are orthogonal to the levels of a factor."""

    null: NullFit  # in these coordinates; `relative` holds what they lack of being orthogonal
    level: NDArray[np.intp]  # the level of each row; levels are 0, 1, ..., and -1 is none (shape (n,))
    held: FloatArray  # H_c, shape (levels,)
    # Of all rows of each level the largest eigenvalue of sum h z z', the sum of h xi^2 and that of r^2 / h; 0
    # for no level (shape (3, levels + 1)).
    whole: FloatArray


def over(values: FloatArray, h: FloatArray) -> FloatArray:
    """Return values / h, 0 where h is."""
    return np.asarray(np.divide(values, h, out=np.zeros_like(h), where=h > 0.0))


def absorbed(null: NullFit) -> Absorbed | None:
    """Return the null fit with its factor of most levels absorbed, None where there is none."""
    # For squared error without a penalty, and rows.
    found = _factor(null.problem, null.h > 0.0, FEWEST) if null.units.single and _plain(null) else None
    if found is None:
        return None
    level = found.level
    count = int(level.max()) + 1
    held = np.asarray(np.bincount(level[level != NONE], null.h[level != NONE], count), dtype=np.float64)
    if not (held > 0.0).all():
        return None
    inner = _orthogonal(null, level, held)
    return Absorbed(inner, level, held, _whole(inner, level, count))


def without_own_levels(null: NullFit) -> NullFit:
    """Return the null fit in the directions that are orthogonal to levels of which each is in one cluster."""
    # The same one where there are none, and for rows and penalties.
    clusters = not null.units.single and not _penalised(null.problem.risk, null.theta)
    found = _factor(null.problem, null.h > 0.0, 1) if clusters else None
    if found is None:
        return null
    inside = found.level != NONE
    held = np.bincount(found.level[inside], null.h[inside], int(found.level.max()) + 1)
    return _orthogonal(null, found.level, np.asarray(held)) if (held > 0.0).all() else null


def in_own_directions(null: NullFit) -> NullFit:
    """Return the null fit without levels of one cluster each, after one that has no column has got one."""
    problem = with_all_levels(null.problem)
    return without_own_levels(null if problem is null.problem else null_fit(problem))


def with_all_levels(problem: Problem) -> Problem:
    """Return the problem with the level that has no column in the place of the constant one."""
    # That column is the constant less those of all other levels. So each level of a cluster can leave with
    # its own column, and what is left of the design has full rank. The same problem where there is no such
    # level.
    risk = problem.risk
    small = not risk.design.sparse and risk.shape[0] * risk.shape[1] <= MOST_ENTRIES
    if problem.units.single or not small or _penalised(risk, problem.theta):
        return problem
    found = _factor(problem, risk.weights > 0.0, 1)
    if found is None or found.constant == NONE:
        return problem
    X, theta = np.array(risk.design.rows(slice(None))), problem.theta.copy()
    theta[found.constant] *= X[0, found.constant]
    theta[found.columns] += theta[found.constant]
    X[:, found.constant] = found.level == len(found.columns)
    rows = replace(risk.rows, design=Design(X, names=risk.names))
    return replace(problem, risk=risk.moved(rows, risk.penalty), theta=theta, chart=None)


def _plain(null: NullFit) -> bool:
    """Tell whether it is of squared error without a penalty."""
    return null.problem.risk.quadratic and not _penalised(null.problem.risk, null.theta)


def _penalised(risk: LinearRisk, theta: FloatArray) -> bool:
    ones = np.ones_like(theta)
    return not risk.penalty.hessian(ones).zero or bool(risk.penalty.gradient(ones).any())


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
    none = np.zeros(z.shape[1])
    whitened = replace(null.whitened, basis=q.T @ null.basis, of_pulls=none, of_turns=none)
    whitened = whitened.but(z=z, pulls=null.pulls @ q, turns=null.turns @ q)
    return replace(
        null, basis=whitened.basis, whitened=whitened, relative=relative,
        lev=whitened.largest(whitened.squares()) * (1.0 + relative), penalty=np.zeros((len(none), len(none))),
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


@dataclass(frozen=True, eq=False)
class Factor:
    """Columns that are levels: of each row its `level`, and the constant column if the rest is one level."""

    level: NDArray[np.intp]
    columns: NDArray[np.intp]
    constant: int


def _factor(problem: Problem, counted: NDArray[np.bool_], fewest: int) -> Factor | None:
    """Return the factor of most levels, None where none of so many is found; `counted` are rows of weight."""
    # Where clusters leave each level is in one of them.
    design, free = problem.risk.design, problem.a == 0.0
    p, n = len(free), len(counted)
    lowest, highest, binary = np.full(p, np.inf), np.full(p, -np.inf), free.copy()
    for _, x in design.dense_blocks():
        lowest, highest = np.minimum(lowest, x.min(axis=0)), np.maximum(highest, x.max(axis=0))
        binary &= ((x == 0.0) | (x == 1.0)).all(axis=0)
    columns = np.flatnonzero(binary & (lowest < highest))
    if not max(fewest - 1, 1) <= len(columns) <= MOST_COLUMNS:
        return None
    X = np.concatenate([x[:, columns] for _, x in design.dense_blocks()])
    own = np.array([_in_one_cluster(problem, counted & (column > 0.0)) for column in X.T])
    X, columns = X[:, own], columns[own]
    if not len(columns):
        return None
    chosen = _disjoint(X.T @ X > 0.0)
    level = np.full(n, NONE, dtype=np.intp)
    rows, which = np.nonzero(X[:, chosen])
    level[rows] = which
    constant = np.flatnonzero(free & (lowest == highest) & (lowest != 0.0))
    rest = (level == NONE) & counted
    whole = len(constant) > 0 and _in_one_cluster(problem, rest)
    if whole:
        level[level == NONE] = len(chosen)
    if level.max() + 1 < fewest:
        return None
    return Factor(level, columns[chosen], int(constant[0]) if whole else NONE)


def _in_one_cluster(problem: Problem, rows: NDArray[np.bool_]) -> bool:
    """Tell whether there are any of these rows and, where units are clusters, all of them are of one."""
    units = problem.units
    if units.single:
        return bool(rows.any())
    return len(np.unique(units.owners[rows[units.members]])) == 1


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
