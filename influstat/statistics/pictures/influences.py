"""Pictures of what each row does to the loss of test rows: by row, by distance to the boundary, as images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.influence.influence import Influence
from influstat.input.lazy_types import Axes
from influstat.input.validation import FloatArray, choice, whole_number
from influstat.removal.leave_out import announced, leave_one_out
from influstat.statistics.pictures.base import Pictures, look_of
from influstat.statistics.pictures.factors import of_two_classes

METHODS = ("influence", "newton", "second_order", "exact")


class InfluencePictures(Pictures):
    """Pictures of the influence of training rows on test rows."""

    def loss_change(
        self,
        X: Any,
        y: Any = None,
        *,
        method: str = "influence",
        offset: Any = None,
        names: int = 3,
        title: str | None = None,
        size: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw by how much a test loss changes without each row, as a stem over its position.

        Parameters
        ----------
        X, y : array_like, shapes (m, p) and (m,)
            Test rows; the sum of their losses is drawn.
        method : {"influence", "newton", "second_order", "exact"}
            Influence functions, linear in the row, or the loss at the theta of another method of
            `Fit.leave_one_out`.
        offset : array_like, shape (m,), optional
            Offsets of the test rows.
        names : int
            How many of the largest changes are marked and, where there is room, named.
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            After minus before: a row above 0 helps, the loss is larger without it.

        Raises
        ------
        InvalidArgument, InvalidType
            The test rows are not of the fit's columns, or an argument is not as above.

        Warns
        -----
        DoubtfulResult
            Without some rows there is no fit: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [2.0], [3.0]], [1.0, 3.0, 2.0], row_labels=list("abc"))
        >>> ax = fit.plot.loss_change([[1.0]], [2.0], names=1)
        >>> [text.get_text() for text in ax.texts]
        ['b']
        """
        look = look_of(names, title, size, ax)
        change = changes(self._fit, X, y, offset, choice("method", method, METHODS))
        said = "first order" if method == "influence" else method.replace("_", " ")
        return self._draw("influence_index", change, name=f"change of the test loss ({said})", **look)

    def distance(
        self,
        X: Any,
        y: Any = None,
        *,
        offset: Any = None,
        names: int = 0,
        title: str | None = None,
        size: Any = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the influence of each row on a test loss against its distance to the decision boundary.

        Parameters
        ----------
        X, y : array_like, shapes (m, p) and (m,)
            Test rows; the sum of their losses is drawn.
        offset : array_like, shape (m,), optional
            Offsets of the test rows.
        names : int
            How many rows of largest influence are named, where there is room.
        title, size, ax
            As for all pictures: see `influstat.plots`.

        Returns
        -------
        Axes
            The derivative I of the loss when a row is upweighted, over x'theta / |theta|, in the units of X;
            |theta| without the coefficient of a constant column. Colours and markers are the labels.

        Raises
        ------
        Unsupported
            The risk has no linear predictor, or y has not two values.
        InvalidArgument, InvalidType
            The test rows are not of the fit's columns, or an argument is not as above.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Logistic(lam=1.0).fit([[1.0], [2.0], [-1.0]], [1, 0, 0])
        >>> fit.plot.distance([[1.0]], [1]).get_xlabel()
        'distance to the boundary'
        """
        look, risk = look_of(names, title, size, ax), of_two_classes(self._fit, "a boundary")
        slopes = np.arange(len(self._fit.theta)) != risk.design.constant_column
        length = float(np.linalg.norm(self._fit.theta[slopes]))
        return self._draw(
            "influence_against_distance",
            risk.linear_predictor(self._fit.theta) / (length or 1.0),
            Influence(self._fit).on_loss(X, y, offset=offset).values.sum(axis=1),
            classes=risk.y,
            **look,
        )

    def helpful_and_harmful(
        self,
        images: Any,
        X: Any,
        y: Any = None,
        *,
        method: str = "influence",
        offset: Any = None,
        shape: tuple[int, int] | None = None,
        names: int = 5,
        title: str | None = None,
        size: Any = None,
        ax: Any = None,
    ) -> NDArray[Any]:
        r"""Draw the most helpful and the most harmful training rows, where these are pictures.

        Parameters
        ----------
        images : array_like, shape (n, p) or (n, height, width)
            Grey levels of the training rows, before any standardising.
        X, y, method, offset
            As for `loss_change`.
        shape : (int, int), optional
            Height and width of a picture; square when left out and `images` does not tell.
        names : int
            How many of each are drawn.
        title, size, ax
            As for all pictures: see `influstat.plots`; one Axes per panel.

        Returns
        -------
        ndarray of Axes
            As `influstat.plots.helpful_and_harmful_images` draws them.

        Raises
        ------
        InvalidArgument, InvalidType
            There is not one picture per row, or an argument is not as above.

        Warns
        -----
        DoubtfulResult
            Without some rows there is no fit: they are not drawn.

        Examples
        --------
        >>> import influstat as ist
        >>> images = [[0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 0, 0]]
        >>> fit = ist.Logistic(lam=1.0).fit(images, [1, 0, 0], row_labels=["a", "b", "c"])
        >>> axes = fit.plot.helpful_and_harmful(images, images[:1], [1], names=1)
        >>> [ax.get_title().partition("\n")[0] for ax in axes]
        ['row a', 'row c']
        """
        names = whole_number("names", names, at_least=1)
        change = changes(self._fit, X, y, offset, choice("method", method, METHODS))
        return self._draw_panels(
            "helpful_and_harmful_images",
            images,
            change,
            k=names,
            shape=shape,
            title=title,
            size=size,
            ax=ax,
        )


def changes(fit: Any, X: Any, y: Any, offset: Any, method: str) -> FloatArray:
    """Return the change of the summed test loss without each row, after minus before, shape (n,)."""
    if method == "influence":
        found = Influence(fit).on_loss(X, y, offset=offset).removal
    else:
        removal = leave_one_out(fit, method=method)
        found = (announced(removal) if method == "exact" else removal).loss_change(X, y, offset=offset)
    return np.asarray(found.sum(axis=1))
