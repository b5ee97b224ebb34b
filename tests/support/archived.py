"""A laboratory whose two patients may go into the archive, for tests that kill who moves them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import forked
from stage import Analyzer, Lis, Stage, eventually, free_port, message

from labmw.app import Laboratory
from labmw.config import load

MOVER = Path(__file__).parents[1] / "crash" / "archiver.py"
HELD = ("result", "message", "patient", "specimen", "outbox", "outbox_result", "verdict", "journal", "frame")
TUBES = ("FIRST", "SECOND")


async def labmw(stage: Stage, *arguments: str, entry: str = forked.CLI) -> tuple[int, str]:
    """A command beside the store: its exit code, and what it printed."""
    environment = {**os.environ, "LABMW_CONFIG": str(stage.config)}
    done = await asyncio.to_thread(forked.run, *arguments, entry=entry, env=environment, together=True)
    return done.returncode, done.stdout


def rows(stage: Stage) -> Mapping[str, list[tuple[object, ...]]]:
    """What is in the store of everything that goes."""
    return {table: stage.ask(f"SELECT id, site FROM {table} ORDER BY 1") for table in HELD}


def move(stage: Stage) -> tuple[str, ...]:
    """The words of the command that moves them."""
    return ("retention", "archive", "move", "--go", "--activities", str(stage.folder / "last.csv"))


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
