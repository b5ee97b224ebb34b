"""Are the bytes of what was deleted really gone from the database's files? As far as the database lets us say: pages, logs, and not backups.

SQLite: labmw writes with secure_delete, so freed parts of a page are overwritten with zeros at once; the write-ahead log keeps older pages until it is
truncated, which this does when nobody reads. PostgreSQL keeps deleted rows in their pages until these are written anew: VACUUM FULL does that.
Neither reaches backups, archives of the log, replicas, or the wear levelling of a disk.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from labmw.errors import StoreError
from labmw.store.address import is_postgresql, server_of, sqlite_file
from labmw.store.aside import ask
from labmw.store.connection import open_for_writing
from labmw.store.failure import explain
from labmw.store.lock import holder


def wipe(url: str) -> bool:
    """Get deleted bytes out of the store's own files; False when it is in use and that could not be done now. Raises StoreError."""
    if is_postgresql(url):
        if holder(url) is not None:  # it would lock every table, and the lines would refuse for as long
            return False
        ask(_vacuum(url))
        return True
    file = sqlite_file(url)
    try:
        with closing(open_for_writing(file, 30.0)) as connection:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy
    except sqlite3.Error as error:
        raise explain(error, file) from error


async def _vacuum(url: str) -> None:
    import asyncpg  # noqa: PLC0415 - loaded only where a URL asks for it

    from labmw.store.postgresql.connection import connect  # noqa: PLC0415

    connection = await connect(server_of(url), patience=None)
    try:
        await connection.execute("VACUUM FULL")
    except asyncpg.PostgresError as error:
        raise StoreError(f"VACUUM FULL was not possible ({error}); run it when labmw is stopped") from error
    finally:
        await connection.close()
