"""What is a simulated device plugged into? TCP both ways, a pseudo-terminal in place of RS-232, or memory for tests."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
import tty
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from simulators.clock import Clock
from simulators.errors import SimulatorError, WireLost

READ_SIZE = 65536
_CARRIER_POLL = 0.05  # seconds between two looks at a serial port that nobody has opened
_PORT_SETTLES = 0.3  # seconds: a program that opens a serial port sets it up and flushes it before it reads


class Wire(Protocol):
    """Two streams of bytes and the name of who is at the other end."""

    peer: str

    async def read(self) -> bytes:
        """Return what has arrived, at least one byte; b"" when the other side has hung up."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes; raises WireLost when nobody is there any more."""
        ...

    async def close(self) -> None:
        """Hang up; safe to call twice."""
        ...


class Plug(Protocol):
    """A way to get a wire, again and again."""

    name: str

    async def open(self, clock: Clock) -> Wire:
        """Return a wire, however long that takes."""
        ...

    async def close(self) -> None:
        """Free ports and devices."""
        ...


@dataclass(slots=True)
class StreamWire:
    """A wire over asyncio streams."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: str

    async def read(self) -> bytes:
        """Return what has arrived; a reset counts as hanging up."""
        try:
            return await self.reader.read(READ_SIZE)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        """Send bytes and wait until the peer takes them."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError as error:
            raise WireLost(f"{self.peer} has hung up ({error}); dial again") from error

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@dataclass(slots=True)
class MemoryWire:
    """One end of a cable that exists only in memory; one write is one read at the other end."""

    peer: str
    _inward: asyncio.Queue[bytes]
    _outward: asyncio.Queue[bytes]
    _gone: bool = False

    async def read(self) -> bytes:
        """Return one piece as it was written; b"" from the moment the other end has closed."""
        if self._gone:
            return b""
        piece = await self._inward.get()
        self._gone = not piece
        return piece

    async def write(self, data: bytes) -> None:
        """Send one piece."""
        if self._gone:
            raise WireLost(f"{self.peer} has hung up; dial again")
        if data:
            self._outward.put_nowait(data)

    async def close(self) -> None:
        """Hang up."""
        if not self._gone:
            self._gone = True
            self._outward.put_nowait(b"")
            self._inward.put_nowait(b"")


def memory_cable(one: str = "one", other: str = "other") -> tuple[MemoryWire, MemoryWire]:
    """Return both ends of a cable in memory; each is named after what the other end plugs in."""
    there: asyncio.Queue[bytes] = asyncio.Queue()
    back: asyncio.Queue[bytes] = asyncio.Queue()
    return MemoryWire(other, back, there), MemoryWire(one, there, back)


@dataclass(slots=True)
class TcpConnect:
    """The analyzer dials labmw, as LIS01-A2 has it (spec A.15); it tries again until somebody listens."""

    host: str
    port: int
    retry: float = 0.2  # seconds between two attempts
    name: str = ""

    def __post_init__(self) -> None:
        self.name = f"{self.host}:{self.port}"

    async def open(self, clock: Clock) -> Wire:
        """Dial until somebody answers."""
        while True:
            try:
                reader, writer = await asyncio.open_connection(self.host, self.port)
            except OSError:
                await clock.sleep(self.retry)
                continue
            return StreamWire(reader, writer, self.name)

    async def close(self) -> None:
        """Nothing is held between two connections."""


@dataclass(slots=True)
class TcpListen:
    """The analyzer waits to be dialled, as many real ones do (spec A.15). A new caller waits until the last has gone."""

    host: str
    port: int
    name: str = ""
    _callers: asyncio.Queue[StreamWire] = field(default_factory=asyncio.Queue)
    _server: asyncio.Server | None = None

    async def start(self) -> tuple[str, int]:
        """Listen now and return the address, which tells the port where 0 was asked for; raises SimulatorError."""
        if self._server is None:
            try:
                self._server = await asyncio.start_server(self._accept, self.host, self.port)
            except OSError as error:
                raise SimulatorError(
                    f"{self.host}:{self.port} cannot be listened on ({error}); choose another port, or 0 for a free one"
                ) from error
            self.port = int(self._server.sockets[0].getsockname()[1])
            self.name = f"{self.host}:{self.port}"
        return self.host, self.port

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers.put_nowait(StreamWire(reader, writer, f"a caller of {self.name}"))

    async def open(self, clock: Clock) -> Wire:
        """Wait for the next caller."""
        await self.start()
        return await self._callers.get()

    async def close(self) -> None:
        """Stop listening; callers nobody has spoken to are hung up on."""
        if self._server is not None:
            self._server.close()
        while not self._callers.empty():
            await self._callers.get_nowait().close()


class PtyPort:
    """A serial port made of a pseudo-terminal: we hold the master, labmw opens the slave like any RS-232 device.

    A pseudo-terminal has neither baud rate nor parity: what is tested is the path through a terminal device. The master
    tells when nobody has the slave open, as DTR would; that is how this end knows when to begin and when labmw is gone.
    """

    def __init__(self, link: Path | None = None) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)  # no echo and no translation of CR, LF, ETX or EOT, also before labmw sets its own mode
        self.device = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        self.link = link
        if link is not None:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(self.device)
        self.name = str(link or self.device)

    async def open(self, clock: Clock) -> Wire:
        """Wait until somebody has opened the device."""
        eye = select.poll()
        eye.register(self._master, select.POLLIN)
        while any(event & select.POLLHUP for _, event in eye.poll(0)):
            await clock.sleep(_CARRIER_POLL)
        await clock.sleep(_PORT_SETTLES)
        return PtyWire(self._master, self.name)

    async def close(self) -> None:
        """Unplug: whoever has the device open reads the end."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1
        if self.link is not None:
            self.link.unlink(missing_ok=True)


@dataclass(slots=True)
class PtyWire:
    """The master side of a pseudo-terminal, borrowed from its port."""

    master: int
    peer: str

    async def read(self) -> bytes:
        """Return what has arrived; b"" when the device was closed at the other side (EIO)."""
        while True:
            try:
                return os.read(self.master, READ_SIZE)
            except BlockingIOError:
                await self._ready(reading=True)
            except OSError as error:
                if error.errno == errno.EIO:
                    return b""
                raise

    async def write(self, data: bytes) -> None:
        """Send bytes; the buffer of a pseudo-terminal takes about 4 kB at once."""
        while data:
            try:
                data = data[os.write(self.master, data) :]
            except BlockingIOError:
                await self._ready(reading=False)
            except OSError as error:
                raise WireLost(f"{self.peer} is closed at the other side ({error}); wait until it is opened") from error

    async def _ready(self, *, reading: bool) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        add, remove = (loop.add_reader, loop.remove_reader) if reading else (loop.add_writer, loop.remove_writer)
        add(self.master, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            remove(self.master)

    async def close(self) -> None:
        """Fall silent: a cable of three wires cannot hang up. The port stays."""
