"""Where does one HL7 message end on a TCP stream? The minimal lower layer protocol, release 1.

A block is VT, data, FS, CR. VT and FS occur in no character of the encodings that HL7 allows here, so:

* bytes before VT are noise and are reported, not read;
* a second VT drops what the first one began (the sender has started again);
* FS CR ends the block. FS alone ends it too when the data before it end with a line end, as a complete message does
  (tolerance ``fs_without_cr``, counted). Any other FS is taken for data: a block is never cut short inside a segment;
* one LF after the block belongs to it (tolerance ``lf_after_block``, counted).

The idle time inside a block is for the owner to watch: it has the clock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum

from protocols.errors import Misuse, MllpError

VT, FS, CR, LF = 0x0B, 0x1C, 0x0D, 0x0A
_VT, _FS, _END = b"\x0b", b"\x1c", b"\x1c\x0d"
_NOISE_PIECE = 4096


@dataclass(frozen=True, slots=True)
class Block:
    """The data of one complete block."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes outside any block, in pieces of at most 4096; reported when the next block begins or the piece is full."""

    data: bytes


@dataclass(frozen=True, slots=True)
class BlockRestarted:
    """A VT came inside a block: what the block held until then is dropped, unanswered."""

    dropped: bytes


@dataclass(frozen=True, slots=True)
class BlockTooLarge:
    """The block has reached ``size`` bytes, more than allowed: the stream cannot be read further, hang up."""

    size: int


@dataclass(frozen=True, slots=True)
class Truncated:
    """The connection ended inside a block."""

    data: bytes


Event = Block | Noise | BlockRestarted | BlockTooLarge | Truncated


class _Place(Enum):
    OUTSIDE = "outside a block"
    INSIDE = "inside a block"
    AT_FS = "after an FS that may be data"
    AFTER_FS = "after a block that still lacks its CR"
    AFTER_CR = "after a complete block"
    UNUSABLE = "after a block that was too large"


class MllpReader:
    """Cuts a stream of bytes into blocks; any cut of the stream gives the same events."""

    def __init__(self, max_block: int = 64 * 2**20, *, fs_without_cr: bool = True) -> None:
        if max_block < 1:
            raise Misuse(f"max_block is {max_block}: a block needs room for at least one byte")
        self._max_block = max_block
        self._lone_fs = fs_without_cr
        self._place = _Place.OUTSIDE
        self._kept = bytearray()
        self.used: Counter[str] = Counter()
        """How often each tolerance was used."""

    @property
    def inside(self) -> bool:
        """Whether a block has begun and not ended: the owner's idle time runs."""
        return self._place in (_Place.INSIDE, _Place.AT_FS)

    @property
    def usable(self) -> bool:
        """False once a block was too large: nothing that follows can be trusted to be a beginning."""
        return self._place is not _Place.UNUSABLE

    def receive(self, data: bytes) -> list[Event]:
        """Events of these bytes, in order."""
        events: list[Event] = []
        at = 0
        while at < len(data):
            at = _STEPS[self._place](self, data, at, events)
        return events

    def hang_up(self) -> list[Event]:
        """The connection is gone; what was left is handed over and the reader starts anew."""
        events: list[Event] = []
        if self._place is _Place.AT_FS:
            self._kept.append(FS)
        if self.inside:
            events.append(Truncated(bytes(self._kept)))
        elif self._kept and self._place is _Place.OUTSIDE:
            events.append(Noise(bytes(self._kept)))
        if self._place is _Place.AFTER_FS:
            self.used["fs_without_cr"] += 1
        self._kept.clear()
        self._place = _Place.OUTSIDE
        return events

    def _outside(self, data: bytes, at: int, events: list[Event]) -> int:
        start = data.find(_VT, at)
        end = len(data) if start < 0 else start
        while at < end:
            piece = data[at : min(end, at + _NOISE_PIECE - len(self._kept))]
            self._kept += piece
            at += len(piece)
            if len(self._kept) == _NOISE_PIECE:
                self._report_noise(events)
        if start < 0:
            return end
        self._report_noise(events)
        self._place = _Place.INSIDE
        return start + 1

    def _report_noise(self, events: list[Event]) -> None:
        if self._kept:
            events.append(Noise(bytes(self._kept)))
            self._kept.clear()

    def _inside(self, data: bytes, at: int, events: list[Event]) -> int:
        fs = data.find(_FS, at)
        end = len(data) if fs < 0 else fs
        restart = data.find(_VT, at, end)
        if restart >= 0:
            end = restart
        if not self._keep(data[at:end], events):
            return len(data)
        if restart >= 0:
            events.append(BlockRestarted(bytes(self._kept)))
            self._kept.clear()
            return restart + 1
        if fs < 0:
            return end
        if self._lone_fs and self._kept.endswith((b"\r", b"\n")):
            self._finish(events)
            self._place = _Place.AFTER_FS
        else:
            self._place = _Place.AT_FS
        return fs + 1

    def _at_fs(self, data: bytes, at: int, events: list[Event]) -> int:
        if data[at] == CR:
            self._finish(events)
            self._place = _Place.AFTER_CR
            return at + 1
        self._place = _Place.INSIDE
        return at if self._keep(_FS, events) else len(data)

    def _after_fs(self, data: bytes, at: int, events: list[Event]) -> int:
        if data[at] == CR:
            self._place = _Place.AFTER_CR
            return at + 1
        self.used["fs_without_cr"] += 1
        self._place = _Place.OUTSIDE
        return at

    def _after_cr(self, data: bytes, at: int, events: list[Event]) -> int:
        self._place = _Place.OUTSIDE
        if data[at] != LF:
            return at
        self.used["lf_after_block"] += 1
        return at + 1

    def _unusable(self, data: bytes, at: int, events: list[Event]) -> int:
        return len(data)

    def _keep(self, piece: bytes, events: list[Event]) -> bool:
        if len(self._kept) + len(piece) > self._max_block:
            events.append(BlockTooLarge(self._max_block + 1))
            self._kept.clear()
            self._place = _Place.UNUSABLE
            return False
        self._kept += piece
        return True

    def _finish(self, events: list[Event]) -> None:
        events.append(Block(bytes(self._kept)))
        self._kept.clear()


_STEPS = {
    _Place.OUTSIDE: MllpReader._outside,
    _Place.INSIDE: MllpReader._inside,
    _Place.AT_FS: MllpReader._at_fs,
    _Place.AFTER_FS: MllpReader._after_fs,
    _Place.AFTER_CR: MllpReader._after_cr,
    _Place.UNUSABLE: MllpReader._unusable,
}
"""What is done with the next bytes in each place; every step says where it stopped reading."""


def wrap(data: bytes) -> bytes:
    """The block that carries these data.

    Raises: MllpError when they hold VT or FS, which would end or restart the block at the receiver.
    """
    if _VT in data or _FS in data:
        raise MllpError(
            "the data hold VT (0B) or FS (1C), which frame a block: escape them in the field as \\X0B\\ or \\X1C\\"
        )
    return _VT + data + _END
