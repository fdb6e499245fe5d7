"""Coefficients that no row's loss feels, of risks that are known by what their rows say alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from influstat.algebra.coordinates import Coordinates
from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray
from influstat.risks.contract import Risk

UNFELT = 1e-7  # of the rows' gradients, and of the Hessian, each coefficient in its own unit: differences
SAME = 1e-9  # of the losses: they have not changed
STEPS = (-7.0, -1.0, 1.0, 7.0)  # along such a direction, in units over which a loss changes by about 1


def flat_coordinates(risk: Risk, theta: FloatArray) -> Coordinates | None:
    """Return coordinates without the directions along which no row of weight changes its loss.

    Those are looked for where the rows' gradients at theta, shape (n, p), and the Hessian vanish along them,
    and are believed where the losses stay what they are, far along them too.

    Returns
    -------
    Coordinates or None
        Coefficients that determine the others; None where there are no such directions, or all are.

    Examples
    --------
    >>> import influstat as ist
    >>> y = np.array([1.0, 3.0])
    >>> risk = ist.BlackBoxRisk(lambda theta: (y - theta[0]) ** 2 + 0.0 * theta[1], 2)
    >>> flat_coordinates(risk, np.array([2.0, 5.0])).determined
    array([ True, False])
    """
    counted = risk.weights > 0
    gradients = np.asarray(risk.row_gradients(theta))[counted]
    size = np.sqrt(np.mean(gradients**2, axis=0))
    unit = 1.0 / np.where(size > 0, size, 1.0)
    _, values, vectors = np.linalg.svd(gradients * unit, full_matrices=True)
    values = np.concatenate([values, np.zeros(len(theta) - len(values))])
    felt = values > UNFELT * max(values[0], 1.0)
    if felt.all() or not felt.any():
        return None
    null = unit[:, None] * vectors[~felt].T
    if not (_unbent(risk, theta, null, unit) and _unchanged(risk, theta, null, counted)):
        return None
    kept = np.ones(len(theta), dtype=np.bool_)
    kept[qr(null.T, mode="r", pivoting=True)[1][: null.shape[1]]] = False
    return Coordinates(-1, np.zeros(len(theta)), np.eye(len(theta))[:, kept], null, 10.0 * UNFELT * unit)


def _unbent(risk: Risk, theta: FloatArray, null: FloatArray, unit: FloatArray) -> bool:
    """Tell whether the Hessian vanishes along the columns of `null`, in units of each coefficient."""
    matrix = np.asarray(risk.curvature(theta).to_dense())
    scaled = np.abs(unit[:, None] * matrix)  # whose rows are in one unit
    largest = np.max(scaled * unit)
    return bool((np.abs(unit[:, None] * (matrix @ null)) <= UNFELT * largest).all())


def _unchanged(risk: Risk, theta: FloatArray, null: FloatArray, counted: NDArray[np.bool_]) -> bool:
    """Tell whether no counted row's loss changes along any of them, nor along all."""
    here = np.asarray(risk.row_losses(theta))[counted]
    room = SAME * (np.abs(here) + np.max(np.abs(here), initial=0.0))
    for direction in (*null.T, null.sum(axis=1)):
        for step in STEPS:
            try:
                there = np.asarray(risk.row_losses(theta + step * direction))[counted]
            except InvalidArgument:  # beyond where the losses are numbers: nothing is known there
                return False
            if not (np.abs(there - here) <= room).all():
                return False
    return True
