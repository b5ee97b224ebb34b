"""A serial line for the tests: a pty behind a name of its own, as udev makes one; it can be pulled out and put back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import tty
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Cable:
    """One end is labmw's device, the other the test's."""

    name: Path
    end: int = -1

    def plug(self) -> None:
        """Put it in: a new device, under the old name."""
        self.end, device = pty.openpty()
        tty.setraw(device)
        path = os.ttyname(device)
        os.close(device)
        self.name.unlink(missing_ok=True)
        self.name.symlink_to(path)
        os.set_blocking(self.end, False)

    def pull(self) -> None:
        """Pull it out."""
        self.name.unlink(missing_ok=True)
        os.close(self.end)
        self.end = -1

    async def say(self, data: bytes) -> None:
        """Send bytes to labmw."""
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self.end, data) :]
            await asyncio.sleep(0)

    async def answer(self, count: int = 1) -> bytes:
        """Wait for so many bytes from labmw."""
        found = b""
        async with asyncio.timeout(60):
            while len(found) < count:
                with contextlib.suppress(BlockingIOError, OSError):
                    found += os.read(self.end, count - len(found))
                await asyncio.sleep(0.001)
        return found
