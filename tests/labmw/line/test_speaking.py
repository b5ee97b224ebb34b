"""A line on which both speak ends when it is told to, at whatever moment that comes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from lineside import Lineside, MemoryWire, lineside

from labmw.line.conversation import AstmConversation
from labmw.line.speaking import SpeakingConversation

MOMENTS = 12  # turns of the loop after bytes have come: beyond all that a reading takes


class Speaking(SpeakingConversation):
    def _receiver(self):  # type: ignore[no-untyped-def]
        self._prepare()
        return super()._receiver()


class TellingWire(MemoryWire):
    """Ends the conversation so many turns of the loop after it has handed over bytes."""

    def __init__(self, line: Lineside, turns: int) -> None:
        super().__init__()
        self._line, self._turns = line, turns

    async def read(self) -> bytes:
        data = await super().read()
        self._count(self._turns)
        return data

    def _count(self, left: int) -> None:
        if left:
            asyncio.get_running_loop().call_soon(self._count, left - 1)
        else:
            self._line.tasks[-1].cancel()


@pytest.mark.parametrize("kind", [AstmConversation, Speaking])
async def test_asked_to_stop_at_any_moment_of_a_reading_it_stops(kind: type[AstmConversation], tmp_path: Path) -> None:
    """A cancellation that was swallowed would keep the daemon from stopping for as long as the analyzer keeps the line."""
    async with lineside(tmp_path) as line:
        for turns in range(MOMENTS):
            wire = TellingWire(line, turns)
            line.converse(kind, wire)
            wire.say(b"noise")
            done, _ = await asyncio.wait({line.tasks[-1]}, timeout=30)
            assert done, f"it goes on when it is told {turns} turns after bytes have come"
