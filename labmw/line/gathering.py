"""Which messages do the frames of one session make? The line asks as they come, recovery asks after a restart: both get the same answer.

Bounded: a message beyond all measure is handed over in pieces, none of which counts as terminated, so that memory is too and none is ever
released by itself.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Protocol, Self

from labmw.line.received import UNTERMINATED
from protocols.astm.frame import Frame
from protocols.astm.message import Assembly, Message
from protocols.astm.tolerance import STRICT, Tolerances
from protocols.plain.message import PlainMessage

RECORD = 16  # bytes that even an empty record is counted for: a million of them take the memory of far more than a million bytes


@dataclass(frozen=True, slots=True)
class Gathered:
    """One message and where it stands in its session: its first and last frame, and which of those that end there it is."""

    message: Message | PlainMessage
    first: int
    last: int
    place: int


class Gatherer(Protocol):
    """What puts the frames (or blocks) of one session together; `protocol` is what its messages are stored as."""

    @property
    def protocol(self) -> str:
        """What its messages are stored as."""
        ...

    @property
    def used(self) -> tuple[str, ...]:
        """Tolerances that were used, by name."""
        ...

    def copy(self) -> Self:
        """An independent one in the same state, to try what a frame would bring."""
        ...

    def completes(self, frame: Frame) -> bool:
        """Whether this frame would bring the end of a message; nothing changes."""
        ...

    def feed(self, frame: Frame, seq: int) -> list[Gathered]:
        """Take the frame of this number; returns the messages that end here."""
        ...

    def rest(self, seq: int) -> Gathered | None:
        """What has come of a message that its end did not reach."""
        ...


class Gathering:
    """The messages of one session, frame by frame."""

    protocol = "astm"

    def __init__(self, encoding: str = "latin-1", tolerances: Tolerances = STRICT, most: int = 64 * 2**20) -> None:
        # Wider than our own bound by what a frame can add, so that we hand over what has come before the assembly would drop it.
        self._assembly = Assembly(encoding, tolerances, max_message=2 * (most + tolerances.max_frame))
        self._most = most
        self._size = 0  # of what has come of the open message, or a little more
        self._first = 1  # the frame it begins in
        self._torn = False  # what comes next is the end of a record whose beginning was handed over

    @property
    def used(self) -> tuple[str, ...]:
        """Tolerances that were used, by name."""
        return tuple(sorted(self._assembly.used))

    def copy(self) -> Gathering:
        """An independent one in the same state, to try what a frame would bring."""
        other = copy(self)
        other._assembly = self._assembly.copy()
        return other

    def completes(self, frame: Frame) -> bool:
        """Whether this frame would bring the end of a message; nothing changes."""
        return self._assembly.completes(frame)

    def feed(self, frame: Frame, seq: int) -> list[Gathered]:
        """Take the frame of this number; returns the messages that end here, were cut short here, or have grown too large."""
        found: list[Gathered] = []
        for place, message in enumerate(self._assembly.feed(frame)):
            whole = replace(message, terminated=False) if self._torn else message
            found.append(Gathered(whole, self._first, seq, place))
            self._first, self._torn = seq, False
        if found:
            self._size = 0
            self._first = seq if self._assembly.pending else seq + 1
        if self._assembly.pending:
            self._size += len(frame.text) + RECORD * frame.text.count(b"\r")
        if self._size > self._most and (piece := self.rest(seq)) is not None:
            found.append(piece)
            self._torn = not (frame.last or frame.text.endswith(b"\r"))
        return found

    def rest(self, seq: int) -> Gathered | None:
        """What has come of a message that L will not end; None if nothing has. `seq` is the last frame there is."""
        message = self._assembly.close()
        first, self._first, self._size, self._torn = self._first, seq + 1, 0, False
        return None if message is None else Gathered(message, first, seq, UNTERMINATED)
