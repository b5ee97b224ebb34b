"""Where is the store? The URL of the configuration, taken apart."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from labmw.errors import StoreError


def sqlite_file(url: str) -> Path:
    """The file a `sqlite:///` URL names; raises StoreError for any other URL."""
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(f'{url!r} is not a store address; write it like "sqlite:///labmw.db"') from None
    if parts.get_backend_name() == "postgresql":
        raise StoreError(
            'this version of labmw cannot keep its store in PostgreSQL; set store.url to a file, like "sqlite:///labmw.db"'
        )
    if parts.drivername != "sqlite":
        raise StoreError(
            f'labmw has no store of the kind {parts.drivername!r}; write store.url like "sqlite:///labmw.db"'
        )
    if not parts.database or parts.database == ":memory:" or parts.host:
        raise StoreError(
            f"{url!r} names no file, and a store must outlive the process; "
            'write three slashes and a path, like "sqlite:///labmw.db" or "sqlite:////var/lib/labmw/labmw.db"'
        )
    if parts.query:
        raise StoreError(f"{url!r} carries options after '?', and labmw sets its own; remove them")
    return Path(parts.database)
