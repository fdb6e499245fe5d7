"""The tables: every public loss once, and problems of modest size drawn from them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

import influstat as ist
from tests import reference
from tests.reference import PlainLoss, PlainRisk

# -- losses ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LossCase:
    """A loss, its plain counterpart, the kind of targets it takes, and c with |l3| <= c l2."""

    name: str
    loss: ist.Loss
    plain: PlainLoss
    targets: str
    c: float

    def __str__(self):
        return self.name


def labels(values: tuple[float, float]) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Return a drawer of labels in which neither of the two is rare."""

    def draw(rng, n):
        y = np.resize(values, n)
        y[: n // 4] = rng.choice(values, n // 4)
        return rng.permutation(y)

    return draw


TARGETS = {
    "real": lambda rng, n: rng.normal(scale=3.0, size=n),
    "0/1": labels((0.0, 1.0)),
    "-1/+1": labels((-1.0, 1.0)),
    "counts": lambda rng, n: rng.poisson(2.0, size=n).astype(float),
}

LOSSES = [
    LossCase("squared error", ist.SquaredError(), reference.SQUARED_ERROR, "real", 0.0),
    LossCase("logistic", ist.LogisticLoss(), reference.LOGISTIC, "0/1", 1.0),
    LossCase("signed logistic", ist.SignedLogisticLoss(), reference.SIGNED_LOGISTIC, "-1/+1", 1.0),
    *(
        LossCase(f"smoothed hinge {t:g}", ist.SmoothedHinge(t), reference.smoothed_hinge(t), "-1/+1", 1.0 / t)
        for t in (1.0, 0.1, 0.01)
    ),
]

# Losses of `more_losses.py`: they need no table of their own elsewhere, where laws hold for any loss.
MORE_LOSSES = [
    LossCase("Poisson", ist.PoissonLoss(), reference.POISSON, "counts", 1.0),
    LossCase("Huber", ist.HuberLoss(1.5), reference.huber(1.5), "real", np.inf),
    LossCase("pseudo-Huber", ist.PseudoHuberLoss(0.5), reference.pseudo_huber(0.5), "real", 3.0),
    LossCase("squared hinge", ist.SquaredHinge(), reference.SQUARED_HINGE, "-1/+1", np.inf),
    LossCase(
        "smoothed check", ist.SmoothedCheck(0.75, 0.5), reference.smoothed_check(0.75, 0.5), "real", 2.0
    ),
]

# -- problems ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """The raw input of a LinearRisk; the same numbers as a PlainRisk; a point to look at.

    `dataclasses.replace` gives the same problem with another X (sparse, float32, ...) or weights.
    """

    case: LossCase
    X: np.ndarray  # without the intercept column
    y: np.ndarray
    weights: np.ndarray | None = None
    offset: np.ndarray | None = None
    strength: float = 1.0
    unpenalised: tuple[int, ...] = ()
    intercept: bool = False
    protocol: str = "fixed"
    theta: np.ndarray = field(default_factory=lambda: np.zeros(0))  # eta = X theta is of order 1
    X_test: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    y_test: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __repr__(self):
        return (
            f"Problem({self.case}, {self.protocol}, n={self.X.shape[0]}, p={self.X.shape[1]},"
            f" strength={self.strength:g}, unpenalised={self.unpenalised}, intercept={self.intercept},"
            f" weights={self.weights is not None}, offset={self.offset is not None})"
        )

    @property
    def n(self):
        return self.X.shape[0]

    @property
    def coefficients(self):
        """Return the length of theta."""
        return self.X.shape[1] + self.intercept

    @property
    def penalty(self):
        return ist.L2(self.strength, unpenalised=self.unpenalised)

    def risk(self, **changes):
        """Return the LinearRisk; `changes` replace its arguments (X, y, weights, protocol, ...)."""
        arguments = {
            "X": self.X,
            "y": self.y,
            "penalty": self.penalty,
            "weights": self.weights,
            "offset": self.offset,
            "intercept": self.intercept,
            "protocol": self.protocol,
            **changes,
        }
        return ist.LinearRisk(self.case.loss, arguments.pop("X"), arguments.pop("y"), **arguments)

    def with_ones(self, X):
        """Return X with the column of ones that the intercept stands for."""
        X = np.asarray(X, dtype=float)
        return np.column_stack([X, np.ones(len(X))]) if self.intercept else X

    def plain(self):
        """Return the ground truth."""
        D = np.ones(self.coefficients)
        D[list(self.unpenalised)] = 0.0
        if self.intercept:
            D[-1] = 0.0
        return PlainRisk(
            self.case.plain,
            self.with_ones(self.X),
            self.y,
            np.ones(self.n) if self.weights is None else self.weights,
            np.zeros(self.n) if self.offset is None else self.offset,
            self.strength,
            D,
            self.protocol,
        )

    def rows(self, rows):
        """Return the problem of the chosen rows (repeats allowed), the penalty as it is."""
        return replace(
            self,
            X=self.X[rows],
            y=self.y[rows],
            weights=None if self.weights is None else self.weights[rows],
            offset=None if self.offset is None else self.offset[rows],
        )


def make_problem(
    case: LossCase,
    n: int,
    p: int,
    seed: int,
    *,
    scales: tuple[float, ...] = (),
    weights: str = "ones",
    offset: bool = False,
    tests: int = 3,
    **settings,
) -> Problem:
    """Return the problem of these sizes; the same seed gives the same arrays.

    `scales` are cycled over the columns, a fifth of whose entries are 0. `weights` is "ones",
    "positive", "counts" (1 to 3) or "zeros" (positive but for an eighth of the rows).
    """
    rng = np.random.default_rng(seed)
    units = np.resize(np.array(scales or (1.0,)), p)
    X, X_test = (rng.normal(size=(k, p)) * (rng.random((k, p)) < 0.8) * units for k in (n, tests))
    draw = TARGETS[case.targets]
    y, y_test = draw(rng, n), draw(rng, tests)
    w = None if weights == "ones" else rng.uniform(0.2, 3.0, n)
    if weights == "counts":
        w = rng.integers(1, 4, n).astype(float)
    if weights == "zeros":
        w[rng.choice(n, max(1, n // 8), replace=False)] = 0.0
    o = rng.normal(size=n) if offset else None
    intercept = settings.get("intercept", False)
    theta = rng.normal(size=p + intercept) / np.append(units, 1.0)[: p + intercept] / np.sqrt(p)
    return Problem(case, X, y, weights=w, offset=o, theta=theta, X_test=X_test, y_test=y_test, **settings)


@st.composite
def problems(
    draw,
    *,
    losses=tuple(LOSSES),
    rows=(3, 25),
    columns=(1, 5),
    decades=3,
    weights=("ones", "positive", "counts", "zeros"),
    protocols=("fixed", "folded"),
    solvable=False,
):
    """Draw a Problem.

    With `solvable` there is one finite minimiser, also without any one row: every coefficient but an
    intercept is penalised, and at least two rows of each label have a positive weight. `decades` bounds
    the powers of ten by which the units of the columns differ from 1.
    """
    low, high = rows
    n = draw(st.integers(max(low, 8) if solvable else low, high))
    p = draw(st.integers(*columns))
    intercept = draw(st.booleans())
    strengths = [0.01, 1.0, 30.0] if solvable else [0.0, 0.01, 1.0, 30.0]
    unpenalised = () if solvable else tuple(draw(st.sets(st.integers(0, p - 1), max_size=2)))
    exponents = draw(st.lists(st.integers(-decades, decades), min_size=p, max_size=p))
    problem = make_problem(
        draw(st.sampled_from(losses)),
        n,
        p,
        draw(st.integers(0, 2**32 - 1)),
        scales=tuple(10.0**e for e in exponents),
        weights=draw(st.sampled_from(weights)),
        offset=draw(st.booleans()),
        strength=draw(st.sampled_from(strengths)),
        unpenalised=unpenalised,
        intercept=intercept,
        protocol=draw(st.sampled_from(protocols)),
    )
    if solvable and intercept and problem.case.c > 1.0:
        assume(determined(problem))
    return problem


def determined(problem):
    """Tell whether float64 determines the intercept, with all rows and without any one.

    It does not where all rows lie on the flat sides of a narrow hinge, which the library refuses.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.errors.DoubtfulResult)
        try:
            return ist.Fit.minimise(problem.risk()).leave_one_out().converged.all()
        except ist.errors.SingularHessian:
            return False


def penalty_diagonal(risk):
    """Return the diagonal kappa D of the Hessian of a penalty that is quadratic, sum scale."""
    return risk.penalty.hessian(np.zeros(risk.shape[1])).diagonal()
