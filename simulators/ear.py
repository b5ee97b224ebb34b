"""How does a simulated laboratory hear, and how are its words put together? Blocks over MLLP from any number of connections, each answered by whoever listens."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from protocols.errors import Hl7Error
from protocols.hl7.acknowledgment import ack, wanted
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, MllpReader, wrap
from simulators.errors import SimulatorError
from simulators.wire import READ_SIZE

ZONE: Final = ZoneInfo("Europe/Paris")


@dataclass(slots=True)
class Ear(ABC):
    """A laboratory that listens. Counts what was received, unreadable and reset."""

    host: str
    port: int  # 0: any that is free; what it came to stands here afterwards
    received: list[Message] = field(default_factory=list, kw_only=True)
    counts: Counter[str] = field(default_factory=Counter, kw_only=True)
    _server: asyncio.Server | None = field(default=None, kw_only=True)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set, kw_only=True)

    @abstractmethod
    def take(self, message: Message) -> bytes:
        """Take a message in and answer it; b"" for silence."""

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(self._serve, self.host, self.port)
        except OSError as error:
            raise SimulatorError(
                f"{self.host}:{self.port} cannot be listened on ({error}); choose another port"
            ) from error
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        blocks = MllpReader()
        self._writers.add(writer)
        try:
            while data := await reader.read(READ_SIZE):
                for event in blocks.receive(data):
                    for reply in self._answer(event.data) if isinstance(event, Block) else ():
                        writer.write(wrap(reply))
                        await writer.drain()
        except OSError:
            self.counts["reset"] += 1
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, data: bytes) -> list[bytes]:
        """What is said to a message: that it is stored, where it asks for that (MSH-15), then the reply."""
        try:
            message = Message.parse(data)
        except Hl7Error:
            self.counts["unreadable"] += 1
            return []
        self.received.append(message)
        self.counts["received"] += 1
        reply = self.take(message)
        if message.first("MSA") is not None or not (reply or self.stores_only):
            return [reply] if reply else []
        stored = []
        if wanted(message).owes_commit(accepted=True):
            stored = [ack(message, "CA", control_id=f"CA-{self.counts['received']}", when=message.header.component(7))]
        return stored + ([reply] if reply else [])

    @property
    def stores_only(self) -> bool:
        """Whether it says that a message is stored, and nothing else on this connection."""
        return False


def msh(kind: str, number: str, *, sender: str, facility: str, minutes: int) -> str:
    """The first segment of a message to labmw, said so many minutes from now."""
    return f"MSH|^~\\&|{sender}|{facility}|LABMW|LAB|{when(minutes)}||{kind}|{number}|P|2.5.1|||||FRA|UNICODE UTF-8"


def when(minutes: int) -> str:
    """So many minutes from now, as HL7 writes it."""
    return (datetime.now(ZONE) + timedelta(minutes=minutes)).strftime("%Y%m%d%H%M%S%z")


def refusal(header: str, message: Message, *, locked: bool) -> bytes:
    """AE, as a laboratory that was told to misbehave says it: an internal error, or a message that it calls malformed."""
    code = "207^Application internal error" if locked else "100^Segment sequence error"
    why = f"ERR|||{code}^HL70357|E||||the simulated laboratory was told to"
    return ended([header, f"MSA|AE|{message.control_id}", why])


def ended(rows: Sequence[str]) -> bytes:
    """The segments as bytes, each with its end."""
    return "".join(row + "\r" for row in rows).encode()
