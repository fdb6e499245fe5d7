"""Hinge problems with every degeneracy, and their definitions written out."""

import numpy as np
from hypothesis import strategies as st

from influstat.minimise.hinge import minimise_hinge
from tests.tolerance import ROUNDING


class Problem:
    """Arrays of a hinge problem, with the definitions written out."""

    def __init__(self, X, y, *, weights=None, offset=None, kappa=1.0, intercept=True):
        self.X, self.y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
        n = len(self.y)
        self.weights = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
        self.offset = np.zeros(n) if offset is None else np.asarray(offset, dtype=float)
        self.kappa, self.intercept = kappa, intercept

    def fit(self, **changes):
        arguments = {key: value for key, value in vars(self).items() if key not in ("X", "y")}
        return minimise_hinge(self.X, self.y, **(arguments | changes))

    def but(self, **changes):
        return Problem(**(vars(self) | changes))

    def rows(self, chosen):
        parts = {key: getattr(self, key)[chosen] for key in ("X", "y", "weights", "offset")}
        return self.but(**parts)

    @property
    def design(self):
        return np.column_stack([self.X, np.ones(len(self.y))]) if self.intercept else self.X

    def beta(self, theta):
        return theta[: self.X.shape[1]]

    def shortfall(self, theta):
        return 1.0 - self.y * (self.design @ theta + self.offset)

    def primal(self, theta):
        beta = self.beta(theta)
        return self.weights @ np.maximum(self.shortfall(theta), 0.0) + self.kappa / 2 * beta @ beta

    def dual(self, alpha):
        pull = self.X.T @ (alpha * self.y)
        return alpha @ (1.0 - self.y * self.offset) - pull @ pull / (2 * self.kappa)

    def rounding(self, theta):
        """What 64-bit arithmetic can do to each 1 - y eta: solvers may work along other axes."""
        beta = np.linalg.norm(self.beta(theta))
        terms = 1.0 + np.linalg.norm(self.X, axis=1) * beta + np.abs(self.offset)
        return ROUNDING * (terms + np.abs(theta[self.X.shape[1] :]).sum())


def random_problem(kind, n, p, seed, intercept=True, kappa=1.0, weights="ones", offset=0.0, scale=1.0):
    """Return a problem with both classes; `kind` says which degeneracy it has."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    if kind == "few values":
        X = rng.integers(-1, 2, (n, p)).astype(float)
    elif kind == "repeated rows":
        X = X[rng.integers(0, (n + 1) // 2, n)]
    elif kind == "collinear":
        X[:, -1] = X[:, 0]
    elif kind == "shifted":
        X += 100.0
    elif kind == "uneven units":
        X *= 10.0 ** rng.uniform(-3.0, 3.0, p)
    spread = 0.0 if kind == "separable" else np.abs(X).mean()
    eta = (X - X.mean(axis=0)) @ rng.standard_normal(p)
    y = np.where(eta + spread * rng.standard_normal(n) > 0, 1.0, -1.0)
    y[:2] = 1.0, -1.0
    w = {"ones": np.ones(n), "counts": rng.integers(0, 4, n).astype(float), "any": rng.uniform(0.0, 3.0, n)}
    w[weights][:2] += 1.0
    offsets = offset * rng.standard_normal(n)
    return Problem(scale * X, y, weights=w[weights], offset=offsets, kappa=kappa, intercept=intercept)


KINDS = ["noisy", "separable", "few values", "repeated rows", "collinear", "shifted", "uneven units"]
powers_of_ten = st.integers(-4, 4).map(lambda power: 10.0**power)
problems = st.builds(
    random_problem,
    kind=st.sampled_from(KINDS),
    n=st.integers(2, 30),
    p=st.integers(1, 8) | st.just(40),
    seed=st.integers(0, 10**6),
    intercept=st.booleans(),
    kappa=powers_of_ten,
    weights=st.sampled_from(["ones", "counts", "any"]),
    offset=st.sampled_from([0.0, 0.5, 10.0]),
    scale=st.sampled_from([0.01, 1.0, 100.0]),
)
ordinary = st.builds(  # well enough conditioned for theta itself to be compared
    random_problem,
    kind=st.sampled_from(["noisy", "few values", "repeated rows"]),
    n=st.integers(8, 30),
    p=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    intercept=st.booleans(),
    kappa=st.sampled_from([0.1, 1.0, 10.0]),
    weights=st.sampled_from(["ones", "counts", "any"]),
    offset=st.sampled_from([0.0, 0.5]),
)


def assert_same_theta(problem, solution, theta, other):
    """Assert that theta, carried here from the solution of an `other` form of the problem, is the minimiser.

    A duality gap E holds beta within sqrt(2 E / kappa) of the minimiser, as the risk bends by kappa; where
    many rows stand just on the margin that is all that is known. The kinks in b move along with beta.
    """
    p, rounding = problem.X.shape[1], problem.rounding(theta)
    gaps = (solution.duality_gap + other.duality_gap) * problem.weights.sum()
    # The objective's own digits; twice, here and in the other form.
    excess = gaps + 2.0 * (problem.weights @ rounding + ROUNDING * problem.primal(theta))
    assert problem.primal(theta) <= problem.primal(solution.theta) + excess
    reach = 2.0 * np.sqrt(2.0 * excess / problem.kappa)
    np.testing.assert_allclose(theta[:p], solution.theta[:p], rtol=0, atol=reach)
    moved = np.linalg.norm(problem.X, axis=1).max() * reach + rounding.max()
    np.testing.assert_allclose(theta[p:], solution.theta[p:], rtol=0, atol=moved)
