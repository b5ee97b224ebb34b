"""Which revision is this database, and how does an older one become a new one?"""

from __future__ import annotations

from typing import Any

import asyncpg

from labmw.errors import StoreError
from labmw.store.address import Server
from labmw.store.postgresql.connection import connect, refuse_unsafe
from labmw.store.postgresql.failure import TROUBLES, explain

_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"


async def revision(server: Server) -> str | None:
    """The revision of a database; None when it has no table. Raises StoreError when it is something else, or not to be had."""
    try:
        connection = await connect(server, patience=30.0)
        try:
            await refuse_unsafe(connection, str(server))
            return await _revision(connection, server)
        finally:
            await connection.close()
    except TROUBLES as error:
        raise explain(error, str(server)) from error


async def _revision(connection: asyncpg.Connection[Any], server: Server) -> str | None:
    tables = {row[0] for row in await connection.fetch(_TABLES)}
    if not tables:
        return None
    rows = await connection.fetch("SELECT version_num FROM alembic_version") if "alembic_version" in tables else []
    if len(rows) != 1 or not {"message", "result"} <= tables:
        raise StoreError(f"{server} is not a labmw store; set store.url to the store, or to a database without tables")
    return str(rows[0][0])
