"""What does an HL7 message say, read as sent? Nothing guessed, all of it quarantined, what is not served refused."""

from __future__ import annotations

import contextlib
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.driver import hl7
from labmw.driver.declaration import Hl7Driver
from labmw.driver.reading import Reading
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


LINE = st.text(alphabet="MSHPIDOBXRNTEQ|^~&\\0123456789.<>=, ", max_size=40)


@given(st.lists(LINE, max_size=8))
def test_no_segments_however_strange_raise(lines: list[str]) -> None:
    with contextlib.suppress(Hl7Error):
        reading(header("ORU^R01"), *lines)
