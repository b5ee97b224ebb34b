"""What the simulators are tried against: a labmw of a few lines, and a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import serialx

from protocols.astm.datalink import DataLink, Role
from protocols.astm.events import Event, FrameReceived
from protocols.astm.message import Assembly, Message
from protocols.astm.tolerance import STRICT, Tolerances


class HandClock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.time = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime:
        return datetime(2025, 3, 10, 9, 0, tzinfo=UTC) + timedelta(seconds=self.time)

    def real(self, seconds: float) -> float:
        return seconds

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time + seconds, future))
        await future

    @property
    def next(self) -> float | None:
        """When the next sleeper wakes."""
        waiting = [when for when, future in self._sleepers if not future.done()]
        return min(waiting, default=None)

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for when, future in self._sleepers:
            if when <= self.time and not future.done():
                future.set_result(None)
        self._sleepers = [one for one in self._sleepers if not one[1].done()]

    async def run(self, work: asyncio.Task[object]) -> None:
        """Let the work go on, and jump to the next sleeper whenever nothing else happens."""
        while not work.done():
            for _ in range(50):
                await asyncio.sleep(0)
            if not work.done() and self.next is not None:
                self.advance(self.next - self.time)
        await work


@dataclass
class Receiver:
    """The computer's end of one line: accepts every frame, keeps every byte and message."""

    tolerances: Tolerances = STRICT
    raw: bytearray = field(default_factory=bytearray)
    messages: list[Message] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self.link = DataLink(Role.COMPUTER, self.tolerances)
        self._assembly = Assembly()

    def hear(self, data: bytes) -> bytes:
        """Take bytes and return the answer."""
        self.raw += data
        self._take(self.link.receive(data))
        return self.link.data_to_send()

    def _take(self, events: list[Event]) -> None:
        pending = list(events)
        while pending:
            event = pending.pop(0)
            self.events.append(event)
            if isinstance(event, FrameReceived):
                self.messages += self._assembly.feed(event.frame)
                pending += self.link.accept()
            elif type(event).__name__ == "SessionClosed":
                rest = self._assembly.close()
                self.messages += [rest] if rest else []

    def hang_up(self) -> None:
        self._take(self.link.hang_up())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while data := await reader.read(65536):
            if answer := self.hear(data):
                writer.write(answer)
        self.hang_up()
        writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await asyncio.sleep(0)

    @asynccontextmanager
    async def on_serial(self, device: str) -> AsyncIterator[None]:
        reader, writer = await serialx.open_serial_connection(url=device, baudrate=9600)
        task = asyncio.create_task(self.serve(reader, writer))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            writer.close()
            with contextlib.suppress(OSError):  # the simulator may have unplugged first
                await writer.wait_closed()


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture
def receiver() -> Iterator[type[Receiver]]:
    yield Receiver
