"""Eqs. 14 (its sign mended), 16 and 17 of the paper, written out, against the general machinery."""

import numpy as np
import pytest

import influstat as ist

N, P, M = 60, 4, 7


def sigma(x):
    return 1.0 / (1.0 + np.exp(-x))


def data(seed):
    rng = np.random.default_rng(seed)
    X, X_test = rng.normal(size=(N, P)), rng.normal(size=(M, P))
    y, y_test = (rng.random(k) < 0.5 for k in (N, M))
    return X, y.astype(float), X_test, y_test.astype(float)


def close(values, formula):
    np.testing.assert_allclose(values, formula, rtol=0, atol=1e-12 * np.abs(formula).max())


@pytest.mark.parametrize("lam", [0.0, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_equation_14_with_the_sign_of_equation_10(lam, seed):
    X, _, X_test, _ = data(seed)
    rng = np.random.default_rng(seed + 100)
    y, y_test = 3.0 * rng.normal(size=N), 3.0 * rng.normal(size=M)
    fit = ist.Ridge(lam=lam).fit(X, y)
    theta = fit.theta

    def gradient(x, target):  # second line of (14)
        return -2.0 * x * (target - x @ theta) + 2.0 * lam / N * theta

    matrix = np.linalg.inv(X.T @ X + lam * np.eye(P))
    formula = [
        [
            -N / 2.0 * gradient(X[i], y[i]) @ matrix @ gradient(X_test[k], y_test[k])  # minus
            for k in range(M)
        ]
        for i in range(N)
    ]
    close(fit.influence().on_loss(X_test, y_test).values, np.array(formula))


def equation_16(theta, X, y, X_test, y_test, hessian):
    return np.array(
        [
            [
                -X[i]
                @ np.linalg.inv(hessian)
                @ X_test[k]
                * (sigma(theta @ X[i]) - y[i])
                * (sigma(theta @ X_test[k]) - y_test[k])
                for k in range(M)
            ]
            for i in range(N)
        ]
    )


def equation_17(theta, X, y, X_test, y_test, hessian):  # labels -1 and +1
    return np.array(
        [
            [
                -X[i]
                @ np.linalg.inv(hessian)
                @ X_test[k]
                * (y[i] * sigma(-y[i] * theta @ X[i]))
                * (y_test[k] * sigma(-y_test[k] * theta @ X_test[k]))
                for k in range(M)
            ]
            for i in range(N)
        ]
    )


@pytest.mark.parametrize("lam", [0.0, 3.0])  # (15) has no penalty; with one, H has its part and g has none
@pytest.mark.parametrize("seed", range(3))
def test_equations_16_and_17(lam, seed):
    X, y, X_test, y_test = data(seed)
    plain = ist.Logistic(lam=lam, protocol="fixed").fit(X, y)
    signed = ist.Logistic(lam=lam, protocol="fixed", labels=(-1, 1)).fit(X, 2 * y - 1)
    theta = plain.theta
    hessian = 2.0 * lam / N * np.eye(P)
    for x in X:
        hessian += sigma(theta @ x) * sigma(-theta @ x) * np.outer(x, x) / N
    first = equation_16(theta, X, y, X_test, y_test, hessian)
    second = equation_17(theta, X, 2 * y - 1, X_test, 2 * y_test - 1, hessian)
    close(plain.influence().on_loss(X_test, y_test).values, first)
    close(signed.influence().on_loss(X_test, 2 * y_test - 1).values, second)
    close(first, second)
    close(signed.theta, theta)
    assert (first > 0).any()
    assert (first < 0).any()
