"""`Protocol`: what leaves with a row, and what the loss of a new one holds. Nobody else knows."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from influstat.input.validation import choice


class Protocol(StrEnum):
    """What leaves with a row: its loss alone, or its loss and its share of the penalty.

    FIXED: the penalty stays whole, as when a library is fitted again with the same settings and adds its
    penalty to a *sum* of losses. FOLDED: every row carries its share w_i / W of the total penalty P, as in
    the paper, and as when a library adds its penalty to a *mean* of losses.

    The loss of a new row is a choice of its own (`test_protocol` of a risk): the paper's models add the share
    P / W ("folded"), fits of other libraries report the loss alone ("fixed"), whatever leaves with a row.

    Examples
    --------
    >>> from influstat.risks.protocol import Protocol
    >>> Protocol.FOLDED.left(1.0, 4.0), Protocol.FIXED.left(1.0, 4.0)
    (0.75, 1.0)
    >>> Protocol.read("protocol", "folded") == "folded"
    True
    """

    FOLDED = "folded"
    FIXED = "fixed"

    @classmethod
    def read(cls, argument: str, value: Any) -> Protocol:
        """Return the protocol that a caller named, or raise naming the argument."""
        return value if isinstance(value, cls) else cls(choice(argument, value, PROTOCOLS))

    @classmethod
    def read_both(cls, protocol: Any, test_protocol: Any) -> tuple[Protocol, Protocol]:
        """Return the protocol of a risk and that of new rows, the same where it is left out; or raise."""
        read = cls.read("protocol", protocol)
        return read, read if test_protocol is None else cls.read("test_protocol", test_protocol)

    def carried(self, total: float) -> float:
        """Return the share of the penalty that a row of weight 1 carries, of a total weight W."""
        return 1.0 / total if self is Protocol.FOLDED else 0.0

    def left(self, removed: Any, total: float) -> Any:
        """Return the share of the penalty that stays when rows of these weights leave, one for each."""
        return 1.0 - self.carried(total) * removed

    def after(self, total: float, new_total: float) -> float:
        """Return the factor of the penalty when the rows get weights of another total."""
        return new_total / total if self is Protocol.FOLDED else 1.0


def described(protocol: str, test_protocol: str) -> str:
    """Return what leaves with a row and what the loss of a new row holds, in words.

    Returns
    -------
    str

    Examples
    --------
    >>> from influstat.risks.protocol import described
    >>> described("folded", "fixed")
    'protocol folded, test loss plain'
    """
    share = "with its share of the penalty" if test_protocol == Protocol.FOLDED else "plain"
    return f"protocol {protocol}, test loss {share}"


PROTOCOLS = tuple(str(member) for member in Protocol)
