"""kill -9 at every few statements of a decision or a verdict: either all of it is in the store, or nothing, and the work is still there."""

from __future__ import annotations

import shutil
from pathlib import Path

import forked
import pytest
from judging import bench, timed
from packs import CA, K, calcium, low, panel, potassium, two
from stage import Stage

pytestmark = pytest.mark.one_database  # a file is copied, and killed again and again
DECIDER = Path(__file__).with_name("decider.py")
LOOK = (
    "SELECT specimen, state FROM result ORDER BY id",
    "SELECT level, decided_by, stage FROM verdict ORDER BY id",
    "SELECT who, what FROM audit ORDER BY id",
    "SELECT specimen, state FROM outbox ORDER BY id",
    "SELECT outbox, result FROM outbox_result ORDER BY id",
    "SELECT result FROM withdrawal ORDER BY id",
    "SELECT kind, state FROM task ORDER BY id",
    "SELECT kind, message FROM work ORDER BY id",
    "SELECT kind, target, state FROM action ORDER BY id",
    "SELECT loinc FROM added_test ORDER BY id",
    'SELECT loinc, state FROM "order" ORDER BY id',
    "SELECT result, state FROM prescriber_call ORDER BY id",
    "SELECT judged, released FROM release_hour ORDER BY id",
    "SELECT scope FROM line_stop ORDER BY id",
)


def seen(folder: Path) -> list[list[tuple[object, ...]]]:
    stage = Stage(folder, 0, 0)
    return [stage.ask(sql) for sql in LOOK]


async def decide(folder: Path, decision: str, statements: int) -> int:
    process = forked.start(str(DECIDER), str(Stage(folder, 0, 0).database), decision, str(statements))
    return await forked.Waiting(process).wait()


async def set_up(folder: Path, decision: str) -> None:
    """What there is to decide, or to judge."""
    if decision not in ("verdict", "again"):
        async with bench(folder) as one:
            await one.judged(timed("9999"))
            await one.judged(timed("22", specimen="S2"))
        return
    packs = two(folder / "two", panel(), low('action = ["call"]', verdict="comment"))
    async with bench(folder, packs=packs, loincs=(K, CA)) as one:
        if decision == "verdict":
            await one.bring(potassium("3.2"), calcium("2.3"))
            return
        await one.judged(potassium("3.2"))
        one.verification.again = None  # the second look stays to be done
        await one.judged(calcium("2.3", minutes=1))


@pytest.mark.parametrize("decision", ["release", "hold", "reject", "rerun", "stop", "verdict", "again"])
async def test_a_decision_is_whole_or_not_there(decision: str, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    await set_up(origin, decision)
    before = seen(origin)
    killed = 0
    for statements in (2, 5, 9, 16, 0):
        folder = tmp_path / str(statements)
        shutil.copytree(origin, folder)
        code = await decide(folder, decision, statements)
        assert code in (0, -9)
        killed += code == -9
        after = seen(folder)
        assert (after == before) == (code == -9), f"{decision} killed after {statements} statements"
    assert killed >= 1, "too few of the kills came in time to prove anything"
    assert after != before


async def test_a_verdict_that_was_killed_is_given_once_after_all(tmp_path: Path) -> None:
    """Killed in the middle, then done: every action, call and report is there once."""
    await set_up(tmp_path, "verdict")
    assert await decide(tmp_path, "verdict", 12) == -9
    assert await decide(tmp_path, "verdict", 0) == 0
    stage = Stage(tmp_path, 0, 0)
    assert stage.ask("SELECT kind, state FROM action ORDER BY kind") == [
        ("add-on", "done"), ("call", "done"), ("rerun", "done")
    ]  # fmt: skip
    assert stage.ask("SELECT state FROM prescriber_call") == [("open",)]
    assert stage.ask("SELECT result, count(*) FROM outbox_result GROUP BY result HAVING count(*) > 1") == []
    assert stage.ask("SELECT count(*) FROM work WHERE kind = 'verify'") == [(0,)]
