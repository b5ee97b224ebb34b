"""Blocks come out of any cut of the stream, whole or not at all."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Misuse, MllpError
from protocols.hl7.mllp import Block, BlockRestarted, BlockTooLarge, Event, MllpReader, Noise, Truncated, wrap

M = b"MSH|^~\\&|x\rOBX|1|NM|A||12.5\r"


def read(stream: bytes, *cuts: int, reader: MllpReader | None = None) -> list[Event]:
    reader = reader or MllpReader()
    events: list[Event] = []
    places = [0, *sorted(cuts), len(stream)]
    for start, end in pairwise(places):
        events += reader.receive(stream[start:end])
    return events


def test_one_block_and_two_in_one_read() -> None:
    assert read(wrap(M)) == [Block(M)]
    assert read(wrap(M) + wrap(b"b\r")) == [Block(M), Block(b"b\r")]
    assert read(b"\x0b\x1c\x0d") == [Block(b"")]


def test_the_block_is_handed_over_before_its_carriage_return_when_it_is_complete() -> None:
    reader = MllpReader()
    assert reader.receive(b"\x0b" + M + b"\x1c") == [Block(M)]
    assert not reader.inside
    assert reader.receive(b"\x0d\x0b") == []
    assert reader.inside
    assert reader.used == {}


def test_data_without_final_carriage_return() -> None:
    assert read(b"\x0bMSH|x\x1c\x0d") == [Block(b"MSH|x")]


def test_tolerances_are_counted() -> None:
    reader = MllpReader()
    stream = b"\x0b" + M + b"\x1c" + wrap(M) + b"\n" + b"\x0b" + M + b"\x1c"
    assert read(stream, reader=reader) == [Block(M)] * 3
    assert reader.used == {"fs_without_cr": 1, "lf_after_block": 1}
    assert reader.hang_up() == []
    assert reader.used == {"fs_without_cr": 2, "lf_after_block": 1}


def test_a_stray_fs_never_shortens_a_value() -> None:
    # The variant that ends the block at any FS would deliver 12 instead of 12.5.
    broken = M.replace(b".", b"\x1c")
    assert read(b"\x0b" + broken + b"\x1c\x0d") == [Block(broken)]
    assert read(b"\x0bab\x1c\x1c\x0d") == [Block(b"ab\x1c")]


def test_without_the_tolerance_only_fs_cr_ends_a_block() -> None:
    reader = MllpReader(fs_without_cr=False)
    assert reader.receive(b"\x0b" + M + b"\x1c") == []
    assert reader.inside
    assert reader.receive(wrap(M)) == [BlockRestarted(M + b"\x1c"), Block(M)]
    assert reader.used == {}


def test_restart() -> None:
    assert read(b"\x0bMSH|half" + wrap(M)) == [BlockRestarted(b"MSH|half"), Block(M)]
    assert read(b"\x0b\x0b" + M + b"\x1c\x0d") == [BlockRestarted(b""), Block(M)]


def test_noise_is_reported_in_pieces() -> None:
    assert read(b"\r\nhello" + wrap(M) + b"\x0d") == [Noise(b"\r\nhello"), Block(M)]
    reader = MllpReader()
    assert reader.receive(b"x" * 10_000) == [Noise(b"x" * 4096)] * 2
    assert reader.hang_up() == [Noise(b"x" * (10_000 - 2 * 4096))]
    assert reader.hang_up() == []


def test_truncated() -> None:
    reader = MllpReader()
    reader.receive(b"\x0bMSH|half")
    assert reader.hang_up() == [Truncated(b"MSH|half")]
    reader.receive(b"\x0bMSH|half\x1c")
    assert reader.hang_up() == [Truncated(b"MSH|half\x1c")]
    assert reader.receive(wrap(M)) == [Block(M)]


def test_too_large() -> None:
    reader = MllpReader(max_block=4)
    assert reader.receive(b"\x0b1234\x1c\x0d") == [Block(b"1234")]
    assert reader.receive(b"\x0b12345") == [BlockTooLarge(5)]
    assert not reader.usable
    assert reader.receive(b"\x1c\x0d" + wrap(M)) == []
    assert reader.hang_up() == []
    assert reader.usable
    assert read(b"\x0b1234\x1c5\x1c\x0d", reader=MllpReader(max_block=4)) == [BlockTooLarge(5)]
    with pytest.raises(Misuse):
        MllpReader(max_block=0)


def test_wrap() -> None:
    assert wrap(M) == b"\x0b" + M + b"\x1c\x0d"
    for bad in (b"a\x0bb", b"a\x1cb"):
        with pytest.raises(MllpError, match="escape them"):
            wrap(bad)


STREAMS = st.lists(
    st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"ab", wrap(M), wrap(b"x"), b"\x1c\r"]), max_size=14
).map(b"".join)


@given(st.data(), STREAMS, st.booleans(), st.sampled_from([3, 2**20]))
def test_any_cut_gives_the_same_events(data: st.DataObject, stream: bytes, lone_fs: bool, limit: int) -> None:
    def reader() -> MllpReader:
        return MllpReader(limit, fs_without_cr=lone_fs)

    whole, bytewise, cut = reader(), reader(), reader()
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=5))
    expected = read(stream, reader=whole) + whole.hang_up()
    assert read(stream, *range(len(stream)), reader=bytewise) + bytewise.hang_up() == expected
    assert read(stream, *cuts, reader=cut) + cut.hang_up() == expected
    assert whole.used == bytewise.used == cut.used


@given(st.lists(st.binary().map(lambda b: b.replace(b"\x0b", b"").replace(b"\x1c", b"") + b"\r"), max_size=4))
def test_what_was_wrapped_comes_out(blocks: list[bytes]) -> None:
    reader = MllpReader()
    assert reader.receive(b"".join(wrap(block) for block in blocks)) == [Block(block) for block in blocks]
    assert reader.hang_up() == []
    assert not reader.used
