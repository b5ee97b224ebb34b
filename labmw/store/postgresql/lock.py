"""Who serves this database? One labmw at a time: an advisory lock, which the server drops when its holder's connection ends."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any, Final

import asyncpg

from labmw.errors import StoreError
from labmw.store.address import Server
from labmw.store.postgresql.connection import connect
from labmw.store.postgresql.failure import TROUBLES, explain

_LABMW: Final = 0x6C61626D  # "labm": advisory locks are numbers, shared by everything that uses the database
SERVES: Final = (_LABMW, 1)
"""Held by the process that serves, with the connection it writes with."""
WRITES: Final = (_LABMW, 2)
"""Held by whoever writes, for one transaction."""

_HOLDER: Final = """
SELECT activity.application_name FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
WHERE held.locktype = 'advisory' AND held.granted AND held.classid = $1::BIGINT::OID AND held.objid = $2::BIGINT::OID
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def take(connection: asyncpg.Connection[Any], lock: tuple[int, int]) -> bool:
    """Take a lock for as long as the connection lasts; False when somebody else has it."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", *lock))


async def holder(server: Server) -> int | None:
    """The process that serves this database (0 when it is not told, as by another host's), or None; raises StoreError."""
    try:
        connection = await connect(server, patience=10.0)
        try:
            name = await connection.fetchval(_HOLDER, *SERVES)
        finally:
            await connection.close()
    except TROUBLES as error:
        raise explain(error, str(server)) from error
    return None if name is None else _process(name)


async def wait_until_free(server: Server, patience: float) -> None:
    """Wait for what a labmw that was killed has left to finish; raises StoreError when another one serves for longer."""
    began = time.monotonic()
    while (process := await holder(server)) is not None:
        if time.monotonic() - began > patience:
            named = f" (process {process})" if process else ""
            raise StoreError(
                f"another labmw{named} already serves the store {server}; stop it first, or give this one a store.url of its own"
            )
        await asyncio.sleep(0.1)


def _process(name: str) -> int:
    match = re.match(r"labmw (\d+)@", name)
    return int(match[1]) if match else 0
