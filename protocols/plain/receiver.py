"""What does the receiving end of a plain line remember, and what does it do at each transition of its link's table?

Pure: bytes and expired deadlines in, events and bytes to send out, as protocols.astm.datalink, and with its events, so that one conversation
serves both. A whole block is never answered by the machine: it hands it over and waits for accept() or refuse(). Signs between blocks, damage and
repeated pieces it answers alone. The owner's answer is sent within the seconds that the link's sender waits, or not at all: a late ACK would be
taken for the answer to what the sender sends next (as in ASTM, decision 0001).
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from protocols.astm.control import ACK, ENQ, EOT, ETX, NAK
from protocols.astm.events import (
    AnswerTooLate,
    Deadline,
    Event,
    Fault,
    FrameReceived,
    FrameRefused,
    FrameRepeated,
    Noise,
    Overrun,
    SessionClosed,
    SessionOpened,
    Timer,
    Troubled,
)
from protocols.astm.frame import Frame
from protocols.errors import Misuse
from protocols.plain.scanner import Block, Damaged, Scanner, Shape, Sign
from protocols.plain.states import Input, State, Table
from protocols.plain.tolerance import PLAIN, PlainTolerances

SIX: Final = 6
"""Refusals in a row before a person is told; on a line without answers the first is told, nobody sends it again."""
RECEIVE_SECONDS: Final = 30.0
"""Silence after which a session, or a text of which more was to come, is over; as in ASTM (E1381-95 6.5.2.4)."""
NOISE_PIECE: Final = 4096
MAX_PENDING: Final = 16 * 2**20
_WAITING: Final = (State.DECIDING, State.ANSWERING, State.LATE)
_Action = Callable[["Receiver", Any], None]


@dataclass(frozen=True, slots=True)
class PlainLink:
    """One kind of link: its table, the shape of its blocks under given settings, and how long its sender waits for an answer.

    `uses` are the settings it has. `answers` False: its sender listens to nobody. `says`: how an answer (ACK, NAK) is put on the line. `asks`: what is
    to be asked of the sender once a text of its is accepted, b"" for nothing.
    """

    name: str
    table: Table
    shape: Callable[[PlainTolerances], Shape]
    patience: float
    uses: frozenset[str]
    answers: bool = True
    says: Callable[[int], bytes] = lambda character: bytes([character])
    asks: Callable[[bytes], bytes] = lambda text: b""


class Receiver:
    """The receiving end of one line of one link."""

    def __init__(self, link: PlainLink, tolerances: PlainTolerances = PLAIN, *, max_pending: int = MAX_PENDING) -> None:
        self._link, self._tolerances, self._pending = link, tolerances, max_pending
        self._transitions = _with_methods(link.table)
        self._scanner = Scanner(link.shape(tolerances))
        self._state = State.NEUTRAL
        self._out = b""
        self._events: list[Event] = []
        self._deadline: Deadline | None = None
        self._serial = 0
        self._timer: Timer | None = None
        self._block: Block | None = None  # with the owner
        self._piece: bytes | None = None  # the bytes of the last accepted piece: the same again is a repeat
        self._held = 0  # the answer that waits
        self._open = False  # a session is open
        self._more = False  # more of the text is to come when what is held has been said
        self._answers = link.answers and tolerances.send_replies
        self._blocks = self._in_a_row = 0
        self.used: Counter[str] = Counter()

    # -- what the owner may ask and do -----------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the link stands."""
        return self._state

    @property
    def waiting(self) -> bool:
        """A block was handed over and has not been answered."""
        return self._state in (State.DECIDING, State.LATE)

    @property
    def kept(self) -> int:
        """Bytes that have arrived and cannot be looked at yet."""
        return self._scanner.kept

    @property
    def timer(self) -> Timer | None:
        """The deadline now running, counted from the moment this serial number appeared; one object for one serial number."""
        if self._deadline is None:
            return None
        if self._timer is None or self._timer.serial != self._serial:
            seconds = {
                Deadline.RECEIVE: RECEIVE_SECONDS,
                Deadline.ANSWER: self._link.patience,
                Deadline.TURNAROUND: self._tolerances.pause,
            }[self._deadline]
            self._timer = Timer(self._deadline, seconds, self._serial)
        return self._timer

    def receive(self, data: bytes) -> list[Event]:
        """Bytes have arrived, cut in any way."""
        self._events = []
        self._scanner.feed(data)
        self._look()
        if self._state in _WAITING and (dropped := self._scanner.drop(self._pending)):
            self._events.append(Overrun(dropped))
        return self._events

    def accept(self) -> list[Event]:
        """The block handed over last is safe with its owner; raises Misuse when none waits."""
        return self._answer(Input.ACCEPT if self._block is not None and self._block.last else Input.ACCEPT_PIECE)

    def refuse(self) -> list[Event]:
        """The block handed over last could not be stored: the sender is to send it again; raises Misuse when none waits."""
        return self._answer(Input.REFUSE)

    def expire(self, timer: Timer) -> list[Event]:
        """A deadline has passed; one that no longer runs is ignored."""
        self._events = []
        if self._deadline is None or timer.serial != self._serial:
            return []
        happened = Input.TIMEOUT
        if self._state is State.ANSWERING:
            happened = Input.SPEAK_PIECE if self._more else Input.SPEAK
        self._step(happened)
        self._look()
        return self._events

    def hang_up(self) -> list[Event]:
        """The wire is gone: whatever was going on is over."""
        self._events = []
        self._scanner.abandon()
        self._step(Input.HANG_UP)
        self._tell_noise()
        return self._events

    def data_to_send(self) -> bytes:
        """The bytes to write now; each is given once."""
        out, self._out = self._out, b""
        return out

    # -- the table at work -----------------------------------------------------------------------------------

    def _answer(self, happened: Input) -> list[Event]:
        if not self.waiting:
            raise Misuse(f"no block waits for an answer in {self._state.name}: answer each block once")
        self._events = []
        self._step(happened)
        self._look()
        return self._events

    def _look(self) -> None:
        """Take what has arrived, as far as the state allows."""
        while self._state not in _WAITING and (token := self._scanner.next()) is not None:
            happened = self._happened(token)
            if (self._state, happened) in self._link.table:
                self._step(happened, token)
            else:
                self._scanner.noise += token.raw if not isinstance(token, Sign) else bytes([token.byte])
            self._tell_noise(NOISE_PIECE)
        self._tell_noise(NOISE_PIECE)

    def _happened(self, token: Block | Damaged | Sign) -> Input:
        if isinstance(token, Block):
            return Input.REPEAT if token.raw == self._piece else Input.BLOCK
        if isinstance(token, Damaged):
            return Input.BREAK if token.fault is Fault.EOT_INSIDE else Input.DAMAGE
        return _SIGNS.get(token.byte, Input.OPENING)

    def _step(self, happened: Input, what: Any = None) -> None:
        self._tell_noise()
        action, self._state = self._transitions[self._state, happened]
        action(self, what)

    def _tell_noise(self, at_least: int = 1) -> None:
        noise = self._scanner.noise
        while len(noise) >= at_least:
            self._events.append(Noise(bytes(noise[:NOISE_PIECE])))
            del noise[:NOISE_PIECE]

    def _run(self, deadline: Deadline | None) -> None:
        self._deadline = deadline
        self._serial += 1

    def _rest(self) -> None:
        """Wait for what comes next: for so long in a session, for ever outside one."""
        self._run(Deadline.RECEIVE if self._open else None)

    def _say(self, character: int) -> None:
        if self._answers:
            self._out += self._link.says(character)

    # -- actions: sessions -----------------------------------------------------------------------------------

    def _open_session(self, _: object) -> None:
        self._events.append(SessionOpened())
        self._begin()
        self._say(ACK)
        self._rest()

    def _begin(self) -> None:
        self._open, self._piece = True, None
        self._blocks = self._in_a_row = 0

    def _restart_session(self, _: object) -> None:
        self._events.append(SessionClosed("restart", self._blocks))
        self._open_session(None)

    def _greet(self, _: object) -> None:
        """ENQ of a sender that opens no session with it: it only wants to hear us."""
        self._say(ACK)

    def _say_yes(self, _: object) -> None:
        self._say(ACK)
        self._rest()

    def _end_session(self, reason: Literal["eot", "timeout", "hang-up", "eot-in-frame", "text"]) -> None:
        self._events.append(SessionClosed(reason, self._blocks))
        self._open, self._piece, self._block = False, None, None
        self._run(None)

    def _close_session(self, _: object) -> None:
        self._end_session("eot")

    def _close_and_answer(self, _: object) -> None:
        self._say(ACK)
        self._end_session("eot")

    def _break_session(self, damaged: Damaged) -> None:
        """EOT inside a block: the sender has given up, or a flipped bit made it. It is not answered: either way the sender begins anew."""
        self._count_refused(damaged.fault, damaged.raw)
        if self._open:
            self._end_session("eot-in-frame")

    def _time_out_session(self, _: object) -> None:
        self._scanner.abandon()
        self._tell_noise()
        self._end_session("timeout")

    def _forget(self, _: object) -> None:
        self._run(None)

    def _break_off_session(self, _: object) -> None:
        if self._open:
            self._end_session("hang-up")
        self._forget(None)

    # -- actions: blocks -------------------------------------------------------------------------------------

    def _open_and_hand_over(self, block: Block) -> None:
        self._events.append(SessionOpened(implicit=True))
        self._begin()
        self._hand_over(block)

    def _hand_over(self, block: Block) -> None:
        self._block = block
        if not self._scanner.shape.verify:
            self.used["check"] += 1
        self._events.append(FrameReceived(Frame(0, block.text, block.last, block.raw)))
        self._run(Deadline.ANSWER if self._answers else None)

    def _count_accepted(self) -> None:
        assert self._block is not None  # DECIDING and LATE are entered with a block
        self._piece = self._block.raw if self._block.piece else None
        self._blocks += 1
        self._in_a_row = 0

    def _acknowledge(self, _: object) -> None:
        self._count_accepted()
        self._say_yes(None)

    def _acknowledge_and_close(self, _: object) -> None:
        self._count_accepted()
        self._say(ACK)
        if self._answers and self._block is not None:
            self._out += self._link.asks(self._block.text)
        self._end_session("text")

    def _acknowledge_again(self, block: Block) -> None:
        self._in_a_row = 0
        self._events.append(FrameRepeated(Frame(0, block.text, block.last, block.raw)))
        self._say_yes(None)

    def _count_refused(self, fault: Fault, raw: bytes) -> None:
        self._in_a_row += 1
        self._events.append(FrameRefused(fault, raw, self._in_a_row))
        if self._in_a_row == (SIX if self._answers else 1):
            self._events.append(Troubled(self._in_a_row))

    def _refuse_block(self, damaged: Damaged) -> None:
        self._count_refused(damaged.fault, damaged.raw)
        self._say(NAK)
        self._rest()

    def _decline(self, _: object) -> None:
        assert self._block is not None
        self._count_refused(Fault.OWNER, self._block.raw)
        self._say(NAK)
        self._rest()

    def _hold_yes(self, _: object) -> None:
        self._count_accepted()
        assert self._block is not None
        self._hold(ACK, more=not self._block.last)

    def _hold_yes_again(self, block: Block) -> None:
        self._events.append(FrameRepeated(Frame(0, block.text, block.last, block.raw)))
        self._hold(ACK, more=True)

    def _hold_no(self, damaged: Damaged) -> None:
        self._count_refused(damaged.fault, damaged.raw)
        self._hold(NAK, more=self._open)

    def _hold_decline(self, _: object) -> None:
        assert self._block is not None
        self._count_refused(Fault.OWNER, self._block.raw)
        self._hold(NAK, more=self._blocks > 0)

    def _hold(self, character: int, *, more: bool) -> None:
        self._held, self._more = character, more
        self._run(Deadline.TURNAROUND)

    def _say_held(self, _: object) -> None:
        """Say what was held back; the text is over, and with it its session if it had one."""
        self._say(self._held)
        if self._open:
            self._end_session("text")
        self._run(None)

    def _say_held_and_go_on(self, _: object) -> None:
        self._say(self._held)
        self._rest()

    def _fall_silent(self, _: object) -> None:
        assert self._block is not None
        self._events.append(AnswerTooLate(Frame(0, self._block.text, self._block.last, self._block.raw)))
        self._run(None)

    def _accept_too_late(self, _: object) -> None:
        self._count_accepted()
        self._time_out_session(None)

    def _refuse_too_late(self, _: object) -> None:
        assert self._block is not None
        self._count_refused(Fault.OWNER, self._block.raw)
        self._time_out_session(None)


_SIGNS: Final = {ENQ: Input.CALL, EOT: Input.END, ETX: Input.CLOSING}


def _with_methods(table: Table) -> Mapping[tuple[State, Input], tuple[_Action, State]]:
    """The table with the methods in place of their names."""
    return {key: (getattr(Receiver, "_" + action), following) for key, (action, following) in table.items()}


__all__ = ["NOISE_PIECE", "RECEIVE_SECONDS", "PlainLink", "Receiver"]
