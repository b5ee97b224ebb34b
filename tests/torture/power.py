"""The power goes while a store is being written: only what was flushed is there afterwards, and everything that was told must be."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from sqlalchemy import select

from labmw.store import migrate, read_sync, schema

from .outcome import Outcome

HERE = Path(__file__).parent
PROGRAM = HERE.parent / "labmw" / "store" / "kill_writer.py"
BREAK = """
import sqlite3
from labmw.store import connection, writer
whole = connection.open_for_writing
def careless(file, busy):
    one = whole(file, busy)
    one.execute("PRAGMA synchronous = OFF")
    return one
writer.open_for_writing = careless
"""
BREAK_SERVER = """
from labmw.store.postgresql import revision, writer
async def trusting(connection, place):
    pass
revision.refuse_unsafe = writer.refuse_unsafe = trusting
"""


def library(folder: Path) -> Path | None:
    """The preloaded library, built by the machine's compiler; None where there is none."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    made = folder / "power.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", made, HERE / "power.c", "-ldl"], check=True)
    return made


def sqlite(cuts: int, seed: int, *, careless: bool = False) -> Outcome:
    """Cut the power under SQLite. `careless`: with synchronous = OFF, the variant that must be found to lose."""
    name = "power cut, SQLite" + (" without flushes (must lose)" if careless else "")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        preload = library(folder)
        if preload is None:
            return Outcome.skipped(name, "no C compiler")
        lost = told_in_all = 0
        chance = random.Random(seed)
        for cut in range(cuts):
            live, flushed = folder / f"live{cut}", folder / f"flushed{cut}"
            live.mkdir()
            migrate(f"sqlite:///{live / 'labmw.db'}")
            shutil.copytree(live, flushed)
            told = _write(
                f"sqlite:///{live / 'labmw.db'}",
                preload,
                live,
                flushed,
                chance.randrange(50, 800),
                BREAK if careless else "",
            )
            (flushed / "labmw.db-shm").unlink(missing_ok=True)  # memory, gone with the power
            lost += len(told - _stored(f"sqlite:///{flushed / 'labmw.db'}"))
            told_in_all += len(told)
        return Outcome(name, told_in_all, lost, 0, expect_loss=careless, detail=f"{cuts} cuts")


def postgresql(cuts: int, seed: int, *, careless: bool = False) -> Outcome:
    """Cut the power under a PostgreSQL server: its data folder falls back to what was flushed, and recovers.

    `careless`: with fsync = off and a labmw that does not refuse such a server, the variant that must be found to lose.
    """
    from postgresql_server import PostgresqlServer, binaries

    name = "power cut, PostgreSQL" + (" without flushes (must lose)" if careless else "")
    programs = binaries()
    with tempfile.TemporaryDirectory(prefix="labmw-power-") as place:
        folder = Path(place).resolve()
        preload = library(folder)
        if preload is None or programs is None:
            return Outcome.skipped(name, "no C compiler" if preload is None else "no PostgreSQL")
        preload.chmod(0o755)
        live, flushed = folder / "server" / "data", folder / "flushed"
        (folder / "server").mkdir()
        flushed.mkdir(mode=0o777)
        environment = {"LD_PRELOAD": str(preload), "POWER_FROM": str(live), "POWER_TO": str(flushed)}
        server = PostgresqlServer(folder / "server", programs, environment, arguments=("--wal-segsize=1",))
        flushed.chmod(0o777)
        chance = random.Random(seed)
        lost = told_in_all = 0
        try:
            for _ in range(cuts):
                server.start()
                url = server.url(server.make())  # its own for each cut: the writer's names begin anew
                migrate(url)
                server.say("CHECKPOINT")
                server.stop()
                shutil.rmtree(flushed)
                shutil.copytree(live, flushed)  # a clean shutdown has flushed everything
                _own(flushed, live)
                _flushes(live, on=not careless)
                server.start()
                told = _write(url, None, live, flushed, chance.randrange(50, 800), BREAK_SERVER if careless else "")
                server.cut()
                shutil.rmtree(live)
                flushed.rename(live)
                (live / "postmaster.pid").unlink(missing_ok=True)
                flushed.mkdir()
                _flushes(live, on=True)
                server.start()
                lost += len(told - _stored(url))
                told_in_all += len(told)
                server.stop()
        finally:
            server.stop(how=signal.SIGQUIT)
        return Outcome(name, told_in_all, lost, 0, expect_loss=careless, detail=f"{cuts} cuts")


def _flushes(data: Path, *, on: bool) -> None:
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(f"fsync = {'on' if on else 'off'}\n")


def _own(folder: Path, like: Path) -> None:
    about = like.stat()
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, about.st_uid, about.st_gid)


def _write(url: str, preload: Path | None, live: Path, flushed: Path, lines: int, change: str) -> set[bytes]:
    environment = dict(os.environ)
    if preload is not None:
        environment |= {"LD_PRELOAD": str(preload), "POWER_FROM": str(live), "POWER_TO": str(flushed)}
    code = f"import runpy, sys; {'exec(' + repr(change) + '); ' if change else ''}sys.argv[1:] = [{url!r}, 'commit-first']; runpy.run_path({str(PROGRAM)!r}, run_name='__main__')"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    return {line.strip() for line in told if line.endswith(b"\n")}


def _stored(url: str) -> set[bytes]:
    return {row.data for row in read_sync(url, select(schema.journal.c.data))}
