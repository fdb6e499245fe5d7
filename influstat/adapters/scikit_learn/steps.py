"""The transformers of a pipeline one after the other, as its last step gets the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from influstat.errors import Unsupported


@dataclass(frozen=True, eq=False)
class Steps:
    """What stands before the final estimator: a Pipeline of it would ask whether its last step learned.

    A transformer of the user's own that learns nothing has nothing to show for its fit, and scikit-learn
    then takes the whole Pipeline for unfitted.

    Examples
    --------
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> Steps([("double", FunctionTransformer(lambda X: 2 * X)), ("rest", "passthrough")]).transform(3)
    6
    """

    steps: list[tuple[str, Any]]

    def __post_init__(self) -> None:
        """Raise where a step cannot transform new rows, as one that draws rows."""
        for step in self._working():
            if not hasattr(step, "transform"):
                raise Unsupported(
                    "estimator",
                    "be a Pipeline of steps that transform rows",
                    f"has a {type(step).__name__} in it",
                    "Pass its last step, with the rows that it got.",
                )

    def transform(self, X: Any) -> Any:
        """Return the rows after all steps."""
        for step in self._working():
            X = step.transform(X)
        return X

    def get_feature_names_out(self) -> Any:
        """Return the names of their columns, or raise AttributeError or ValueError where a step has none."""
        names = None
        for step in self._working():
            names = step.get_feature_names_out(names)
        return names

    def _working(self) -> list[Any]:
        """Return the steps that do something."""
        return [step for _, step in self.steps if step is not None and not isinstance(step, str)]
