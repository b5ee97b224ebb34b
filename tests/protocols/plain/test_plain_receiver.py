"""Every plain link: no cut changes anything, damage is refused, a flipped bit brings no other text, the owner is waited for."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plainside import Owner, owner, played

from protocols.astm.events import (
    AnswerTooLate,
    Deadline,
    Fault,
    FrameReceived,
    FrameRefused,
    FrameRepeated,
    Noise,
    Overrun,
    SessionClosed,
    SessionOpened,
    Troubled,
)
from protocols.errors import Misuse
from protocols.plain.beckman import write as write_beckman
from protocols.plain.links import LINKS
from protocols.plain.rapid import write as write_rapid
from protocols.plain.receiver import PlainLink, Receiver
from protocols.plain.states import State
from protocols.plain.tags import write as write_tags
from protocols.plain.tolerance import PLAIN

TAGS = write_tags(b"\x1emtrsl|\x1epi|\x1eci26112501|\x1ertTSH|\x1eqn0.35 B=D|")
RECORDS = b"H|\\^&||PSWD|Maglumi X3|||||Lis||P|E1394-97|20261120\rP|1\rO|1|26112501||^^^TSH II\rR|1|^^^TSH II|0.35|uIU/mL\rL|1|N\r"
MAGLUMI = b"\x05\x02" + RECORDS + b"\x03\x04"
AU = [
    write_beckman(b"DB01"),
    write_beckman(b"D 01 CBE#1", last=False),
    write_beckman(b"D 01 CBE#2"),
    write_beckman(b"DE01"),
]
RAPID = [
    write_rapid("SYS_READY", {"aMOD": "0500", "iIID": "64204"}),
    write_rapid("SMP_NEW_DATA", {"aMOD": "0500", "iPID": "26112501", "mpH": "7.38"}),
]
STREAMS: dict[str, tuple[bytes, dict[str, object], list[bytes]]] = {
    "tags": (b"\x05" + TAGS + b"\r\n" + TAGS + b"\x04", {}, [TAGS[1:-4]] * 2),
    "maglumi": (MAGLUMI * 2, {}, [RECORDS] * 2),
    "maglumi by records": (MAGLUMI, {"acknowledge": "records"}, RECORDS.splitlines(keepends=True)),
    "stx": (b"\x05\x02one C\x03\r\n\x02two\x03", {}, [b"one C", b"two"]),
    "stx with a sum": (b"\x02one C\x03\xe7"[:-1] + b"%02x" % (sum(b"one C\x03") & 255), {"check": "sum"}, [b"one C"]),
    "au": (b"".join(AU), {}, [b"DB01", b"D 01 CBE#1", b"D 01 CBE#2", b"DE01"]),
    "pk": (b"".join(AU), {}, [b"DB01", b"D 01 CBE#1", b"D 01 CBE#2", b"DE01"]),
    "rapid": (b"".join(RAPID), {}, [one[1:-4] for one in RAPID]),
}
CHECKED = ("tags", "stx with a sum", "au", "pk", "rapid")
SAYS_NO = ("tags", "stx with a sum", "au")  # a PK is never answered, and how a RAPIDPoint is refused nobody tells


def link_of(name: str) -> str:
    return name.partition(" ")[0]


def cuts(data: bytes, places: list[int]) -> Iterator[bytes]:
    ends = [0, *sorted(place % len(data) for place in places), len(data)]
    for begin, end in pairwise(ends):
        yield data[begin:end]


@pytest.mark.parametrize("name", STREAMS)
def test_says_what_was_sent(name: str) -> None:
    data, chosen, texts = STREAMS[name]
    one = played(link_of(name), [data], **chosen)
    assert one.texts == texts
    assert not [event for event in one.events if isinstance(event, FrameRefused)]
    assert set(one.said) <= ({0x06} if name != "rapid" else set(b"\x02\x06\x030B\x04"))
    assert bool(one.said) is (name != "pk")


@settings(max_examples=40, deadline=None)
@given(places=st.lists(st.integers(0, 10_000), max_size=6))
@pytest.mark.parametrize("name", STREAMS)
def test_any_cut_gives_the_same_events(name: str, places: list[int]) -> None:
    data, chosen, _ = STREAMS[name]
    noisy = b"\x00rubbish" + data + b"\x15\x06 more"
    whole = played(link_of(name), [noisy], **chosen)
    for pieces in (cuts(noisy, places), (noisy[at : at + 1] for at in range(len(noisy)))):
        cut = played(link_of(name), pieces, **chosen)
        assert (cut.events, cut.said) == (whole.events, whole.said)


@pytest.mark.parametrize("name", CHECKED)
def test_no_flipped_bit_brings_another_text(name: str) -> None:
    data, chosen, texts = STREAMS[name]
    for place in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        one = played(link_of(name), [bytes(flipped)], **chosen)
        remaining = list(texts)
        for text in one.texts:
            assert text in remaining, (place, text)
            remaining.remove(text)


@pytest.mark.parametrize("name", CHECKED)
def test_damage_is_refused_and_comes_again(name: str) -> None:
    data, chosen, texts = STREAMS[name]
    at = data.index(texts[0]) + 1
    damaged = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
    one = played(link_of(name), [damaged], **chosen)
    refused = [event for event in one.events if isinstance(event, FrameRefused)]
    assert [event.fault for event in refused] == [Fault.CHECKSUM]
    assert one.texts == texts[1:]
    assert (0x15 in one.said) is (name in SAYS_NO)
    assert any(isinstance(event, Troubled) for event in one.events) is (name == "pk")


def test_a_check_that_is_not_looked_at_is_counted() -> None:
    wrong = TAGS[:-3] + b"00\x03"
    assert not played("tags", [b"\x05" + wrong]).texts
    one = played("tags", [b"\x05" + wrong], check="none")
    assert len(one.texts) == 1
    assert one.machine.used["check"] == 1


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=300), link=st.sampled_from(sorted(LINKS)))
def test_rubbish_is_borne(data: bytes, link: str) -> None:
    one = played(link, [data, b"\x05\x02\x1e", data])
    assert one.machine.state is State.NEUTRAL
    assert one.machine.kept == 0


# --- inside a block ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [b"\x02", b"\x05"])
def test_a_start_inside_begins_nothing_anew(inside: bytes) -> None:
    body = b"\x1emtrsl|" + inside + b"\x1eci1|"
    one = played("tags", [b"\x05" + write_tags(body) + TAGS])
    assert [event.fault for event in one.events if isinstance(event, FrameRefused)] == [Fault.CONTROL]
    assert one.texts == [TAGS[1:-4]]


def test_a_start_inside_a_record_refuses_that_record_alone() -> None:
    one = played("maglumi", [b"\x05\x02H|\\^&\rP|\x021\rL|1\r\x03\x04"], acknowledge="records")
    assert one.texts == [b"H|\\^&\r", b"L|1\r"]
    assert one.said.count(b"\x15") == 1


def test_an_etx_without_sum_is_refused_at_once() -> None:
    one = owner("tags")
    one.feed(b"\x05\x02\x1emtrsl|ci1\x03")
    assert one.said == b"\x06\x15"
    assert [event.fault for event in one.events if isinstance(event, FrameRefused)] == [Fault.TRAILER]


@pytest.mark.parametrize("link", ["tags", "maglumi", "stx", "au", "pk"])
def test_an_eot_inside_ends_without_an_answer(link: str) -> None:
    one = owner(link)
    one.feed(b"\x05\x02")
    before = one.said
    one.feed(b"half a te\x04xt\x03")
    assert one.said == before
    assert [event.fault for event in one.events if isinstance(event, FrameRefused)] == [Fault.EOT_INSIDE]
    assert one.machine.state is State.NEUTRAL


def test_a_block_without_end_is_given_up() -> None:
    one = owner("stx", max_block=16)
    one.feed(b"\x02" + b"x" * 40 + b"\x02short\x03")
    assert [event.fault for event in one.events if isinstance(event, FrameRefused)] == [Fault.TOO_LONG]
    assert one.texts == [b"short"]


# --- the owner -----------------------------------------------------------------------------------------------------------


def waiting(link: PlainLink, data: bytes, most: int = 1000) -> Receiver:
    machine = Receiver(link, max_pending=most)
    machine.receive(data)
    machine.data_to_send()
    return machine


def test_nothing_is_answered_before_the_owner_has_it() -> None:
    machine = waiting(LINKS["tags"], b"\x05" + TAGS)
    assert machine.waiting
    assert machine.data_to_send() == b""
    assert machine.receive(b"\x04") == []
    closed = machine.accept()
    assert machine.data_to_send() == b"\x06"
    assert closed == [SessionClosed("eot", 1)]
    with pytest.raises(Misuse, match="no block waits"):
        machine.accept()


def test_what_an_owner_cannot_keep_is_refused() -> None:
    for name, data in (("tags", b"\x05" + TAGS), ("maglumi", MAGLUMI[:-1]), ("stx", b"\x02one\x03")):
        machine = waiting(LINKS[name], data)
        events = machine.refuse()
        assert isinstance(events[0], FrameRefused)
        assert events[0].fault is Fault.OWNER
        assert machine.data_to_send() == b"\x15"
    machine = waiting(LINKS["au"], AU[2])
    machine.refuse()
    assert machine.data_to_send() == b""
    assert machine.timer is not None
    assert machine.expire(machine.timer) == [SessionClosed("text", 0)]
    assert machine.data_to_send() == b"\x15"


def test_an_answer_that_comes_too_late_is_not_said() -> None:
    for name, data in (("tags", b"\x05" + TAGS), ("maglumi", MAGLUMI[:-1]), ("stx", b"\x02one\x03"), ("au", AU[2])):
        for answer in (Receiver.accept, Receiver.refuse):
            machine = waiting(LINKS[name], data)
            timer = machine.timer
            assert timer is not None
            assert timer.name is Deadline.ANSWER
            assert timer.seconds == LINKS[name].patience
            assert isinstance(machine.expire(timer)[0], AnswerTooLate)
            assert machine.expire(timer) == []
            machine.receive(b"\x05again")
            events = answer(machine)
            assert machine.data_to_send() == b""
            assert isinstance(events[-1], SessionClosed)
            assert events[-1].reason == "timeout"
            assert any(isinstance(event, Noise) for event in events)
            assert machine.state is State.NEUTRAL


def test_a_line_in_one_direction_waits_for_its_owner_as_long_as_it_takes() -> None:
    machine = waiting(LINKS["pk"], AU[2])
    assert machine.waiting
    assert machine.timer is None
    events = machine.refuse()
    assert isinstance(events[-1], Troubled)
    assert machine.data_to_send() == b""


def test_what_a_sender_pours_in_meanwhile_is_bounded() -> None:
    machine = waiting(LINKS["stx"], b"\x02one\x03", most=8)
    assert machine.receive(b"x" * 20) == [Overrun(12)]
    assert machine.kept == 8


def test_a_sender_that_falls_silent_ends_its_session() -> None:
    for name, data in (("tags", b"\x05\x02\x1emt"), ("maglumi", b"\x05\x02H|"), ("au", AU[1]), ("stx", b"\x02one\x17")):
        one = owner(name)
        one.feed(data)
        timer = one.machine.timer
        assert timer is not None
        assert timer.name is Deadline.RECEIVE
        assert one.machine.timer is timer
        one.take(one.machine.expire(timer))
        assert isinstance(one.events[-1], SessionClosed)
        assert one.events[-1].reason == "timeout"
        assert one.machine.timer is None


@pytest.mark.parametrize("link", sorted(LINKS))
def test_a_wire_that_breaks_ends_everything(link: str) -> None:
    for data in (b"", b"\x05", MAGLUMI[:-1], b"\x05" + TAGS, AU[1], AU[2], AU[2][:-1] + b"\x00", b"\x02one"):
        machine = waiting(LINKS[link], data)
        machine.hang_up()
        assert machine.state is State.NEUTRAL
        late = waiting(LINKS[link], data)
        if late.timer is not None:
            late.expire(late.timer)
        late.hang_up()
        assert late.state is State.NEUTRAL


# --- sessions ------------------------------------------------------------------------------------------------------------


def test_enq_in_a_session_begins_it_anew() -> None:
    for name in ("tags", "maglumi"):
        one = owner(name)
        one.feed(b"\x05\x05")
        assert one.said == b"\x06\x06"
        assert one.events == [SessionOpened(), SessionClosed("restart", 0), SessionOpened()]


def test_outside_a_session_a_block_is_noise() -> None:
    for name, data in (("tags", TAGS), ("maglumi", MAGLUMI[1:-1])):
        one = played(name, [data])
        assert one.texts == []
        assert one.said == b""
        assert b"".join(event.data for event in one.events if isinstance(event, Noise)).startswith(data[:1])


def test_a_mini_vidas_waits_for_its_answer_before_etx() -> None:
    """It sends ETX and EOT only when the sum was answered; who waits for ETX waits for ever."""
    one = owner("tags")
    one.feed(b"\x05" + TAGS[:-1])
    assert one.said == b"\x06\x06"
    one.feed(b"\x03\x04")
    assert one.said == b"\x06\x06"
    assert one.events[-1] == SessionClosed("eot", 1)


def test_each_sign_of_a_maglumi_is_answered_once() -> None:
    one = owner("maglumi")
    for data in (b"\x05", b"\x02", RECORDS, b"\x03", b"\x04"):
        one.feed(data)
    assert one.said == b"\x06" * 4
    one = owner("maglumi", acknowledge="records")
    for data in (b"\x05", b"\x02", RECORDS, b"\x03", b"\x04"):
        one.feed(data)
    assert one.said == b"\x06" * (4 + RECORDS.count(b"\r"))


def test_a_record_that_comes_again_is_acknowledged_again_and_not_taken_twice() -> None:
    one = owner("maglumi", acknowledge="records")
    one.feed(b"\x05\x02H|\\^&\rP|1\rP|1\rL|1\r\x03\x04")
    assert one.texts == [b"H|\\^&\r", b"P|1\r", b"L|1\r"]
    assert len([event for event in one.events if isinstance(event, FrameRepeated)]) == 1
    assert one.said == b"\x06" * 8


def test_a_last_record_without_its_end_is_kept() -> None:
    one = owner("maglumi", acknowledge="records")
    one.feed(b"\x05\x02H|\\^&\rL|1\x03\x04")
    assert one.texts == [b"H|\\^&\r", b"L|1"]


@pytest.mark.parametrize("link", ["au", "pk", "stx"])
def test_a_piece_that_comes_again_is_not_taken_twice(link: str) -> None:
    check = {"check": "xor"} if link == "stx" else {}
    one: Owner = owner(link, **check)
    one.feed(AU[1] + AU[1])
    one.feed(AU[2])
    one.feed(AU[2])
    assert one.texts == [b"D 01 CBE#1", b"D 01 CBE#2", b"D 01 CBE#2"]
    assert len([event for event in one.events if isinstance(event, FrameRepeated)]) == 1


def test_an_au_is_answered_after_its_pause() -> None:
    machine = waiting(LINKS["au"], AU[1])
    machine.accept()
    timer = machine.timer
    assert timer is not None
    assert (timer.name, timer.seconds, machine.state) == (Deadline.TURNAROUND, PLAIN.pause, State.ANSWERING)
    assert machine.data_to_send() == b""
    machine.expire(timer)
    assert machine.data_to_send() == b"\x06"
    assert machine.state.name == "RECEIVING"
    machine.receive(AU[2][:-1] + b"\x00")
    assert machine.state is State.ANSWERING
    assert machine.timer is not None
    machine.expire(machine.timer)
    assert machine.data_to_send() == b"\x15"
    assert isinstance(machine.receive(AU[2])[-1], FrameReceived)
    machine.refuse()
    assert machine.timer is not None
    machine.expire(machine.timer)
    assert (machine.data_to_send(), machine.state) == (b"\x15", State.RECEIVING)


def test_other_characters_than_stx_and_etx_can_be_chosen() -> None:
    chosen = PLAIN.changed({"start": 1, "end": 10}, LINKS["au"].uses, "au")
    one = owner("au", start=1, end=10)
    one.feed(write_beckman(b"R 01", settings=chosen))
    assert one.texts == [b"R 01"]


def test_six_refusals_are_told_to_a_person() -> None:
    one = owner("stx", check="xor")
    one.feed(b"\x02one\x03\x00" * 6)
    assert [event.in_a_row for event in one.events if isinstance(event, Troubled)] == [6]


def test_long_noise_is_told_in_pieces() -> None:
    one = owner("stx")
    one.feed(b"n" * 9000)
    assert [len(event.data) for event in one.events if isinstance(event, Noise)] == [4096, 4096]


# --- RAPIDPoint ----------------------------------------------------------------------------------------------------------

YES = b"\x02\x06\x030B\x04"


def test_a_result_that_is_there_is_asked_for_by_its_number() -> None:
    one = played("rapid", [write_rapid("SMP_NEW_AV", {"aMOD": "0500", "iIID": "64204", "rSEQ": "13224"})])
    assert one.said == YES + write_rapid("SMP_REQ", {"aMOD": "0500", "iIID": "64204", "rSEQ": "13224"})
    assert played("rapid", [write_rapid("QC_NEW_AV", {"rSEQ": "7"})]).said.count(b"QC_REQ") == 1


@pytest.mark.parametrize("name", ["SMP_NEW_AV", "SMP_START", "SYS_READY"])
def test_what_names_no_result_is_acknowledged_and_asked_nothing(name: str) -> None:
    assert played("rapid", [write_rapid(name, {"aMOD": "0500"})]).said == YES


def test_it_is_told_who_we_are() -> None:
    assert played("rapid", [write_rapid("ID_REQ", {})]).said == YES + write_rapid(
        "ID_DATA", {"aMOD": "LIS", "iIID": "LABMW"}
    )


def test_its_answers_are_neither_texts_nor_answered() -> None:
    """The variant that breaks it: an acknowledgment that is acknowledged is answered for ever."""
    one = played("rapid", [YES + RAPID[1] + YES])
    assert one.texts == [RAPID[1][1:-4]]
    assert one.said == YES
    assert not [event for event in one.events if isinstance(event, Noise)]


def test_a_question_carries_nothing_hostile() -> None:
    for number in ("x" * 65, "7\x03"):
        text = write_rapid("SMP_NEW_AV", {"rSEQ": number})
        assert b"SMP_REQ" not in played("rapid", [text]).said
    one = played("rapid", [write_rapid("SMP_NEW_AV", {"rSEQ": "7"})], send_replies=False)
    assert one.said == b""


def test_an_owner_that_does_not_store_asks_for_nothing() -> None:
    machine = Receiver(LINKS["rapid"], PLAIN)
    machine.receive(write_rapid("SMP_NEW_AV", {"rSEQ": "7"}))
    assert machine.data_to_send() == b""
    machine.refuse()
    assert machine.data_to_send() == b""
