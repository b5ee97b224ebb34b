"""Which revision is this store, may this labmw use it, and how does an older one become a new one?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from labmw.errors import StoreError
from labmw.store.address import is_postgresql, place_of, server_of, sqlite_file
from labmw.store.connection import open_for_reading
from labmw.store.failure import explain
from labmw.store.schema import REVISION


def revision_of(url: str) -> str | None:
    """The revision of a store; None when it is absent or empty. Raises StoreError when it is something else."""
    if is_postgresql(url):
        from labmw.store.aside import ask  # noqa: PLC0415 - asyncpg is loaded only where a URL asks for it
        from labmw.store.postgresql.revision import revision  # noqa: PLC0415

        return ask(revision(server_of(url)))
    return _revision(sqlite_file(url))


def require(url: str) -> None:
    """Raise StoreError, with the remedy, unless the store is of this labmw's revision."""
    found = revision_of(url)
    if found == REVISION:
        return
    if found is None:
        raise StoreError(
            f"there is no store at {place_of(url)}; set store.url, or start `labmw serve` once to make it",
            "store-error-absent",
            place=place_of(url),
        )
    _known(url, found)
    raise StoreError(
        f"{place_of(url)} is of revision {found} and this labmw needs {REVISION}; start `labmw serve` once to bring it up to date",
        "store-error-older",
        place=place_of(url),
        found=found,
        needed=REVISION,
    )


def migrate(url: str) -> None:
    """Make the store, or bring an older one up to date, all or nothing; raises StoreError for a newer or foreign one.

    An up-to-date store costs one read: the migration machinery is only loaded when there is something to do.
    """
    found = revision_of(url)
    if found == REVISION:
        return
    if found is not None:
        _known(url, found)
    from labmw.store import migrations  # noqa: PLC0415 - alembic takes a third of a second to load

    if is_postgresql(url):
        migrations.upgrade_database(url)
        return
    file = sqlite_file(url)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder {file.parent} cannot be made ({error}); make it, or set store.url elsewhere",
            "store-error-no-folder",
            folder=file.parent,
            said=error,
        ) from error
    try:
        migrations.upgrade(file)
    except sqlite3.Error as error:
        raise explain(error, file) from error


def _known(url: str, found: str) -> None:
    from labmw.store.migrations import revisions  # noqa: PLC0415

    if found not in revisions():
        raise StoreError(
            f"{place_of(url)} was written by another version of labmw (revision {found}, this one knows up to {REVISION}); "
            "start that version, or restore the backup made before the upgrade",
            "store-error-newer",
            place=place_of(url),
            found=found,
            needed=REVISION,
        )


def _revision(file: Path) -> str | None:
    try:
        if not file.exists() or file.stat().st_size == 0:
            return None
        quiet = not file.with_name(file.name + "-wal").exists()
        with closing(open_for_reading(file, 5.0, quiet=quiet)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            rows = (
                connection.execute("SELECT version_num FROM alembic_version").fetchall()
                if "alembic_version" in tables
                else []
            )
    except sqlite3.Error as error:
        raise explain(error, file) from error
    except OSError as error:
        raise StoreError(
            f"{file} cannot be looked at ({error}); give labmw's user permission on it",
            "store-error-unlooked",
            file=file,
            said=error,
        ) from error
    if not tables:
        return None
    if len(rows) != 1 or not {"message", "result"} <= tables:
        raise StoreError(
            f"{file} is a SQLite file but not a labmw store; set store.url to the store, or to a file that does not exist",
            "store-error-foreign",
            file=file,
        )
    return str(rows[0][0])
