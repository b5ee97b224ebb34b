"""How does an analyzer behave on its line? It sends message after message, listens in between, and keeps each until it is acknowledged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from protocols.astm import events as link_events
from protocols.astm.datalink import DataLink, Role
from protocols.astm.frame import cut
from protocols.astm.message import Assembly, Message
from protocols.astm.tolerance import Tolerances
from protocols.errors import ProtocolError
from simulators.clock import Clock, stamp, within
from simulators.errors import HungUpOnPurpose, SimulatorError, WireLost
from simulators.playback import play, steps
from simulators.transmission import Attempt, MessageFate, Transmission
from simulators.wire import Plug, Wire

AS_INSTRUMENT = Tolerances(interrupt="ignore")  # most analyzers carry on when the host asks for the line (spec A.9)
RETRY_SECONDS = 1.0  # before an analyzer dials again, or plays a failed recording again


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How the analyzer puts messages on the line."""

    tolerances: Tolerances = AS_INSTRUMENT
    frame_text: int = 240  # bytes of text per frame; 63,993 with LIS01-A2 over TCP
    forgets: Literal["message", "record"] = "message"  # what an acknowledgment allows it to forget
    patience: float = 120.0  # real seconds for one message; then the analyzer stops, and says so in the report
    answer: float = 15.0  # real seconds that it waits for the answer to its query
    given_at: tuple[int, int, int] = (
        3,
        1,
        4,
    )  # in an O record of the host: field and component of the specimen, component of O.5


class Analyzer:
    """One simulated analyzer on one plug."""

    def __init__(
        self,
        name: str,
        plug: Plug,
        transmissions: Sequence[Transmission],
        clock: Clock,
        settings: LineSettings = LineSettings(),
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.fates = [MessageFate(one) for one in transmissions]
        self.connections = 0
        self.heard: Counter[str] = Counter()  # events of the link, by name
        self.stopped = ""  # why it gave up, if it did
        self.orders: dict[
            tuple[str, str], str
        ] = {}  # what the host has ordered, by specimen and code: SC, CM once reported
        self.answers: Counter[str] = Counter()  # of its queries
        self._assembly = Assembly()
        self._heard_out = 0  # messages of the host
        self._plug, self._clock, self._told = plug, clock, told
        self._settings = settings
        self._link = DataLink(Role.INSTRUMENT, settings.tolerances, frame_text=settings.frame_text)
        self._wire: Wire | None = None
        self._deadline = (-1, 0.0)  # serial number of the running timer, and when it ends
        self._fate: MessageFate | None = None  # the message in hand
        self._under_way: MessageFate | None = None  # the same, while an attempt runs
        self._began = 0.0

    @property
    def done(self) -> bool:
        """True when every message was acknowledged."""
        return all(fate.acknowledged for fate in self.fates)

    async def run(self) -> None:
        """Send everything, in order; ends when all is acknowledged or patience is over."""
        try:
            for fate in self.fates:
                await self._listen(self._clock.real(fate.transmission.think))
                if fate.transmission.query:
                    await within(self._clock, self._settings.patience, self._ask(fate))
                await within(self._clock, self._settings.patience, self._send(fate))
                if not fate.acknowledged:
                    self._stop(f"{fate.transmission.name} was not acknowledged in {self._settings.patience:g} s")
                    return
        except ProtocolError as error:
            self._stop(f"a message cannot be sent: {error}")
        finally:
            if self._wire is not None:
                await self._wire.close()

    def _stop(self, why: str) -> None:
        self.stopped = why
        self._told(f"{self.name}: stopped, {why}; look at labmw's log of this line")

    async def _send(self, fate: MessageFate) -> None:
        sent = fate.transmission
        hang_ups = list(sent.hang_ups)
        await self._connected()
        self._fate = fate
        if not sent.capture:
            self._note(self._link.send(self._left(fate), tag=fate))
        while not fate.acknowledged:
            wire = await self._connected()
            try:
                if sent.capture:
                    await self._play(wire, fate)
                else:
                    await self._converse(wire, fate, hang_ups[0].after_frames if hang_ups else None)
            except HungUpOnPurpose as hung_up:
                await self._lost(str(hung_up))
                await self._clock.sleep(self._clock.real(hang_ups.pop(0).pause))
            except WireLost as lost:
                await self._lost(str(lost))
                await self._clock.sleep(RETRY_SECONDS)
        self._fate = None

    async def _ask(self, fate: MessageFate) -> None:
        """Ask for the work of a tube, and wait for the answer as long as an analyzer does; without one it measures what it was told by hand."""
        before, asked = self._heard_out, ("query", fate.transmission.name)
        known = len(self.orders)
        await self._connected()
        self._note(self._link.send(fate.transmission.query, tag=asked))
        end = self._clock.monotonic() + self._settings.answer
        while self._heard_out == before and (left := end - self._clock.monotonic()) > 0:
            wire = await self._connected()
            try:
                if data := self._link.data_to_send():
                    await wire.write(data)
                await self._hear(wire, left)
            except WireLost as lost:
                await self._lost(str(lost))
                await self._clock.sleep(RETRY_SECONDS)
        self._link.withdraw(asked)
        if self._heard_out == before:
            self.answers["unanswered"] += 1
            return
        self.answers["work" if len(self.orders) > known else "no work"] += 1
        await self._listen(0.05)  # the host ends its session

    def _left(self, fate: MessageFate) -> list[bytes]:
        """Return the records to send: all, or for an analyzer that forgets record by record those that rebuild the hierarchy and the rest.

        Source: LIS02-A2 §5.3 (restart at the first record not presumed stored, after the records above it; spec B.7).
        """
        records = fate.transmission.records
        if self._settings.forgets == "message" or not fate.records_acknowledged:
            return list(records)
        above = [one for one in records[: fate.records_acknowledged] if one[:1] in (b"H", b"P", b"O")]
        return [*above, *records[fate.records_acknowledged :]]

    def _forget(self) -> None:
        """An attempt has failed: an analyzer that forgets record by record keeps only what was not acknowledged in it."""
        fate, self._under_way = self._under_way, None
        if fate is None or self._settings.forgets == "message":
            return
        sent = self._left(fate)
        above = len(sent) - (len(fate.transmission.records) - fate.records_acknowledged)
        ends = accumulate(len(cut(one, self._settings.frame_text)) for one in sent)
        through = sum(end <= fate.attempts[-1].frames for end in ends)
        fate.records_acknowledged += max(0, through - above)
        if self._link.withdraw(fate):
            self._note(self._link.send(self._left(fate), tag=fate))

    async def _converse(self, wire: Wire, fate: MessageFate, hang_up_after: int | None) -> None:
        """Let the link machine talk until the message is acknowledged."""
        while True:
            data = self._link.data_to_send()
            if data and hang_up_after is not None and self._under_way and fate.attempts[-1].frames >= hang_up_after:
                await wire.write(data[: len(data) // 2])
                raise HungUpOnPurpose(f"hung up on purpose after {hang_up_after} frames")
            if data:
                await wire.write(data)
            if fate.acknowledged:
                return
            await self._hear(wire, None)

    async def _play(self, wire: Wire, fate: MessageFate) -> None:
        """Send a recording as it is."""
        self._begin(fate)
        try:
            frames, again = await play(wire, steps(fate.transmission.capture), self._clock)
        except WireLost:
            raise
        except SimulatorError as error:
            self._end(str(error))
            await self._listen(RETRY_SECONDS)
            return
        fate.attempts[-1].frames, fate.attempts[-1].retransmissions = frames, again
        self._acknowledged(fate)

    async def _listen(self, seconds: float) -> None:
        """Wait, and hear the host out if it calls meanwhile."""
        end = self._clock.monotonic() + seconds
        while (left := end - self._clock.monotonic()) > 0:
            if self._wire is None:
                await self._clock.sleep(left)
                return
            try:
                await self._hear(self._wire, left)
                if data := self._link.data_to_send():
                    await self._wire.write(data)
            except WireLost as lost:
                await self._lost(str(lost))

    async def _hear(self, wire: Wire, longest: float | None) -> None:
        """Take what arrives, or the timer that ends first."""
        timer = self._link.timer
        now = self._clock.monotonic()
        if timer is not None and timer.serial != self._deadline[0]:
            self._deadline = (timer.serial, now + timer.seconds)
        waits = [left for left in (longest, self._deadline[1] - now if timer else None) if left is not None]
        heard = await (within(self._clock, max(0.0, min(waits)), wire.read()) if waits else wire.read())
        if heard:
            self._note(self._link.receive(heard))
        elif heard is not None:
            raise WireLost(f"{wire.peer} has hung up; dial again")
        elif timer is not None and self._clock.monotonic() >= self._deadline[1]:
            self._note(self._link.expire(timer))

    def _note(self, events: Sequence[link_events.Event]) -> None:
        pending = list(events)
        while pending:
            event = pending.pop(0)
            self.heard[type(event).__name__] += 1
            match event:
                case link_events.SendingStarted(tag=MessageFate() as fate):
                    self._begin(fate)
                case link_events.FrameSent(attempts=attempts) if self._fate is not None and self._fate.attempts:
                    self._fate.attempts[-1].frames += 1
                    self._fate.attempts[-1].retransmissions += attempts - 1
                case link_events.MessageSent(tag=MessageFate() as fate):
                    self._acknowledged(fate)
                case link_events.SendFailed(reason=reason):
                    self._end(reason)
                    self._forget()
                case link_events.FrameReceived(frame):  # orders and answers to queries
                    pending += self._link.accept()
                    for message in self._assembly.feed(frame):
                        self._take(message)
                case _:
                    pass

    def _take(self, message: Message) -> None:
        """Keep what the host orders."""
        self._heard_out += 1
        place, component, code = self._settings.given_at
        for record in message.records if message.fault is None else ():
            if record.type == "O":
                specimen = record.component(place, component).strip()
                codes = [record.component(5, code, repeat) for repeat in range(1, len(record.repeats(5)) + 1)]
                self.orders |= {(specimen, one): "SC" for one in codes if one}

    def _begin(self, fate: MessageFate) -> None:
        self._began = self._clock.monotonic()
        at = stamp(self._clock.now())
        fate.sent_at = fate.sent_at or at
        fate.attempts.append(Attempt(at))
        self._under_way = fate

    def _acknowledged(self, fate: MessageFate) -> None:
        self._under_way = None
        fate.acknowledged_at = stamp(self._clock.now())
        fate.seconds = round(self._clock.monotonic() - self._began, 6)
        self._end("acknowledged")
        for one in fate.transmission.results:
            if (one.specimen, one.code) in self.orders:
                self.orders[one.specimen, one.code] = "CM"
        attempts = f", attempt {len(fate.attempts)}" if len(fate.attempts) > 1 else ""
        self._told(f"{self.name}: {fate.transmission.name} acknowledged{attempts} ({fate.seconds:.3f} s)")

    def _end(self, outcome: str) -> None:
        if self._fate is not None and self._fate.attempts and self._fate.attempts[-1].outcome == "under way":
            self._fate.attempts[-1].outcome = outcome
            self._fate.attempts[-1].seconds = round(self._clock.monotonic() - self._began, 6)

    async def _connected(self) -> Wire:
        if self._wire is None:
            self._wire = await self._plug.open(self._clock)
            self.connections += 1
            self._note(self._link.resume())
        return self._wire

    async def _lost(self, why: str) -> None:
        self._end(why)
        self._told(f"{self.name}: {why}")
        self._note(self._link.hang_up())
        if self._wire is not None:
            await self._wire.close()
            self._wire = None

    def report(self) -> dict[str, Any]:
        """Return what was sent and what became of it, as JSON."""
        return {
            "name": self.name,
            "wire": self._plug.name,
            "complete": self.done,
            "stopped": self.stopped,
            "connections": self.connections,
            "link_events": dict(sorted(self.heard.items())),
            "queries": dict(sorted(self.answers.items())),
            "orders": [
                {"awos": "", "specimen": specimen, "code": code, "state": state}
                for (specimen, code), state in self.orders.items()
            ],
            "messages": [fate.report() for fate in self.fates],
            "results": _results(self.fates),
        }


def _results(fates: Sequence[MessageFate]) -> list[dict[str, Any]]:
    """Each result once, however often it was transmitted."""
    found: dict[object, dict[str, Any]] = {}
    for fate in fates:
        for place, result in enumerate(fate.transmission.results):
            one = found.setdefault(
                result,
                {
                    "specimen": result.specimen, "code": result.code, "detail": result.detail, "value": result.value,
                    "unit": result.unit, "completed": result.completed, "main": result.main,
                    "case": fate.transmission.case, "acknowledged": False, "transmissions": 0, "messages": [],
                },
            )  # fmt: skip
            one["acknowledged"] = one["acknowledged"] or fate.has_forgotten(place)
            one["transmissions"] += len(fate.attempts)
            one["messages"].append(fate.transmission.name)
    return list(found.values())
