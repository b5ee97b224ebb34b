"""How does an IHE LAW analyzer behave on its line? It asks for work, takes or refuses it, reports, and answers while it waits for answers.

Its peculiarities are a profile (`protocols.hl7.profile`); what it does on purpose are its manners. One plug carries both directions, or a
second one brings the orders (Alinity, Atellica). Replies are matched by MSA-2 alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from protocols.errors import ProtocolError
from protocols.hl7 import law
from protocols.hl7.acknowledgment import ack, wanted
from protocols.hl7.er7 import Message
from protocols.hl7.law import Acknowledgment, EntityId, ErrorDetail, Header, Location
from protocols.hl7.mllp import Block, MllpReader, wrap
from protocols.hl7.profile import GENERIC, LawProfile, QueryBy
from simulators.clock import Clock, within
from simulators.errors import SimulatorError, WireLost
from simulators.wire import Plug, Wire

RETRY_SECONDS = 0.2  # before a lost connection is dialled again
WORK_PATIENCE = 10.0  # seconds after the reply to a query until the work, or its absence, must have come


@dataclass(frozen=True, slots=True)
class Manners:
    """What an analyzer does with orders."""

    refuses: frozenset[str] = frozenset()  # test codes it is unable to accept
    cannot_cancel: bool = False
    unknown_container: bool = False  # it answers "no work" with AR: it does not recognise the tube
    silent: int = 0  # so many order messages are not answered at all
    loses: int = 0  # so many order messages are worked on, and what it says to them gets lost on the way
    stores_only: int = 0  # so many are only said to be stored (CA), where that is asked for
    confirms: bool = True  # it says that a reply of labmw's is stored, where that is asked for
    patience: float = 60.0  # seconds until a message is sent again
    resends: int = 2


@dataclass(slots=True)
class Taken:
    """One AWOS that the analyzer has."""

    specimen: law.Specimen
    step: law.Step
    state: str = "SC"  # ORC-5: SC, IP, CM, CA


@dataclass(frozen=True, slots=True)
class Offer:
    """What a query has brought: the reply, then work or the word that there is none; neither when it was refused."""

    answer: law.QueryAnswer
    work: tuple[Taken, ...] = ()
    patient: law.ReportPatient | None = None
    nothing: law.NoWork | None = None


class Unanswered(SimulatorError):
    """The analyzer manager has not answered, however often it was asked."""


@dataclass(slots=True)
class LawAnalyzer:
    """One simulated LAW analyzer. Use it as `async with`."""

    name: str
    plug: Plug
    clock: Clock
    profile: LawProfile = GENERIC
    orders: Plug | None = None  # where the analyzer manager dials to bring orders
    manners: Manners = Manners()
    told: Callable[[str], None] = lambda _: None
    application: str = "LAW-SIM"
    facility: str = "SIMULATION"
    counts: Counter[str] = field(default_factory=Counter)
    held: dict[str, Taken] = field(default_factory=dict)  # by AWOS
    arrived: list[law.Work | law.NoWork] = field(default_factory=list)  # every order message, repeats too
    replies: list[Message] = field(default_factory=list)  # everything that answered us
    connections: int = 0
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    _wire: Wire | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _awaited: dict[str, asyncio.Future[Message]] = field(default_factory=dict)
    _offers: dict[str, asyncio.Queue[law.Work | law.NoWork]] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _number: int = 0

    async def __aenter__(self) -> LawAnalyzer:
        self._tasks = [asyncio.create_task(self._serve(self.plug, own=True))]
        if self.orders is not None:
            self._tasks.append(asyncio.create_task(self._serve(self.orders, own=False)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- what it says -----------------------------------------------------------------------------------------------------

    def header(self) -> Header:
        """MSH of the next message."""
        self._number += 1
        return Header(self.application, self.facility, "LABMW", "", self._now(), f"{self.name}-{self._number}")

    async def ask(
        self,
        by: QueryBy = QueryBy.CONTAINER,
        *,
        named: str = "",
        carrier: str = "",
        position: str = "",
        tray: str = "",
        isolate: str = "",
    ) -> Offer:
        """Ask for work: for a container (`named`), a rack, a tray, an isolate, or everything; wait for what comes of it."""
        name = self.profile.query_name(by)
        if name is None:
            raise SimulatorError(f"{self.profile.name} has no query by {by.value}; choose another")
        header = self.header()
        query = law.Query(
            header=header,
            name=law.Code(*name.components()),
            by=by,
            tag=f"T{self._number}",
            container=named,
            carrier=carrier,
            position=position,
            tray=tray,
            isolate=isolate,
        )
        key = isolate or named or carrier or tray
        self._asked.add(key)
        offers = self._offers.setdefault(key, asyncio.Queue())
        while not offers.empty():
            offers.get_nowait()
        reply = await self.send(header.control_id, law.write_query(query, self.profile))
        answer = law.read_query_answer(reply) if reply.code == "RSP" else _refused(reply)
        if answer.code != "AA" or by not in (QueryBy.CONTAINER, QueryBy.ISOLATE):
            return Offer(answer)
        came = await within(self.clock, WORK_PATIENCE, offers.get())
        if came is None:
            raise Unanswered(
                f"{self.name}: neither work nor its absence came for {key}; look at labmw's log of this line"
            )
        if isinstance(came, law.NoWork):
            return Offer(answer, nothing=came)
        return Offer(answer, tuple(self.held[one] for one in _names(came) if one in self.held), came.patient)

    async def report(self, *items: law.SpecimenStatus, patient: law.ReportPatient | None = None) -> Acknowledgment:
        """Report results or states; wait for the acknowledgment."""
        change = law.StatusChange(self.header(), items, patient)
        return await self.report_again(change)

    async def report_again(self, change: law.StatusChange) -> Acknowledgment:
        """Send a report, also one that was sent before: the same bytes under the same MSH-10."""
        for item in change.specimens:
            for step in item.steps:
                if step.awos and step.awos.id in self.held:
                    self.held[step.awos.id].state = step.status
        reply = await self.send(change.header.control_id, law.write_status(change, self.profile))
        return law.read_ack(reply)

    async def send(self, control_id: str, raw: bytes) -> Message:
        """Send a message and wait for its reply, and send it again, the same bytes, when none comes; raises Unanswered."""
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._awaited[control_id] = answer
        try:
            for attempt in range(1 + self.manners.resends):
                self.counts["sent again" if attempt else "sent"] += 1
                await self._write(raw)
                reply = await within(self.clock, self.manners.patience, _wait(answer))
                if reply is not None:
                    return reply
            raise Unanswered(f"{self.name}: no reply to {control_id}; look at labmw's log of this line")
        finally:
            self._awaited.pop(control_id, None)

    async def say(self, data: bytes) -> None:
        """Put bytes on the line as they are: what a broken analyzer does."""
        await self.connected.wait()
        if self._wire is not None:
            await self._wire.write(data)

    async def reply_to(self, came: law.Work | law.NoWork) -> None:
        """Reply to an order of an earlier connection."""
        await self.say(self._reply(came))

    async def hang_up(self) -> None:
        """Hang up; the line is dialled again."""
        if self._wire is not None:
            self.connected.clear()
            await self._wire.close()

    # --- what it hears ----------------------------------------------------------------------------------------------------

    async def _serve(self, plug: Plug, *, own: bool) -> None:
        """Keep one connection open, and hear what comes over it."""
        while True:
            wire = await plug.open(self.clock)
            self.connections += 1
            if own:
                self._wire = wire
                self.connected.set()
            reader = MllpReader()
            try:
                while data := await wire.read():
                    for event in reader.receive(data):
                        if isinstance(event, Block):
                            await self._hear(event.data, wire)
            except WireLost:
                pass
            finally:
                if own:
                    self._wire = None
                    self.connected.clear()
                with contextlib.suppress(WireLost, OSError):
                    await wire.close()
            await self.clock.sleep(RETRY_SECONDS)

    async def _hear(self, data: bytes, wire: Wire) -> None:
        message = Message.parse(data)
        self.counts[f"heard {message.code}^{message.trigger}"] += 1
        await self._commit(message, wire)
        if message.first("MSA") is not None:
            self.replies.append(message)
            told = law.read_ack(message)
            if told.code == "CA" and not self.profile.commit_settles:
                return  # stored there: the reply proper follows
            answer = self._awaited.get(told.control_id)
            if answer is not None and not answer.done():
                answer.set_result(message)
            return
        try:
            came = law.read_work(message, self.profile)
        except ProtocolError as error:
            self.told(f"{self.name}: cannot read what labmw sent: {error}")
            return
        self.arrived.append(came)
        if self.manners.loses > self.counts["replies lost"]:
            self.counts["replies lost"] += 1
            self._reply(came)
            return
        if self.manners.silent > self.counts["kept silent"]:
            self.counts["kept silent"] += 1
            return
        if self.manners.stores_only > self.counts["stored only"]:
            self.counts["stored only"] += 1
            return
        await wire.write(self._reply(came))
        for key in _keys(came):
            if key in self._offers:
                self._offers[key].put_nowait(came)

    async def _commit(self, message: Message, wire: Wire) -> None:
        """Say that a message is stored, where it asks for that (MSH-15): before its reply, or to a reply."""
        if self.manners.silent > self.counts["kept silent"] or not wanted(message).owes_commit(accepted=True):
            return
        if message.first("MSA") is not None and not self.manners.confirms:
            return
        self._number += 1
        self.counts["committed"] += 1
        await wire.write(wrap(ack(message, "CA", control_id=f"{self.name}-{self._number}", when=self._now())))

    def _reply(self, came: law.Work | law.NoWork) -> bytes:
        return wrap(law.write_work_reply(self._decide(came), self.profile))

    def _decide(self, came: law.Work | law.NoWork) -> law.WorkReply:
        """Take the work, or say why not (LAB28-004 to LAB28-009)."""
        self._number += 1
        header = law.answering(came.header, f"{self.name}-{self._number}", self._now())
        reply = law.WorkReply(header, "AA", came.header.control_id)
        if isinstance(came, law.NoWork):
            if self.manners.unknown_container or not self._asked & set(_keys(came)):
                error = ErrorDetail("204", f"{came.specimen.label} was not queried", Location("SAC", 1, 3))
                return replace(reply, code="AR", errors=(error,))
            return reply
        items = tuple(
            law.SpecimenReply(item.specimen, tuple(self._decide_step(item.specimen, step) for step in item.steps))
            for item in came.specimens
        )
        return replace(reply, specimens=items)

    def _decide_step(self, specimen: law.Specimen, step: law.Step) -> law.StepReply:
        name = step.awos.id if step.awos else ""
        held = self.held.get(name)
        if step.control == "CA":
            if held is None or self.manners.cannot_cancel or held.state != "SC":
                self.counts["unable to cancel"] += 1
                return law.StepReply(step.awos, "UC", held.state if held and held.state in ("IP", "CM") else "IP")
            held.state = "CA"
            self.counts["cancelled"] += 1
            return law.StepReply(step.awos, "CR", "CA")
        if held is not None or step.test.code in self.manners.refuses:
            self.counts["refused"] += 1
            return law.StepReply(step.awos, "UA", "CA")
        self.held[name] = Taken(specimen, step)
        self.counts["accepted"] += 1
        return law.StepReply(step.awos, "OK", "SC")

    async def _write(self, raw: bytes) -> None:
        """Write a message on the connection there is, or on the next one."""
        while True:
            await self.connected.wait()
            wire = self._wire
            if wire is None:
                await self.clock.sleep(RETRY_SECONDS)
                continue
            try:
                await wire.write(wrap(raw))
                return
            except WireLost:
                await self.clock.sleep(RETRY_SECONDS)

    def _now(self) -> str:
        return self.clock.now().strftime("%Y%m%d%H%M%S+0000")

    def report_line(self) -> dict[str, Any]:
        """What happened on the line, as JSON."""
        return dict(sorted(self.counts.items()))


async def _wait(answer: asyncio.Future[Message]) -> Message:
    return await asyncio.shield(answer)


def _names(work: law.Work) -> list[str]:
    return [step.awos.id for step in work.steps if step.awos]


def _keys(came: law.Work | law.NoWork) -> list[str]:
    specimens = [came.specimen] if isinstance(came, law.NoWork) else [item.specimen for item in came.specimens]
    return [key for one in specimens for key in (one.label, one.carrier, one.tray) if key]


def _refused(reply: Message) -> law.QueryAnswer:
    """A query that was answered with a general acknowledgment."""
    told = law.read_ack(reply)
    return law.QueryAnswer(
        law.read_header(reply.header), told.code, told.control_id, "", told.code, None, told.text, told.errors
    )


def done(taken: Taken, *observations: law.Observation, status: str = "CM") -> law.SpecimenStatus:
    """The report on one AWOS."""
    step = law.StepStatus(taken.step.awos, taken.step.test, status, observations=observations)
    return law.SpecimenStatus(taken.specimen, (step,))


def named(identifier: str) -> EntityId:
    """An order number as OBR-2 or ORC-8 holds it."""
    return EntityId(identifier)
