"""Bad input: whatever one peer does, it is bounded and told, and the other analyzers are answered in time."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import pytest
from cable import Cable
from stage import Analyzer, Lis, Stage, eventually, frames, free_port, message, session

from labmw.app import Laboratory
from labmw.config import load
from labmw.line import link as link_module

IN_TIME = 15.0  # seconds that a sender gives the answer to a frame (E1381 6.5.2.3)


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Laboratory]:
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        yield laboratory
    finally:
        await laboratory.stop()


async def opened(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.02)


async def silent(port: int, laboratory: Laboratory) -> None:
    """Ten thousand connections that never say a word: as many as the machine of the tests bears, in batches."""
    kept: list[asyncio.StreamWriter] = []
    try:
        for _ in range(15):
            found = await asyncio.gather(*(opened(port) for _ in range(100)), return_exceptions=True)
            kept += [one[1] for one in found if isinstance(one, tuple)]
            assert laboratory.links["bad"].doorkeeper.open <= 200
            await asyncio.sleep(0.02)
        assert len(kept) >= 1000
    finally:
        for one in kept:
            one.transport.abort()


async def rubbish(port: int, laboratory: Laboratory) -> None:
    """Bytes of every kind, as fast as they are taken."""
    for _ in range(5):
        _, writer = await opened(port)
        for _ in range(20):
            writer.write(os.urandom(65536))
            with contextlib.suppress(OSError):
                await asyncio.wait_for(writer.drain(), 10)
        writer.transport.abort()


async def sessions(port: int, laboratory: Laboratory) -> None:
    """ENQ and EOT without a pause, and never a frame between."""
    reader, writer = await opened(port)
    for _ in range(20):
        writer.write(b"\x05\x04" * 2000)
        with contextlib.suppress(OSError):
            await asyncio.wait_for(writer.drain(), 10)
            await asyncio.wait_for(reader.read(65536), 10)
    writer.transport.abort()


async def damaged(port: int, laboratory: Laboratory) -> None:
    """Frames that are refused, without waiting for the answer."""
    reader, writer = await opened(port)
    writer.write(b"\x05")
    for _ in range(20):
        writer.write(b"\x021H|x\x0300\r\n" * 1000)
        with contextlib.suppress(OSError):
            await asyncio.wait_for(writer.drain(), 10)
            await asyncio.wait_for(reader.read(65536), 10)
    writer.transport.abort()


async def endless(port: int, laboratory: Laboratory) -> None:
    """A message that does not end, each frame acknowledged: far beyond limits.message_bytes."""
    comment = b"C|1|I|" + b"x" * 50_000 + b"\r"
    analyzer = Analyzer(port, patience=60)
    reader, writer = await opened(port)
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        writer.write(b"\x05")
        await reader.readexactly(1)
        for frame in frames([*message("S1", terminated=False), *[comment] * 60], size=60_000):
            writer.write(frame)
            assert await reader.readexactly(1) == b"\x06"
    writer.transport.abort()
    del analyzer


async def half_messages(port: int, laboratory: Laboratory) -> None:
    """Analyzers that hang up in mid-message, again and again."""
    for count in range(1, 31):
        reader, writer = await opened(port)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(b"\x05")
            await reader.readexactly(1)
            for frame in frames(message(f"H{count}"))[: count % 5]:
                writer.write(frame)
                await reader.readexactly(1)
        writer.transport.abort()


@pytest.mark.parametrize("misbehave", [silent, rubbish, sessions, damaged, endless, half_messages])
async def test_one_bad_peer_and_the_others_are_answered_in_time(
    misbehave: Callable[[int, Laboratory], Coroutine[object, object, None]], store_url: str, tmp_path: Path
) -> None:
    port = free_port()
    stage = Stage(tmp_path, free_port(), free_port(), url=store_url)
    stage.extra = f"""
[limits]
connections = 200
message_bytes = 200000
[[link]]
name = "bad"
listen = "127.0.0.1:{port}"
driver = "erba-xl"
connections = 16
tolerances = {{ max_frame = 64000 }}
"""
    specimens = [f"G{number}" for number in range(12)]
    stage.build(specimens)
    async with Lis(stage.lis_port) as lis, running(stage) as laboratory:
        bad = asyncio.create_task(misbehave(port, laboratory))
        for specimen in specimens:
            reader, writer = await opened(stage.analyzer_port)
            assert await session(reader, writer, message(specimen), within=IN_TIME)
            writer.close()
        await bad
        await eventually(lambda: sorted(lis.values) == sorted((specimen, "22") for specimen in specimens))
        await eventually(lambda: laboratory.links["bad"].health.connected == 0)
        assert laboratory.links["analyzer"].health.troubles == {}
        # And the line itself is as good as before.
        await Analyzer(port).send("again", message("S9", completed="20261101093000"))
    # Nothing of the bad one was released, and what of it was acknowledged is kept.
    assert stage.ask("SELECT count(*) FROM outbox WHERE specimen NOT LIKE 'G%'") == [(0,)]
    assert stage.ask("SELECT count(*) FROM session WHERE closed_at IS NULL") == [(0,)]
    lost = stage.ask(
        "SELECT count(*) FROM frame WHERE NOT EXISTS (SELECT 1 FROM message WHERE message.session = frame.session"
        " AND first_frame <= frame.seq AND last_frame >= frame.seq)"
    )
    assert lost == [(0,)]


async def test_a_cable_pulled_in_mid_message_and_the_message_sent_again_is_one_result(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "RECONNECT", (0.05,))
    cable = Cable(tmp_path / "ttyUSB-analyzer")
    cable.plug()
    stage = Stage(tmp_path, free_port(), free_port(), url=store_url)
    stage.extra = f"""
[[link]]
name = "serial"
driver = "erba-xl"
serial = {{ device = "{cable.name}", bits = 7, parity = "even" }}
"""
    stage.build(["S1"])
    sent = frames(message("S1"))
    async with Lis(stage.lis_port) as lis, running(stage) as laboratory:
        await eventually(lambda: laboratory.links["serial"].health.connected == 1)
        for data in (b"\x05", *sent[:4]):
            await cable.say(data)
            assert await cable.answer() == b"\x06"
        cable.pull()
        await eventually(lambda: stage.ask("SELECT reason FROM message") == [("unterminated",)])
        await eventually(lambda: "unreachable" in laboratory.links["serial"].health.troubles)
        cable.plug()
        await eventually(lambda: laboratory.links["serial"].health.connected == 1)
        for data in (b"\x05", *sent):
            await cable.say(data)
            assert await cable.answer() == b"\x06"
        await cable.say(b"\x04")
        await eventually(lambda: lis.values == [("S1", "22")])
    assert stage.ask("SELECT count(*) FROM result") == [(1,)]
    cable.pull()


# Scenario 12.12.
async def test_an_lis_that_comes_and_goes_gets_everything_once_in_effect(store_url: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path, free_port(), free_port(), url=store_url)
    specimens = [f"S{number}" for number in range(40)]
    stage.build(specimens)
    got: list[tuple[str, str]] = []
    async with running(stage):
        await eventually(lambda: stage.ask("SELECT count(*) FROM link_state WHERE link = 'analyzer'") == [(1,)])
        sending = [asyncio.create_task(Analyzer(stage.analyzer_port).send(one, message(one))) for one in specimens]
        for _ in range(4):  # it answers for a moment, hangs up in the middle, and is away for a while
            async with Lis(stage.lis_port) as lis:
                await asyncio.sleep(0.15)
                lis.answers["*"] = ""
            got += lis.got
            await asyncio.sleep(0.1)
        await asyncio.gather(*sending)
        async with Lis(stage.lis_port) as lis:
            ends = "SELECT state, count(*) FROM result GROUP BY state"
            await eventually(lambda: stage.ask(ends) == [("delivered", len(specimens))])
        got += lis.got
    assert len(dict(got)) == 40
    assert len(set(got)) == 40  # the same MSH-10 always with the same bytes
