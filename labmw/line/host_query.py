"""How is an ASTM analyzer told what to do? Its queries answered, and what the worklist owes it sent, one message after the other on its line.

    Q .. L committed ─▶ ACK ─▶ EOT ─▶ the answer is planned and committed ─▶ ENQ .. every frame acknowledged ─▶ "taken" is committed

An answer that cannot begin while the analyzer waits for it is not sent: the tube is listed to be presented again. Orders that nobody asked for
are owed until they are taken, also by the next process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from labmw.clock import Clock
from labmw.errors import StoreError
from labmw.line.conversation import Terms
from labmw.line.health import LinkHealth
from labmw.line.received import Intake, Received, Stored
from labmw.line.speaking import NOT_SENT, TAKEN, SpeakingConversation
from labmw.line.tending import STORE_REST
from labmw.line.transport import Wire
from labmw.metrics import ORDERS_SENT, ORDERS_UNANSWERED
from labmw.store.transaction import Store
from protocols.astm.message import Message

log = structlog.get_logger("labmw.line")

RETRY = (
    20.0,
    60.0,
    300.0,
)  # seconds until an order that was not taken is sent again; the machine itself pauses 20 s after a failure


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One message of ours, on the disk already. `within`: seconds until it is too late to begin; None for what is owed until it is taken."""

    control_id: str
    records: tuple[bytes, ...]
    within: float | None = None


class HostQueries(Protocol):
    """What the line asks of the worklist; `app` fills it. Every method returns after its commit, and raises StoreError."""

    async def answers(self, link: str) -> Sequence[Dispatch]:
        """Plan the answers to what was asked, oldest first: so many messages of one query at once."""
        ...

    async def due(self, link: str) -> Sequence[Dispatch]:
        """Write what the analyzer is to be told without having asked, and give what it has not taken yet."""
        ...

    async def overdue(self, link: str) -> float | None:
        """Close the queries that the analyzer no longer waits for; seconds until the next of them is so, None for none."""
        ...

    async def taken(self, link: str, control_id: str) -> None:
        """Note that every frame of a message was acknowledged."""
        ...

    async def failed(self, link: str, control_id: str, reason: str) -> None:
        """Note that a message was not acknowledged whole."""
        ...


class Speaker(Protocol):
    """A connection that can carry a message to the analyzer."""

    async def deliver(self, records: Sequence[bytes], tag: str, within: float | None = None) -> str:
        """Send one message; TAKEN, or why it failed."""
        ...


@dataclass(slots=True)
class Dispatcher:
    """Tells one analyzer what to do, until cancelled."""

    link: str
    queries: HostQueries
    health: LinkHealth
    clock: Clock
    _speakers: list[Speaker] = field(default_factory=list)  # the one that spoke last stands last
    _signal: asyncio.Event = field(default_factory=asyncio.Event)
    _failures: int = 0
    _not_before: float = 0.0  # when an order that was not taken may be sent again
    _look: bool = True  # whether the store may owe this analyzer something

    def attach(self, speaker: Speaker) -> None:
        """A connection is there to speak on; what was not taken on the last one is sent on it."""
        if self._speakers and self._speakers[-1] is speaker:
            return
        if speaker in self._speakers:
            self._speakers.remove(speaker)
        self._speakers.append(speaker)
        self._not_before, self._failures = 0.0, 0
        self.wake()

    def detach(self, speaker: Speaker) -> None:
        """A connection is gone."""
        if speaker in self._speakers:
            self._speakers.remove(speaker)

    def wake(self) -> None:
        """The analyzer has asked, or the worklist owes it something."""
        self._look = True
        self._signal.set()

    async def run(self) -> None:
        """Speak until cancelled; whatever goes wrong here leaves the line as it is."""
        while True:
            self._signal.clear()
            try:
                rest = await self._step()
            except StoreError as error:
                self.health.trouble("store", why=str(error))
                rest = STORE_REST
            except Exception as error:
                log.exception(
                    "an analyzer cannot be told what to do; it is tried again", link=self.link, why=str(error)
                )
                rest = STORE_REST
            try:
                async with asyncio.timeout(rest):
                    await self._signal.wait()
            except TimeoutError:
                self._look = True

    async def _step(self) -> float | None:
        """Do what is due; return the seconds until something is due by itself, None when nothing is."""
        if not self._look:
            return None
        self._look = False
        if not self._speakers:  # the analyzer may come back for its answer as long as it waits for it
            return await self.queries.overdue(self.link)
        while answers := await self.queries.answers(self.link):
            for number, one in enumerate(answers):
                if not await self._send(one):
                    for other in answers[number + 1 :]:
                        await self._settle(other, NOT_SENT)
                    break
        rest = self._not_before - self.clock.monotonic()
        if rest > 0:
            return rest
        for one in await self.queries.due(self.link):
            if not await self._send(one):
                rest = RETRY[min(self._failures, len(RETRY)) - 1]
                self._not_before = self.clock.monotonic() + rest
                return rest
            if self._look:  # a query has come meanwhile: it is answered first
                return 0.0
        return None

    async def _send(self, one: Dispatch) -> bool:
        """Send one message; True once it was taken."""
        if not self._speakers:
            await self._settle(one, NOT_SENT)
            return False
        ORDERS_SENT.labels(self.link).inc()
        reason = await self._speakers[-1].deliver(one.records, one.control_id, one.within)
        await self._settle(one, reason)
        return reason == TAKEN

    async def _settle(self, one: Dispatch, reason: str) -> None:
        """Write down what came of a message: until that is done nothing else is sent, or it might be said twice."""
        if reason == TAKEN:
            self._failures = 0
            self.health.well("orders-not-taken")
            await self._insist(lambda: self.queries.taken(self.link, one.control_id))
            return
        self._failures += 1
        ORDERS_UNANSWERED.labels(self.link).inc()
        log.warning(
            "the analyzer has not taken what it was to be told", link=self.link, control_id=one.control_id, why=reason
        )
        self.health.trouble("orders-not-taken", times=str(self._failures), why=reason)
        await self._insist(lambda: self.queries.failed(self.link, one.control_id, reason))

    async def _insist(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await step()
            except StoreError as error:
                self.health.trouble("store", why=str(error))
                log.error("what an analyzer has taken cannot be written down yet", link=self.link, why=str(error))
                await asyncio.sleep(STORE_REST)


class AskingConversation(SpeakingConversation):
    """Runs one connection to an analyzer that asks for work, or is told of it."""

    def __init__(
        self,
        wire: Wire,
        terms: Terms,
        store: Store,
        intake: Intake,
        health: LinkHealth,
        clock: Clock,
        dispatcher: Dispatcher,
        *,
        trusted: bool = False,
    ) -> None:
        super().__init__(wire, terms, store, _Listening(intake, self._took), health, clock)
        self._prepare()
        self._dispatcher, self._trusted = dispatcher, trusted

    async def run(self) -> str:
        """Talk until the other side hangs up; return why it ended."""
        if self._trusted:
            self._dispatcher.attach(self)
        try:
            return await super().run()
        finally:
            self._dispatcher.detach(self)

    def _took(self, received: Received) -> None:
        """A message was taken in: whoever sends one can be spoken to, and may have asked."""
        self._dispatcher.attach(self)
        message = received.message
        if isinstance(message, Message) and any(line[:1] in b"Qq" for line in message.lines):
            self._dispatcher.wake()


@dataclass(frozen=True, slots=True)
class _Listening:
    """The intake, and who is to know that a message has come."""

    intake: Intake
    took: Callable[[Received], None]

    async def take(self, received: Received) -> Stored:
        """Store a message in one transaction."""
        stored = await self.intake.take(received)
        self.took(received)
        return stored
