"""The power goes while patients are moved into the archive: whoever is not in the store any more is in a file that can be read."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from archived import MOVER, TUBES, labmw, lived, move, rows
from stage import Stage

from .names import left, library, preloaded
from .outcome import Outcome

STEPS = ("noted", "file", "written", "going", "moved")
VARIANTS = ("unflushed", "unnamed")  # files that are not flushed, folders that are not


def archive(steps: tuple[str, ...] = STEPS) -> Outcome:
    """Cut the power at every step of a move, on one store, each time on what the last cut has left."""
    return _play("power cut, archive", steps)


def careless(step: str) -> Outcome:
    """The variants that must be found to lose."""
    return _play(f"power cut, archive {step} (must lose)", (step,), expect_loss=True)


def _play(name: str, steps: tuple[str, ...], *, expect_loss: bool = False) -> Outcome:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        preload = library(folder)
        if preload is None:
            return Outcome.skipped(name, "no C compiler")
        live = folder / "live"
        live.mkdir()
        stage = asyncio.run(lived(live, ""))
        before = rows(stage)
        for number, step in enumerate(steps):
            stage = cut(stage, step, preload, folder / f"cut{number}")
        lost, faults = asyncio.run(_found(stage, before))
        whole = len(before["result"])
        return Outcome(name, whole, lost, 0, faults, expect_loss=expect_loss, detail=f"{len(steps)} cuts")


def cut(stage: Stage, step: str, preload: Path, into: Path) -> Stage:
    """Move, let the power go at a step, and come back to what is on the disk then."""
    kept = into.with_name(into.name + ".kept")
    environment = {**os.environ, "LABMW_CONFIG": str(stage.config), **preloaded(preload, stage.folder, kept)}
    done = subprocess.run(
        [sys.executable, MOVER, step, *move(stage)], check=False, env=environment, capture_output=True
    )
    assert done.returncode == -9, done.stderr  # the step must be reached, or nothing was tried
    left(stage.folder, kept, into)
    (into / "labmw.db-shm").unlink(missing_ok=True)  # memory, gone with the power
    shutil.rmtree(kept)
    shutil.copymode(stage.folder / stage.key_file, into / stage.key_file)
    return Stage(into, stage.analyzer_port, stage.lis_port, key_file=stage.key_file)


async def _found(stage: Stage, before: Mapping[str, list[tuple[object, ...]]]) -> tuple[int, int]:
    """Move the rest, bring everybody back: results that are lost, and commands that found something wrong."""
    faults = int((await labmw(stage, *move(stage)))[0] != 0)
    faults += (await labmw(stage, "retention", "archive", "verify"))[0] != 0
    for tube in TUBES:
        await labmw(stage, "retention", "archive", "restore", tube, "--why", "test")
    faults += rows(stage) != before
    for command in (("store", "check"), ("audit", "verify")):
        faults += (await labmw(stage, *command))[0] != 0
    there = {number for number, _ in rows(stage)["result"]}
    return sum(number not in there for number, _ in before["result"]), faults
