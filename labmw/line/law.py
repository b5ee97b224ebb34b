"""One connection that speaks IHE LAW: an analyzer asks for work, is given it, and reports; labmw is the analyzer manager.

Both directions share the connection, or the analyzer has a second one for orders: then this conversation runs on each of the two, and the
reply to an order comes back on the one that carried it. What arrives is answered when it is on the disk (laws 3 and 4):

    QBP^Q11   kept, with the work it asks for ─▶ RSP^K11 ─▶ OML^O33
    ORL^O34   kept, with what it settles; a reply is never replied to
    OUL^R22   kept, with its results and what becomes of their AWOS ─▶ ACK^R22
    others    those of the family's own are kept and acknowledged, the rest is kept and answered AR
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from labmw.clock import Clock
from labmw.driver import Reading
from labmw.driver.hl7 import is_reply
from labmw.line.answering import UNSERVED, Said
from labmw.line.blocks import Hl7Conversation
from labmw.line.broadcast import Broadcaster
from labmw.line.conversation import Terms
from labmw.line.health import LinkHealth
from labmw.line.orders import Answer, Worklist
from labmw.line.received import Envelopes, Intake, Received, Stored
from labmw.line.replying import Replying
from labmw.line.transport import Wire
from labmw.model import Disposition
from labmw.store.transaction import Store
from protocols.errors import Hl7Error
from protocols.hl7.acknowledgment import ErrorDetail, read_ack
from protocols.hl7.envelope import read_header
from protocols.hl7.er7 import Message
from protocols.hl7.law_query import read_query, write_query_answer
from protocols.hl7.law_reply import read_work_reply
from protocols.hl7.law_status import read_status
from protocols.hl7.law_values import WorkReply
from protocols.hl7.profile import LawProfile
from protocols.hl7.version import served


@dataclass(frozen=True, slots=True)
class LawLine:
    """What the conversations of one link share.

    `outlet`: orders leave by this connection. `trusted`: who is at its other end is known, and may be told of work before it has spoken.
    """

    profile: LawProfile
    worklist: Worklist
    broadcaster: Broadcaster
    trusted: bool = False
    outlet: bool = True


class LawConversation(Hl7Conversation):
    """Runs one connection of a LAW link until it ends."""

    def __init__(
        self,
        wire: Wire,
        terms: Terms,
        store: Store,
        intake: Intake,
        health: LinkHealth,
        clock: Clock,
        law: LawLine,
        *,
        replying: Replying | None = None,
        envelopes: Envelopes | None = None,
    ) -> None:
        super().__init__(wire, terms, store, intake, health, clock, replying=replying, envelopes=envelopes)
        self._law = law
        self._next: Answer | None = None  # to be sent once the reply to a query has left
        self._spoke = False

    async def run(self) -> str:
        """Talk until the other side hangs up; return why it ended."""
        if self._law.trusted and self._law.outlet:
            self._law.broadcaster.attach(self)
        try:
            return await super().run()
        finally:
            self._law.broadcaster.detach(self)

    def _told(self, said: Said) -> None:
        super()._told(said)
        # Only now, with the reply written: the work follows it, and never precedes it.
        if self._next is not None:
            self._law.broadcaster.put(self._next.broadcasts, self._next.replaced)
            self._next = None
        if self._spoke and self._law.outlet:
            self._law.broadcaster.attach(self)

    async def _deliver(self, received: Received) -> Stored:
        message = received.message
        assert isinstance(message, Message)
        self._spoke = True  # whoever speaks HL7 can be spoken to
        if is_reply(message):
            return await self._reply_came(received, message)
        profile = self._law.profile
        if not served(message.version):
            return await self._intake.take(received)
        if (message.code, message.trigger) == ("QBP", "Q11"):
            answer = await self._law.worklist.query(received, read_query(message, profile))
            self._next = answer
            return answer.stored
        if (message.code, message.trigger) == ("OUL", "R22"):
            received = replace(received, change=read_status(message, profile))
        return await self._intake.take(received)

    async def _reply_came(self, received: Received, message: Message) -> Stored:
        """Settle what is answered; a general acknowledgment instead of an ORL^O34 says yes or no to the whole message."""
        try:
            if message.code == "ORL":
                reply = read_work_reply(message, self._law.profile)
            else:
                told = read_ack(message)
                reply = WorkReply(read_header(message.header), told.code, told.control_id, (), told.text, told.errors)
        except Hl7Error:
            return await self._intake.take(replace(received, answer=None))  # kept whole, for a person
        stored = await self._law.worklist.reply(received, reply)
        if reply.code == "CA" and not self._law.profile.commit_settles:
            self._law.broadcaster.committed(reply.control_id)  # the reply proper follows
        elif reply.code != "CE":  # not stored there: it is sent again when its time has come
            self._law.broadcaster.settled(reply.control_id)
        return stored

    def _answer(self, message: Message, reading: Reading) -> bytes:
        """Say what became of a message: AE with the place for a malformed one, which is kept all the same."""
        if reading.disposition is Disposition.REFUSED and reading.reason not in UNSERVED:
            facts = dict(reading.reason_facts)
            return self._reply(message, "AE", ErrorDetail(facts.get("code", "100"), facts.get("problem", ""), None))
        return super()._answer(message, reading)

    def _reply(self, message: Message, code: str, error: ErrorDetail | None) -> bytes:
        if (message.code, message.trigger) == ("QBP", "Q11") and code != "AA":
            now = self._clock.now().astimezone().strftime("%Y%m%d%H%M%S%z")
            number = uuid.uuid4().hex[:20].upper()
            query = read_query(message, self._law.profile)
            try:
                return write_query_answer(
                    query,
                    control_id=number,
                    when=now,
                    code=code,
                    error=error,
                    profile=self._law.profile,
                    accept=self._answering.accept(message),
                )
            except Hl7Error:
                return super()._reply(message, code, error)  # its own fields cannot be sent back
        return super()._reply(message, code, error)
