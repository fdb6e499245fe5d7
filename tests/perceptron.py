"""A two-layer perceptron in plain NumPy, as a user would write it: not convex, no design matrix."""

from dataclasses import dataclass

import numpy as np

import influstat as ist


@dataclass(frozen=True)
class Perceptron:
    """f(x) = v' tanh(W'x + b) + c, logistic loss for y in {-1, 1}; theta = (W, b, v, c)."""

    X: np.ndarray
    y: np.ndarray
    hidden: int

    @property
    def size(self):
        return (self.X.shape[1] + 2) * self.hidden + 1

    def parts(self, theta):
        inputs, q = self.X.shape[1], self.hidden
        W, b, v, c = np.split(theta, np.cumsum([inputs * q, q, q]))
        return W.reshape(inputs, q), b, v, c[0]

    def output(self, theta, X):
        W, b, v, c = self.parts(theta)
        return np.tanh(X @ W + b) @ v + c

    def test_losses(self, theta, X, y):
        return np.log1p(np.exp(-y * self.output(theta, X)))

    def row_losses(self, theta):
        return self.test_losses(theta, self.X, self.y)

    def row_gradients(self, theta):
        W, b, v, c = self.parts(theta)
        hidden = np.tanh(self.X @ W + b)
        slope = -self.y / (1.0 + np.exp(self.y * (hidden @ v + c)))
        back = slope[:, None] * v * (1.0 - hidden**2)
        first = (self.X[:, :, None] * back[:, None, :]).reshape(len(self.X), -1)
        return np.column_stack([first, back, slope[:, None] * hidden, slope])

    def risk(self, strength, **settings):
        return ist.BlackBoxRisk(
            self.row_losses,
            self.size,
            penalty=ist.L2(strength),
            test_losses=self.test_losses,
            predict=self.output,
            **settings,
        )


def iris(data_dir, hidden=3):
    """Return the perceptron of versicolor against virginica, features standardised."""
    features = np.genfromtxt(data_dir / "iris" / "iris.data", delimiter=",", usecols=range(4))[50:]
    X = (features - features.mean(axis=0)) / features.std(axis=0)
    return Perceptron(X, np.repeat([1.0, -1.0], 50), hidden)
