"""One MLLP connection to a receiver: send, and wait for the acknowledgment that names our message (MSA-2 = MSH-10).

An acknowledgment is never matched by order: a late one would otherwise answer for the next message (a known fault of integration engines).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from labmw.errors import DeliveryError
from protocols.errors import ProtocolError
from protocols.hl7.acknowledgment import Acknowledgment, read_ack
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, MllpReader, wrap

log = structlog.get_logger("labmw.delivery")

CONNECT_PATIENCE = 10.0  # seconds
MAX_ACK = 1 << 20  # bytes; an acknowledgment is a few hundred


class Silent(DeliveryError):
    """The message was sent and no acknowledgment came: it may or may not have been taken."""


class Unreachable(DeliveryError):
    """Nothing was sent: the receiver does not listen."""


class MllpSender:
    """Keeps one connection open and opens it again when it is lost. One message is outstanding at a time per caller."""

    def __init__(self, host: str, port: int, *, patience: float) -> None:
        self._host, self._port, self._patience = host, port, patience
        self.stray: Callable[[Acknowledgment, bytes], None] = (
            _nobody  # the owner sets this to hear of late acknowledgments
        )
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[str, asyncio.Future[tuple[Acknowledgment, bytes]]] = {}
        self._unanswered = 0  # messages in a row, on this connection

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
            async with asyncio.timeout(CONNECT_PATIENCE):
                reader, writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
            why = str(error) or "no answer in time"
            raise Unreachable(
                f"{self._host}:{self._port} cannot be reached ({why}); check that the LIS listens and the firewall"
            ) from error
        self._writer = writer
        self._reading = asyncio.create_task(
            self._listen(reader), name=f"acknowledgments from {self._host}:{self._port}"
        )
        return writer

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Read acknowledgments until the connection ends; then nobody waits in vain."""
        blocks = MllpReader(max_block=MAX_ACK)
        peer = f"{self._host}:{self._port}"
        try:
            while blocks.usable and (data := await reader.read(65536)):
                for event in blocks.receive(data):
                    if isinstance(event, Block):
                        self._answer(event.data)
            if not blocks.usable:
                log.error("the receiver sent more than any acknowledgment holds; it is hung up on", peer=peer)
        except OSError as error:
            log.info("connection to the receiver lost", peer=peer, why=str(error))
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionResetError("closed before the acknowledgment"))

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
