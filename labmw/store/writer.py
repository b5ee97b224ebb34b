"""Who writes to SQLite? One thread: it takes what is queued, commits it as one group, and only then tells who waits."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.base import Executable

from labmw.errors import StoreError
from labmw.store.compiled import Compiler
from labmw.store.connection import execute, open_for_writing
from labmw.store.failure import explain, is_storage
from labmw.store.transaction import Commit, Row, Step, Transaction, Values

Outcome: TypeAlias = tuple["asyncio.Future[Any]", Any, Exception | None]


@dataclass(slots=True, eq=False)
class Job:
    """What waits for its turn: a script, and who waits for it. Rows for one insert are a job that can travel with its like."""

    future: asyncio.Future[Any]
    script: Transaction[Any] | None
    statement: Executable | None = None
    rows: Sequence[Values] = ()


_NOTHING = (0, 0)


class Writer:
    """The writer thread of one SQLite file.

    `settle` is where durability is decided: commit, then tell. A test overrides it to show that the other order loses.
    """

    def __init__(
        self,
        file: Path,
        *,
        group: int,
        busy: float,
        loop: asyncio.AbstractEventLoop,
        on_commit: Callable[[Commit], None] | None,
    ) -> None:
        self._file, self._group, self._busy = file, group, busy
        self._loop, self._on_commit = loop, on_commit
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._compiler = Compiler(sqlite.dialect(paramstyle="qmark"))
        self._connection: sqlite3.Connection | None = None
        self._names: tuple[tuple[int, int], ...] = ()  # which files bore the store's names when it was opened
        self._thread = threading.Thread(target=self._run, name="labmw-store-writer", daemon=True)
        self.taken = 0  # jobs taken from the queue so far; written by the thread alone, read by the loop

    def start(self) -> None:
        """Start the thread; the file is opened with the first group."""
        self._thread.start()

    def put(self, job: Job | None) -> None:
        """Queue a job; None ends the thread after everything queued before it."""
        self._queue.put(job)

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    # Everything below runs in the thread, `_resolve` excepted.

    def _run(self) -> None:
        while True:
            jobs, last = self._take()
            self.taken += len(jobs)
            # Whoever has gone (timeout, cancelled) before the work began was told "refused": it is not begun.
            if waiting := [job for job in jobs if not job.future.done()]:
                self._write(waiting)
            if last:
                self._close()
                return

    def _take(self) -> tuple[list[Job], bool]:
        jobs: list[Job] = []
        job = self._queue.get()
        with contextlib.suppress(Empty):
            while job is not None:
                jobs.append(job)
                if len(jobs) >= self._group:
                    break
                job = self._queue.get_nowait()
        return jobs, job is None

    def _write(self, jobs: list[Job]) -> None:
        began = time.perf_counter()
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            self.settle(connection, self._perform(connection, jobs), began)
        except BaseException as error:  # the thread must live: every analyzer depends on it
            # After a failed flush the pages in memory cannot be trusted: the next group opens the file afresh.
            self._close()
            for job in jobs:
                if job.script is not None:
                    with contextlib.suppress(Exception):
                        job.script.close()
            self.tell([(job.future, None, _sentence(error, self._file)) for job in jobs], began)

    def settle(self, connection: sqlite3.Connection, outcomes: list[Outcome], began: float) -> None:
        """Make the group durable, then tell who waits: in this order (law 3)."""
        connection.execute("COMMIT")
        self._look_at_names(connection)
        self.tell(outcomes, began)

    def _look_at_names(self, connection: sqlite3.Connection) -> None:
        """Raise StoreError when the file or its log was removed or replaced: SQLite goes on writing to what has no name any more
        (sqlite.org/howtocorrupt.html, 2.4), and the next start would not find it. What the log holds is saved into the file first."""
        names = tuple([_what_is(path) for path in (self._file, self._file.with_name(self._file.name + "-wal"))])
        self._names = self._names or names
        if names != self._names or _NOTHING in names:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raise StoreError(
                f"{self._file} or its log was removed or replaced while labmw wrote to it; "
                "put the file back and keep others away from it: labmw goes on by itself"
            )

    def tell(self, outcomes: list[Outcome], began: float) -> None:
        """Hand the outcomes to the event loop: one crossing per commit."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._resolve, outcomes, time.perf_counter() - began)

    def _resolve(self, outcomes: list[Outcome], seconds: float) -> None:
        failed = 0
        for future, value, error in outcomes:
            failed += error is not None
            if future.done():  # gave up waiting; what was committed stays committed
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        if self._on_commit is not None:
            self._on_commit(Commit(len(outcomes) - failed, failed, seconds))

    def _perform(self, connection: sqlite3.Connection, jobs: list[Job]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for _, same in groupby(jobs, lambda job: id(job) if job.statement is None else id(job.statement)):
            alike = list(same)
            if len(alike) > 1 and self._together(connection, alike):
                outcomes += [(job.future, None, None) for job in alike]
            else:
                outcomes += [self._alone(connection, job) for job in alike]
        return outcomes

    def _together(self, connection: sqlite3.Connection, jobs: list[Job]) -> bool:
        """Insert the rows of several jobs as one; False, and nothing changed, when one of them spoils it."""
        statement = jobs[0].statement
        assert statement is not None
        rows = [row for job in jobs for row in job.rows]
        connection.execute("SAVEPOINT job")
        try:
            self._answer(connection, Step(statement, rows))
        except StoreError:
            _undo(connection)
            return False
        connection.execute("RELEASE job")
        return True

    def _alone(self, connection: sqlite3.Connection, job: Job) -> Outcome:
        """One job in a savepoint of its own: when it fails, the others stay."""
        if job.statement is not None and len(job.rows) == 1:  # one statement is all or nothing by itself
            try:
                self._answer(connection, Step(job.statement, job.rows))
            except StoreError as error:
                return job.future, None, error
            return job.future, None, None
        connection.execute("SAVEPOINT job")
        try:
            value = None
            if job.script is not None:
                value = self._play(connection, job.script)
            elif job.statement is not None:
                self._answer(connection, Step(job.statement, job.rows))
        except sqlite3.Error:
            raise  # the disk's or a neighbour's: the whole group fails
        except Exception as error:
            _undo(connection)
            return job.future, None, error
        connection.execute("RELEASE job")
        return job.future, value, None

    def _play(self, connection: sqlite3.Connection, script: Transaction[Any]) -> Any:
        try:
            step = next(script)
            while True:
                step = script.send(self._answer(connection, step))
        except StopIteration as end:
            return end.value
        finally:
            script.close()

    def _answer(self, connection: sqlite3.Connection, step: Step) -> list[Row]:
        """Run one step; StoreError when only this step is wrong, sqlite3.Error when the whole group is lost."""
        try:
            return execute(connection, self._compiler, step)
        except sqlite3.Error as error:
            # SQLite itself may have rolled everything back (sqlite.org/lang_transaction.html, "Response To Errors").
            if is_storage(error) or not connection.in_transaction:
                raise
            raise explain(error, self._file) from error
        except (OverflowError, UnicodeError, TypeError, ValueError) as error:  # a value that no column can hold
            raise explain(error, self._file) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_for_writing(self._file, self._busy)
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        self._names = ()
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def _what_is(path: Path) -> tuple[int, int]:
    """Which file a name stands for."""
    try:
        found = path.stat()
    except OSError:
        return _NOTHING
    return found.st_dev, found.st_ino


def _undo(connection: sqlite3.Connection) -> None:
    connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")


def _sentence(error: BaseException, file: Path) -> StoreError:
    problem = explain(error if isinstance(error, Exception) else RuntimeError(repr(error)), file)
    problem.__cause__ = error
    return problem
