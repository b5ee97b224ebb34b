"""kill -9 around the judging of a control: it is judged once, and no patient's result leaves in between as if it had passed."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from crashing import daemon
from stage import ALT, SITE, Analyzer, Lis, Stage, eventually, free_port, message

from labmw.lab import averaging, controlling
from labmw.lab.averaging import AveragePlan
from labmw.lab.controlling import Target
from labmw.lab.deciding import Decision
from labmw.store import open_store

CONTROLS = 6
STEPS = ("message-committed", "control-not-committed", "control-committed")


def control(value: str, minute: int) -> list[bytes]:
    """A control result on material C1 in the daemon's own day."""
    records = message("C1", value, completed=f"2026110107{minute:02d}00")
    return [record.replace(b"|||||||||||SERUM", b"|||||||Q||||SERUM") for record in records]


async def prepare(stage: Stage) -> None:
    store = open_store(stage.url or f"sqlite:///{stage.database}")
    await store.start()
    decision = Decision(SITE, "2026-01-01T00:00:00.000000Z", "A", "test")
    try:
        await store.run(controlling.add_material(decision, "C1", "Multi", "1"))
        await store.run(controlling.add_lot(decision, "C1", "L1", "", None))
        target = Target("", "", ALT, "C1", "L1", "test", "U/L", Decimal(100), Decimal(4))
        await store.run(controlling.set_target(decision, target))
    finally:
        await store.stop()


@pytest.mark.parametrize("step", STEPS)
async def test_a_control_is_judged_once_and_before_the_patients_behind_it(
    step: str, store_url: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, free_port(), free_port(), url=store_url).build(["P1", "P2"])
    await prepare(stage)
    analyzer, sending = Analyzer(stage.analyzer_port), set[asyncio.Task[None]]()

    async def measure() -> None:
        for place in range(CONTROLS):
            await analyzer.send(f"C{place}", control("120", place))
        for tube in ("P1", "P2"):
            await analyzer.send(tube, message(tube))

    async with Lis(stage.lis_port) as lis:
        async with daemon(stage, step, 3) as process:
            sending.add(asyncio.create_task(measure()))
            async with asyncio.timeout(60):  # the step must be reached, or this test tests nothing
                await process.wait()
            assert process.returncode == -9
        async with daemon(stage):
            await asyncio.gather(*sending)
            await eventually(lambda: stage.ask("SELECT count(*) FROM result WHERE state = 'verify'") == [(0,)])
            await eventually(lambda: stage.ask("SELECT count(*) FROM work") == [(0,)])
        assert lis.values == []
    assert stage.ask("SELECT count(*), count(DISTINCT result) FROM qc_point") == [(CONTROLS, CONTROLS)]
    assert stage.ask("SELECT state, rule FROM qc_state") == [("out", "1-3s")]
    assert stage.ask("SELECT specimen, state FROM result WHERE main = 1 AND specimen <> 'C1' ORDER BY specimen") == [
        ("P1", "held"),
        ("P2", "held"),
    ]


async def test_each_released_result_moves_the_average_once(store_url: str, tmp_path: Path) -> None:
    tubes = [f"A{place}" for place in range(10)]
    stage = Stage(tmp_path, free_port(), free_port(), url=store_url).build(tubes)
    await prepare(stage)
    store = open_store(stage.url or f"sqlite:///{stage.database}")
    await store.start()
    plan = AveragePlan("", ALT, "mean", 4, None, "U/L", ("1", "99"), ("1", "99"))
    await store.run(averaging.set_average(Decision(SITE, "2026-01-01T00:00:00.000000Z", "A", "test"), plan))
    await store.stop()
    analyzer, sending = Analyzer(stage.analyzer_port), set[asyncio.Task[None]]()

    async def measure() -> None:
        for place, tube in enumerate(tubes):
            await analyzer.send(tube, message(tube, str(20 + place)))

    async with Lis(stage.lis_port):
        async with daemon(stage, "verdict-committed", 4) as process:
            sending.add(asyncio.create_task(measure()))
            async with asyncio.timeout(60):
                await process.wait()
        async with daemon(stage):
            await asyncio.gather(*sending)
            await eventually(
                lambda: stage.ask("SELECT count(*) FROM result WHERE state IN ('verify', 'released')") == [(0,)]
            )
    [(count, value)] = stage.ask("SELECT count, value FROM average_state")
    assert (count, float(str(value))) == (len(tubes), 27.5), "the last four: 26, 27, 28, 29"
