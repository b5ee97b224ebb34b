"""One connection that speaks HL7 over MLLP: a block is acknowledged after the one transaction that stores it and its results (law 3).

Law 4: no MSH, no reply, counted. A message that cannot be split: AE with table 0357. A repeated MSH-10 with the same bytes gets the reply that
was stored; with other bytes it is a new message. What is understood but not served is answered AR, what is not matched AA and quarantined.
"""

from __future__ import annotations

import uuid

import structlog

from labmw.clock import Clock
from labmw.driver import Reading
from labmw.errors import StoreError
from labmw.line.conversation import Terms
from labmw.line.health import LinkHealth
from labmw.line.journal import SessionJournal
from labmw.line.received import Intake, Received
from labmw.line.transport import Wire
from labmw.metrics import FRAMES_REFUSED, of_link
from labmw.model import Disposition
from labmw.store.transaction import Store
from protocols.errors import Hl7Error
from protocols.hl7.acknowledgment import ErrorDetail, ack, mode
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, BlockRestarted, BlockTooLarge, Event, MllpReader, Noise, Truncated, wrap

log = structlog.get_logger("labmw.line")


class Hl7Conversation:
    """Runs one MLLP connection until it ends."""

    def __init__(
        self, wire: Wire, terms: Terms, store: Store, intake: Intake, health: LinkHealth, clock: Clock
    ) -> None:
        self._wire, self._terms, self._intake, self._health, self._clock = wire, terms, intake, health, clock
        self._reader = MllpReader(max_block=terms.message_bytes)
        self._journal = SessionJournal(store, clock, terms.site, terms.link, wire.peer)
        self._metrics = of_link(terms.link)
        self._log = log.bind(link=terms.link, peer=wire.peer)

    async def run(self) -> str:
        """Talk until the other side hangs up or sends more than we bear; return why it ended."""
        ending = "hang-up"
        try:
            while self._reader.usable:
                data = await self._wire.read()
                if not data:
                    break
                self._journal.note(">", data)
                self._health.heard()
                for event in self._reader.receive(data):
                    await self._event(event)
            else:
                ending = "too-large"
        finally:
            for event in self._reader.hang_up():
                await self._event(event)
            self._journal.close(ending, self._clock.now())
            await self._wire.close()
            await self._journal.settled()
        return ending

    async def _event(self, event: Event) -> None:
        match event:
            case Block(data=data):
                await self._block(data)
            case BlockTooLarge():
                self._refused("too-large", "a block is larger than limits.message_bytes; the connection is closed")
            case BlockRestarted():
                self._refused("restarted", "a block was begun again before its end; what came before is in the journal")
            case Truncated():
                self._refused("truncated", "the connection ended inside a block; the sender keeps the message")
            case Noise(data=data):
                self._log.info("bytes outside a block ignored", bytes=len(data))

    def _refused(self, fault: str, sentence: str) -> None:
        FRAMES_REFUSED.labels(self._terms.link, fault).inc()
        self._log.warning(sentence)

    async def _block(self, data: bytes) -> None:
        started = self._clock.monotonic()
        try:
            message = Message.parse(data, self._terms.encoding or None)
        except Hl7Error as error:
            self._refused("no-message", f"a block is no HL7 message and gets no reply: {error}")
            return
        reply = await self._take(message, data)
        if reply:
            self._journal.note("<", wrap(reply))
            self._wire.write(wrap(reply))
            await self._wire.drain()
        self._metrics.ack_seconds.observe(self._clock.monotonic() - started)

    async def _take(self, message: Message, data: bytes) -> bytes:
        """Store a message and return its reply; AE when it cannot be stored, so that the sender keeps it."""
        noted = self._journal.noted
        received = Received(
            link=self._terms.link,
            session=self._journal.session,
            peer=self._wire.peer,
            protocol="hl7",
            first=self._journal.frames + 1,
            last=self._journal.frames + 1,
            place=0,
            received_at=self._clock.now(),
            raw=data,
            message=message,
            before=tuple(self._journal.piece_steps(noted)),
            control_id=message.control_id,
            answer=lambda reading: self._answer(message, reading),
        )
        try:
            stored = await self._intake.take(received)
        except StoreError as error:
            self._health.trouble("store", why=str(error))
            self._log.error("nothing can be stored: the sender is answered AE and keeps its message", why=str(error))
            return self._reply(message, "AE", ErrorDetail("207", "not stored; send again", None))
        self._journal.committed(noted)
        self._health.message()
        return stored.reply

    def _answer(self, message: Message, reading: Reading) -> bytes:
        """Say what became of a message; b"" where the sender wants no reply."""
        accepted = reading.disposition is not Disposition.REFUSED
        if accepted:
            return self._reply(message, "AA", None)
        return self._reply(
            message, "AR", ErrorDetail("200", f"{message.code}^{message.trigger} is not served on this link", None)
        )

    def _reply(self, message: Message, code: str, error: ErrorDetail | None) -> bytes:
        wanted = mode(message)
        accepted = code == "AA"
        if wanted.enhanced and not wanted.owes_application(accepted):
            if not wanted.owes_commit(accepted):
                return b""
            code = {"AA": "CA", "AE": "CE", "AR": "CR"}[code]
        now = self._clock.now().astimezone()
        return ack(
            message, code, control_id=uuid.uuid4().hex[:20].upper(), when=now.strftime("%Y%m%d%H%M%S%z"), error=error
        )
