"""Is the yardstick honest, and are the messages what the benchmark says they are?"""

from __future__ import annotations

import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from drivers.roche_cobas_c311 import DRIVER
from labmw.driver.astm import read
from protocols.astm.message import Message
from protocols.hl7 import er7
from tests.benchmarks import floor
from tests.benchmarks.load import Job, Outcome, run
from tests.benchmarks.messages import SPECIMENS, TESTS, AstmSource, framed, hl7_block, oul_r22, records
from tests.benchmarks.receivers import Receiver, start_reference
from tests.benchmarks.rounds import Sample, ratio, turned

SCRIPT = Path(__file__).with_name("reference.py")


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[Receiver]:
    receiver = start_reference(tmp_path, {})
    yield receiver
    receiver.stop()
    assert receiver.process.stdout is not None
    receiver.process.stdout.close()


def _stored(folder: Path) -> list[bytes]:
    with closing(sqlite3.connect(folder / "reference.db")) as store:
        return [data for (data,) in store.execute("SELECT data FROM received ORDER BY rowid")]


def test_it_stays_under_sixty_lines() -> None:
    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) < 60


def test_it_stores_before_it_acknowledges_and_refuses_what_is_damaged(reference: Receiver, tmp_path: Path) -> None:
    frame = framed(records())[0]
    with socket.create_connection(("127.0.0.1", reference.ports["astm"]), 5) as wire:
        for sent, answer in (
            (b"\x05", b"\x06"),
            (frame[:9], b""),
            (frame[9:], b"\x06"),
            (frame.replace(b"H|", b"h|"), b"\x15"),
        ):
            wire.sendall(sent)
            if answer:
                assert wire.recv(10) == answer
        assert _stored(tmp_path) == [frame[1:-4]]
        wire.sendall(b"\x04" + hl7_block(oul_r22(), 7))
        assert b"\rMSA|AA|C00000000000007\r" in wire.recv(1000)
    assert _stored(tmp_path)[1:] == [hl7_block(oul_r22(), 7)[1:-2]]


@pytest.mark.parametrize(("protocol", "rows"), [("astm", 60), ("hl7", 1)])
async def test_the_sender_counts_what_was_acknowledged(
    protocol: str, rows: int, reference: Receiver, tmp_path: Path
) -> None:
    outcome = await run(Job(reference.ports[protocol], protocol, 2, 0.05, 0))
    assert not outcome.error
    assert outcome.messages * rows == len(_stored(tmp_path))
    assert 0 < outcome.median <= outcome.p99 <= outcome.worst


async def test_the_sender_says_when_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        outcome = await run(Job(free.getsockname()[1], "astm", 1, 0.05, 0))
    assert outcome.error
    assert outcome.messages == Outcome().messages


def test_the_astm_message_is_one_that_a_driver_reads_whole() -> None:
    texts = records()
    assert len(texts) == 60
    assert 5500 < len(b"".join(texts)) < 5700
    reading = read(Message.parse(b"".join(texts))[0], DRIVER, zone=ZoneInfo("Europe/Paris"))
    loincs = [loinc for *_, loinc in TESTS]
    assert [result.loinc for result in reading.results] == loincs + loincs[:13]
    assert {result.problem for result in reading.results} == {""}


def test_each_message_has_specimens_of_its_own() -> None:
    source = AstmSource.new()
    first, second = source.message(1), source.message(2)
    assert [len(frame) for frame in first] == [len(frame) for frame in second] == [len(f) for f in source.frames]
    assert [place for place in range(60) if first[place] != second[place]] == list(source.changing)
    assert not any(specimen.encode() in b"".join(first) for specimen in SPECIMENS)


def test_the_hl7_message_has_forty_segments() -> None:
    message = er7.Message.parse(oul_r22())
    assert len(message.segments) == 40
    assert len(message.all("OBX")) == 10
    assert re.search(rb"OBX.*\|RSLT\r", oul_r22())
    assert b"\\.br\\" in oul_r22()


def test_rounds_take_turns_and_ratios_are_taken_within_them() -> None:
    assert [turned("abc", number)[0] for number in range(4)] == ["a", "b", "c", "a"]
    assert ratio(Sample((2.0, 8.0)), Sample((1.0, 2.0))) == Sample((2.0, 4.0))


def test_the_least_is_made_of_the_rows_that_the_daemon_wrote(tmp_path: Path) -> None:
    found = floor.measure(tmp_path, 1, 0.001)
    assert list(found.samples) == [floor.REFERENCE, floor.ROWS, floor.READ]
    with closing(sqlite3.connect(tmp_path / "labmw.db")) as store:
        [(messages,)] = store.execute("SELECT count(*) FROM message")
        [(whole,)] = store.execute("SELECT count(*) FROM (SELECT 1 FROM result GROUP BY message HAVING count(*) = 10)")
    assert messages == whole > floor.GROUP
