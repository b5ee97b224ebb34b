"""What the laboratory must not forget: one schema, one set of statements, small executors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.sql.base import Executable

from labmw.store.address import is_postgresql, place_of, sqlite_file
from labmw.store.reader import SqliteReader
from labmw.store.revision import migrate, require, revision_of
from labmw.store.sqlite import SqliteStore
from labmw.store.transaction import NONE, Commit, Reader, Row, Step, Store, Transaction, Values

__all__ = [
    "Commit", "Reader", "Row", "SqliteStore", "Step", "Store", "Transaction", "is_postgresql", "migrate", "open_reader", "open_store",
    "place_of", "read_sync", "require", "revision_of", "sqlite_file",
]  # fmt: skip

# asyncpg is loaded only where a URL asks for it.


def open_store(
    url: str,
    *,
    group: int = 50,
    queue: int = 10_000,
    serves: bool = False,
    key_file: str = "",
    as_it_lies: bool = False,
    on_commit: Callable[[Commit], None] | None = None,
) -> Store:
    """The store a URL names, not yet started; raises StoreError for a kind of store that does not exist.

    `group`: transactions that share a commit at most. `queue`: transactions that wait at most. `on_commit` is told of each commit.
    `serves`: this process is the daemon, of which a store has one; a command that writes beside it leaves it out.
    `key_file`: the file with the store keys, "" where bytes are not encrypted. `as_it_lies`: bytes are neither encrypted nor opened, for copies.
    """
    settings: dict[str, Any] = {
        "group": group,
        "queue": queue,
        "serves": serves,
        "as_it_lies": as_it_lies,
        "on_commit": on_commit,
    }
    keys = Path(key_file) if key_file else None
    if is_postgresql(url):
        from labmw.store.postgresql.store import PostgresqlStore  # noqa: PLC0415

        return PostgresqlStore(url, key_file=keys, **settings)
    return SqliteStore(url, key_file=keys, **settings)


def open_reader(url: str, *, key_file: str = "", as_it_lies: bool = False) -> Reader:
    """A read-only view of the store a URL names, whether or not labmw runs; raises StoreError. Keys are as for `open_store`."""
    keys = Path(key_file) if key_file else None
    if is_postgresql(url):
        from labmw.store.postgresql.reader import PostgresqlReader  # noqa: PLC0415

        return PostgresqlReader(url, key_file=keys, as_it_lies=as_it_lies)
    return SqliteReader(url, key_file=keys, as_it_lies=as_it_lies)


def read_sync(url: str, statement: Executable, parameters: Values = NONE) -> list[Row]:
    """Ask one question of a store, whether or not labmw runs; raises StoreError."""
    with open_reader(url) as reader:
        return reader.read(statement, parameters)
