"""Solvers of H p = g: one factorisation and three iterations behind one form of call."""

from influstat.solvers.base import Inverse, Solution, Solver
from influstat.solvers.cholesky import Cholesky
from influstat.solvers.conjugate_gradient import ConjugateGradient
from influstat.solvers.lissa import LiSSA
from influstat.solvers.taylor import Taylor

__all__ = ["Cholesky", "ConjugateGradient", "Inverse", "LiSSA", "Solution", "Solver", "Taylor"]
