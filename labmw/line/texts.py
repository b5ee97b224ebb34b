"""Which messages do the blocks of a plain link make? The same questions as labmw.line.gathering answers for ASTM, with the same answers after a restart.

Bounded: a text beyond all measure is handed over in pieces, none of which counts as terminated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from labmw.line.gathering import Gathered
from labmw.line.received import UNTERMINATED
from protocols.astm.frame import Frame
from protocols.plain.message import Name, PlainMessage, belongs


@dataclass(slots=True)
class TextGathering:
    """The messages of one session of a plain link, block by block."""

    protocol: Name
    encoding: str = "latin-1"
    most: int = 64 * 2**20
    used: tuple[str, ...] = ()
    _texts: tuple[bytes, ...] = ()  # of the message so far; of a PK also what it said of itself before
    _size: int = 0
    _first: int = 1  # the block it begins in
    _open: bool = False  # the last text has not ended

    def copy(self) -> TextGathering:
        """An independent one in the same state, to try what a block would bring."""
        return replace(self)

    def completes(self, frame: Frame) -> bool:
        """Whether this block would bring the end of a message; nothing changes."""
        return frame.last and belongs(self.protocol, (*self._texts, frame.text)) == "message"

    def feed(self, frame: Frame, seq: int) -> list[Gathered]:
        """Take the block of this number; returns the message that ends here, or what has grown too large."""
        if not self._texts:
            self._first = seq
        self._texts += (frame.text,)
        self._size += len(frame.text)
        self._open = not frame.last
        if frame.last:
            match belongs(self.protocol, self._texts):
                case "message":
                    return [self._end(seq, terminated=True)]
                case "nothing":
                    self._texts = self._texts[:-1] if frame.text[:2] not in (b"DE", b"SE", b"RE") else ()
                    self._size = sum(map(len, self._texts))
                    return []
        if self._size > self.most:
            return [self._end(seq, terminated=False)]
        return []

    def rest(self, seq: int) -> Gathered | None:
        """What has come of a message whose end did not; None if nothing has."""
        return self._end(seq, terminated=False) if self._texts else None

    def _end(self, seq: int, *, terminated: bool) -> Gathered:
        message = PlainMessage(self.protocol, self._texts, self.encoding, terminated)
        first, self._texts, self._size, self._open = self._first, (), 0, False
        return Gathered(message, first, seq, 0 if terminated else UNTERMINATED)
