"""`Risk`: what a risk must offer so that fits, influence functions and removals can work with it."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, runtime_checkable

from numpy.typing import NDArray

from influstat.input.validation import FloatArray

EXAMPLES = "ist.LinearRisk(loss, X, y), or ist.BlackBoxRisk(row_losses, coefficients)"  # for what is none


@runtime_checkable
class Risk(Protocol):
    """What fits, influence functions and removals ask of a risk; `LinearRisk` is the closed form.

    All in mean scale: R(theta) = (1/W) [sum_i w_i l_i(theta) + P(theta)].

    Attributes
    ----------
    shape : tuple of int
        (n, p): rows and coefficients.
    names, row_labels : sequence
        What coefficients and rows are called.
    weights : ndarray, shape (n,)
        w_i.
    total_weight : float
        W.
    protocol : {"fixed", "folded"}
        What leaves with a row: its loss alone, or its loss and its share w_i / W of the penalty.

    Examples
    --------
    >>> import influstat as ist
    >>> isinstance(ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0]), ist.Risk)
    True
    """

    @property
    def shape(self) -> tuple[int, int]:
        """(n, p): rows and coefficients."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """What the coefficients are called."""
        ...

    @property
    def row_labels(self) -> NDArray[Any]:
        """What the rows are called, shape (n,)."""
        ...

    @property
    def weights(self) -> FloatArray:
        """w_i, shape (n,)."""
        ...

    @property
    def total_weight(self) -> float:
        """W."""
        ...

    @property
    def protocol(self) -> str:
        """What leaves with a row: "fixed" or "folded" (see `influstat.risks.protocol.Protocol`)."""
        ...

    def value(self, theta: FloatArray) -> float:
        """Return R(theta)."""
        ...

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad R(theta), shape (p,)."""
        ...

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size of each entry of the gradient without cancellation, shape (p,)."""
        ...

    def curvature(self, theta: FloatArray) -> Any:
        """Return the Hessian H(theta): a LinearOperator with `to_dense()` and `diagonal()`."""
        ...

    def row_losses(self, theta: FloatArray) -> FloatArray:
        """Return L_i = l_i + s P / W, shape (n,), or (n, k) for theta of shape (p, k)."""
        ...

    def row_gradients(self, theta: FloatArray, rows: Any = ...) -> FloatArray:
        """Return g_i = grad L_i of the chosen rows, shape (k, p), not multiplied by the weights."""
        ...

    def row_gradients_dot(self, theta: FloatArray, vectors: FloatArray) -> FloatArray:
        """Return g_i'v for all rows and all columns v of `vectors` (p, m), shape (n, m)."""
        ...

    def reweighted(self, weights: Any) -> Any:
        """Return the risk of the same rows with other weights, its penalty as the protocol says."""
        ...

    def test_rows(self, X: Any, y: Any, *, offset: Any = None) -> Any:
        """Return new rows as a risk, for its row_losses and row_gradients; W stays the training total."""
        ...

    def predictions(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> FloatArray:
        """Return predictions for new rows, shape (m,), or (m, k) for theta of shape (p, k)."""
        ...

    def prediction_gradients(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> tuple[FloatArray, NDArray[Any]]:
        """Return the gradients of the predictions, shape (p, m), and the labels of the new rows."""
        ...


Kind = TypeVar("Kind", bound=Risk)


def left_over(risk: Kind, rows: Any) -> Kind:
    """Return the risk without the rows, its penalty as the protocol says; raise where no weight is left."""
    weights = risk.weights.copy()
    weights[rows] = 0.0
    part: Kind = risk.reweighted(weights)
    return part
