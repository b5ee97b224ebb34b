"""Who writes to SQLite? One thread, with each job of a group in a savepoint of its own."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.dialects import sqlite

from labmw.errors import StoreError
from labmw.store.compiled import Compiler
from labmw.store.connection import execute, open_for_writing
from labmw.store.failure import UNFIT, explain, is_storage
from labmw.store.group import GroupThread, Job, Outcome, apart, as_one
from labmw.store.statements.keys import FORGOTTEN
from labmw.store.transaction import Commit, Row, Step, Transaction

_NOTHING = (0, 0)


class Writer(GroupThread):
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
        super().__init__(group=group, loop=loop, on_commit=on_commit)
        self._file, self._busy = file, busy
        self._compiler = Compiler(sqlite.dialect(paramstyle="qmark"))
        self._connection: sqlite3.Connection | None = None
        self._names: tuple[tuple[int, int], ...] = ()  # which files bore the store's names when it was opened
        self._forgets = False  # something was taken out that the log still holds

    def commit(self, jobs: list[Job], began: float) -> None:
        """Play the jobs in one transaction and settle it; raises sqlite3.Error when the disk or a neighbour spoils the group."""
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        self.settle(connection, self._perform(connection, jobs), began)
        if self._forgets:
            self._forgets = not _emptied(connection, self._busy)

    def explain(self, error: Exception) -> StoreError:
        """The sentence for what spoiled a group."""
        return explain(error, self._file)

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

    def _perform(self, connection: sqlite3.Connection, jobs: list[Job]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for run in apart(jobs):
            done = self._together(connection, run) if len(run) > 1 else None
            outcomes += done or [self._alone(connection, job) for job in run]
        return outcomes

    def _together(self, connection: sqlite3.Connection, jobs: list[Job]) -> list[Outcome] | None:
        """Play several jobs as one; None, and nothing changed, when one of them spoils it."""
        connection.execute("SAVEPOINT job")
        try:
            values = self._play(connection, as_one(jobs))
        except sqlite3.Error:
            raise  # the disk's or a neighbour's: the whole group fails
        except Exception:  # whose it is shows when each is played for itself
            _undo(connection)
            return None
        connection.execute("RELEASE job")
        return [(job.future, value, None) for job, value in zip(jobs, values, strict=True)]

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
            if (script := job.begin()) is not None:
                value = self._play(connection, script)
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
        self._forgets = self._forgets or step.statement is FORGOTTEN
        try:
            return execute(connection, self._compiler, step)
        except sqlite3.Error as error:
            # SQLite itself may have rolled everything back (sqlite.org/lang_transaction.html, "Response To Errors").
            if is_storage(error) or not connection.in_transaction:
                raise
            raise explain(error, self._file) from error
        except UNFIT as error:  # a value that no column can hold
            raise explain(error, self._file) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_for_writing(self._file, self._busy)
        return self._connection

    def close(self) -> None:
        """Close the file; the next group opens it afresh."""
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


def _emptied(connection: sqlite3.Connection, busy: float) -> bool:
    """Write the log into the file and empty it, if nobody is reading: analyzers are not made to wait for that, and the next commit tries again.

    Pages are overwritten with zeros where something was deleted (secure_delete); older ones stand in the log until it is emptied.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        kept, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {busy * 1000:.0f}")
    return not kept


def _undo(connection: sqlite3.Connection) -> None:
    connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")
