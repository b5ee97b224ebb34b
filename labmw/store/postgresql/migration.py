"""How are Alembic's scripts run on a PostgreSQL database? In one transaction, while nobody else serves or migrates it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from labmw.store.address import Server
from labmw.store.postgresql.connection import connect
from labmw.store.postgresql.failure import TROUBLES, explain
from labmw.store.postgresql.lock import SERVES


async def upgrade(server: Server, scripts: Callable[[Connection], None]) -> None:
    """Run the scripts with a connection of SQLAlchemy's; raises StoreError."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(server, patience=None, lock_timeout="30000"),
        poolclass=NullPool,
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({SERVES[0]}, {SERVES[1]})"))
            await connection.run_sync(scripts)
    except DBAPIError as error:
        cause = error.orig.__cause__ if error.orig is not None else None  # SQLAlchemy wraps asyncpg's own error
        raise explain(cause if isinstance(cause, Exception) else error, str(server)) from error
    except TROUBLES as error:
        raise explain(error, str(server)) from error
    finally:
        await engine.dispose()
