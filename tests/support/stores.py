"""A store of either kind, with what only tests ask of it."""

from __future__ import annotations

from typing import Any

from labmw.store import SqliteStore, is_postgresql
from labmw.store.postgresql.store import PostgresqlStore
from labmw.store.queued import QueuedStore


def open_queued(url: str, **settings: Any) -> QueuedStore:
    """The store of a URL, with the settings that both kinds have."""
    return PostgresqlStore(url, **settings) if is_postgresql(url) else SqliteStore(url, **settings)
