"""How far rounding may move a number: the one place from which laws take their tolerance.

A tolerance is MARGIN x epsilon x (the condition of the problem), never a number found by trying.
The condition is a *size*: what a relative error of 1 in every term would do to the answer.

- *Sums.* A sum of k terms is right to k epsilon / 2 times the sum of their absolute values, in whatever
  order it is taken. The tables draw at most 30 rows and 6 columns, each loss is right to a few epsilon
  times |l| + |l'| |eta|, and both sides of a law are rounded: 2 (30 + 6 + 20) epsilon / 2 < MARGIN epsilon.
  The sizes of `tests.reference` (`value_size`, `gradient_size`, ...) are those sums of absolute values.
- *A linear system* H x = g answers errors dH and dg by -H^-1 (dH x - dg) to first order, so that its size
  is |H^-1| (size(H) |x| + size(g)): `solved`. Cholesky and LU add p |L| |L'|, at most p sqrt(H_ii H_jj).
  Every step scales with the units of the columns, so units cancel, and what is left is the condition
  number of H scaled to unit diagonal.
- *A minimiser* is where the computed gradient vanishes; the true one is as large there as its own
  rounding, so the size is |H^-1| size(gradient): `minimised`.
- *A removal* takes rows off sums that hold them: the rounding is that of all rows, the Hessian that of
  the rows left, which is how a leverage near 1 comes in, as 1 / (1 - h): `removed`.
- *A difference* of values that are right to epsilon times their size, over steps h, is right to
  `differenced`: epsilon size / h, and its own truncation.
"""

from __future__ import annotations

import numpy as np

EPSILON = float(np.finfo(np.float64).eps)
MARGIN = 64.0  # roundings that follow each other, both sides together: see *Sums* above
ROUNDING = MARGIN * EPSILON  # 1.4e-14
STOP = 1e-12  # a fit and an iterated removal may stop at a gradient this small, relative to its size

# Where there is no size at hand: what a number of size 1 has gone through in both ways that are compared, in
# problems whose condition (at unit diagonal) is at most 1000.
SUMS = 1e-13  # sums of up to a thousand terms, in another order
CLOSED_FORM = 1e-12  # a formula, and another one for the same: sums and products of conditions up to 100
SOLVED = 1e-11  # a solution of a linear system: ROUNDING times the condition
INVERTED = 1e-10  # an inverse or its square root, and what is made of it: up to 1e6 roundings
TWO_FITS = 1e-9  # two fits, each at a relative gradient of STOP: that times the condition
CHANGES = 1e-8  # a change between two such fits, which is a tenth of theta or more
STANDARD_ERRORS = 1e-7  # of two fits, and what is divided by them: third derivatives times TWO_FITS, inverted
SLOPES = 1e-6  # differences of fits over steps of 1e-3: TWO_FITS over the step
NORMAL_EQUATIONS = 1e-8  # what statsmodels finds by the inverse of X'X: the condition of X squared
STOPPED = 1e-6  # where IRLS, or Newton's method at its default settings, ends in other libraries
SEARCHED = 1e-5  # a minimum known by values to rounding: the root of that, times the condition's


def printed(decimals):
    """Return half a unit of the last decimal: how far a printed number may be from the one printed."""
    return 0.5 * 10.0**-decimals


def scaled(matrix):
    """Return the matrix with unit diagonal, and 1 / sqrt(diagonal)."""
    root = 1.0 / np.sqrt(np.diag(matrix))
    return matrix * root * root[:, None], root


def condition(matrix):
    """Return the condition number that units of the columns cannot change: at unit diagonal."""
    return float(np.linalg.cond(scaled(matrix)[0]))


def absolute_inverse(matrix):
    """Return |H^-1|, entry by entry, by way of unit diagonal."""
    unit, root = scaled(matrix)
    return np.abs(np.linalg.inv(unit)) * root * root[:, None]


def solved(hessian, hessian_size, x, rhs_size):
    """Return the size of the solutions x of H x = g, (k, p): one solution and one right-hand side a row."""
    own = np.sqrt(np.diag(hessian))
    factors = hessian_size + len(own) * np.outer(own, own)
    return (np.abs(x) @ factors + rhs_size) @ absolute_inverse(hessian)


def relative(hessian, hessian_size):
    """Return the size of H^-1 relative to itself, in the norm of H: of leverages, traces, quadratic forms.

    The condition number times the largest error of an entry, p of them to a row.
    """
    root = scaled(hessian)[1]
    return condition(hessian) * len(root) * float(np.max(hessian_size * root * root[:, None]))


def minimised(plain, theta):
    """Return the size of the minimiser theta of a `PlainRisk`, (p,)."""
    return absolute_inverse(plain.hessian(theta)) @ plain.gradient_size(theta)


def removed(plain, part, theta, start):
    """Return the size of the minimiser theta of `part`, found from sums over all rows of `plain`, (p,).

    `start` is the minimiser with all rows, where those sums are taken, and to which the change is added.
    """
    share = plain.total_weight / part.total_weight
    terms = share * (plain.gradient_size(theta) + plain.gradient_size(start))
    return absolute_inverse(part.hessian(theta)) @ terms + np.abs(start)


def differenced(size, h):
    """Return the error of a five-point difference of values of this size, over steps h, by rounding alone.

    The weights 8, 8, 1, 1 over 12 h add up to 1.5 / h.
    """
    return 1.5 * ROUNDING * np.asarray(size) / h
