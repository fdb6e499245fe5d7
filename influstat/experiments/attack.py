"""A training-set attack: change a few training images a little so that one test image is misjudged.

Koh and Liang (2017, section 5.2) attack a deep network's last layer. Here the model is Figure 2's
logistic regression, so that the predicted effect is a closed form (`influstat.input_influence`) and the
actual one a refit. Every pixel moves by a few grey levels in the direction that raises the test loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.fit import Fit
from influstat.input_influence import input_influence
from influstat.models import Logistic
from influstat.printing import ShortRepr
from influstat.validation import FloatArray

LARGEST_GREY = 255.0


@dataclass(frozen=True, eq=False, repr=False)
class Attack(ShortRepr):
    """Predicted and actual effect of changed training images on one test loss.

    Attributes
    ----------
    rows : ndarray of int, shape (k,)
        The training images changed.
    images : ndarray, shape (k, q)
        What they were changed to, grey levels.
    before, after : float
        The test loss before and after retraining.
    first_order : float
        Predicted change by I_pert, linear in the pixels.
    newton_step : float
        Predicted change by one Newton step on the changed data, loss evaluated anew.
    flipped : bool
        Whether the test image is now misjudged and was not before.
    """

    rows: NDArray[np.intp]
    images: FloatArray
    before: float
    after: float
    first_order: float
    newton_step: float
    flipped: bool

    @property
    def actual(self) -> float:
        """The change of the test loss on retraining, after minus before."""
        return self.after - self.before


def attack_training_set(
    images: FloatArray,
    labels: FloatArray,
    test_image: FloatArray,
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
    images : ndarray, shape (n, q)
        Training images, grey levels 0 to 255; standardised as in Figure 2 before the fit, with the
        means and spreads of the unchanged images also after the attack.
    labels : ndarray, shape (n,)
        0 and 1.
    test_image, test_label : ndarray of shape (q,), float
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
        The fit to the unchanged data, if at hand (as `standardised_fit` gives it).

    Returns
    -------
    Attack
        Predicted and actual change.
    """
    center, spread = images.mean(axis=0), images.std(axis=0)
    spread[spread == 0] = 1.0
    fit = standardised_fit(images, labels, lam=lam) if fit is None else fit
    victim = ((test_image - center) / spread)[None, :]
    target = np.array([test_label])
    scores = input_influence(fit, victim, target)
    direction = np.sign(scores.values)
    moved = np.clip(images + grey_levels * direction, 0.0, LARGEST_GREY)
    moved[:, spread < least_spread] = images[:, spread < least_spread]
    steps = (moved - images) / spread
    effect = scores.effect(steps)
    rows = np.argsort(-effect, kind="stable")[:changed]
    X = ((images - center) / spread).copy()
    X[rows] += steps[rows]
    risk: Any = Logistic(lam=lam, penalty="fixed").risk(X, labels)
    step = np.linalg.solve(risk.curvature(fit.theta).to_dense(), -risk.gradient(fit.theta))
    after = Fit.minimise(risk, start=fit.theta)
    tests = fit.risk.test_rows(victim, target)
    before = float(fit.loss(victim, target)[0])
    return Attack(
        rows=rows,
        images=moved[rows],
        before=before,
        after=float(after.loss(victim, target)[0]),
        first_order=float(effect[rows].sum()),
        newton_step=float(tests.row_losses(fit.theta + step)[0]) - before,
        flipped=_right(fit, victim, test_label) and not _right(after, victim, test_label),
    )


def standardised_fit(images: FloatArray, labels: FloatArray, *, lam: float = 1000.0) -> Fit:
    """Return Figure 2's logistic regression of the standardised images, "fixed" penalty."""
    spread = images.std(axis=0)
    spread[spread == 0] = 1.0
    return Logistic(lam=lam, penalty="fixed").fit((images - images.mean(axis=0)) / spread, labels)


def _right(fit: Fit, row: FloatArray, label: float) -> bool:
    return bool((fit.predict(row)[0] > 0) == (label == 1.0))
