"""How is a SQLite file opened, and how does a step become an answer?"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.sql.base import Executable

from labmw.errors import StoreError
from labmw.store import assumed
from labmw.store.compiled import Compiled, Compiler
from labmw.store.transaction import Row, Step, Values, row_type

MAX_VALUES = 32_000  # placeholders in one INSERT; SQLite's own default limit is 32,766


def open_for_writing(file: Path, busy: float) -> sqlite3.Connection:
    """A connection that writes an existing file: WAL, and each commit is on the disk before it returns.

    `busy` is how long it waits for another process that writes, in seconds.
    """
    connection = _open(file, "mode=rw", busy)
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":  # SQLite says so where files cannot be shared between processes (sqlite.org/wal.html)
            raise StoreError(
                f"{file} cannot keep a write-ahead log (it is in mode {mode!r}); keep the store on a local disk"
            )
        connection.execute("PRAGMA synchronous = FULL")  # in WAL, NORMAL may lose the last commits with the power
        connection.execute("PRAGMA foreign_keys = ON")
        # What is deleted is overwritten with zeros (an INS that was withdrawn must not stay in a freed page): decision 0033.
        connection.execute("PRAGMA secure_delete = ON")
        # SQLite opens a file it may not write as read-only, and lets transactions begin: ask for a write that changes nothing.
        connection.execute("DELETE FROM alembic_version WHERE 0")
        assumed.keep(connection)
        # A checkpoint runs inside the COMMIT that fills the log to this many pages: seldom and long beats often, for the tail.
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
        connection.execute("PRAGMA journal_size_limit = 67108864")  # bytes; a WAL that once grew gives its space back
        connection.execute("PRAGMA cache_size = -32768")  # KiB
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(file: Path, busy: float, *, quiet: bool) -> sqlite3.Connection:
    """A connection that only reads. `quiet`: nobody has the file open, so it is read as it lies and no file is made beside it."""
    return _open(file, "immutable=1" if quiet else "mode=ro", busy)


def _open(file: Path, how: str, busy: float) -> sqlite3.Connection:
    address = f"{file.absolute().as_uri()}?{how}"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=busy, cached_statements=256)


def execute(connection: sqlite3.Connection, compiler: Compiler, step: Step) -> list[Row]:
    """Run one step and return its rows."""
    statement, parameters = step
    if isinstance(parameters, Sequence):
        return _execute_many(connection, compiler, statement, parameters)
    compiled = compiler(statement, parameters)
    cursor = connection.execute(compiled.text, compiled.values(parameters))
    return _rows(cursor) if compiled.rows else []


def _rows(cursor: sqlite3.Cursor) -> list[Row]:
    rows = cursor.fetchall()
    if not rows:
        return []
    make = row_type(tuple([column[0] for column in cursor.description]))
    return [make(row) for row in rows]


def _execute_many(
    connection: sqlite3.Connection, compiler: Compiler, statement: Executable, rows: Sequence[Values]
) -> list[Row]:
    answered: list[Row] = []
    start = 0
    while start < len(rows):
        names = tuple(rows[start])
        end = start + 1
        while end < len(rows) and tuple(rows[end]) == names:
            end += 1
        compiled = compiler(statement, rows[start])
        values = compiled.all_values(rows[start:end])
        if compiled.row and len(values) > 1:
            answered += _insert(connection, compiled, values)
        elif compiled.rows:  # RETURNING: sqlite3 refuses it in executemany
            for one in values:
                answered += _rows(connection.execute(compiled.text, one))
        else:
            connection.executemany(compiled.text, values)
        start = end
    return answered


def _insert(connection: sqlite3.Connection, compiled: Compiled, values: list[tuple[Any, ...]]) -> list[Row]:
    """One INSERT with many rows: one crossing into SQLite, and one hand-over of the interpreter lock, instead of many."""
    answered: list[Row] = []
    size = max(1, MAX_VALUES // len(compiled.order))
    for start in range(0, len(values), size):
        part = values[start : start + size]
        cursor = connection.execute(compiled.repeated(len(part)), [value for row in part for value in row])
        if compiled.rows:
            answered += _rows(cursor)
    return answered
