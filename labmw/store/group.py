"""How is work written to a database? One thread takes what is queued, has it committed as one group, and only then tells who waits."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from sqlalchemy.sql.base import Executable

from labmw.errors import StoreError
from labmw.store.together import together
from labmw.store.transaction import Commit, Step, Transaction, Values

Outcome: TypeAlias = tuple["asyncio.Future[Any]", Any, Exception | None]


@dataclass(slots=True, eq=False)
class Job:
    """What waits for its turn: a script, and who waits for it. Rows for one insert are a job that can travel with its like.

    With `make`, the script is made when it is played, again if need be, and may be played side by side with others' (decision 0070): `about` names
    all that it reads of what such a script writes, or writes itself.
    """

    future: asyncio.Future[Any]
    script: Transaction[Any] | None
    statement: Executable | None = None
    rows: Sequence[Values] = ()
    make: Callable[[], Transaction[Any]] | None = None
    about: frozenset[str] = frozenset()

    def begin(self) -> Transaction[Any] | None:
        """The script to be played now; None where there are rows instead."""
        return self.make() if self.make is not None else self.script


def apart(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """The jobs in their order, cut into runs: rows for one insert, scripts that concern different things, or one job alone."""
    run: list[Job] = []
    about: set[str] = set()
    for job in jobs:
        if run and not (
            (job.make is not None and run[0].make is not None and about.isdisjoint(job.about))
            or (job.statement is not None and job.statement is run[0].statement)
        ):
            yield run
            run, about = [], set()
        run.append(job)
        about |= job.about
    if run:
        yield run


def as_one(jobs: Sequence[Job]) -> Transaction[list[Any]]:
    """The script that does what all of a run are to do; returns what each of them returns."""
    if jobs[0].statement is not None:
        yield Step(jobs[0].statement, [row for job in jobs for row in job.rows])
        return [None] * len(jobs)
    return (yield from together([job.make() for job in jobs if job.make is not None]))


class GroupThread:
    """The writing thread of one store, whichever database is behind it; `commit` and `close` are the database's own."""

    def __init__(
        self, *, group: int, loop: asyncio.AbstractEventLoop, on_commit: Callable[[Commit], None] | None
    ) -> None:
        self._group, self._loop, self._on_commit = group, loop, on_commit
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="labmw-store-writer", daemon=True)
        self.taken = 0  # jobs taken from the queue so far; written by the thread alone, read by the loop

    def start(self) -> None:
        """Start the thread; the database is opened with the first group."""
        self._thread.start()

    def put(self, job: Job | None) -> None:
        """Queue a job; None ends the thread after everything queued before it."""
        self._queue.put(job)

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    # Everything below runs in the thread, `_resolve` excepted.

    def commit(self, jobs: list[Job], began: float) -> None:
        """Play the jobs, each for itself, make them durable, then tell who waits; raises what spoils the whole group."""
        raise AssertionError("a database's own writer does this")

    def close(self) -> None:
        """Let go of the database; the next group opens it afresh."""
        raise AssertionError("a database's own writer does this")

    def explain(self, error: Exception) -> StoreError:
        """The sentence for what spoiled a group."""
        raise AssertionError("a database's own writer does this")

    def _run(self) -> None:
        while True:
            jobs, last = self._take()
            self.taken += len(jobs)
            # Whoever has gone (timeout, cancelled) before the work began was told "refused": it is not begun.
            if waiting := [job for job in jobs if not job.future.done()]:
                self._write(waiting)
            if last:
                self.close()
                return

    def _take(self) -> tuple[list[Job], bool]:
        jobs: list[Job] = []
        job = self._queue.get()
        with contextlib.suppress(Empty):
            while job is not None:
                jobs.append(job)
                if len(jobs) >= self._group:
                    break
                job = self._queue.get_nowait()
        return jobs, job is None

    def _write(self, jobs: list[Job]) -> None:
        began = time.perf_counter()
        try:
            self.commit(jobs, began)
        except BaseException as error:  # the thread must live: every analyzer depends on it
            # After a failed flush the pages in memory cannot be trusted: the next group opens the database afresh.
            self.close()
            for job in jobs:
                if job.script is not None:
                    with contextlib.suppress(Exception):
                        job.script.close()
            self.tell([(job.future, None, self._sentence(error)) for job in jobs], began)

    def _sentence(self, error: BaseException) -> StoreError:
        problem = self.explain(error if isinstance(error, Exception) else RuntimeError(repr(error)))
        problem.__cause__ = error
        return problem

    def tell(self, outcomes: list[Outcome], began: float) -> None:
        """Hand the outcomes to the event loop: one crossing per commit."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._resolve, outcomes, time.perf_counter() - began)

    def _resolve(self, outcomes: list[Outcome], seconds: float) -> None:
        failed = 0
        for future, value, error in outcomes:
            failed += error is not None
            if future.done():  # gave up waiting; what was committed stays committed
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        if self._on_commit is not None:
            self._on_commit(Commit(len(outcomes) - failed, failed, seconds))
