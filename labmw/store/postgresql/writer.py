"""Who writes to PostgreSQL? One thread with one connection, and each job of a group in a savepoint of its own, as in SQLite."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

import asyncpg

from labmw.errors import StoreBusy, StoreError
from labmw.store.address import Server
from labmw.store.failure import UNFIT
from labmw.store.group import GroupThread, Job, Outcome, apart, as_one
from labmw.store.postgresql.connection import compiler, connect, execute, refuse_unsafe
from labmw.store.postgresql.failure import TROUBLES, explain, is_storage
from labmw.store.postgresql.lock import SERVES, WRITES, take
from labmw.store.transaction import Commit, Row, Step, Transaction

PATIENCE: Final = 30.0
"""Seconds for one statement; a server that is silent for longer is given up, and asked again with the next group."""

# One crossing where three would do. The lock makes writers wait for each other, as SQLite's do: who decides sees what it writes upon.
_BEGIN: Final = f"BEGIN; SELECT pg_advisory_xact_lock({WRITES[0]}, {WRITES[1]}); SAVEPOINT job"
_NEXT: Final = "RELEASE SAVEPOINT job; SAVEPOINT job"
_UNDO: Final = "ROLLBACK TO SAVEPOINT job"


class _Lost(Exception):
    """The server, its disk or the network failed under a group; the error itself is the cause."""


class Writer(GroupThread):
    """The writer thread of one database. With `serves` it holds the store for as long as its connection lasts.

    `settle` is where durability is decided: commit, then tell. A test overrides it to show that the other order loses.
    """

    def __init__(
        self,
        server: Server,
        *,
        group: int,
        busy: float,
        serves: bool,
        loop: asyncio.AbstractEventLoop,
        on_commit: Callable[[Commit], None] | None,
    ) -> None:
        super().__init__(group=group, loop=loop, on_commit=on_commit)
        self._server, self._busy, self._serves = server, busy, serves
        self._compiler = compiler()
        self._own: asyncio.AbstractEventLoop | None = None  # of this thread: asyncpg speaks only inside a loop
        self._connection: asyncpg.Connection[Any] | None = None

    def commit(self, jobs: list[Job], began: float) -> None:
        """Play the jobs in one transaction and settle it; raises when the server, its disk or the network spoils the group."""
        if self._own is None:
            self._own = asyncio.new_event_loop()
        self._own.run_until_complete(self._commit(jobs, began))

    def close(self) -> None:
        """Break the connection: whatever transaction is open on it is undone by the server."""
        connection, self._connection = self._connection, None
        own, self._own = self._own, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.terminate()
        if own is not None:
            with contextlib.suppress(Exception):
                own.run_until_complete(asyncio.sleep(0))  # the transport closes in the loop's next turn
            own.close()

    def explain(self, error: Exception) -> StoreError:
        """The sentence for what spoiled a group."""
        cause = error.__cause__ if isinstance(error, _Lost) else error
        return explain(cause if isinstance(cause, Exception) else error, str(self._server))

    async def settle(self, connection: asyncpg.Connection[Any], outcomes: list[Outcome], began: float) -> None:
        """Make the group durable, then tell who waits: in this order (law 3)."""
        await connection.execute("COMMIT")
        self.tell(outcomes, began)

    async def _commit(self, jobs: list[Job], began: float) -> None:
        connection = await self._open()
        outcomes: list[Outcome] = []
        opening = _BEGIN
        for run in apart(jobs):
            if len(run) > 1:
                await connection.execute(opening)
                opening = _NEXT
                if done := await self._together(connection, run):
                    outcomes += done
                    continue
            for job in run:
                await connection.execute(opening)
                opening = _NEXT
                outcomes.append(await self._alone(connection, job))
        await self.settle(connection, outcomes, began)

    async def _together(self, connection: asyncpg.Connection[Any], jobs: list[Job]) -> list[Outcome] | None:
        """Play several jobs as one; None, and nothing changed, when one of them spoils it."""
        try:
            values = await self._play(connection, as_one(jobs))
        except _Lost:
            raise
        except Exception:  # whose it is shows when each is played for itself
            await connection.execute(_UNDO)
            return None
        return [(job.future, value, None) for job, value in zip(jobs, values, strict=True)]

    async def _alone(self, connection: asyncpg.Connection[Any], job: Job) -> Outcome:
        """One job in a savepoint of its own: when it fails, the others stay."""
        value = None
        try:
            if (script := job.begin()) is not None:
                value = await self._play(connection, script)
            elif job.statement is not None:
                await self._answer(connection, Step(job.statement, job.rows))
        except _Lost:
            raise
        except Exception as error:
            await connection.execute(_UNDO)
            return job.future, None, error
        return job.future, value, None

    async def _play(self, connection: asyncpg.Connection[Any], script: Transaction[Any]) -> Any:
        try:
            step = next(script)
            while True:
                step = script.send(await self._answer(connection, step))
        except StopIteration as end:
            return end.value
        finally:
            script.close()

    async def _answer(self, connection: asyncpg.Connection[Any], step: Step) -> list[Row]:
        """Run one step; StoreError when only this step is wrong, _Lost when the whole group is."""
        try:
            return await execute(connection, self._compiler, step)
        except TROUBLES as error:
            if is_storage(error) or connection.is_closed():
                raise _Lost(error) from error
            raise explain(error, str(self._server)) from error
        except UNFIT as error:  # a value that no column can hold
            raise explain(error, str(self._server)) from error

    async def _open(self) -> asyncpg.Connection[Any]:
        if self._connection is not None and self._connection.is_closed():
            self._connection = None
        if self._connection is None:
            connection = await connect(self._server, patience=PATIENCE, lock_timeout=f"{self._busy * 1000:.0f}")
            try:
                await refuse_unsafe(connection, str(self._server))
                if await connection.fetchval("SHOW synchronous_commit") == "off":
                    await connection.execute("SET synchronous_commit = on")
                if self._serves:
                    await self._hold(connection)
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        return self._connection

    async def _hold(self, connection: asyncpg.Connection[Any]) -> None:
        """Hold the store with this very connection: whoever loses it can no longer write either."""
        until = time.monotonic() + self._busy
        while not await take(connection, SERVES):
            if time.monotonic() > until:
                raise StoreBusy(
                    f"another labmw already serves {self._server}; stop it first, or give this one a store.url of its own"
                )
            await asyncio.sleep(0.05)
