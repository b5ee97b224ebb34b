"""Which work has an HL7 analyzer that asks in a dialect of its own? Fills `labmw.line.hl7_asking.Questions`; every step is committed before it counts."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from labmw.clock import Clock, stamp
from labmw.errors import StoreError
from labmw.lab.hl7_query import Hl7Answering, keep_acknowledgment, take_back
from labmw.lab.law_messages import keep_unanswerable, spelled
from labmw.lab.unread import is_the_message
from labmw.lab.work_link import Hl7Link
from labmw.line.orders import Answer
from labmw.line.received import Received, Stored
from labmw.metrics import AWOS, MESSAGES, QUERIES
from labmw.store.transaction import Store
from protocols.hl7.acknowledgment import read_ack
from protocols.hl7.envelope import read_header
from protocols.hl7.er7 import Message

log = structlog.get_logger("labmw.lab")

TRIED_AGAIN = 5.0  # seconds after the store could not be written


@dataclass(slots=True)
class Hl7Worklist:
    """`max_age`: seconds since the last order until "no work" is no longer said."""

    site: str
    store: Store
    clock: Clock
    links: Mapping[str, Hl7Link]
    max_age: float
    commit_timeout: float = 10.0
    # Asks the LIS about a tube; answers whether it has said that there is nothing.
    inquire: Callable[[str], Awaitable[bool]] | None = None
    signal: asyncio.Event = field(default_factory=asyncio.Event)  # set when something is to be taken back

    async def query(self, received: Received, message: Message) -> Answer:
        """Keep a query, plan the work it asks for, and say what is to be said; raises StoreError when nothing may be."""
        link = self.links[received.link]
        asked = link.dialect.read(message)
        max_age = self.max_age
        if asked.tube and self.inquire is not None and await self.inquire(asked.tube):
            max_age = math.inf  # the LIS itself has just said that there is no work
        tally: Counter[str] = Counter()
        received = replace(received, control_id=spelled(received.control_id))
        now = self.clock.now()
        step = Hl7Answering(self.site, link, received, message, asked, now, max_age, tally)
        try:
            answer: Answer = await self.store.run(step.script(), timeout=self.commit_timeout)
        except Exception as error:
            if not is_the_message(error):
                raise
            log.warning("a query cannot be answered in its own form; it is kept whole", link=link.name, why=str(error))
            tally = Counter(refused=1)
            header = read_header(message.header)
            script = keep_unanswerable(self.site, received, header, str(error), stamp(now))
            answer = await self.store.run(script, timeout=self.commit_timeout)
        if not answer.stored.repeat:
            MESSAGES.labels(link.name, answer.stored.disposition).inc()
            for said, count in tally.items():
                QUERIES.labels(link.name, said).inc(count)
        return answer

    async def acknowledged(self, received: Received, message: Message) -> Stored | None:
        """Keep the analyzer's word on its work; None when it answers nothing of ours. Raises StoreError, and Hl7Error for what says nothing."""
        link = self.links[received.link]
        tally: Counter[str] = Counter()
        script = keep_acknowledgment(
            self.site, link, received, read_ack(message), message, stamp(self.clock.now()), tally
        )
        kept: Stored | None = await self.store.run(script, timeout=self.commit_timeout)
        if kept is not None:
            MESSAGES.labels(link.name, kept.disposition).inc()
            for state, count in tally.items():
                AWOS.labels(link.name, state).inc(count)
        return kept

    async def run(self) -> None:
        """Close what is taken back of these analyzers, whenever something may be, until cancelled."""
        while True:
            await self.signal.wait()
            self.signal.clear()
            try:
                for link in self.links:
                    await self.store.run(
                        take_back(self.site, link, stamp(self.clock.now())), timeout=self.commit_timeout
                    )
            except StoreError as error:
                log.error("what is taken back waits for the store", why=str(error))
                await asyncio.sleep(TRIED_AGAIN)
                self.signal.set()
