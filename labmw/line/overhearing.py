"""How does one listen to a wire without ever saying anything on it? A TCP port or a serial port, read and never written.

A serial port is opened for reading only, so that the kernel itself refuses every byte; of a TCP connection the half that writes is never
used. Opening a serial port raises DTR and RTS as any opening does: that is a voltage, not a byte, and many analyzers wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import termios
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from labmw.errors import LinkError, WireHeld
from labmw.line.held_port import hold_alone
from labmw.line.transport import tcp_wire
from labmw.line.unopened import serial_held, serial_unopened
from labmw.phrases import say
from protocols.linescan import Parity, Scan, Setting, unmark

READ_SIZE: Final = 4096
CONNECTIONS: Final = 8
"""Peers that are listened to at once; further ones are hung up on."""
WAITING: Final = 64
"""Pieces that wait for whoever shows them; then the peers wait."""
REOPEN: Final = 1.0  # seconds between looks for a port that was unplugged


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a serial port is read. Eight bits without parity also read 7E1 and 7O1: their parity is the eighth bit."""

    baud: int = 9600
    bits: Literal[7, 8] = 8
    parity: Parity = "none"
    stop: Literal[1, 2] = 1

    def __str__(self) -> str:
        return f"{self.baud} {self.bits}{self.parity[0].upper()}{self.stop}"


@dataclass(frozen=True, slots=True)
class Overheard:
    """What happened on the wire: it is open, somebody came, said something, or left; `broken` bytes were marked by the port."""

    what: Literal["open", "came", "tuned", "said", "left"]
    peer: str
    data: bytes = b""
    broken: int = 0
    tuning: Tuning | None = None  # of "tuned": how a serial port is read from here on
    found: bool = False  # and that it is the line's own setting, as given or as found


async def overhear_tcp(host: str, port: int, connections: int = CONNECTIONS) -> AsyncGenerator[Overheard, None]:
    """Listen on a TCP port until cancelled; raises WireHeld when another program has it, LinkError when it cannot be had."""
    queue: asyncio.Queue[Overheard] = asyncio.Queue(WAITING)
    listeners: set[asyncio.Task[None]] = set()

    async def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = tcp_wire(reader, writer)  # keep-alive finds who has gone
        if len(listeners) >= connections:
            wire.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        listeners.add(task)
        try:
            await queue.put(Overheard("came", wire.peer))
            while data := await wire.read():
                await queue.put(Overheard("said", wire.peer, data))
            await queue.put(Overheard("left", wire.peer))
        except asyncio.CancelledError:
            pass
        finally:
            listeners.discard(task)
            wire.abort()

    try:
        server = await asyncio.start_server(arrived, host, port, limit=READ_SIZE)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            facts = {"place": f"{host}:{port}"}
            raise WireHeld(say("wire-held-other", "en", **facts), "wire-held-other", facts) from None
        facts = {"place": f"{host}:{port}", "why": str(error.strerror)}
        raise LinkError(say("tcp-unlistened", "en", **facts), "tcp-unlistened", facts) from None
    try:
        yield Overheard("open", f"{host}:{port}")
        while True:
            yield await queue.get()
    finally:
        server.close()
        tasks = list(listeners)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


class SerialEar:
    """A serial port that is open for reading only, under an exclusive lock; raises WireHeld and LinkError."""

    def __init__(self, device: str, tuning: Tuning) -> None:
        self.device = device
        self._rest, self._mask = b"", 0xFF
        try:
            self._descriptor = os.open(device, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise serial_unopened(device, error) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hold_alone(self._descriptor)
            self.tune(tuning)
        except BlockingIOError:
            self.close()
            raise serial_held(device) from None
        except (termios.error, OSError) as error:
            self.close()
            raise serial_unopened(device, error) from None

    def tune(self, tuning: Tuning, *, drop: bool = True) -> None:
        """Set speed, bits and parity; `drop` what came before. Broken bytes are marked by the port, and counted when read."""
        speed = getattr(termios, f"B{tuning.baud}", None)
        if speed is None:
            facts = {"baud": str(tuning.baud)}
            raise LinkError(say("serial-speed", "en", **facts), "serial-speed", facts)
        control = termios.CREAD | termios.CLOCAL | (termios.CS8 if tuning.bits == 8 else termios.CS7)
        if tuning.parity != "none":
            control |= termios.PARENB | (termios.PARODD if tuning.parity == "odd" else 0)
        if tuning.stop == 2:
            control |= termios.CSTOPB
        attributes = termios.tcgetattr(self._descriptor)
        characters = attributes[6]
        characters[termios.VMIN], characters[termios.VTIME] = 1, 0
        wanted = [termios.INPCK | termios.PARMRK, 0, control, 0, speed, speed, characters]
        try:
            termios.tcsetattr(self._descriptor, termios.TCSANOW, wanted)
        except termios.error as error:
            if error.args[0] != errno.EINVAL or (tuning.bits, tuning.parity) == (8, "none"):
                raise
            # A port without parity (a pseudo-terminal, some adapters) takes the rest and says so: the eighth bit is taken off here.
        self._mask = 0x7F if tuning.bits == 7 else 0xFF
        if drop:
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
            self._rest = b""

    async def read(self) -> tuple[bytes, int]:
        """Return what has come and how many of the bytes were broken; (b"", 0) when the port is gone."""
        while True:
            await self._readable()
            try:
                data = os.read(self._descriptor, READ_SIZE)
            except BlockingIOError:
                continue
            except OSError:
                return b"", 0
            if not data:
                return b"", 0
            found, broken, self._rest = unmark(self._rest + data)
            if found:
                return found if self._mask == 0xFF else bytes(byte & self._mask for byte in found), broken

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()

        def has_come() -> None:
            if not ready.done():
                ready.set_result(None)

        loop.add_reader(self._descriptor, has_come)
        try:
            await ready
        finally:
            loop.remove_reader(self._descriptor)

    def close(self) -> None:
        """Let the port go; safe to call twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    @property
    def descriptor(self) -> int:
        """The open file, for who wants to see that it cannot be written."""
        return self._descriptor


async def overhear_serial(device: str, tuning: Tuning | None = None) -> AsyncGenerator[Overheard, None]:
    """Listen on a serial port until cancelled, also after it was unplugged and plugged in again; without `tuning` its setting is looked for.

    "tuned" tells each setting that is listened with; what is "said" before a setting was found may be rubbish.
    Raises: WireHeld, LinkError, for a port that cannot be opened at the start.
    """
    scan = Scan() if tuning is None else None
    using = tuning or _of(Scan().setting)
    ear = SerialEar(device, using)
    try:
        yield Overheard("open", device)
        yield Overheard("came", device)
        yield Overheard("tuned", device, tuning=using, found=tuning is not None)
        while True:
            data, broken = await ear.read()
            if not data:
                yield Overheard("left", device)
                ear.close()
                ear = await _again(device, using)
                yield Overheard("came", device)
                continue
            yield Overheard("said", device, data, broken)
            if scan is None:
                continue
            if scan.feed(data, broken):
                using = _of(scan.setting)
                ear.tune(using)
                yield Overheard("tuned", device, tuning=using)
            elif scan.found is not None:
                using, scan = Tuning(scan.found.baud, scan.found.bits, scan.found.parity), None
                ear.tune(using, drop=False)
                yield Overheard("tuned", device, tuning=using, found=True)
    finally:
        ear.close()


async def _again(device: str, tuning: Tuning) -> SerialEar:
    """The port once it is back."""
    while True:
        await asyncio.sleep(REOPEN)
        with contextlib.suppress(LinkError):
            return SerialEar(device, tuning)


def _of(setting: Setting) -> Tuning:
    return Tuning(setting.baud, 8, setting.parity)


def adapters() -> list[str]:
    """The serial adapters of this machine by the names that stay when they are plugged in elsewhere."""
    folder = Path("/dev/serial/by-id")
    return sorted(str(path) for path in folder.iterdir()) if folder.is_dir() else []


__all__ = ["Overheard", "SerialEar", "Tuning", "adapters", "overhear_serial", "overhear_tcp"]
