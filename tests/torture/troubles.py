"""The store is down for a while, the LIS misbehaves, the clock goes back: everything arrives in the end, once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from postgresql_server import PostgresqlServer
from stage import Analyzer, Lis, Stage, eventually, free_port, message

from labmw.app import Laboratory
from labmw.clock import SYSTEM, Clock
from labmw.config import load
from labmw.fitting import rounds
from labmw.store.transaction import Transaction

from .disks import SAYS
from .kills import outcome
from .outcome import Outcome
from .status import told

MESSAGES = 120


@contextlib.asynccontextmanager
async def running(stage: Stage, clock: Clock = SYSTEM) -> AsyncIterator[Laboratory]:
    laboratory = Laboratory(load(stage.config), clock)
    try:
        await laboratory.start()
        yield laboratory
    finally:
        await laboratory.stop()


async def all_of_it(stage: Stage, tubes: list[str], seconds: float = 0.0, analyzer: Analyzer | None = None) -> Analyzer:
    """Send them all, some at a time."""
    analyzer, gate = analyzer or Analyzer(stage.analyzer_port), asyncio.Semaphore(20)

    async def one(tube: str) -> None:
        async with gate:
            await asyncio.sleep(seconds)
            await analyzer.send(tube, message(tube), until=300)

    await asyncio.gather(*[one(tube) for tube in tubes])
    return analyzer


async def settled(stage: Stage) -> None:
    unfinished = "SELECT count(*) FROM result WHERE state IN ('verify', 'released')"
    await eventually(lambda: stage.ask(unfinished) == [(0,)], within=300)


async def lis_misbehaves(folder: Path, url: str, seed: int) -> Outcome:
    """It refuses one message in twenty, keeps silent on one in ten the first time, and hangs up now and then."""
    chance, tubes = random.Random(seed), [f"T{number}" for number in range(MESSAGES)]
    stage = Stage(folder, free_port(), free_port(), url=url).build(tubes)
    text = stage.config.read_text(encoding="utf-8").replace("ack_timeout = 2.0", "ack_timeout = 0.5")
    stage.config.write_text(text, encoding="utf-8")

    class Moody(dict[str, str]):
        def get(self, control: str, default: str | None = None) -> str:  # type: ignore[override]
            if control == "*":
                return "AA"
            if control not in self:
                drawn = chance.random()
                self[control] = "AE" if drawn < 0.05 else "" if drawn < 0.15 else "AA"
                return self[control]
            if self[control] == "":
                self[control] = "AA"
            return self[control]

    async with Lis(stage.lis_port, answers=Moody()) as lis, running(stage):
        analyzer = await all_of_it(stage, tubes)
        await settled(stage)
    refused = sum(code == "AE" for code in lis.answers.values())
    dead = stage.ask("SELECT count(*) FROM result WHERE state = 'dead'")
    found = outcome("LIS refuses and keeps silent", stage, analyzer.acknowledged, lis, f"{refused} refused")
    if dead != [(refused,)]:
        return Outcome(
            found.name, found.acknowledged, found.lost + 1, found.twice, found.faults, detail=f"dead: {dead}"
        )
    return found


async def store_down(folder: Path, url: str, server: PostgresqlServer | None, seconds: float) -> Outcome:
    """Another process locks the file, or the server is stopped; analyzers are refused and keep what they have, and status says why."""
    tubes = [f"D{number}" for number in range(MESSAGES)]
    stage = Stage(folder, free_port(), free_port(), url=url).build(tubes)
    async with Lis(stage.lis_port) as lis, running(stage):
        analyzer = Analyzer(stage.analyzer_port)
        sending = asyncio.create_task(all_of_it(stage, tubes, 0.2, analyzer))
        await eventually(lambda: stage.ask("SELECT count(*) FROM result") > [(10,)])
        if server is not None:
            await asyncio.to_thread(server.stop, how=signal.SIGQUIT)
            said, lied = await _down(stage, analyzer, seconds)
            await asyncio.to_thread(server.start)
        else:
            with contextlib.closing(sqlite3.connect(stage.database, isolation_level=None, timeout=30)) as neighbour:
                neighbour.execute("BEGIN IMMEDIATE")
                said, lied = await _down(stage, analyzer, seconds)
                neighbour.execute("ROLLBACK")
        await sending
        await settled(stage)
        await eventually(lambda: len(lis.values) >= len(tubes))
    found = outcome(
        "store down", stage, analyzer.acknowledged, lis, f"{seconds:g} s; status: {', '.join(said) or 'NOTHING'}"
    )
    return replace(found, lost=found.lost + lied, faults=found.faults + (not said))


async def _down(stage: Stage, analyzer: Analyzer, seconds: float) -> tuple[list[str], int]:
    """Wait; what status says of it at the end, and how many were acknowledged by nobody who could store them."""
    await asyncio.sleep(2)  # what was committed before is acknowledged
    before = len(analyzer.acknowledged)
    await asyncio.sleep(seconds - 2)
    said = await asyncio.to_thread(told, stage, process=os.getpid())
    return sorted(said & SAYS), len(analyzer.acknowledged) - before


async def clock_back(folder: Path, url: str, *, forgetful: bool = False) -> Outcome:
    """An hour is gained in the middle: nothing waits for it. `forgetful`: nobody looks at the clock, the variant that must be found to wait."""
    name = "clock back an hour" + (", not noticed (must wait)" if forgetful else "")
    tubes = [f"C{number}" for number in range(MESSAGES)]
    stage = Stage(folder, free_port(), free_port(), url=url).build(tubes)
    back = [timedelta()]
    clock = Clock(lambda: SYSTEM.now() - back[0], SYSTEM.monotonic)
    with pytest.MonkeyPatch.context() as patch:
        if forgetful:
            patch.setattr(rounds, "bring_forward", _nothing)
        async with running(stage, clock):  # the LIS is away: everything waits in the outbox
            analyzer = await all_of_it(stage, tubes)
            waiting = "SELECT count(*) FROM result WHERE state = 'released'"
            await eventually(lambda: stage.ask(waiting) == [(MESSAGES,)])
            back[0] = timedelta(hours=1)
            async with Lis(stage.lis_port) as lis:
                if not forgetful:
                    await settled(stage)
                else:
                    await asyncio.sleep(5)
    found = outcome(name, stage, analyzer.acknowledged, lis, "")
    return replace(found, expect_loss=forgetful)


def _nothing(site: str, now: datetime) -> Transaction[None]:
    return
    yield
