"""The three searches behind `find_mislabelled`, on MNIST 1 against 7, Spambase and Enron1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from influstat.datasets import load_enron1, load_mnist17, load_spambase
from influstat.experiments.digits import digits_split, mnist_data
from influstat.experiments.mislabelled import SCORES, Search, search_mislabelled
from influstat.experiments.split import centre_and_spread, standardised
from influstat.input.validation import FloatArray, choice

DATA = ("mnist17", "spambase", "enron1")
HELD_OUT = 500
LEAST_MAILS = 50  # in which a word of Enron1 must occur
SEEDS = tuple(range(43, 53))

Rows = tuple[FloatArray, FloatArray]  # X and y


def mislabelled_evidence(
    data: str, *, seeds: Sequence[int] = SEEDS, scores: Sequence[str] = SCORES
) -> Search:
    """Run one of the three searches; ten seeds and all scores take 1 to 40 minutes.

    Parameters
    ----------
    data : {"mnist17", "spambase", "enron1"}
        MNIST: Figure 2's 9,084 rows, standardised, lam = 500, 909 flips, 200 checks a round; the first 500
        test images are clean. Spambase (57 columns) and Enron1 (the 1,276 words that occur in 50 mails or
        more, 4,672 rows): log(1 + x), Spambase standardised, lam = 1, 500 clean rows held out at random,
        one label in ten flipped, 1.1 times as many checks in all, in five rounds.
    seeds, scores
        See `search_mislabelled`.

    Returns
    -------
    Search

    Raises
    ------
    DatasetError, InvalidArgument
        The data are not at hand, or there are none of that name.
    """
    choice("data", data, DATA)
    if data == "mnist17":
        (X, y), clean = _digits()
        return search_mislabelled(
            X, y, clean=clean, lam=500.0, flips=909, per_round=200, seeds=seeds, scores=scores
        )
    mails: Any = load_spambase() if data == "spambase" else load_enron1()
    if data == "spambase":
        X = np.log1p(np.asarray(mails.X, dtype=np.float64))
        centre, spread = centre_and_spread(X)
        X = (X - centre) / spread
    else:
        often = np.asarray((mails.X > 0).sum(axis=0)).ravel() >= LEAST_MAILS
        X = np.log1p(mails.X[:, often].toarray())
    y = mails.y.astype(np.float64)
    order = np.random.RandomState(0).permutation(len(y))
    held, rest = order[:HELD_OUT], order[HELD_OUT:]
    flips = round(0.1 * len(rest))
    return search_mislabelled(
        X[rest], y[rest], clean=(X[held], y[held]), lam=1.0, flips=flips, per_round=round(1.1 * flips / 5),
        seeds=seeds, scores=scores,
    )  # fmt: skip


def _digits() -> tuple[Rows, Rows]:
    """Return Figure 2's rows, standardised, and the first 500 test images, each as X and y in {0, 1}."""
    test = load_mnist17(part="test")
    clean = {"X_test": test.X[:HELD_OUT], "y_test": test.y[:HELD_OUT] == 1}
    split = standardised(replace(digits_split(mnist_data())[0], **clean))
    return (split.X, split.y), (split.X_test, split.y_test.astype(np.float64))
