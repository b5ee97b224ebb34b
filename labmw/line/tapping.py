"""How does labmw listen beside the middleware that a laboratory still uses? A wire that says nothing, whatever it is told to say.

On a tap (`tap = true`) the incumbent answers the analyzer, and labmw reads along: its machines run as always, and what they would answer is
dropped here. A serial tap is opened for reading only. Nothing of a tap ever leaves labmw (labmw.lab.sameness holds it). Decision 0053.
"""

from __future__ import annotations

from dataclasses import dataclass

from labmw.line.overhearing import SerialEar, Tuning
from labmw.line.transport import Wire


@dataclass(slots=True)
class Silent:
    """A wire that is only read."""

    wire: Wire
    unsaid: int = 0  # bytes that were not sent

    @property
    def peer(self) -> str:
        """Who is at the other end."""
        return self.wire.peer

    @property
    def lost(self) -> bool:
        """Whether the connection broke."""
        return self.wire.lost

    async def read(self) -> bytes:
        """Return what has arrived."""
        return await self.wire.read()

    def write(self, data: bytes) -> None:
        """Say nothing."""
        self.unsaid += len(data)

    async def drain(self) -> None:
        """There is nothing to wait for."""

    async def close(self) -> None:
        """Hang up."""
        await self.wire.close()


class EarWire:
    """A serial port that is open for reading only, as a wire; raises LinkError."""

    def __init__(self, device: str, tuning: Tuning) -> None:
        self.peer, self.lost = device, False
        self._ear = SerialEar(device, tuning)

    async def read(self) -> bytes:
        """Return what has arrived; b"" when the port is gone."""
        data, _ = await self._ear.read()
        self.lost = not data
        return data

    def write(self, data: bytes) -> None:
        """The port cannot be written."""

    async def drain(self) -> None:
        """There is nothing to wait for."""

    async def close(self) -> None:
        """Let the port go."""
        self._ear.close()
