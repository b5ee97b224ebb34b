"""One MLLP connection to a receiver: send, and wait for the acknowledgment that names our message (MSA-2 = MSH-10).

An acknowledgment is never matched by order: a late one would otherwise answer for the next message (a known fault of integration engines).
Where a commit acknowledgment is followed by an application reply (MSH-15 and MSH-16, decision 0079), CA says that the receiver has stored the
message and the reply says whether it can use it: only then is the message delivered.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import structlog

from labmw.clock import SYSTEM, Clock
from labmw.errors import CertificateError, DeliveryError, HandshakeError
from labmw.line.dialling import dial, shown_by_peer
from labmw.tls.certificate import Certificate
from labmw.tls.credentials import Credentials
from labmw.tls.handshake import REFUSALS, diagnose
from protocols.errors import Hl7Error, ProtocolError
from protocols.hl7.acknowledgment import Acknowledgment, ack, read_ack, wanted
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, MllpReader, wrap

log = structlog.get_logger("labmw.delivery")

CONNECT_PATIENCE = 10.0  # seconds
OBJECTION = 0.25  # seconds in which a receiver can refuse our certificate after the handshake
MAX_ACK = 1 << 20  # bytes; an acknowledgment is a few hundred


_Answer = tuple[Acknowledgment, bytes]


@dataclass(slots=True)
class _Waiting:
    """Who waits for the answers to one message; `over` once the last of them has come."""

    answers: asyncio.Queue[_Answer | Exception] = field(default_factory=asyncio.Queue)
    over: bool = False


class Silent(DeliveryError):
    """The message was sent and no acknowledgment came: it may or may not have been taken."""


class Committed(Silent):
    """The receiver has stored the message (CA), and the application reply that was asked for has not come."""


class Unreachable(DeliveryError):
    """Nothing was taken: the receiver does not listen, or TLS could not be agreed, of which `reason` has the phrase and its facts."""

    reason: Mapping[str, str] = MappingProxyType({})

    @classmethod
    def of_handshake(cls, error: HandshakeError | CertificateError) -> Unreachable:
        """The same error for whoever delivers."""
        made = cls(str(error))
        made.reason = {"reason": error.code, **error.facts} if error.code else {}
        return made


class MllpSender:
    """Keeps one connection open and opens it again when it is lost. One message is outstanding at a time per caller."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        patience: float,
        tls: Credentials | None = None,
        two_replies: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        """`two_replies`: what is sent asks for a commit acknowledgment and for an application reply behind it."""
        self._host, self._port, self._patience, self._tls = host, port, patience, tls
        self._two_replies, self._clock = two_replies, clock
        self.met: Callable[[Certificate | None], None] = lambda certificate: None  # the owner hears whom TLS has shown
        self.stray: Callable[[Acknowledgment, bytes], None] = (
            _nobody  # the owner sets this to hear of late acknowledgments
        )
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[str, _Waiting] = {}
        self._unanswered = 0  # messages in a row, on this connection
        self._ending: Exception = ConnectionResetError("never connected")  # why the last connection ended

    async def deliver(self, control_id: str, message: bytes) -> tuple[Acknowledgment, bytes]:
        """Send one message and return its acknowledgment, read and raw; raises Unreachable or Silent, DeliveryError for bytes that no block may hold."""
        try:
            block = wrap(message)
        except ProtocolError as error:
            raise DeliveryError(f"the message cannot be sent: {error}") from error
        writer = await self._connected()
        waiting = self._waiting[control_id] = _Waiting()
        committed = False
        try:
            writer.write(block)
            async with asyncio.timeout(self._patience):
                await writer.drain()
                found = await _next(waiting)
            self._unanswered = 0
            if self._two_replies and found[0].code == "CA":
                committed = True
                async with asyncio.timeout(self._patience):
                    found = await _next(waiting)
            return found
        except TimeoutError:
            if committed:
                raise Committed(
                    f"{self._host}:{self._port} has stored the message (CA) and gave no application reply within {self._patience:g} s; look whether the LIS processes it"
                ) from None
            # The connection stays: the acknowledgment may still come, and then it names its message. Silent again, it is given up:
            # a connection that a firewall has forgotten looks alive from here for a quarter of an hour.
            self._unanswered += 1
            if self._unanswered > 1:
                await self.close()
            raise Silent(
                f"{self._host}:{self._port} gave no acknowledgment within {self._patience:g} s; look whether the LIS is busy"
            ) from None
        except (
            HandshakeError
        ) as error:  # with TLS 1.3 the receiver looks at our certificate after we think that all is agreed
            await self.close()
            raise Unreachable.of_handshake(error) from error
        except OSError as error:
            await self.close()
            raise Silent(
                f"{self._host}:{self._port} broke the connection ({error}); look at the LIS's interface log"
            ) from error
        finally:
            self._waiting.pop(control_id, None)

    async def confirm(self, reply: bytes) -> None:
        """Accept-acknowledge an application reply that asks for it (MSH-15), once it is on the disk; on the connection there is."""
        try:
            message = Message.parse(reply)
        except Hl7Error:
            return
        writer = self._writer
        if writer is None or writer.is_closing() or not wanted(message).owes_commit(accepted=True):
            return
        number, when = uuid.uuid4().hex[:20].upper(), self._clock.now().astimezone().strftime("%Y%m%d%H%M%S%z")
        with contextlib.suppress(OSError, ProtocolError):
            writer.write(wrap(ack(message, "CA", control_id=number, when=when)))
            await writer.drain()

    def heard(self, acknowledgment: Acknowledgment, data: bytes) -> bool:
        """An acknowledgment that came by another connection; False when nobody waits for it here."""
        waiting = self._waiting.get(acknowledgment.control_id)
        if waiting is None or waiting.over:
            return False
        waiting.over = not (self._two_replies and acknowledgment.code == "CA")
        waiting.answers.put_nowait((acknowledgment, data))
        return True

    async def close(self) -> None:
        """Hang up."""
        writer, self._writer = self._writer, None
        task, self._reading = self._reading, None
        self._unanswered = 0
        if writer is not None:
            writer.close()
        if task is not None:
            task.cancel()
            # Not `await task`: that would also swallow the cancellation of whoever waits here.
            await asyncio.wait({task})
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("acknowledgments could not be read", peer=f"{self._host}:{self._port}", why=str(error))
        if writer is not None:
            try:
                async with asyncio.timeout(2.0):
                    await writer.wait_closed()
            except TimeoutError:
                writer.transport.abort()
            except OSError:
                pass  # it was broken already

    async def _connected(self) -> asyncio.StreamWriter:
        if (
            self._writer is not None
            and not self._writer.is_closing()
            and self._reading is not None
            and not self._reading.done()
        ):
            return self._writer
        await self.close()
        try:
            reader, writer = await dial(self._host, self._port, patience=CONNECT_PATIENCE, tls=self._tls)
        except (HandshakeError, CertificateError) as error:
            raise Unreachable.of_handshake(error) from error
        except (OSError, TimeoutError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
            why = str(error) or "no answer in time"
            raise Unreachable(
                f"{self._host}:{self._port} cannot be reached ({why}); check that the LIS listens and the firewall"
            ) from error
        if self._tls is not None:
            self.met(shown_by_peer(writer))
        self._writer = writer
        self._reading = asyncio.create_task(
            self._listen(reader), name=f"acknowledgments from {self._host}:{self._port}"
        )
        if self._tls is not None:
            await self._objected(self._reading)
        return writer

    async def _objected(self, reading: asyncio.Task[None]) -> None:
        """With TLS 1.3 the receiver looks at our certificate when our side has finished: it is heard before anything is sent."""
        await asyncio.wait({reading}, timeout=OBJECTION)
        if not reading.done():
            return
        ending = self._ending
        await self.close()
        if not isinstance(ending, HandshakeError):
            ending = diagnose(ConnectionResetError("after the handshake"), f"{self._host}:{self._port}")
        raise Unreachable.of_handshake(ending)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Read acknowledgments until the connection ends; then nobody waits in vain."""
        blocks = MllpReader(max_block=MAX_ACK)
        peer = f"{self._host}:{self._port}"
        self._ending = ConnectionResetError("closed before the acknowledgment")
        try:
            while blocks.usable and (data := await reader.read(65536)):
                for event in blocks.receive(data):
                    if isinstance(event, Block):
                        self._answer(event.data)
            if not blocks.usable:
                log.error("the receiver sent more than any acknowledgment holds; it is hung up on", peer=peer)
        except OSError as error:
            log.info("connection to the receiver lost", peer=peer, why=str(error))
            if isinstance(error, ssl.SSLError) and (found := diagnose(error, peer)).code in REFUSALS:
                self._ending = found
        finally:
            for waiting in self._waiting.values():
                waiting.answers.put_nowait(self._ending)

    def _answer(self, data: bytes) -> None:
        try:
            acknowledgment = read_ack(Message.parse(data))
        except (ProtocolError, UnicodeError, ValueError) as error:
            log.warning("the receiver sent something that is no acknowledgment", why=str(error), bytes=len(data))
            return
        if not self.heard(acknowledgment, data):
            self.stray(acknowledgment, data)


async def _next(waiting: _Waiting) -> _Answer:
    found = await waiting.answers.get()
    if isinstance(found, Exception):
        raise found
    return found


def _nobody(acknowledgment: Acknowledgment, raw: bytes) -> None:
    """Hear of an acknowledgment that nobody waits for, when nobody listens."""
