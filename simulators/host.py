"""What does a plain host do at the other end of an analyzer's line? It accepts every frame and keeps what it got: to try an analyzer without labmw."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import serialx

from protocols.astm.datalink import DataLink, Role
from protocols.astm.events import Event, FrameReceived, SessionClosed
from protocols.astm.message import Assembly, Message
from protocols.astm.tolerance import STRICT, Tolerances
from simulators.errors import SimulatorError
from simulators.wire import READ_SIZE

_LAST_WORDS = 0.5  # seconds for what is still on its way when the host stops listening


class Host:
    """The computer's end of one line. Deadlines are not watched: what is tried here is the analyzer."""

    def __init__(self, tolerances: Tolerances = STRICT) -> None:
        self.link = DataLink(Role.COMPUTER, tolerances)
        self.raw = bytearray()
        self.messages: list[Message] = []
        self.events: list[Event] = []
        self.connections = 0
        self._assembly = Assembly(tolerances=tolerances)
        self._line = asyncio.Lock()
        self._writers: set[asyncio.StreamWriter] = set()

    def hear(self, data: bytes) -> bytes:
        """Take bytes and return the answer."""
        self.raw += data
        self._take(self.link.receive(data))
        return self.link.data_to_send()

    def hang_up(self) -> None:
        """End the session that is under way; what came of a message is kept as unterminated."""
        self._take(self.link.hang_up())

    def _take(self, events: Sequence[Event]) -> None:
        pending = list(events)
        while pending:
            event = pending.pop(0)
            self.events.append(event)
            if isinstance(event, FrameReceived):
                self.messages += self._assembly.feed(event.frame)
                pending += self.link.accept()
            elif isinstance(event, SessionClosed) and (rest := self._assembly.close()) is not None:
                self.messages.append(rest)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the analyzer hangs up; who dials meanwhile waits, because a line has one other end."""
        self._writers.add(writer)
        async with self._line:
            self.connections += 1
            with contextlib.suppress(OSError):
                while data := await reader.read(READ_SIZE):
                    if answer := self.hear(data):
                        writer.write(answer)
            self.hang_up()
        writer.close()
        self._writers.discard(writer)

    @asynccontextmanager
    async def listening(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
        """Listen, on a free port where 0 is asked for, and tell its number; raises SimulatorError."""
        try:
            server = await asyncio.start_server(self.serve, host, port)
        except OSError as error:
            raise SimulatorError(f"{host}:{port} cannot be listened on ({error}); choose another port") from error
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            try:
                async with asyncio.timeout(_LAST_WORDS), self._line:
                    pass  # everybody has hung up
            except TimeoutError:
                for writer in self._writers:
                    writer.transport.abort()
                async with self._line:
                    pass

    @asynccontextmanager
    async def on_serial(self, device: str) -> AsyncIterator[None]:
        """Open a serial device."""
        reader, writer = await serialx.open_serial_connection(url=device, baudrate=9600)
        task = asyncio.create_task(self.serve(reader, writer))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            writer.close()
            with contextlib.suppress(OSError):  # the analyzer may have unplugged first
                await writer.wait_closed()
