"""Every given ASTM capture: frames, structure and raw fields are as the corpus says, however the bytes are cut."""

import json
import os
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from protocols.astm.datalink import DataLink, Event, FrameReceived, FrameRefused, Noise, SessionClosed, SessionOpened
from protocols.astm.message import Assembly, Message
from protocols.astm.record import STANDARD
from protocols.astm.tolerance import STRICT, Tolerances
from protocols.errors import RecordError

ROOT = Path(__file__).resolve().parents[3]
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus")) / "astm"
FILES = sorted(CORPUS.glob("*/*.astm"))
EXPECTED: dict[Path, dict[str, Any]] = {
    file: json.loads((file.parent / f"{file.name}.expected.json").read_text()) for file in FILES
}
FRAMED = [file for file in FILES if EXPECTED[file]["framing"] == "lis01"]
RECORDS = [file for file in FILES if EXPECTED[file]["framing"] == "records"]

needs_corpus = pytest.mark.skipif(not FILES, reason=f"no message corpus in {CORPUS}: set LABMW_CORPUS")


def name(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def charset(file: Path) -> str:
    return "utf-8" if "utf8" in file.name else "latin-1"


def take(link: DataLink, pieces: Iterable[bytes]) -> tuple[list[Event], bytes]:
    """Feed the pieces, accept every frame; all events and all bytes sent, in order."""
    seen: list[Event] = []
    sent = b""
    for piece in pieces:
        pending = link.receive(piece)
        while pending:
            event = pending.pop(0)
            seen.append(event)
            if isinstance(event, FrameReceived):
                pending = link.accept() + pending
        sent += link.data_to_send()
    return seen, sent


def tolerances(file: Path) -> Tolerances:
    """What the file itself needs: no ENQ in it, a wrong checksum, numbered records."""
    frames = EXPECTED[file]["frames"]
    return Tolerances(
        implicit_session=frames["enq"] == 0,
        checksum="none" if frames["checksum"]["invalid"] else "required",
        numbered_records="structure_strict" in EXPECTED[file]["messages"][0],
    )


def cuts(data: bytes) -> dict[str, list[bytes]]:
    chance = random.Random(len(data))
    ragged = []
    at = 0
    while at < len(data):
        step = chance.choice((1, 2, 3, 7, 40, 247, 1460))
        ragged.append(data[at : at + step])
        at += step
    return {
        "whole": [data],
        "bytes": [data[at : at + 1] for at in range(len(data))],
        "247": [data[at : at + 247] for at in range(0, len(data), 247)],
        "ragged": ragged,
    }


def assembled(events: list[Event], file: Path, tolerances: Tolerances) -> list[Message]:
    assembly = Assembly(charset(file), tolerances)
    messages: list[Message] = []
    for event in events:
        if isinstance(event, FrameReceived):
            ends = assembly.completes(event.frame)
            found = assembly.feed(event.frame)
            assert ends is bool(found)
            messages += found
        elif isinstance(event, SessionClosed):
            rest = assembly.close()
            assert rest is None
    return messages


@needs_corpus
@pytest.mark.parametrize("file", FRAMED, ids=name)
def test_frames(file: Path) -> None:
    data, expected = file.read_bytes(), EXPECTED[file]["frames"]
    link = DataLink(tolerances=tolerances(file))
    events, sent = take(link, [data])
    frames = [event.frame for event in events if isinstance(event, FrameReceived)]
    assert len(frames) == expected["count"]
    assert sum(frame.last for frame in frames) == expected["etx"]
    assert sum(not frame.last for frame in frames) == expected["etb"]
    assert "".join(str(frame.number) for frame in frames) == expected["numbers"]
    assert max(len(frame.text) for frame in frames) == expected["longest_text"]
    assert all(frame.raw.endswith(b"\r\n") for frame in frames) and expected["line_end"] == {"CRLF": len(frames)}
    assert link.used["checksum"] == expected["checksum"]["invalid"]
    sessions = [event.frames for event in events if isinstance(event, SessionClosed)]
    assert sessions.count(0) == expected["empty_sessions"]
    assert sum(isinstance(event, SessionOpened) for event in events) == max(expected["enq"], 1)
    assert len(sessions) == expected["eot"]
    noise = b"".join(event.data for event in events if isinstance(event, Noise))
    assert noise.hex() == "".join(stray["hex"] for stray in expected.get("stray_bytes", []))
    assert sent == b"\x06" * (expected["count"] + expected["enq"])


@needs_corpus
@pytest.mark.parametrize("file", FRAMED, ids=name)
def test_any_cut_gives_the_same_events_and_answers(file: Path) -> None:
    data = file.read_bytes()
    outcomes = {how: take(DataLink(tolerances=tolerances(file)), pieces) for how, pieces in cuts(data).items()}
    assert outcomes["bytes"] == outcomes["whole"]
    assert outcomes["247"] == outcomes["whole"]
    assert outcomes["ragged"] == outcomes["whole"]


@needs_corpus
@pytest.mark.parametrize("file", [file for file in FRAMED if "receiver" not in EXPECTED[file]], ids=name)
def test_strict_takes_whatever_the_corpus_says_is_valid(file: Path) -> None:
    data = file.read_bytes()
    if not EXPECTED[file]["frames"]["enq"]:
        data = b"\x05" + data
    link = DataLink(tolerances=STRICT)
    events, _ = take(link, [data])
    assert sum(isinstance(event, FrameReceived) for event in events) == EXPECTED[file]["frames"]["count"]
    assert not link.used


@needs_corpus
@pytest.mark.parametrize("file", [file for file in FRAMED if EXPECTED[file].get("receiver") == "nak"], ids=name)
def test_strict_refuses_what_the_corpus_says_is_damaged(file: Path) -> None:
    events, sent = take(DataLink(tolerances=STRICT), [b"\x05" + file.read_bytes()])
    assert not [event for event in events if isinstance(event, FrameReceived)]
    assert len([event for event in events if isinstance(event, FrameRefused)]) == EXPECTED[file]["frames"]["count"]
    assert sent == b"\x06\x15"


@needs_corpus
@pytest.mark.parametrize("file", FRAMED, ids=name)
def test_messages_of_frames(file: Path) -> None:
    link = DataLink(tolerances=tolerances(file))
    events, _ = take(link, [file.read_bytes()])
    messages = assembled(events, file, tolerances(file))
    texts = b"".join(event.frame.text for event in events if isinstance(event, FrameReceived))
    assert b"".join(message.encode() for message in messages) == texts
    compare(messages, file)


@needs_corpus
@pytest.mark.parametrize("file", RECORDS, ids=name)
def test_messages_of_records(file: Path) -> None:
    data = file.read_bytes()
    fragment = EXPECTED[file]["messages"][0]["structure"][0] != "H"
    if fragment:
        with pytest.raises(RecordError, match="no header"):
            Message.parse(data)
    messages = Message.parse(data, charset(file), delimiters=STANDARD if fragment else None)
    assert b"".join(message.encode() for message in messages) == data
    compare(messages, file)


@needs_corpus
def test_numbered_records_read_literally() -> None:
    files = [file for file in FRAMED if "structure_strict" in EXPECTED[file]["messages"][0]]
    assert files
    for file in files:
        events, _ = take(DataLink(tolerances=STRICT), [b"\x05" + file.read_bytes()])
        assembly = Assembly()
        for event in events:
            if isinstance(event, FrameReceived):
                assert assembly.feed(event.frame) == []  # no L, for a literal reader
        message = assembly.close()
        assert message is not None and not message.terminated
        assert [record.type for record in message.records] == EXPECTED[file]["messages"][0]["structure_strict"]
        assert len(message.tree.problems) == 3


@needs_corpus
def test_the_header_that_means_two_things() -> None:
    original = (CORPUS / "yumizen-h550" / "result.orig.txt").read_bytes().replace(b"\n", b"\r")
    assert original.startswith(b"H|\\\\^&|")
    with pytest.raises(RecordError, match="bad delimiter definition"):
        Message.parse(original)


def compare(messages: list[Message], file: Path) -> None:
    expected = EXPECTED[file]["messages"]
    assert len(messages) == len(expected)
    for message, wanted in zip(messages, expected, strict=True):
        assert message.structure == wanted["structure"]
        assert message.terminator == wanted["terminator"]
        assert message.terminated is (wanted["terminator"] is not None)
        assert str(message.delimiters) == wanted["delimiters"]
        header = message.header
        for key, number in (
            ("sender", 5),
            ("receiver", 10),
            ("processing_id", 12),
            ("version", 13),
            ("datetime", 14),
            ("message_id", 3),
        ):
            assert (header.field(number) if header else "") == wanted[key], key
        assert raw_fields(message) == wanted_fields(wanted)
        compare_tree(message, wanted)


def raw_fields(message: Message) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {key: [] for key in ("patients", "orders", "results", "queries", "comments")}
    for record in message.records:
        field = record.field
        match record.type:
            case "P":
                found["patients"].append([field(n) for n in (3, 4, 5, 6, 8, 9)])
            case "O":
                found["orders"].append(
                    [field(n) for n in (3, 4, 5, 6, 12, 16, 26)] + [record.repeats(5) if field(5) else []]
                )
            case "R":
                found["results"].append([field(n) for n in (2, 3, 4, 5, 6, 7, 9)])
            case "Q":
                found["queries"].append([field(n) for n in (3, 4, 5, 13)])
            case "C":
                found["comments"].append(field(4))
            case _:
                pass
    return found


def wanted_fields(wanted: dict[str, Any]) -> dict[str, list[Any]]:
    return {
        "patients": [
            [p[k] for k in ("practice_id", "lab_id", "id3", "name", "birth", "sex")] for p in wanted["patients"]
        ],
        "orders": [
            [
                o[k]
                for k in (
                    "specimen_raw",
                    "instrument_specimen_raw",
                    "tests_raw",
                    "priority",
                    "action",
                    "specimen_type",
                    "report_type",
                )
            ]
            + [o["tests"]]
            for o in wanted["orders"]
        ],
        "results": [
            [r[k] for k in ("seq", "code_raw", "value_raw", "unit_raw", "range_raw", "flags_raw", "status")]
            for r in wanted["results"]
        ],
        "queries": [[q[k] for k in ("start_raw", "end_raw", "tests_raw", "status")] for q in wanted["queries"]],
        "comments": [c["text_raw"] for c in wanted["comments"]],
    }


def compare_tree(message: Message, wanted: dict[str, Any]) -> None:
    """Which order a result belongs to, and which record a comment or manufacturer record."""
    tree = message.tree
    orders = [order for patient in tree.patients for order in patient.orders]
    of_result = [place for place, order in enumerate(orders) for _ in order.results]
    assert of_result == [result["order"] for result in wanted["results"]]
    counted: Counter[str] = Counter()
    after: list[str] = []
    manufacturer: list[str] = []
    latest = ""
    for record in message.records:
        counted[record.type] += 1
        if record.type == "C":
            after.append(latest)
        elif record.type == "M":
            manufacturer.append(latest)
        else:
            latest = f"{record.type}{counted[record.type]}"
    assert [comment["after"] for comment in wanted["comments"]] == after
    assert [record["after"] for record in wanted["manufacturer"]] == manufacturer
