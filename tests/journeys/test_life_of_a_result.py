"""From an analyzer's bytes to an acknowledged report, through the real daemon parts, a real store and real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stage import ALT, Analyzer, Lis, Stage, eventually, frames, free_port, message

from labmw.app import Laboratory
from labmw.config import load


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Laboratory]:
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        await eventually(lambda: _listens(stage.analyzer_port))
        yield laboratory
    finally:
        await laboratory.stop()


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def stage(tmp_path: Path, store_url: str) -> Stage:
    return Stage(tmp_path, free_port(), free_port(), url=store_url)


# Scenario 9.1.
async def test_a_result_within_limits_reaches_the_lis_and_says_that_nobody_looked(stage: Stage) -> None:
    stage.build(["S1"])
    async with Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: lis.values == [("S1", "22")])
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("delivered",)])
    text = lis.got[0][1]
    assert f"|{ALT}^" in text
    assert "AUTO^chemistry" in text  # OBX-16
    assert "validé automatiquement" in text  # NTE: the report must say so (SC.DOC.09)
    assert stage.ask("SELECT state, attempts FROM outbox") == [("delivered", 1)]
    assert stage.ask("SELECT what FROM audit ORDER BY id") == [("verified",), ("delivered",)]


@pytest.mark.parametrize("driver", ["erba-xl", "auto"])
async def test_a_link_says_how_its_labels_are_written(stage: Stage, driver: str) -> None:
    """Filled up, with a check digit behind; one whose digit is wrong names no tube, be it the number of one."""
    named = 'driver = "erba-xl"' if driver == "erba-xl" else 'senders = { "127.0.0.1" = "erba-xl" }'
    stage.build(["7992739871"], link=f'{named}\ntube = {{ pad = "0", length = 12, check = "luhn" }}')
    async with Lis(stage.lis_port) as lis, running(stage):
        for sent in ("0079927398713", "0079927398714", "7992739871"):
            await Analyzer(stage.analyzer_port).send(sent, message(sent))
        await eventually(lambda: lis.values == [("7992739871", "22")])
        told = [("7992739871", "delivered"), ("", "quarantined"), ("", "quarantined")]
        await eventually(lambda: stage.ask("SELECT specimen, state FROM result ORDER BY id") == told)
    assert set(stage.ask("SELECT reason FROM quarantine")) == {("specimen-form",)}


async def test_a_result_without_order_is_kept_quarantined_and_never_sent(stage: Stage) -> None:
    stage.build(["S1"])
    async with Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("nobody", message("S9"))
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: lis.values == [("S1", "22")])
        told = [("S9", "quarantined"), ("S1", "delivered")]
        await eventually(lambda: stage.ask("SELECT specimen, state FROM result ORDER BY id") == told)
    assert stage.ask("SELECT reason, state FROM quarantine") == [("no-order", "open")]


async def test_the_same_message_twice_is_one_result_and_one_report(stage: Stage) -> None:
    stage.build(["S1"])
    async with Lis(stage.lis_port) as lis, running(stage):
        for _ in range(2):
            await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: stage.ask("SELECT count(*) FROM repeat") == [(1,)])
        await eventually(lambda: lis.values == [("S1", "22")])
    assert stage.ask("SELECT count(*) FROM message") == [(2,)]  # every message is kept
    assert stage.ask("SELECT count(*) FROM result") == [(1,)]


async def test_another_value_under_the_same_key_is_a_new_run_and_is_held(stage: Stage) -> None:
    stage.build(["S1"])
    async with Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1", "22"))
        await eventually(lambda: lis.values == [("S1", "22")])
        await Analyzer(stage.analyzer_port).send("S1", message("S1", "31"))
        await eventually(lambda: stage.ask("SELECT count(*) FROM result WHERE state = 'held'") == [(1,)])
    assert lis.values == [("S1", "22")]
    assert "rerun" in str(stage.ask("SELECT reasons FROM verdict ORDER BY id DESC LIMIT 1"))


async def test_a_message_without_end_is_shown_and_never_released_and_the_whole_one_takes_its_place(
    stage: Stage,
) -> None:
    stage.build(["S1"])
    async with Lis(stage.lis_port) as lis, running(stage):
        await Analyzer(stage.analyzer_port).attempt(message("S1", terminated=False))
        await eventually(lambda: stage.ask("SELECT reason FROM quarantine") == [("unterminated",)])
        assert stage.ask("SELECT state FROM result") == [("quarantined",)]
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: lis.values == [("S1", "22")])
    assert stage.ask("SELECT count(*) FROM result") == [(1,)]


@pytest.mark.usefixtures("at_rest")
async def test_a_session_cut_in_mid_message_is_recovered_by_the_next_start(stage: Stage) -> None:
    stage.build(["S1"])
    records = message("S1")
    async with running(stage) as laboratory:
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.analyzer_port)
        writer.write(b"\x05")
        assert await reader.readexactly(1) == b"\x06"
        for frame in frames(records)[:4]:  # H P O R acknowledged, then the power goes
            writer.write(frame)
            assert await reader.readexactly(1) == b"\x06"
        assert stage.ask("SELECT count(*) FROM frame") == [(4,)]
        # The process dies without a word: nothing of what follows may depend on an orderly end.
        await laboratory.store.stop()
        writer.close()
    assert stage.ask("SELECT count(*) FROM message") == [(0,)]
    async with running(stage):
        await eventually(lambda: stage.ask("SELECT reason, terminated FROM message") == [("unterminated", 0)])
    assert stage.ask("SELECT specimen, state FROM result") == [("S1", "quarantined")]
    assert stage.ask("SELECT closing FROM session") == [("restart",)]


# Scenario 12.12.
async def test_the_lis_away_keeps_results_waiting_and_a_refusal_goes_to_a_person(stage: Stage) -> None:
    stage.build(["S1", "S2"])
    async with running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("released",)])
        await eventually(
            lambda: "lis-unreachable" in str(stage.ask("SELECT trouble FROM link_state WHERE link = 'LIS'"))
        )
        async with Lis(stage.lis_port) as lis:
            await eventually(lambda: lis.values == [("S1", "22")])
            lis.answers["*"] = "AE"
            await Analyzer(stage.analyzer_port).send("S2", message("S2"))
            await eventually(lambda: stage.ask("SELECT state FROM result WHERE specimen = 'S2'") == [("dead",)])
    assert "AE" in str(stage.ask("SELECT last_error FROM outbox WHERE specimen = 'S2'"))


# Scenario 12.12.
async def test_a_lost_acknowledgment_sends_the_same_bytes_again(stage: Stage) -> None:
    stage.extra = ""
    stage.build(["S1"])
    text = stage.config.read_text().replace("ack_timeout = 2.0", "ack_timeout = 0.3")
    stage.config.write_text(text)
    async with Lis(stage.lis_port, answers={"*": ""}) as lis, running(stage):
        await Analyzer(stage.analyzer_port).send("S1", message("S1"))
        await eventually(lambda: len(lis.got) >= 2)
        lis.answers["*"] = "AA"
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("delivered",)])
    assert len(set(lis.got)) == 1  # the same MSH-10 and the same bytes, however often
