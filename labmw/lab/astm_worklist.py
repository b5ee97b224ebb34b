"""What is an ASTM analyzer to be told now? Its queries, what it is owed unasked, and what it has taken: every step committed before it counts."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from labmw.clock import Clock, read_stamp, stamp
from labmw.driver.asking import What
from labmw.lab.host_query import Answering, Question, failed, interrupted, question_of, taken
from labmw.lab.unasked import write_unasked
from labmw.lab.work_link import AstmLink
from labmw.line.host_query import Dispatch
from labmw.line.speaking import UNHEARD
from labmw.metrics import AWOS, QUERIES
from labmw.store.statements import host_query as stored
from labmw.store.transaction import Row, Store, ask
from protocols.astm.message import Message
from protocols.errors import RecordError

log = structlog.get_logger("labmw.lab")

AT_ONCE = 50  # queries looked at in one step
LEFT_FOR_ANSWER = 3.0  # seconds of the analyzer's patience that are kept from the LIS, for the answer itself


@dataclass(slots=True)
class AstmWorklist:
    """Fills `labmw.line.host_query.HostQueries`. `max_age`: seconds since the last order until "no work" is no longer said."""

    site: str
    store: Store
    clock: Clock
    links: Mapping[str, AstmLink]
    max_age: float
    commit_timeout: float = 10.0
    # Asks the LIS about a tube; answers whether it has said that there is nothing.
    inquire: Callable[[str], Awaitable[bool]] | None = None
    _heard: dict[str, Message] = field(default_factory=dict)  # what each analyzer said last, for what it calls itself
    _begun: set[str] = field(default_factory=set)  # lines of which what the last process left was taken up

    async def answers(self, link: str) -> Sequence[Dispatch]:
        """Plan the answers to what was asked, oldest first; one query at a time."""
        of = self.links[link]
        rows = await self._open(of)
        for row in rows:
            question = question_of(row, of)
            if question.sender is not None:
                self._heard[link] = question.sender
            max_age = math.inf if await self._lis_has_nothing(of, question) else self.max_age
            tally: Counter[str] = Counter()
            step = Answering(self.site, of, question, self.clock.now(), max_age, tally)
            dispatches: Sequence[Dispatch] = await self.store.run(step.script(), timeout=self.commit_timeout)
            for said, count in tally.items():
                QUERIES.labels(link, said).inc(count)
            if dispatches:
                return dispatches
        return ()

    async def overdue(self, link: str) -> float | None:
        """Without a connection: close the queries that the analyzer no longer waits for; seconds until the next of them is so, None for none."""
        of = self.links[link]
        left: list[float] = []
        for row in await self._open(of):
            rest = of.dialect.patience - (self.clock.now() - read_stamp(row.asked_at)).total_seconds()
            if rest > 0:
                left.append(rest)
                continue
            step = Answering(self.site, of, question_of(row, of), self.clock.now(), self.max_age, Counter())
            await self.store.run(step.script(), timeout=self.commit_timeout)
        return min(left, default=None)

    async def due(self, link: str) -> Sequence[Dispatch]:
        """What the analyzer is owed unasked: first what it was sent and has not taken, the very bytes."""
        of = self.links[link]
        heard = await self._last_heard(of)
        script = write_unasked(self.site, of, heard, self.clock.now())
        return await self.store.run(script, timeout=self.commit_timeout)

    async def taken(self, link: str, control_id: str) -> None:
        """Note that every frame of a message was acknowledged."""
        tally: Counter[str] = Counter()
        script = taken(self.site, control_id, stamp(self.clock.now()), tally)
        await self.store.run(script, timeout=self.commit_timeout)
        for state, count in tally.items():
            AWOS.labels(link, state).inc(count)

    async def failed(self, link: str, control_id: str, reason: str) -> None:
        """Note that a message was not acknowledged whole."""
        at, unheard = stamp(self.clock.now()), reason in UNHEARD
        script = failed(self.site, self.links[link], control_id, reason, at, unheard=unheard)
        await self.store.run(script, timeout=self.commit_timeout)

    async def _open(self, link: AstmLink) -> list[Row]:
        """The queries that wait for an answer. One whose answer was on its way is over: whoever sent it has died."""
        rows = await self.store.view(ask(stored.queries_open(self.site, link.name, most=AT_ONCE)))
        if link.name not in self._begun or any(row.state == "answering" for row in rows):
            script = interrupted(self.site, link, stamp(self.clock.now()))
            count = await self.store.run(script, timeout=self.commit_timeout)
            self._begun.add(link.name)
            if count:
                log.warning("answers to queries were interrupted; their tubes are listed", link=link.name, count=count)
        return [row for row in rows if row.state == "open"]

    async def _lis_has_nothing(self, link: AstmLink, question: Question) -> bool:
        """Whether the LIS, asked about every tube within the analyzer's patience, has said of each that there is nothing."""
        asked = question.asked
        if self.inquire is None or asked is None or asked.what is not What.TUBES:
            return False
        waited = (self.clock.now() - question.asked_at).total_seconds()
        patience = link.dialect.patience - LEFT_FOR_ANSWER - waited
        if patience <= 0:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                return all(await asyncio.gather(*(self.inquire(tube) for tube in question.tubes)))
        return False

    async def _last_heard(self, link: AstmLink) -> Message | None:
        if link.name not in self._heard:
            for row in await self.store.view(ask(stored.last_said(self.site, link.name))):
                with contextlib.suppress(RecordError, ValueError):
                    self._heard[link.name] = Message.parse(bytes(row.raw), link.encoding, tolerances=link.tolerances)[0]
        return self._heard.get(link.name)
