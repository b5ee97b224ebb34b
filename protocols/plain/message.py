"""Which blocks of a plain link make one message, and what is kept of it?

A text is a message, with exceptions: of a RAPIDPoint only what holds a result is one. Of Beckman, what only brackets a transmission (DB, DE, RB, RE, SB, SE) is none, and what a PK sends of itself,
its reagents and diluents before its results belongs to the first result behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from protocols.plain.beckman import kind_of
from protocols.plain.rapid import kind_of as told_of

Name = Literal["tags", "stx", "au", "pk", "rapid"]
NAMES: Final[tuple[Name, ...]] = ("tags", "stx", "au", "pk", "rapid")
"""Plain links whose content is no ASTM either."""


@dataclass(frozen=True, slots=True)
class PlainMessage:
    """The texts of one message as they came, without start, end and check characters; `terminated` False when its end did not come."""

    protocol: Name
    texts: tuple[bytes, ...]
    encoding: str = "latin-1"
    terminated: bool = True

    @property
    def raw(self) -> bytes:
        """The texts, each between STX and ETX, whatever the analyzer is set to use; the line's own bytes are in the journal."""
        return b"".join(b"\x02%b\x03" % text for text in self.texts)

    def decoded(self) -> list[str]:
        """The texts as characters; bytes that the encoding does not know are kept as surrogates."""
        return [text.decode(self.encoding, "surrogateescape") for text in self.texts]


def belongs(protocol: Name, texts: Sequence[bytes]) -> Literal["message", "part", "nothing"]:
    """What the texts that have come so far are once a whole text has ended: a message, part of the next one, or nothing."""
    if protocol == "rapid":
        return "message" if texts and told_of(texts[-1]).endswith(("_NEW_DATA", "_EDIT_DATA")) else "nothing"
    if protocol not in ("au", "pk"):
        return "message"
    kind = kind_of(texts[-1]) if texts else "bracket"
    if kind == "bracket":
        return "nothing"
    return "part" if protocol == "pk" and kind == "reagent" else "message"
