"""The disk is full, or read-only, for a while: under the daemon's SQLite file, or under PostgreSQL's data folder. Analyzers are refused and keep what they have."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Literal

from crashing import daemon
from postgresql_server import PostgresqlServer, binaries
from stage import Analyzer, Lis, Stage, eventually, free_port, message

from labmw.store import migrate

from .kills import outcome
from .outcome import Outcome
from .status import told

MESSAGES = 60
SECONDS = 4.0
HERE = Path(__file__).parent
SAYS = {"frozen", "store", "store-unreadable"}
"""Sentences of status of which one must be said: nothing can be written, or the server is gone."""


def library(folder: Path) -> Path | None:
    """The preloaded library, built by the machine's compiler; None where there is none."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    made = folder / "disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", made, HERE / "disk.c", "-ldl"], check=True)
    made.chmod(0o755)
    return made


def disk(store: str, how: Literal["full", "readonly"], *, ack_first: bool = False) -> Outcome:
    """Play it. `ack_first`: the variant that acknowledges before it stores, which must be found to lose."""
    name = f"disk {how}" + (", acknowledged first (must lose)" if ack_first else "")
    with tempfile.TemporaryDirectory(prefix="labmw-disk-") as place:
        folder = Path(place).resolve()
        preload = library(folder)
        if preload is None:
            return Outcome.skipped(name, "no C compiler")
        trouble = folder / "trouble"
        if store == "sqlite":
            stage = Stage(folder, free_port(), free_port(), url="").build([f"D{n}" for n in range(MESSAGES)])
            environment = {"LD_PRELOAD": str(preload), "DISK_FOLDER": str(stage.database), "DISK_TROUBLE": str(trouble)}
            return asyncio.run(_play(name, stage, trouble, how, environment, None, ack_first=ack_first))
        programs = binaries()
        if programs is None:
            return Outcome.skipped(name, "no PostgreSQL")
        folder.chmod(0o755)
        (folder / "server").mkdir()
        environment = {
            "LD_PRELOAD": str(preload),
            "DISK_FOLDER": str(folder / "server" / "data"),
            "DISK_TROUBLE": str(trouble),
        }
        # Segments as small as can be: what is written soon makes a file longer.
        server = PostgresqlServer(folder / "server", programs, environment, arguments=("--wal-segsize=1",))
        server.start()
        try:
            url = server.url(server.make())
            migrate(url)
            stage = Stage(folder, free_port(), free_port(), url=url).build([f"D{n}" for n in range(MESSAGES)])
            return asyncio.run(_play(name, stage, trouble, how, {}, server, ack_first=ack_first))
        finally:
            trouble.unlink(missing_ok=True)
            server.stop(how=signal.SIGQUIT)


def acknowledged_first(store: str) -> Outcome:
    """The variant, until it loses: a start of a transmission that cannot be journaled is refused, and may come before what is acknowledged unstored."""
    for _ in range(4):
        if (found := disk(store, "full", ack_first=True)).lost:
            break
    return found


async def _play(
    name: str,
    stage: Stage,
    trouble: Path,
    how: str,
    environment: dict[str, str],
    server: PostgresqlServer | None,
    *,
    ack_first: bool,
) -> Outcome:
    analyzer, gate = Analyzer(stage.analyzer_port, patience=3.0), asyncio.Semaphore(20)

    async def one(tube: str) -> None:
        async with gate:
            await asyncio.sleep(0.1)
            await analyzer.send(tube, message(tube), until=300)

    said: set[str] = set()
    before = 0
    async with Lis(stage.lis_port) as lis, _daemon(stage, environment, ack_first=ack_first) as process:
        sending = [asyncio.create_task(one(f"D{number}")) for number in range(MESSAGES)]
        await eventually(lambda: len(analyzer.acknowledged) >= 10, within=120)
        await asyncio.to_thread(trouble.write_text, how, encoding="ascii")
        await asyncio.sleep(SECONDS)
        before = len(analyzer.acknowledged)
        if before == MESSAGES:
            raise RuntimeError("the disk was never in trouble: every message was acknowledged while it lasted")
        said = await asyncio.to_thread(told, stage, later=timedelta(seconds=61), process=process.pid)
        await asyncio.to_thread(trouble.unlink)
        if server is not None and not await asyncio.to_thread(server._answers):
            await asyncio.to_thread(server.stop, how=signal.SIGQUIT)  # PostgreSQL panics when its log cannot be written
            await asyncio.to_thread(server.start)
        await asyncio.gather(*sending)
        unfinished = "SELECT count(*) FROM result WHERE state IN ('verify', 'released')"
        await eventually(lambda: stage.ask(unfinished) == [(0,)], within=300)
    found = outcome(name, stage, analyzer.acknowledged, lis, f"{MESSAGES - before} waited; status: {_shown(said)}")
    silent = not said & SAYS
    return Outcome(
        found.name,
        found.acknowledged,
        found.lost,
        found.twice,
        found.faults + silent,
        expect_loss=ack_first,
        detail=found.detail,
    )


def _shown(said: set[str]) -> str:
    return ", ".join(sorted(said & SAYS)) or "NOTHING"


@contextlib.asynccontextmanager
async def _daemon(stage: Stage, environment: dict[str, str], *, ack_first: bool):  # type: ignore[no-untyped-def]
    """The daemon, with its own preload; ours must not have it."""
    kept = dict(os.environ)
    os.environ.update(environment)
    try:
        started = daemon(stage, "-", 0, *(["ack-first"] if ack_first else []))
        process = await started.__aenter__()
    finally:
        for key in environment:
            os.environ.pop(key, None)
        os.environ.update(kept)
    try:
        yield process
    finally:
        await started.__aexit__(None, None, None)
