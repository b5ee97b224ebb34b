"""One MLLP connection to a receiver: send, and wait for the acknowledgment that names our message (MSA-2 = MSH-10).

An acknowledgment is never matched by order: a late one would otherwise answer for the next message (a known fault of integration engines).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from types import MappingProxyType

import structlog

from labmw.errors import CertificateError, DeliveryError, HandshakeError
from labmw.line.dialling import dial, shown_by_peer
from labmw.tls.certificate import Certificate
from labmw.tls.credentials import Credentials
from labmw.tls.handshake import REFUSALS, diagnose
from protocols.errors import ProtocolError
from protocols.hl7.acknowledgment import Acknowledgment, read_ack
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, MllpReader, wrap

log = structlog.get_logger("labmw.delivery")

CONNECT_PATIENCE = 10.0  # seconds
OBJECTION = 0.25  # seconds in which a receiver can refuse our certificate after the handshake
MAX_ACK = 1 << 20  # bytes; an acknowledgment is a few hundred


class Silent(DeliveryError):
    """The message was sent and no acknowledgment came: it may or may not have been taken."""


class Unreachable(DeliveryError):
    """Nothing was taken: the receiver does not listen, or TLS could not be agreed, of which `reason` has the phrase and its facts."""

    reason: Mapping[str, str] = MappingProxyType({})

    @classmethod
    def of_handshake(cls, error: HandshakeError) -> Unreachable:
        """The same error for whoever delivers."""
        made = cls(str(error))
        made.reason = {"reason": error.code, **error.facts}
        return made


class MllpSender:
    """Keeps one connection open and opens it again when it is lost. One message is outstanding at a time per caller."""

    def __init__(self, host: str, port: int, *, patience: float, tls: Credentials | None = None) -> None:
        self._host, self._port, self._patience, self._tls = host, port, patience, tls
        self.met: Callable[[Certificate | None], None] = lambda certificate: None  # the owner hears whom TLS has shown
        self.stray: Callable[[Acknowledgment, bytes], None] = (
            _nobody  # the owner sets this to hear of late acknowledgments
        )
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[str, asyncio.Future[tuple[Acknowledgment, bytes]]] = {}
        self._unanswered = 0  # messages in a row, on this connection
        self._ending: Exception = ConnectionResetError("never connected")  # why the last connection ended

    async def deliver(self, control_id: str, message: bytes) -> tuple[Acknowledgment, bytes]:
        """Send one message and return its acknowledgment, read and raw; raises Unreachable or Silent, DeliveryError for bytes that no block may hold."""
        try:
            block = wrap(message)
        except ProtocolError as error:
            raise DeliveryError(f"the message cannot be sent: {error}") from error
        writer = await self._connected()
        answer: asyncio.Future[tuple[Acknowledgment, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[control_id] = answer
        try:
            writer.write(block)
            async with asyncio.timeout(self._patience):
                await writer.drain()
                found = await answer
            self._unanswered = 0
            return found
        except TimeoutError:
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
        except HandshakeError as error:
            raise Unreachable.of_handshake(error) from error
        except CertificateError as error:
            raise Unreachable(str(error)) from error
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
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(self._ending)

    def _answer(self, data: bytes) -> None:
        try:
            acknowledgment = read_ack(Message.parse(data))
        except (ProtocolError, UnicodeError, ValueError) as error:
            log.warning("the receiver sent something that is no acknowledgment", why=str(error), bytes=len(data))
            return
        answer = self._waiting.get(acknowledgment.control_id)
        if answer is None or answer.done():
            self.stray(acknowledgment, data)
        else:
            answer.set_result((acknowledgment, data))


def _nobody(acknowledgment: Acknowledgment, raw: bytes) -> None:
    """Hear of an acknowledgment that nobody waits for, when nobody listens."""
