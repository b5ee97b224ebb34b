"""Is a load balancer believed, and nobody else, and does the allow-list see who is behind it? Real sockets, with and without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from authority import Authority
from stage import eventually, free_port

from labmw.clock import SYSTEM
from labmw.config import Link
from labmw.line import proxied
from labmw.line.health import LinkHealth
from labmw.line.link import Doorkeeper, LinkRunner
from labmw.line.presence import Presence
from labmw.line.transport import Wire
from labmw.tls.credentials import Credentials
from labmw.tls.settings import Tls

HEADER = b"PROXY TCP4 192.0.2.7 192.0.2.1 51234 4102\r\n"
V2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\xc8\x22\x10\x06"


@contextlib.asynccontextmanager
async def listening(link: Link, credentials: Credentials | None = None) -> AsyncIterator[tuple[list[str], Presence]]:
    """A link that echoes; the peers that it has talked to."""
    peers: list[str] = []

    async def echo(wire: Wire) -> str:
        peers.append(wire.peer)
        while data := await wire.read():
            wire.write(data)
            await wire.drain()
        return "hang-up"

    presence = Presence()
    runner = LinkRunner(link, echo, LinkHealth("T", "one", SYSTEM), Doorkeeper(9), credentials, presence)
    runner.bound = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(runner.run())
    await runner.bound
    try:
        yield peers, presence
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def exchange(port: int, *pieces: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """What comes back, until the echo is whole or the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)
    if tls is not None:
        await writer.start_tls(tls, server_hostname="labmw.example")
        writer.write(b"\x05")
    found = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(60):
            while data := await reader.read(100):
                found += data
                if found.endswith(b"\x05"):
                    break
    writer.close()
    with contextlib.suppress(Exception):
        await writer.wait_closed()
    return found


def link(port: int, **more: object) -> Link:
    return Link(name="one", listen=f"127.0.0.1:{port}", proxy=["127.0.0.0/8"], **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("header", [HEADER, V2], ids=["v1", "v2"])
async def test_the_peer_is_the_one_that_the_balancer_names_and_no_byte_of_the_header_is_content(header: bytes) -> None:
    port = free_port()
    async with listening(link(port, allow=["192.0.2.0/24"])) as (peers, _):
        assert await exchange(port, header + b"\x05") == b"\x05"
        assert await exchange(port, header[:9], header[9:], b"\x05") == b"\x05"
    assert peers == ["192.0.2.7:51234"] * 2


async def test_the_allow_list_is_asked_about_who_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxied, "PATIENCE", 0.1)
    port = free_port()
    async with listening(link(port, allow=["198.51.100.0/24"])) as (peers, _):
        assert await exchange(port, HEADER + b"\x05") == b""
        assert await exchange(port, b"PROXY UNKNOWN\r\n\x05") == b""  # the balancer itself is not on the list either
        for wrong in (b"\x05", b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 x y 1 2\r\n\x05", b"PROXY " + b"x" * 300):
            assert await exchange(port, wrong) == b""
    assert peers == []


async def test_nobody_else_is_believed() -> None:
    port = free_port()
    plain = Link(name="one", listen=f"127.0.0.1:{port}", proxy=["192.0.2.1"])
    async with listening(plain) as (peers, presence):
        assert await exchange(port, HEADER + b"\x05") == HEADER + b"\x05"  # bytes like any others
        await eventually(lambda: not presence._open)
    assert peers[0].startswith("127.0.0.1:")


async def test_the_header_comes_before_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("labmw.example")
    ours = Tls(certificate=str(pair.certificate), key=str(pair.key), trusted=str(authority.file), mutual=False)
    client = ssl.create_default_context(cafile=str(authority.file))
    port = free_port()
    async with listening(link(port, allow=["192.0.2.0/24"]), Credentials(ours, server=True)) as (peers, _):
        assert await exchange(port, HEADER, tls=client) == b"\x05"
        assert await exchange(port, b"\x16\x03\x01 no header here") == b""
        assert await exchange(port, b"PROXY TCP4 198.51.100.7 192.0.2.1 51234 4102\r\n") == b""
    assert peers == ["192.0.2.7:51234"]
