"""kill -9 at every statement of a person's decision: either all of it is in the store, or nothing."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest
from judging import bench, timed
from stage import Stage

DECIDER = Path(__file__).with_name("decider.py")
LOOK = (
    "SELECT specimen, state FROM result ORDER BY id",
    "SELECT level, decided_by, stage FROM verdict ORDER BY id",
    "SELECT who, what FROM audit ORDER BY id",
    "SELECT specimen, state FROM outbox ORDER BY id",
    "SELECT outbox, result FROM outbox_result ORDER BY id",
    "SELECT result FROM withdrawal ORDER BY id",
    "SELECT kind, state FROM task ORDER BY id",
)


def seen(folder: Path) -> list[list[tuple[object, ...]]]:
    stage = Stage(folder, 0, 0)
    return [stage.ask(sql) for sql in LOOK]


async def decide(folder: Path, decision: str, statements: int) -> int:
    command = [sys.executable, str(DECIDER), str(Stage(folder, 0, 0).database), decision, str(statements)]
    process = await asyncio.create_subprocess_exec(*command)
    return await process.wait()


@pytest.mark.parametrize("decision", ["release", "hold", "reject", "rerun"])
async def test_a_decision_is_whole_or_not_there(decision: str, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    async with bench(origin) as one:
        await one.judged(timed("9999"))
        await one.judged(timed("22", specimen="S2"))
    before = seen(origin)
    killed = 0
    for statements in (1, 3, 5, 6, 7, 8, 9, 10, 12, 0):
        folder = tmp_path / str(statements)
        shutil.copytree(origin, folder)
        code = await decide(folder, decision, statements)
        assert code in (0, -9)
        killed += code == -9
        after = seen(folder)
        assert (after == before) == (code == -9), f"{decision} killed after {statements} statements"
    assert killed >= 4, "too few of the kills came in time to prove anything"
    assert after != before
