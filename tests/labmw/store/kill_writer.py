"""A process to be killed: twenty producers write rows; each prints a row's name once the store says that it is on the disk.

    python kill_writer.py URL commit-first|tell-first

`tell-first` is the variant that breaks the law: it tells who waits, lets them speak, and commits afterwards.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
from typing import Any

import asyncpg

from labmw.store import SqliteStore, Step, Transaction, is_postgresql
from labmw.store.group import Outcome
from labmw.store.postgresql import writer as postgresql
from labmw.store.postgresql.store import PostgresqlStore
from labmw.store.queued import QueuedStore
from labmw.store.statements import INSERT_JOURNAL
from labmw.store.transaction import Values
from labmw.store.writer import Writer


class TellFirst(Writer):
    """Acknowledges, then commits."""

    def settle(self, connection: sqlite3.Connection, outcomes: list[Outcome], began: float) -> None:
        self.tell(outcomes, began)
        spoken = threading.Event()
        # Two turns of the loop: the first wakes who waits, in the second they have spoken.
        self._loop.call_soon_threadsafe(self._loop.call_soon, self._loop.call_soon, spoken.set)
        spoken.wait(10)
        connection.execute("COMMIT")


class TellFirstStore(SqliteStore):
    """A store with that writer."""

    writer = TellFirst


class TellFirstOfPostgresql(postgresql.Writer):
    """The same for the other database."""

    async def settle(self, connection: asyncpg.Connection[Any], outcomes: list[Outcome], began: float) -> None:
        self.tell(outcomes, began)
        spoken = threading.Event()
        self._loop.call_soon_threadsafe(self._loop.call_soon, self._loop.call_soon, spoken.set)
        spoken.wait(10)
        await connection.execute("COMMIT")


class TellFirstPostgresqlStore(PostgresqlStore):
    """A store with that writer."""

    writer = TellFirstOfPostgresql


def store_of(url: str, order: str) -> QueuedStore:
    if order == "tell-first":
        return TellFirstPostgresqlStore(url, serves=True) if is_postgresql(url) else TellFirstStore(url)
    return PostgresqlStore(url, serves=True) if is_postgresql(url) else SqliteStore(url)


def row(name: str) -> Values:
    return {"site": "s", "link": "l", "at": "t", "direction": ">", "data": name.encode()}


def two_steps(name: str) -> Transaction[None]:
    yield Step(INSERT_JOURNAL, row(f"{name}/1"))
    yield Step(INSERT_JOURNAL, row(f"{name}/2"))


async def produce(store: QueuedStore, producer: int) -> None:
    number = 0
    while True:
        name = f"{producer}.{number}"
        if producer % 2:
            await store.submit_rows(INSERT_JOURNAL, [row(name)])
            os.write(1, f"{name}\n".encode())
        else:
            await store.run(two_steps(name), timeout=10)
            os.write(1, f"{name}/1\n{name}/2\n".encode())
        number += 1


async def main(url: str, order: str) -> None:
    store = store_of(url, order)
    await store.start()
    await asyncio.gather(*[produce(store, producer) for producer in range(20)])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
