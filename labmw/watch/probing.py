"""Does a line of LIS01-A2 answer? It is listened to, then called once, and what passed is kept for the diagnosis.

The most that is ever sent is one ENQ, the EOT that ends the session it may open, and NAK ("busy") to the first calls of the analyzer: it
keeps its results and calls again later (E1381 §6.2.7.1). Nothing is acknowledged, so nothing can be lost.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal

from labmw.line.transport import Wire
from protocols.astm.control import ACK, ENQ, EOT, NAK
from protocols.capture import FROM_INSTRUMENT, FROM_LABMW, Piece

ANSWER = 15.0  # seconds until a call counts as unanswered (E1381 §6.5.2.2)
MOST = 64 * 1024  # bytes after which enough is known
BUSY = 2  # calls of the analyzer that are told "busy"; later ones are left alone
AGAIN = (
    8.0  # seconds; one that was told "busy" waits ten (E1381 §6.2.7.1), so that a call within these has not heard it
)


@dataclass(slots=True)
class Probe:
    """One look at one line."""

    wire: Wire
    listen: float  # seconds without saying anything
    answer: float = ANSWER
    polite: bool = True  # a calling analyzer is told that we are busy; False: not a byte is sent unless it is called
    pieces: list[Piece] = field(default_factory=list)
    answered: bytes = b""  # what came after our call
    called: bool = False
    busy_at: float | None = None  # when the analyzer was first told "busy"
    deaf: bool = False  # it called again too soon after that
    _began: float = 0.0
    _busy: int = 0

    async def run(self, *, call: bool) -> list[Piece]:
        """Listen, call when the line is quiet, and return what passed."""
        self._began = asyncio.get_running_loop().time()
        alive = await self._hear(self.listen)
        if self.busy_at is not None:  # it calls by itself: there is nothing to be gained by calling it
            left = self.busy_at + AGAIN - asyncio.get_running_loop().time()
            if alive and left > 0 and not self.deaf:
                await self._hear(left)
        elif call and alive and not self._under_way():
            self.called = True
            self._say(ENQ)
            before = len(self._came())
            await self._hear(self.answer, until=bytes((ACK, NAK, ENQ)))
            self.answered = self._came()[before:]
            if ACK in self.answered:
                self._say(EOT)
                await self._hear(0.2)
        return self.pieces

    def _came(self) -> bytes:
        return b"".join(piece.data for piece in self.pieces if piece.direction == FROM_INSTRUMENT)

    def _under_way(self) -> bool:
        """The analyzer is in the middle of something: it is not called."""
        came = self._came()
        return bool(came) and came[-1:] != bytes((EOT,))

    async def _hear(self, seconds: float, until: bytes = b"") -> bool:
        """Listen for so long, or until one of these bytes comes; False when the other side has hung up or has said enough."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            try:
                async with asyncio.timeout(left):
                    data = await self.wire.read()
            except TimeoutError:
                return True
            if not data:
                return False
            self._note(FROM_INSTRUMENT, data)
            if len(self._came()) > MOST:
                return False
            if any(byte in until for byte in data):
                return True
            if data[-1] == ENQ and self.polite:
                self.deaf |= self.busy_at is not None and loop.time() - self.busy_at < AGAIN
                if self._busy < BUSY:
                    self._busy += 1
                    self.busy_at = self.busy_at or loop.time()
                    self._say(NAK)
        return True

    def _say(self, byte: int) -> None:
        data = bytes((byte,))
        self.wire.write(data)
        self._note(FROM_LABMW, data)

    def _note(self, direction: str, data: bytes) -> None:
        seconds = asyncio.get_running_loop().time() - self._began
        self.pieces.append(Piece(Decimal(f"{seconds:.6f}"), direction, data))


__all__ = ["ANSWER", "Probe"]
