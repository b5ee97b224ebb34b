"""One connection that speaks LIS01-A2: bytes to frames, frames to the journal, messages to intake, and only then an ACK.

The order is law 3: each frame is committed, then acknowledged; the frame that ends with L is committed together with its message
and results. A commit that takes longer than the owner's patience is answered NAK; the analyzer keeps its data and sends again, and
a commit that completes later is recognised when the same frame comes back.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from labmw.clock import Clock
from labmw.driver import Driver
from labmw.errors import StoreError
from labmw.line.gathering import Gathered, Gatherer, Gathering
from labmw.line.health import LinkHealth
from labmw.line.hearing import Hearing
from labmw.line.journal import BEHIND, SessionJournal, keep_frame
from labmw.line.received import UNTERMINATED, Intake, Received
from labmw.line.transport import Wire
from labmw.metrics import FRAMES_REFUSED, SESSIONS, of_link
from labmw.store.transaction import Step, Store
from protocols.astm.control import show
from protocols.astm.datalink import DataLink, Role
from protocols.astm.events import (
    AnswerTooLate,
    CallRefused,
    Event,
    FrameReceived,
    FrameRefused,
    MessageSent,
    Noise,
    Overrun,
    SendFailed,
    SessionClosed,
    SessionOpened,
    Timer,
    Troubled,
)
from protocols.astm.frame import MAX_TEXT_SERIAL, Frame
from protocols.astm.tolerance import Tolerances
from protocols.plain.receiver import PlainLink
from protocols.plain.tolerance import PlainTolerances

log = structlog.get_logger("labmw.line")

SENDER_PATIENCE = (
    14.0  # seconds; a sender without an answer gives up at 15 (E1381 6.5.2.3), so an EOT after this may mean a lost ACK
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed for a link: who we are, what we tolerate, how long we wait."""

    site: str
    link: str
    role: Role
    tolerances: Tolerances
    encoding: str
    driver: Driver | None  # None: chosen by each message's header
    commit_timeout: float = 10.0
    message_bytes: int = 64 * 2**20
    idle_timeout: float = 0.0
    frame_text: int = MAX_TEXT_SERIAL  # characters in one frame of ours
    plain: tuple[PlainLink, PlainTolerances] | None = None  # a link that does not speak ASTM frames
    tap: bool = False  # another middleware answers: what we would say is not said, and not in the journal either
    two_replies: bool = True  # HL7: a commit acknowledgment and an application reply, where both are asked for
    reply_accept: str = "NE"  # HL7: MSH-15 of that application reply
    batch_reply: bool = False  # HL7: a batch is answered by one batch, instead of each of its messages by itself


class Machine(Protocol):
    """The receiving end of a line, pure: bytes and expired deadlines in, events and bytes to send out."""

    used: Counter[str]

    @property
    def timer(self) -> Timer | None:
        """The deadline now running."""
        ...

    def receive(self, data: bytes) -> list[Event]:
        """Bytes have arrived, cut in any way."""
        ...

    def accept(self) -> list[Event]:
        """The frame handed over last is safe with its owner: acknowledge it."""
        ...

    def refuse(self) -> list[Event]:
        """The frame handed over last could not be stored."""
        ...

    def expire(self, timer: Timer) -> list[Event]:
        """A deadline has passed."""
        ...

    def hang_up(self) -> list[Event]:
        """The wire is gone."""
        ...

    def data_to_send(self) -> bytes:
        """The bytes to write now; each is given once."""
        ...


class AstmConversation:
    """Runs one connection until it ends; nothing it promised depends on memory."""

    def __init__(
        self, wire: Wire, terms: Terms, store: Store, intake: Intake, health: LinkHealth, clock: Clock
    ) -> None:
        self._wire, self._terms, self._store, self._intake, self._health, self._clock = (
            wire,
            terms,
            store,
            intake,
            health,
            clock,
        )
        self._hearing = Hearing(wire)
        self._machine: Machine = self._receiver()
        self._journal = SessionJournal(store, clock, terms.site, terms.link, wire.peer)
        self._assembly = self._gathering()
        self._owed = False  # something of this session could not be handed over: recovery must
        self._interrupted = False  # we were cancelled at work: whether a commit under way counts, nobody has told us
        self._uncertain: Frame | None = None  # refused for the store's sake; its commit may come late all the same
        self._deadline: tuple[Timer, float] | None = None
        self._answered_at = 0.0
        self._told: Counter[str] = Counter()
        self._metrics = of_link(terms.link)
        self._log = log.bind(link=terms.link, peer=wire.peer)

    def _receiver(self) -> Machine:
        return DataLink(self._terms.role, self._terms.tolerances, frame_text=self._terms.frame_text)

    def _gathering(self) -> Gatherer:
        return Gathering(self._terms.encoding, self._terms.tolerances, self._terms.message_bytes)

    async def run(self) -> str:
        """Talk until the other side hangs up, or until we are cancelled; return why it ended."""
        ending = "hang-up"
        try:
            while True:
                data = await self._read()
                if data is None:
                    if self._machine.timer is None:
                        ending = "idle"
                        break
                    await self._work(self._expire())
                elif not data:
                    break
                else:
                    self._journal.note(">", data)
                    self._health.heard()
                    await self._work(self._machine.receive(data))
                await self._journal.settled(BEHIND)
        finally:
            try:
                if not self._interrupted:
                    await self._work(self._machine.hang_up())
            finally:
                self._close(ending)
                self._hearing.close()
                await self._wire.close()
                await self._journal.settled()
        return ending

    def _close(self, ending: str) -> None:
        """End the session; one that was interrupted in the middle of a commit stays open, and recovery reads in the store what became of it."""
        if self._interrupted:
            self._health.owed.add(self._journal.session)
            self._journal.leave_open()
        else:
            self._journal.close(ending, self._clock.now())

    async def _read(self) -> bytes | None:
        """Return bytes, b"" at the end, or None when the running timer (or the idle limit) has expired."""
        until = self._until()
        if until is None:
            return await self._wire.read()
        if until <= asyncio.get_running_loop().time():  # also while bytes never cease to come
            return None
        return await self._hearing.read(until)

    def _until(self) -> float | None:
        timer = self._machine.timer
        loop = asyncio.get_running_loop()
        if timer is None:
            self._deadline = None
            return loop.time() + self._terms.idle_timeout if self._terms.idle_timeout else None
        if self._deadline is None or self._deadline[0] is not timer:
            self._deadline = (timer, loop.time() + timer.seconds)
        return self._deadline[1]

    def _expire(self) -> list[Event]:
        timer = self._machine.timer
        return self._machine.expire(timer) if timer is not None else []

    async def _work(self, events: Sequence[Event]) -> None:
        """Deal with events in order; what accepting a frame brings to light comes next."""
        queue = deque(events)
        try:
            while queue:
                event = queue.popleft()
                if isinstance(event, FrameReceived):
                    queue.extendleft(reversed(await self._frame(event.frame)))
                else:
                    await self._notice(event)
                await self._send()
            await self._send()
        except asyncio.CancelledError:
            self._interrupted = True
            raise

    async def _send(self) -> None:
        if data := self._machine.data_to_send():
            if not self._terms.tap:
                self._journal.note("<", data)
            self._wire.write(data)
            self._answered_at = self._clock.monotonic()
            await self._wire.drain()

    async def _notice(self, event: Event) -> None:
        match event:
            case SessionOpened():
                self._start_session()
            case SessionClosed(reason=reason):
                await self._session_closed(str(reason))
            case FrameRefused(fault=fault, raw=raw, in_a_row=count):
                FRAMES_REFUSED.labels(self._terms.link, fault.value).inc()
                self._health.refused(count, fault.value)
                self._tell("frame refused", fault=fault.value, in_a_row=count, bytes=len(raw), begins=show(raw[:3]))
            case Troubled(in_a_row=count):
                self._health.trouble("frames-refused", count=str(count))
                self._log.error(
                    "frames refused in a row: check cable, baud rate, parity and the link's tolerances", count=count
                )
            case Noise(data=data):
                self._tell("bytes that belong to nothing ignored", bytes=len(data), begins=show(data[:1]))
            case CallRefused(in_session=True):
                self._tell("ENQ in a running session refused; the tolerance enq_in_transfer would allow it")
            case AnswerTooLate():
                self._log.error("the store took so long that the sender has given up; it sends again: look at the disk")
            case Overrun(dropped=dropped):
                self._log.error("a sender does not wait for its answers; bytes were dropped unanswered", bytes=dropped)
            case SendFailed(reason=reason):
                self._log.warning("message not taken by the analyzer; it is kept", reason=str(reason))
            case MessageSent():
                self._log.info("message taken by the analyzer")
            case _:
                pass

    def _tell(self, event: str, **facts: object) -> None:
        """Log what a bad line repeats the 1st, 2nd, 4th, 8th ... time: a peer that sends rubbish must not fill the log."""
        self._told[event] += 1
        count = self._told[event]
        if count & (count - 1) == 0:
            self._log.warning(event, times=count, **facts)

    def _start_session(self) -> None:
        self._assembly = self._gathering()
        self._uncertain, self._owed = None, False

    async def _frame(self, frame: Frame) -> list[Event]:
        """Make a frame durable, then answer for it: the one place where an ACK of content is given."""
        started, timer = self._clock.monotonic(), self._machine.timer
        try:
            messages = await self._keep(frame)
        except StoreError as error:
            self._health.trouble("store", why=str(error))
            self._log.error("nothing can be stored: the analyzer is refused and keeps its results", why=str(error))
            return [*self._too_late(timer, started), *self._machine.refuse()]
        self._health.well("store")
        if messages:
            self._health.message()
        events = [*self._too_late(timer, started), *self._machine.accept()]
        self._metrics.frames.inc()
        self._metrics.ack_seconds.observe(self._clock.monotonic() - started)
        return events

    def _too_late(self, timer: Timer | None, started: float) -> list[Event]:
        """Tell the machine when the sender has given up waiting: an answer now would be taken for the answer to its next ENQ."""
        if timer is None or self._clock.monotonic() - started < timer.seconds:
            return []
        return self._machine.expire(timer)

    async def _keep(self, frame: Frame) -> bool:
        """Commit a frame, and its message where it ends one; True when a message was taken in."""
        again = self._uncertain is not None and self._uncertain.raw == frame.raw
        self._uncertain = frame
        seq = self._journal.frames + 1
        steps = self._journal.frame_steps(frame, again=again)
        if self._assembly.completes(frame):
            trial = self._assembly.copy()
            gathered = trial.feed(frame, seq)
            for number, one in enumerate(gathered):  # the first carries the frame's own steps
                await self._intake.take(self._received(one, () if number else steps, first_attempt=not again))
            self._assembly = trial
            self._journal.committed()
        else:
            await self._commit(steps, again=again)
            self._journal.committed()
            gathered = self._assembly.feed(frame, seq)
            for one in gathered:
                await self._take_unterminated(one)
        self._uncertain = None
        if any(one.place == UNTERMINATED for one in gathered):
            self._log.error("message too large; it is kept in pieces, none of which is released")
        return bool(gathered)

    async def _commit(self, steps: Sequence[Step], *, again: bool) -> None:
        """Commit a frame that ends no message: with those of other lines as one, the first time."""
        patience = self._terms.commit_timeout
        if again:
            await self._store.run(keep_frame(steps, again=True), timeout=patience)
        else:
            about = frozenset({f"session/{self._journal.session}"})
            await self._store.run_beside(lambda: keep_frame(steps, again=False), about, timeout=patience)

    def _received(self, one: Gathered, before: Sequence[Step], *, first_attempt: bool = False) -> Received:
        return Received(
            link=self._terms.link,
            session=self._journal.session,
            peer=self._wire.peer,
            protocol=self._assembly.protocol,
            first=one.first,
            last=one.last,
            place=one.place,
            received_at=self._clock.now(),
            raw=one.message.raw,
            message=one.message,
            tolerances=tuple(sorted({*self._machine.used, *self._assembly.used})),
            before=tuple(before),
            first_attempt=first_attempt,
        )

    async def _session_closed(self, reason: str) -> None:
        """Deliver what ended without L, and say how the session ended."""
        ending = reason
        if reason == "eot" and self._uncertain is not None:
            ending = "eot-in-doubt"  # its last frame was refused, and may have been committed all the same
        elif reason == "eot" and self._clock.monotonic() - self._answered_at >= SENDER_PATIENCE:
            ending = "eot-after-silence"
        SESSIONS.labels(self._terms.link, ending).inc()
        if (rest := self._assembly.rest(self._journal.frames)) is not None:
            await self._take_unterminated(rest)
        if self._owed:
            self._health.owed.add(self._journal.session)
            self._journal.leave_open()
        else:
            self._journal.close(ending, self._clock.now())
        self._start_session()

    async def _take_unterminated(self, one: Gathered) -> None:
        """Keep what L did not end. If the store is down its frames are in the journal: the session stays open until they are taken up."""
        try:
            await self._intake.take(self._received(one, ()))
        except StoreError as error:
            self._owed = True
            self._health.trouble("store", why=str(error))
            self._log.error("an unterminated message waits in the journal until the store is back", why=str(error))
