"""What does an error of SQLite mean to a laboratory, and what is to be done about it?"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from labmw.errors import StoreError, StoreUnfit

# Primary result codes (sqlite.org/rescode.html) that are the disk's, the machine's or a neighbour's: nothing of the group is kept.
_STORAGE: dict[int, tuple[str, str, str]] = {
    sqlite3.SQLITE_FULL: ("full", "the disk of {file} is full", "free space there; labmw goes on by itself"),
    sqlite3.SQLITE_IOERR: (
        "io",
        "{file} cannot be read or written",
        "look at the system log for its disk, and at quotas and file size limits; labmw goes on by itself",
    ),
    sqlite3.SQLITE_READONLY: (
        "read-only",
        "{file} is read-only",
        "give labmw's user write permission on the file and its folder, or remount the disk",
    ),
    sqlite3.SQLITE_PERM: (
        "forbidden",
        "{file} may not be opened",
        "give labmw's user permission on the file and its folder",
    ),
    sqlite3.SQLITE_AUTH: (
        "forbidden",
        "{file} may not be opened",
        "give labmw's user permission on the file and its folder",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot-open",
        "{file} cannot be opened",
        "check that the file and its folder exist, that labmw's user may write there, and that the disk has space",
    ),
    sqlite3.SQLITE_BUSY: (
        "busy",
        "another process is writing to {file}",
        "end that process, or wait until it has finished",
    ),
    sqlite3.SQLITE_LOCKED: (
        "busy",
        "another process is writing to {file}",
        "end that process, or wait until it has finished",
    ),
    sqlite3.SQLITE_PROTOCOL: (
        "busy",
        "another process is writing to {file}",
        "end that process, or wait until it has finished",
    ),
    sqlite3.SQLITE_NOMEM: (
        "memory",
        "there is no memory left to write {file}",
        "end what uses it up; labmw goes on by itself",
    ),
    sqlite3.SQLITE_CORRUPT: ("damaged", "{file} is damaged", "stop labmw, keep the file, and restore the last backup"),
    sqlite3.SQLITE_NOTADB: (
        "no-sqlite",
        "{file} is not a SQLite file",
        "set store.url to the store, or restore the last backup",
    ),
    sqlite3.SQLITE_INTERRUPT: ("interrupted", "writing {file} was interrupted", "send again"),
}

UNFIT: tuple[type[Exception], ...] = (OverflowError, UnicodeError, TypeError, ValueError)
"""What Python raises for a value that no column can hold."""


ASKED_AMISS: tuple[type[Exception], ...] = (OverflowError, UnicodeError)
"""The same of what a person has typed: a number or a text that no row can have."""


def is_storage(error: sqlite3.Error) -> bool:
    """True when the disk, the machine or another process failed, and not one statement."""
    return _primary(error) in _STORAGE


def explain(error: Exception, file: Path) -> StoreError:
    """The sentence for an error, ending with the remedy."""
    if isinstance(error, StoreError):
        return error
    code = _primary(error)
    if code in _STORAGE:
        name, problem, remedy = _STORAGE[code]
        return StoreError(
            f"{problem.format(file=file)} ({error}); {remedy}", f"store-error-{name}", file=file, said=error
        )
    if code == sqlite3.SQLITE_CONSTRAINT:
        return StoreUnfit(
            f"{file} holds something else under the same key, or lacks what this refers to ({error}); nothing was changed"
        )
    if code == sqlite3.SQLITE_TOOBIG:
        return StoreUnfit(f"a value is too large for {file} ({error}); lower limits.message_bytes")
    if isinstance(error, ASKED_AMISS):
        return StoreUnfit(f"{file} can hold no such number or text ({error}); look at what was given")
    kind = StoreUnfit if isinstance(error, (sqlite3.Error, *UNFIT)) else StoreError
    return kind(f"{file} refused a statement ({error}); this is a fault in labmw, please report it")


def _primary(error: Exception) -> int:
    # Errors raised by Python's module itself (wrong type, wrong number of values) carry no code.
    code = getattr(error, "sqlite_errorcode", None)
    return (code if isinstance(code, int) else 0) & 0xFF
