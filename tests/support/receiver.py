"""An LIS whose answers a test chooses, one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from labmw.delivery.mllp import MllpSender
from protocols.hl7.mllp import wrap


def oru(control: str) -> bytes:
    return f"MSH|^~\\&|LABMW||LIS||20261101||ORU^R01^ORU_R01|{control}|P|2.5.1\r".encode()


def ack(control: str, code: str = "AA") -> bytes:
    return wrap(f"MSH|^~\\&|LIS||LABMW||20261101||ACK^R01^ACK|A{control}|P|2.5.1\rMSA|{code}|{control}\r".encode())


Answers = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """An LIS whose answers the test chooses."""

    answers: Answers
    got: list[str] = field(default_factory=list)  # MSH-10 of everything that came
    texts: list[str] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while True:
                block = await reader.readuntil(b"\x1c\r")
                control = block.split(b"|")[9].decode()
                self.got.append(control)
                self.texts.append(block.strip(b"\x0b\x1c\r").decode())
                await self.answers(control, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def at_once(control: str, writer: asyncio.StreamWriter) -> None:
    writer.write(ack(control))


async def never(control: str, writer: asyncio.StreamWriter) -> None:
    return None


@asynccontextmanager
async def receiving(answers: Answers, *, patience: float = 60.0) -> AsyncIterator[tuple[MllpSender, Receiver]]:
    receiver = Receiver(answers)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    sender = MllpSender(*server.sockets[0].getsockname()[:2], patience=patience)
    try:
        yield sender, receiver
    finally:
        await sender.close()
        server.close()
        await server.wait_closed()
