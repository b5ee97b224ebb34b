"""How does an ASTM analyzer behave that asks for its work? It sends a query for a tube, listens, takes orders, measures and reports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from protocols.astm import events as link_events
from protocols.astm.datalink import DataLink, Role
from protocols.astm.frame import Frame
from protocols.astm.message import Assembly, Message
from protocols.astm.record import Record
from protocols.astm.tolerance import Tolerances
from simulators.analyzer import AS_INSTRUMENT
from simulators.clock import Clock
from simulators.errors import WireLost
from simulators.wire import Plug, Wire

RETRY_SECONDS = 0.2  # before it dials again


@dataclass(frozen=True, slots=True)
class AskingManners:
    """What this analyzer does otherwise than it should, each so many times. `patience`: seconds for an answer, then it forgets its question."""

    patience: float = 15.0
    busy: int = 0  # answers the host's ENQ with NAK
    refuse: int = 0  # refuses a frame of the host's
    mute: int = 0  # does not answer a frame at all
    hang_up_in_answer: int = 0  # hangs up when the first frame of an answer has come


@dataclass(frozen=True, slots=True)
class AskingForm:
    """How it writes. `{tube}` stands for the identifier."""

    head: str = "H|\\^&|||CHEM-X1|||||LABMW||P|LIS02-A2|20261101080000"
    query: str = "Q|1|^{tube}||ALL||||||||O"
    order: str = "O|1|{tube}||^^^{code}|R||||||N||||SER||||||||||F"
    result: str = "R|1|^^^{code}|{value}|{unit}||N||F||||{at}"
    specimen: tuple[int, int] = (
        3,
        1,
    )  # where in an O record the identifier stands, and which component of O.5 is the code
    code: int = 4


@dataclass(slots=True)
class AskingAnalyzer:
    """Use it as `async with`. `held` are the tests it has taken, by tube; `messages` all that the host has sent, whole."""

    plug: Plug
    clock: Clock
    form: AskingForm = AskingForm()
    manners: AskingManners = AskingManners()
    tolerances: Tolerances = AS_INSTRUMENT
    frame_text: int = 240
    messages: list[Message] = field(default_factory=list)
    held: dict[str, list[str]] = field(default_factory=dict)
    heard: list[link_events.Event] = field(default_factory=list)
    connections: int = 0
    _link: DataLink = field(init=False)
    _assembly: Assembly = field(default_factory=Assembly)
    _wire: Wire | None = None
    _task: asyncio.Task[None] | None = None
    _sent: dict[int, asyncio.Future[bool]] = field(default_factory=dict)
    _came: asyncio.Event = field(default_factory=asyncio.Event)
    _deadline: tuple[int, float] = (-1, 0.0)
    _number: int = 0
    _done: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._link = DataLink(Role.INSTRUMENT, self.tolerances, frame_text=self.frame_text)
        self._link.can_receive = self.manners.busy == 0

    async def __aenter__(self) -> AskingAnalyzer:
        self._task = asyncio.create_task(self._run(), name="asking analyzer")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if self._wire is not None:
            await self._wire.close()
        await self.plug.close()

    async def ask(self, tube: str, *, query: str = "") -> Message | None:
        """Ask for one tube; the host's answer, None when none came within the analyzer's patience."""
        before = len(self.messages)
        if not await self.send(self._query(tube, query)):
            return None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.manners.patience):
                while len(self.messages) == before:
                    self._came.clear()
                    await self._came.wait()
                return self.messages[before]
        return None

    async def report(self, tube: str, code: str, value: str, *, unit: str = "", at: str = "20261101081500") -> bool:
        """Report one result; True once it was acknowledged."""
        facts = {"tube": tube, "code": code, "value": value, "unit": unit, "at": at}
        order, result = self.form.order.format(**facts), self.form.result.format(**facts)
        return await self.send([self.form.head, "P|1", order, result, "L|1|N"])

    async def send(self, records: Sequence[str]) -> bool:
        """Send a message; True once every frame was acknowledged, False when the attempt failed."""
        self._number += 1
        number = self._number
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._sent[number] = done
        while self._wire is None:
            await self.clock.sleep(RETRY_SECONDS / 4)
        self._note(self._link.send([(one + "\r").encode("latin-1") for one in records], number))
        with contextlib.suppress(WireLost):  # whoever listens notices too, and says that the attempt has failed
            await self._write()
        return await done

    def _query(self, tube: str, query: str) -> list[str]:
        return [self.form.head, (query or self.form.query).format(tube=tube), "L|1|N"]

    # --- the line ---------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wire = await self.plug.open(self.clock)
            self.connections += 1
            with contextlib.suppress(WireLost):
                await self._converse(self._wire)
            wire, self._wire = self._wire, None  # first, so that nobody calls on a line that is gone
            self._note(self._link.hang_up())
            await wire.close()
            self._assembly = Assembly()
            await self.clock.sleep(RETRY_SECONDS)

    async def _converse(self, wire: Wire) -> None:
        self._note(self._link.resume())
        while True:
            await self._write()
            timer = self._link.timer
            now = self.clock.monotonic()
            if timer is not None and timer.serial != self._deadline[0]:
                self._deadline = (timer.serial, now + timer.seconds)
            reading = asyncio.ensure_future(wire.read())
            left = max(0.0, self._deadline[1] - now) if timer is not None else None
            try:
                await asyncio.wait({reading}, timeout=left)
            finally:
                if not reading.done():
                    reading.cancel()
                    await asyncio.wait({reading})
            if reading.cancelled():
                if timer is not None:
                    self._note(self._link.expire(timer))
                continue
            data = reading.result()
            if not data:
                raise WireLost(f"{wire.peer} has hung up; dial again")
            self._note(self._link.receive(data))

    async def _write(self) -> None:
        data = self._link.data_to_send()
        if data and self._wire is not None:
            await self._wire.write(data)

    def _note(self, events: Sequence[link_events.Event]) -> None:
        pending = list(events)
        while pending:
            event = pending.pop(0)
            self.heard.append(event)
            match event:
                case link_events.MessageSent(tag=int() as number):
                    self._settle(number, sent=True)
                case link_events.SendFailed(tag=int() as number):
                    self._link.withdraw(number)
                    self._settle(number, sent=False)
                case link_events.CallRefused():
                    if self._times("busy") >= self.manners.busy:
                        self._link.can_receive = True
                case link_events.FrameReceived(frame):
                    pending += self._take(frame)
                case _:
                    pass

    def _take(self, frame: Frame) -> list[link_events.Event]:
        """Take one frame of the host's, or do with it what this analyzer's manners say."""
        if self._done.get("hang_up_in_answer", 0) < self.manners.hang_up_in_answer:
            self._times("hang_up_in_answer")
            raise WireLost("hung up on purpose")
        if self._done.get("mute", 0) < self.manners.mute:
            self._times("mute")
            return []  # its own answer timer runs out, and it falls silent
        if self._done.get("refuse", 0) < self.manners.refuse:
            self._times("refuse")
            return self._link.refuse()
        events = self._link.accept()
        for message in self._assembly.feed(frame):
            self._keep(message)
        return events

    def _keep(self, message: Message) -> None:
        self.messages.append(message)
        for record in message.records:
            if record.type == "O":
                self._order(record)
        self._came.set()

    def _order(self, record: Record) -> None:
        field_, component = self.form.specimen
        tube = record.component(field_, component).strip()
        codes = [record.component(5, self.form.code, repeat) for repeat in range(1, len(record.repeats(5)) + 1)]
        for code in filter(None, codes):
            held = self.held.setdefault(tube, [])
            if record.field(12) == "C":
                while code in held:
                    held.remove(code)
            else:
                held.append(code)

    def _settle(self, number: int, *, sent: bool) -> None:
        done = self._sent.pop(number, None)
        if done is not None and not done.done():
            done.set_result(sent)

    def _times(self, what: str) -> int:
        self._done[what] = self._done.get(what, 0) + 1
        return self._done[what]
