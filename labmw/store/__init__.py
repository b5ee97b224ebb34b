"""What the laboratory must not forget: one schema, one set of statements, small executors."""

from __future__ import annotations

from collections.abc import Callable

from labmw.store.address import sqlite_file
from labmw.store.reader import Reader, read_sync
from labmw.store.revision import migrate, require, revision_of
from labmw.store.sqlite import SqliteStore
from labmw.store.transaction import Commit, Row, Step, Store, Transaction

__all__ = [
    "Commit", "Reader", "Row", "SqliteStore", "Step", "Store", "Transaction", "migrate", "open_store", "read_sync", "require", "revision_of", "sqlite_file",
]  # fmt: skip


def open_store(
    url: str, *, group: int = 50, queue: int = 10_000, on_commit: Callable[[Commit], None] | None = None
) -> Store:
    """The store a URL names, not yet started; raises StoreError for a kind of store that does not exist.

    `group`: transactions that share a commit at most. `queue`: transactions that wait at most. `on_commit` is told of each commit.
    """
    return SqliteStore(url, group=group, queue=queue, on_commit=on_commit)
