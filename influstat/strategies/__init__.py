"""Hypothesis strategies: designs, targets, weights, risks, fits and groups that try a method's edges.

Needs the package hypothesis; nothing in influstat imports this module. Numbers are drawn from a coarse
grid, so that failing examples shrink to few rows, few columns and zeros.

Examples
--------
A property test of your own in five lines::

    from hypothesis import given
    from influstat import strategies

    @given(strategies.fits(kinds=("leverage one", "wide scales")))
    def test_my_scores_add_up(fit): ...
"""

from importlib.util import find_spec

from influstat.errors import MissingDependency

if find_spec("hypothesis") is None:
    raise MissingDependency(
        "Strategies need the package hypothesis, which is not installed. "
        "Install it with `pip install 'influstat[test]'`."
    )

from influstat.strategies.designs import KINDS, Drawn, designs
from influstat.strategies.risks import fits, groups, losses, risks, targets, weights

__all__ = ["KINDS", "Drawn", "designs", "fits", "groups", "losses", "risks", "targets", "weights"]
