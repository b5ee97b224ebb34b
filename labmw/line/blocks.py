"""One connection that speaks HL7 over MLLP: a block is acknowledged after the one transaction that stores it and its results (law 3).

Law 4: no MSH, no reply, counted. A message that cannot be split: AE with table 0357. A repeated MSH-10 with the same bytes gets the reply that
was stored; with other bytes it is a new message. A type or version that is not served is answered AR, what is not matched AA and quarantined.
In enhanced mode a commit acknowledgment says whether it is stored, and the application reply follows as a message of its own (decision 0079).

A batch (BHS, FHS) is its messages one after the other, each in its own transaction: when one cannot be stored the sender is told so of it and of
those behind it, and what came before is recognised when the batch comes again (decision 0080).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence

import structlog

from labmw.clock import Clock
from labmw.driver import Reading
from labmw.errors import StoreError
from labmw.line.answering import Answering, Said, unserved
from labmw.line.conversation import Terms
from labmw.line.health import LinkHealth
from labmw.line.hearing import Hearing
from labmw.line.journal import BEHIND, SessionJournal
from labmw.line.received import Envelopes, Intake, Received, Stored
from labmw.line.replying import Owed, Replying
from labmw.line.transport import Wire
from labmw.metrics import FRAMES_REFUSED, TOLERANCES, of_link
from labmw.model import Disposition
from labmw.store.transaction import Store
from labmw.tls.handshake import speaks_tls
from protocols.errors import Hl7Error
from protocols.hl7 import batch
from protocols.hl7.acknowledgment import ErrorDetail, read_ack
from protocols.hl7.batch import Batch
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, BlockRestarted, BlockTooLarge, Event, MllpReader, Noise, Truncated, wrap

log = structlog.get_logger("labmw.line")

BLOCK_PATIENCE = (
    30.0  # seconds without a byte inside a block until the connection is given up; ASTM waits as long for a frame
)
LARGE = 2**18  # bytes; cutting so many takes more than a few milliseconds


class Hl7Conversation:
    """Runs one MLLP connection until it ends."""

    def __init__(
        self,
        wire: Wire,
        terms: Terms,
        store: Store,
        intake: Intake,
        health: LinkHealth,
        clock: Clock,
        *,
        replying: Replying | None = None,
        envelopes: Envelopes | None = None,
    ) -> None:
        self._wire, self._terms, self._intake, self._health, self._clock = wire, terms, intake, health, clock
        self._replying, self._envelopes = replying, envelopes
        self._answering = Answering(terms, clock)
        self._hearing = Hearing(wire)
        self._reader = MllpReader(max_block=terms.message_bytes)
        self._journal = SessionJournal(store, clock, terms.site, terms.link, wire.peer)
        self._uncertain: bytes | None = None  # not answered for the store's sake; its commit may come late all the same
        self._owing = False  # a message was taken and its answer has not left
        self._noise = 0
        self._metrics = of_link(terms.link)
        self._log = log.bind(link=terms.link, peer=wire.peer)

    async def run(self) -> str:
        """Talk until the other side hangs up or sends more than we bear; return why it ended."""
        ending = "hang-up"
        try:
            while self._reader.usable:
                data = await self._read()
                if data is None:
                    ending = "block-unfinished" if self._reader.inside else "idle"
                    break
                if not data:
                    # Whoever hangs up between two messages has read the answer to the last one.
                    ending = "hang-up" if self._reader.inside or self._owing or self._wire.lost else "closed"
                    break
                self._journal.note(">", data)
                self._health.heard()
                for event in self._reader.receive(data):
                    await self._event(event)
                await self._journal.settled(BEHIND)
            else:
                ending = "too-large"
        finally:
            if self._replying is not None:
                self._replying.detach(self)
            try:
                for event in self._reader.hang_up():
                    await self._event(event)
            finally:
                self._journal.close(ending, self._clock.now())
                self._hearing.close()
                await self._wire.close()
                await self._journal.settled()
        return ending

    async def _read(self) -> bytes | None:
        """Return bytes, b"" at the end, or None when a block was begun and not ended in time, or nothing came for too long."""
        patience = BLOCK_PATIENCE if self._reader.inside else self._terms.idle_timeout
        if not patience:
            return await self._wire.read()
        return await self._hearing.read(asyncio.get_running_loop().time() + patience)

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
                self._noise += 1
                if self._noise == 1 and speaks_tls(data):
                    self._health.trouble("peer-speaks-tls", peer=self._wire.peer)
                if self._noise & (self._noise - 1) == 0:  # the 1st, 2nd, 4th, 8th ...: rubbish must not fill the log
                    self._log.info("bytes outside a block ignored", times=self._noise, bytes=len(data))

    def _refused(self, fault: str, sentence: str) -> None:
        FRAMES_REFUSED.labels(self._terms.link, fault).inc()
        self._log.warning(sentence)

    async def send(self, raw: bytes) -> None:
        """Write one message of ours."""
        block = wrap(raw)
        self._journal.note("<", block)
        self._wire.write(block)
        await self._wire.drain()

    async def _block(self, data: bytes) -> None:
        started = self._clock.monotonic()
        # Looking for a second MSH reads all of it once more.
        several = await asyncio.to_thread(batch.is_batch, data) if len(data) >= LARGE else batch.is_batch(data)
        if several:
            await self._batch(await asyncio.to_thread(batch.read, data) if len(data) >= LARGE else batch.read(data))
        else:
            await self._tell(await self._one(data))
        self._metrics.ack_seconds.observe(self._clock.monotonic() - started)

    async def _tell(self, said: Said) -> None:
        """Write what is said to a message: the commit acknowledgment, then the application reply."""
        for one in said.blocks:
            self._journal.note("<", wrap(one))
            self._wire.write(wrap(one))
        if said.blocks:
            await self._wire.drain()
        self._owing = False
        self._told(said)

    def _told(self, said: Said) -> None:
        """What a message was to be told has been written."""
        if self._replying is None:
            return
        if said.owed:
            confirm = Message.parse(said.reply).header.component(15) in ("AL", "SU")
            self._replying.said(Owed(said.owed, said.reply, confirm))
        self._replying.attach(self)

    async def _one(self, data: bytes) -> Said:
        """Take one message, and say what is to be said of it."""
        try:
            message = Message.parse(data, self._terms.encoding or None)
        except Hl7Error as error:
            return self._malformed(data, error)
        return await self._take(message, data)

    def _malformed(self, data: bytes, error: Hl7Error) -> Said:
        """Answer what begins as a message and cannot be cut into segments; what does not even begin as one gets no reply (law 4)."""
        self._refused("malformed", f"a block is no HL7 message: {error}")
        try:
            header = Message.parse(data.replace(b"\n", b"\r").split(b"\r", 1)[0] + b"\r", self._terms.encoding or None)
        except Hl7Error:
            return Said()
        return self._refusal(header, "CE", "AE", ErrorDetail("100", str(error), None))

    async def _take(self, message: Message, data: bytes) -> Said:
        """Store a message and return what is to be said; that it is not stored when it cannot be, so that the sender keeps it."""
        received = self._received(message, data)
        try:
            stored = await self._confirmed(received, message) or await self._deliver(received)
        except StoreError as error:
            self._health.trouble("store", why=str(error))
            self._log.error("nothing can be stored: the sender is told so and keeps its message", why=str(error))
            return self._not_stored(message)
        self._uncertain = None
        self._journal.committed()
        self._health.message()
        self._health.well("peer-speaks-tls")
        said = self._answering.stored(message, stored, owed=received.apart and self._replying is not None)
        self._owing = bool(said.blocks)
        return said

    def _not_stored(self, message: Message) -> Said:
        return self._refusal(message, "CE", "AE", ErrorDetail("207", "not stored; send again", None))

    def _refusal(self, message: Message, commit: str, application: str, error: ErrorDetail) -> Said:
        """What is said of a message that is not in the store: in one word, of the kind that was asked for."""
        if said := self._answering.refusal(message, commit, error):
            return Said(said, kept=False)
        return Said(reply=self._reply(message, application, error), kept=False)

    async def _confirmed(self, received: Received, message: Message) -> Stored | None:
        """Take a commit acknowledgment of an application reply of ours; None for any other message."""
        if self._replying is None or message.first("MSA") is None:
            return None
        try:
            told = read_ack(message)
        except Hl7Error:
            return None
        return await self._replying.confirmed(received, told) if told.commit else None

    async def _deliver(self, received: Received) -> Stored:
        """Hand a message to the laboratory."""
        return await self._intake.take(received)

    def _received(self, message: Message, data: bytes) -> Received:
        again = self._uncertain == data
        self._uncertain = data
        number = self._journal.frames + 1
        return Received(
            link=self._terms.link,
            session=self._journal.session,
            peer=self._wire.peer,
            protocol="hl7",
            first=number,
            last=number,
            place=0,
            received_at=self._clock.now(),
            raw=data,
            message=message,
            before=tuple(self._journal.block_steps(again=again)),
            control_id=message.control_id,
            first_attempt=not again,
            answer=lambda reading: self._answer(message, reading),
            reply=lambda code, error: self._reply(message, code, error),
            apart=self._replying is not None and self._answering.apart(message),
            accept=self._answering.accept(message) if self._replying is not None else "",
        )

    def _answer(self, message: Message, reading: Reading) -> bytes:
        """The application reply to what became of a message; b"" where none is to be said."""
        if reading.disposition is not Disposition.REFUSED:
            return self._reply(message, "AA", None)
        return self._reply(message, "AR", unserved(message, reading.reason))

    def _reply(self, message: Message, code: str, error: ErrorDetail | None) -> bytes:
        return self._answering.application(message, code, error)

    # --- batches ----------------------------------------------------------------------------------------------------------

    async def _batch(self, found: Batch) -> None:
        """Take every message of a batch; each is answered as it is stored, or all of them in one batch, as the line says."""
        together = self._terms.batch_reply and bool(found.envelope)
        if not found.envelope:
            TOLERANCES.labels(self._terms.link, "several_in_block").inc()
        replies: list[list[bytes]] = []
        failed = False
        for group in found.groups:
            replies.append([])
            for data in group.messages:
                said = self._left(data) if failed else await self._one(data)
                failed = failed or (not said.kept and "store" in self._health.troubles)
                if together:
                    replies[-1] += [said.reply or said.commit] if said.blocks else []
                    self._told(said)
                else:
                    await self._tell(said)
        comment = found.faults[0] if found.faults else ""
        if comment and not failed:
            failed = not await self._keep_envelope(found)
        when = self._clock.now().astimezone().strftime("%Y%m%d%H%M%S%z")
        if together and any(replies):
            await self.send(batch.write_reply(found, replies, control_id=_number(), when=when, comment=comment))
        elif comment and not self._terms.tap:
            await self._miscounted(found, comment)
        self._owing = False

    def _left(self, data: bytes) -> Said:
        """What is said of a message behind one that could not be stored: it was not tried, so that the order is kept."""
        try:
            return self._not_stored(Message.parse(data, self._terms.encoding or None))
        except Hl7Error:
            return Said()

    async def _keep_envelope(self, found: Batch) -> bool:
        """Show an envelope that does not fit its messages to a person; False when it cannot be stored."""
        self._refused("batch", f"a batch does not hold what its envelope says: {found.faults[0]}")
        if self._envelopes is None:
            return True
        raw = b"".join(found.envelope)
        received = self._received_envelope(found, raw)
        try:
            await self._envelopes.faulty(received, found.faults)
        except StoreError as error:
            self._health.trouble("store", why=str(error))
            return False
        self._uncertain = None
        self._journal.committed()
        return True

    def _received_envelope(self, found: Batch, raw: bytes) -> Received:
        again = self._uncertain == raw
        self._uncertain = raw
        header, number = found.header, self._journal.frames + 1
        return Received(
            link=self._terms.link,
            session=self._journal.session,
            peer=self._wire.peer,
            protocol="hl7",
            first=number,
            last=number,
            place=0,
            received_at=self._clock.now(),
            raw=raw,
            message=None,
            before=tuple(self._journal.block_steps(again=again)),
            control_id=header.component(11) if header else "",
        )

    async def _miscounted(self, found: Batch, comment: str) -> None:
        """Tell the sender, which had each message acknowledged, that its envelope says otherwise; one without BHS-11 cannot be named."""
        header = found.header
        if header is None or not header.component(11):
            return
        cells: Sequence[str] = header.fields
        fields = [cells[n] if n < len(cells) else "" for n in range(12)]
        mark = header.separators.field
        line = mark.join(["MSH", fields[2], *fields[3:8], "", "", fields[11], "P", "2.5.1"])
        try:
            named = Message.parse((line + "\r").encode("latin-1"), "latin-1")
        except Hl7Error:
            return
        await self._tell(Said(reply=self._answering.application(named, "AE", ErrorDetail("100", comment))))


def _number() -> str:
    return uuid.uuid4().hex[:20].upper()
