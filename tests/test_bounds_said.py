"""Bounds that are nan are said once, with their number and the first reason, at the caller's line."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import influstat as ist
from influstat.errors import DoubtfulResult
from influstat.input.warning import doubt, unsaid
from influstat.partitioned.runners.base import Threads

RNG = np.random.default_rng(3)
X, GROUPS = RNG.normal(size=(24, 2)), np.arange(24) // 4
Y = X @ [1.0, -1.0] + RNG.normal(size=24)
LABELS = (Y > 0.0).astype(int)
FAR, FAR_LABELS = np.vstack([X, [40.0, 0.0]]), np.append(LABELS, 0)


def huber():
    """A loss without self-concordance: no removal has a certificate."""
    return ist.Fit.minimise(ist.LinearRisk(ist.HuberLoss(1.0), X, Y, penalty=ist.L2(1.0)))


def steep():
    """A row far out: first-order coefficients without it are too far from the true ones."""
    return ist.Logistic(lam=1e-3).fit(FAR, FAR_LABELS)


def classes():
    """A risk derived from softmax, of which nothing is known."""

    class Other(ist.SoftmaxRisk):
        pass

    return ist.Fit.minimise(Other(X, GROUPS % 3, penalty=ist.L2(1.0)))


def parts(loss, rows, y, groups, *, strength=1.0, runner=None):
    data = ist.partitions(rows, y, rows=5, groups=groups, runner=runner)
    return ist.PartitionedFit.minimise(ist.PartitionedRisk(loss, data, penalty=ist.L2(strength)))


FITS = {"huber": huber, "steep": steep, "classes": classes}
BOUNDS = {
    "theta": lambda removal, y: removal.theta_bound(),
    "prediction": lambda removal, y: removal.prediction_bound(X),
    "loss": lambda removal, y: removal.loss_bound(X, y),
    "held out": lambda removal, y: removal.held_out_bound(),
}


def said(ask, *arguments):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found = ask(*arguments)
    return found, [(str(one.message), one.filename) for one in heard]


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("groups", [False, True], ids=["rows", "groups"])
def test_bounds_that_are_nan_are_said_once(name, bound, groups):
    fit = FITS[name]()
    count = np.minimum(np.arange(fit.risk.shape[0]) // 4, 5)

    def leave():
        if groups:
            return fit.leave_groups_out(count, method="influence")
        return fit.leave_one_out(method="influence")

    removal = leave()
    y = GROUPS % 3 if name == "classes" else LABELS
    found, heard = said(BOUNDS[bound], removal, y)
    why = removal.certificate.status
    bad = [k for k, text in enumerate(why) if text]
    assert np.isnan(found).any()
    assert len(heard) == 1
    text, file = heard[0]
    assert text.startswith(
        f"{len(bad)} of {len(why)} removals have bounds that are nan (`certificate.status`"
    )
    assert text.endswith(f"The first, without {removal.labels[bad[0]]}: {why[bad[0]]}")
    assert file == __file__
    assert not said(BOUNDS[bound], leave(), y)[1]  # of one fit and one method it is said once


def test_what_a_removal_has_said_its_bounds_do_not_say_again():
    fit = ist.Ridge(lam=0.0).fit(np.column_stack([np.ones(6), np.arange(6) == 2]), Y[:6])
    with pytest.warns(DoubtfulResult, match="1 of 6 removals hold coefficients that are nan"):
        removal = fit.leave_one_out()
    assert np.isnan(removal.theta_bound()[2]).any()


@pytest.mark.parametrize("bound", ["theta", "prediction", "loss"])
def test_groups_of_partitions_say_it_too(bound):
    removal = parts(ist.HuberLoss(1.0), X, Y, GROUPS).leave_groups_out(method="influence")
    heard = said(BOUNDS[bound], removal, Y)[1]
    assert [text[:43] for text, _ in heard] == ["6 of 6 removals have bounds that are nan (`"]
    assert heard[0][1] == __file__


ASKED = {
    "delta": lambda fit: fit.leave_one_out(method="influence").delta(bounds=True),
    "loss": lambda fit: fit.leave_one_out(method="influence").loss_change(X[:2], LABELS[:2], bounds=True),
    "prediction": lambda fit: fit.leave_one_out(method="influence").prediction_change(X[:2], bounds=True),
    "alone": lambda fit: fit.cross_validate(method="influence", certified=True).row_losses,
    "folds": lambda fit: (
        fit.cross_validate(np.arange(25) // 5, method="influence", certified=True).row_losses
    ),
}


@pytest.mark.parametrize("runner", [None, 2], ids=["alone", "two threads"])
@pytest.mark.parametrize("name", ASKED)
def test_answers_of_partitions_have_the_reason_in_their_status(name, runner):
    fit = parts(ist.LogisticLoss(), FAR, FAR_LABELS, np.arange(25), strength=1e-3, runner=runner)
    answer = said(ASKED[name], fit)[0]
    frame, heard = said(answer.to_frame)
    bounds = frame[[column for column in frame if str(column).startswith("bound of ")]]
    lost = bounds.isna().any(axis=1)
    assert lost.any()
    assert ((frame["status"] != "") == lost).all()
    assert frame["status"][lost].str.startswith("not certified: the curvature").all()
    first = frame["status"][lost].iloc[0]
    start = f"The answer holds a nan for {lost.sum()} row"
    assert [(text[: len(start)], text[-len(first) :], file) for text, file in heard] == [
        (start, first, __file__)
    ]


def test_what_is_unsaid_is_so_in_threads_and_in_these_alone():
    heard = []

    def work(_):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            doubt("from a thread")
        heard.append(len(said))

    with unsaid():
        list(Threads(1).run(work, [(0,)]))
    with warnings.catch_warnings(record=True) as said, ThreadPoolExecutor(1) as pool, unsaid():
        warnings.simplefilter("always")
        pool.submit(doubt, "of another's").result()  # nobody has asked that one to be silent
    assert (heard, [str(one.message) for one in said]) == ([0], ["of another's"])
