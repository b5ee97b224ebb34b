"""Who sends? One process that plays many analyzers, as fast as it is acknowledged; the same for whoever receives.

Reads one JSON line a job (`Job`), answers one line of JSON (`Outcome`). Started by receive.py.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import cast

from tests.benchmarks.messages import AstmSource, hl7_block, oul_r22

ENQ, ACK, EOT = b"\x05", b"\x06", b"\x04"
PATIENCE = 20.0  # seconds beyond the measured time until a job is given up


@dataclass(frozen=True, slots=True)
class Job:
    """What to send: to which port, over how many connections, for how many seconds, in which serial numbers."""

    port: int
    protocol: str
    connections: int
    seconds: float
    serial: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. Times are in milliseconds, from the write of a frame or block to its acknowledgment."""

    messages: int = 0
    rate: float = 0.0  # messages per second: the sum over the connections, each over its own time
    median: float = 0.0
    p99: float = 0.0
    worst: float = 0.0
    last_p99: float = 0.0  # of the frames that end a message
    next: int = 0  # the first serial number that was not sent
    error: str = ""


@dataclass
class Sender(asyncio.Protocol, ABC):
    """One connection: a message, its acknowledgments, the next message, until the time is up."""

    job: Job
    serial: int
    done: asyncio.Future[None]
    waits: list[float] = field(default_factory=list)  # seconds; of every frame or block
    lasts: list[float] = field(default_factory=list)
    messages: int = 0
    took: float = 0.0
    sent: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the wire."""
        self.wire = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        """The receiver must not hang up."""
        self.fail(f"hung up ({error})")

    def fail(self, why: str) -> None:
        """Give the job up."""
        if not self.done.done():
            self.done.set_exception(RuntimeError(why))

    def begin(self) -> None:
        """Start the clock and the first message."""
        self.began = time.perf_counter()
        self.until = self.began + self.job.seconds
        self.next_message()

    @abstractmethod
    def next_message(self) -> None:
        """Send the next message from its first byte."""

    def write(self, data: bytes) -> None:
        """Send what is to be acknowledged."""
        self.sent = time.perf_counter()
        self.wire.write(data)

    def message_done(self, now: float) -> bool:
        """Count a message; True when the time is up."""
        self.messages += 1
        self.lasts.append(self.waits[-1])
        if now < self.until:
            return False
        self.took = now - self.began
        self.done.set_result(None)
        return True


class AstmSender(Sender):
    """ENQ, a frame at a time, EOT."""

    source = AstmSource.new()
    at = -1

    def next_message(self) -> None:
        """ENQ; the frames are ready when it is answered."""
        self.frames = self.source.message(self.serial)
        self.serial += self.job.connections
        self.at = -1
        self.wire.write(ENQ if not self.messages else EOT + ENQ)

    def data_received(self, data: bytes) -> None:
        """One ACK, then the next frame."""
        now = time.perf_counter()
        if data != ACK:
            self.fail(f"{data!r} instead of ACK, after frame {self.at + 1} of message {self.messages + 1}")
            return
        if self.at >= 0:
            self.waits.append(now - self.sent)
        self.at += 1
        if self.at < len(self.frames):
            self.write(self.frames[self.at])
        elif self.message_done(now):
            self.wire.write(EOT)
        else:
            self.next_message()


class Hl7Sender(Sender):
    """A block, its MSA|AA, the next block."""

    template = oul_r22()
    kept = b""

    def next_message(self) -> None:
        """Send a block."""
        block = hl7_block(self.template, self.serial)
        self.serial += self.job.connections
        self.write(block)

    def data_received(self, data: bytes) -> None:
        """One reply, then the next block."""
        self.kept += data
        if not self.kept.endswith(b"\x1c\r"):
            return
        now = time.perf_counter()
        reply, self.kept = self.kept, b""
        if b"\rMSA|AA|" not in reply and b"\rMSA|CA|" not in reply:
            self.fail(f"{reply[:200]!r} instead of MSA|AA")
            return
        self.waits.append(now - self.sent)
        if not self.message_done(now):
            self.next_message()


class LawSender(Hl7Sender):
    """The same over a LAW line."""

    template = oul_r22(law=True)


KINDS: dict[str, type[Sender]] = {"astm": AstmSender, "hl7": Hl7Sender, "law": LawSender}


async def run(job: Job) -> Outcome:
    """Do one job."""
    loop = asyncio.get_running_loop()
    kind = KINDS[job.protocol]
    senders: list[Sender] = []
    try:
        for number in range(job.connections):
            sender = kind(job, job.serial + number, loop.create_future())
            await loop.create_connection(lambda sender=sender: sender, "127.0.0.1", job.port)  # type: ignore[misc]
            senders.append(sender)
        gc.collect()
        for sender in senders:
            sender.begin()
        async with asyncio.timeout(job.seconds + PATIENCE):
            await asyncio.gather(*(sender.done for sender in senders))
    except (OSError, RuntimeError) as error:
        return Outcome(error=str(error) or type(error).__name__)
    except TimeoutError:
        return Outcome(error=f"no acknowledgment within {PATIENCE:.0f} s")
    finally:
        for sender in senders:
            sender.done.cancel()
            sender.wire.close()
    waits = sorted(wait * 1000 for sender in senders for wait in sender.waits)
    lasts = sorted(wait * 1000 for sender in senders for wait in sender.lasts)
    return Outcome(
        sum(sender.messages for sender in senders),
        sum(sender.messages / sender.took for sender in senders),
        waits[len(waits) // 2],
        waits[int(len(waits) * 0.99)],
        waits[-1],
        lasts[int(len(lasts) * 0.99)],
        max(sender.serial for sender in senders),
    )


def main() -> None:
    """Do jobs until there are no more."""
    for line in sys.stdin:
        print(json.dumps(asdict(asyncio.run(run(Job(**json.loads(line)))))), flush=True)


if __name__ == "__main__":
    main()
