"""What the laboratory must not forget: one schema, one set of statements, small executors."""

from __future__ import annotations

from collections.abc import Callable

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
    on_commit: Callable[[Commit], None] | None = None,
) -> Store:
    """The store a URL names, not yet started; raises StoreError for a kind of store that does not exist.

    `group`: transactions that share a commit at most. `queue`: transactions that wait at most. `on_commit` is told of each commit.
    `serves`: this process is the daemon, of which a store has one; a command that writes beside it leaves it out.
    """
    if is_postgresql(url):
        from labmw.store.postgresql.store import PostgresqlStore  # noqa: PLC0415

        return PostgresqlStore(url, group=group, queue=queue, serves=serves, on_commit=on_commit)
    return SqliteStore(url, group=group, queue=queue, on_commit=on_commit)


def open_reader(url: str) -> Reader:
    """A read-only view of the store a URL names, whether or not labmw runs; raises StoreError."""
    if is_postgresql(url):
        from labmw.store.postgresql.reader import PostgresqlReader  # noqa: PLC0415

        return PostgresqlReader(url)
    return SqliteReader(url)


def read_sync(url: str, statement: Executable, parameters: Values = NONE) -> list[Row]:
    """Ask one question of a store, whether or not labmw runs; raises StoreError."""
    with open_reader(url) as reader:
        return reader.read(statement, parameters)
