"""What stands behind a block so that damage is seen? The check characters of the plain links, computed and compared."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final


@dataclass(frozen=True, slots=True)
class Check:
    """A check: how many bytes it takes, and what they must be for the bytes from behind the start character up to the end character."""

    size: int
    of: Callable[[bytes], bytes]
    any_case: bool = False

    def holds(self, covered: bytes, sent: bytes) -> bool:
        """Whether the check that was sent is that of the bytes it covers."""
        mine = self.of(covered)
        return sent.lower() == mine.lower() if self.any_case else sent == mine


def bcc(covered: bytes) -> bytes:
    """All bytes by exclusive or. Source: Olympus AU2700/AU5400 On-line Specifications, revised 2000-06-08, p. 6 (items 2 to 5, the end code included)."""
    return bytes([reduce(xor, covered, 0)])


def hex_sum(covered: bytes) -> bytes:
    """The sum modulo 256 as two hex digits, low case.

    Source: recomputed on published messages of a mini VIDAS (two) and of VITEK systems (three): from the first RS up to and including GS.
    """
    return b"%02x" % (sum(covered) & 0xFF)


XOR: Final = Check(1, bcc)
SUM: Final = Check(2, hex_sum, any_case=True)
NONE: Final = Check(0, lambda covered: b"")
CHECKS: Final = {"xor": XOR, "sum": SUM, "none": NONE}
