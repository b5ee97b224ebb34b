"""kill -9 while patients are moved into the archive: wherever it strikes, nothing is lost and nothing is there twice."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import forked
from stage import Analyzer, Lis, Stage, eventually, free_port, message

from labmw.app import Laboratory
from labmw.config import load

STEPS = ("noted", "file", "written", "going", "moved")
PROGRAM = str(Path(__file__).with_name("archiver.py"))
HELD = ("result", "message", "patient", "specimen", "outbox", "outbox_result", "verdict", "journal", "frame")
TUBES = ("FIRST", "SECOND")


async def labmw(stage: Stage, *arguments: str, entry: str = forked.CLI) -> tuple[int, str]:
    environment = {**os.environ, "LABMW_CONFIG": str(stage.config)}
    done = await asyncio.to_thread(forked.run, *arguments, entry=entry, env=environment, together=True)
    return done.returncode, done.stdout


def rows(stage: Stage) -> dict[str, list[tuple[object, ...]]]:
    return {table: stage.ask(f"SELECT id, site FROM {table} ORDER BY 1") for table in HELD}


async def lived(folder: Path, url: str) -> Stage:
    """Two patients with a delivered result each, whom nobody has seen since 1991."""
    stage = Stage(folder, free_port(), free_port(), url=url, key_file="store.key").build(TUBES)
    async with Lis(stage.lis_port):
        laboratory = Laboratory(load(stage.config))
        try:
            await laboratory.start()
            for tube in TUBES:
                await Analyzer(stage.analyzer_port).send(tube, message(tube))
            await eventually(lambda: stage.ask("SELECT count(*) FROM result WHERE state = 'delivered'") == [(2,)])
        finally:
            await laboratory.stop()
    stage.write([("UPDATE result SET received_at = '1990' || substr(received_at, 5)", ())])
    listed = "".join(f"P-{tube};1991-01-01\n" for tube in TUBES)
    (folder / "last.csv").write_text(f"patient;last_activity\n{listed}", encoding="utf-8")
    (folder / "archive").mkdir()
    stage.config.write_text(stage.config.read_text() + '\n[retention]\narchive_folder = "archive"\n', encoding="utf-8")
    return stage


async def test_killed_at_every_step_nothing_is_lost_and_nothing_is_twice(store_url: str, tmp_path: Path) -> None:
    stage = await lived(tmp_path, store_url)
    move = ("retention", "archive", "move", "--go", "--activities", str(tmp_path / "last.csv"))
    before = rows(stage)
    for step in STEPS:
        code, said = await labmw(stage, step, *move, entry=PROGRAM)
        assert code == -9, said  # the step must be reached, or this test tests nothing
        if step != "moved":
            assert rows(stage) == before
        if step in ("file", "written"):
            code, said = await labmw(stage, "retention", "archive", "verify", "--json")
            assert (code, [one["code"] for one in json.loads(said)["faults"]]) == (1, ["archive-cut-off"]), (step, said)
    assert stage.ask("SELECT count(*) FROM result WHERE main = 1") == [(1,)]
    code, said = await labmw(stage, *move)
    assert code == 0 and stage.ask("SELECT count(*) FROM result") == [(0,)], said
    assert (await labmw(stage, "retention", "archive", "verify"))[0] == 0
    assert len(list((tmp_path / "archive").rglob("results.*"))) == 2
    for tube in TUBES:
        code, said = await labmw(stage, "retention", "archive", "restore", tube, "--why", "test")
        assert code == 0, said
    assert rows(stage) == before
    assert (await labmw(stage, "store", "check"))[0] == 0 == (await labmw(stage, "audit", "verify"))[0]


async def test_rows_that_go_before_their_files_are_there_are_lost(tmp_path: Path) -> None:
    """The variant that breaks it, and the commands notice it."""
    stage = await lived(tmp_path, "")
    move = ("retention", "archive", "move", "--go", "--activities", str(tmp_path / "last.csv"))
    code, said = await labmw(stage, "hasty", *move, entry=PROGRAM)
    assert code == -9, said
    assert stage.ask("SELECT count(*) FROM result WHERE main = 1") == [(1,)]
    code, said = await labmw(stage, "retention", "archive", "verify", "--language", "en")
    assert code == 1 and "cannot be read" in said
    assert (await labmw(stage, "retention", "archive", "restore", "FIRST", "--why", "test"))[0] == 2
