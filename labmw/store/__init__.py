"""What the laboratory must not forget: one schema, one set of statements, small executors."""

from __future__ import annotations

from typing import Any

from labmw.store.address import sqlite_file
from labmw.store.reader import Reader, read_sync
from labmw.store.revision import migrate, revision
from labmw.store.sqlite import SqliteStore
from labmw.store.transaction import Commit, Row, Step, Store, Transaction

__all__ = [
    "Commit", "Reader", "Row", "SqliteStore", "Step", "Store", "Transaction", "migrate", "open_store", "read_sync", "revision", "sqlite_file",
]  # fmt: skip


def open_store(url: str, **options: Any) -> Store:
    """The store a URL names, not yet started; raises StoreError for a kind of store that does not exist."""
    return SqliteStore(url, **options)
