"""Problems and partitions that tests of partitioned rows share."""

import numpy as np
from hypothesis import strategies as st

import influstat as ist
from influstat.partitioned.block import Block
from influstat.partitioned.data import Partitions
from influstat.partitioned.runners.base import Serial
from influstat.partitioned.sources.base import Source
from tests.budget import share

CLOSE = {"rtol": 1e-12, "atol": 1e-12}  # sums in another order: a few float64 epsilons times the condition
N, P = 60, 3
RNG = np.random.default_rng(5)
X = RNG.normal(size=(N, P)).astype(np.float32)
ETA = X.astype(float) @ [1.0, -0.5, 0.2]
LABELS = (RNG.random(N) < 1.0 / (1.0 + np.exp(-ETA))).astype(float)
Y = ETA + RNG.normal(size=N)
COUNTS = RNG.poisson(np.exp(0.3 * ETA)).astype(float)
WEIGHTS, OFFSET = RNG.random(N) + 0.5, 0.1 * RNG.normal(size=N)
XT, YT, LT = X[:4] + 0.1, Y[:4], LABELS[:4]

MODELS = {
    "ridge": (ist.Ridge(lam=1.0), Y, YT),
    "ridge fixed": (ist.Ridge(lam=1.0, intercept=True, protocol="fixed"), Y, YT),
    "logistic": (ist.Logistic(lam=0.5), LABELS, LT),
    "signed": (ist.Logistic(lam=0.5, labels=(-1, 1), intercept=True), 2 * LABELS - 1, 2 * LT - 1),
    "svc": (ist.SmoothedSVC(lam=1.0, t=0.05), 2 * LABELS - 1, 2 * LT - 1),
}
LOSSES = {
    "poisson": (ist.PoissonLoss(), COUNTS),
    "huber": (ist.PseudoHuberLoss(1.0), Y),
}


class Pieces(Source):
    """Partitions as they come: of float32 and float64, with weights or without, empty ones."""

    def __init__(self, blocks, names):
        self._blocks, self.names = blocks, names
        self.everywhere = False

    def partitions(self):
        return len(self._blocks)

    def read(self, partition):
        return self._blocks[partition]

    def identity(self):
        return (len(self._blocks),)


@st.composite
def cuts(draw, n=N):
    """Sizes of partitions: many of one row, some empty."""
    inner = draw(st.lists(st.integers(0, n), max_size=share(12) + 2))
    return np.diff([0, *sorted(inner), n])


def pieces(sizes, y, weights=None, offset=None, wide=(), rows=X, groups=None):
    blocks, start = [], 0
    for k, size in enumerate(sizes):
        part = slice(start, start + size)
        start += size
        x = rows[part].astype(np.float64) if k in wide else rows[part]
        others = [None if one is None else one[part] for one in (weights, offset)]
        of = None if groups is None else groups[part]
        if of is not None and k in wide:
            of = of.astype(float) if of.dtype.kind in "iu" else of.astype(object)
        blocks.append(Block(x, y[part], *others, groups=of))
    return Partitions(Pieces(blocks, tuple(f"x{j}" for j in range(rows.shape[1]))), Serial())
