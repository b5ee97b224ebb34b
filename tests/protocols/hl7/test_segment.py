"""Fields, repetitions, components: counted as in the standard, decoded after cutting, absent ones empty."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Hl7Error, Misuse
from protocols.hl7.escapes import NULL
from protocols.hl7.segment import Field, Raw, Segment, encode_field, segment
from protocols.hl7.separators import UNDECLARED, Separators

MSH = Segment("MSH|^~\\&|LAB^1.2.3^ISO||HOST")
PID = Segment(r'PID|1||P1^^^AUTH&1.2.3&ISO^PI~N2^^^NAT^INS||O\T\Neil^""^x||""|F|')


def test_the_header_counts_its_separator() -> None:
    assert (MSH.name, MSH.field(1), MSH.field(2), MSH.field(5)) == ("MSH", "|", "^~\\&", "HOST")
    assert MSH.component(1) == "|"
    assert MSH.component(2) == "^~\\&"
    assert (MSH.component(2, 2), MSH.component(2, 1, 2), MSH.component(2, repetition=2)) == ("", "", "")
    assert MSH.repetitions(2) == MSH.components(2) == ["^~\\&"]
    assert MSH.text(2) == "^~\\&"
    assert MSH.component(3, 3) == "ISO"
    assert MSH.values(2, 3, 5, 9) == ["^~\\&", "LAB", "HOST", ""]


def test_parts() -> None:
    assert PID.field(3) == "P1^^^AUTH&1.2.3&ISO^PI~N2^^^NAT^INS"
    assert PID.repetitions(3) == ["P1^^^AUTH&1.2.3&ISO^PI", "N2^^^NAT^INS"]
    assert [PID.component(3, repetition=r) for r in (1, 2, 3)] == ["P1", "N2", ""]
    assert [PID.component(3, 4, s) for s in (1, 2, 3, 4)] == ["AUTH", "1.2.3", "ISO", ""]
    assert PID.component(3, 4, repetition=2) == "NAT"
    assert PID.component(3, 9) == ""
    assert PID.components(3, 2) == ["N2", "", "", "NAT", "INS"]
    assert PID.components(3, 3) == PID.components(2) == PID.repetitions(2) == []


def test_escapes_are_decoded_after_cutting() -> None:
    assert PID.component(5) == "O&Neil"
    assert PID.component(5, 1, 2) == ""
    assert PID.field(5).startswith(r"O\T\Neil")


def test_null_is_not_empty() -> None:
    assert PID.is_null(7) and PID.component(7) == "" and PID.text(7) == "" and PID.field(7) == NULL
    assert not PID.is_null(2)
    assert PID.is_null(5, 2) and PID.component(5, 2) == ""
    assert not PID.is_null(5) and not PID.is_null(5, 3)
    assert PID.values(7, 2, 8) == ["", "", "F"]
    half = Segment('OBX|1|NM|""^x|""&x|""~A')
    assert half.values(3, 4, 5) == [half.component(n) for n in (3, 4, 5)] == ["", "", ""]
    assert not Segment(r"OBX|\X2222\ ".strip()).is_null(1)


def test_beyond_the_end_and_before_the_beginning() -> None:
    assert PID.field(99) == PID.component(99) == PID.text(99) == ""
    assert not PID.is_null(99)
    asks: list[Callable[[], str]] = [
        lambda: PID.field(0),
        lambda: PID.component(-1),
        lambda: PID.component(3, 0),
        lambda: PID.component(3, 1, 0),
        lambda: PID.component(3, repetition=0),
    ]
    for ask in asks:
        with pytest.raises(Misuse, match="counted from 1"):
            ask()


def test_text_of_a_sender_that_forgot_to_escape() -> None:
    obx = Segment("OBX|1|ST|C||R&D ^ more~second")
    assert obx.component(5) == "R"
    assert obx.text(5) == "R&D ^ more"
    assert obx.text(5, 2) == "second"


def test_undeclared_separators_separate_nothing() -> None:
    line = Segment("PID|a&b^c~d\\S\\e", Separators("|", "^", UNDECLARED, UNDECLARED, UNDECLARED))
    assert (line.component(1), line.component(1, 2), line.component(1, 3)) == ("a&b", "c~d\\S\\e", "")
    assert line.repetitions(1) == ["a&b^c~d\\S\\e"]


def test_odd_names() -> None:
    assert Segment("ZX").name == "ZX"
    assert Segment("").name == ""
    assert Segment("zlocal|1").component(1) == "1"


def test_values_compare() -> None:
    assert Segment("PID|1") == Segment("PID|1") and len({Segment("PID|1"), Segment("PID|1")}) == 1
    assert Segment("PID|1") != Segment("PID|1", Separators("|", "^", "~", "\\", "@"))
    assert Segment("PID|1") != "PID|1"
    assert repr(Segment("PID|1")) == "Segment('PID|1')"


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (None, ""),
        ("", ""),
        ("a^b", r"a\S\b"),
        (Raw(NULL), NULL),
        (Raw("a^b"), "a^b"),
        (("a", None, "c", "", None), "a^^c"),
        ((("a", "b&", None), "c"), r"a&b\T\^c"),
        (["a", ("b", "c"), None], "a~b^c"),
        ([], ""),
    ],
)
def test_writing_a_field(value: Field, sent: str) -> None:
    assert encode_field(value) == sent


def test_writing_a_row() -> None:
    assert segment(["OBX", "1", None, ("A", "B"), "", None]).line == "OBX|1||A^B"
    assert segment(["MSH", None, None, "LAB"]).line == "MSH|^~\\&|LAB"
    assert segment(["MSH"]).line == "MSH|^~\\&"
    odd = Separators("$", "%", "*", "!", "@")
    assert segment(["OBX", ("a", "b%")], odd).line == "OBX$a%b!S!"


def test_writing_refuses() -> None:
    for name in ("", "PI", "pid", "PID|", "PID\r", None, ("PID",)):
        with pytest.raises(Hl7Error, match="not a segment name"):
            segment([name, "1"])
    with pytest.raises(Hl7Error, match="leave them None"):
        segment(["MSH", "|", "^~\\&"])
    bare = Separators("|", "^", UNDECLARED, UNDECLARED, UNDECLARED)
    assert encode_field(("a", ("b",)), bare) == "a^b"
    with pytest.raises(Hl7Error, match="no repetition separator"):
        encode_field(["a", "b"], bare)
    with pytest.raises(Hl7Error, match="no subcomponent separator"):
        encode_field((("a", "b"),), bare)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.lists(st.lists(st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=3))
def test_any_field_comes_back(field: list[list[list[str]]]) -> None:
    read = segment(["ZZZ", [tuple(tuple(component) for component in repetition) for repetition in field]])
    assert "\r" not in read.line and "\n" not in read.line
    assert len(read.repetitions(1)) == len(field)
    for r, repetition in enumerate(field, 1):
        assert len(read.components(1, r)) == len(repetition)
        for c, component in enumerate(repetition, 1):
            assert [read.component(1, c, s, r) for s in range(1, len(component) + 2)] == [*component, ""]


@given(st.text('ab|^~\\&"FSTREX09.\r'), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_the_quick_way_reads_the_same(line: str, n: int, c: int, s: int, r: int) -> None:
    one = Segment("OBX|" + line)
    assert one.values(1, 2, 3, 4) == [one.component(k) for k in (1, 2, 3, 4)]
    assert one.parts(n, 4, r) == [one.component(n, k, repetition=r) for k in (1, 2, 3, 4)]
    assert Segment("MSH|" + line).parts(n, 2) == [Segment("MSH|" + line).component(n, k) for k in (1, 2)]
    slow = [
        [[*part.split("&"), *[""] * 3] for part in (*repetition.split("^"), "", "", "")]
        for repetition in (*one.field(n).split("~"), "", "", "")
    ]
    raw = slow[r - 1][c - 1][s - 1]
    assert one.component(n, c, s, r) == ("" if raw == NULL else one._decoded(raw))
