"""The proofs beyond the quick certificate, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable

from influstat.sets.budget import Budget
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.attempt import Attempt
from influstat.sets.proofs.enumeration import enumeration

Prover = Callable[[NullFit, int, Budget], Attempt]

# Name of the proof -> the prover. Each is asked for one k after the other, from what is proven already,
# until it fails; smaller sets are proven by then, and a prover that does not suit a null fit answers False
# at once.
PROVERS: dict[str, Prover] = {"enumeration": enumeration}
