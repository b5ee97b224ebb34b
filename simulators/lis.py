"""How does the LIS behave? It listens for HL7 over MLLP, keeps what it gets, acknowledges, and can be told to misbehave."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protocols.errors import Hl7Error
from protocols.hl7.acknowledgment import ErrorDetail, ack
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, MllpReader, wrap
from simulators.clock import Clock, stamp
from simulators.errors import SimulatorError
from simulators.observations import observations
from simulators.wire import READ_SIZE


@dataclass(frozen=True, slots=True)
class Outage:
    """The LIS stops listening for a while: `after_messages` received, or `after_seconds` of the scenario, whichever is given."""

    seconds: float  # of the scenario
    after_messages: int | None = None
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the LIS does with every n-th message that arrives, repeats counted too; 0 is never. Seconds are real."""

    delay: float = 0.0  # before every acknowledgment
    error_every: int = 0  # answered AE
    silent_every: int = 0  # taken and not answered: the sender will send it again
    late_every: int = 0  # answered after `late_seconds`, when the sender may have given up
    late_seconds: float = 5.0
    mismatch_every: int = 0  # answered with an MSA-2 that nobody has sent
    outages: tuple[Outage, ...] = ()


@dataclass(slots=True)
class Kept:
    """One message that the LIS has taken, by its MSH-10."""

    control_id: str
    received_at: str
    seconds: float  # since the start
    data: bytes
    receptions: int = 1
    changed: int = 0  # receptions under the same MSH-10 with other bytes
    answers: tuple[str, ...] = ()


class Lis:
    """One simulated LIS."""

    def __init__(
        self,
        host: str,
        port: int,
        clock: Clock,
        behaviour: Behaviour = Behaviour(),
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.host, self.port = host, port
        self.kept: dict[str, Kept] = {}
        self.counts: Counter[str] = Counter()
        self.outages: list[dict[str, str]] = []
        self._clock, self._behaviour, self._told = clock, behaviour, told
        self._began = self._heard_at = clock.monotonic()
        self._away = False
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # outages and late answers
        self._serving: set[asyncio.Task[None]] = set()  # connections, each until it is hung up
        self._writers: set[asyncio.StreamWriter] = set()
        self._arrived = asyncio.Condition()

    async def start(self) -> tuple[str, int]:
        """Listen, and begin the timetable of outages; returns the address. Raises SimulatorError."""
        await self._listen()
        for outage in self._behaviour.outages:
            self._spawn(self._outage(outage))
        return self.host, self.port

    async def stop(self) -> None:
        """Hang up on everybody and stop listening."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._close()
        await asyncio.gather(*self._serving)

    @property
    def quiet_since(self) -> float:
        """When the last message came or the last outage ended, in seconds of the clock; now, while it is away."""
        return self._clock.monotonic() if self._away else self._heard_at

    async def received(self, number: int) -> None:
        """Wait until so many messages have arrived, repeats counted too."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: self.counts["received"] >= number)

    async def _listen(self) -> None:
        try:
            self._server = await asyncio.start_server(self._serve, self.host, self.port)
        except OSError as error:
            raise SimulatorError(
                f"{self.host}:{self.port} cannot be listened on ({error}); choose another port, or 0 for a free one"
            ) from error
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _outage(self, outage: Outage) -> None:
        if outage.after_seconds is not None:
            await self._clock.sleep(self._clock.real(outage.after_seconds))
        if outage.after_messages is not None:
            await self.received(outage.after_messages)
        began = stamp(self._clock.now())
        self._away = True
        await self._close()
        self._told(f"LIS: stops listening for {outage.seconds:g} s")
        await self._clock.sleep(self._clock.real(outage.seconds))
        await self._listen()
        self._away, self._heard_at = False, self._clock.monotonic()
        self.outages.append({"from": began, "to": stamp(self._clock.now())})
        self._told("LIS: listens again")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        self._writers.add(writer)
        blocks = MllpReader()
        self.counts["connections"] += 1
        try:
            while blocks.usable and (data := await reader.read(READ_SIZE)):
                for event in blocks.receive(data):
                    if isinstance(event, Block):
                        await self._take(event.data, writer)
                    else:
                        self.counts[type(event).__name__] += 1
        except OSError:
            self.counts["reset"] += 1
        finally:
            for event in blocks.hang_up():
                self.counts[type(event).__name__] += 1
            self._writers.discard(writer)
            writer.close()

    async def _take(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        self._heard_at = self._clock.monotonic()
        try:
            message = Message.parse(data)
        except Hl7Error as error:  # no MSH, no reply (house law 4); the sender is at fault and its report shows it
            self.counts["unreadable"] += 1
            self._told(f"LIS: unreadable block of {len(data)} bytes: {error}")
            return
        control_id = self._keep(message, data)
        async with self._arrived:
            self.counts["received"] += 1
            number = self.counts["received"]
            self._arrived.notify_all()
        await self._answer(message, control_id, number, writer)

    def _keep(self, message: Message, data: bytes) -> str:
        header = message.first("MSH")
        control_id = header.field(10) if header else ""
        kept = self.kept.get(control_id)
        if kept is None:
            seconds = round(self._heard_at - self._began, 6)
            self.kept[control_id] = Kept(control_id, stamp(self._clock.now()), seconds, data)
        else:
            kept.receptions += 1
            kept.changed += data != kept.data
        return control_id

    async def _answer(self, message: Message, control_id: str, number: int, writer: asyncio.StreamWriter) -> None:
        def turn(every: int) -> bool:
            return every > 0 and number % every == 0

        does = self._behaviour
        kept = self.kept[control_id]
        if turn(does.silent_every):
            self._say(kept, "none")
            return
        code = "AE" if turn(does.error_every) else "AA"
        when = self._clock.now().strftime("%Y%m%d%H%M%S+0000")
        error = ErrorDetail("207", "the simulated LIS was told to refuse this one") if code == "AE" else None
        reply = ack(message, code, control_id=f"LIS{number:08d}", when=when, error=error)
        if turn(does.mismatch_every):
            reply = reply.replace(f"|{control_id}".encode(), f"|{control_id}-X".encode())
            self._say(kept, f"{code} with another MSA-2")
        elif turn(does.late_every):
            self._say(kept, f"{code} late")
            self._spawn(self._send_later(reply, does.late_seconds, writer))
            return
        else:
            self._say(kept, code)
        await self._send_later(reply, does.delay, writer)

    async def _send_later(self, reply: bytes, seconds: float, writer: asyncio.StreamWriter) -> None:
        if seconds:
            await self._clock.sleep(seconds)
        if not writer.is_closing():
            writer.write(wrap(reply))
            await writer.drain()

    def _say(self, kept: Kept, answer: str) -> None:
        kept.answers += (answer,)
        self.counts[f"answered {answer}"] += 1

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def report(self) -> dict[str, Any]:
        """Return what was received, as JSON."""
        messages = []
        found: list[dict[str, Any]] = []
        for kept in self.kept.values():
            seen = observations(Message.parse(kept.data))
            found += [{"message": kept.control_id, "received_at": kept.received_at, **one} for one in seen]
            messages.append(
                {
                    "control_id": kept.control_id, "received_at": kept.received_at, "seconds": kept.seconds,
                    "receptions": kept.receptions, "changed": kept.changed, "answers": list(kept.answers),
                    "observations": len(seen),
                }
            )  # fmt: skip
        return {
            "address": f"{self.host}:{self.port}",
            "received": self.counts["received"],
            "distinct": len(self.kept),
            "repeats": self.counts["received"] - len(self.kept),
            "counts": dict(sorted(self.counts.items())),
            "outages": self.outages,
            "messages": messages,
            "observations": found,
        }
