"""Which work has this analyzer? Orders become AWOS, AWOS become messages, and what the analyzer says of them is kept (house §4).

Everything is on the disk before anything is said: an AWOS, and the very bytes that speak of it, are committed, then sent; "accepted" is
written when the analyzer has said so. "No work" is said only while the order feed is fresh: otherwise the tube goes on the list of those to
be presented again, and the analyzer is told that its query cannot be served now.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog

from labmw.clock import Clock, read_stamp, stamp
from labmw.errors import StoreError
from labmw.lab.fitness import QC_OUT, Fitness, fitness_of_all
from labmw.lab.law_messages import count_send, keep_unanswerable, mark_unanswered, spelled, waiting, write_due
from labmw.lab.law_orders import LawLink
from labmw.lab.law_query import QueryAnswering
from labmw.lab.law_reply import keep_reply
from labmw.lab.planning import back_again, plan_changes
from labmw.lab.unread import is_the_message
from labmw.lab.work_link import WorkLink
from labmw.line.orders import Answer, Broadcast
from labmw.line.received import Received, Stored
from labmw.metrics import AWOS, MESSAGES, QUERIES
from labmw.store.statements import worklist as stored
from labmw.store.transaction import Store, ask
from protocols.hl7.law_values import Query, WorkReply
from protocols.hl7.report import Header

log = structlog.get_logger("labmw.lab")

MOST_ORDERS = 2000  # looked at in one step
Place = tuple[str, int]  # in the order feed: a moment, and the row after which it goes on within it
SETTLES = timedelta(minutes=1)  # after which nothing older comes to the disk
OPEN_WITHIN = timedelta(days=30)  # an open order that is older is no longer waited for
LOOK_BACK = timedelta(hours=24)  # orders changed before that were looked at by an earlier process


@dataclass(slots=True)
class LaboratoryWorklist:
    """Fills `labmw.line.orders.Worklist`. `max_age`: seconds since the last message of the order feed until "no work" is no longer said."""

    site: str
    store: Store
    clock: Clock
    links: Mapping[str, LawLink]
    max_age: float
    commit_timeout: float = 10.0
    rest: float = 1.0  # seconds between looks for new orders when nobody wakes us
    others: Sequence[WorkLink] = ()  # analyzers that are told in another way; they are woken too
    signal: asyncio.Event = field(default_factory=asyncio.Event)  # set by whoever has taken in orders
    wake: Callable[[str], None] = lambda link: None  # the line of this name is owed something
    # Asks the LIS about a tube; answers whether it has said that there is nothing.
    inquire: Callable[[str], Awaitable[bool]] | None = None
    _fit: Fitness | None = None  # how quality control stood when orders were last looked at for it
    _behind: bool = False  # more orders have changed than one step looks at
    _heard: dict[str, Header] = field(default_factory=dict)  # what each analyzer calls itself and us

    # --- what the lines ask -----------------------------------------------------------------------------------------------

    async def query(self, received: Received, query: Query) -> Answer:
        """Keep a query, plan the work it asks for, and say what is to be said."""
        link = self.links[received.link]
        now = self.clock.now()
        tally: Counter[str] = Counter()
        max_age = self.max_age
        if (
            self.inquire is not None
            and query.container
            and query.problem is None
            and await self.inquire(query.container)
        ):
            max_age = math.inf  # the LIS itself has just said that there is no work
        received = replace(received, control_id=spelled(received.control_id))
        step = QueryAnswering(self.site, link, received, query, now, max_age, tally)
        try:
            answer: Answer = await self.store.run(step.script(), timeout=self.commit_timeout)
            self._heard[link.name] = query.header  # names that can be sent back
        except Exception as error:
            if not is_the_message(error):
                raise
            log.warning("a query cannot be answered in its own form; it is kept whole", link=link.name, why=str(error))
            tally = Counter(refused=1)
            script = keep_unanswerable(self.site, received, query.header, str(error), stamp(now))
            answer = await self.store.run(script, timeout=self.commit_timeout)
        if not answer.stored.repeat:
            MESSAGES.labels(link.name, answer.stored.disposition).inc()
            for said, count in tally.items():
                QUERIES.labels(link.name, said).inc(count)
        return answer

    async def reply(self, received: Received, reply: WorkReply) -> Stored:
        """Keep the analyzer's reply to a message of ours, and what it settles."""
        link = self.links[received.link]
        tally: Counter[str] = Counter()
        now = stamp(self.clock.now())
        kept: Stored = await self.store.run(
            keep_reply(self.site, link, received, reply, now, tally), timeout=self.commit_timeout
        )
        MESSAGES.labels(link.name, kept.disposition).inc()
        for state, count in tally.items():
            AWOS.labels(link.name, state).inc(count)
        if kept.reason:
            log.warning("a reply answers nothing that was sent", link=link.name, control_id=reply.control_id)
        return kept

    async def due(self, link: str, most: int) -> Sequence[Broadcast]:
        """Write the messages for what an analyzer is still to be told: so many at most."""
        script = write_due(self.site, self.links[link], self._heard.get(link), self.clock.now(), most)
        return await self.store.run(script, timeout=self.commit_timeout)

    async def waiting(self, link: str) -> Sequence[Broadcast]:
        """The messages that an analyzer was sent, or was about to be, and has not answered."""
        return await self.store.run(waiting(self.site, link), timeout=self.commit_timeout)

    async def sending_again(self, link: str, control_id: str) -> None:
        """Note that a message is about to be sent once more: a refusal may then mean that an earlier one arrived."""
        at = stamp(self.clock.now())
        await self.store.run(count_send(self.site, control_id, at), timeout=self.commit_timeout)

    async def unanswered(self, link: str, control_id: str) -> None:
        """Note that the analyzer has not answered, however often it was asked; it is owed all the same."""
        at = stamp(self.clock.now())
        await self.store.run(mark_unanswered(self.site, control_id, at), timeout=self.commit_timeout)

    # --- what orders ask --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look for new, changed and cancelled orders until cancelled, and wake the lines that are owed something."""
        since: Place = (stamp(self.clock.now() - LOOK_BACK), 0)
        while True:
            self.signal.clear()
            try:
                since = await self.step(since)
            except StoreError as error:
                self._behind = False
                log.error("new orders wait for the store", why=str(error))
            except Exception as error:  # the lines must not die of what happens here
                self._behind = False
                log.exception("new orders could not be looked at; it is tried again", why=str(error))
            if (
                self._behind
            ):  # a feed that was loaded at once: no rest before the last of it, but let queries in between
                await asyncio.sleep(0)
                continue
            try:
                async with asyncio.timeout(self.rest):
                    await self.signal.wait()
            except TimeoutError:
                pass

    async def step(self, since: Place) -> Place:
        """Plan what has changed since a place in the feed, wake the lines that are owed something; return the place to go on from."""
        self._behind = False
        rows = await self.store.view(ask(stored.orders_since(self.site, *since, most=MOST_ORDERS)))
        self._behind = len(rows) == MOST_ORDERS
        if rows:
            links = (*self.links.values(), *self.others)
            await self.store.run(plan_changes(self.site, links, rows, stamp(self.clock.now())))
            since = (rows[-1].updated_at, rows[-1].id) if self._behind else (self._settled(rows[-1].updated_at), 0)
        await self._by_quality()
        for name in (*self.links, *(one.name for one in self.others)):
            if await self.store.view(ask(stored.awos_wanted(self.site, name, most=1))):
                self.wake(name)
        return since

    async def _by_quality(self) -> None:
        """A control has failed, or passes again: the open orders of its test are planned anew (also those that an earlier process left)."""
        links = (*self.links.values(), *self.others)
        if not links:
            return
        now = self.clock.now()
        fit = await self.store.view(fitness_of_all(self.site, now, links[0].routing.compared))
        before, tests = self._fit, fit.changed(self._fit or Fitness())
        if before is None:
            tests |= {row.loinc for row in await self.store.view(ask(stored.tests_taken_back(self.site, QC_OUT)))}
        after = 0
        while tests:
            since = stamp(now - OPEN_WITHIN)
            rows = await self.store.view(
                ask(stored.open_of_tests(self.site, sorted(tests), since=since, after=after, most=MOST_ORDERS))
            )
            await self.store.run(plan_changes(self.site, links, rows, stamp(now)))
            await self.store.run(back_again(self.site, links, rows, stamp(now)))
            if len(rows) < MOST_ORDERS:
                break
            after = rows[-1].id
        self._fit = fit

    def _settled(self, last: str) -> str:
        """From where the feed is looked at next: an order may come to the disk after one that was made later, as long as a commit may take."""
        moment = read_stamp(last)
        if self.clock.now() - moment > SETTLES:
            return last
        return stamp(moment - timedelta(seconds=self.commit_timeout))
