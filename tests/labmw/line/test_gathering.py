"""Frames to messages, whole and in pieces, the same for a line and for recovery."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from stage import message

from labmw.line.gathering import Gathering
from labmw.line.received import UNTERMINATED
from protocols.astm.frame import Frame, cut
from protocols.astm.message import Message
from protocols.astm.tolerance import STRICT


def frames_of(records: list[bytes], size: int = 240) -> list[Frame]:
    return [
        Frame(place % 8, text, last, b"")
        for place, (text, last) in enumerate((piece for record in records for piece in cut(record, size)), 1)
    ]


def test_each_message_knows_its_first_and_last_frame() -> None:
    gathering = Gathering()
    found = [
        one
        for seq, frame in enumerate(frames_of([*message("S1"), *message("S2")]), 1)
        for one in gathering.feed(frame, seq)
    ]
    assert [(one.first, one.last, one.place, one.message.terminated) for one in found] == [
        (1, 5, 0, True),
        (6, 10, 0, True),
    ]
    assert gathering.rest(10) is None


def test_what_is_left_is_unterminated_and_ends_in_the_last_frame() -> None:
    gathering = Gathering()
    for seq, frame in enumerate(frames_of(message("S1")[:3]), 1):
        assert not gathering.feed(frame, seq)
    rest = gathering.rest(3)
    assert rest is not None
    assert (rest.first, rest.last, rest.place, rest.message.terminated) == (1, 3, UNTERMINATED, False)


def test_trying_a_frame_changes_nothing() -> None:
    gathering = Gathering()
    *begun, last = frames_of(message("S1"))
    for seq, frame in enumerate(begun, 1):
        gathering.feed(frame, seq)
    assert gathering.completes(last)
    assert len(gathering.copy().feed(last, 5)) == 1
    assert len(gathering.copy().feed(last, 5)) == 1
    assert len(gathering.feed(last, 5)) == 1


@given(
    texts=st.lists(
        st.sampled_from([b"H|\\^&\r", b"L|1\r", b"R|1|x\r", b"C|1|", b"more", b"H|", b"L", b"\r", b""]), max_size=60
    ),
    lasts=st.lists(st.booleans(), min_size=60, max_size=60),
    most=st.integers(1, 80),
)
def test_no_byte_is_lost_and_memory_is_bounded_whatever_comes(texts: list[bytes], lasts: list[bool], most: int) -> None:
    gathering = Gathering("latin-1", STRICT.changed({"max_frame": 16}), most)
    seen: list[bytes] = []
    last_seq = 0
    places = set()
    for seq, (text, last) in enumerate(zip(texts, lasts, strict=False), 1):
        for one in gathering.feed(Frame(seq % 8, text, last, b""), seq):
            seen.append(one.message.raw)
            assert last_seq <= one.last == seq
            assert (one.last, one.place) not in places  # what recovery recognises a message by
            places.add((one.last, one.place))
            last_seq = seq
        assert gathering._assembly._size + gathering._assembly._open_size <= 2 * (most + 16)
    rest = gathering.rest(len(texts))
    raw = b"".join([*seen, rest.message.raw if rest else b""])
    assert raw.replace(b"\r", b"") == b"".join(texts).replace(b"\r", b"")


def test_records_without_content_do_not_outgrow_the_bound() -> None:
    gathering = Gathering(most=1000)
    gathering.feed(Frame(1, b"H|\\^&\r", True, b""), 1)
    found = [one for seq in range(2, 60) for one in gathering.feed(Frame(seq % 8, b"\r" * 100, True, b""), seq)]
    assert all(isinstance(one.message, Message) and len(one.message.lines) <= 200 for one in found)
    assert found
