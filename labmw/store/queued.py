"""A store as the event loop sees it, whichever database is behind it: submit, wait for the disk, read beside the writer."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.sql.base import Executable

from labmw.errors import StoreBusy, StoreError
from labmw.store.encryption.passage import Passage
from labmw.store.group import GroupThread, Job
from labmw.store.transaction import NONE, Reader, Row, Step, T, Transaction, Values


class QueuedStore:
    """A `Store` (labmw.store.transaction) behind one writing thread. All methods are called from one event loop.

    `place` is what the store is called in a sentence, `limit` how many transactions may wait, `passage` how bytes go in and out (None: as they lie).
    """

    def __init__(self, place: str, *, limit: int, passage: Passage | None) -> None:
        self._place, self._limit = place, limit
        self._passage = passage
        self._stocking: asyncio.Future[Any] | None = None  # keys that are being made in advance
        self._writer: GroupThread | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._reader: Reader | None = None
        self._sent = 0
        self._pressing = 0  # transactions of lines whose sender waits
        self._pressed_at = -math.inf  # when the last of them was told

    def require(self) -> None:
        """Raise StoreError, with the remedy, when the store is missing or of another revision."""
        raise AssertionError("a database's own store does this")

    def make_writer(self, loop: asyncio.AbstractEventLoop) -> GroupThread:
        """A writing thread, not yet started."""
        raise AssertionError("a database's own store does this")

    def make_reader(self) -> Reader:
        """What reads beside the writer; called in the thread that uses it."""
        raise AssertionError("a database's own store does this")

    async def start(self) -> None:
        """Open; raises StoreError when the store is missing, of another revision, or cannot be written."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self.require)
        self._writer = self.make_writer(self._loop)
        self._sent = 0
        self._writer.start()
        self._readers = ThreadPoolExecutor(1, "labmw-store-reader")
        try:
            if self._passage is None:
                await self.run(_nothing())
            else:
                self._passage.stocked(await self.run(self._passage.begin()))
        except StoreError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Commit what is queued, then close; what comes later is refused."""
        if self._stocking is not None:
            await asyncio.wait([self._stocking])
        if self._passage is not None and self._passage.stock and self._writer is not None:
            with contextlib.suppress(StoreError):  # unused keys that stay cost some bytes and say nothing
                await self.run(self._passage.end())
        writer, self._writer = self._writer, None
        readers, self._readers = self._readers, None
        if readers is not None:
            await self._loop.run_in_executor(readers, self._close_reader)
            readers.shutdown(wait=False)
        if writer is not None:
            writer.put(None)
            await asyncio.to_thread(writer.join)

    @property
    def waiting(self) -> int:
        """How many transactions wait for their turn."""
        return self._sent - self._writer.taken if self._writer is not None else 0

    def calm(self) -> float:
        """For how many seconds no sender has waited for a commit (`run_beside`); 0 while one does."""
        return 0.0 if self._pressing else self._loop.time() - self._pressed_at

    def submit(self, transaction: Transaction[T]) -> asyncio.Future[T]:
        """Queue a transaction; the future has its return value once it is on disk. Raises StoreBusy when the queue is full."""
        passage = self._passage
        future: asyncio.Future[T] = self._put(transaction if passage is None else passage.around(transaction), None, ())
        if passage is not None and passage.low and self._stocking is None:
            self._stock(passage)
        return future

    def submit_beside(self, make: Callable[[], Transaction[T]], about: frozenset[str]) -> asyncio.Future[T]:
        """Queue a transaction that may be played side by side with others; raises StoreBusy when the queue is full."""
        passage = self._passage
        play = make if passage is None else lambda: passage.around(make())
        future: asyncio.Future[T] = self._put(None, None, (), play, about)
        if passage is not None and passage.low and self._stocking is None:
            self._stock(passage)
        return future

    def submit_rows(self, statement: Executable, rows: Sequence[Values]) -> asyncio.Future[None]:
        """Queue rows for one insert; all of them or none. Raises StoreBusy when the queue is full."""
        if self._passage is not None:
            kept = self._passage.rows(statement, rows)
            if kept is None:
                return self.submit(_inserted(statement, rows))
            rows = kept
        future: asyncio.Future[None] = self._put(None, statement, rows)
        return future

    # `timeout` is a bound on waiting, not on the work, which nobody may cancel half-way: hence not asyncio.timeout.

    async def run(self, transaction: Transaction[T], timeout: float | None = None) -> T:  # noqa: ASYNC109
        """Run a transaction and wait for the disk.

        StoreBusy after `timeout` seconds: if it had begun by then and still commits, that is not undone (law 3).
        """
        return await self._wait(self.submit(transaction), timeout)

    async def run_beside(
        self,
        make: Callable[[], Transaction[T]],
        about: frozenset[str],
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> T:
        """Run a transaction, side by side with others, and wait for the disk; StoreBusy after `timeout` seconds, as for `run`."""
        self._pressing += 1
        try:
            return await self._wait(self.submit_beside(make, about), timeout)
        finally:
            self._pressing -= 1
            self._pressed_at = self._loop.time()

    async def run_rows(
        self,
        statement: Executable,
        rows: Sequence[Values],
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> None:
        """Insert rows and wait for the disk; StoreBusy after `timeout` seconds, as for `run`."""
        await self._wait(self.submit_rows(statement, rows), timeout)

    async def read(self, statement: Executable, parameters: Values = NONE) -> list[Row]:
        """Ask one question, in the reader's thread; sees every commit that was told before."""
        return await self._read(lambda reader: reader.read(statement, parameters))

    async def view(self, transaction: Transaction[T]) -> T:
        """Ask several questions of one and the same moment, in the reader's thread."""
        return await self._read(lambda reader: reader.view(transaction))

    def _put(
        self,
        script: Transaction[Any] | None,
        statement: Executable | None,
        rows: Sequence[Values],
        make: Callable[[], Transaction[Any]] | None = None,
        about: frozenset[str] = frozenset(),
    ) -> Any:
        writer = self._writer
        if writer is None:
            raise StoreError(f"the store {self._place} is not open; start it before it is used")
        if self._sent - writer.taken >= self._limit:
            raise StoreBusy(
                f"{self._limit} transactions already wait for the disk of {self._place}; "
                "senders are refused and keep their data until it catches up: look at the disk"
            )
        future: asyncio.Future[Any] = self._loop.create_future()
        self._sent += 1
        writer.put(Job(future, script, statement, rows, make, about))
        return future

    def _stock(self, passage: Passage) -> None:
        """Have keys made for the messages to come; where that fails, each makes its own."""

        def done(future: asyncio.Future[Any]) -> None:
            self._stocking = None
            if not future.cancelled() and future.exception() is None:
                passage.stocked(future.result())

        try:
            self._stocking = self._put(passage.more(), None, ())
        except StoreError:
            return
        self._stocking.add_done_callback(done)

    async def _wait(self, future: asyncio.Future[T], timeout: float | None) -> T:  # noqa: ASYNC109
        if timeout is None:
            return await future
        alarm = self._loop.call_later(timeout, _give_up, future, timeout)
        try:
            return await future
        finally:
            alarm.cancel()

    async def _read(self, question: Callable[[Reader], T]) -> T:
        if self._readers is None:
            raise StoreError(f"the store {self._place} is not open; start it before it is used")
        return await self._loop.run_in_executor(self._readers, self._ask, question)

    def _ask(self, question: Callable[[Reader], T]) -> T:
        if self._reader is None:
            self._reader = self.make_reader()
        return question(self._reader)

    def _close_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


def _give_up(future: asyncio.Future[Any], timeout: float) -> None:
    if not future.done():
        future.set_exception(
            StoreBusy(
                f"the store did not commit within {timeout:g} s; the sender is refused and sends again: look at the disk"
            )
        )


def _inserted(statement: Executable, rows: Sequence[Values]) -> Transaction[None]:
    yield Step(statement, rows)


def _nothing() -> Transaction[None]:
    """A transaction without a step: opening the database for it shows whether it can be written."""
    return
    yield
