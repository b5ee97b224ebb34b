"""One connection that speaks HL7 over MLLP: a block is acknowledged after the one transaction that stores it and its results (law 3).

Law 4: no MSH, no reply, counted. A message that cannot be split: AE with table 0357. A repeated MSH-10 with the same bytes gets the reply that
was stored; with other bytes it is a new message. A type or version that is not served is answered AR, what is not matched AA and quarantined.
"""

from __future__ import annotations

import asyncio
import re
import uuid

import structlog

from labmw.clock import Clock
from labmw.driver import Reading
from labmw.errors import StoreError
from labmw.line.conversation import Terms
from labmw.line.health import LinkHealth
from labmw.line.hearing import Hearing
from labmw.line.journal import BEHIND, SessionJournal
from labmw.line.received import Intake, Received, Stored
from labmw.line.transport import Wire
from labmw.metrics import FRAMES_REFUSED, of_link
from labmw.model import Disposition
from labmw.store.transaction import Store
from protocols.errors import Hl7Error
from protocols.hl7.acknowledgment import ErrorDetail, Location, ack, mode
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, BlockRestarted, BlockTooLarge, Event, MllpReader, Noise, Truncated, wrap

log = structlog.get_logger("labmw.line")

BLOCK_PATIENCE = (
    30.0  # seconds without a byte inside a block until the connection is given up; ASTM waits as long for a frame
)
_VERSION = re.compile(r"2(\.[0-9]+)+")
_VERSION_FIELD = Location("MSH", field=12)
_FRAMING = b"\x0b\x1c"


class Hl7Conversation:
    """Runs one MLLP connection until it ends."""

    def __init__(
        self, wire: Wire, terms: Terms, store: Store, intake: Intake, health: LinkHealth, clock: Clock
    ) -> None:
        self._wire, self._terms, self._intake, self._health, self._clock = wire, terms, intake, health, clock
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
                if self._noise & (self._noise - 1) == 0:  # the 1st, 2nd, 4th, 8th ...: rubbish must not fill the log
                    self._log.info("bytes outside a block ignored", times=self._noise, bytes=len(data))

    def _refused(self, fault: str, sentence: str) -> None:
        FRAMES_REFUSED.labels(self._terms.link, fault).inc()
        self._log.warning(sentence)

    async def _block(self, data: bytes) -> None:
        started = self._clock.monotonic()
        try:
            message = Message.parse(data, self._terms.encoding or None)
        except Hl7Error as error:
            reply = self._malformed(data, error)
        else:
            if message.version and not _VERSION.fullmatch(message.version):
                self._refused(
                    "version", f"HL7 version {message.version[:20]!r} is not served; the sender is answered AR"
                )
                reply = self._reply(message, "AR", ErrorDetail("203", "only HL7 version 2 is served", _VERSION_FIELD))
            else:
                reply = await self._take(message, data)
        if reply:
            self._journal.note("<", wrap(reply))
            self._wire.write(wrap(reply))
            await self._wire.drain()
        self._owing = False
        self._metrics.ack_seconds.observe(self._clock.monotonic() - started)

    def _malformed(self, data: bytes, error: Hl7Error) -> bytes:
        """Answer what begins as a message and cannot be cut into segments; what does not even begin as one gets no reply (law 4)."""
        self._refused("malformed", f"a block is no HL7 message: {error}")
        try:
            header = Message.parse(data.replace(b"\n", b"\r").split(b"\r", 1)[0] + b"\r", self._terms.encoding or None)
        except Hl7Error:
            return b""
        return self._reply(header, "AE", ErrorDetail("100", str(error), None))

    async def _take(self, message: Message, data: bytes) -> bytes:
        """Store a message and return its reply; AE when it cannot be stored, so that the sender keeps it."""
        try:
            stored = await self._deliver(self._received(message, data))
        except StoreError as error:
            self._health.trouble("store", why=str(error))
            self._log.error("nothing can be stored: the sender is answered AE and keeps its message", why=str(error))
            return self._reply(message, "AE", ErrorDetail("207", "not stored; send again", None))
        self._uncertain = None
        self._journal.committed()
        self._health.message()
        self._owing = bool(stored.reply)
        return stored.reply

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
        )

    def _answer(self, message: Message, reading: Reading) -> bytes:
        """Say what became of a message; b"" where the sender wants no reply."""
        if reading.disposition is not Disposition.REFUSED:
            return self._reply(message, "AA", None)
        if reading.reason == "unsupported-version":
            return self._reply(message, "AR", ErrorDetail("203", f"HL7 version {message.version} is not served", None))
        served = f"{message.code}^{message.trigger} is not served on this link"
        return self._reply(message, "AR", ErrorDetail("200", served, None))

    def _reply(self, message: Message, code: str, error: ErrorDetail | None) -> bytes:
        if self._terms.tap:
            return b""  # another middleware replies: what was not said is stored nowhere
        wanted = mode(message)
        accepted = code == "AA"
        if message.first("MSA") is not None and not wanted.enhanced:
            return b""  # a reply is never replied to: two stations would go on for ever
        if wanted.enhanced and not wanted.owes_application(accepted):
            if not wanted.owes_commit(accepted):
                return b""
            code = {"AA": "CA", "AE": "CE", "AR": "CR"}[code]
        now = self._clock.now().astimezone()
        made = ack(
            message, code, control_id=uuid.uuid4().hex[:20].upper(), when=now.strftime("%Y%m%d%H%M%S%z"), error=error
        )
        return made.translate(None, _FRAMING)  # an MSH-10 with VT or FS cannot be sent back: they would cut the block
