"""What becomes of results that were there before their order? When it comes, they are placed again and go the way of any result.

The analyzer was quicker than the LIS, or a test was added to a tube that had been measured. The row that starts this is in the transaction
that keeps the order (law 7). Only what lies in quarantine for want of that order is looked at, with the times at which it came: a result
from before the tube's window, or for somebody else, stays where it is.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from labmw.clock import Clock, stamp
from labmw.driver.reading import Reading
from labmw.errors import StoreError
from labmw.lab.raising import Specimens
from labmw.lab.replay import Replayed, received_again, replay
from labmw.line.gathering import Gatherer
from labmw.line.received import Received
from labmw.store import schema, statements
from labmw.store.statements import quarantine as stored
from labmw.store.transaction import Row, Store, Transaction, ask
from rules.pack import Packs

log = structlog.get_logger("labmw.lab")

AWAITED = "awaited"
"""The kind of the `work` row."""
BY = "labmw"
WHY = "its order has come"
BATCH = 20
ATTEMPTS = 5  # then it stays in quarantine, where a person finds it


def call_up(site: str, specimens: Iterable[str], at: str) -> Transaction[int]:
    """Have what waits for an order on these tubes placed again; part of the transaction that keeps the orders."""
    found = 0
    for specimen in dict.fromkeys(specimens):
        for row in (yield stored.messages_without_order(site, specimen, AWAITED)):
            yield statements.insert(schema.work, site=site, kind=AWAITED, message=row.message, due_at=at, created_at=at)
            found += 1
    return found


@dataclass(slots=True)
class Awaited:
    """Takes such work rows until it is cancelled."""

    site: str
    store: Store
    clock: Clock
    read: Callable[[Received], Reading]
    gathering: Callable[[str], Gatherer]
    encoding: Callable[[str], str]
    packs: Callable[[], Packs]
    wake: Callable[[], None]  # verification has something to do
    clock_tolerance: Callable[[str], float] = lambda link: 0.0
    specimens: Specimens = lambda link, driver, code: frozenset()
    signal: asyncio.Event = field(default_factory=asyncio.Event)
    rest: float = 5.0  # seconds between looks when nobody wakes us: orders can be typed beside a running daemon
    lease: float = 60.0
    who: str = field(default_factory=lambda: f"pid {os.getpid()}, orders")

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self.signal.clear()
            try:
                done = await self.step()
            except StoreError as error:
                log.error("what waits for its order waits for the store", why=str(error))
                done = 0
            if done:
                continue
            try:
                async with asyncio.timeout(self.rest):
                    await self.signal.wait()
            except TimeoutError:
                pass

    async def step(self) -> int:
        """Do what is due, in the order in which the messages came; return how many were looked at."""
        now = self.clock.now()
        until = stamp(now + timedelta(seconds=self.lease))
        due = await self.store.run(self._claim(stamp(now), until))
        for row in sorted(due, key=lambda row: int(row.message)):
            try:
                placed = await self._one(row)
            except StoreError:
                raise
            except Exception as error:  # it stays in quarantine, which is safe, and the others go on
                log.exception("a message cannot be placed again", message=row.message, why=str(error))
                await self.store.run(self._later(row))
                continue
            if placed.left:
                log.info("results placed: their order has come", message=row.message, results=placed.left)
                self.wake()
        return len(due)

    def _claim(self, now: str, until: str) -> Transaction[list[Row]]:
        return (yield statements.claim_work(self.site, limit=BATCH, now=now, until=until, who=self.who, kind=AWAITED))

    async def _one(self, row: Row) -> Replayed:
        found = await self.store.view(ask(stored.message_numbered(self.site, row.message)))
        again = None
        if found:
            again = await self.store.view(received_again(self.site, found[0], self.gathering, self.encoding))
        reading = None if again is None else await asyncio.to_thread(self.read, again)
        return await self.store.run(self._placed(row, again, reading))

    def _placed(self, row: Row, again: Received | None, reading: Reading | None) -> Transaction[Replayed]:
        """Place one message's results and finish the work, in ONE transaction."""
        placed = Replayed(row.message)
        if again is not None and reading is not None:
            at = stamp(self.clock.now())
            placed = yield from replay(
                self.site, row.message, again, reading, packs=self.packs(), at=at, by=BY, why=WHY,
                tolerance=self.clock_tolerance(again.link), specimens=self.specimens,
            )  # fmt: skip
        yield statements.finish_work(row.id)
        return placed

    def _later(self, row: Row) -> Transaction[None]:
        if row.attempts >= ATTEMPTS:
            yield statements.finish_work(row.id)
            return
        due = self.clock.now() + timedelta(seconds=2.0**row.attempts)
        yield statements.postpone_work(row.id, who=self.who, due=stamp(due))
