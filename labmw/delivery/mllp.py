"""One MLLP connection to a receiver: send, and wait for the acknowledgment that names our message (MSA-2 = MSH-10).

An acknowledgment is never matched by order: a late one would otherwise answer for the next message (a known fault of integration engines).
"""

from __future__ import annotations

import asyncio
import contextlib
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

    async def deliver(self, control_id: str, message: bytes) -> tuple[Acknowledgment, bytes]:
        """Send one message and return its acknowledgment, read and raw; raises Unreachable or Silent."""
        writer = await self._connected()
        answer: asyncio.Future[tuple[Acknowledgment, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[control_id] = answer
        try:
            writer.write(wrap(message))
            async with asyncio.timeout(self._patience):
                await writer.drain()
                return await answer
        except TimeoutError:
            # The connection stays: the acknowledgment may still come, and then it names its message.
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
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(2.0):
                    await writer.wait_closed()
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

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
        except (OSError, TimeoutError) as error:
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
        try:
            while data := await reader.read(65536):
                for event in blocks.receive(data):
                    if isinstance(event, Block):
                        self._answer(event.data)
        except OSError as error:
            log.info("connection to the receiver lost", peer=f"{self._host}:{self._port}", why=str(error))
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("closed before the acknowledgment"))

    def _answer(self, data: bytes) -> None:
        try:
            acknowledgment = read_ack(Message.parse(data))
        except ProtocolError as error:
            log.warning("the receiver sent something that is no acknowledgment", why=str(error), bytes=len(data))
            return
        answer = self._waiting.get(acknowledgment.control_id)
        if answer is None or answer.done():
            self.stray(acknowledgment, data)
        else:
            answer.set_result((acknowledgment, data))


def _nobody(acknowledgment: Acknowledgment, raw: bytes) -> None:
    """Hear of an acknowledgment that nobody waits for, when nobody listens."""
