"""One suite asks every driver the same questions."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from labmw.cli.decoder import Decoder
from labmw.cli.render import to_json
from labmw.driver import astm
from labmw.driver.check import faults, loinc_check_digit
from labmw.driver.declaration import Driver, Evidence
from labmw.driver.reading import Reading
from labmw.line.registry import Registry
from labmw.model import Flag
from labmw.phrases import codes
from labmw.quantity import is_ucum
from protocols.astm.datalink import DataLink
from protocols.astm.events import FrameReceived
from protocols.astm.frame import encode
from protocols.astm.message import Assembly, Message
from protocols.capture import sniff

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus"))
COMPOSED = ROOT / "tests" / "captures"
EXAMPLES = ROOT / "tests"
PARIS = ZoneInfo("Europe/Paris")
REGISTRY = Registry.find()
DRIVERS = sorted(REGISTRY.drivers.values(), key=lambda driver: driver.name)
KNOWN = [driver for driver in DRIVERS if not driver.name.startswith("any-")]
BY_NAME = [pytest.param(driver, id=driver.name) for driver in DRIVERS]
KNOWN_BY_NAME = [pytest.param(driver, id=driver.name) for driver in KNOWN]

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no message corpus at {CORPUS}; set LABMW_CORPUS")

# Families whose header names nobody: the link's configuration names the driver.
CONFIGURED = {"erba-xl": "erba-xl", "vitros-3600": "ortho-vitros-3600", "euroimmun": "euroimmun-analyzer"}
# Whose header names a family: the folders of the corpus and the driver that must claim them.
CLAIMED = {
    "genexpert": "cepheid-genexpert",
    "genexpert-docs": "cepheid-genexpert",
    "yumizen-h500": "horiba-yumizen-h500",
    "yumizen-h550": "horiba-yumizen-h500",
    "galileo-echo": "immucor-echo",
    "ih-1000": "biorad-ih1000",
    "m2000": "abbott-m2000",
    "ortho-vision": "ortho-vision",
    "phadia": "phadia-prime",
}
# Captures of no analyzer: orders that a host sent, and fragments without a sender. Read as sent, and nothing of them is believed.
NOBODYS = {
    "host-download/one_sample.astm",
    "galileo-echo/order.astm",
    "ortho-vision/minimal-order.astm",
    "ortho-vision/msg-5-escapes-fragment.astm",
    "ortho-vision/repeat-fields-fragment.astm",
}
HELD = ("specimen", "code", "value", "comparator", "number", "unit_raw", "flags_raw", "status", "time")
ALSO = (
    "main",
    "code_raw",
    "value_raw",
    "range_raw",
    "operator",
    "instrument",
    "seq",
    "order",
    "analyte",
    "detail",
    "assay_name",
)
OF_MESSAGE = (
    "kind",
    "delimiters",
    "structure",
    "sender",
    "receiver",
    "processing_id",
    "version",
    "datetime",
    "message_id",
)


def nobodys(capture: Path) -> bool:
    return f"{capture.parent.name}/{capture.name}" in NOBODYS


def docstring(driver: Driver) -> str:
    return ast.get_docstring(ast.parse(Path(driver.file).read_text(encoding="utf-8"))) or ""


def captures(protocol: str = "astm") -> list[Path]:
    found = CORPUS.glob(f"{protocol}/*/*.expected.json")
    return sorted(path.with_name(path.name.removesuffix(".expected.json")) for path in found)


def expectation(capture: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(capture.with_name(capture.name + ".expected.json").read_text(encoding="utf-8"))
    return loaded


def shown(capture: Path, data: bytes | None = None) -> dict[str, Any]:
    name = CONFIGURED.get(capture.parent.name, "")
    decoder = Decoder(REGISTRY, REGISTRY.named(name) if name else None, PARIS)
    return to_json(decoder.decode(capture) if data is None else decoder.read(str(capture), data))


def accepted(decoded: dict[str, Any]) -> set[tuple[Any, ...]]:
    """What would be reported: every accepted main result, with everything that a report would say of it."""
    keys = ("specimen", "loinc", "value", "number", "comparator", "ucum")
    return {
        tuple(result[key] for key in keys)
        for message in decoded["messages"]
        for result in message["results"]
        if result["disposition"] == "accepted" and result["main"]
    }


def named_captures(driver: Driver) -> list[Path]:
    """The captures that a driver's docstring claims as evidence."""
    return [CORPUS / path for path in re.findall(r"corpus:([\w./-]+\w)", docstring(driver))]


def examples(driver: Driver) -> list[Path]:
    """The example messages that a driver's docstring names."""
    return [
        path for name in re.findall(r"tests/(examples/[\w*]+\.hl7)", docstring(driver)) for path in EXAMPLES.glob(name)
    ]


LOCATED = re.compile(
    r"\bpp?\. ?\d|\b[A-H]-\d+|§ ?\d|definition|enumeration|published with the manual|second|transcription"
)
"""Where in a document: a page, a section, or one of its tables by name."""


def fields_of(driver: Driver) -> list[list[str]]:
    """The rows of a driver's fields.md: field, content, source."""
    page = COMPOSED / driver.name / "fields.md"
    lines = page.read_text(encoding="utf-8").splitlines() if page.is_file() else []
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return rows[2:]


def published() -> list[tuple[Driver, dict[str, str]]]:
    """Captures that others published, and what each says of itself."""
    return [
        (REGISTRY.named(path.parent.name), tomllib.loads(path.read_text(encoding="utf-8")))
        for path in sorted(COMPOSED.glob("*/published.toml"))
    ]


# --- the value -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", BY_NAME)
def test_has_no_faults(driver: Driver) -> None:
    assert faults(driver, docstring(driver)) == []


@pytest.mark.parametrize("driver", BY_NAME)
def test_codes_units_and_flags_are_of_their_vocabularies(driver: Driver) -> None:
    for test in driver.tests.values():
        assert loinc_check_digit(test.loinc) or (not test.loinc and test.index)
        assert all(is_ucum(unit) for unit in (test.unit, *test.also) if unit)
    assert all(isinstance(flag, Flag) for flag in (*driver.flags.values(), *driver.alarms.values()))
    assert all(is_ucum(unit) for table in driver.details.values() for unit in table.values())


@pytest.mark.parametrize("driver", KNOWN_BY_NAME)
def test_the_evidence_it_claims_is_there(driver: Driver) -> None:
    said = docstring(driver)
    folder = COMPOSED / driver.name
    if driver.evidence in {Evidence.MANUAL, Evidence.RESTATED}:
        source = said[said.index("Source:") :]
        assert re.search(r"rev(ision|\.)|version", source), "name the document's revision, or say that it is not told"
        composed = [path for path in folder.glob("composed-*") if path.suffix in {".astm", ".hl7"}]
        assert composed or named_captures(driver) or examples(driver), "compose a message, or name the document's own"
    if driver.evidence is Evidence.MANUAL and not named_captures(driver):
        rows = fields_of(driver)
        without = [row for row in rows if not LOCATED.search(row[-1])]
        assert rows, "say in fields.md where each field stands in the document"
        assert not without or (folder / "published.toml").is_file(), f"no page, or Evidence: restated: {without}"
    if driver.evidence >= Evidence.CAPTURE:
        assert named_captures(driver)


@needs_corpus
@pytest.mark.parametrize("driver", [pytest.param(d, id=d.name) for d in KNOWN if named_captures(d)])
def test_the_captures_it_names_are_read_by_it(driver: Driver) -> None:
    for capture in named_captures(driver):
        assert capture.is_file(), capture
        decoded = shown(capture)
        assert {message["driver"] for message in decoded["messages"]} == {driver.name}


@needs_corpus
@pytest.mark.parametrize("driver", KNOWN_BY_NAME)
def test_it_claims_no_header_of_another_family(driver: Driver) -> None:
    for capture in captures():
        for message in expectation(capture)["messages"]:
            found = REGISTRY.recognise(message["sender"])
            assert found is None or isinstance(found, Driver)
            if found is not None and found.name == driver.name:
                assert CLAIMED[capture.parent.name] == driver.name
            if CLAIMED.get(capture.parent.name) == driver.name:
                assert found == driver or nobodys(capture)


# --- the captures --------------------------------------------------------------------------------------------------------


@needs_corpus
@pytest.mark.parametrize("capture", [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in captures()])
def test_a_capture_says_what_the_corpus_says(capture: Path) -> None:
    decoded, known = shown(capture), expectation(capture)
    assert len(decoded["messages"]) == len(known["messages"])
    assert decoded["framing"] == known["framing"]
    assert decoded.get("receiver") == known.get("receiver")
    for mine, theirs in zip(decoded["messages"], known["messages"], strict=True):
        assert {key: mine[key] for key in OF_MESSAGE} == {key: theirs[key] for key in OF_MESSAGE}
        assert mine["patients"] == theirs["patients"]
        assert mine["queries"] == theirs["queries"]
        assert mine["comments"] == theirs["comments"]
        assert mine["manufacturer"] == theirs["manufacturer"]
        assert mine["specimens"] == theirs["specimens"]
        for order, other in zip(mine["orders"], theirs["orders"], strict=True):
            keys = [key for key in other if key in order and key != "control"]
            assert {key: order[key] for key in keys} == {key: other[key] for key in keys}
        for result, other in zip(mine["results"], theirs["results"], strict=True):
            keys = [key for key in (*HELD, *ALSO) if key in other]
            assert {key: result[key] for key in keys} == {key: other[key] for key in keys}


@needs_corpus
@pytest.mark.parametrize("capture", [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in captures()])
def test_what_nobody_knows_is_never_accepted(capture: Path) -> None:
    decoded = shown(capture)
    known = expectation(capture)
    for message in decoded["messages"]:
        if nobodys(capture):
            assert message["disposition"] != "accepted"
            assert message["reason"] in {"unknown-sender", "unterminated", "damaged"}
        if known.get("receiver") == "nak":
            assert (message["disposition"], message["reason"]) == ("refused", "damaged")
        for result in message["results"]:
            assert result["reason"] == "" or result["reason"] in codes()
            assert "…" not in result["reason_text"]
            if result["disposition"] == "accepted" and result["main"]:
                assert result["loinc"]
                assert result["ucum"] or result["number"] is None
    if nobodys(capture):
        assert accepted(decoded) == set()


SENT_TWICE = "ih-1000/bloodtype_por.astm"
"""A well is sent again under a second patient record, equal in all that makes an identity: the same result, not another one."""


@needs_corpus
@pytest.mark.parametrize(
    "capture",
    [
        pytest.param(path, id=f"{path.parent.name}/{path.name}")
        for path in captures()
        if f"{path.parent.name}/{path.name}" != SENT_TWICE
    ],
)
def test_no_two_results_of_a_message_share_an_identity(capture: Path) -> None:
    name = CONFIGURED.get(capture.parent.name, "")
    decoded = Decoder(REGISTRY, REGISTRY.named(name) if name else None, PARIS).decode(capture)
    for one in decoded.messages:
        identities = [(r.specimen, r.code, r.part, r.run, r.time) for r in one.reading.results]
        assert len(set(identities)) == len(identities)


@needs_corpus
def test_without_its_driver_named_an_anonymous_sender_is_quarantined() -> None:
    decoder = Decoder(REGISTRY, None, PARIS)
    for capture in captures():
        if capture.parent.name in CONFIGURED:
            decoded = to_json(decoder.decode(capture))
            assert {message["reason"] for message in decoded["messages"]} <= {"unknown-sender", "unterminated"}


def restored(raw: bytes) -> bytes:
    """A published capture with CR LF behind each checksum, where a text file has lost one or both; nothing else is touched."""
    return re.sub(rb"(\x02[^\x02]*?[\x03\x17][0-9A-Fa-f]{2})[\r\n]*", lambda found: found[1] + b"\r\n", raw)


@pytest.mark.skipif(
    "LABMW_PUBLISHED" not in os.environ, reason="set LABMW_PUBLISHED to a folder with the published captures"
)
@pytest.mark.parametrize(("driver", "capture"), [pytest.param(d, c, id=d.name) for d, c in published()])
def test_a_published_capture_is_read_as_it_was_frozen(driver: Driver, capture: dict[str, str]) -> None:
    """Every checksum in it is right, its header names the driver, and the reading is the one that was compared by eye."""
    raw = (Path(os.environ["LABMW_PUBLISHED"]) / Path(capture["path"]).name).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == capture["sha256"]
    (one,) = to_json(Decoder(REGISTRY, None, PARIS).read("published", restored(raw)))["messages"]
    assert (one["driver"], one["disposition"]) == (driver.name, "accepted")
    keys = ("specimen", "code", "value", "number", "comparator", "unit_raw", "loinc", "ucum", "flags", "status", "time")
    told = json.dumps([[result[key] for key in keys] for result in one["results"]], ensure_ascii=False)
    assert hashlib.sha256(told.encode()).hexdigest() == capture["reading"]


def test_what_is_published_is_told_with_its_source_and_its_frozen_reading() -> None:
    for driver, capture in published():
        assert driver.evidence is Evidence.MANUAL
        assert f"tests/captures/{driver.name}/published.toml" in docstring(driver)
        assert all(re.fullmatch(r"[0-9a-f]+", capture[key]) for key in ("commit", "sha256", "reading"))


# --- hostile wires -------------------------------------------------------------------------------------------------------


def framed(capture: Path) -> bytes:
    """The capture as a line would carry it; bare records are put into frames."""
    data = capture.read_bytes()
    if sniff(data) != "records":
        return data
    wire = b"\x05"
    for place, line in enumerate(data.split(b"\r")[:-1], 1):
        wire += encode(place % 8, line + b"\r", True)
    return wire + b"\x04"


def read_from_wire(driver: Driver, pieces: Iterator[bytes]) -> list[Reading]:
    link = DataLink(tolerances=driver.tolerances)
    assembly = Assembly(driver.encoding, driver.tolerances)
    found: list[Message] = []
    for piece in pieces:
        events = list(link.receive(piece))
        while events:
            event = events.pop(0)
            if isinstance(event, FrameReceived):
                found += assembly.feed(event.frame)
                events += link.accept()
    return [astm.read(message, driver, zone=PARIS) for message in found]


def small_captures() -> list[tuple[str, Path]]:
    astm_drivers = [driver for driver in KNOWN if driver.protocol == "astm"]
    found = [(driver.name, path) for driver in astm_drivers for path in sorted((COMPOSED / driver.name).glob("*.astm"))]
    if CORPUS.is_dir():
        found += [(driver.name, path) for driver in astm_drivers for path in named_captures(driver)]
    return found


@pytest.mark.parametrize(("name", "capture"), [pytest.param(n, p, id=f"{n}:{p.name}") for n, p in small_captures()])
def test_a_capture_cut_at_every_byte_gives_the_same_reading(name: str, capture: Path) -> None:
    driver = REGISTRY.named(name)
    wire = framed(capture)
    frozen = read_from_wire(driver, iter([wire]))
    assert frozen
    assert read_from_wire(driver, (wire[at : at + 1] for at in range(len(wire)))) == frozen
    step = max(1, len(wire) // 400)
    for cut in range(1, len(wire), step):
        assert read_from_wire(driver, iter([wire[:cut], wire[cut:]])) == frozen


@pytest.mark.parametrize(("name", "capture"), [pytest.param(n, p, id=f"{n}:{p.name}") for n, p in small_captures()])
def test_a_capture_that_breaks_off_never_reports_anything_else(name: str, capture: Path) -> None:
    decoder = Decoder(REGISTRY, REGISTRY.named(name), PARIS)
    data = capture.read_bytes()
    whole = accepted(to_json(decoder.read(capture.name, data)))
    step = max(1, len(data) // 250)
    for cut in range(0, len(data), step):
        assert accepted(to_json(decoder.read(capture.name, data[:cut]))) <= whole


@pytest.mark.parametrize(
    ("name", "capture"),
    [pytest.param(n, p, id=f"{n}:{p.name}") for n, p in small_captures() if sniff(p.read_bytes()) == "lis01"],
)
def test_no_flipped_bit_reports_anything_else(name: str, capture: Path) -> None:
    decoder = Decoder(REGISTRY, REGISTRY.named(name), PARIS)
    data = capture.read_bytes()
    whole = accepted(to_json(decoder.read(capture.name, data)))
    step = max(1, len(data) * 8 // 300)
    for place in range(0, len(data) * 8, step):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        assert accepted(to_json(decoder.read(capture.name, bytes(flipped)))) <= whole
