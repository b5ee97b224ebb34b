"""kill -9 while patients are moved into the archive: wherever it strikes, nothing is lost and nothing is there twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from archived import MOVER, TUBES, labmw, lived, move, rows

STEPS = ("noted", "file", "written", "going", "moved")
PROGRAM = str(MOVER)


async def test_killed_at_every_step_nothing_is_lost_and_nothing_is_twice(store_url: str, tmp_path: Path) -> None:
    stage = await lived(tmp_path, store_url)
    before = rows(stage)
    for step in STEPS:
        code, said = await labmw(stage, step, *move(stage), entry=PROGRAM)
        assert code == -9, said  # the step must be reached, or this test tests nothing
        if step != "moved":
            assert rows(stage) == before
        if step in ("file", "written"):
            code, said = await labmw(stage, "retention", "archive", "verify", "--json")
            assert (code, [one["code"] for one in json.loads(said)["faults"]]) == (1, ["archive-cut-off"]), (step, said)
    assert stage.ask("SELECT count(*) FROM result WHERE main = 1") == [(1,)]
    code, said = await labmw(stage, *move(stage))
    assert code == 0 and stage.ask("SELECT count(*) FROM result") == [(0,)], said
    assert (await labmw(stage, "retention", "archive", "verify"))[0] == 0
    assert len(list((tmp_path / "archive").rglob("results.*"))) == 2
    for tube in TUBES:
        code, said = await labmw(stage, "retention", "archive", "restore", tube, "--why", "test")
        assert code == 0, said
    assert rows(stage) == before
    assert (await labmw(stage, "store", "check"))[0] == 0 == (await labmw(stage, "audit", "verify"))[0]


@pytest.mark.one_database
async def test_rows_that_go_before_their_files_are_there_are_lost(tmp_path: Path) -> None:
    """The variant that breaks it, and the commands notice it."""
    stage = await lived(tmp_path, "")
    code, said = await labmw(stage, "hasty", *move(stage), entry=PROGRAM)
    assert code == -9, said
    assert stage.ask("SELECT count(*) FROM result WHERE main = 1") == [(1,)]
    code, said = await labmw(stage, "retention", "archive", "verify", "--language", "en")
    assert code == 1 and "cannot be read" in said
    assert (await labmw(stage, "retention", "archive", "restore", "FIRST", "--why", "test"))[0] == 2
