"""How is a SQLite file read beside the writer, from the same process or another, and also when nobody writes?

It never waits for the writer and never makes a file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.base import Executable

from labmw.errors import StoreDisturbed
from labmw.store.address import sqlite_file
from labmw.store.compiled import Compiler
from labmw.store.connection import execute, open_for_reading
from labmw.store.encryption.passage import Passage, shut
from labmw.store.failure import ASKED_AMISS, explain
from labmw.store.revision import require
from labmw.store.transaction import NONE, Row, Step, T, Transaction, Values, ask


class SqliteReader:
    """A read-only view of one store; a context manager. To be used in the thread that made it."""

    def __init__(self, url: str, *, busy: float = 5.0, key_file: Path | None = None, as_it_lies: bool = False) -> None:
        self._file = sqlite_file(url)
        require(url)
        self._passage = None if as_it_lies else Passage(key_file)
        self._busy = busy
        self._compiler = Compiler(sqlite.dialect(paramstyle="qmark"))
        self._connection: sqlite3.Connection | None = None
        self._lying: tuple[int, ...] | None = None  # how the file lay when nobody had it open

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def read(self, statement: Executable, parameters: Values = NONE) -> list[Row]:
        """Ask one question; raises StoreError."""
        step = Step(statement, parameters)
        rows = self._ask(lambda connection: execute(connection, self._compiler, step), again=True)
        if self._passage is None or not shut(rows):
            return rows
        return self.look(lambda: ask(step))

    def view(self, script: Transaction[T]) -> T:
        """Ask several questions of one and the same moment; raises StoreError."""
        passing = script if self._passage is None else self._passage.around(script)
        return self._ask(lambda connection: self._play(connection, passing), again=False)

    def look(self, make: Callable[[], Transaction[T]]) -> T:
        """Ask several questions of one moment, from the first one again where the store came into use meanwhile; raises StoreError."""
        for _ in range(2):  # from the second time on it is read as a store in use
            with suppress(StoreDisturbed):
                return self.view(make())
        return self.view(make())

    def _play(self, connection: sqlite3.Connection, script: Transaction[T]) -> T:
        connection.execute("BEGIN")
        try:
            step = next(script)
            while True:
                step = script.send(execute(connection, self._compiler, step))
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            script.close()
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _ask(self, question: Callable[[sqlite3.Connection], T], *, again: bool) -> T:
        try:
            answer = question(self._open())
        except sqlite3.Error as error:
            disturbed = self._disturbed()
            self.close()
            if not disturbed:
                raise explain(error, self._file) from error
        except ASKED_AMISS as error:
            raise explain(error, self._file) from error
        else:
            if not self._disturbed():
                return answer
            self.close()
        # The file was read as it lay, and meanwhile somebody began to write: what was read may be torn.
        if again:
            return self._ask(question, again=False)
        raise StoreDisturbed(f"{self._file} was opened for writing while it was being read; ask again")

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._lying is not None and self._disturbed():
            self.close()
        if self._connection is None:
            quiet = not _wal(self._file).exists()
            self._lying = _state(self._file) if quiet else None
            try:
                self._connection = open_for_reading(self._file, self._busy, quiet=quiet)
            except sqlite3.Error as error:
                raise explain(error, self._file) from error
        return self._connection

    def _disturbed(self) -> bool:
        return self._lying is not None and (_wal(self._file).exists() or _state(self._file) != self._lying)


def _wal(file: Path) -> Path:
    # SQLite keeps this file beside the store for as long as anybody has the store open (sqlite.org/wal.html).
    return file.with_name(file.name + "-wal")


def _state(file: Path) -> tuple[int, ...]:
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns
