"""One connection of an HL7 analyzer that asks for its work in a dialect of its own: the reply to its query, and behind it the work.

query      kept, with the work it asks for ─▶ reply (with the work, or the work follows as a message of its own)
ACK        of the work: kept, with what it settles; a reply is never replied to
others     as on any HL7 line
"""

from __future__ import annotations

import contextlib
import uuid
from typing import Protocol

from labmw.clock import Clock
from labmw.driver.hl7 import is_reply
from labmw.line.answering import Said
from labmw.line.blocks import Hl7Conversation
from labmw.line.conversation import Terms
from labmw.line.health import LinkHealth
from labmw.line.orders import Answer
from labmw.line.received import Envelopes, Intake, Received, Stored
from labmw.line.replying import Replying
from labmw.line.transport import Wire
from labmw.metrics import ORDERS_SENT
from labmw.store.transaction import Store
from protocols.errors import Hl7Error
from protocols.hl7.acknowledgment import ErrorDetail
from protocols.hl7.asking import AskingDialect, Moment
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import wrap
from protocols.hl7.version import served


class Questions(Protocol):
    """What the line asks of the laboratory's worklist; `app` fills it."""

    async def query(self, received: Received, message: Message) -> Answer:
        """Keep a query, plan the work, and say what is to be said; raises StoreError when nothing may be."""
        ...

    async def acknowledged(self, received: Received, message: Message) -> Stored | None:
        """Keep the analyzer's word on its work; None when it answers nothing of ours. Raises StoreError, Hl7Error."""
        ...


class AskingHl7Conversation(Hl7Conversation):
    """Runs one such connection until it ends."""

    def __init__(
        self,
        wire: Wire,
        terms: Terms,
        store: Store,
        intake: Intake,
        health: LinkHealth,
        clock: Clock,
        questions: Questions,
        dialect: AskingDialect,
        *,
        replying: Replying | None = None,
        envelopes: Envelopes | None = None,
    ) -> None:
        super().__init__(wire, terms, store, intake, health, clock, replying=replying, envelopes=envelopes)
        self._questions, self._dialect = questions, dialect
        self._next: Answer | None = None  # whose work is to be sent once the reply has left

    def _told(self, said: Said) -> None:
        super()._told(said)
        answer, self._next = self._next, None
        for one in answer.broadcasts if answer is not None else ():
            self._journal.note("<", wrap(one.raw))
            self._wire.write(wrap(one.raw))
            ORDERS_SENT.labels(self._terms.link).inc()

    async def _deliver(self, received: Received) -> Stored:
        message = received.message
        assert isinstance(message, Message)
        if served(message.version):
            if self._asks(message):
                self._next = await self._questions.query(received, message)
                return self._next.stored
            if is_reply(message):
                with contextlib.suppress(Hl7Error):  # one that says nothing is kept whole, for a person
                    if (stored := await self._questions.acknowledged(received, message)) is not None:
                        return stored
        return await super()._deliver(received)

    def _asks(self, message: Message) -> bool:
        return f"{message.code}^{message.trigger}" in self._dialect.queries

    def _reply(self, message: Message, code: str, error: ErrorDetail | None) -> bytes:
        """A query that cannot be stored is answered in the form that its sender waits for."""
        if code == "AE" and error is not None and self._asks(message):
            when = self._clock.now().astimezone().strftime("%Y%m%d%H%M%S%z")
            with contextlib.suppress(Hl7Error):  # its own fields cannot be sent back
                return self._dialect.answer(message, None, error, Moment(uuid.uuid4().hex[:20].upper(), when))
        return super()._reply(message, code, error)
