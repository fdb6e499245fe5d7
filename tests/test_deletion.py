"""Rows left out one at a time: what is never written out is what it would be."""

import numpy as np
import pytest

import influstat as ist
from influstat.statistics.deletion import Deletion
from influstat.statistics.leverage import Leverage


@pytest.mark.parametrize("loss", [ist.PoissonLoss(), ist.LogisticLoss()], ids=repr)
@pytest.mark.parametrize("protocol", ["fixed", "folded"])
def test_measures_of_rows_are_made_from_one_product_as_from_every_change(loss, protocol):
    """Where no penalty leaves with a row, changes are multiples of S^-1 x_i and never written out."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), (rng.random(30) < 0.5).astype(float)
    for penalty in (ist.L2(0.0), ist.L2(2.0)):
        fit = ist.Fit.minimise(ist.LinearRisk(loss, X, y, penalty=penalty, protocol=protocol))
        leverage = Leverage(fit)
        (block,) = Deletion(leverage, 1.0).blocks()
        matrix = rng.normal(size=(3, 2))
        product, square, along = block.change_dot(matrix), block.change_square, block.along
        change, coordinates = block.change, block.coordinates
        np.testing.assert_allclose(product, change @ matrix, rtol=0, atol=1e-13 * np.abs(change).max())
        np.testing.assert_allclose(square, np.sum(change**2, axis=1), rtol=1e-12)
        np.testing.assert_allclose(along, np.sum(coordinates * change, axis=1), rtol=0, atol=1e-13)
        newton = fit.leave_one_out(method="newton").delta
        np.testing.assert_allclose(change @ leverage.to_theta.T, newton, rtol=0, atol=1e-12)
        other = block.refitted(2.0 * change)
        np.testing.assert_array_equal(other.change_dot(matrix), 2.0 * change @ matrix)
        np.testing.assert_allclose(other.along, 2.0 * along, rtol=0, atol=1e-13)


def test_a_table_of_diagnostics_has_an_index_of_its_own():
    fit = ist.Ridge(lam=0.0).fit(np.eye(3)[[0, 1, 2, 0, 1, 2]], [1.0, 2.0, 3.0, 2.0, 4.0, 1.0])
    first = fit.diagnostics()
    first.index.name, first.columns.name = "row", "measure"
    again = fit.diagnostics()
    assert again.index.name is None
    assert again.columns.name is None
