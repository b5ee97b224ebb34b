"""kill -9 at each step of a result's life: nothing that was acknowledged is lost, nothing is doubled; acknowledging first is shown to lose."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from crashing import daemon
from stage import Analyzer, Lis, Stage, eventually, free_port, message

from labmw.store.schema import FINAL_STATES

STEPS = (
    "frame-not-committed",
    "frame-committed",
    "message-not-committed",
    "message-committed",
    "acknowledged",
    "verdict-not-committed",
    "verdict-committed",
    "report-not-sent",
    "report-sent",
    "report-acknowledged",
    "delivery-committed",
)
KILLS = 5
IN_FLIGHT = 24


def expected(round_: int) -> list[str]:
    return [f"K{round_}-{place}" for place in range(IN_FLIGHT)]


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_this_step_nothing_is_lost_and_nothing_is_doubled(step: str, tmp_path: Path) -> None:
    chance = random.Random(step)
    everything = [specimen for round_ in range(KILLS) for specimen in expected(round_)]
    stage = Stage(tmp_path, free_port(), free_port()).build(everything)
    analyzer, sending = Analyzer(stage.analyzer_port), set[asyncio.Task[None]]()
    async with Lis(stage.lis_port) as lis:
        for round_ in range(KILLS):
            async with daemon(stage, step, chance.randint(1, IN_FLIGHT // 2)) as process:
                for specimen in expected(round_):
                    sending.add(asyncio.create_task(analyzer.send(specimen, message(specimen))))
                async with asyncio.timeout(60):  # the step must be reached, or this test tests nothing
                    await process.wait()
                assert process.returncode == -9
        async with daemon(stage):
            await asyncio.gather(*sending)
            await eventually(
                lambda: stage.ask("SELECT count(*) FROM result WHERE state IN ('verify', 'released')") == [(0,)]
            )
            await eventually(lambda: len(lis.values) >= len(everything))
    assert sorted(analyzer.acknowledged) == sorted(everything)
    states = pairs(stage.ask("SELECT specimen, state FROM result WHERE main = 1"))
    lost = [specimen for specimen in everything if states.get(specimen) not in FINAL_STATES]
    twice = stage.ask("SELECT key FROM result GROUP BY site, key HAVING count(*) > 1")
    assert (lost, twice) == ([], [])
    assert sorted(lis.values) == sorted((specimen, "22") for specimen in everything)  # once in effect, by MSH-10
    assert stage.ask("SELECT count(*) FROM session WHERE closed_at IS NULL") == [(0,)]


def pairs(rows: list[tuple[object, ...]]) -> dict[str, str]:
    return {str(specimen): str(state) for specimen, state in rows}


async def test_the_variant_that_acknowledges_first_loses(tmp_path: Path) -> None:
    everything = [specimen for round_ in range(KILLS) for specimen in expected(round_)]
    stage = Stage(tmp_path, free_port(), free_port()).build(everything)
    analyzer, sending = Analyzer(stage.analyzer_port), set[asyncio.Task[None]]()
    async with Lis(stage.lis_port) as lis:
        for round_ in range(KILLS):
            async with daemon(stage, "message-not-committed", IN_FLIGHT // 2, "ack-first") as process:
                for specimen in expected(round_):
                    sending.add(asyncio.create_task(analyzer.send(specimen, message(specimen))))
                async with asyncio.timeout(60):
                    await process.wait()
        async with daemon(stage):
            await asyncio.gather(*sending)
            await eventually(
                lambda: stage.ask("SELECT count(*) FROM result WHERE state IN ('verify', 'released')") == [(0,)]
            )
            del lis
    states = pairs(stage.ask("SELECT specimen, state FROM result WHERE state <> 'quarantined'"))
    lost = [specimen for specimen in analyzer.acknowledged if states.get(specimen) not in FINAL_STATES]
    assert lost, "acknowledging before the commit must lose results, or the test above proves nothing"
