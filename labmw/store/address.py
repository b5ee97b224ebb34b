"""Where is the store? The URL of the configuration, taken apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from labmw.errors import StoreError

EXAMPLES = '"sqlite:///labmw.db" / "postgresql+asyncpg://labmw@localhost/labmw"'
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class Server:
    """A database of a PostgreSQL server, and how it is reached. What is None is left to PGHOST, PGUSER, ~/.pgpass and the like."""

    database: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ssl: str | None = None

    def __str__(self) -> str:
        """Its name for people, without the password."""
        return f"the PostgreSQL database {self.database!r} at {self.host or 'localhost'}:{self.port or 5432}"


def is_postgresql(url: str) -> bool:
    """Whether a URL names a PostgreSQL database; raises StoreError for what is no URL."""
    return _parts(url).get_backend_name() == "postgresql"


def place_of(url: str) -> str:
    """What a store is called in a sentence, without a password."""
    return str(server_of(url)) if is_postgresql(url) else str(sqlite_file(url))


def sqlite_file(url: str) -> Path:
    """The file a `sqlite:///` URL names; raises StoreError for any other URL."""
    parts = _parts(url)
    if parts.drivername != "sqlite":
        raise StoreError(
            f"labmw has no store of the kind {parts.drivername!r}; write store.url like {EXAMPLES}",
            "store-error-kind",
            kind=parts.drivername,
            like=EXAMPLES,
        )
    if not parts.database or parts.database == ":memory:" or parts.host:
        raise StoreError(
            f"{url!r} names no file, and a store must outlive the process; "
            'write three slashes and a path, like "sqlite:///labmw.db" or "sqlite:////var/lib/labmw/labmw.db"',
            "store-error-no-file",
            url=url,
        )
    if parts.query:
        raise StoreError(
            f"{url!r} carries options after '?', and labmw sets its own; remove them", "store-error-options", url=url
        )
    return Path(parts.database)


def server_of(url: str) -> Server:
    """The database a `postgresql+asyncpg://` URL names; raises StoreError for any other URL."""
    parts = _parts(url)
    if parts.drivername not in ("postgresql", "postgresql+asyncpg"):
        raise StoreError(
            f"labmw has no store of the kind {parts.drivername!r}; write store.url like {EXAMPLES}",
            "store-error-kind",
            kind=parts.drivername,
            like=EXAMPLES,
        )
    if not parts.database:
        raise StoreError(
            f"store.url names no database; write it like {EXAMPLES}", "store-error-no-database", like=EXAMPLES
        )
    options = dict(parts.query)
    host, ssl = options.pop("host", parts.host), options.pop("ssl", None)  # ?host=/folder: a socket in the file system
    if options or not (isinstance(host, str | None) and (ssl is None or ssl in SSL_MODES)):
        raise StoreError(
            "store.url may have the options host (the folder of the server's socket) and "
            f"ssl ({', '.join(SSL_MODES)}), each once; remove what else stands after '?'",
            "store-error-pg-options",
            modes=", ".join(SSL_MODES),
        )
    return Server(parts.database, host, parts.port, parts.username, parts.password, str(ssl) if ssl else None)


def _parts(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # Not repeated in the sentence: it may hold a password.
        shown = url if "@" not in url else "store.url"
        raise StoreError(
            f"{shown!r} is not a store address; write it like {EXAMPLES}",
            "store-error-address",
            shown=shown,
            like=EXAMPLES,
        ) from None
