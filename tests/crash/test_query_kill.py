"""kill -9 at each step of an answer to an ASTM analyzer: no tube is forgotten, and nothing counts as sent that the analyzer has not got."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from askside import analyzer, order, set_up
from crashing import daemon
from stage import Stage, eventually

from simulators.asking import AskingAnalyzer, AskingManners

STEPS = (
    "message-not-committed",
    "message-committed",
    "answer-not-committed",
    "answer-committed",
    "answer-begun",
    "answer-acknowledged",
    "taken-committed",
)
KILLS, TUBES = 2, 6
DIALECT = "patience=2.0"
MANNERS = AskingManners(patience=0.7)


def tubes(round_: int) -> list[str]:
    return [f"K{round_}-{place}" for place in range(TUBES)]


def everything() -> list[str]:
    return [tube for round_ in range(KILLS) for tube in tubes(round_)]


async def morning(sim: AskingAnalyzer, work: Sequence[str]) -> None:
    """Tube by tube: ask until the work comes, measure, report until it is acknowledged."""
    for tube in work:
        while tube not in sim.held:
            await sim.ask(tube)
        while not await sim.report(tube, "ALT", "22", unit="U/L"):
            pass


def sent(stage: Stage) -> set[str]:
    """The tubes of which the store says that the analyzer has the work."""
    return {str(tube) for (tube,) in stage.ask("SELECT specimen FROM awos WHERE state IN ('accepted', 'in-process')")}


async def played(stage: Stage, sim: AskingAnalyzer, step: str, *more: str) -> list[set[str]]:
    """Some mornings, each killed at this step; returns what each death left as sent although the analyzer has not got it."""
    chance = random.Random(step)
    wrong: list[set[str]] = []
    working: asyncio.Task[None] | None = None
    for round_ in range(KILLS):
        async with daemon(stage, step, chance.randint(2, TUBES - 1), *more) as process:
            working = working or asyncio.create_task(morning(sim, everything()))
            async with asyncio.timeout(60):  # the step must be reached, or this test tests nothing
                await process.wait()
            assert process.returncode == -9, round_
        wrong.append(sent(stage) - set(sim.held))
    async with daemon(stage):
        assert working is not None
        async with asyncio.timeout(90):
            await working
        await eventually(lambda: stage.ask("SELECT count(*) FROM host_query WHERE closed_at IS NULL") == [(0,)])
    return wrong


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_this_step_no_tube_is_forgotten_and_nothing_is_sent_that_was_not_taken(
    step: str, tmp_path: Path
) -> None:
    stage = set_up(tmp_path, dialect=DIALECT)
    for tube in everything():
        order(stage, tube)
    async with analyzer(stage, manners=MANNERS) as sim:
        assert await played(stage, sim, step) == [set()] * KILLS
        assert sorted(sim.held) == sorted(everything())
    assert sorted(stage.ask("SELECT specimen, value FROM result")) == [(tube, "22") for tube in sorted(everything())]
    assert sorted(stage.ask("SELECT specimen, state FROM awos")) == [
        (tube, "resulted") for tube in sorted(everything())
    ]
    assert stage.ask('SELECT DISTINCT state FROM "order"') == [("done",)]
    assert stage.ask("SELECT count(*) FROM re_present WHERE closed_at IS NULL") == [(0,)]
    assert stage.ask("SELECT count(*) FROM awos WHERE waits = 1 OR wanted <> ''") == [(0,)]


async def test_the_variant_that_writes_sent_first_says_so_of_what_the_analyzer_has_not_got(tmp_path: Path) -> None:
    stage = set_up(tmp_path, dialect=DIALECT)
    for tube in everything():
        order(stage, tube)
    async with analyzer(stage, manners=MANNERS) as sim:
        wrong = await played(stage, sim, "answer-committed", "sent-first")
    assert all(wrong), "writing 'sent' first must be wrong, or the test above proves nothing"
