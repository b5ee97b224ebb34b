"""What if a frame were acknowledged before it is on the disk? A daemon built wrong on purpose, for `labmw demo --break ack-first`.

No configuration leads here. It is the real daemon with one order reversed, on a disk that takes a second: whoever pulls the plug
in that second loses what analyzers were told they may forget, and the count of the demo must find it (law 14).

python -m labmw.cli.demo.broken CONFIG
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from labmw.app import Laboratory
from labmw.config import Config, load
from labmw.line.conversation import AstmConversation
from labmw.line.host_query import AskingConversation
from labmw.watch.log import begin
from protocols.astm.datalink import Event
from protocols.astm.frame import Frame

SLOW = 1.0  # seconds from the acknowledgment to the disk


class AcknowledgeFirst(AstmConversation):
    """Accepts every frame at once and stores them when the session is over."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._promised: list[Frame] = []

    async def _frame(self, frame: Frame) -> list[Event]:
        self._promised.append(frame)
        return self._machine.accept()  # the sender may now forget it, and it is nowhere but in memory

    async def _session_closed(self, reason: str) -> None:
        await asyncio.sleep(SLOW)
        promised, self._promised = self._promised, []
        for frame in promised:
            await self._keep(frame)
        await super()._session_closed(reason)


class AskingAcknowledgeFirst(AcknowledgeFirst, AskingConversation):
    """The same for an analyzer that asks for its work."""


async def run(config: Config) -> None:
    """Run until asked to stop, or killed."""
    laboratory = Laboratory(config, astm=AcknowledgeFirst, asking=AskingAcknowledgeFirst)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    try:
        await laboratory.start()
        await laboratory.wait(stop)
    finally:
        await laboratory.stop()


if __name__ == "__main__":
    begin("lines")
    asyncio.run(run(load(Path(sys.argv[1]))))
