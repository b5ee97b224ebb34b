"""The same questions to the drivers for HL7: do their captures read as the corpus says, on any wire, and is nothing else believed?"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from labmw.cli.decoder import Decoder
from labmw.cli.render import to_json
from labmw.driver import hl7
from labmw.driver.declaration import Driver
from labmw.driver.reading import Reading
from labmw.line.registry import Registry
from labmw.phrases import codes
from protocols.capture import sniff
from protocols.hl7.er7 import Message, split_batch
from protocols.hl7.mllp import Block, MllpReader, wrap

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus"))
PARIS = ZoneInfo("Europe/Paris")
REGISTRY = Registry.find()
DRIVERS = sorted((one for one in REGISTRY.drivers.values() if one.protocol == "hl7"), key=lambda one: one.name)
CAPTURES = sorted(
    path.with_name(path.name.removesuffix(".expected.json")) for path in CORPUS.glob("hl7/*/*.expected.json")
)
BY_NAME = [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in CAPTURES]
FAMILIES = {
    "bc-5380": "mindray-bc5380",
    "citm": "roche-citm",
    "cobas-4800": "roche-cobas-4800",
    "cobas-pro": "roche-cobas-pro",
    "genexpert": "cepheid-genexpert-hl7",
}
HELD = ("specimen", "code", "value", "comparator", "number", "unit_raw", "flags_raw", "status", "time", "main")
ALSO = (
    "seq", "order", "code_raw", "value_raw", "range_raw", "operator", "equipment", "type", "sub_id", "analysis_time", "obs_type",
)  # fmt: skip
OF_MESSAGE = (
    "kind", "type", "control_id", "delimiters", "sender", "sending_facility", "receiver", "processing_id", "version", "datetime",
    "structure", "specimens", "patients", "queries", "acks", "inventory", "accept_ack", "application_ack", "charset_declared", "profile",
)  # fmt: skip

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no message corpus at {CORPUS}; set LABMW_CORPUS")


def expectation(capture: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(capture.with_name(capture.name + ".expected.json").read_text(encoding="utf-8"))
    return loaded


def shown(data: bytes) -> dict[str, Any]:
    return to_json(Decoder(REGISTRY, None, PARIS).read("capture", data))


def accepted(decoded: dict[str, Any]) -> set[tuple[Any, ...]]:
    keys = ("specimen", "loinc", "value", "number", "comparator", "ucum")
    return {
        tuple(result[key] for key in keys)
        for message in decoded["messages"]
        for result in message["results"]
        if result["disposition"] == "accepted" and result["main"]
    }


@pytest.mark.parametrize("capture", BY_NAME)
def test_a_capture_says_what_the_corpus_says(capture: Path) -> None:
    decoded, known = shown(capture.read_bytes()), expectation(capture)
    assert len(decoded["messages"]) == len(known["messages"])
    assert (decoded["framing"], decoded["frames"]) == (known["framing"], known["frames"])
    assert decoded.get("receiver") == known.get("receiver")
    for mine, theirs in zip(decoded["messages"], known["messages"], strict=True):
        assert {key: mine[key] for key in OF_MESSAGE} == {key: theirs[key] for key in OF_MESSAGE}
        for order, other in zip(mine["orders"], theirs["orders"], strict=True):
            keys = set(other) - ({"specimen"} if mine["kind"] == "order-response" else set())
            assert {key: order[key] for key in keys} == {key: other[key] for key in keys}
        assert mine["order_responses"] == theirs.get("order_responses", [])
        assert [one["text_raw"] for one in mine["comments"]] == [one["text_raw"] for one in theirs["comments"]]
        for result, other in zip(mine["results"], theirs["results"], strict=True):
            # A number with its comparator stands for the value: the corpus writes SN "^16" both ways.
            skip = {"value"} if other["type"] == "SN" else set()
            keys = {key for key in (*HELD, *ALSO) if key in other and len(str(other[key])) < 400} - skip
            assert {key: result[key] for key in keys} == {key: other[key] for key in keys}
            if other.get("role") in {"supplemental", "interpretation"}:
                assert (result["role"], result["main"]) == (other["role"], False)


@pytest.mark.parametrize("capture", BY_NAME)
def test_a_header_is_claimed_by_its_own_family_alone(capture: Path) -> None:
    decoded = shown(capture.read_bytes())
    expected = FAMILIES.get(capture.parent.name, "any-hl7")
    assert {message["driver"] for message in decoded["messages"]} <= {expected}
    for message in decoded["messages"]:
        if expected == "any-hl7":
            assert message["reason"] in {"unknown-sender", "unsupported-type"}
            assert message["disposition"] == ("refused" if message["reason"] == "unsupported-type" else "quarantined")
        else:
            assert message["disposition"] == "accepted"
        for result in message["results"]:
            assert result["reason"] == "" or result["reason"] in codes()
            assert "…" not in result["reason_text"]
            if result["disposition"] == "accepted" and result["main"]:
                assert result["loinc"]
                assert result["ucum"] or result["number"] is None


def read_blocks(driver: Driver, pieces: Iterable[bytes]) -> list[Reading]:
    reader = MllpReader()
    blocks = [event.data for piece in pieces for event in reader.receive(piece) if isinstance(event, Block)]
    return [hl7.read(Message.parse(block), driver, zone=PARIS) for block in blocks]


def framed(capture: Path) -> bytes:
    data = capture.read_bytes()
    if sniff(data) == "mllp":
        return data
    return b"".join(wrap(message.encode()) for message in split_batch(data))


FAMILY_CAPTURES = [
    pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in CAPTURES if path.parent.name in FAMILIES
]


@pytest.mark.parametrize("capture", FAMILY_CAPTURES)
def test_a_capture_cut_at_every_byte_gives_the_same_reading(capture: Path) -> None:
    driver, wire = REGISTRY.named(FAMILIES[capture.parent.name]), framed(capture)
    frozen = read_blocks(driver, [wire])
    assert frozen
    assert read_blocks(driver, (wire[at : at + 1] for at in range(len(wire)))) == frozen
    for cut in range(1, len(wire), max(1, len(wire) // 100)):
        assert read_blocks(driver, [wire[:cut], wire[cut:]]) == frozen


@pytest.mark.parametrize("capture", FAMILY_CAPTURES)
def test_a_block_that_breaks_off_reports_nothing(capture: Path) -> None:
    wire = framed(capture)
    assert len(shown(wire)["messages"]) == wire.count(b"\x0b")
    for cut in range(1, len(wire) - 2, max(1, len(wire) // 100)):
        assert accepted(shown(wire[:cut])) == set()


@pytest.mark.parametrize("capture", FAMILY_CAPTURES)
def test_line_ends_and_a_second_message_in_the_stream_change_nothing(capture: Path) -> None:
    data = b"".join(message.encode() for message in split_batch(framed(capture).strip(b"\x0b\x1c\r")))
    once = read_as_text(data)
    assert read_as_text(data.replace(b"\r", b"\r\n")) == once
    assert read_as_text(data.rstrip(b"\r") + b"\r" + data) == once * 2


def read_as_text(data: bytes) -> list[list[tuple[Any, ...]]]:
    keys = ("specimen", "code", "value", "number", "disposition", "reason", "main")
    return [[tuple(one[key] for key in keys) for one in message["results"]] for message in shown(data)["messages"]]


@pytest.mark.parametrize("capture", FAMILY_CAPTURES)
def test_no_two_results_of_a_message_share_an_identity(capture: Path) -> None:
    for one in Decoder(REGISTRY, None, PARIS).decode(capture).messages:
        identities = [(r.specimen, r.code, r.part, r.run, r.time) for r in one.reading.results]
        assert len(set(identities)) == len(identities)


@pytest.mark.parametrize("capture", FAMILY_CAPTURES)
def test_no_damaged_byte_raises_or_changes_a_number_unseen(capture: Path) -> None:
    """HL7 has no checksum: a changed digit is another number. A changed separator must not make a number of its neighbours."""
    wire, chance = framed(capture), random.Random(7)
    for _ in range(150):
        place, value = chance.randrange(len(wire)), chance.choice(b'|^~\\&\r\n\x0b\x1c0A\xe9"')
        damaged = wire[:place] + bytes([value]) + wire[place + 1 :]
        there = {digits.lstrip(b"0") for digits in re.findall(rb"[0-9.]+", damaged)}
        for result in (one for message in shown(damaged)["messages"] for one in message["results"]):
            if result["number"] is not None and "E+" not in result["value"]:
                assert result["number"].lstrip("-0").encode() in there


@pytest.mark.parametrize("driver", [pytest.param(driver, id=driver.name) for driver in DRIVERS])
def test_every_capture_through_every_driver_is_never_a_wrong_value(driver: Driver) -> None:
    """A link may name the wrong driver: what it makes of a stranger may be nothing, but no number that was not sent."""
    for capture in CAPTURES:
        for decoded in Decoder(REGISTRY, driver, PARIS).decode(capture).messages:
            for result in decoded.reading.results:
                digits = re.sub(r"\D", "", result.value_raw)
                if result.number is not None and driver.name != FAMILIES["cobas-4800"]:
                    assert re.sub(r"\D", "", result.number) in digits
