"""What does one end of a line remember, and what does it do at each transition of the table?

Every method here whose name stands in protocols.astm.table is an action. Numbers in comments are clauses of E1381-95.
"""

from collections import Counter, deque
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, Literal

from protocols.astm.control import ACK, ENQ, EOT, NAK
from protocols.astm.events import (
    AnswerTooLate,
    CallRefused,
    Contention,
    Deadline,
    Event,
    Fault,
    FrameReceived,
    FrameRefused,
    FrameRepeated,
    FrameSent,
    Interrupted,
    LineBusy,
    MessageSent,
    Noise,
    SendFailed,
    SendingStarted,
    SessionClosed,
    SessionOpened,
    Timer,
    Troubled,
)
from protocols.astm.frame import Frame, cut, encode
from protocols.astm.scanner import Damaged, Scanner
from protocols.astm.table import TABLE, Input, State
from protocols.astm.tolerance import Tolerances

SIX: Final = 6
"""Transmissions of one frame before the sender gives up (§6.5); refusals in a row before a person is told."""
NOISE_PIECE: Final = 4096
_ENQ, _EOT, _ACK, _NAK = (bytes([character]) for character in (ENQ, EOT, ACK, NAK))


class Role(Enum):
    """Who wins when both send ENQ: the instrument (§6.2)."""

    COMPUTER = "computer"
    INSTRUMENT = "instrument"


class Station:
    """One end of one line: its memory and its actions; DataLink gives it ears."""

    __slots__ = (
        "_attempts",
        "_crossed",
        "_deadline",
        "_events",
        "_expected",
        "_frame",
        "_frames",
        "_in_a_row",
        "_index",
        "_interrupt",
        "_last",
        "_limit",
        "_out",
        "_owed",
        "_pending",
        "_plain",
        "_queue",
        "_replies",
        "_restarted",
        "_role",
        "_scanner",
        "_serial",
        "_state",
        "_strays",
        "_strict",
        "_texts",
        "_timer",
        "_tolerances",
        "can_receive",
        "used",
    )

    def __init__(
        self,
        role: Role,
        tolerances: Tolerances,
        frame_text: int,
        max_pending: int,
    ) -> None:
        cut(b"", frame_text)  # objects to an impossible limit now, not at the first message
        self._role = role
        self._tolerances = tolerances
        self._limit = frame_text
        self._pending = max_pending
        self._strict = tolerances.frame_numbers == "strict"
        self._replies = tolerances.send_replies
        self._plain = False  # nothing unusual is going on: accept() may take the short way
        self.can_receive = True
        self.used: Counter[str] = Counter()
        self._scanner = Scanner(tolerances, self.used)
        self._state = State.NEUTRAL
        self._out = b""
        self._events: list[Event] = []
        self._deadline: Deadline | None = None
        self._serial = 0
        self._timer: Timer | None = None
        self._owed: Deadline | None = None  # a pause due before our next ENQ
        self._restarted = False  # the pause now running was cut short once by a session of the peer
        # as receiver
        self._expected = 1
        self._last: Frame | None = None
        self._frame: Frame | None = None
        self._frames = 0
        self._in_a_row = 0
        self._strays = 0
        self._interrupt = False
        # as sender
        self._crossed = False  # a frame came while our ENQ was out
        self._queue: deque[tuple[tuple[bytes, ...], object]] = deque()
        self._texts: list[tuple[bytes, bool]] = []
        self._index = 0
        self._attempts = 0

    # -- the table at work -----------------------------------------------------------------------------------

    def _step(self, happened: Input, what: Any = None) -> None:
        if self._scanner.noise:
            self._tell_noise()
        action, self._state = TRANSITIONS[self._state][happened]
        action(self, what)

    def _tell_noise(self, at_least: int = 1) -> None:
        noise = self._scanner.noise
        while len(noise) >= at_least:
            self._events.append(Noise(bytes(noise[:NOISE_PIECE])))
            del noise[:NOISE_PIECE]

    def _run(self, deadline: Deadline | None) -> None:
        self._deadline = deadline
        self._serial += 1

    def _find_plain(self) -> None:
        """Whether accept() may take the short way: nothing unusual is asked for, tolerated or going on."""
        self._plain = self._strict and self._replies and not self._interrupt and not self._in_a_row

    def _say(self, character: bytes) -> None:
        """Answer the sender; nothing leaves on a line in one direction."""
        if self._replies:
            self._out += character

    # -- actions: establishment ------------------------------------------------------------------------------

    def _begin_session(self, implicit: bool) -> None:
        if self._deadline in _NOT_CUT_SHORT and not self._restarted:
            self._owed = self._deadline
        self._expected = 1
        self._last = self._frame = None
        self._frames = self._in_a_row = self._strays = 0
        self._interrupt = False
        self._find_plain()
        self._events.append(SessionOpened(implicit))
        self._run(Deadline.RECEIVE)

    def _open_session(self, _: object) -> None:
        self._begin_session(implicit=False)
        self._say(_ACK)

    def _open_unannounced(self, _: object) -> None:
        self.used["implicit_session"] += 1
        self._begin_session(implicit=True)

    def _restart_session(self, _: object) -> None:
        self._events.append(SessionClosed("restart", self._frames))
        self._open_session(None)

    def _refuse_call(self, _: object) -> None:
        self._events.append(CallRefused(in_session=self._state is State.RECEIVING))
        self._say(_NAK)

    def _bid(self, _: object) -> None:
        self._restarted = self._crossed = False
        self._out += _ENQ
        self._run(Deadline.ENQ_REPLY)

    def _pause(self, _: object) -> None:
        self._restarted = self._owed in _NOT_CUT_SHORT
        self._run(self._owed)
        self._owed = None

    def _end_pause(self, _: object) -> None:
        self._run(None)

    def _wait_busy(self, _: object) -> None:
        self._events.append(LineBusy())
        self._run(Deadline.BUSY)

    def _yield_line(self, _: object) -> None:
        self._events.append(Contention())
        self._run(Deadline.CONTENTION_COMPUTER)

    def _insist(self, _: object) -> None:
        self._events.append(Contention())
        self._run(Deadline.CONTENTION_INSTRUMENT)

    def _yield_and_open(self, _: object) -> None:
        self._events.append(Contention())
        self._open_session(None)

    def _give_up_bid(self, _: object) -> None:
        self._give_up("enq-unanswered")

    def _give_up_silently(self, _: object) -> None:
        # The peer believes that we receive. An EOT it would take for the acceptance of its frame; without it, its own
        # timer ends the misunderstanding.
        self._events.append(SendFailed(self._queue[0][1], "enq-unanswered"))
        self._run(Deadline.RETRY)

    # -- actions: transfer and termination, as sender --------------------------------------------------------

    def _transmit(self) -> None:
        self._attempts += 1
        text, last = self._texts[self._index]
        self._out += encode((self._index + 1) & 7, text, last)
        self._run(Deadline.FRAME_REPLY)

    def _send_first(self, _: object) -> None:
        message, tag = self._queue[0]
        records = [b"".join(message)] if self._tolerances.packing == "message" else message
        self._texts = [text for record in records for text in cut(record, self._limit)]
        self._index = self._attempts = 0
        self._events.append(SendingStarted(tag))
        self._transmit()

    def _frame_is_sent(self) -> None:
        self._events.append(FrameSent((self._index + 1) & 7, self._attempts))
        self._index += 1
        self._attempts = 0

    def _send_next(self, _: object) -> None:
        self._frame_is_sent()
        self._transmit()

    def _send_again(self, _: object) -> None:
        self._transmit()

    def _finish(self, _: object) -> None:
        self._frame_is_sent()
        self._events.append(MessageSent(self._queue.popleft()[1]))
        self._out += _EOT
        self._run(None)

    def _give_way(self, _: object) -> None:
        self._events.append(Interrupted(honoured=True))
        self._frame_is_sent()
        if self._index == len(self._texts):
            self._events.append(MessageSent(self._queue.popleft()[1]))
        else:
            self._events.append(SendFailed(self._queue[0][1], "interrupted"))
        self._out += _EOT
        self._run(Deadline.INTERRUPT)

    def _abort_refused(self, _: object) -> None:
        self._give_up("six-refusals")

    def _abort_unanswered(self, _: object) -> None:
        self._give_up("frame-unanswered")

    def _give_up(self, reason: Literal["enq-unanswered", "frame-unanswered", "six-refusals"]) -> None:
        self._out += _EOT
        self._events.append(SendFailed(self._queue[0][1], reason))
        self._run(Deadline.RETRY)

    # -- actions: transfer and termination, as receiver ------------------------------------------------------

    def _hand_over(self, frame: Frame) -> None:
        self._frame = frame
        self._events.append(FrameReceived(frame))
        self._deadline = Deadline.ANSWER
        self._serial += 1

    def _count_accepted(self) -> None:
        frame = self._last = self._frame
        assert frame is not None  # DECIDING and LATE are entered with a frame
        self._expected = (frame[0] + 1) & 7
        self._frames += 1
        self._in_a_row = self._strays = 0

    def _acknowledge(self, _: object) -> None:
        self._count_accepted()
        self._say_accepted()
        self._run(Deadline.RECEIVE)

    def _say_accepted(self) -> None:
        self._say(_EOT if self._interrupt else _ACK)
        self._interrupt = False
        self._find_plain()

    def _acknowledge_again(self, frame: Frame) -> None:
        self._in_a_row = self._strays = 0
        self._events.append(FrameRepeated(frame))
        self._say_accepted()
        self._run(Deadline.RECEIVE)

    def _count_refused(self, fault: Fault, raw: bytes) -> None:
        self._in_a_row += 1
        self._plain = False
        self._events.append(FrameRefused(fault, raw, self._in_a_row))
        if self._in_a_row == SIX:
            self._events.append(Troubled(self._in_a_row))
        self._run(Deadline.RECEIVE)

    def _refuse_frame(self, damaged: Damaged) -> None:
        self._count_refused(damaged.fault, damaged.raw)
        self._say(_NAK)

    def _decline(self, _: object) -> None:
        assert self._frame is not None
        self._count_refused(Fault.OWNER, self._frame.raw)
        self._say(_NAK)

    def _fall_silent(self, _: object) -> None:
        assert self._frame is not None
        self._events.append(AnswerTooLate(self._frame))
        self._run(None)

    def _accept_too_late(self, _: object) -> None:
        self._count_accepted()
        self._time_out_session(None)

    def _refuse_too_late(self, _: object) -> None:
        assert self._frame is not None
        self._count_refused(Fault.OWNER, self._frame.raw)
        self._time_out_session(None)

    def _end_session(self, reason: Literal["eot", "timeout", "hang-up", "eot-in-frame"]) -> None:
        self._events.append(SessionClosed(reason, self._frames))
        self._last = self._frame = None
        self._run(None)

    def _close_session(self, reason: Literal["eot", "eot-in-frame"]) -> None:
        self._end_session(reason)
        if reason == "eot-in-frame":
            # If a flipped bit made this EOT, the sender still waits for its answer: see _time_out_session.
            self._owed = Deadline.RETRY
        elif self._owed is None and self._tolerances.turnaround:
            self._owed = Deadline.TURNAROUND

    def _time_out_session(self, _: object) -> None:
        self._scanner.abandon()
        self._tell_noise()
        self._end_session("timeout")
        # The peer may just have sent a frame. Our ENQ it would take for NAK, and the EOT that ends an ENQ without answer
        # for the acceptance of its frame: keep still for as long as it may wait.
        self._owed = Deadline.RETRY

    # -- actions: the wire is gone ---------------------------------------------------------------------------

    def _forget(self, _: object) -> None:
        self._owed = None
        self._run(None)

    def _break_off_sending(self, _: object) -> None:
        self._events.append(SendFailed(self._queue[0][1], "hang-up"))
        self._forget(None)

    def _break_off_session(self, _: object) -> None:
        self._end_session("hang-up")
        self._owed = None


_NOT_CUT_SHORT: Final = (Deadline.BUSY, Deadline.CONTENTION_INSTRUMENT)
"""Pauses that the standard gives a least length: a session of the peer meanwhile makes them start over, once.

Once only, because a peer that sends without pause would otherwise keep our messages from leaving at all.
"""

TRANSITIONS: Final[tuple[dict[Input, tuple[Callable[[Station, Any], None], State]], ...]] = tuple(
    {
        happened: (getattr(Station, "_" + action), following)
        for (state, happened), (action, following) in TABLE.items()
        if state is here
    }
    for here in State
)
"""The table with the methods in place of their names, by state."""
