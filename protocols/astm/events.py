"""What can a link have to tell its owner, and which deadlines can run?

Times are those of E1381-95 §6.2 to §6.5; RETRY, TURNAROUND and ANSWER are ours and say why.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, NamedTuple

from protocols.astm.frame import Frame


class Deadline(Enum):
    """Why a timer runs; the value is for logs."""

    ENQ_REPLY = "reply to our ENQ"
    FRAME_REPLY = "reply to our frame"
    BUSY = "peer was busy"
    CONTENTION_COMPUTER = "contention lost, peer's ENQ is due"
    CONTENTION_INSTRUMENT = "contention won, pause before our next ENQ"
    RECEIVE = "next frame or EOT"
    INTERRUPT = "interrupt honoured, peer's turn"
    RETRY = "pause after a failure, before our next ENQ"
    TURNAROUND = "pause after the peer's EOT"
    ANSWER = "owner's answer to a frame"


SECONDS: Final = {
    Deadline.ENQ_REPLY: 15.0,
    Deadline.FRAME_REPLY: 15.0,
    Deadline.BUSY: 10.0,
    Deadline.CONTENTION_COMPUTER: 20.0,
    Deadline.CONTENTION_INSTRUMENT: 1.0,
    Deadline.RECEIVE: 30.0,
    Deadline.INTERRUPT: 15.0,
    # The standard lets a sender ask again at once. Twenty seconds are longer than the 15 that the peer may wait for the
    # reply to a frame we know nothing of: the EOT that ends an unanswered ENQ of ours would be taken for that reply.
    Deadline.RETRY: 20.0,
    Deadline.TURNAROUND: 0.0,  # the link's own setting
    # The sender stops waiting after 15 s. A reply after that would be taken for the answer to its next ENQ.
    Deadline.ANSWER: 14.0,
}


@dataclass(frozen=True, slots=True)
class Timer:
    """A deadline that runs: seconds from the moment the owner first sees this serial number."""

    name: Deadline
    seconds: float
    serial: int


class Fault(Enum):
    """Why a frame was answered with NAK."""

    CHECKSUM = "checksum does not match"
    TRAILER = "checksum digits, CR or LF missing after the text"
    NO_END = "LF before ETX or ETB"
    CONTROL = "STX or ENQ inside the frame"
    TOO_LONG = "longer than the link allows"
    NUMBER = "frame number out of order"
    CHANGED_REPEAT = "number of the last accepted frame, other content"
    OUT_OF_STEP = "sender went on without our acknowledgment"
    OWNER = "could not be stored"
    EOT_INSIDE = "EOT inside the frame"


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """The peer may send; implicit when a frame came without ENQ."""

    implicit: bool = False


class FrameReceived(NamedTuple):
    """A new frame: the owner stores it, then calls accept(), or refuse(). A tuple for the sake of speed, as Frame is."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class FrameRepeated:
    """The last accepted frame came once more and was acknowledged once more; nothing to do."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class FrameRefused:
    """A frame was answered NAK; in_a_row counts refusals since the last good frame."""

    fault: Fault
    raw: bytes
    in_a_row: int


@dataclass(frozen=True, slots=True)
class Troubled:
    """The sixth refusal in a row: a person should look at this line. Told once until a frame gets through."""

    in_a_row: int


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The peer's session is over; frames counts those accepted in it. "text": on a plain link without sessions, its text is."""

    reason: Literal["eot", "timeout", "hang-up", "restart", "eot-in-frame", "text"]
    frames: int


@dataclass(frozen=True, slots=True)
class CallRefused:
    """An ENQ was answered NAK: we cannot receive now, or a session is already running."""

    in_session: bool


@dataclass(frozen=True, slots=True)
class AnswerTooLate:
    """The owner has not answered a frame in time; its answer will not be sent any more, content may come twice."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Overrun:
    """More bytes came while a frame waited for its answer than the link keeps; this many were dropped."""

    dropped: int


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that belong to nothing, ignored as E1381-95 §6.5 wants; told in pieces of at most 4096."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendingStarted:
    """The peer has given us the line for this message; its first frame is on its way."""

    tag: object


@dataclass(frozen=True, slots=True)
class FrameSent:
    """The peer has acknowledged this frame of ours, after so many transmissions."""

    number: int
    attempts: int


@dataclass(frozen=True, slots=True)
class MessageSent:
    """Every frame of the message is acknowledged: it may be forgotten."""

    tag: object


@dataclass(frozen=True, slots=True)
class SendFailed:
    """This attempt is over. The message stays first in the queue and is offered again, whole, unless withdrawn."""

    tag: object
    reason: Literal["enq-unanswered", "frame-unanswered", "six-refusals", "interrupted", "hang-up"]
    kept: bool = True


@dataclass(frozen=True, slots=True)
class LineBusy:
    """Our ENQ was answered NAK; the next one follows after ten seconds."""


@dataclass(frozen=True, slots=True)
class Contention:
    """Both sides sent ENQ; the instrument has priority."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Our frame was accepted with EOT: the peer asks for the line."""

    honoured: bool


Event = (
    SessionOpened
    | FrameReceived
    | FrameRepeated
    | FrameRefused
    | Troubled
    | SessionClosed
    | CallRefused
    | AnswerTooLate
    | Overrun
    | Noise
    | SendingStarted
    | FrameSent
    | MessageSent
    | SendFailed
    | LineBusy
    | Contention
    | Interrupted
)
