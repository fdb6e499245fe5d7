"""A training-set attack: change a few training images a little so that one test image is misjudged.

Koh and Liang (2017, section 5.2) attack a deep network's last layer. Here the model is Figure 2's logistic
regression: the predicted effect is a closed form (`ist.input_influence`), the actual one a refit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType
from influstat.experiments.split import centre_and_spread
from influstat.fit import Fit
from influstat.influence.inputs import input_influence
from influstat.input.printing import ShortRepr
from influstat.input.validation import (
    FloatArray,
    check_finite,
    numeric_array,
    real_number,
    vector,
    whole_number,
)
from influstat.models.linear import Logistic
from influstat.plots import image_difference, image_panels
from influstat.plots.base import several_axes

LARGEST_GREY = 255.0


@dataclass(frozen=True, eq=False, repr=False)
class Attack(ShortRepr):
    """Predicted and actual effect of k changed training images on one test loss."""

    rows: NDArray[np.intp]  # the training images changed, shape (k,)
    images: FloatArray  # what they were changed to, grey levels, shape (k, q)
    before: float  # the test loss
    after: float  # the test loss after retraining
    first_order: float  # predicted change by I_pert, linear in the pixels
    newton_step: float  # predicted change by one Newton step on the changed data, loss evaluated anew
    flipped: bool  # whether the test image is now misjudged and was not before

    @property
    def actual(self) -> float:
        """The change of the test loss on retraining, after minus before."""
        return self.after - self.before


def attack_training_set(
    images: Any,
    labels: Any,
    test_image: Any,
    test_label: float,
    *,
    lam: float = 1000.0,
    changed: int = 10,
    grey_levels: float = 5.0,
    least_spread: float = 20.0,
    fit: Fit | None = None,
) -> Attack:
    """Change the training images that raise one test loss most, and retrain.

    Parameters
    ----------
    images, labels : array_like, shapes (n, q) and (n,)
        Training images, grey levels 0 to 255, and 0 or 1; standardised as in Figure 2 before the fit, with
        the means and spreads of the unchanged images also after the attack.
    test_image, test_label : array_like of shape (q,), 0 or 1
        The victim.
    lam : float
        Penalty of the logistic regression.
    changed : int
        How many training images are changed: those with the largest predicted effect.
    grey_levels : float
        Every pixel moves by at most this, within 0 to 255.
    least_spread : float
        Only pixels with at least this standard deviation (grey levels) are touched: elsewhere a few
        grey levels are many standard deviations, which no first-order prediction covers.
    fit : Fit, optional
        The fit to the unchanged data, if at hand: `standardised_fit(images, labels, lam=lam)`.

    Returns
    -------
    Attack

    Raises
    ------
    InvalidArgument, InvalidType
        Arrays differ in shape, or hold what is no grey level or label; `changed` is not from 1 to n; or
        `fit` does not minimise the risk of these images with this `lam`.
    """
    images, center, spread = _grey_levels(images)
    labels = vector("labels", labels, len(images))
    changed = whole_number("changed", changed, at_least=1)
    if changed > len(images):
        need = f"be at most the number of images ({len(images)})"
        raise InvalidArgument("changed", need, f"is {changed}", "Change fewer.")
    grey_levels = real_number("grey_levels", grey_levels, above=0.0)
    least_spread = real_number("least_spread", least_spread, at_least=0.0)
    fit = _unattacked(fit, (images - center) / spread, labels, lam)
    victim = ((vector("test_image", test_image, images.shape[1], per="pixel") - center) / spread)[None, :]
    target = np.array([_label(test_label)])
    scores = input_influence(fit, victim, target)
    direction = np.sign(scores.values)
    moved = np.clip(images + grey_levels * direction, 0.0, LARGEST_GREY)
    moved[:, spread < least_spread] = images[:, spread < least_spread]
    steps = (moved - images) / spread
    effect = scores.effect(steps)
    rows = np.argsort(-effect, kind="stable")[:changed]
    X = ((images - center) / spread).copy()
    X[rows] += steps[rows]
    risk: Any = Logistic(lam=lam, protocol="fixed").risk(X, labels)
    step = np.linalg.solve(risk.curvature(fit.theta).to_dense(), -risk.gradient(fit.theta))
    after = Fit.minimise(risk, start=fit.theta)
    tests = fit.test_rows(victim, target)
    before = float(fit.loss(victim, target)[0])
    is_right = [(one.predict(victim)[0] > 0) == (target[0] == 1.0) for one in (fit, after)]
    return Attack(
        rows=rows,
        images=moved[rows],
        before=before,
        after=float(after.loss(victim, target)[0]),
        first_order=float(effect[rows].sum()),
        newton_step=float(tests.row_losses(fit.theta + step)[0]) - before,
        flipped=bool(is_right[0] and not is_right[1]),
    )


def draw(attack: Attack, images: Any, test_image: Any) -> Any:
    """Draw the victim and one training image before, after, and how it was changed; return the Figure."""
    axes = several_axes(None, 4, columns=4, height=2.0)
    row = attack.rows[0]
    pictures = np.array([test_image, images[row], attack.images[0]], dtype=np.float64)
    image_panels(pictures, ["the victim", "a training image", "the same, attacked"], ax=axes[:3])
    image_difference(images[row], attack.images[0], title="the change", ax=axes[3])
    return axes[0].figure


def standardised_fit(images: Any, labels: Any, *, lam: float = 1000.0) -> Fit:
    """Return Figure 2's logistic regression of the standardised images, "fixed" penalty."""
    images, center, spread = _grey_levels(images)
    return Logistic(lam=lam, protocol="fixed").fit((images - center) / spread, labels)


def _grey_levels(images: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the images, checked, and the mean and spread of each pixel, 1 where it never changes."""
    given = np.asarray(numeric_array("images", images), dtype=np.float64)
    if given.ndim != 2 or given.size == 0:
        need, remedy = "have one row of pixels per image", "Flatten each image."
        raise InvalidArgument("images", need, f"has shape {given.shape}", remedy)
    check_finite("images", given)
    if given.min() < 0.0 or given.max() > LARGEST_GREY:
        need, remedy = "hold grey levels from 0 to 255", "Pass them before standardising."
        raise InvalidArgument("images", need, f"runs from {given.min():g} to {given.max():g}", remedy)
    return given, *centre_and_spread(given)


def _label(label: float) -> float:
    number = real_number("test_label", label)
    if number not in (0.0, 1.0):
        raise InvalidArgument("test_label", "be 0 or 1", f"is {number:g}", "Code it as the labels are.")
    return number


def _unattacked(fit: Fit | None, X: FloatArray, labels: FloatArray, lam: float) -> Fit:
    """Return the fit to the unchanged images; of one that is given theta is taken over, if it is that."""
    model = Logistic(lam=lam, protocol="fixed")
    if fit is None:
        return model.fit(X, labels)
    if not isinstance(fit, Fit):
        raise InvalidType("fit", "be a Fit", f"is a {type(fit).__name__}", "Leave it out, or pass a Fit.")
    risk = model.risk(X, labels)
    try:
        return Fit(risk, fit.theta)
    except InvalidArgument as error:
        need = f"minimise the risk of these images, labels and lam = {lam:g}"
        remedy = "Pass standardised_fit(images, labels, lam=lam), or leave it out."
        raise InvalidArgument("fit", need, f"does not ({error.argument} {error.value})", remedy) from None
