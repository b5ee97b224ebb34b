"""How do two stations exchange frames over one line: the state machine of LIS01-A2, for both roles.

Pure: bytes and expired deadlines in, events and bytes to send out. The transitions are in protocols.astm.table, what is
done at each of them in protocols.astm.station; here is what the owner may ask and do, and the looking at circumstances
that turns a byte or a frame into an input of the table.

    link = DataLink(Role.COMPUTER)
    events = link.receive(data)         # also accept(), refuse(), expire() and hang_up() return events
    wire.write(link.data_to_send())     # after every call
    link.timer                          # the deadline now running; at its end: link.expire(timer)

A new frame is the owner's business: it is answered only when the owner calls accept() or refuse(). Until then bytes
are kept, not looked at. What follows from them is returned by accept() or refuse(), as receive() would have done.

Decisions:
* A frame with the number of the last accepted one is a repeat only if its content is the same. Same number and other
  content is refused in strict numbering, and taken for a new frame otherwise: acknowledging it unread would lose it.
* Right after ENQ nothing has been accepted, so that only number 1 is valid; a frame numbered 0 is not a repeat.
* A sender that goes on after a refusal comes, eight frames later, to a number that looks right. After six frames out
  of order nothing more is accepted until the session ends.
* An ENQ refused in a running session does not restart the 30 s of the receiver; a restarted peer would otherwise
  keep the line for ever with the ENQ that we refuse.
* The owner's answer is sent within 14 s or not at all: at 15 s the sender has given up, and a late ACK would be taken
  for the answer to its next ENQ. For the same reason what arrived meanwhile is not answered, and the session is over.
* An ENQ of ours that was met by a frame instead of an answer is given up without EOT, see _give_up_silently().
* After a session that ended in doubt (time, EOT inside a frame) we keep still for 20 s, see _time_out_session().
* One message is sent per session; a message that failed is offered again from its first record.
Source: E1381-95 §6, taken over by LIS01-A2; numbers in comments are clauses of E1381-95.
"""

from collections.abc import Sequence
from typing import Final

from protocols.astm.control import ACK, EOT, NAK, STX
from protocols.astm.events import (
    SECONDS,
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
    Overrun,
    SendFailed,
    SendingStarted,
    SessionClosed,
    SessionOpened,
    Timer,
    Troubled,
)
from protocols.astm.frame import MAX_TEXT_SERIAL, Frame, check_text
from protocols.astm.scanner import Damaged
from protocols.astm.station import NOISE_PIECE, SIX, Role, Station
from protocols.astm.table import Input, State
from protocols.astm.tolerance import STRICT, Tolerances
from protocols.errors import FrameError, Misuse

__all__ = [
    "AnswerTooLate",
    "CallRefused",
    "Contention",
    "DataLink",
    "Deadline",
    "Event",
    "Fault",
    "FrameReceived",
    "FrameRefused",
    "FrameRepeated",
    "FrameSent",
    "Interrupted",
    "LineBusy",
    "MessageSent",
    "Noise",
    "Overrun",
    "Role",
    "SendFailed",
    "SendingStarted",
    "SessionClosed",
    "SessionOpened",
    "State",
    "Timer",
    "Troubled",
]

MAX_PENDING: Final = 16 * 2**20
"""Bytes kept while a frame waits for its owner's answer."""
_NOTHING: Final = -1
"""No frame number: the sender is out of step, nothing is expected any more."""

# The members used for every frame, by names of their own: in Python 3.11 Enum.MEMBER is a call.
_NEUTRAL, _BIDDING, _AWAITING_REPLY = State.NEUTRAL, State.BIDDING, State.AWAITING_REPLY
_RECEIVING, _DECIDING, _LATE = State.RECEIVING, State.DECIDING, State.LATE
_FRAME, _ACCEPT = Input.FRAME, Input.ACCEPT
_RECEIVE, _ANSWER = Deadline.RECEIVE, Deadline.ANSWER
_ACK: Final = bytes([ACK])
_new: Final = tuple.__new__  # what FrameReceived() comes to, in two thirds of its time


class DataLink(Station):
    """One end of one line."""

    __slots__ = ()

    def __init__(
        self,
        role: Role = Role.COMPUTER,
        tolerances: Tolerances = STRICT,
        *,
        frame_text: int = MAX_TEXT_SERIAL,
        max_pending: int = MAX_PENDING,
    ) -> None:
        super().__init__(role, tolerances, frame_text, max_pending)

    # -- what the owner may ask ------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the link stands."""
        return self._state

    @property
    def waiting(self) -> bool:
        """A frame was handed over and has not been answered."""
        return self._state is _DECIDING or self._state is _LATE

    @property
    def timer(self) -> Timer | None:
        """The deadline now running, counted from the moment this serial number appeared; one object for one serial number."""
        if self._deadline is None:
            return None
        if self._timer is None or self._timer.serial != self._serial:
            turnaround = self._deadline is Deadline.TURNAROUND
            seconds = self._tolerances.turnaround if turnaround else SECONDS[self._deadline]
            self._timer = Timer(self._deadline, seconds, self._serial)
        return self._timer

    @property
    def unsent(self) -> list[object]:
        """Tags of the messages not yet acknowledged whole, in the order in which they will be sent."""
        return [tag for _, tag in self._queue]

    @property
    def kept(self) -> int:
        """Bytes that have arrived and cannot be looked at yet; an owner may stop reading while they are many."""
        return self._scanner.kept()

    # -- what the owner may do -------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[Event]:
        """Bytes have arrived, cut in any way."""
        scanner, state = self._scanner, self._state
        if state is _DECIDING or state is _LATE:
            scanner.keep(data)
            return self._bound([])
        scanner.feed(data)
        events = self._go_on() if state is _RECEIVING else self._look([])
        return events if len(data) <= self._pending else self._bound(events)

    def data_to_send(self) -> bytes:
        """The bytes to write now; each is given once."""
        out = self._out
        if out:
            self._out = b""
        return out

    def accept(self) -> list[Event]:
        """The frame handed over last is safe with its owner: acknowledge it.

        Raises:
            Misuse: no frame waits for an answer.
        """
        if self._state is not _DECIDING or not self._plain:
            return self._answer(_ACCEPT)
        # The rows (DECIDING, ACCEPT) and (RECEIVING, FRAME) in one go: this runs for every frame of every upload. What it
        # does is what _answer() does, and the tests hold the two against each other.
        frame = self._last = self._frame
        assert frame is not None
        self._expected = expected = (frame[0] + 1) & 7
        self._frames += 1
        self._out += _ACK
        scanner = self._scanner
        found = scanner.block()
        if type(found) is Frame and found[0] == expected and not scanner.noise:
            self._frame = found
            self._serial += 2  # the deadline of the next frame, over at once, and that of its answer
            return [_new(FrameReceived, (found,))]
        self._serial += 1
        return self._look_closer(found)

    def refuse(self) -> list[Event]:
        """The frame handed over last could not be stored: the peer is to send it again.

        Raises:
            Misuse: no frame waits for an answer.
        """
        return self._answer(Input.REFUSE)

    def ask_for_line(self) -> bool:
        """Answer the next accepted frame with EOT, which asks the sender to pause (§6.3); false without a session."""
        self._interrupt = self._state in (_RECEIVING, _DECIDING)
        self._find_plain()
        return self._interrupt

    def send(self, message: Sequence[bytes], tag: object = None) -> list[Event]:
        """Queue a message, one record each ending with CR; it leaves as soon as the line allows.

        Raises:
            FrameError: no record, a record without CR at its end, or with a character that a frame may not contain.
        """
        if not message:
            raise FrameError("a message without records cannot be sent: leave it out")
        for number, record in enumerate(message, 1):
            if not record.endswith(b"\r"):
                raise FrameError(f"record {number} does not end with CR: add it")
            check_text(record)
        self._queue.append((tuple(message), tag))
        return self._look([])

    def withdraw(self, tag: object) -> bool:
        """Forget the first queued message of this tag; false if there is none, or if it is on its way."""
        sending = self._state in (_BIDDING, _AWAITING_REPLY)
        for place, (_, known) in enumerate(self._queue):
            if known == tag and not (sending and place == 0):
                del self._queue[place]
                return True
        return False

    def expire(self, timer: Timer) -> list[Event]:
        """A deadline has passed; one that no longer runs is ignored."""
        if self._deadline is None or timer.serial != self._serial:
            return []
        events: list[Event] = []
        self._events = events
        crossed = self._crossed and self._state is _BIDDING
        self._step(Input.TIMEOUT_CROSSED if crossed else Input.TIMEOUT)
        return self._look(events)

    def hang_up(self) -> list[Event]:
        """The wire is gone: whatever was going on is over, unsent messages stay queued until resume()."""
        self._events = []
        self._step(Input.HANG_UP)
        self._scanner.abandon()
        self._tell_noise()
        self._out = b""
        return self._events

    def resume(self) -> list[Event]:
        """The wire is back: offer what is queued."""
        return self._look([])

    # -- from bytes to inputs --------------------------------------------------------------------------------

    def _answer(self, answer: Input) -> list[Event]:
        if self._state is not _DECIDING and self._state is not _LATE:
            raise Misuse(
                f"{answer.name.lower()}() in state {self._state.name}: answer only a frame that was handed over"
            )
        events: list[Event] = []
        self._events = events
        self._step(answer)
        return self._look(events)

    def _look(self, events: list[Event]) -> list[Event]:
        """Look at what has arrived, as far as the state allows."""
        self._events = events
        scanner = self._scanner
        while True:
            state = self._state
            if state is _RECEIVING:
                found = scanner.block()
                if found is None:
                    break
                self._deal(found)
            elif state is _DECIDING or state is _LATE:
                break
            elif state is _AWAITING_REPLY:
                reply = scanner.answer_to_frame()
                if reply is None:
                    break
                self._reply(reply)
            elif state is _BIDDING:
                reply = scanner.answer_to_call()
                self._crossed = self._crossed or STX in scanner.noise
                if reply is None:
                    break
                self._reply_to_bid(reply)
            else:
                if state is _NEUTRAL and (self._queue or self._owed):
                    self._step(Input.PAUSE if self._owed else Input.WISH)
                    continue
                call = scanner.call(self._tolerances.implicit_session and self.can_receive)
                if call is None:
                    break
                if call == STX:
                    self._step(Input.UNANNOUNCED)
                else:
                    self._step(Input.CALL if self.can_receive else Input.CALL_REFUSED)
        if len(scanner.noise) >= NOISE_PIECE:
            self._tell_noise(NOISE_PIECE)
        return events

    def _bound(self, events: list[Event]) -> list[Event]:
        """Keep no more than was agreed while a frame waits for its answer."""
        dropped = self._scanner.truncate(self._pending) if self.waiting else 0
        if dropped:
            events.append(Overrun(dropped))
        return events

    def _go_on(self) -> list[Event]:
        """In a session: hand over the next frame; if it is not an ordinary one, look closer."""
        scanner = self._scanner
        found = scanner.block()
        if type(found) is Frame and found[0] == self._expected and not scanner.noise and self._plain:
            self._frame = found
            self._state, self._deadline = _DECIDING, _ANSWER
            self._serial += 1
            return [_new(FrameReceived, (found,))]
        return self._look_closer(found)

    def _look_closer(self, found: Frame | Damaged | int | None) -> list[Event]:
        """In a session: what came is not an ordinary frame, or nothing whole has come."""
        self._state, self._deadline = _RECEIVING, _RECEIVE
        events: list[Event] = []
        self._events = events
        if found is None:
            self._tell_noise(NOISE_PIECE)
            return events
        self._deal(found)
        return self._look(events)

    def _deal(self, found: Frame | Damaged | int) -> None:
        """Something came while we receive."""
        if type(found) is Frame:
            if found.number == self._expected and self._strict:
                self._step(_FRAME, found)
            else:
                self._judge(found)
        elif type(found) is Damaged:
            self._refuse_or_close(found)
        elif found == EOT:
            self._step(Input.EOT, "eot")
        else:
            self._call_in_session()

    def _judge(self, frame: Frame) -> None:
        """A good frame without the number expected: is it the last one again, or out of order (§6.5)?"""
        last = self._last
        if self._strict:
            if self._expected == _NOTHING:
                self._step(Input.DAMAGE, Damaged(Fault.OUT_OF_STEP, frame.raw))
            elif last is None or frame.number != last.number:
                self._out_of_order(Fault.NUMBER, frame)
            elif frame.text == last.text and frame.last == last.last:
                self._step(Input.REPEAT, frame)
            else:
                self._out_of_order(Fault.CHANGED_REPEAT, frame)
            return
        numbered = self._tolerances.frame_numbers != "absent"
        if (
            numbered
            and last is not None
            and (frame.number, frame.text, frame.last) == (last.number, last.text, last.last)
        ):
            self._step(Input.REPEAT, frame)
            return
        if self._tolerances.frame_numbers == "warn" and frame.number != self._expected:
            self.used["frame_numbers"] += 1
        self._step(_FRAME, frame)

    def _out_of_order(self, fault: Fault, frame: Frame) -> None:
        self._strays += 1
        if self._strays == SIX:
            self._expected = _NOTHING
        self._step(Input.DAMAGE, Damaged(fault, frame.raw))

    def _refuse_or_close(self, damaged: Damaged) -> None:
        if damaged.fault is Fault.EOT_INSIDE:
            # Either the sender has given up (§6.5), or a flipped bit made EOT: both end the session safely.
            self._scanner.noise += damaged.raw[:-1]
            self._step(Input.EOT, "eot-in-frame")
        else:
            self._step(Input.DAMAGE, damaged)

    def _call_in_session(self) -> None:
        answered = self._tolerances.contention_reply == "at-once" and self._last is None and not self._in_a_row
        if self._tolerances.enq_in_transfer == "restart" or answered:
            self.used["enq_in_transfer" if not answered else "contention_reply"] += 1
            self._step(Input.RESTART if self.can_receive else Input.CALL_REFUSED)
        else:
            self._step(Input.CALL_REFUSED)

    def _reply_to_bid(self, reply: int) -> None:
        if reply == ACK:
            self._step(Input.ACK)
        elif reply == NAK:
            self._step(Input.NAK)
        elif self._role is Role.INSTRUMENT:
            self._step(Input.COLLISION_INSTRUMENT)
        elif self._tolerances.contention_reply == "at-once" and self.can_receive:
            self.used["contention_reply"] += 1
            self._step(Input.COLLISION_ANSWERED)
        else:
            self._step(Input.COLLISION_COMPUTER)

    def _reply(self, reply: int) -> None:
        """The answer to a frame: anything but ACK and EOT counts as NAK (§6.3)."""
        if reply == EOT and self._tolerances.interrupt == "honour":
            self._step(Input.INTERRUPT)
        elif reply in (ACK, EOT):
            if reply == EOT:
                self._events.append(Interrupted(honoured=False))
            self._step(Input.ACK if self._index + 1 < len(self._texts) else Input.ACK_OF_LAST)
        else:
            self._step(Input.NAK if self._attempts < SIX else Input.SIXTH_NAK)
