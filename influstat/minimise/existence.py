"""Does the risk have one finite minimiser? Rank of the free columns, and directions of descent.

A convex risk has no finite minimiser exactly when it falls for ever along some direction d: d touches
no penalised coefficient, and no row's loss grows along x_i'd (separable classes are the classic case;
Albert and Anderson 1984, Rockafellar 1970, section 27).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from scipy.linalg import qr

from influstat.errors import NoMinimiser, SingularHessian
from influstat.input.validation import FloatArray
from influstat.minimise.far_out import STRAIGHT, Mask, growth, is_straight, refuse_even_fall
from influstat.risks.contract import Risk
from influstat.risks.linear import LinearRisk, as_linear

SUSPECT = 1e-8  # reciprocal condition of the Hessian below which a finite minimum is doubted
CERTAIN = 1e-13  # a loss of -log P so small that no sum can tell P from 1
PATIENCE = 20.0  # seconds for the linear programme; what it has not found by then is not known
SPANNED = 1e-10  # of the largest pivot of unit columns: less is rounding of what the others span
FEW = 1000  # rows, one of which as a rule tells that the risk rises
LARGEST = 2_000_000  # n p, up to which contrasts are looked at: they take that times the number of classes


class Existence:
    """What is known about the minimum of any risk: what its method `require_minimum`, if any, raises."""

    def __init__(self, risk: Any) -> None:
        self._require_minimum = getattr(risk, "require_minimum", lambda: None)
        self._separated: Any = getattr(risk, "separated", lambda _: [])

    def require(self) -> None:
        """Raise where it is plain from the start that there is no minimum, or no unique one."""
        self._require_minimum()

    def explain(
        self, theta: FloatArray, reciprocal_condition: float = 0.0, *, only_if_suspect: bool = False
    ) -> None:
        """Raise NoMinimiser if the risk falls for ever along some direction; return if that is not known."""
        if only_if_suspect and reciprocal_condition > SUSPECT:
            return
        direction = self.flight(theta)
        if direction is not None:
            _raise_no_minimiser(self.involved(direction))

    def refuse_separating(self, theta: FloatArray) -> None:
        """Raise NoMinimiser if theta itself points where the risk falls for ever."""
        names = self._separated(theta)
        if names:
            _raise_no_minimiser(names)

    def flight(self, theta: FloatArray) -> FloatArray | None:
        """Return a direction (p,) along which the risk falls for ever; None where none is known."""
        del theta
        return None

    @property
    def one_way(self) -> Mask:
        """Rows of positive weight whose loss need not rise both ways: only those can be separated, (n,)."""
        return np.zeros(0, dtype=bool)

    def involved(self, direction: FloatArray) -> list[str]:
        """Return the names of the coefficients that move most along the direction, at most 5."""
        raise NotImplementedError  # pragma: no cover - asked only where there is a flight

    @property
    def hopeless(self) -> bool:
        """Whether a singular Hessian at the start cannot become regular elsewhere."""
        return True


class ContrastExistence(Existence):
    """The theorem for risks with several predictors per row: they fall for ever along d where C d >= 0.

    The rows of C are contrasts: softmax has the predictor of the row's own class less that of each other
    (Albert and Anderson 1984, section 3).
    """

    def __init__(self, risk: Any) -> None:
        super().__init__(risk)
        self._risk = risk

    @cached_property
    def _contrasts(self) -> FloatArray | None:
        n, p = self._risk.shape
        return None if n * p > LARGEST else self._risk.contrasts()

    def refuse_separating(self, theta: FloatArray) -> None:
        """Raise NoMinimiser if theta tells all rows apart as far as float64 can."""
        if (self._risk.row_losses(theta)[self.one_way] < CERTAIN).all():
            self.explain(theta)

    def flight(self, theta: FloatArray) -> FloatArray | None:
        """Return the shortest direction (p,) of that flight; None where there is none."""
        contrasts = self._contrasts
        return None if contrasts is None else contrast_flight(contrasts, theta)

    @property
    def one_way(self) -> Mask:
        """Rows of positive weight, all of them."""
        return np.asarray(self._risk.weights > 0)

    def involved(self, direction: FloatArray) -> list[str]:
        """Return the names of the coefficients that move the contrasts most along the direction."""
        found = self._contrasts
        assert found is not None
        return _largest(self._risk.names, np.abs(direction) * np.linalg.norm(found, axis=0))


class LinearExistence(Existence):
    """The theorems for one linear predictor per row; directions that the penalty feels need no look."""

    def __init__(self, risk: LinearRisk) -> None:
        self._risk = risk

    @cached_property
    def _flat(self) -> FloatArray:
        """Directions (p, r) along which the penalty is constant."""
        return self._risk.penalty.flat(self._risk.shape[1])

    @property
    def _convex(self) -> bool:
        """Whether a direction along which the risk falls for ever rules a minimum out: a loss may deny it."""
        return bool(getattr(self._risk.loss, "convex", True))

    @cached_property
    def _columns(self) -> FloatArray:
        """How the linear predictors of the rows of positive weight move along them."""
        return np.asarray(self._risk.design.dot(self._flat)[self._risk.weights > 0])

    def require(self) -> None:
        """Raise SingularHessian if the unpenalised columns of the weighted rows are dependent."""
        count, p = self._flat.shape[1], self._risk.shape[1]
        if np.count_nonzero(self._risk.weights) >= p > 1 and count == p:
            return  # the factorisation at the start decides for less, on the Hessian itself
        if self.dependent:
            raise SingularHessian(
                f"The unpenalised columns have rank {count - len(self.dependent)}, not {count}: "
                f"{', '.join(self.dependent[:8])} can be had from the others, so the minimiser is not "
                "unique. Drop them, penalise them (lam > 0), or give more rows."
            )

    @property
    def hopeless(self) -> bool:
        """Whether unpenalised columns are dependent."""
        return bool(self.dependent)

    @cached_property
    def dependent(self) -> list[str]:
        """Names of unpenalised columns that the others span on the rows of positive weight."""
        if not self._flat.size:
            return []
        columns = self._columns
        norms = np.linalg.norm(columns, axis=0)
        _, triangle, order = qr(columns / np.where(norms > 0, norms, 1.0), mode="economic", pivoting=True)
        diagonal = np.abs(np.diag(triangle))
        rank = int(np.sum(diagonal > max(columns.shape) * np.finfo(np.float64).eps * diagonal[:1]))
        return [self._risk.names[np.argmax(np.abs(self._flat[:, j]))] for j in order[rank:]]

    def explain(
        self, theta: FloatArray, reciprocal_condition: float = 0.0, *, only_if_suspect: bool = False
    ) -> None:
        """Raise NoMinimiser also where no loss bends, and where rows or a penalty outweigh others."""
        if reciprocal_condition <= SUSPECT and self._flat.size and is_straight(self._risk, theta):
            raise NoMinimiser(STRAIGHT)
        super().explain(theta, reciprocal_condition, only_if_suspect=only_if_suspect)
        if self._convex and not only_if_suspect:
            refuse_even_fall(self._risk, theta, self.involved)

    def refuse_separating(self, theta: FloatArray) -> None:
        """Raise NoMinimiser if the free part of theta points where every row's loss falls for ever."""
        direction = self._pointed(theta)
        if direction is not None:
            _raise_no_minimiser(self.involved(direction))

    def _pointed(self, theta: FloatArray) -> FloatArray | None:
        """Return the free part of theta if every row's loss falls for ever along it."""
        if not self._flat.size or not self._convex:
            return None
        grows_up, grows_down = self._growth
        if (grows_up == grows_down).any():  # up both ways; or neither: it levels off, and is not convex
            return None
        along = self._flat.T @ theta
        return np.asarray(self._flat @ along) if _all_fall(self._columns @ along, grows_down) else None

    @property
    def one_way(self) -> Mask:
        """Rows of positive weight whose loss does not rise both ways."""
        rows = np.zeros(self._risk.shape[0], dtype=bool)
        if self._flat.size and self._convex:
            grows_up, grows_down = self._growth
            rows[self._risk.weights > 0] = ~(grows_up & grows_down)
        return rows

    def involved(self, direction: FloatArray) -> list[str]:
        """Return the names of the columns that move the predictors most along the direction."""
        sizes = np.sqrt(self._risk.design.square_sums(np.ones(self._risk.shape[0])))
        return _largest(self._risk.names, np.abs(direction) * sizes)

    def flight(self, theta: FloatArray) -> FloatArray | None:
        """Return a direction (p,) along which the risk falls for ever; None where there is none."""
        if not self._flat.size or not self._convex:
            return None
        pointed = self._pointed(theta)
        grows_up, grows_down = self._growth
        if pointed is not None or (grows_up & grows_down).all():
            return pointed
        direction = _recession_direction(self._columns, grows_up, grows_down)
        return None if direction is None else np.asarray(self._flat @ direction)

    @cached_property
    def _growth(self) -> tuple[Mask, Mask]:
        return growth(self._risk.loss, self._risk.y[self._risk.weights > 0])


def existence_of(risk: Risk) -> Existence:
    """Return what is known about the minimum of this risk."""
    linear = as_linear(risk)
    if linear is not None:
        return LinearExistence(linear)
    return ContrastExistence(risk) if getattr(risk, "contrasts", None) else Existence(risk)


def falls_for_ever(risk: LinearRisk, direction: FloatArray) -> bool:
    """Tell whether every weighted row's loss falls for ever along a direction (p,)."""
    some, every = slice(0, FEW), slice(None)
    return _fall(risk, some, direction) and _fall(risk, every, direction)


def _fall(risk: LinearRisk, rows: slice, direction: FloatArray) -> bool:
    counts = risk.weights[rows] > 0
    grows_up, grows_down = growth(risk.loss, risk.y[rows][counts])
    if (grows_up == grows_down).any():
        return False
    return _all_fall(risk.design.take(rows).dot(direction)[counts], grows_down)


def contrast_flight(contrasts: FloatArray, theta: FloatArray) -> FloatArray | None:
    """Return the shortest d, (p,), of some with C d >= 0 and not 0; None where there is none."""
    contrasts = contrasts[(contrasts != 0.0).any(axis=1)]
    if not contrasts.size:
        return None
    used: Mask = np.asarray((contrasts != 0.0).any(axis=0))  # penalised columns have no part in it
    contrasts = contrasts[:, used]
    moved = contrasts @ theta[used]
    if not (moved > 1e-7 * np.max(np.abs(moved))).all():  # else theta itself tells all rows apart
        # Along combinations that the others span (the same for every class) programmes would drift.
        triangle, order = qr(contrasts / np.linalg.norm(contrasts, axis=0), mode="r", pivoting=True)
        sizes = np.abs(np.diag(triangle))
        some = contrasts[:, np.sort(order[: np.count_nonzero(sizes > SPANNED * sizes[0])])]
        allowed = np.ones(len(contrasts), dtype=bool)
        direction = _recession_direction(some, ~allowed, allowed)
        if direction is None:
            return None
        moved = some @ direction
    # What changes no contrast tells nothing.
    flight = np.zeros(len(used))
    flight[used] = np.linalg.lstsq(contrasts, moved)[0]
    return flight


def _all_fall(predictor: FloatArray, grows_down: Mask) -> bool:
    small = 1e-7 * np.max(np.abs(predictor), initial=0.0)
    towards = np.where(grows_down, predictor, -predictor)  # > 0 where the row's loss falls
    return bool((towards > small).all())


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
        options={"time_limit": PATIENCE},
    )
    if not result.success or result.fun is None or -result.fun < 1e-3:
        return None
    return np.asarray(result.x / np.where(norms > 0, norms, 1.0))


def _largest(names: Any, relative: FloatArray) -> list[str]:
    return [names[j] for j in np.argsort(-relative)[:5] if relative[j] > 1e-6 * relative.max()]


def _raise_no_minimiser(involved: list[str]) -> NoReturn:
    raise NoMinimiser(
        "The risk has no finite minimiser: it falls for ever along a direction that involves "
        f"{', '.join(involved)} (classes are separated there, one class alone is left, "
        "counts are 0, or the loss has no lower bound). "
        "Penalise those coefficients (lam > 0), or drop the columns that separate."
    )
