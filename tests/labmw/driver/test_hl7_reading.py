"""What does an HL7 message say, read as sent? Nothing guessed, all of it quarantined, what is not served refused."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.driver import hl7
from labmw.driver.declaration import Driver, Evidence, Field, Hl7Driver, Test
from labmw.driver.kept import LONGEST, MOST, Kept
from labmw.driver.reading import Reading
from labmw.errors import DriverError
from labmw.model import Disposition
from protocols.errors import Hl7Error
from protocols.hl7.er7 import Message

ANY = Hl7Driver(name="any-hl7", flags={})
PARIS = ZoneInfo("Europe/Paris")


def reading(*segments: str) -> Reading:
    return hl7.read(Message.parse(("\r".join(segments) + "\r").encode()), ANY, zone=PARIS)


def header(kind: str, processing: str = "P") -> str:
    return rf"MSH|^~\&|ACME|LAB|LIS|H|20260310081500||{kind}|C1|{processing}|2.5.1"


OBX = "OBX|1|NM|2823-3^Potassium^LN|1|4.1|mmol/L|3.5-5.1|N|||F|||20260310081000||anna||X1"


def test_a_result_as_sent() -> None:
    read = reading(header("OUL^R22^OUL_R22"), "SPM|1|A17&LIS", "OBR|1|P1||CHEM^Chemistry", OBX, "NTE|1||warm")
    assert (read.kind, read.disposition, read.reason) == ("result", Disposition.QUARANTINED, "unknown-sender")
    assert (read.message_id, read.specimens, read.message_type) == ("C1", ("A17",), "OUL^R22^OUL_R22")
    (one,) = read.results
    assert (one.specimen, one.code, one.value, one.number, one.unit_raw, one.status) == (
        "A17",
        "2823-3",
        "4.1",
        "4.1",
        "mmol/L",
        "F",
    )
    assert (one.loinc, one.ucum, one.problem) == ("", "", "unknown-sender")
    assert one.completed is not None
    assert read.comments == (("OBX1", "", "warm", ""),)


@pytest.mark.parametrize(
    ("kind", "value", "text", "number", "comparator"),
    [
        ("NM", "4.1", "4.1", "4.1", ""),
        ("NM", "*****", "*****", None, ""),
        ("NM", ">=32", ">=32", "32", ">="),
        ("SN", "^182", "182", "182", ""),
        ("SN", "<=^16", "<=^16", "16", "<="),
        ("SN", "^1^:^128", "^1^:^128", None, ""),
        ("ST", r"1\S\2.14", "1^2.14", None, ""),
        ("ST", "NOT DETECTED^", "NOT DETECTED", None, ""),
        ("ST", "161,152", "161,152", None, ""),
        ("CE", "^^99ROC", "^^99ROC", None, ""),
        ("NM", "1~2", "1~2", None, ""),
        ("NM", "", "", None, ""),
    ],
)
def test_values(kind: str, value: str, text: str, number: str | None, comparator: str) -> None:
    (one,) = reading(header("ORU^R01"), "OBR|1", f"OBX|1|{kind}|X||{value}|||||F").results
    assert (one.value, one.number, one.comparator) == (text, number, comparator)


@pytest.mark.parametrize(
    ("kind", "processing", "read_as", "disposition"),
    [
        ("ORU^R01", "P", "result", Disposition.QUARANTINED),
        ("ORU^R01", "Q", "qc-result", Disposition.QUARANTINED),
        ("QBP^Q11^QBP_Q11", "P", "query", Disposition.QUARANTINED),
        ("QCN^J01", "P", "query-cancel", Disposition.QUARANTINED),
        ("OML^O33", "P", "order", Disposition.QUARANTINED),
        ("ORL^O34", "P", "order-response", Disposition.QUARANTINED),
        ("ADT^A01", "P", "adt", Disposition.REFUSED),
        ("MFN^M02", "P", "other", Disposition.REFUSED),
        ("", "P", "other", Disposition.REFUSED),
    ],
)
def test_kinds(kind: str, processing: str, read_as: str, disposition: Disposition) -> None:
    read = reading(header(kind, processing))
    assert (read.kind, read.disposition) == (read_as, disposition)


def test_the_specimen_behind_the_results_is_theirs_only_where_it_is_alone() -> None:
    alone = reading(header("ORU^R32"), "OBR|1", OBX, "SPM|1|A17")
    assert [one.specimen for one in alone.results] == ["A17"]
    two = reading(header("ORU^R32"), "OBR|1", OBX, "SPM|1|A17", "SPM|2|A18")
    assert [one.specimen for one in two.results] == [""]


def test_a_query_names_its_specimen_only_where_its_profile_says_so() -> None:
    assert reading(header("QBP^Q11"), "QPD|WOS^Work Order Step^IHELAW|T1|A17").specimens == ("A17",)
    assert reading(header("QBP^Z03"), "QPD|Z03^HOST QUERY|T1|PATIENT|A17").specimens == ()


@pytest.mark.parametrize(
    ("version", "reason"),
    [("2.3", "unknown-sender"), ("2.5.1^FRA^2.5", "unknown-sender"), ("", "unknown-sender"), ("2.8", "unknown-sender"),
     ("3.0", "unsupported-version"), ("9", "unsupported-version")],
)  # fmt: skip
def test_an_unknown_version_is_refused(version: str, reason: str) -> None:
    read = reading(header("ORU^R01").removesuffix("2.5.1") + version, "OBR|1", OBX)
    assert read.reason == reason
    assert (read.disposition is Disposition.REFUSED) == (reason == "unsupported-version")


def test_a_wrong_character_set_and_odd_line_ends_are_told() -> None:
    data = (
        header("ORU^R01") + "||||||ASCII\r\nOBR|1\r\n" + OBX.replace("warm", "é") + "\r\nNTE|1||"
    ).encode() + b"\xe9\r\n"
    first, second = hl7.read(Message.parse(data), ANY, zone=PARIS).problems
    assert "ASCII" in first
    assert "instead of CR" in second


LINE = st.text(alphabet="MSHPIDOBXRNTEQ|^~&\\0123456789.<>=, ", max_size=40)


@given(st.lists(LINE, max_size=8))
def test_no_segments_however_strange_raise(lines: list[str]) -> None:
    with contextlib.suppress(Hl7Error):
        reading(header("ORU^R01"), *lines)


def test_an_astm_driver_does_not_read_hl7() -> None:
    with pytest.raises(DriverError, match="does not read HL7"):
        hl7.read(Message.parse(header("ORU^R01").encode()), Driver(name="acme"), zone=PARIS)


def test_a_sender_that_several_claim_is_quarantined_and_named() -> None:
    message = Message.parse((header("ORU^R01") + "\r").encode())
    read = hl7.read(message, replace(ANY, rivals=("one", "two")), zone=PARIS)
    assert (read.reason, read.reason_facts) == ("ambiguous-sender", (("sender", "ACME"), ("drivers", "one, two")))


LAW = Hl7Driver(name="acme", evidence=Evidence.MANUAL, coded=True, run=Field("OBX", 4, 1))
SENT = (
    "MSH|^~\\&|ACME|LAB|LIS|H|20260310081500||OUL^R22^OUL_R22|C1|P|2.5.1\rSPM|1|A17&LIS||SER^Serum\rSAC|||A17\rOBR||W1^L||X^Y^Z\r"
    "OBX|1|SN|2823-3^K^LN|1|<^4.1|mmol/L^^UCUM|3-5|L^^HL70078~X^^99A|||F||||||||20260310081500\rNTE|1||a\\T\\b\r"
)


@given(st.permutations("|^~\\&#$%*!"))
def test_the_separators_change_nothing_that_is_said(marks: list[str]) -> None:
    other = SENT.translate(dict(zip(map(ord, "|^~\\&"), marks[:5], strict=True)))
    keys = ("specimen", "code", "number", "comparator", "ucum", "flags", "completed", "problem", "comments")
    one, two = (hl7.read(Message.parse(text.encode()), LAW, zone=PARIS).results[0] for text in (SENT, other))
    said = {key: getattr(one, key) for key in keys}
    assert said | {"comments": ()} == {key: getattr(two, key) for key in keys} | {"comments": ()}
    assert (one.comments, two.comments) == (("a&b",), (f"a{marks[4]}b",))


def test_what_a_menu_keeps_is_bounded_and_changes_nothing() -> None:
    rows = (
        "".join(f"OBX|{n}|NM|T{n}^^99A|1|4.1|u{n}|||||F\r" for n in range(2 * MOST + 10)) + SENT.split("\r")[4] + "\r"
    )
    text = "\r".join(SENT.split("\r")[:4]) + "\r" + rows
    results = hl7.read(Message.parse(text.encode()), LAW, zone=PARIS).results
    assert len(results) == 2 * MOST + 11
    assert {one.problem for one in results[:-1]} == {"unknown-code"}
    assert (results[-1].problem, results[-1].number) == ("", "4.1")


def test_texts_too_long_to_keep_are_read_all_the_same() -> None:
    kept = Kept[int]()
    assert kept.keep("x" * (LONGEST + 1), 7) == 7
    assert not kept
    assert kept.keep("x" * LONGEST, 8) == 8
    assert len(kept) == 1


MAPPED = Hl7Driver(
    name="acme",
    evidence=Evidence.MANUAL,
    material=(Field("SPM", 4, 1),),
    materials=frozenset({"SER"}),
    loinc_sent=Field("OBX", 3, 4),
    tests={"K": Test("2823-3", "mmol/L"), "HI": Test("", index="H"), "CRP": Test("1988-5", "mg/L", text=False)},
)


@pytest.mark.parametrize(
    ("material", "code", "processing", "problem"),
    [
        ("SER", "K", "P", ""),
        ("", "K", "P", ""),
        ("UR", "K", "P", "other-material"),
        ("UR", "K", "Q", ""),  # a control is what it is
        ("SER", "K^^L^2951-2", "P", "loinc-mismatch"),
        ("SER", "K^^L^2823-3", "P", ""),
        ("SER", "CRP", "P", "unit-mismatch"),
        ("SER", "NA", "P", "unknown-code"),
    ],
)
def test_a_mapped_result_and_what_speaks_against_it(material: str, code: str, processing: str, problem: str) -> None:
    rows = (header("OUL^R22", processing), f"SPM|1|A17||{material}", "OBR||W1", f"OBX|1|NM|{code}||4.1|mmol/L|||||F")
    (one,) = hl7.read(Message.parse(("\r".join(rows) + "\r").encode()), MAPPED, zone=PARIS).results
    assert one.problem == problem
    assert one.loinc == ("2823-3" if code.startswith("K") else "1988-5" if code == "CRP" else "")


def test_a_serum_index_is_no_result_and_its_number_is_read() -> None:
    rows = (header("OUL^R22"), "SPM|1|A17||SER", "OBR||W1", "OBX|1|NM|HI||12||||||F", "OBX|2|NM|HI||?||||||F")
    one, two = hl7.read(Message.parse(("\r".join(rows) + "\r").encode()), MAPPED, zone=PARIS).results
    assert (one.index, one.main, one.number, one.problem) == ("H", False, "12", "")
    assert (two.index, two.problem) == ("H", "unexpected-word")
