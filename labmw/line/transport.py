"""How are bytes carried? TCP and RS-232, offered as one wire."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import Any, Protocol

import serialx

from labmw.config import Serial
from labmw.errors import CertificateError, HandshakeError, LinkError
from labmw.line.dialling import dial
from labmw.line.held_port import hold_alone
from labmw.line.unopened import serial_unopened, tcp_unreached
from labmw.tls.credentials import Credentials

READ_SIZE = 65536
DRAIN_PATIENCE = 15.0  # seconds; a sender that does not read its answers by then has given up (E1381 6.5.2.3)
_BROKEN = (OSError, serialx.SerialException)  # ConnectionError, EIO from a serial adapter that was pulled out
_PIN = {True: serialx.PinState.HIGH, False: serialx.PinState.LOW}
_PARITY = {"none": "N", "even": "E", "odd": "O"}


class Wire(Protocol):
    """Two streams of bytes and the name of who is at the other end."""

    @property
    def peer(self) -> str:
        """Who is at the other end, for people and logs."""
        ...

    @property
    def lost(self) -> bool:
        """True when the connection broke instead of being ended: what was written last may not have been read."""
        ...

    async def read(self) -> bytes:
        """Return what has arrived, at least one byte; b"" when the other side has hung up."""
        ...

    def write(self, data: bytes) -> None:
        """Queue bytes to be sent."""
        ...

    async def drain(self) -> None:
        """Wait while the other side is slower than we are."""
        ...

    async def close(self) -> None:
        """Hang up; safe to call twice."""
        ...


@dataclass(slots=True)
class StreamWire:
    """A wire over asyncio streams."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: str
    lost: bool = False

    async def read(self) -> bytes:
        """Return what has arrived; a reset, a timed-out peer and an unplugged adapter all count as hanging up."""
        try:
            return await self.reader.read(READ_SIZE)
        except _BROKEN:
            self.lost = True
            return b""

    def write(self, data: bytes) -> None:
        """Queue bytes to be sent; a wire that is already closing swallows them, the next read tells."""
        if not self.writer.is_closing():
            with contextlib.suppress(*_BROKEN):
                self.writer.write(data)

    async def drain(self) -> None:
        """Wait until the peer takes what was written; one that takes nothing for long is hung up on."""
        if not self.writer.transport.get_write_buffer_size():
            return
        try:
            async with asyncio.timeout(DRAIN_PATIENCE):
                await self.writer.drain()
        except TimeoutError:
            self.abort()
        except _BROKEN:
            self.lost = True

    def abort(self) -> None:
        """Hang up at once, whatever is still to be sent."""
        self.lost = True
        self.writer.transport.abort()

    async def close(self) -> None:
        """Hang up; what the other side does not take within two seconds is dropped."""
        try:
            self.writer.close()
            async with asyncio.timeout(2.0):
                await self.writer.wait_closed()
        except TimeoutError:
            self.abort()
        except _BROKEN:
            self.lost = True


def tcp_wire(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, declared: str = "") -> StreamWire:
    """Wrap an accepted or opened TCP connection, whose peer a load balancer may have `declared`; keep-alive finds the peer that lost its power (spec A.15)."""
    _keep_alive(writer.get_extra_info("socket"))
    address = writer.get_extra_info("peername")
    peer = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "?"
    return StreamWire(reader, writer, declared or peer)


def _keep_alive(raw: Any) -> None:
    """Have the kernel look whether the other side is still there."""
    if raw is None:
        return
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for option, seconds in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
            if hasattr(socket, option):
                raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)


async def connect_tcp(host: str, port: int, *, patience: float = 10.0, tls: Credentials | None = None) -> StreamWire:
    """Open a connection to an analyzer that listens; raises LinkError, of which HandshakeError says that TLS was not agreed."""
    try:
        reader, writer = await dial(host, port, patience=patience, tls=tls)
    except HandshakeError:
        raise
    except CertificateError as error:
        raise LinkError(str(error), error.code, error.facts) from error
    except (OSError, TimeoutError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        raise tcp_unreached(f"{host}:{port}", error) from error
    return tcp_wire(reader, writer)


def _hold(transport: asyncio.WriteTransport) -> None:
    """Keep the port of this machine to ourselves; one of a device server has no descriptor, and its server lets one client in."""
    port = getattr(transport, "serial", None)
    with contextlib.suppress(AttributeError, OSError, ValueError, TypeError, RuntimeError):
        hold_alone(port.fileno())  # type: ignore[union-attr]


async def open_serial(settings: Serial) -> StreamWire:
    """Open an RS-232 port exclusively, one of this machine or of a device server (rfc2217://host:port); raises LinkError."""
    try:
        reader, writer = await serialx.open_serial_connection(
            url=settings.device,
            baudrate=settings.baud,
            byte_size=settings.bits,
            parity=_PARITY[settings.parity],
            stopbits=settings.stop,
            rtscts=settings.rtscts,
            xonxoff=settings.xonxoff,
            exclusive=True,
            rts_on_open=_PIN[settings.rts],
            dtr_on_open=_PIN[settings.dtr],
        )
    except (OSError, serialx.SerialException, ValueError) as error:
        raise serial_unopened(settings.device, error) from error
    _hold(writer.transport)
    # Of a device server; serialx shows the connection beneath nowhere else.
    beneath = getattr(writer.transport, "_tcp_transport", None)
    _keep_alive(beneath.get_extra_info("socket") if beneath is not None else None)
    return StreamWire(reader, writer, settings.device)
