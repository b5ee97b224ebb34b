"""Does a bad line do what it is told, and the same again with the same seed?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.faults import Delivery, Faults, Impairment, impairment

PIECES = st.lists(st.binary(min_size=1, max_size=60), max_size=20)


def through(line: Impairment, pieces: list[bytes]) -> list[Delivery]:
    out = [one for piece in pieces for one in line.carry(piece)]
    return out + line.release()


def data(deliveries: list[Delivery]) -> bytes:
    return b"".join(one.data for one in deliveries)


@given(PIECES)
def test_a_good_line_changes_nothing(pieces: list[bytes]) -> None:
    line = impairment(Faults(), 1, "x")
    assert [one.data for one in through(line, pieces)] == pieces
    assert not line.counts


@given(PIECES, st.integers())
def test_split_merge_and_delay_move_bytes_and_lose_none(pieces: list[bytes], seed: int) -> None:
    line = impairment(Faults(split=0.5, merge=0.5, delay=0.5), seed, "x")
    deliveries = through(line, pieces)
    assert data(deliveries) == b"".join(pieces)
    assert all(one.data for one in deliveries)
    assert all(0 <= one.after <= line.faults.delay_seconds for one in deliveries)


@given(PIECES, st.integers())
def test_the_seed_decides_everything(pieces: list[bytes], seed: int) -> None:
    every = Faults(split=0.3, merge=0.3, delay=0.3, drop=0.3, repeat=0.3, resend=0.3, corrupt=0.3, hang_up=0.3)
    one, other = impairment(every, seed, "x"), impairment(every, seed, "x")
    assert through(one, pieces) == through(other, pieces)
    assert (one.counts, one.log) == (other.counts, other.log)
    assert one.counts.total() == len(one.log)


def test_another_seed_or_direction_gives_other_faults() -> None:
    pieces = [bytes(range(60))] * 50
    every = Faults(corrupt=0.5)
    logs = [
        (line := impairment(every, seed, way), through(line, pieces))[0].log
        for seed, way in ((1, "a"), (2, "a"), (1, "b"))
    ]
    assert logs[0] != logs[1]
    assert logs[0] != logs[2]


@given(st.binary(min_size=1, max_size=300), st.integers())
def test_corrupt_flips_exactly_one_bit(piece: bytes, seed: int) -> None:
    line = impairment(Faults(corrupt=1.0), seed, "x")
    (delivery,) = line.carry(piece)
    difference = [a ^ b for a, b in zip(piece, delivery.data, strict=True) if a != b]
    assert len(difference) == 1
    assert difference[0].bit_count() == 1
    assert line.counts == {"corrupt": 1}
    assert piece[line.log[0].place] != delivery.data[line.log[0].place]


@given(st.binary(min_size=1, max_size=300), st.integers())
def test_drop_loses_bytes_in_a_row(piece: bytes, seed: int) -> None:
    line = impairment(Faults(drop=1.0), seed, "x")
    rest = data(line.carry(piece))
    at = line.log[0].place
    missing = len(piece) - len(rest)
    assert 1 <= missing <= max(1, len(piece) // 4)
    assert rest == piece[:at] + piece[at + missing :]


def test_repeat_brings_the_piece_twice() -> None:
    assert data(impairment(Faults(repeat=1.0), 1, "x").carry(b"\x021H\r")) == b"\x021H\r" * 2


def test_a_resent_piece_arrives_twice_and_one_answer_comes_back() -> None:
    there, back = impairment(Faults(resend=1.0, at_most=1), 1, "x"), impairment(Faults(), 1, "y")
    there.opposite = back
    assert data(there.carry(b"frame")) == b"frame" * 2
    assert back.carry(b"\x06") == []
    assert data(back.carry(b"\x06")) == b"\x06"
    assert data(there.carry(b"frame")) == b"frame"
    assert data(back.carry(b"\x06\x06")) == b"\x06\x06"


@given(st.binary(min_size=1, max_size=300), st.integers())
def test_hang_up_ends_within_the_piece(piece: bytes, seed: int) -> None:
    (delivery,) = impairment(Faults(hang_up=1.0), seed, "x").carry(piece)
    assert delivery.hang_up
    assert piece.startswith(delivery.data)
    assert delivery.data != piece


def test_short_pieces_can_be_spared() -> None:
    line = impairment(Faults(drop=1.0, spare=1), 1, "x")
    assert data(line.carry(b"\x05")) == b"\x05"
    assert data(line.carry(b"\x05\x05")) != b"\x05\x05"


@given(st.binary(min_size=1, max_size=40), st.integers())
def test_the_ends_of_a_piece_can_be_spared(piece: bytes, seed: int) -> None:
    corrupted = data(impairment(Faults(corrupt=1.0, edge=5), seed, "x").carry(piece))
    shortened = data(impairment(Faults(drop=1.0, edge=5), seed, "x").carry(piece))
    assert (corrupted != piece) == (shortened != piece) == (len(piece) > 10)
    for one in (corrupted, shortened):
        assert (one[:5], one[-5:]) == (piece[:5], piece[-5:])


def test_after_the_last_fault_the_line_is_good() -> None:
    line = impairment(Faults(corrupt=1.0, at_most=2), 1, "x")
    assert [line.carry(b"abc")[0].data == b"abc" for _ in range(4)] == [False, False, True, True]
    assert line.counts == {"corrupt": 2}


@pytest.mark.parametrize("chance", [-0.1, 1.1])
def test_a_chance_is_a_number_from_0_to_1(chance: float) -> None:
    with pytest.raises(ValueError, match="drop"):
        Faults(drop=chance)
