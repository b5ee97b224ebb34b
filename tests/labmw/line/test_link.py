"""One link: who is let in, who gives way, and how it comes back; no peer harms another."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from stage import eventually, free_port

from labmw.clock import SYSTEM
from labmw.config import Link, Serial
from labmw.line import link as link_module
from labmw.line.health import LinkHealth
from labmw.line.link import Doorkeeper, LinkRunner, _allowed
from labmw.line.transport import Wire
from labmw.metrics import CONNECTIONS_REFUSED


async def echo(wire: Wire) -> str:
    while data := await wire.read():
        wire.write(data)
        await wire.drain()
    return "hang-up"


@asynccontextmanager
async def listening(
    converse: Callable[[Wire], Awaitable[str]] = echo, doorkeeper: Doorkeeper | None = None, **settings: Any
) -> AsyncIterator[LinkRunner]:
    config = Link(name="one", listen="127.0.0.1:0", **settings)
    runner = LinkRunner(config, converse, LinkHealth("T", "one", SYSTEM), doorkeeper or Doorkeeper(1000))
    runner.bound = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(runner.run())
    try:
        await runner.bound
        yield runner
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        for writer in OPENED:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in OPENED), return_exceptions=True)
        OPENED.clear()


OPENED: list[asyncio.StreamWriter] = []


async def connect(
    runner: LinkRunner, *, source: str = "127.0.0.1"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert runner.bound is not None
    reader, writer = await asyncio.open_connection(*runner.bound.result(), local_addr=(source, 0))
    OPENED.append(writer)
    return reader, writer


async def speaks(runner: LinkRunner, *, source: str = "127.0.0.1") -> asyncio.StreamWriter:
    """A peer that has said something and was heard."""
    reader, writer = await connect(runner, source=source)
    writer.write(b"x")
    assert await asyncio.wait_for(reader.readexactly(1), 60) == b"x"
    return writer


async def refused(runner: LinkRunner, *, source: str = "127.0.0.1") -> bool:
    reader, writer = await connect(runner, source=source)
    try:
        writer.write(b"x")
        return await asyncio.wait_for(reader.read(1), 60) == b""
    except OSError:
        return True
    finally:
        writer.close()


async def test_a_peer_talks_and_leaves_and_the_link_knows() -> None:
    async with listening() as runner:
        writer = await speaks(runner)
        assert runner.health.connected == 1
        assert runner.health.peer.startswith("127.0.0.1:")
        writer.close()
        await eventually(lambda: runner.health.connected == 0 and runner.doorkeeper.open == 0)


async def test_only_allowed_addresses_are_let_in() -> None:
    async with listening(allow=["127.0.0.2", "192.0.2.0/24"]) as runner:
        assert await refused(runner)
        assert not await refused(runner, source="127.0.0.2")


@pytest.mark.parametrize(
    ("peer", "networks", "allowed"),
    [
        ("192.0.2.7:1", ["192.0.2.0/24"], True),
        ("192.0.2.7:1", ["192.0.2.1/24"], True),
        ("192.0.3.7:1", ["192.0.2.0/24"], False),
        ("::ffff:192.0.2.7:1", ["192.0.2.0/24"], True),
        ("2001:db8::7:1", ["2001:db8::/32"], True),
        ("fe80::1%eth0:1", ["fe80::/10"], True),
        ("?", ["0.0.0.0/0"], False),
    ],
)
def test_the_allow_list_knows_networks_and_both_kinds_of_address(peer: str, networks: list[str], allowed: bool) -> None:
    assert _allowed(peer, networks) is allowed


async def test_a_full_link_hangs_up_on_who_never_spoke_and_never_on_who_works() -> None:
    async with listening(connections=2) as runner:
        analyzer = await speaks(runner, source="127.0.0.2")
        silent_reader, _ = await connect(runner)
        await eventually(lambda: len(runner._guests) == 2)
        newcomer = await speaks(runner, source="127.0.0.3")  # the silent one gives way
        with contextlib.suppress(OSError):
            assert await asyncio.wait_for(silent_reader.read(1), 60) == b""
        assert await refused(runner, source="127.0.0.4")  # now both have spoken: link-full
        assert CONNECTIONS_REFUSED.labels("one", "link-full")._value.get() > 0
        for writer in (analyzer, newcomer):
            assert not writer.is_closing()


async def test_an_analyzer_that_lost_its_power_comes_back_while_its_old_connection_looks_alive() -> None:
    async with listening(connections=1) as runner:
        await speaks(runner, source="127.0.0.2")  # and then nothing: neither bytes nor FIN
        assert await refused(runner, source="127.0.0.3")
        again = await speaks(runner, source="127.0.0.2")
        assert not again.is_closing()
        await eventually(lambda: runner.health.connected == 1)


async def test_a_burst_of_newcomers_cannot_all_take_the_place_of_one() -> None:
    """Each of them finds somebody else to give way, or none: the bound holds also before the old ones have really gone."""
    most = 0

    async def slow_to_leave(wire: Wire) -> str:
        nonlocal most
        most = max(most, len(runner._guests))
        try:
            return await echo(wire)
        finally:
            await asyncio.sleep(0.2)  # something is still to be stored

    async with listening(slow_to_leave, connections=3, doorkeeper=Doorkeeper(10)) as runner:
        peers = await asyncio.gather(*(connect(runner) for _ in range(60)))
        await eventually(lambda: runner.doorkeeper.open == 10 or len(runner._guests) == 3)
        assert len(runner._guests) <= 3
        assert runner.doorkeeper.open <= 10
        for _, writer in peers:
            writer.close()
        await eventually(lambda: runner.doorkeeper.open == 0)
    assert most <= 3


async def test_thousands_of_silent_peers_are_bounded_and_the_working_one_is_answered() -> None:
    async with listening(connections=50, doorkeeper=Doorkeeper(60)) as runner:
        reader, writer = await connect(runner)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        for _ in range(10):
            await asyncio.gather(*(connect(runner) for _ in range(150)), return_exceptions=True)
            writer.write(b"y")
            assert await asyncio.wait_for(reader.readexactly(1), 60) == b"y"
            assert runner.doorkeeper.open <= 60
            assert len(runner._guests) <= 50
        assert len(OPENED) >= 1000


async def test_a_full_house_refuses_and_lets_in_again() -> None:
    async with listening(doorkeeper=Doorkeeper(1)) as runner:
        first = await speaks(runner)
        assert await refused(runner)
        first.close()
        await eventually(lambda: runner.doorkeeper.open == 0)
        await speaks(runner)


async def test_one_conversation_that_fails_ends_alone() -> None:
    async def fails(wire: Wire) -> str:
        if await wire.read() == b"!":
            raise ZeroDivisionError("a fault of ours")
        return await echo(wire)

    async with listening(fails) as runner:
        reader, writer = await connect(runner)
        writer.write(b"!")
        with contextlib.suppress(OSError):
            assert await reader.read(1) == b""
        writer.close()
        _, other = await connect(runner)
        other.write(b"x")
        await eventually(lambda: runner.health.connected == 1)


async def test_closing_the_link_ends_its_conversations_and_nothing_is_left() -> None:
    ended = []

    async def until_cancelled(wire: Wire) -> str:
        try:
            return await echo(wire)
        finally:
            await asyncio.sleep(0.01)  # what is under way is finished
            ended.append(wire.peer)

    async with listening(until_cancelled) as runner:
        await speaks(runner)
        await speaks(runner)
    assert len(ended) == 2
    assert runner.doorkeeper.open == 0
    assert runner.health.connected == 0


async def test_a_port_that_is_taken_is_told_and_opened_when_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "RECONNECT", (0.05,))
    port = free_port()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        runner = LinkRunner(
            Link(name="one", listen=f"127.0.0.1:{port}"), echo, LinkHealth("T", "one", SYSTEM), Doorkeeper(9)
        )
        runner.bound = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(runner.run())
        await eventually(lambda: "cannot-listen" in runner.health.troubles)
    await asyncio.wait_for(runner.bound, 60)
    assert not runner.health.troubles
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_analyzer_that_listens_is_found_again_after_every_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "RECONNECT", (0.05,))
    port = free_port()
    runner = LinkRunner(
        Link(name="one", connect=f"127.0.0.1:{port}"), echo, LinkHealth("T", "one", SYSTEM), Doorkeeper(9)
    )
    task = asyncio.create_task(runner.run())
    await eventually(lambda: "unreachable" in runner.health.troubles)
    heard: list[bytes] = []

    async def analyzer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x")
        heard.append(await reader.readexactly(1))
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an orderly end
        writer.transport.abort()

    server = await asyncio.start_server(analyzer, "127.0.0.1", port)
    await eventually(lambda: len(heard) >= 3)
    assert "unreachable" not in runner.health.troubles
    server.close()
    await eventually(lambda: "unreachable" in runner.health.troubles)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await server.wait_closed()


async def test_whatever_goes_wrong_with_a_link_it_is_opened_again_and_never_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "RECONNECT", (0.01,))
    attempts = 0

    async def fails(settings: object) -> None:
        nonlocal attempts
        attempts += 1
        raise RuntimeError("something that nobody has thought of")

    monkeypatch.setattr(link_module, "open_serial", fails)
    runner = LinkRunner(
        Link(name="one", serial=Serial(device="/dev/none")), echo, LinkHealth("T", "one", SYSTEM), Doorkeeper(9)
    )
    task = asyncio.create_task(runner.run())
    await eventually(lambda: attempts > 2)
    assert not task.done()
    assert "RuntimeError" in runner.health.troubles["unreachable"]["why"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
