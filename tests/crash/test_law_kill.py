"""kill -9 at each step of a LAW line: what was acknowledged is there, no AWOS is given twice, and both sides say the same of every order."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from crashing import daemon
from lawside import analyzer, observed, of, order, seen, set_up
from stage import ALT, Stage, eventually

from simulators.law import LawAnalyzer, Manners, Unanswered

STEPS = (
    "query-not-committed",
    "query-committed",
    "order-not-sent",
    "order-sent",
    "order-reply-not-committed",
    "order-reply-committed",
    "message-not-committed",
    "message-committed",
)
LINK = 'driver = "law"\nprotocol = "law"\nallow = ["127.0.0.1"]\nack_timeout = 1.0'
KILLS, TUBES = 2, 8
MANNERS = Manners(patience=0.5, resends=200)


def tubes(round_: int) -> list[str]:
    return [f"K{round_}-{place}" for place in range(TUBES)]


async def measure(sim: LawAnalyzer, tube: str, acknowledged: list[str]) -> None:
    """Ask for a tube until its work comes, measure, report until it is acknowledged."""
    while True:
        try:
            awos = of((await sim.ask(named=tube)).work, ALT)
            break
        except Unanswered:
            continue
    if (await sim.report(seen(tube, awos, observed()))).code == "AA":
        acknowledged.append(tube)


async def played(stage: Stage, sim: LawAnalyzer, step: str, *more: str) -> list[str]:
    """Some mornings, each killed at this step; returns the tubes whose report was acknowledged."""
    chance = random.Random(step)
    acknowledged: list[str] = []
    working: set[asyncio.Task[None]] = set()
    for round_ in range(KILLS):
        async with daemon(stage, step, chance.randint(1, TUBES // 2), *more) as process:
            working |= {asyncio.create_task(measure(sim, tube, acknowledged)) for tube in tubes(round_)}
            async with asyncio.timeout(60):  # the step must be reached, or this test tests nothing
                await process.wait()
            assert process.returncode == -9
    async with daemon(stage):
        async with asyncio.timeout(60):
            await asyncio.gather(*working)
        await eventually(lambda: stage.ask("SELECT count(*) FROM awos WHERE waits = 1 OR wanted <> ''") == [(0,)])
    return acknowledged


def everything() -> list[str]:
    return [tube for round_ in range(KILLS) for tube in tubes(round_)]


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_this_step_no_order_is_lost_or_given_twice(step: str, tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=LINK)
    for tube in everything():
        order(stage, tube)
    async with analyzer(stage, manners=MANNERS) as sim:
        acknowledged = await played(stage, sim, step)
        held = {(name, one.specimen.label) for name, one in sim.held.items()}
    assert sorted(acknowledged) == everything()
    assert len(held) == len(everything())  # one AWOS for each tube, and none that was given again under another name
    assert set(stage.ask("SELECT awos, specimen FROM awos WHERE state = 'resulted'")) == held
    assert sorted(stage.ask("SELECT specimen, value FROM result")) == [(tube, "22") for tube in everything()]
    assert stage.ask('SELECT DISTINCT state FROM "order"') == [("done",)]


async def test_the_variant_that_acknowledges_first_loses(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=LINK)
    for tube in everything():
        order(stage, tube)
    async with analyzer(stage, manners=MANNERS) as sim:
        acknowledged = await played(stage, sim, "message-not-committed", "ack-first")
    kept = {tube for (tube,) in stage.ask("SELECT specimen FROM result")}
    assert set(acknowledged) - kept, (
        "acknowledging before the commit must lose results, or the test above proves nothing"
    )
