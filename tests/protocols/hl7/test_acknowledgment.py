"""Replies say what the standard's tables say, in the words of the message they answer."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Hl7Error
from protocols.hl7.acknowledgment import (
    CODES,
    ERRORS,
    ORIGINAL,
    Acknowledgment,
    ErrorDetail,
    Location,
    When,
    ack,
    mode,
    read_ack,
)
from protocols.hl7.er7 import Message, Segment

EXAMPLES = Path(__file__).parents[2] / "examples"
ALWAYS, NEVER = When.ALWAYS, When.NEVER


def message(
    accept: str = "", application: str = "", version: str = "2.5.1", charset: str = "", extra: str = ""
) -> Message:
    msh = f"MSH|^~\\&|LAB|F1|HOST|F2|20260315||OUL^R22^OUL_R22|C1|P|{version}|||{accept}|{application}||{charset}"
    return Message.parse(f"{msh}\r{extra}".encode())


@pytest.mark.parametrize(
    ("accept", "application", "commit", "reply"),
    [
        # MSH-15, MSH-16 -> commit owed on success and failure, application owed on success and failure
        ("", "", (False, False), (True, True)),
        ("NE", "AL", (False, False), (True, True)),
        ("AL", "NE", (True, True), (False, False)),
        ("AL", "AL", (True, True), (True, True)),
        ("NE", "NE", (False, False), (False, False)),
        ("ER", "AL", (False, True), (True, True)),
        ("SU", "ER", (True, False), (False, True)),
        ("AL", "", (True, True), (False, False)),
        ("", "AL", (False, False), (True, True)),
        ("??", "AL", (True, True), (True, True)),
    ],
)
def test_modes(accept: str, application: str, commit: tuple[bool, bool], reply: tuple[bool, bool]) -> None:
    found = mode(message(accept, application))
    assert (found.owes_commit(True), found.owes_commit(False)) == commit
    assert (found.owes_application(True), found.owes_application(False)) == reply
    assert found.enhanced == bool(accept or application)
    assert (found == ORIGINAL) == (not accept and not application)


@pytest.mark.parametrize(
    ("question", "answer", "control_id", "when", "code", "error"),
    [
        (
            "law_lab29_01_oul_r22_patient_results",
            "law_lab29_09_ack_r22_aa",
            "M-5010",
            "20260315083021+0100",
            "AA",
            None,
        ),
        (
            "law_lab29_01_oul_r22_patient_results",
            "law_lab29_10_ack_r22_ae",
            "M-5011",
            "20260315083021+0100",
            "AE",
            ErrorDetail("102", "OBX-5 is not a valid NM", Location("OBX", 1, 5)),
        ),
        ("ltw_lab5_01_oul_r22_results", "ltw_lab5_02_ack", "L-3010", "20260315083501+0100", "AA", None),
        (
            "ilw_lab36_02_oru_r01_final_with_pdf",
            "ilw_lab36_05_ack_r01_error",
            "RQ-9011",
            "20260316160001+0100",
            "AE",
            ErrorDetail("204", "Sub-order unknown to the requester", Location("OBR", 1, 2)),
        ),
    ],
)
def test_replies_are_those_of_the_examples(
    question: str, answer: str, control_id: str, when: str, code: str, error: ErrorDetail | None
) -> None:
    asked = Message.parse((EXAMPLES / f"{question}.hl7").read_bytes())
    expected = Message.parse((EXAMPLES / f"{answer}.hl7").read_bytes())
    assert ack(asked, code, control_id=control_id, when=when, error=error) == expected.raw
    assert read_ack(expected) == Acknowledgment(code, asked.control_id, "", (error,) if error else ())


def test_separators_and_encoding_are_those_of_the_message() -> None:
    asked = Message.parse("MSH$%*!@$É%x$F1$HOST$$2026$$ORU%R01$C!F!1$P$2.5$$$$$$8859/1\r".encode("latin-1"))
    said = ack(asked, "AE", control_id="1", when="2", error=ErrorDetail("207", "Ω $é"))
    assert (
        said
        == "MSH$%*!@$HOST$$É%x$F1$2$$ACK%R01%ACK$1$P$2.5$$$$$$8859/1\rMSA$AE$C!F!1\rERR$$$207%Application internal error%HL70357$E$$$$? !F!é\r".encode(
            "latin-1"
        )
    )
    read = read_ack(Message.parse(said))
    assert (read.control_id, read.errors[0].text) == ("C$1", "? $é")


def test_undecodable_bytes_go_back_as_they_came() -> None:
    asked = Message.parse(b"MSH|^~\\&|\xe9|||||||\xe9|P|2.5\r")
    assert ack(asked, "AR", control_id="1", when="", error=ErrorDetail("200", "Ω")).count(b"\xe9") == 2


def test_without_trigger() -> None:
    asked = Message.parse(b"MSH|^~\\&|||||||ORU|C1|P|2.3\r")
    assert ack(asked, "AA", control_id="1", when="2") == b"MSH|^~\\&|||||2||ACK|1|P|2.3\rMSA|AA|C1\r"


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("2.2", True),
        ("2.3.1", True),
        ("2.4", True),
        ("2.5", False),
        ("2.5.1", False),
        ("2.8", False),
        ("", False),
        ("x", False),
        ("2", False),
    ],
)
def test_errors_before_2_5(version: str, old: bool) -> None:
    error = ErrorDetail("103", "unknown code", Location("OBX", 2, 3))
    said = Message.parse(ack(message(version=version), "AE", control_id="1", when="2", error=error))
    err, msa = said.first("ERR"), said.first("MSA")
    assert err and msa
    if old:
        assert err.line == "ERR|OBX^2^3^103&Table value not found&HL70357"
        assert msa.field(3) == "unknown code"
        assert read_ack(said) == Acknowledgment(
            "AE", "C1", "unknown code", (ErrorDetail("103", "Table value not found", error.location),)
        )
    else:
        assert err.line == "ERR||OBX^2^3|103^Table value not found^HL70357|E||||unknown code"
        assert read_ack(said) == Acknowledgment("AE", "C1", "", (error,))
    nowhere = ack(message(version=version), "AE", control_id="1", when="2", error=ErrorDetail("100"))
    assert read_ack(Message.parse(nowhere)).errors == (ErrorDetail("100", "Segment sequence error"),)


def test_reading_what_others_write() -> None:
    said = message(extra="MSA|AE|C9|see ERR|||207^Application internal error\r")
    assert read_ack(said) == Acknowledgment("AE", "C9", "see ERR", (ErrorDetail("207", "Application internal error"),))
    said = message(
        extra="MSA|CE|C9\rERR|PID^1^5^101&Required\\T\\ field~OBX^2^x^102\rERR||PID^1^11^2^9^4|103|W|||for machines\rERR\r"
    )
    assert read_ack(said).errors == (
        ErrorDetail("101", "Required& field", Location("PID", 1, 5)),
        ErrorDetail("102", "", Location("OBX", 2)),
        ErrorDetail("103", "for machines", Location("PID", 1, 11, 2, 9, 4), "W"),
    )
    assert read_ack(message(extra="MSA|CA|C9\r")).accepted and read_ack(message(extra="MSA|CA|C9\r")).commit
    assert not read_ack(message(extra="MSA|AR|C9\r")).accepted
    assert read_ack(message(extra="MSA|AE|C9\rERR||OBX^99999999999999999999|100\r")).errors[0].location == Location(
        "OBX"
    )


def test_refused() -> None:
    for code in ("", "OK", "aa"):
        with pytest.raises(Hl7Error, match="not an acknowledgment code"):
            ack(message(), code, control_id="1", when="2")
        with pytest.raises(Hl7Error, match="MSA-1"):
            read_ack(message(extra=f"MSA|{code}|C9\r"))
    for code in ("AA", "CA"):
        with pytest.raises(Hl7Error, match="cannot carry an error"):
            ack(message(), code, control_id="1", when="2", error=ErrorDetail("100"))
    with pytest.raises(Hl7Error, match="not a reply"):
        read_ack(message())


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(TEXT, TEXT, TEXT, st.sampled_from(sorted(set(CODES) - {"AA", "CA"})), st.sampled_from(sorted(ERRORS)))
def test_any_reply_is_read_back(control_id: str, own: str, text: str, code: str, number: str) -> None:
    asked = Message.of([["MSH", *[None] * 8, ("ORU", "R01"), control_id, "P", "2.5.1", *[None] * 5, "UNICODE UTF-8"]])
    said = Message.parse(ack(asked, code, control_id=own, when="2026", error=ErrorDetail(number, text)))
    assert said.control_id == own
    assert read_ack(said) == Acknowledgment(code, control_id, "", (ErrorDetail(number, text),))
    assert said.first("MSA") != Segment("MSA")


@pytest.mark.parametrize(("version", "told"), [("2.3", "2.3"), ("2.5.1", "2.5.1"), ("2.8.2", "2.8.2"), ("", "2.5.1")])
def test_a_version_that_is_served_is_answered_in_it(version: str, told: str) -> None:
    assert Message.parse(ack(message(version=version), "AA", control_id="1", when="2")).version == told


@pytest.mark.parametrize("version", ["9.9", "1.9", "2.99", "2", "3.0", "2.5.1.1", "x"])
def test_a_version_that_is_not_served_is_answered_in_ours(version: str) -> None:
    made = ack(message(version=version), "AR", control_id="1", when="2", error=ErrorDetail("203", "not served"))
    said = Message.parse(made)
    assert said.version == "2.5.1"
    assert read_ack(said).errors[0].code == "203"
    assert said.all("ERR")[0].component(3) == "203", "the ERR of 2.5.1 as well"
