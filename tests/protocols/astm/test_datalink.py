"""The link machine: each transition, each deadline, each tolerance; and that no cut of the stream changes anything."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.astm.datalink import (
    AnswerTooLate,
    CallRefused,
    Contention,
    DataLink,
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
    Role,
    SendFailed,
    SendingStarted,
    SessionClosed,
    SessionOpened,
    State,
    Timer,
    Troubled,
)
from protocols.astm.events import SECONDS
from protocols.astm.frame import Frame, cut, encode
from protocols.astm.table import TABLE, Input
from protocols.astm.tolerance import STRICT, Tolerances
from protocols.errors import FrameError, Misuse

ENQ, ACK, NAK, EOT = b"\x05", b"\x06", b"\x15", b"\x04"
HEADER, RESULT, END = b"H|\\^&\r", b"R|1|^^^GLU|5.4\r", b"L|1|N\r"


def frame(number: int, text: bytes = RESULT, last: bool = True) -> bytes:
    return encode(number, text, last)


def received(number: int, text: bytes = RESULT, last: bool = True) -> FrameReceived:
    return FrameReceived(Frame(number, text, last, encode(number, text, last)))


def deal(link: DataLink, events: Iterable[Event], refuse: frozenset[bytes] = frozenset()) -> list[Event]:
    """Answer every frame: refuse the texts named, accept the others."""
    seen, pending = [], list(events)
    while pending:
        event = pending.pop(0)
        seen.append(event)
        if isinstance(event, FrameReceived):
            pending = (link.refuse() if event.frame.text in refuse else link.accept()) + pending
    return seen


def in_session(tolerances: Tolerances = STRICT, **settings: Any) -> DataLink:
    link = DataLink(tolerances=tolerances, **settings)
    assert link.receive(ENQ) == [SessionOpened()]
    assert link.data_to_send() == ACK
    return link


def take(link: DataLink, *frames: bytes) -> None:
    for one in frames:
        events = deal(link, link.receive(one))
        assert isinstance(events[-1], FrameReceived), events
        assert link.data_to_send() == ACK


def expire(link: DataLink, deadline: Deadline) -> list[Event]:
    timer = link.timer
    assert timer is not None and timer.name is deadline
    return link.expire(timer)


# -- as receiver ----------------------------------------------------------------------------------------------


def test_content_is_answered_only_by_its_owner() -> None:
    link = in_session()
    assert link.receive(frame(1)) == [received(1)]
    assert link.data_to_send() == b"" and link.waiting
    assert link.receive(frame(2, END) + EOT) == []
    assert link.kept == len(frame(2, END)) + 1
    assert link.accept() == [received(2, END)]
    assert link.data_to_send() == ACK
    assert link.accept() == [SessionClosed("eot", 2)]
    assert link.data_to_send() == ACK and not link.waiting and link.state is State.NEUTRAL


def test_refused_content_comes_again() -> None:
    link = in_session()
    link.receive(frame(1))
    assert link.refuse() == [FrameRefused(Fault.OWNER, frame(1), 1)]
    assert link.data_to_send() == NAK
    take(link, frame(1), frame(2))


@pytest.mark.parametrize("answer", ["accept", "refuse"])
def test_an_answer_without_a_frame_is_misuse(answer: str) -> None:
    link = in_session()
    with pytest.raises(Misuse, match=f"{answer}\\(\\) in state RECEIVING"):
        getattr(link, answer)()


def test_neutral_line_ignores_everything_but_enq() -> None:
    link = DataLink()
    assert link.receive(ACK + NAK + EOT + frame(1) + b"\x00") == []
    assert link.receive(ENQ) == [Noise(ACK + NAK + EOT + frame(1) + b"\x00"), SessionOpened()]
    assert link.data_to_send() == ACK


def test_busy() -> None:
    link = DataLink()
    link.can_receive = False
    assert link.receive(ENQ) == [CallRefused(in_session=False)]
    assert link.data_to_send() == NAK
    assert link.state is State.NEUTRAL


def test_numbers_run_on_through_the_session_and_begin_with_1_after_enq() -> None:
    link = in_session()
    take(link, *(frame(number & 7, b"R|%d\r" % number) for number in range(1, 20)))
    assert deal(link, link.receive(EOT)) == [SessionClosed("eot", 19)]
    link.receive(ENQ)
    link.data_to_send()
    take(link, frame(1))


@pytest.mark.parametrize("number", [0, 2, 7])
# Scenario 9.6.
def test_the_first_frame_is_number_1(number: int) -> None:
    link = in_session()
    assert link.receive(frame(number)) == [FrameRefused(Fault.NUMBER, frame(number), 1)]
    assert link.data_to_send() == NAK


def test_a_repeat_is_acknowledged_and_not_handed_over() -> None:
    link = in_session()
    take(link, frame(1))
    assert link.receive(frame(1)) == [FrameRepeated(received(1).frame)]
    assert link.data_to_send() == ACK
    take(link, frame(2))


@pytest.mark.parametrize("other", [frame(1, END), frame(1, RESULT, last=False)])
def test_the_last_number_with_other_content_is_refused(other: bytes) -> None:
    link = in_session()
    take(link, frame(1))
    assert link.receive(other) == [FrameRefused(Fault.CHANGED_REPEAT, other, 1)]
    assert link.data_to_send() == NAK


def test_six_refusals_in_a_row_are_told_once() -> None:
    link = in_session()
    bad = frame(1).replace(b"5.4", b"5.5")
    troubled = []
    for count in range(1, 9):
        events = link.receive(bad)
        assert events[0] == FrameRefused(Fault.CHECKSUM, bad, count)
        troubled += events[1:]
        assert link.data_to_send() == NAK
    assert troubled == [Troubled(6)]
    take(link, frame(1))
    assert link.receive(bad) == [FrameRefused(Fault.CHECKSUM, bad, 1)]


def test_a_sender_that_goes_on_after_refusals_is_not_believed_when_its_numbers_come_round() -> None:
    link = in_session()
    take(link, frame(1))
    for number in range(3, 9):
        link.receive(frame(number & 7, b"R|%d\r" % number))
    (event,) = link.receive(frame(2, b"R|10\r"))
    assert isinstance(event, FrameRefused) and event.fault is Fault.OUT_OF_STEP
    assert link.data_to_send() == NAK * 7
    assert link.receive(EOT) == [SessionClosed("eot", 1)]


def test_a_good_frame_forgives_five_strays() -> None:
    link = in_session()
    take(link, frame(1))
    for _ in range(3):
        for number in (3, 4, 5, 6, 7):
            link.receive(frame(number))
        assert isinstance(link.receive(frame(1))[0], FrameRepeated)
        assert link.data_to_send() == NAK * 5 + ACK
    take(link, frame(2))


@pytest.mark.parametrize(
    ("damaged", "fault"),
    [
        (b"\x021" + RESULT + b"\x0300\r\n", Fault.CHECKSUM),
        (frame(1).replace(b"\r\n", b"\rX"), Fault.TRAILER),
        (b"\x021" + RESULT + b"\x03G", Fault.TRAILER),
        (b"\x021R|1\n", Fault.NO_END),
        (encode(1, b"R|1", True).replace(b"|1", b"|\x02"), Fault.CONTROL),
        (encode(1, b"R|1", True).replace(b"|1", b"|\x05"), Fault.CONTROL),
        (b"\x02\x0303\r\n", Fault.NUMBER),
        (b"\x028A\x037C\r\n", Fault.NUMBER),
        (frame(1).replace(b"A2", b"a2") if b"A2" in frame(1) else b"\x021k\r\x03ac\r\n", Fault.CHECKSUM),
    ],
)
# Scenario 9.3.
def test_damaged(damaged: bytes, fault: Fault) -> None:
    link = in_session()
    (event,) = link.receive(damaged)
    assert event == FrameRefused(fault, damaged, 1)
    assert link.data_to_send() == NAK
    take(link, frame(1))


def test_eot_inside_a_frame_ends_the_session() -> None:
    link = in_session()
    assert link.receive(b"\x021R|1" + EOT) == [Noise(b"\x021R|1"), SessionClosed("eot-in-frame", 0)]
    assert link.data_to_send() == b""
    link = in_session()
    assert link.receive(b"\x021R|1\x03F" + EOT) == [Noise(b"\x021R|1\x03F"), SessionClosed("eot-in-frame", 0)]


def test_after_a_doubtful_end_we_keep_still() -> None:
    """The sender may still wait for its answer, and would take the EOT of an unanswered ENQ of ours for one."""
    link = in_session()
    link.send([HEADER, END])
    link.receive(b"\x021D" + EOT)
    assert link.timer is not None and (link.timer.name, link.timer.seconds) == (Deadline.RETRY, 20)
    link = in_session()
    link.send([HEADER, END])
    assert expire(link, Deadline.RECEIVE) == [SessionClosed("timeout", 0)]
    assert link.data_to_send() == b"" and link.timer is not None and link.timer.name is Deadline.RETRY
    assert expire(link, Deadline.RETRY) == [] and link.data_to_send() == ENQ


# Scenario 9.11.
def test_silence_of_30_seconds_drops_the_unfinished_frame_only() -> None:
    link = in_session()
    take(link, frame(1))
    assert link.receive(b"\x022R|") == []
    assert link.timer is not None and link.timer.seconds == 30
    assert expire(link, Deadline.RECEIVE) == [Noise(b"\x022R|"), SessionClosed("timeout", 1)]
    assert link.data_to_send() == b""


def test_the_30_seconds_start_anew_with_each_reply_but_not_with_a_refused_enq() -> None:
    link = in_session()
    first = link.timer
    take(link, frame(1))
    second = link.timer
    assert first is not None and second is not None and second.serial > first.serial
    assert link.receive(ENQ) == [CallRefused(in_session=True)]
    assert link.data_to_send() == NAK
    assert link.timer is second
    link.receive(b"\x022X\n")
    assert link.timer is not second
    assert link.expire(second) == [] and link.state is State.RECEIVING


def test_a_refused_caller_gets_in_when_the_30_seconds_are_over() -> None:
    link = in_session()
    link.receive(ENQ)
    expire(link, Deadline.RECEIVE)
    link.data_to_send()
    assert link.receive(ENQ) == [SessionOpened()]
    assert link.data_to_send() == ACK


def test_an_owner_who_is_too_late_is_not_heard() -> None:
    for answer in ("accept", "refuse"):
        link = in_session()
        link.receive(frame(1))
        assert link.timer is not None and link.timer.seconds < SECONDS[Deadline.FRAME_REPLY]
        assert expire(link, Deadline.ANSWER) == [AnswerTooLate(received(1).frame)]
        assert link.waiting and link.timer is None
        assert link.receive(EOT + ENQ) == []
        events = getattr(link, answer)()
        assert events[-2:] == [Noise(EOT + ENQ), SessionClosed("timeout", 1 if answer == "accept" else 0)]
        assert link.data_to_send() == b"" and link.state is not State.LATE


def test_asking_for_the_line() -> None:
    link = DataLink()
    assert not link.ask_for_line()
    link = in_session()
    assert link.ask_for_line()
    link.receive(frame(1))
    link.accept()
    assert link.data_to_send() == EOT
    take(link, frame(2))  # ignored: the next one is answered with ACK, until we ask again
    assert link.ask_for_line()
    assert isinstance(link.receive(frame(2))[0], FrameRepeated)
    assert link.data_to_send() == EOT
    link.send([HEADER, END])
    assert link.receive(EOT) == [SessionClosed("eot", 2)]
    assert link.data_to_send() == ENQ  # honoured: our turn at once


# Scenario 9.14.
def test_noise_is_told_in_pieces_and_bounded() -> None:
    link = in_session()
    events = link.receive(b"x" * 10_000)
    assert events == [Noise(b"x" * 4096), Noise(b"x" * 4096)]
    assert link.receive(frame(1)) == [Noise(b"x" * 1808), received(1)]


def test_bytes_that_come_while_a_frame_waits_are_bounded() -> None:
    link = in_session(max_pending=100)
    assert link.receive(frame(1) + b"y" * 150) == [received(1), Overrun(50)]
    assert link.receive(b"z" * 7) == [Overrun(7)]
    assert link.kept == 100
    assert link.accept() == [] and link.data_to_send() == ACK
    take(link, frame(2))


def test_hang_up_everywhere() -> None:
    link = in_session()
    assert link.receive(b"\x021R") == []
    assert link.hang_up() == [SessionClosed("hang-up", 0), Noise(b"\x021R")]
    link = in_session()
    link.receive(frame(1) + frame(2))
    assert link.hang_up() == [SessionClosed("hang-up", 0), Noise(frame(2))]
    assert not link.waiting
    link = in_session()
    link.receive(frame(1))
    expire(link, Deadline.ANSWER)
    assert link.hang_up() == [SessionClosed("hang-up", 0)]
    link = DataLink()
    link.receive(b"??")
    assert link.hang_up() == [Noise(b"??")]
    link.send([HEADER, END], "m")
    assert link.hang_up() == [SendFailed("m", "hang-up")]
    assert link.data_to_send() == b"" and link.timer is None and link.unsent == ["m"]
    assert link.resume() == [] and link.data_to_send() == ENQ
    link.receive(ACK)
    assert link.hang_up() == [SendFailed("m", "hang-up")]
    link.resume()
    link.receive(NAK)
    assert link.hang_up() == [] and link.state is State.NEUTRAL


# -- as sender ------------------------------------------------------------------------------------------------


def sending(
    role: Role = Role.COMPUTER, tolerances: Tolerances = STRICT, message: tuple[bytes, ...] = (HEADER, END)
) -> DataLink:
    link = DataLink(role, tolerances)
    assert link.send(message, "m") == []
    assert link.data_to_send() == ENQ and link.state is State.BIDDING
    return link


def test_sending_a_message() -> None:
    link = sending()
    assert link.timer is not None and (link.timer.name, link.timer.seconds) == (Deadline.ENQ_REPLY, 15)
    assert link.receive(ACK) == [SendingStarted("m")]
    assert link.data_to_send() == frame(1, HEADER)
    assert link.timer is not None and (link.timer.name, link.timer.seconds) == (Deadline.FRAME_REPLY, 15)
    assert link.receive(NAK) == []
    assert link.data_to_send() == frame(1, HEADER)
    assert link.receive(ACK) == [FrameSent(1, 2)]
    assert link.data_to_send() == frame(2, END)
    assert link.receive(ACK) == [FrameSent(2, 1), MessageSent("m")]
    assert link.data_to_send() == EOT
    assert link.timer is None and link.unsent == [] and link.state is State.NEUTRAL


def test_messages_wait_for_each_other_and_for_the_line() -> None:
    link = in_session()
    link.send([HEADER, END], "first")
    link.send([HEADER, END], "second")
    assert link.data_to_send() == b"" and link.unsent == ["first", "second"]
    assert link.receive(EOT) == [SessionClosed("eot", 0)]
    assert link.data_to_send() == ENQ
    link.receive(ACK + ACK + ACK)
    assert link.data_to_send() == frame(1, HEADER) + frame(2, END) + EOT + ENQ
    assert link.unsent == ["second"]


def test_long_records_are_cut() -> None:
    long = b"C|1|I|" + b"x" * 500 + b"\r"
    link = sending(message=(HEADER, long, END))
    link.receive(ACK)
    sent = [link.data_to_send()]
    while sent[-1] != EOT:
        link.receive(ACK)
        sent.append(link.data_to_send())
    texts = [(HEADER, True), *cut(long, 240), (END, True)]
    assert sent[:-1] == [encode(number & 7, text, last) for number, (text, last) in enumerate(texts, 1)]
    assert [last for _, last in texts] == [True, False, False, True, True]


def test_whole_message_as_one_text() -> None:
    link = sending(tolerances=Tolerances(packing="message"))
    link.receive(ACK)
    assert link.data_to_send() == frame(1, HEADER + END)


def test_noise_while_waiting_for_the_answer_to_enq_is_ignored() -> None:
    link = sending()
    assert link.receive(b"\x00\rA" + EOT) == []
    assert link.receive(ACK) == [Noise(b"\x00\rA" + EOT), SendingStarted("m")]


# Scenario 9.7.
def test_no_answer_to_enq() -> None:
    link = sending()
    assert expire(link, Deadline.ENQ_REPLY) == [SendFailed("m", "enq-unanswered")]
    assert link.data_to_send() == EOT and link.unsent == ["m"]
    assert expire(link, Deadline.RETRY) == []
    assert link.data_to_send() == ENQ


def test_an_enq_met_by_a_frame_is_given_up_without_eot() -> None:
    """The peer would take EOT for the acceptance of its frame."""
    link = sending()
    link.receive(frame(3))
    assert expire(link, Deadline.ENQ_REPLY) == [Noise(frame(3)), SendFailed("m", "enq-unanswered")]
    assert link.data_to_send() == b""
    assert expire(link, Deadline.RETRY) == []
    assert link.data_to_send() == ENQ
    assert expire(link, Deadline.ENQ_REPLY) == [SendFailed("m", "enq-unanswered")]
    assert link.data_to_send() == EOT


# Scenario 9.10.
def test_no_answer_to_a_frame() -> None:
    link = sending()
    link.receive(ACK)
    link.data_to_send()
    assert expire(link, Deadline.FRAME_REPLY) == [SendFailed("m", "frame-unanswered")]
    assert link.data_to_send() == EOT and link.unsent == ["m"]


def test_six_transmissions_and_no_more() -> None:
    link = sending()
    link.receive(ACK)
    sent = 1
    link.data_to_send()
    for reply in (NAK, b"?", ENQ, b"\x00", NAK):
        assert link.receive(reply) == []
        assert link.data_to_send() == frame(1, HEADER)
        sent += 1
    assert sent == 6
    assert link.receive(NAK) == [SendFailed("m", "six-refusals")]
    assert link.data_to_send() == EOT and link.unsent == ["m"]
    expire(link, Deadline.RETRY)
    assert link.data_to_send() == ENQ
    link.receive(ACK)
    assert link.data_to_send() == frame(1, HEADER)  # whole again


def test_the_count_of_refusals_is_per_frame() -> None:
    link = sending()
    link.receive(ACK + NAK * 5 + ACK + NAK * 5)
    assert link.data_to_send() == frame(1, HEADER) * 6 + frame(2, END) * 6
    assert link.receive(ACK) == [FrameSent(2, 6), MessageSent("m")]


def test_busy_peer() -> None:
    link = sending()
    assert link.receive(NAK) == [LineBusy()]
    assert link.timer is not None and link.timer.seconds == 10
    assert link.receive(ACK) == []  # ignored: we asked nothing
    assert expire(link, Deadline.BUSY) == [Noise(ACK)]
    assert link.data_to_send() == ENQ


def test_a_session_of_the_peer_during_the_pause_starts_it_over_once() -> None:
    link = sending()
    link.receive(NAK)
    assert link.receive(ENQ + EOT) == [SessionOpened(), SessionClosed("eot", 0)]
    assert link.data_to_send() == ACK
    assert link.timer is not None and link.timer.name is Deadline.BUSY
    link.receive(ENQ + EOT)
    assert link.data_to_send() == ACK + ENQ


# Scenario 9.9.
def test_contention_as_instrument() -> None:
    link = sending(Role.INSTRUMENT)
    assert link.receive(ENQ) == [Contention()]
    assert link.data_to_send() == b"" and link.timer is not None and link.timer.seconds == 1
    assert expire(link, Deadline.CONTENTION_INSTRUMENT) == []
    assert link.data_to_send() == ENQ


# Scenario 9.9.
def test_contention_as_computer() -> None:
    link = sending()
    assert link.receive(ENQ) == [Contention()]
    assert link.data_to_send() == b"" and link.timer is not None and link.timer.seconds == 20
    assert link.receive(ENQ) == [SessionOpened()]
    assert link.data_to_send() == ACK
    link.receive(EOT)
    assert link.data_to_send() == ENQ


def test_contention_answered_at_once_where_tolerated() -> None:
    link = sending(tolerances=Tolerances(contention_reply="at-once"))
    assert link.receive(ENQ) == [Contention(), SessionOpened()]
    assert link.data_to_send() == ACK and link.used["contention_reply"] == 1
    # An instrument by the book does not see that ACK, and asks again after a second.
    assert link.receive(ENQ) == [SessionClosed("restart", 0), SessionOpened()]
    assert link.data_to_send() == ACK
    take(link, frame(1))
    assert link.receive(ENQ) == [CallRefused(in_session=True)]
    busy = sending(tolerances=Tolerances(contention_reply="at-once"))
    busy.can_receive = False
    assert busy.receive(ENQ) == [Contention()] and busy.data_to_send() == b""


# Scenario 9.12.
def test_interrupt_honoured() -> None:
    link = sending()
    link.receive(ACK)
    link.data_to_send()
    assert link.receive(EOT) == [Interrupted(True), FrameSent(1, 1), SendFailed("m", "interrupted")]
    assert link.data_to_send() == EOT and link.timer is not None and link.timer.seconds == 15
    expire(link, Deadline.INTERRUPT)
    assert link.data_to_send() == ENQ
    link.receive(ACK + ACK)
    assert link.receive(EOT) == [Interrupted(True), FrameSent(2, 1), MessageSent("m")]
    assert link.unsent == []


# Scenario 9.12.
def test_interrupt_ignored() -> None:
    link = sending(tolerances=Tolerances(interrupt="ignore"))
    link.receive(ACK)
    link.data_to_send()
    assert link.receive(EOT) == [Interrupted(False), FrameSent(1, 1)]
    assert link.data_to_send() == frame(2, END)


def test_turnaround() -> None:
    link = in_session(Tolerances(turnaround=0.5))
    link.send([HEADER, END])
    link.receive(EOT)
    assert link.data_to_send() == b"" and link.timer == Timer(
        Deadline.TURNAROUND, 0.5, link.timer.serial if link.timer else 0
    )
    expire(link, Deadline.TURNAROUND)
    assert link.data_to_send() == ENQ


def test_withdrawing() -> None:
    link = sending()
    link.send([HEADER, END], "other")
    assert not link.withdraw("m")  # on its way
    assert not link.withdraw("unknown")
    assert link.withdraw("other") and link.unsent == ["m"]
    link.receive(NAK)
    assert link.withdraw("m") and link.unsent == []
    assert expire(link, Deadline.BUSY) == [] and link.data_to_send() == b""


@pytest.mark.parametrize(
    ("message", "says"),
    [([], "without records"), ([b"H|\\^&"], "record 1 does not end with CR"), ([HEADER, b"C|\x02\r"], "0x02")],
)
def test_what_cannot_be_sent_is_not_queued(message: list[bytes], says: str) -> None:
    link = DataLink()
    with pytest.raises(FrameError, match=says):
        link.send(message)
    assert link.unsent == [] and link.data_to_send() == b""


@pytest.mark.parametrize("limit", [0, 63_994])
def test_impossible_frame_limit(limit: int) -> None:
    with pytest.raises(FrameError, match="frame text limit"):
        DataLink(frame_text=limit)


# -- tolerances -----------------------------------------------------------------------------------------------


def loose(data: bytes, **tolerances: Any) -> tuple[list[Event], DataLink]:
    link = in_session(Tolerances(**tolerances))
    return deal(link, link.receive(data)), link


def texts(events: Iterable[Event]) -> list[bytes]:
    return [event.frame.text for event in events if isinstance(event, FrameReceived)]


def test_restart_by_enq() -> None:
    events, link = loose(frame(1) + ENQ + frame(1, END), enq_in_transfer="restart")
    assert events[1:3] == [SessionClosed("restart", 1), SessionOpened()]
    assert texts(events) == [RESULT, END]
    assert link.used == {"enq_in_transfer": 1}
    link.can_receive = False
    assert link.receive(ENQ) == [CallRefused(in_session=True)]


@pytest.mark.parametrize("numbers", ["warn", "off"])
def test_numbers_that_jump(numbers: str) -> None:
    data = frame(5, b"R|5\r") + frame(5, b"R|5\r") + frame(5, b"R|6\r") + frame(6, b"R|7\r") + frame(1, b"R|8\r")
    events, link = loose(data, frame_numbers=numbers)
    assert texts(events) == [b"R|5\r", b"R|6\r", b"R|7\r", b"R|8\r"]
    assert link.used["frame_numbers"] == (3 if numbers == "warn" else 0)


def test_no_numbers_at_all() -> None:
    body = RESULT + b"\x03"
    data = b"\x02" + body + b"%02X\r\n" % (sum(body) & 0xFF)
    events, link = loose(data + data, frame_numbers="absent")
    assert texts(events) == [RESULT, RESULT]
    assert link.data_to_send() == ACK * 2


def test_frames_without_enq() -> None:
    link = DataLink(tolerances=Tolerances(implicit_session=True))
    assert deal(link, link.receive(b"\r\n" + frame(1))) == [Noise(b"\r\n"), SessionOpened(implicit=True), received(1)]
    assert link.data_to_send() == ACK and link.used["implicit_session"] == 1
    assert expire(link, Deadline.RECEIVE) == [SessionClosed("timeout", 1)]
    link.data_to_send()
    assert link.receive(b"x" + ENQ + frame(1))[:2] == [Noise(b"x"), SessionOpened()]
    busy = DataLink(tolerances=Tolerances(implicit_session=True))
    busy.can_receive = False
    assert busy.receive(frame(1)) == [] and busy.data_to_send() == b""


def test_a_line_in_one_direction() -> None:
    link = DataLink(tolerances=Tolerances(send_replies=False))
    bad = frame(2).replace(b"5.4", b"5.5")
    events = deal(link, link.receive(ENQ + frame(1) + bad + frame(2, END) + EOT))
    assert texts(events) == [RESULT, END]
    assert FrameRefused(Fault.CHECKSUM, bad, 1) in events
    assert link.data_to_send() == b""


# -- laws -----------------------------------------------------------------------------------------------------

TOLERANT = [
    STRICT,
    Tolerances(checksum="optional", lower_case_checksum=True, frame_numbers="warn"),
    Tolerances(checksum="none", trailer="optional", resynchronise=True, implicit_session=True),
    Tolerances(trailer="optional", enq_in_transfer="restart", frame_numbers="off"),
    Tolerances(control_in_text=True, resynchronise=True, max_frame=64),
    Tolerances(frame_numbers="absent", checksum="optional", trailer="optional", contention_reply="at-once"),
]

PIECES = st.one_of(
    st.sampled_from(
        [ENQ, EOT, ACK, NAK, b"\x02", b"\x03", b"\x17", b"\r", b"\n", b"\r\n", b"1", b"A3", b"a3", HEADER, RESULT]
    ),
    st.builds(
        frame,
        st.integers(0, 7),
        st.sampled_from([HEADER, RESULT, END, b"", b"x" * 70]),
        st.booleans(),
    ),
    st.builds(
        lambda number, text: encode(number, text, True)[:-2],
        st.integers(0, 7),
        st.sampled_from([HEADER, RESULT, END]),
    ),
    st.binary(max_size=4),
)


class Detour(DataLink):
    """A machine that never takes the short way of accept(), but steps through the table for every frame."""

    __slots__ = ()

    def _find_plain(self) -> None:
        self._plain = False


def run(link: DataLink, pieces: Iterable[bytes], refuse: frozenset[bytes]) -> tuple[list[Event], bytes]:
    seen: list[Event] = []
    sent = link.data_to_send()
    for piece in pieces:
        seen += deal(link, link.receive(piece), refuse)
        sent += link.data_to_send()
    seen += link.hang_up()
    return seen, sent


@settings(max_examples=400, deadline=None)
@given(
    st.lists(PIECES, max_size=25).map(b"".join),
    st.lists(st.integers(0, 400), max_size=12),
    st.sampled_from(TOLERANT),
    st.sampled_from(Role),
    st.booleans(),
    st.booleans(),
)
@example(ENQ + frame(1), [1, 2, 3], STRICT, Role.COMPUTER, False, True)
# Scenario 9.13.
def test_any_cut_gives_the_same_events_and_the_same_answers(
    data: bytes, places: list[int], tolerances: Tolerances, role: Role, queued: bool, refusing: bool
) -> None:
    refuse = frozenset([END]) if refusing else frozenset[bytes]()
    bounds = sorted({place for place in places if place < len(data)} | {0, len(data)})
    ways = (
        [data],
        [data[at : at + 1] for at in range(len(data))],
        [data[start:end] for start, end in pairwise(bounds)],
    )
    outcomes = []
    for way, machine in (*((way, DataLink) for way in ways), (ways[2], Detour)):
        link = machine(role, tolerances)
        if queued:
            link.send([HEADER, END], "m")
        outcomes.append((*run(link, way, refuse), link.state, link.used, link.unsent))
    assert outcomes[1] == outcomes[0]
    assert outcomes[2] == outcomes[0]
    assert outcomes[3] == outcomes[0]


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=20), st.sampled_from(TOLERANT), st.sampled_from(Role))
def test_every_byte_is_told_once_or_is_part_of_a_frame(pieces: list[bytes], tolerances: Tolerances, role: Role) -> None:
    """Nothing that arrives disappears without an event, but control characters that were understood, and late trailers."""
    link = DataLink(role, tolerances)
    data = b"".join(pieces)
    events, _ = run(link, pieces, frozenset())
    told = 0
    for event in events:
        match event:
            case FrameReceived(one) | FrameRepeated(one):
                told += len(one.raw)
            case FrameRefused(raw=raw):
                told += len(raw)
            case Noise(noise):
                told += len(noise)
            case SessionOpened(implicit=False) | SessionClosed(reason="eot" | "eot-in-frame") | CallRefused():
                told += 1
            case _:
                pass
    if tolerances.trailer == "required":
        assert told == len(data)
    else:
        assert told <= len(data)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["receive", "expire", "accept", "refuse", "send", "hang_up", "ask", "resume"]), PIECES
        ),
        max_size=40,
    )
)
def test_no_order_of_calls_breaks_it(calls: list[tuple[str, bytes]]) -> None:
    link = DataLink()
    stale = link.timer
    for what, data in calls:
        match what:
            case "receive":
                link.receive(data)
            case "expire" if link.timer is not None:
                stale = link.timer
                link.expire(stale)
            case "expire" if stale is not None:
                assert link.expire(stale) == []
            case "accept" | "refuse" if link.waiting:
                getattr(link, what)()
            case "send":
                link.send([HEADER, END])
            case "hang_up":
                link.hang_up()
            case "ask":
                link.ask_for_line()
            case "resume":
                link.resume()
            case _:
                pass
        link.data_to_send()
        assert (link.timer is None) == (link.state in (State.NEUTRAL, State.LATE))
    link.hang_up()
    assert link.state is State.NEUTRAL and link.kept == 0


def test_the_table_is_complete() -> None:
    """Every state can be left, can hang up, and is reached; every action exists and every action of the machine is used."""
    actions = {action for action, _ in TABLE.values()}
    assert all(callable(getattr(DataLink, "_" + action)) for action in actions)
    assert {following for _, following in TABLE.values()} == set(State)
    assert {state for state, _ in TABLE} == set(State)
    assert all((state, Input.HANG_UP) in TABLE for state in State)
    assert {happened for _, happened in TABLE} == set(Input)
    assert set(SECONDS) == set(Deadline)


# -- hostile sizes --------------------------------------------------------------------------------------------


def test_a_frame_without_end() -> None:
    link = in_session()
    for count in range(200):
        events = link.receive(b"\x021R|" + b"x" * 60_000 if count == 0 else b"x" * 60_000)
        assert link.kept <= 64_000
        assert sum(isinstance(event, FrameRefused) for event in events) == (1 if count == 1 else 0)
    assert link.data_to_send() == NAK
    events = deal(link, link.receive(frame(1)))
    assert received(1) in events and link.data_to_send() == ACK


def test_a_long_frame_in_small_pieces_is_not_copied_each_time() -> None:
    """64,000 bytes one by one: as many look-ups as bytes, not as many as pairs of bytes."""
    link = in_session(Tolerances(max_frame=64_000))
    long = encode(1, b"M|1|" + b"x" * 63_000 + b"\r", True)
    events: list[Event] = []
    for at in range(len(long)):
        events += link.receive(long[at : at + 1])
    assert [type(event) for event in events] == [FrameReceived]
    assert link.accept() == [] and link.data_to_send() == ACK


def test_the_longest_frame_and_one_byte_more() -> None:
    text = b"x" * 63_993
    link = in_session()
    assert link.receive(encode(1, text, True)) == [FrameReceived(Frame(1, text, True, encode(1, text, True)))]
    link.accept()
    link = in_session(Tolerances(max_frame=100))
    for length, good in ((93, True), (94, False), (95, False), (99, False), (200, False)):
        link = in_session(Tolerances(max_frame=100))
        (first, *_) = link.receive(encode(1, b"x" * length, True))
        assert isinstance(first, FrameReceived) is good
        if not good:
            assert isinstance(first, FrameRefused) and first.fault is Fault.TOO_LONG and len(first.raw) == 100
