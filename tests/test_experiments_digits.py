"""Figures 2 and 3 on the paper's rows of MNIST: every number, computed once; and the other data sets."""

import numpy as np
import pytest

from influstat.datasets import load_mnist17, load_mnist17_paper, load_small_digits17
from influstat.errors import DatasetError
from influstat.experiments import (
    agreement,
    digits,
    digits_published,
    digits_split,
    factors,
    figure2,
    figure2_as_figure,
    figure3,
)
from tests.tolerance import printed

pytestmark = [pytest.mark.usefixtures("data_dir"), pytest.mark.slow]


@pytest.fixture(scope="session")
def record(data_dir):
    return figure2()


@pytest.fixture(scope="session")
def factor_record(data_dir):
    return figure3()


@pytest.fixture(scope="session")
def small():
    data = load_small_digits17()
    return data, figure2(data=data, lam=1000.0 * 360 / 9084, seeds=range(2))


def test_every_number_comes_out_but_the_range_of_lucky_seeds(record):
    lines = digits.table(record)
    assert len(lines) == 16
    assert [line.quantity for line in lines if not line.agrees] == ["LiSSA, ten repeats"]


def test_the_fit(record):
    assert np.linalg.norm(record.fit.theta) == pytest.approx(0.620330142803, abs=5e-13)
    assert record.fit.risk.value(record.fit.theta) == pytest.approx(0.094068825015, abs=5e-13)
    assert record.accuracy == pytest.approx(0.989762219287, abs=5e-13)
    assert record.split.X.shape == (9084, 784)
    assert record.split.test_labels.tolist() == [24816]
    assert record.split.y_test.tolist() == [0.0]


def test_agreement_with_leave_one_out(record):
    found = record.agreement
    assert found.pearson == pytest.approx(0.997586, abs=printed(6))
    assert found.spearman == pytest.approx(0.998421, abs=printed(6))
    assert found.slope == pytest.approx(0.97804, abs=printed(5))
    # The table's largest error is that against LOO b; against LOO a it is a little smaller.
    assert record.folded_max_error == pytest.approx(2.6e-5, abs=printed(6))
    assert found.max_error == pytest.approx(2.54e-5, abs=printed(7))
    assert np.max(np.abs(record.newton_reevaluated - record.loo)) == pytest.approx(3.7e-6, abs=printed(7))
    assert record.leverage.max() == pytest.approx(0.588, abs=printed(3))


def test_the_papers_images(record):
    worst = int(np.argmin(record.loo))
    assert worst == 6752
    assert record.split.row_labels[worst] == 40976  # the paper's most harmful image
    assert record.pixels[worst].max() == 255
    assert np.argmin(record.explicit) == worst


def test_solvers(record):
    assert np.max(np.abs(record.conjugate_gradient - record.explicit)) < 1e-15
    taylor = agreement(record.taylor, record.explicit)
    assert taylor.max_error == pytest.approx(8.2e-6, abs=printed(7))
    assert taylor.slope == pytest.approx(0.969, abs=printed(3))


def test_lissa_over_ten_seeds(record):
    single, averaged = (
        np.array([agreement(one, record.loo).pearson for one in runs])
        for runs in (record.lissa, record.lissa_averaged)
    )
    assert len(single) == len(averaged) == 10
    assert np.count_nonzero((np.round(single, 2) >= 0.95) & (np.round(single, 2) <= 0.99)) >= 9
    # Stated: 0.994 to 0.997 for all ten. Reached by the typical seed, not by every one: a single run in
    # ten is far off, and pulls the average of ten down to 0.98. Of 100 seeds, 77 lie in the range.
    assert 0.994 <= np.median(averaged) <= 0.997
    assert np.count_nonzero((np.round(averaged, 3) >= 0.994) & (np.round(averaged, 3) <= 0.997)) >= 5
    assert averaged.min() > 0.975


def test_as_figure():
    published = figure2_as_figure()
    assert published.slope == pytest.approx(0.62, abs=printed(2))
    assert agreement(1.5 * published.explicit, published.loo).slope == pytest.approx(0.93, abs=printed(2))
    # The published LiSSA panels carry a factor of their own, for LiSSA stops short of the answer
    assert agreement(published.lissa_averaged, published.loo).slope < published.slope
    assert digits_published.published_line(published).agrees
    assert len(digits_published.draw_published(published).axes) == 2


def test_the_drawings(record):
    figure = digits.draw(record)
    assert [ax.get_title() for ax in figure.axes][:2] == ["explicit", "conjugate gradients"]
    images = digits.draw_images(record)
    assert [ax.get_title() for ax in images.axes][::2] == ["test image 24816", "most harmful: 40976"]


def test_mnists_own_split_where_the_papers_rows_are_missing(monkeypatch):
    def missing():
        raise DatasetError("no list of rows")

    monkeypatch.setattr(digits, "load_mnist17_paper", missing)
    data = digits.mnist_data()
    assert data.X.shape == (13_007, 784)
    split, pixels, test_pixels = digits_split(data)
    assert split.X.shape == (13_006, 784)
    assert split.test_labels.tolist() == [24816]
    assert np.array_equal(split.X, pixels)
    assert np.array_equal(split.X_test, test_pixels)
    whole = load_mnist17()
    assert np.array_equal(test_pixels[0], whole.X[whole.row_labels == 24816][0])


def test_the_papers_test_image_is_row_7_of_its_shuffled_file():
    data = load_mnist17_paper()
    order = np.random.RandomState(42).permutation(9085)
    assert data.row_labels[order][7] == 24816
    split = digits_split(data)[0]
    assert split.row_labels.tolist() == np.delete(data.row_labels[order], 7).tolist()
    assert np.array_equal(split.y == 1, np.delete(data.y[order] == 1, 7))


def test_the_stand_in_behaves_like_mnist(small):
    data, record = small
    assert record.split.X.shape == (360, 64)
    assert "8 x 8 digits" in record.split.source
    assert record.agreement.pearson > 0.95
    assert record.agreement.slope == pytest.approx(1.0, abs=0.1)
    assert record.split.row_labels.tolist() == np.delete(_shuffled(data).tolist(), 7).tolist()


def test_fewer_refits_are_exact_where_asked_and_newton_steps_elsewhere():
    """The rows of the largest changes are refitted, the others keep their Newton step."""
    few = figure2(data=load_small_digits17(), lam=20.0, seeds=[0], refits=50)
    full = figure2(data=load_small_digits17(), lam=20.0, seeds=[0])
    assert few.refitted.sum() == 50
    assert full.refitted.all()
    np.testing.assert_allclose(few.loo[few.refitted], full.loo[few.refitted], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(few.loo[~few.refitted], full.newton_reevaluated[~few.refitted])
    assert np.max(np.abs(few.newton_reevaluated - few.loo)[few.refitted]) > 1e-5
    assert np.abs(few.loo[few.refitted]).min() > 0.9 * np.abs(few.loo[~few.refitted]).max()


def _shuffled(data):
    order = np.random.RandomState(42).permutation(len(data.y))
    return data.row_labels[order]


def test_factors(factor_record):
    record = factor_record
    assert [line for line in factors.table(record) if not line.agrees] == []
    signs = np.where(record.same_label, 1.0, -1.0)
    assert np.array_equal(np.sign(record.without_hessian), signs)
    assert np.array_equal(np.sign(record.without_both), signs)
    assert (np.abs(record.without_sigma) >= np.abs(record.true)).all()
    assert 0.4 < np.mean(np.sign(record.true) == signs) < 0.7
    assert record.true == pytest.approx(record.general, rel=1e-9, abs=1e-10 * np.abs(record.true).max())
    assert record.split.X.min() == 0.0
    assert record.split.X.max() == 255.0
    # without both factors: the inner product times one constant
    inner = record.split.X @ record.split.X_test[0]
    ratio = record.without_both / (record.split.y * inner)
    assert np.ptp(ratio) < 1e-12 * abs(ratio[0])


def test_the_drawing_of_the_factors(factor_record):
    figure = factors.draw(factor_record)
    labels = [ax.get_xlabel().split("\n")[0] for ax in figure.axes]
    assert labels == [r"without $\sigma$", "without $H^{-1}$", "without both"]
    left = figure.axes[0]
    reach = np.max(np.abs(factor_record.true))
    assert left.get_xscale() == "symlog"  # linear as far as the line of slope 1 goes, so that it is straight
    assert left.xaxis.get_transform().linthresh == pytest.approx(reach)
    dashed = next(line for line in left.lines if line.get_linestyle() == "--")
    assert np.array_equal(dashed.get_xdata(), dashed.get_ydata())
    assert [ax.get_legend() for ax in figure.axes] == [None] * 3  # above the panels, where no point is
    assert len(figure.legends) == 1
