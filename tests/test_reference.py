"""The ground truth itself: its minimiser, and its influence against refits with a shifted weight."""

import numpy as np
import pytest
from hypothesis import given

from tests.budget import examples
from tests.cases import LOSSES, make_problem, problems
from tests.reference import assert_within, derivative

PROTOCOLS = ("fixed", "folded")


def settled(case, protocol):
    """Return a problem with one minimiser, its plain risk and that minimiser."""
    problem = make_problem(
        case, 12, 2, seed=5, weights="positive", offset=True, strength=2.0, intercept=True, protocol=protocol
    )
    plain = problem.plain()
    return problem, plain, plain.minimiser()


@examples(40)
@given(problems(solvable=True, rows=(8, 14), columns=(1, 3), decades=2))
def test_the_minimiser_has_no_gradient(problem):
    plain = problem.plain()
    theta = plain.minimiser()
    assert_within(plain.gradient(theta), np.zeros_like(theta), plain.gradient_size(theta))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("case", LOSSES, ids=str)
def test_influence_is_the_derivative_of_the_minimiser(case, protocol):
    _, plain, theta = settled(case, protocol)
    influence = plain.influence_on_theta(theta)
    h = 1e-4 / max(1.0, case.c)

    def upweighted(row, eps):  # minimises R + eps L_row
        return plain.reweighted(plain.weights + eps * plain.total_weight * (np.arange(12) == row)).minimiser(
            theta
        )

    for row in (0, 7):
        slope = derivative(lambda eps, row=row: upweighted(row, eps), h)
        np.testing.assert_allclose(influence[row], slope, rtol=1e-7, atol=1e-7 * np.abs(influence).max())


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("case", LOSSES, ids=str)
def test_influence_on_a_loss_is_the_chain_rule(case, protocol):
    problem, plain, theta = settled(case, protocol)
    X, y = problem.with_ones(problem.X_test), problem.y_test
    influence = plain.influence_on_loss(theta, X, y)
    assert influence.shape == (12, 3)
    h = 1e-4 / max(1.0, case.c)
    for row in (0, 7):
        move = plain.influence_on_theta(theta)[row]
        unit = max(1.0, np.max(np.abs(X @ move)))
        for test in range(3):
            slope = derivative(lambda r, t=test, m=move / unit: plain.row_loss(theta + r * m, X[t], y[t]), h)
            np.testing.assert_allclose(influence[row, test], unit * slope, rtol=1e-7, atol=1e-8 * unit)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("case", LOSSES, ids=str)
def test_removal_is_the_first_order_change_when_the_weight_goes(case, protocol):
    _, plain, theta = settled(case, protocol)
    removal = plain.removal(plain.influence_on_theta(theta))

    def faded(row, share):
        return plain.reweighted(plain.weights * (1.0 - share * (np.arange(12) == row))).minimiser(theta)

    for row in (3, 11):
        slope = derivative(lambda share, row=row: faded(row, share), 1e-3 / max(1.0, case.c))
        np.testing.assert_allclose(removal[row], slope, rtol=1e-7, atol=1e-7 * np.abs(removal).max())


@examples(60)
@given(problems())
def test_deleting_a_row_is_a_weight_of_zero(problem):
    plain = problem.plain()
    weights = plain.weights * (np.arange(problem.n) != 1)
    zero, gone = plain.reweighted(weights), plain.without([1])
    assert_within(zero.value(problem.theta), gone.value(problem.theta), gone.value_size(problem.theta))
    assert_within(
        zero.gradient(problem.theta), gone.gradient(problem.theta), gone.gradient_size(problem.theta)
    )
