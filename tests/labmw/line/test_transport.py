"""TCP and RS-232 as one wire: a real socket, a real pty, a reset, a pulled cable."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cable import Cable
from stage import eventually, frames, free_port, message

from labmw.clock import SYSTEM
from labmw.config import Link, Serial
from labmw.errors import LinkError, WireHeld
from labmw.line import link as link_module
from labmw.line import transport
from labmw.line.health import LinkHealth
from labmw.line.link import Doorkeeper, LinkRunner
from labmw.line.transport import StreamWire, Wire, connect_tcp, open_serial, tcp_wire

# --- TCP --------------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[StreamWire, StreamWire]]:
    """Two ends of one connection: ours, as accepted, and the analyzer's."""
    arrived: asyncio.Future[StreamWire] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(
        lambda reader, writer: arrived.set_result(tcp_wire(reader, writer)), "127.0.0.1", 0
    )
    theirs = await connect_tcp(*server.sockets[0].getsockname()[:2])
    ours = await arrived
    try:
        yield ours, theirs
    finally:
        await ours.close()
        await theirs.close()
        server.close()
        await server.wait_closed()


async def test_bytes_go_both_ways_and_the_peer_has_a_name() -> None:
    async with pair() as (ours, theirs):
        theirs.write(b"\x05")
        assert await ours.read() == b"\x05"
        ours.write(b"\x06")
        await ours.drain()
        assert await theirs.read() == b"\x06"
        host, _, port = ours.peer.partition(":")
        assert host == "127.0.0.1"
        assert port.isdecimal()


async def test_a_dead_peer_is_looked_for() -> None:
    async with pair() as (ours, _):
        raw = ours.writer.get_extra_info("socket")
        assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_an_orderly_end_is_told_from_a_lost_connection() -> None:
    async with pair() as (ours, theirs):
        await theirs.close()
        assert await ours.read() == b""
        assert not ours.lost
    async with pair() as (ours, theirs):
        raw = theirs.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.abort()
        assert await ours.read() == b""
        assert ours.lost


async def test_writing_to_who_has_gone_is_no_error() -> None:
    async with pair() as (ours, theirs):
        theirs.abort()
        for _ in range(3):
            ours.write(b"\x06" * 1000)
            await ours.drain()
            await asyncio.sleep(0.01)
        await ours.close()
        await ours.close()
        ours.write(b"\x06")
        assert await ours.read() == b""


async def test_a_peer_that_takes_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "DRAIN_PATIENCE", 0.05)
    async with pair() as (ours, _):
        ours.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for _ in range(200):
            ours.write(b"\x15" * 65536)
            await ours.drain()
            if ours.lost:
                break
        assert ours.lost
        assert await ours.read() == b""


async def test_who_cannot_be_reached_is_named_with_a_remedy() -> None:
    with pytest.raises(LinkError, match=r"127\.0\.0\.1:\d+ refuses the connection .*: nothing listens"):
        await connect_tcp("127.0.0.1", free_port())
    with pytest.raises(LinkError, match="cannot be reached"):
        await connect_tcp("a" * 80 + ".invalid", 4001, patience=2.0)


# --- RS-232 -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    one = Cable(tmp_path / "tty-analyzer")
    one.plug()
    yield one
    if one.end >= 0:
        one.pull()


async def test_bytes_cross_a_serial_line_both_ways_untouched(cable: Cable) -> None:
    wire = await open_serial(Serial(device=str(cable.name)))
    every = bytes(range(256)) * 4  # a terminal would change CR, LF, XON, XOFF and the interrupt characters
    try:
        await cable.say(every)
        found = b""
        while len(found) < len(every):
            found += await asyncio.wait_for(wire.read(), 60)
        assert found == every
        wire.write(every)
        await wire.drain()
        assert await cable.answer(len(every)) == every
        assert wire.peer == str(cable.name)
    finally:
        await wire.close()


@pytest.mark.parametrize(
    ("bits", "parity", "stop", "baud", "flags"),
    [
        (7, "even", 1, 9600, termios.CS7 | termios.PARENB),
        (8, "none", 1, 19200, termios.CS8),
        (7, "odd", 2, 4800, termios.CS7 | termios.PARENB | termios.PARODD | termios.CSTOPB),
    ],
)
async def test_the_port_gets_the_settings_of_the_link(
    bits: int, parity: str, stop: int, baud: int, flags: int, cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked of the driver: a pty itself has neither parity nor seven bits."""
    asked: list[tuple[int, int]] = []
    real = termios.tcsetattr

    def noticing(descriptor: int, when: int, attributes: list[object]) -> None:
        asked.append((int(attributes[2]), int(attributes[5])))  # type: ignore[call-overload]
        real(descriptor, when, attributes)  # type: ignore[arg-type]

    monkeypatch.setattr("serialx.platforms.serial_posix.tcsetattr", noticing)
    settings = Serial(device=str(cable.name), bits=bits, parity=parity, stop=stop, baud=baud)  # type: ignore[arg-type]
    wire = await open_serial(settings)
    try:
        mask = termios.CSIZE | termios.PARENB | termios.PARODD | termios.CSTOPB
        cflag, speed = asked[-1]
        assert cflag & mask == flags
        assert speed == getattr(termios, f"B{baud}")
        await cable.say(b"\x05")
        assert await asyncio.wait_for(wire.read(), 60) == b"\x05"
    finally:
        await wire.close()


async def test_a_port_is_held_by_one_program_alone(cable: Cable) -> None:
    wire = await open_serial(Serial(device=str(cable.name)))
    with pytest.raises(WireHeld, match="held by another program"):
        await open_serial(Serial(device=str(cable.name)))
    await wire.close()
    again = await open_serial(Serial(device=str(cable.name)))
    await again.close()


@pytest.mark.parametrize(
    ("device", "problem"),
    [("missing", "is not there"), ("directory", "is no serial port"), ("file", "is no serial port")],
)
async def test_what_is_no_serial_port_is_named_with_a_remedy(device: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / device
    if device == "directory":
        path.mkdir()
    elif device == "file":
        path.write_bytes(b"")
    with pytest.raises(LinkError, match=f"{device} {problem}.*: "):
        await open_serial(Serial(device=str(path)))


async def test_a_baud_rate_that_the_port_has_not_is_named(cable: Cable) -> None:
    try:
        wire = await open_serial(Serial(device=str(cable.name), baud=12345))
    except LinkError as error:
        assert "cannot be opened" in str(error)
    else:
        await wire.close()  # Linux sets any rate where the driver can


async def test_a_pulled_cable_is_a_hang_up(cable: Cable) -> None:
    wire = await open_serial(Serial(device=str(cable.name)))
    await cable.say(b"\x05")
    assert await asyncio.wait_for(wire.read(), 60) == b"\x05"
    reading = asyncio.create_task(wire.read())
    await asyncio.sleep(0.01)
    cable.pull()
    assert await asyncio.wait_for(reading, 60) == b""
    wire.write(b"\x06")
    await wire.drain()
    await wire.close()


async def test_unplugged_and_plugged_in_again_the_line_goes_on_without_a_restart(
    cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "RECONNECT", (0.02,))
    sent = frames(message("S1"))
    whole = b"".join(sent)

    async def echo(wire: Wire) -> str:
        while data := await wire.read():
            wire.write(data)
            await wire.drain()
        return "hang-up"

    health = LinkHealth("T", "one", SYSTEM)
    link = Link(name="one", serial=Serial(device=str(cable.name), bits=7, parity="even"))
    task = asyncio.create_task(LinkRunner(link, echo, health, Doorkeeper(9)).run())
    for _ in range(3):
        await eventually(lambda: health.connected == 1)
        await cable.say(whole)
        assert await cable.answer(len(whole)) == whole
        cable.pull()
        await eventually(lambda: "unreachable" in health.troubles)
        assert health.connected == 0
        cable.plug()
        await eventually(lambda: "unreachable" not in health.troubles)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_the_pty_of_these_tests_is_a_terminal(cable: Cable) -> None:
    with cable.name.open("rb", buffering=0) as device:
        assert os.isatty(device.fileno())
        fcntl.ioctl(device.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
