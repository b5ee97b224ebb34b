"""Does `labmw link test` find what is the matter with an analyzer's line? A pty and a socket, with analyzers that behave as they should and not."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from cable import Cable
from stage import free_port

from labmw.config import Config, Link, Serial, Site, Store
from labmw.store import migrate
from labmw.store.lock import hold
from labmw.watch import probing
from labmw.watch.line_trial import in_service, speak
from labmw.watch.probing import BUSY
from protocols.astm.frame import encode

ENQ, ACK, NAK, EOT = b"\x05", b"\x06", b"\x15", b"\x04"
SESSION = ENQ + encode(1, rb"H|\^&|||X" + b"\r", True) + encode(2, b"L|1|N\r", True) + EOT


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    one = Cable(tmp_path / "tty-analyzer")
    one.plug()
    yield one
    if one.end >= 0:
        one.pull()


async def said(link: Link, *, call: bool = True, listen: float = 0.4, answer: float = 1.0) -> list[str]:
    return [finding.code async for finding in speak(link, listen=listen, call=call, answer=answer)]


@contextlib.asynccontextmanager
async def analyzer(cable: Cable, behave: Callable[[Cable, list[bytes]], Awaitable[None]]) -> AsyncIterator[list[bytes]]:
    """Somebody at the other end; what labmw sent is listed."""
    heard: list[bytes] = []

    async def live() -> None:
        await behave(cable, heard)
        while True:
            with contextlib.suppress(BlockingIOError, OSError):
                heard.append(os.read(cable.end, 100))
            await asyncio.sleep(0.002)

    task = asyncio.create_task(live())
    yield heard
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def answering(reply: bytes) -> Callable[[Cable, list[bytes]], Awaitable[None]]:
    async def behave(cable: Cable, heard: list[bytes]) -> None:
        while True:
            with contextlib.suppress(BlockingIOError, OSError):
                heard.append(os.read(cable.end, 1))
                if heard[-1] == ENQ:
                    await cable.say(reply)
                    return
            await asyncio.sleep(0.002)

    return behave


def saying(*pieces: bytes) -> Callable[[Cable, list[bytes]], Awaitable[None]]:
    async def behave(cable: Cable, heard: list[bytes]) -> None:
        await asyncio.sleep(0.05)
        for piece in pieces:
            await cable.say(piece)

    return behave


def serial(cable: Cable) -> Link:
    return Link(name="one", serial=Serial(device=str(cable.name)))


async def test_a_silent_line(cable: Cable) -> None:
    async with analyzer(cable, saying()) as heard:
        assert await said(serial(cable)) == ["wire-nothing"]
        assert heard == [ENQ]
    async with analyzer(cable, saying()) as heard:
        assert await said(serial(cable), call=False) == ["wire-nothing"]
        assert heard == []


@pytest.mark.parametrize(("reply", "codes"), [(ACK, ["wire-answers"]), (NAK, ["wire-busy"]), (ENQ, ["wire-calls-too"])])
async def test_the_call_is_answered(reply: bytes, codes: list[str], cable: Cable) -> None:
    async with analyzer(cable, answering(reply)) as heard:
        found = await said(serial(cable))
        await asyncio.sleep(0.05)
    assert found[: len(codes)] == codes
    assert b"".join(heard) == (ENQ + EOT if reply == ACK else ENQ)


async def test_rubbish_is_not_called(cable: Cable) -> None:
    async with analyzer(cable, saying(bytes([0x9C, 0xE1, 0x83, 0xFE] * 8))) as heard:
        assert await said(serial(cable)) == ["wire-wrong-baud"]
        assert heard == []


async def test_another_parity_is_named(cable: Cable) -> None:
    seven = bytes(byte | (0x80 if byte.bit_count() & 1 else 0) for byte in SESSION)
    async with analyzer(cable, saying(seven)):
        assert await said(serial(cable)) == ["wire-wrong-parity"]


async def test_another_host_on_the_line(cable: Cable) -> None:
    async with analyzer(cable, saying(ENQ, ACK, SESSION[1:], ACK)) as heard:
        assert await said(serial(cable)) == ["wire-two-masters"]
        assert heard == []


async def test_one_that_sends_and_does_not_hear(cable: Cable) -> None:
    async with analyzer(cable, saying(SESSION)) as heard:
        assert (await said(serial(cable)))[0] == "wire-deaf"
        assert b"".join(heard) == ENQ


async def test_a_calling_analyzer_is_told_busy_and_never_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "AGAIN", 1.0)
    heard = b""

    async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        for _ in range(BUSY + 2):
            writer.write(ENQ)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    heard += await reader.read(10)
        heard += await reader.read()
        writer.close()

    server = await asyncio.start_server(call, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found = await said(Link(name="one", connect=f"127.0.0.1:{port}"), listen=0.4)
    await asyncio.sleep(0.05)
    server.close()
    assert heard == NAK * BUSY
    assert ACK not in heard
    assert found == ["wire-deaf-to-busy"]


async def test_one_that_keeps_quiet_when_told_busy_hears_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "AGAIN", 0.2)
    port = free_port()
    server = await asyncio.start_server(_calls_once, "127.0.0.1", port)
    assert await said(Link(name="one", connect=f"127.0.0.1:{port}"), listen=0.4) == ["wire-hears"]
    server.close()


async def _calls_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(ENQ)
    assert await reader.read() == NAK
    writer.close()


async def test_an_analyzer_that_dials_is_heard() -> None:
    port = free_port()

    async def dial() -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.01)
        writer.write(SESSION)
        assert await reader.read() == b""
        writer.close()

    dialling = asyncio.create_task(dial())
    assert await said(Link(name="one", listen=f"127.0.0.1:{port}"), listen=1.0) == ["wire-astm"]
    await dialling


def test_a_line_in_service_is_named_with_who_has_it(tmp_path: Path) -> None:
    config = Config(
        site=Site(id="T"),
        store=Store(url=f"sqlite:///{tmp_path}/labmw.db"),
        link=[
            Link(name="rs", serial=Serial(device=str(tmp_path / "by-id"))),
            Link(name="tcp", listen="127.0.0.1:4102"),
        ],
    )
    (tmp_path / "ttyS9").touch()
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyS9")
    migrate(config.store.url)
    assert in_service(config, config.link[0]) is None
    with hold(config.store.url):
        for link in config.link:
            held = in_service(config, link)
            assert held is not None
            assert held.code == "wire-held"
            assert held.facts["process"] == os.getpid()
        assert in_service(config, Link(name="x", connect="127.0.0.1:1")) is None
