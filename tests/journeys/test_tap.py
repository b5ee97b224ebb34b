"""Beside the incumbent: everything is read and judged, not a byte is sent, nothing leaves, and the verdicts can be compared. Through the real daemon."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cable import Cable
from stage import Lis, Stage, eventually, frames, free_port, listens, message
from typer.testing import CliRunner

from labmw.app import Laboratory
from labmw.cli.link import app
from labmw.config import load
from labmw.errors import ConfigError

ENQ, ACK, NAK, EOT = b"\x05", b"\x06", b"\x15", b"\x04"


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Laboratory]:
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        yield laboratory
    finally:
        await laboratory.stop()


def session(*messages_: list[bytes]) -> bytes:
    return b"".join(ENQ + b"".join(frames(one)) + EOT for one in messages_)


@pytest.fixture
def stage(tmp_path: Path, store_url: str) -> Stage:
    return Stage(tmp_path, free_port(), free_port(), url=store_url).build(
        ["S1", "S2", "S3"], link='driver = "erba-xl"\ntap = true'
    )


async def mirrored(stage: Stage, data: bytes, *, within: float = 0.5) -> bytes:
    """What a mirror port sends, and whatever comes back."""
    await eventually(lambda: listens(stage.analyzer_port))
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.analyzer_port)
    writer.write(data)
    await writer.drain()
    back = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            back = await reader.read(1)
    writer.close()
    await writer.wait_closed()
    return back


async def test_read_judged_held_and_not_a_byte_sent(stage: Stage) -> None:
    one, two = frames(message("S2", "30")), frames(message("S3", "31"))
    busy = ENQ + NAK + ENQ + ACK + b"".join(piece + ACK for piece in one) + EOT  # both directions on one wire
    again = ENQ + two[0] + two[1] + two[1] + b"".join(two[2:]) + EOT  # the incumbent refused a frame that we had taken
    async with Lis(stage.lis_port) as lis, running(stage):
        for data in (session(message("S1")), busy, again):
            assert await mirrored(stage, data) == b""
        await eventually(
            lambda: (
                stage.ask("SELECT specimen, value, state FROM result ORDER BY id")
                == [("S1", "22", "held"), ("S2", "30", "held"), ("S3", "31", "held")]
            )
        )
        assert lis.values == []
    assert stage.ask("SELECT count(*) FROM outbox") == [(0,)]
    for (reasons,) in stage.ask("SELECT reasons FROM verdict"):
        assert "tapped" in [one["code"] for one in json.loads(str(reasons))]
    await asyncio.to_thread(compared, stage)
    await asyncio.to_thread(traced, stage)


def traced(stage: Stage) -> None:
    """The journal of a tap shows what was heard, and nothing that was not said."""
    done = CliRunner().invoke(
        app, ["trace", "analyzer", "--seconds", "0", "--config", str(stage.config), "-l", "en"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    assert "<ENQ>" in done.output
    assert " < " not in done.output
    assert "result, driver erba-xl" in done.output


def compared(stage: Stage) -> None:
    decisions = stage.folder / "decisions.csv"
    decisions.write_text(
        "specimen;test;value;decision\nS1;1742-6;22;released\nS2;1742-6;30,0;held\nS3;1742-6;13;released\nS9;1742-6;1;held\n"
    )
    arguments = ["compare", "analyzer", "--decisions", str(decisions), "--config", str(stage.config)]
    for language in ("en", "fr"):
        done = CliRunner().invoke(app, [*arguments, "-l", language, "--all"], catch_exceptions=False)
        assert done.exit_code == 1
        assert "…" not in done.output
    told = json.loads(CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).output)
    outcomes = {row["specimen"]: row["outcome"] for row in told["pairs"]}
    assert outcomes["S3"] == "other-value"
    assert outcomes["S9"] == "only-theirs"
    assert outcomes["S1"] in ("both-release", "only-they-release")
    assert outcomes["S2"] in ("both-hold", "only-we-release")
    assert sum(told["counts"].values()) == 4
    assert (
        CliRunner()
        .invoke(app, ["compare", "other", "--decisions", str(decisions), "--config", str(stage.config)])
        .exit_code
        == 2
    )
    decisions.write_text("specimen;test;value;decision\nS1;1742-6;22;perhaps\n")
    assert CliRunner().invoke(app, arguments).exit_code == 2


async def test_a_wire_that_answered_would_be_noticed(tmp_path: Path) -> None:
    """The variant that breaks it: the same line in service."""
    stage = Stage(tmp_path, free_port(), free_port()).build(["S1"])
    async with running(stage):
        assert await mirrored(stage, session(message("S1")), within=60.0) == ACK


async def test_an_hl7_tap_says_and_stores_no_reply(tmp_path: Path) -> None:
    stage = Stage(tmp_path, free_port(), free_port()).build(["S1"], link='protocol = "hl7"\ntap = true')
    block = (
        b"\x0bMSH|^~\\&|X|LAB|||20261101080000||ORU^R01|1|P|2.5.1\rPID|1\rOBR|1||S1|X\rOBX|1|NM|A||1|U/L|||||F\r\x1c\r"
    )
    async with running(stage):
        assert await mirrored(stage, block) == b""
        await eventually(lambda: stage.ask("SELECT disposition FROM message") == [("quarantined",)])
    assert stage.ask("SELECT reply FROM message") in ([(None,)], [(b"",)])
    assert stage.ask("SELECT count(*) FROM journal WHERE direction = '<'") == [(0,)]


async def test_a_serial_tap_is_read_only(tmp_path: Path) -> None:
    cable = Cable(tmp_path / "tty-tap")
    cable.plug()
    stage = Stage(tmp_path, free_port(), free_port()).build(["S1"], link='driver = "erba-xl"\ntap = true')
    text = stage.config.read_text().replace(
        f'listen = "127.0.0.1:{stage.analyzer_port}"', f'serial = {{ device = "{cable.name}" }}'
    )
    stage.config.write_text(text)
    async with running(stage) as laboratory:
        await eventually(lambda: laboratory.health["analyzer"].connected == 1)
        await cable.say(session(message("S1")))
        await eventually(lambda: stage.ask("SELECT specimen, state FROM result") == [("S1", "held")])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await cable.answer(1)
    cable.pull()


@pytest.mark.one_database
@pytest.mark.parametrize(
    "link", ['protocol = "law"\ndriver = "law"', 'tls = { certificate = "a.pem", trusted = "b.pem" }']
)
def test_what_cannot_be_overheard_is_refused(link: str, tmp_path: Path) -> None:
    file = tmp_path / "labmw.toml"
    file.write_text(f'[site]\nid = "T"\n[[link]]\nname = "a"\nlisten = "127.0.0.1:4102"\ntap = true\n{link}\n')
    with pytest.raises(ConfigError, match=r"tap|certificate"):
        load(file)
