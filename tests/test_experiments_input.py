"""Bad input to the experiments on applications is refused by name; right input is left alone."""

import re

import numpy as np
import pytest

from influstat.datasets import first_available
from influstat.errors import InflustatError, InvalidArgument, InvalidType
from influstat.experiments import (
    agreement,
    digits_split,
    figure1,
    figure2,
    figure2_as_figure,
    figure3,
    forest_fires_split,
)
from influstat.experiments.attack import Attack, attack_training_set, standardised_fit
from influstat.experiments.attack import draw as draw_attack
from influstat.experiments.mislabelled import search_mislabelled
from influstat.experiments.mismatch import domain_mismatch, stand_in_mismatch

N, PIXELS, LAM = 60, 9, 5.0
rng = np.random.default_rng(0)
LABELS = rng.integers(0, 2, N).astype(float)
IMAGES = np.clip(rng.normal(120.0, 40.0, (N, PIXELS)) + 40.0 * LABELS[:, None], 0.0, 255.0)
VICTIM = rng.uniform(80.0, 160.0, PIXELS)


def attack(images=IMAGES, labels=LABELS, test_image=VICTIM, test_label=1.0, **settings):
    return attack_training_set(images, labels, test_image, test_label, **{"lam": LAM, **settings})


def search(X=IMAGES / 100.0, y=LABELS, **settings):
    return search_mislabelled(
        X, y, **{"lam": 1.0, "flips": 6, "per_round": 3, "rounds": 2, "scores": ("loss",), **settings}
    )


ATTACKS = [
    ({"changed": -1}, "changed must be at least 1"),
    ({"changed": 0}, "changed must be at least 1"),
    ({"changed": N + 1}, f"changed must be at most the number of images ({N})"),
    ({"changed": 2.5}, "changed must be a whole number"),
    ({"test_image": VICTIM[:-1]}, f"test_image must have one entry per pixel ({PIXELS})"),
    ({"test_image": VICTIM.reshape(3, 3)}, "test_image must be one-dimensional"),
    ({"test_image": np.full(PIXELS, np.nan)}, "test_image must be finite"),
    ({"test_label": 2.0}, "test_label must be 0 or 1"),
    ({"labels": LABELS[:-1]}, f"labels must have one entry per row ({N})"),
    ({"images": IMAGES[0]}, "images must have one row of pixels per image"),
    ({"images": IMAGES - 200.0}, "images must hold grey levels from 0 to 255"),
    ({"grey_levels": 0.0}, "grey_levels must be greater than 0"),
    ({"grey_levels": -5.0}, "grey_levels must be greater than 0"),
    ({"least_spread": -1.0}, "least_spread must be at least 0"),
    ({"fit": standardised_fit(IMAGES, LABELS, lam=2.0 * LAM)}, "fit must minimise the risk of these images"),
    (
        {"fit": standardised_fit(IMAGES[:-1], LABELS[:-1], lam=LAM)},
        "fit must minimise the risk of these images",
    ),
    ({"fit": standardised_fit(IMAGES[:, 1:], LABELS, lam=LAM)}, "fit must minimise the risk of these images"),
    ({"fit": "fit"}, "fit must be a Fit"),
]

SEARCHES = [
    ({"flips": 0}, "flips must be at least 1"),
    ({"flips": N + 1}, f"flips must be at most the number of rows ({N})"),
    ({"per_round": 0}, "per_round must be at least 1"),
    ({"per_round": N}, "per_round must be at most 30"),
    ({"rounds": 0}, "rounds must be at least 1"),
    ({"y": 2.0 * LABELS - 1.0}, "y must hold only the labels 0 and 1"),
    ({"y": LABELS[:-1]}, "y must have"),
    ({"y": ["one"] * N}, "y must hold real numbers"),
    ({"seeds": ()}, "seeds must hold at least one seed"),
    ({"seeds": 43}, "seeds must be a sequence of ints"),
    ({"seeds": (-1,)}, "seeds must be at least 0"),
    ({"scores": ("validation",)}, "clean must be given"),
    ({"lam": -1.0}, "lam must be at least 0"),
]


@pytest.mark.parametrize(
    ("call", "settings", "message"),
    [(attack, *case) for case in ATTACKS] + [(search, *case) for case in SEARCHES],
)
def test_bad_input_is_refused_by_name(call, settings, message):
    with pytest.raises(InflustatError, match=f"^{re.escape(message)}"):
        call(**settings)


def test_an_unknown_score_is_refused_with_all_that_are_known():
    with pytest.raises(InvalidArgument, match="^scores must be") as refused:
        search(scores=("loss", "cooks_d"))
    for score in ("leave_one_out", "cross_validation", "validation", "random", "cooks_d"):
        assert repr(score) in str(refused.value)


@pytest.mark.parametrize(("kept", "message"), [(-1, "at least 0"), (40, "at most"), (0.5, "a whole number")])
def test_the_student_kept_must_be_one_of_those_there_are(kept, message):
    with pytest.raises(InflustatError, match=f"^kept must be {message}"):
        stand_in_mismatch(kept=kept)


@pytest.mark.parametrize(("kept", "message"), [(-1, "at least 0"), (21, "at most 20")])
def test_the_child_kept_must_be_one_of_21(kept, message, data_dir):
    with pytest.raises(InvalidArgument, match=f"^kept must be {message}"):
        domain_mismatch(kept=kept)


def test_a_fit_at_hand_gives_the_same_attack_and_lists_are_as_good_as_arrays():
    alone = attack(changed=3)
    given = attack(changed=3, fit=standardised_fit(IMAGES, LABELS, lam=LAM))
    listed = attack(IMAGES.tolist(), LABELS.tolist(), VICTIM.tolist(), 1, changed=3)
    for other in (given, listed):
        np.testing.assert_array_equal(other.rows, alone.rows)
        assert other.actual == pytest.approx(alone.actual, rel=1e-9)
    assert len(alone.rows) == 3
    assert alone.actual == pytest.approx(alone.newton_step, rel=0.05)
    found, by_list = search(), search(y=LABELS.astype(int).tolist())
    np.testing.assert_array_equal(found.found["loss"], by_list.found["loss"])
    assert np.isfinite(found.found["loss"]).all()


def test_an_attack_is_drawn_with_how_it_changed_the_image():
    images = np.arange(32.0).reshape(2, 16)
    changed = images[1] + np.where(np.arange(16) % 3 == 0, 5.0, 0.0)
    attack = Attack(np.array([1]), changed[None], 0.1, 0.8, 0.6, 0.7, flipped=True)
    axes = draw_attack(attack, images, images[0] + 1.0).axes
    shown = [np.asarray(ax.images[0].get_array()).ravel() for ax in axes[:4]]
    for found, expected in zip(
        shown, (images[0] + 1.0, images[1], changed, changed - images[1]), strict=True
    ):
        assert np.array_equal(found, expected)
    assert [ax.get_title() for ax in axes[:4]] == [
        "the victim", "a training image", "the same, attacked", "the change",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "call", [figure1, figure2, figure3, figure2_as_figure, forest_fires_split, digits_split]
)
def test_data_of_a_figure_are_a_dataset(call):
    for data in (3, IMAGES):
        with pytest.raises(InvalidType, match="data must be a Dataset, but it is .*Load one from influstat"):
            call(data=data)


def test_changes_that_are_all_equal_have_no_agreement():
    for predicted, exact, name in (([1, 1, 1], [1, 2, 3], "predicted"), ([1, 2, 3], [2, 2, 2], "exact")):
        with pytest.raises(
            InvalidArgument, match=f"{name} must hold different values, but it is . throughout"
        ):
            agreement(predicted, exact)


def test_loaders_are_functions():
    with pytest.raises(InvalidType, match="loaders must be functions"):
        first_available(3)
