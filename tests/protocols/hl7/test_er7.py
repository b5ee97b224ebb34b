"""A message comes back byte for byte, is cut where its line ends say, and is written as its MSH-18 says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Hl7Error
from protocols.hl7 import er7
from protocols.hl7.er7 import Message, Segment, Separators, build, split_batch

MSH = b"MSH|^~\\&|LAB||HOST||20260315||ORU^R01^ORU_R01|C1|P|2.5.1||||||UNICODE UTF-8"


def test_reading() -> None:
    message = Message.parse(MSH + b"\rPID|1||P1\rOBX|1|NM\rOBX|2|ST\rZZZ|x\rOBX\r\r")
    assert (message.code, message.trigger, message.structure) == ("ORU", "R01", "ORU_R01")
    assert (message.control_id, message.version, message.separators) == ("C1", "2.5.1", er7.STANDARD)
    assert [item.name for item in message] == ["MSH", "PID", "OBX", "OBX", "ZZZ", "OBX"]
    assert [item.field(1) for item in message.all("OBX")] == ["1", "2", ""]
    assert message.first("OBX") == message.all("OBX")[0]
    assert message.first("ZZZ") == Segment("ZZZ|x")
    assert message.first("SPM") is None and message.all("SPM") == []
    assert message.first("MSH") == message.header == message.all("MSH")[0]
    assert message.first("BHS") is None
    assert message.encode() == message.raw
    assert (message.charset_problem, message.line_end_problem) == (None, None)


def test_a_name_must_match_whole() -> None:
    message = Message.parse(MSH + b"\rOBXX|no\rOB|no\rOBX-1|no\r|no\rOBX|yes\rXOBX|no")
    assert [item.line for item in message.all("OBX")] == ["OBX|yes"]
    assert message.all("OB") == [Segment("OB|no")]
    assert message.all("") == [Segment("|no")]
    message.all("OBX").clear()
    assert len(message.all("OBX")) == 1


@pytest.mark.parametrize(
    ("body", "names", "problem"),
    [
        (b"\rPID|1\rOBX|1\r", ["MSH", "PID", "OBX"], None),
        (b"\r\nPID|1\r\nOBX|1\r\n", ["MSH", "PID", "OBX"], r"end with \r\n"),
        (b"\nPID|1\nOBX|1", ["MSH", "PID", "OBX"], r"end with \n"),
        (b"\nPID|1\r\nOBX|1\r", ["MSH", "PID", "OBX"], r"\n, \r, \r\n"),
        (b"\rPID|1\r\nOBX|1\r", ["MSH", "PID", "OBX"], r"\r, \r\n"),
        # after CR a line feed is text: a comment must not become a result
        (b"\rNTE|1||one\ntwo\r", ["MSH", "NTE"], "holds a line feed"),
        (b"\rNTE|1||one\nOBX|1|NM|FAKE\r", ["MSH", "NTE"], "looks like a segment"),
    ],
)
def test_line_ends(body: bytes, names: list[str], problem: str | None) -> None:
    message = Message.parse(MSH + body)
    assert [item.name for item in message.segments] == names
    assert len(message.all("OBX")) == names.count("OBX")
    assert message.first("PID") == (Segment("PID|1") if "PID" in names else None)
    assert message.encode() == MSH + body
    assert problem is None if message.line_end_problem is None else problem and problem in message.line_end_problem


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "starts with MSH"),
        (b"PID|1", "starts with MSH"),
        (b"\rMSH|^~\\&|", "starts with MSH"),
        (b"\xef\xbb\xbfMSH|^~\\&|", "byte order mark"),
        (b"BHS|^~\\&|", "batch"),
        (b"FHS|^~\\&|", "batch"),
        (b"MSH", "starts with MSH"),
        (b"MSH\xb5^~\\&\xb5", "separator"),
        (MSH + b"\rPID|1\r" + MSH + b"\rPID|2\r", "split_batch"),
        (MSH + b"\nPID|1\n" + MSH + b"\nPID|2\n", "split_batch"),
        (MSH + b"\rBHS|^~\\&|\rPID|1", "split_batch"),
    ],
)
def test_refused(data: bytes, says: str) -> None:
    with pytest.raises(Hl7Error, match=says):
        Message.parse(data)


def test_a_text_that_looks_like_a_header_is_a_text() -> None:
    message = Message.parse(MSH + b"\rNTE|1||MSH|x\rMSHX|1\rBHS\r")
    assert [item.name for item in message] == ["MSH", "NTE", "MSHX", "BHS"]


def test_charset() -> None:
    assert Message.parse(MSH + "\rPID|Léa\r".encode()).first("PID") == Segment("PID|Léa")
    wrong = Message.parse(MSH + "\rPID|Léa\r".encode("latin-1"))
    assert wrong.charset_problem and wrong.encode() == wrong.raw
    right = Message.parse(wrong.raw, "iso8859-1")
    assert right.charset_problem is None and right.first("PID") == Segment("PID|Léa")
    assert right != wrong
    repeated = Message.parse(MSH.replace(b"UNICODE UTF-8", b"8859/15~UNICODE UTF-8") + "\rPID|€\r".encode("iso8859-15"))
    assert repeated.charset_problem is None and repeated.first("PID") == Segment("PID|€")
    hexadecimal = Message.parse(MSH.replace(b"UNICODE UTF-8", b"8859/1") + b"\rPID|\\XE9\\\r").first("PID")
    assert hexadecimal and hexadecimal.component(1) == "é"


def test_values_compare() -> None:
    one, two = Message.parse(MSH), Message.parse(MSH)
    assert one == two and hash(one) == hash(two) and one != MSH and repr(one).startswith("Message(b'MSH")


def test_building() -> None:
    row = ["MSH", None, None, "LAB", *[None] * 14, "UNICODE UTF-8"]
    raw = build([row, ["PID", "1", None, "Léa|"], Segment("ZZZ|x^y")])
    assert raw == "MSH|^~\\&|LAB|||||||||||||||UNICODE UTF-8\rPID|1||Léa\\F\\\rZZZ|x^y\r".encode()
    message = Message.of([row, ["PID", "1", None, "Léa|"]])
    assert message == Message.parse(message.raw)
    odd = Separators("$", "%", "*", "!", "@")
    assert build([["MSH", None, None, ("a", "b")], ["PID", "$"]], odd) == b"MSH$%*!@$a%b\rPID$!F!\r"


def test_building_refuses() -> None:
    msh: er7.Field = None
    utf8 = ["MSH", msh, None, *[None] * 15, "UNICODE UTF-8"]
    with pytest.raises(Hl7Error, match="first segment is not MSH"):
        build([])
    with pytest.raises(Hl7Error, match="first segment is not MSH"):
        build([["PID", "1"]])
    with pytest.raises(Hl7Error, match="cannot carry: send UNICODE UTF-8"):
        build([["MSH", None, None, "Léa"]])
    with pytest.raises(Hl7Error, match="known character set"):
        build([["MSH", None, None, *[None] * 15, "KLINGON"]])
    with pytest.raises(Hl7Error, match="line end"):
        build([utf8, Segment("PID|a\rOBX|1")])
    with pytest.raises(Hl7Error, match="other separators"):
        build([utf8, Segment("PID|1", Separators("$", "%", "*", "!", "@"))])
    with pytest.raises(Hl7Error, match="cannot carry"):
        build([utf8, ["PID", "\udce9"]])


def test_split_batch_reads_each_message() -> None:
    first, second = split_batch(b"BHS|^~\\&|\r" + MSH + b"\rPID|1\r" + MSH + b"\rPID|2\rBTS|2\r")
    assert [one.first("PID") for one in (first, second)] == [Segment("PID|1"), Segment("PID|2")]


@given(st.binary(max_size=300), st.sampled_from([None, "latin-1", "utf-8"]))
def test_anything_after_the_header_comes_back(body: bytes, encoding: str | None) -> None:
    try:
        message = Message.parse(MSH + b"\r" + body, encoding)
    except Hl7Error:
        assert b"HS" in body or b"SH" in body
        return
    assert message.encode() == message.raw == MSH + b"\r" + body
    for item in message:
        assert message.all(item.name)
        for n in range(1, len(item.fields) + 1):
            assert isinstance(item.component(n), str)
            assert isinstance(item.text(n), str)


@given(st.binary(max_size=60))
def test_anything_is_read_or_refused(data: bytes) -> None:
    try:
        message = Message.parse(b"MSH" + data)
    except Hl7Error:
        return
    assert message.encode() == b"MSH" + data


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    st.lists(st.lists(TEXT, max_size=6), max_size=6),
    st.sampled_from([er7.STANDARD, Separators("$", "%", "*", "!", "@", "#")]),
)
def test_build_parse_equal(rows: list[list[str]], separators: Separators) -> None:
    header: list[er7.Field] = ["MSH", *[None] * 17, "UNICODE UTF-8"]
    message = Message.parse(build([header, *(["ZZZ", *row] for row in rows)], separators))
    read = message.segments[1:]
    assert len(read) == len(rows)
    for item, row in zip(read, rows, strict=True):
        assert [item.component(n) for n in range(1, len(row) + 1)] == row
        assert [item.text(n) for n in range(1, len(row) + 1)] == row
