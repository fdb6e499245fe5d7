"""Does the risk have one finite minimiser? Rank of the free columns, and directions of descent.

A convex risk has no finite minimiser exactly when it falls for ever along some direction d: d touches
no penalised coefficient, and no row's loss grows along x_i'd (separable classes are the classic case;
Albert and Anderson 1984, Rockafellar 1970, section 27).
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from influstat.errors import NoMinimiser, SingularHessian
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

FAR = 1e3  # a linear predictor so large that the slope of every loss has reached its limit
SUSPECT = 1e-8  # reciprocal condition of the Hessian below which a finite minimum is doubted


def require_full_rank(risk: LinearRisk) -> None:
    """Raise SingularHessian if the unpenalised columns of the weighted rows are dependent."""
    free = np.flatnonzero(risk.penalty_diagonal == 0)
    rows = np.count_nonzero(risk.weights)
    if rows >= free.size > 1 and free.size == risk.shape[1]:
        return  # the factorisation at the start decides for less, on the Hessian itself
    dependent = dependent_columns(risk)
    if dependent:
        raise SingularHessian(
            f"The unpenalised columns have rank {free.size - len(dependent)}, not {free.size}: "
            f"{', '.join(dependent[:8])} can be had from the others, so the minimiser is not unique. Drop "
            "them, penalise them (lam > 0), or give more rows."
        )


def dependent_columns(risk: LinearRisk) -> list[str]:
    """Return the names of unpenalised columns that the others span on the rows of positive weight."""
    free = np.flatnonzero(risk.penalty_diagonal == 0)
    rows = np.flatnonzero(risk.weights > 0)
    if not free.size:
        return []
    columns = _columns(risk, rows, free)
    norms = np.linalg.norm(columns, axis=0)
    _, triangle, order = qr(columns / np.where(norms > 0, norms, 1.0), mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(triangle))
    rank = int(np.sum(diagonal > max(columns.shape) * np.finfo(np.float64).eps * diagonal[:1]))
    return [risk.names[free[j]] for j in order[rank:]]


def refuse_separating(risk: LinearRisk, theta: FloatArray) -> None:
    """Raise NoMinimiser if the free part of theta itself points where every row's loss falls for ever."""
    free = risk.penalty_diagonal == 0
    if not free.any():
        return
    grows_up, grows_down = _growth(risk)
    if (grows_up & grows_down).any():
        return
    direction = np.where(free, theta, 0.0)
    predictor = risk.design.dot(direction)[risk.weights > 0]
    small = 1e-7 * np.max(np.abs(predictor), initial=0.0)
    towards = np.where(grows_down, predictor, -predictor)  # > 0 where the row's loss falls
    if (towards > small).all():
        _raise_no_minimiser(risk, direction)


def explain_no_minimum(
    risk: LinearRisk, theta: FloatArray, reciprocal_condition: float, *, only_if_suspect: bool = False
) -> None:
    """Raise NoMinimiser if the risk falls for ever along some direction; return if it does not."""
    free = np.flatnonzero(risk.penalty_diagonal == 0)
    if not free.size or (only_if_suspect and reciprocal_condition > SUSPECT):
        return
    refuse_separating(risk, theta)
    grows_up, grows_down = _growth(risk)
    if (grows_up & grows_down).all():
        return
    rows = np.flatnonzero(risk.weights > 0)
    direction = _recession_direction(_columns(risk, rows, free), grows_up, grows_down)
    if direction is not None:
        full = np.zeros(risk.shape[1])
        full[free] = direction
        _raise_no_minimiser(risk, full)


def _growth(risk: LinearRisk) -> tuple[Mask, Mask]:
    """Return whether each weighted row's loss rises for ever as eta goes to +inf, and to -inf."""
    y = risk.y[risk.weights > 0]
    if hasattr(risk.loss, "growth"):  # a loss that cannot be asked so far out answers for itself
        up, down = risk.loss.growth(y)
        return up, down
    return _slope_far_out(risk, y, 1.0) > 1e-9, _slope_far_out(risk, y, -1.0) < -1e-9


def _slope_far_out(risk: LinearRisk, y: FloatArray, side: float) -> FloatArray:
    """Return l1 far out; where it is nan there (e^x / (1 + e^x) at 1000), from as far as it is a number."""
    beyond = 2.0 * np.abs(y)  # of the target too, where losses of y - eta turn
    slope = np.full(y.shape, np.nan)
    for far in (FAR, 0.3 * FAR, 0.1 * FAR, 0.03 * FAR):
        lost = np.isnan(slope)
        if not lost.any():
            break
        with np.errstate(over="ignore", invalid="ignore"):  # an exponential loss overflows: it grows
            slope[lost] = risk.loss.first(y[lost], side * (far + beyond[lost]))
    return slope


def _columns(risk: LinearRisk, rows: Indices, columns: Indices) -> FloatArray:
    """Return X[rows][:, columns] dense; `columns` are the unpenalised ones."""
    result = np.empty((risk.shape[0], columns.size))
    for block_rows, block in risk.design.blocks():
        part = block[:, columns]
        result[block_rows] = part.toarray() if risk.design.sparse else part
    return np.asarray(result[rows])


def _recession_direction(columns: FloatArray, grows_up: Mask, grows_down: Mask) -> FloatArray | None:
    """Maximise the movement along allowed signs of x_i'd by a linear programme; None if there is none."""
    from scipy.optimize import linprog  # rarely needed, and slow to import

    norms = np.linalg.norm(columns, axis=0)
    scaled = columns / np.where(norms > 0, norms, 1.0) * np.sqrt(len(columns))
    allowed = np.where(grows_down, 1.0, 0.0) - np.where(grows_up, 1.0, 0.0)  # sign that x_i'd may take
    one_way = allowed != 0
    both = grows_up & grows_down
    signed = scaled[one_way] * allowed[one_way][:, None]
    free_ways = ~grows_up & ~grows_down
    if free_ways.any():  # a loss that falls or is flat both ways: any movement will do
        return None
    result = linprog(
        -signed.sum(axis=0),
        A_ub=np.vstack([-signed, signed]),
        b_ub=np.concatenate([np.zeros(len(signed)), np.ones(len(signed))]),
        A_eq=scaled[both] if both.any() else None,
        b_eq=np.zeros(int(both.sum())) if both.any() else None,
        bounds=(-1e6, 1e6),
        method="highs",
    )
    if not result.success or result.fun is None or -result.fun < 1e-3:
        return None
    return np.asarray(result.x / np.where(norms > 0, norms, 1.0))


def _raise_no_minimiser(risk: LinearRisk, direction: FloatArray) -> NoReturn:
    relative = np.abs(direction) * np.sqrt(risk.design.square_sums(np.ones(risk.shape[0])))
    involved = [risk.names[j] for j in np.argsort(-relative)[:5] if relative[j] > 1e-6 * relative.max()]
    raise NoMinimiser(
        "The risk has no finite minimiser: it falls for ever along a direction that involves "
        f"{', '.join(involved)} (the classes are separated there, or only one class is left). "
        "Penalise those coefficients (lam > 0), or drop the columns that separate."
    )
