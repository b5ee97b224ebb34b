"""How is a PostgreSQL database read beside the writer, from the same process or another, and also when nobody writes?"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import asyncpg
from sqlalchemy.sql.base import Executable

from labmw.store.address import server_of
from labmw.store.aside import Aside
from labmw.store.encryption.passage import Passage, shut
from labmw.store.failure import ASKED_AMISS
from labmw.store.postgresql.connection import compiler, connect, execute
from labmw.store.postgresql.failure import TROUBLES, explain
from labmw.store.revision import require
from labmw.store.transaction import NONE, Row, Step, T, Transaction, Values, ask


class PostgresqlReader:
    """A read-only view of one database; a context manager. To be used in one thread at a time."""

    def __init__(self, url: str, *, key_file: Path | None = None, as_it_lies: bool = False) -> None:
        self._server = server_of(url)
        require(url)
        self._aside = Aside("labmw-store-reader")
        self._compiler = compiler()
        self._connection: asyncpg.Connection[Any] | None = None
        self._passage = None if as_it_lies else Passage(key_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*TROUBLES):
                self._aside.ask(connection.close(timeout=2.0))
        self._aside.close()

    def read(self, statement: Executable, parameters: Values = NONE) -> list[Row]:
        """Ask one question; raises StoreError."""
        step = Step(statement, parameters)
        rows = self._ask(lambda connection: execute(connection, self._compiler, step))
        return rows if self._passage is None or not shut(rows) else self.view(ask(step))

    def view(self, script: Transaction[T]) -> T:
        """Ask several questions of one and the same moment; raises StoreError."""
        passing = script if self._passage is None else self._passage.around(script)
        return self._ask(lambda connection: self._play(connection, passing))

    def look(self, make: Callable[[], Transaction[T]]) -> T:
        """The same: a server's store does not come into use under a reader."""
        return self.view(make())

    async def _play(self, connection: asyncpg.Connection[Any], script: Transaction[T]) -> T:
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                try:
                    step = next(script)
                    while True:
                        step = script.send(await execute(connection, self._compiler, step))
                except StopIteration as end:
                    value: T = end.value
                    return value
        finally:
            script.close()

    def _ask(self, question: Callable[[asyncpg.Connection[Any]], Awaitable[T]]) -> T:
        async def ask() -> T:
            connection = await self._open()
            try:
                return await question(connection)
            except TROUBLES as error:
                if not isinstance(error, asyncpg.PostgresError):
                    connection.terminate()
                raise

        try:
            return self._aside.ask(ask())
        except TROUBLES as error:
            raise explain(error, str(self._server)) from error
        except ASKED_AMISS as error:
            raise explain(error, str(self._server)) from error

    async def _open(self) -> asyncpg.Connection[Any]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._server, patience=None, default_transaction_read_only="on")
        return self._connection
