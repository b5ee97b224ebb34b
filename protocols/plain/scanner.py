"""Where does a block begin and end in a stream that arrives in any pieces? Byte by byte, so that no cut can matter.

The scanner answers nothing and knows no session: it hands out one token after the other, and collects in `noise` what belongs to none. Inside a
block it is as strict as decision 0005 wants it: a start character or ENQ there does not begin anew, the block is read to its end and refused.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from protocols.astm.control import CR, ENQ, EOT, ETB, ETX, STX
from protocols.astm.events import Fault
from protocols.plain.check import NONE, Check

GS: Final = 0x1D
_RAW: Final = 4096  # bytes of a block that is too long that are shown


@dataclass(frozen=True, slots=True)
class Sign:
    """One control character between blocks: ENQ, EOT, STX or ETX."""

    byte: int


@dataclass(frozen=True, slots=True)
class Block:
    """A whole block whose check is right: its text, whether the text ends with it, its bytes; `piece`: a repeat of it can be told."""

    text: bytes
    last: bool
    raw: bytes
    piece: bool = False


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes that began as a block and cannot be taken for one."""

    fault: Fault
    raw: bytes


Token = Sign | Block | Damaged


class _Place(Enum):
    OUTSIDE = "outside a block"
    INSIDE = "inside a block"
    CHECK = "behind its end, where the check stands"
    TAIL = "behind its check, where an ETX or a line end belongs to it"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a block of a link looks like.

    `ends` are the characters that end its text, each with whether the whole text ends there. `covered` counts the end character into the check.
    `tail`: characters that belong to the block where they stand behind its check. `opening`: the start character is a token of its own. `records`: each
    record (to its CR) is a block by itself. `whole`: the check covers the start character too. `replies`: texts that are the other side's answers to
    us, not messages.
    """

    start: int = STX
    ends: tuple[tuple[int, bool], ...] = ((ETX, True), (ETB, False))
    check: Check = NONE
    verify: bool = True
    tail: bytes = b""
    opening: bool = False
    records: bool = False
    longest: int = 64_000
    whole: bool = False
    replies: frozenset[bytes] = frozenset()


@dataclass(slots=True)
class Scanner:
    """The bytes of one line that have arrived and not yet been looked at."""

    shape: Shape
    noise: bytearray = field(default_factory=bytearray)
    _buffer: bytearray = field(default_factory=bytearray)
    _at: int = 0
    _place: _Place = _Place.OUTSIDE
    _raw: bytearray = field(default_factory=bytearray)
    _text_ends: int = 0  # where in the raw bytes the text ends
    _last: bool = True
    _bad: bool = False  # a character stands inside that cannot be there

    @property
    def kept(self) -> int:
        """Bytes not yet looked at."""
        return len(self._buffer) - self._at

    def feed(self, data: bytes) -> None:
        """Bytes have arrived."""
        self._buffer += data

    def drop(self, most: int) -> int:
        """Keep no more than so many bytes that have not been looked at; returns how many were dropped."""
        over = self.kept - most
        if over <= 0:
            return 0
        del self._buffer[len(self._buffer) - over :]
        return over

    def abandon(self) -> None:
        """Whatever was begun, and whatever waits, belongs to nothing any more."""
        self.noise += self._raw + self._buffer[self._at :]
        self._buffer.clear()
        self._at = 0
        self._raw.clear()
        self._place, self._bad = _Place.OUTSIDE, False

    def next(self) -> Token | None:
        """The next token; None when more bytes are needed."""
        while self._at < len(self._buffer):
            byte = self._buffer[self._at]
            self._at += 1
            if (token := self._take(byte)) is not None:
                return token
        self._buffer.clear()
        self._at = 0
        return None

    def _take(self, byte: int) -> Token | None:
        if self._place is _Place.TAIL:
            if byte in self.shape.tail:
                return None
            self._place = _Place.OUTSIDE
        if self._place is _Place.OUTSIDE:
            return self._outside(byte)
        self._raw.append(byte)
        if self._place is _Place.CHECK:
            return self._closed() if len(self._raw) == self._text_ends + 1 + self.shape.check.size else None
        return self._inside(byte)

    def _outside(self, byte: int) -> Token | None:
        if byte == self.shape.start:
            self._place, self._bad = _Place.INSIDE, False
            if self.shape.opening:
                return Sign(byte)
            self._raw.append(byte)
        elif byte in (ENQ, EOT):
            return Sign(byte)
        else:
            self.noise.append(byte)
        return None

    def _inside(self, byte: int) -> Token | None:
        for end, last in self.shape.ends:
            if byte == end:
                return self._ended(last)
        if byte == EOT:
            return self._refused(Fault.EOT_INSIDE)
        if byte in (self.shape.start, ENQ):
            self._bad = True
        elif byte == ETX:  # this link's blocks end otherwise: the end and its check are missing
            return self._refused(Fault.TRAILER)
        elif byte == CR and self.shape.records:
            return self._block(bytes(self._raw), last=True, piece=True)
        if len(self._raw) >= self.shape.longest:
            return self._refused(Fault.TOO_LONG)
        return None

    def _ended(self, last: bool) -> Token | None:
        """The end character has come; the check is still to come where there is one."""
        self._text_ends, self._last = len(self._raw) - 1, last
        if self.shape.records and not self._text_ends:  # ETX right behind the last record: a sign, not a block
            self._raw.clear()
            self._place = _Place.OUTSIDE
            return Sign(ETX)
        if not self.shape.check.size:
            return self._closed()
        self._place = _Place.CHECK
        return None

    def _closed(self) -> Token | None:
        begins = 0 if self.shape.opening else 1
        covered = bytes(self._raw[0 if self.shape.whole else begins : self._text_ends + 1])
        sent = bytes(self._raw[self._text_ends + 1 :])
        if self._bad:
            return self._refused(Fault.CONTROL)
        if self.shape.verify and not self.shape.check.holds(covered, sent):
            return self._refused(Fault.CHECKSUM)
        text = bytes(self._raw[begins : self._text_ends])
        if text in self.shape.replies:
            self._raw.clear()
            self._place = _Place.TAIL if self.shape.tail else _Place.OUTSIDE
            return None
        return self._block(text, last=self._last, piece=not self._last)

    def _block(self, text: bytes, *, last: bool, piece: bool) -> Token:
        if self._bad:
            return self._refused(Fault.CONTROL)
        token = Block(text, last, bytes(self._raw), piece)
        self._raw.clear()
        inside = self.shape.records and text.endswith(b"\r")
        self._place = _Place.INSIDE if inside else _Place.TAIL if self.shape.tail else _Place.OUTSIDE
        return token

    def _refused(self, fault: Fault) -> Token:
        raw = bytes(self._raw) if fault is not Fault.TOO_LONG else bytes(self._raw[:_RAW])
        self._raw.clear()
        stays = self.shape.records and fault is Fault.CONTROL
        self._place = _Place.INSIDE if stays else _Place.TAIL if self.shape.tail else _Place.OUTSIDE
        self._bad = False
        return Damaged(fault, raw)


__all__ = ["GS", "Block", "Damaged", "Scanner", "Shape", "Sign", "Token"]
