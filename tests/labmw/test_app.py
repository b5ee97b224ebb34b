"""The lines process: what it refuses to start on, how it ends, and what goes on when one part of it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from lineside import Disk, store_on
from stage import ALT, Analyzer, Stage, eventually, frames, free_port, message

from labmw import app
from labmw.app import EX_CONFIG, EX_SOFTWARE, EX_TEMPFAIL, Laboratory, PartDied, main
from labmw.config import load
from labmw.errors import StoreError
from labmw.fitting import rounds


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, free_port(), free_port())


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """`main` in this process: the logs stay those of the tests."""
    monkeypatch.setattr(app, "begin", lambda name: None)


@contextlib.asynccontextmanager
async def running(stage: Stage, **settings: Any) -> AsyncIterator[Laboratory]:
    laboratory = Laboratory(load(stage.config), **settings)
    try:
        await laboratory.start()
        yield laboratory
    finally:
        await laboratory.stop()


def link(name: str, port: int, more: str) -> str:
    return f'[[link]]\nname = "{name}"\nlisten = "127.0.0.1:{port}"\n{more}\n'


# --- starting ---------------------------------------------------------------------------------------------------------------


def test_a_missing_store_is_not_started_on(stage: Stage, quiet: None) -> None:
    stage.build([])
    stage.database.unlink()
    assert main([str(stage.config)]) == EX_CONFIG


def test_a_store_of_another_revision_is_not_started_on(stage: Stage, quiet: None) -> None:
    stage.build([])
    with contextlib.closing(sqlite3.connect(stage.database)) as store, store:
        store.execute("UPDATE alembic_version SET version_num = '9999'")
    assert main([str(stage.config)]) == EX_CONFIG


def test_a_configuration_that_is_wrong_is_not_started_on(stage: Stage, quiet: None) -> None:
    stage.build([], link='drivr = "erba-xl"')
    assert main([str(stage.config)]) == EX_CONFIG
    assert main([str(stage.folder / "missing.toml")]) == EX_CONFIG
    assert main([]) == 2


def test_a_store_that_cannot_be_written_just_now_is_worth_another_start(
    stage: Stage, quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 78 would stop the supervisor for good, and the disk may be free again in a minute."""
    stage.build([])

    async def full(*_: object, **__: object) -> int:
        raise StoreError("the disk is full")

    monkeypatch.setattr(app, "recover", full)
    assert main([str(stage.config)]) == EX_TEMPFAIL


def test_a_part_that_dies_ends_the_process_loudly(stage: Stage, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.build([])

    async def dies(self: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(rounds.Rounds, "write_health", dies)
    assert main([str(stage.config)]) == EX_SOFTWARE


async def test_waiting_tells_what_a_part_died_of(stage: Stage) -> None:
    stage.build([])
    async with running(stage) as laboratory:
        laboratory._tasks[0].cancel()
        with pytest.raises(PartDied, match="verification: it ended by itself"):
            await laboratory.wait(asyncio.Event())
        stop = asyncio.Event()
        stop.set()
        laboratory._tasks.pop(0)
        await laboratory.wait(stop)


async def test_a_start_that_fails_half_way_can_be_stopped(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.build([])
    stage.database.unlink()
    laboratory = Laboratory(load(stage.config))
    with pytest.raises(StoreError):
        await laboratory.start()
    await laboratory.stop()
    never_started = Laboratory(load(stage.config))
    await never_started.stop()


@pytest.fixture
def few_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_as_many_files_may_be_open_as_connections_need(few_files: None) -> None:
    app._open_files(10)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 256
    app._open_files(500)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 700


# --- one part that cannot ---------------------------------------------------------------------------------------------------


async def test_a_link_whose_driver_is_broken_stays_closed_and_says_so_and_the_others_run(stage: Stage) -> None:
    (stage.folder / "drivers").mkdir()
    (stage.folder / "drivers" / "acme.py").write_text('"""Acme."""\nDRIVER = 1 / 0\n', encoding="utf-8")
    ports = [free_port() for _ in range(3)]
    stage.extra = (
        link("acme", ports[0], 'driver = "acme"')
        + link("tolerant", ports[1], "tolerances = { max_fram = 300 }")
        + link("mixed", ports[2], 'driver = "erba-xl"\nprotocol = "hl7"')
        + '[drivers]\nfolder = "drivers"\n'
    )
    stage.build(["S1"])
    async with running(stage) as laboratory:
        assert sorted(laboratory.links) == ["analyzer"]
        for port in ports:
            assert not await Analyzer(port).attempt(message("S1"))
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("released",)])
        rows = "SELECT link, facts FROM link_state WHERE trouble = 'driver' ORDER BY link"
        await eventually(lambda: len(stage.ask(rows)) == 3)
        told = {str(name): str(facts) for name, facts in stage.ask(rows)}
        assert "acme" in told["acme"]
        assert "max_fram" in told["tolerant"]
        assert "link.protocol" in told["mixed"]


async def test_sessions_of_a_link_that_is_broken_or_gone_are_taken_up_all_the_same(stage: Stage) -> None:
    stage.build(["S1"])
    async with running(stage) as laboratory:
        _, writer = await _begun(stage, 4)
        await laboratory.store.stop()
        writer.close()
    stage.config.write_text(stage.config.read_text().replace('driver = "erba-xl"', 'driver = "gone"'))
    async with running(stage):
        # Read as from a sender that nobody knows: its header names nobody.
        await eventually(lambda: stage.ask("SELECT reason, driver FROM message") == [("unterminated", "any-astm")])


async def _begun(stage: Stage, count: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which so many frames of a message were acknowledged."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", stage.analyzer_port)
                break
            await asyncio.sleep(0.02)
    for data in (b"\x05", *frames(message("S1"))[:count]):
        writer.write(data)
        assert await asyncio.wait_for(reader.readexactly(1), 60) == b"\x06"
    return reader, writer


@pytest.mark.parametrize("spoil", ["altered", "unreadable"])
async def test_a_rule_pack_or_signature_that_is_not_what_was_signed_holds_its_results_and_receives_on(
    spoil: str, stage: Stage
) -> None:
    stage.build(["S1"])
    signatures = stage.folder / "signatures.toml"
    text = signatures.read_text(encoding="utf-8")
    signatures.write_text(text.replace("sha256:", "sha256:0") if spoil == "altered" else "not TOML [", encoding="utf-8")
    if spoil == "altered" and signatures.read_text(encoding="utf-8") == text:
        signatures.write_text(text.replace('hash = "', 'hash = "0'), encoding="utf-8")
    async with running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("held",)])


async def test_what_ended_while_the_store_was_down_is_taken_up_without_a_restart(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    monkeypatch.setattr(app, "open_store", lambda url, **settings: store_on(url, disk, **settings))
    monkeypatch.setattr(rounds, "TAKE_UP_EVERY", 0.05)
    stage.build(["S1"])
    async with running(stage) as laboratory:
        _, writer = await _begun(stage, 4)
        disk.broken = True
        writer.close()
        await eventually(lambda: any(health.owed for health in laboratory.health.values()))
        assert stage.ask("SELECT count(*) FROM message") == [(0,)]
        disk.broken = False
        await eventually(lambda: stage.ask("SELECT reason FROM message") == [("unterminated",)])
        await eventually(lambda: stage.ask("SELECT closing FROM session") == [("store-back",)])
        await eventually(lambda: not any(health.owed for health in laboratory.health.values()))


async def test_a_laboratory_without_an_lis_keeps_what_it_releases(stage: Stage) -> None:
    stage.build(["S1"])
    text = stage.config.read_text(encoding="utf-8")
    start, end = text.index("[lis]"), text.index("[rules]")
    stage.config.write_text(text[:start] + text[end:], encoding="utf-8")
    async with running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("released",)])
    assert stage.ask("SELECT count(*) FROM outbox") == [(0,)]


async def test_links_say_now_and_then_that_they_live(stage: Stage) -> None:
    stage.build(["S1"])
    async with running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(
            lambda: (
                stage.ask("SELECT count(*) FROM link_state WHERE link = 'analyzer' AND message_at IS NOT NULL")
                == [(1,)]
            )
        )
    assert stage.ask("SELECT connected FROM link_state WHERE link = 'analyzer'") == [(0,)]


# --- ending -----------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def process(stage: Stage) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {**os.environ, "LABMW_LOG_LEVEL": "critical"}
    one = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "labmw.app", str(stage.config), env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield one
    finally:
        if one.returncode is None:
            one.kill()
        await one.wait()


async def test_asked_to_stop_it_finishes_what_is_under_way_and_a_second_start_has_nothing_to_recover(
    stage: Stage,
) -> None:
    stage.build(["S1", "S2"])
    async with process(stage) as one:
        await Analyzer(stage.analyzer_port).send("S2", message("S2"))
        # Judging gives way to senders (decision 0071): what is not begun at the stop is judged after the next start.
        await eventually(lambda: stage.ask("SELECT loinc FROM result WHERE state = 'released'") == [(ALT,)])
        _, writer = await _begun(stage, 4)
        one.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(one.wait(), 60) == 0
        writer.close()
    assert stage.ask(
        "SELECT specimen, reason FROM message JOIN result ON result.message = message.id ORDER BY message.id"
    ) == [
        ("S2", ""),
        ("S1", "unterminated"),
    ]
    assert stage.ask("SELECT count(*) FROM session WHERE closed_at IS NULL") == [(0,)]
    assert stage.ask("SELECT loinc FROM result WHERE state = 'released'") == [(ALT,)]
    async with running(stage) as laboratory:
        assert stage.ask("SELECT count(*) FROM message") == [(2,)]
        assert laboratory.links
