"""Is a wire heard without a byte being sent on it? Real sockets, real ptys; the kernel is asked, too."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import inspect
import os
import re
import socket
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from cable import Cable
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import frames as framed
from stage import free_port, message

from labmw.config import Serial
from labmw.errors import LinkError, WireHeld
from labmw.line import overhearing
from labmw.line.overhearing import Overheard, SerialEar, Tuning, overhear_serial, overhear_tcp
from labmw.line.recording import LONGEST, Recording
from labmw.line.transport import open_serial
from labmw.phrases import said as said_in_words
from protocols.capture import loads, pieces_to_bytes

SESSION = b"\x05" + b"".join(framed(message("S1"))) + b"\x04"


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    one = Cable(tmp_path / "tty-analyzer")
    one.plug()
    yield one
    if one.end >= 0:
        one.pull()


@contextlib.asynccontextmanager
async def heard(source: AsyncGenerator[Overheard, None]) -> AsyncGenerator[list[Overheard], None]:
    found: list[Overheard] = []

    async def follow() -> None:
        async with contextlib.aclosing(source):
            async for event in source:
                found.append(event)

    task = asyncio.create_task(follow())
    try:
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: object) -> None:
    async with asyncio.timeout(60):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


def said(events: list[Overheard]) -> bytes:
    return b"".join(one.data for one in events if one.what == "said")


async def test_a_peer_is_heard_and_nothing_is_sent_to_it() -> None:
    port = free_port()
    async with heard(overhear_tcp("127.0.0.1", port)) as events:
        await until(lambda: _open(port))
        with socket.create_connection(("127.0.0.1", port)) as analyzer:
            analyzer.sendall(SESSION)
            await until(lambda: said(events) == SESSION)
            analyzer.settimeout(0.3)
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(analyzer.recv, 1)
        await until(lambda: events[-1].what == "left")


def _open(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


async def test_what_answers_is_noticed_by_the_test_above() -> None:
    """The variant that breaks it: one byte is enough."""

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x06")
        await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answers, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as analyzer:
        assert await asyncio.to_thread(analyzer.recv, 1) == b"\x06"
    server.close()
    await asyncio.sleep(0.01)


async def test_a_serial_port_is_open_for_reading_only(cable: Cable) -> None:
    ear = SerialEar(str(cable.name), Tuning())
    try:
        assert fcntl.fcntl(ear.descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(ear.descriptor, b"\x06")
        await cable.say(SESSION)
        found = b""
        while len(found) < len(SESSION):
            found += (await asyncio.wait_for(ear.read(), 60))[0]
        assert found == SESSION
        with pytest.raises(BlockingIOError):
            os.read(cable.end, 1)
    finally:
        ear.close()


def test_the_module_calls_nothing_that_sends() -> None:
    called = set(re.findall(r"\.(\w+)\(", inspect.getsource(overhearing)))
    assert {"read", "start_server"} <= called
    assert called.isdisjoint({"write", "writelines", "send", "sendall", "sendto", "tcsendbreak", "drain"})


@pytest.mark.parametrize("tuning", [Tuning(), Tuning(19200, 7, "even"), Tuning(4800, 7, "odd", 2)], ids=str)
async def test_each_setting_is_read(tuning: Tuning, cable: Cable) -> None:
    async with heard(overhear_serial(str(cable.name), tuning)) as events:
        await until(lambda: events)
        await cable.say(SESSION)
        await until(lambda: said(events) == SESSION)
        assert [(one.tuning, one.found) for one in events if one.what == "tuned"] == [(tuning, True)]


async def test_every_byte_crosses_a_marking_port(cable: Cable) -> None:
    every = bytes(range(256)) * 3
    async with heard(overhear_serial(str(cable.name), Tuning())) as events:
        await until(lambda: events)
        await cable.say(every)
        await until(lambda: said(events) == every)
        assert not sum(one.broken for one in events)


async def test_seven_bits_with_parity_are_found_and_taken_off(cable: Cable) -> None:
    """What a UART delivers of 7E1 when it is read as 8N1."""
    seven = bytes(byte | (0x80 if byte.bit_count() & 1 else 0) for byte in SESSION)
    async with heard(overhear_serial(str(cable.name))) as events:
        await until(lambda: events)
        await cable.say(seven)
        await until(lambda: any(one.found for one in events))
        [found] = [one.tuning for one in events if one.found]
        assert str(found) == "9600 7E1"
        await until(lambda: len(said(events)) == len(seven))
        await cable.say(seven)
        await until(lambda: said(events).endswith(SESSION))


async def test_rubbish_moves_the_scan_on_and_a_session_ends_it(cable: Cable) -> None:
    async with heard(overhear_serial(str(cable.name))) as events:
        await until(lambda: events)
        await cable.say(bytes([0x9C, 0xE1, 0x83, 0xFE] * 4))
        await until(lambda: len([one for one in events if one.what == "tuned"]) > 1)
        await cable.say(SESSION)
        await until(lambda: any(one.found for one in events))


async def test_unplugged_and_plugged_in_again_it_goes_on(cable: Cable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhearing, "REOPEN", 0.02)
    async with heard(overhear_serial(str(cable.name), Tuning())) as events:
        await until(lambda: events)
        cable.pull()
        await until(lambda: events[-1].what == "left")
        cable.plug()
        await until(lambda: events[-1].what == "came")
        await cable.say(SESSION)
        await until(lambda: said(events) == SESSION)


async def test_what_is_in_service_is_left_alone(cable: Cable) -> None:
    wire = await open_serial(Serial(device=str(cable.name)))
    with pytest.raises(WireHeld, match="held by another program"):
        SerialEar(str(cable.name), Tuning())
    await wire.close()
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(WireHeld, match="held by another program"):
        await anext(overhear_tcp("127.0.0.1", other.getsockname()[1]))


async def test_what_is_listened_to_is_left_alone_by_the_daemon(cable: Cable) -> None:
    ear = SerialEar(str(cable.name), Tuning())
    with pytest.raises(WireHeld, match="held by another program"):
        await open_serial(Serial(device=str(cable.name)))
    ear.close()


@pytest.mark.parametrize(
    ("kind", "english", "french"),
    [("missing", "is not there", "n'est pas là"), ("file", "is no serial port", "n'est pas un port série")],
)
def test_what_is_no_port_is_named(kind: str, english: str, french: str, tmp_path: Path) -> None:
    if kind == "file":
        (tmp_path / kind).write_bytes(b"")
    with pytest.raises(LinkError, match=f"{kind} {english}.*: ") as caught:
        SerialEar(str(tmp_path / kind), Tuning())
    told = said_in_words(caught.value, "fr")
    assert french in told
    assert "ioctl" not in told  # the system's words say nothing more, and in English


def test_a_speed_that_no_port_has_is_named(cable: Cable) -> None:
    with pytest.raises(LinkError, match="12345 baud is no speed"):
        SerialEar(str(cable.name), Tuning(12345))


async def test_so_many_peers_and_no_more() -> None:
    port = free_port()
    async with heard(overhear_tcp("127.0.0.1", port, 1)) as events:
        await until(lambda: _open(port))
        await until(lambda: events and events[-1].what == "left")
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            await until(lambda: events[-1].what == "came")
            second = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            second.settimeout(60)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.to_thread(second.recv, 1) == b""
            first.sendall(b"\x05")
            await until(lambda: said(events) == b"\x05")


# --- recording --------------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(pieces=st.lists(st.tuples(st.floats(0, 1e6), st.binary(min_size=1, max_size=3 * LONGEST)), max_size=8))
def test_a_recording_is_a_capture_at_every_moment(
    pieces: list[tuple[float, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("recording") / "line.wire"
    recording = Recording(file, "a line\nfor a test")
    so_far = b""
    for seconds, data in pieces:
        recording.said(seconds, data)
        so_far += data
        assert pieces_to_bytes(loads(file.read_text())) == so_far
    recording.close()
    recording.close()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_capture_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "line.wire"
    file.write_text("0.000 > 05\n")
    with pytest.raises(LinkError, match="never overwritten"):
        Recording(file, "")
    with pytest.raises(LinkError, match="cannot be written"):
        Recording(tmp_path / "no" / "folder.wire", "")
