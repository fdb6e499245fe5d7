"""Solvers of H p = g: one factorisation and three iterations behind one form of call."""

from influstat.solvers.base import Inverse, Solution, Solver
from influstat.solvers.cholesky import Cholesky

__all__ = ["Cholesky", "Inverse", "Solution", "Solver"]
