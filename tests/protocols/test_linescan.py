"""Is a line's speed found, whatever it is? A UART made of bits sends at one setting and is read at another."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.astm.frame import encode
from protocols.linescan import BAUDS, SETTINGS, Found, Scan, Score, Setting, score, unmark

RECORDS = (
    rb"H|\^&|||ACME X100^2.1^SN0042|||||||P|LIS2-A2|20260310081500",
    rb"P|1||PAT1||DUPONT^ANNE||19700101|F",
    rb"O|1|2026031001||^^^TSH|R||||||N||||S",
    rb"R|1|^^^TSH|2,41|mUI/L|0,27 to 4,2|N||F||||20260310081400",
    rb"L|1|N",
)
SESSION = b"\x05" + b"".join(encode(n % 8, record + b"\r", True) for n, record in enumerate(RECORDS, 1)) + b"\x04"


@dataclass(frozen=True)
class Uart:
    """One side of a line: bits out, bits in."""

    baud: int
    bits: int = 8
    parity: str = "none"

    def levels(self, data: bytes, pause: float = 0.0) -> list[tuple[float, int]]:
        """(seconds, level) for each bit sent: start 0, least significant bit first, parity, stop 1."""
        sent: list[tuple[float, int]] = []
        for byte in data:
            value = byte & (0x7F if self.bits == 7 else 0xFF)
            cells = [0, *((value >> n) & 1 for n in range(self.bits))]
            if self.parity != "none":
                cells.append((value.bit_count() + (self.parity == "odd")) & 1)
            sent += [(1 / self.baud, level) for level in (*cells, 1)]
            if pause:
                sent.append((pause, 1))
        return sent

    def read(self, levels: list[tuple[float, int]]) -> tuple[bytes, int]:
        """What a UART with this setting makes of a line's levels: its bytes, and how many it would mark as broken."""
        edges, at = [], 0.0
        for seconds, level in levels:
            edges.append((at, level))
            at += seconds
        end, cell, place = at, 1 / self.baud, 0

        def at_moment(moment: float) -> int:
            nonlocal place
            while place + 1 < len(edges) and edges[place + 1][0] <= moment:
                place += 1
            return edges[place][1] if moment < end else 1

        found, broken, now = bytearray(), 0, 0.0
        while now < end:
            if at_moment(now):
                now = next((start for start, one in edges[place + 1 :] if not one), end)
                if now >= end:
                    break
            samples = [at_moment(now + cell * (n + 1.5)) for n in range(self.bits + (self.parity != "none") + 1)]
            value = sum(bit << n for n, bit in enumerate(samples[: self.bits]))
            wrong = not samples[-1]
            if self.parity != "none":
                wrong |= samples[self.bits] != (value.bit_count() + (self.parity == "odd")) & 1
            found.append(value)
            broken += wrong
            now += cell * (len(samples) + 0.6)
        return bytes(found), broken


SENDERS = [Uart(baud, bits, parity) for baud in BAUDS for bits, parity in ((8, "none"), (7, "even"), (7, "odd"), (8, "even"), (8, "odd"))]  # fmt: skip


@pytest.mark.parametrize("sender", SENDERS, ids=str)
def test_the_setting_of_every_line_is_found(sender: Uart) -> None:
    scan = Scan()
    for _ in range(3 * len(SETTINGS)):  # the analyzer sends again and again
        data, broken = Uart(scan.setting.baud, 8, scan.setting.parity).read(sender.levels(SESSION))
        scan.feed(data, broken)
        if scan.found:
            break
    assert scan.found == Found(sender.baud, sender.bits, sender.parity)  # type: ignore[arg-type]


def test_without_the_marks_of_the_port_a_right_speed_is_found_all_the_same() -> None:
    """Some device servers deliver no marks: the checksums decide."""
    sender = Uart(19200, 7, "even")
    scan = Scan()
    while not scan.found:
        assert scan.rounds == 0
        scan.feed(Uart(scan.setting.baud).read(sender.levels(SESSION))[0])
    assert str(scan.found) == "19200 7E1"


def test_a_silent_line_says_nothing_about_its_speed() -> None:
    scan = Scan()
    assert not any(scan.feed(b"") for _ in range(100))
    assert scan.setting == SETTINGS[0]
    assert scan.best is None


def test_a_line_that_only_calls_stays_where_its_calls_can_be_read() -> None:
    """ENQ every fifteen seconds and nobody answers: at the right speed it is 05, at any other something else."""
    sender = Uart(4800)
    scan = Scan()
    for _ in range(40):
        data, broken = Uart(scan.setting.baud, 8, scan.setting.parity).read(sender.levels(b"\x05", pause=0.01))
        scan.feed(data, broken)
    assert scan.best is not None
    assert scan.best[0] == Setting(4800)
    assert scan.found is None  # one byte again and again proves nothing


@given(st.binary(max_size=300), st.integers(0, 20))
def test_every_score_is_in_its_bounds(data: bytes, broken: int) -> None:
    said = score(data, broken)
    assert 0 <= said.odd <= said.total == len(data)
    assert -1.0 <= said.points - said.proofs <= 1.0
    assert not (said.proven and said.wrong)


@given(st.integers(0, len(SESSION)), st.integers(1, len(SESSION)))
def test_more_of_a_right_line_never_looks_worse_than_none(start: int, length: int) -> None:
    said = score(SESSION[start : start + length])
    assert said.odd == 0
    assert said.points >= Score(0, 0, 0).points


@given(st.lists(st.integers(0, 255), min_size=1, max_size=60))
def test_a_damaged_frame_proves_nothing(noise: list[int]) -> None:
    frame = bytearray(encode(1, RECORDS[0] + b"\r", True))
    frame[5] ^= 0x01
    assert not score(bytes(frame)).proven


@given(st.data())
def test_the_marks_are_taken_out_wherever_the_reads_are_cut(data: st.DataObject) -> None:
    pieces = data.draw(st.lists(st.tuples(st.integers(0, 255), st.booleans()), max_size=40))
    marked = b"".join(
        b"\xff\x00" + bytes([v]) if bad else (b"\xff\xff" if v == 0xFF else bytes([v])) for v, bad in pieces
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(marked)), max_size=5)))
    found, broken, rest = b"", 0, b""
    for start, end in zip([0, *cuts], [*cuts, len(marked)], strict=True):
        part, bad, rest = unmark(rest + marked[start:end])
        found, broken = found + part, broken + bad
    assert (found, broken, rest) == (bytes(v for v, _ in pieces), sum(bad for _, bad in pieces), b"")


@given(st.lists(st.binary(max_size=200), max_size=30))
def test_a_scan_ends_in_no_bytes_whatsoever(pieces: list[bytes]) -> None:
    scan = Scan()
    for piece in pieces:
        scan.feed(piece)
        assert 0 <= scan.at < len(SETTINGS)
