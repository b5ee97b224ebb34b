"""Records: declared delimiters, fields, repeats, components and escapes; reading what was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.astm.record import STANDARD, Delimiters, Record, build, escape, unescape
from protocols.errors import RecordError

AT = Delimiters("@", "!", "#", "$")
GENEXPERT = Delimiters("|", "@", "^", "\\")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("H|\\^&|||X", STANDARD),
        ("H|\\^&", STANDARD),
        ("h|\\^&|", STANDARD),
        ("H|@^\\|ID", GENEXPERT),
        ("H|`^&||", Delimiters("|", "`", "^", "&")),
        ("H@!#$@@@", AT),
    ],
)
def test_declared_delimiters(header: str, expected: Delimiters) -> None:
    assert Delimiters.of_header(header) == expected


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("H", "does not declare four"),
        ("H|\\^", "does not declare four"),
        ("P|\\^&", "does not declare four"),
        ("", "does not declare four"),
        ("H|\\\\^&|||X", "bad delimiter definition .* two meanings"),
        ("H||^&|", "two meanings"),
        ("H|\\^^|", "two meanings"),
        ("HAB^&A", "'A' cannot be a delimiter"),
        ("H|1^&|", "'1' cannot be a delimiter"),
        ("H| ^&|", "' ' cannot be a delimiter"),
        ("H|\x00^&|", "cannot be a delimiter"),
        ("H|\\^&X|", "'X' stands where '|' has to end"),
    ],
)
def test_definitions_that_would_split_wrongly(header: str, says: str) -> None:
    with pytest.raises(RecordError, match=says):
        Delimiters.of_header(header)


def test_fields_are_counted_with_the_letter() -> None:
    record = Record("R|1|^^^GLU|5.42|mmol/L", STANDARD)
    assert (record.type, record.field(1), record.field(2), record.field(4), record.field(5)) == (
        "R",
        "R",
        "1",
        "5.42",
        "mmol/L",
    )
    assert record.field(0) == record.field(6) == record.field(-1) == ""
    assert record.components(3) == ["", "", "", "GLU"]
    assert record.component(3, 4) == "GLU"
    assert (
        record.component(3, 5)
        == record.component(3, 0)
        == record.component(3, 4, repeat=2)
        == record.component(9, 1)
        == ""
    )
    assert record.raw == record.text


def test_header_fields() -> None:
    header = Record("H|\\^&|ID-1||A^B\\C^D", STANDARD)
    assert (header.field(2), header.field(3)) == ("\\^&", "ID-1")
    assert header.repeats(2) == header.components(2) == ["\\^&"]
    assert header.repeats(5) == ["A^B", "C^D"]
    assert header.component(5, 2, repeat=2) == "D"


def test_repeats() -> None:
    record = Record("O|1|S^1^2||^^^GLU\\^^^CREA|R", STANDARD)
    assert record.repeats(5) == ["^^^GLU", "^^^CREA"]
    assert record.component(5, 4, repeat=2) == "CREA"
    assert record.repeats(20) == [""] and record.components(5, repeat=3) == [] and record.components(5, repeat=0) == []


@pytest.mark.parametrize(("text", "kind"), [("l|1|n", "L"), ("L", "L"), ("2P|1", "2P"), ("", ""), ("HX|", "HX")])
def test_type(text: str, kind: str) -> None:
    assert Record(text, STANDARD).type == kind


@pytest.mark.parametrize(
    ("sent", "means"),
    [
        ("Type &F& Screen", "Type | Screen"),
        ("&R&&S&&E&", "\\^&"),
        ("a &H&b&N& c", "a b c"),
        ("&X0D&&XA&&X41e9&", "\r\nA\xe9"),
        ("&Z17&", "&Z17&"),
        ("A & B", "A & B"),
        ("A&B&C", "A&B&C"),
        ("&F", "&F"),
        ("&X&", "&X&"),
        ("&XG1&", "&XG1&"),
        ("R&D &F& &", "R&D | &"),
        ("&&F&", "&|"),
        ("plain", "plain"),
    ],
)
def test_escapes(sent: str, means: str) -> None:
    assert unescape(sent, STANDARD) == means


def test_escapes_of_other_delimiters() -> None:
    assert unescape("O$R$NEIL#A$F$B", AT) == "O!NEIL#A@B"
    assert Record("P@1@@@@O$R$NEIL#A$F$B", AT).components(6) == ["O!NEIL", "A@B"]
    assert unescape("a\\F\\b", GENEXPERT) == "a|b"


TEXTS = st.text(st.characters(max_codepoint=0x17F), max_size=20)
SETS = st.sampled_from([STANDARD, AT, GENEXPERT])


@given(TEXTS, SETS)
def test_what_is_escaped_reads_as_before(text: str, delimiters: Delimiters) -> None:
    sent = escape(text, delimiters)
    assert unescape(sent, delimiters) == text
    assert not set(sent) & set(delimiters.field + delimiters.repeat + delimiters.component + "\r\n\x02\x03")


@given(
    st.sampled_from("HPORCQLSM"),
    st.dictionaries(
        st.integers(3, 20), st.lists(st.lists(TEXTS, min_size=1, max_size=4), min_size=1, max_size=3), max_size=6
    ),
    SETS,
)
def test_what_is_built_reads_as_before(letter: str, values: dict[int, list[list[str]]], delimiters: Delimiters) -> None:
    record = Record(build(letter, values, delimiters), delimiters)
    assert record.type == letter
    for number, repeats in values.items():
        found = [record.components(number, place) for place in range(1, len(repeats) + 1)]
        if any(any(parts) for parts in repeats) or len(repeats) > 1 or len(repeats[0]) > 1:
            assert found == repeats
        else:
            assert record.field(number) == ""
    if letter == "H":
        assert Delimiters.of_header(record.text) == delimiters


def test_building() -> None:
    assert build("H", {5: "LABMW", 13: "LIS02-A2"}) == "H|\\^&|||LABMW||||||||LIS02-A2"
    assert build("H", {}) == "H|\\^&" and build("L", {}) == "L"
    assert (
        build("O", {2: "1", 3: "S|1", 5: [["", "", "", "GLU"], ["", "", "", "CREA"]], 9: ""})
        == "O|1|S&F&1||^^^GLU\\^^^CREA"
    )
    assert build("Q", {2: "1", 3: ["", "S1"], 13: "O"}) == "Q|1|^S1||||||||||O"
    assert build("P", {2: "1"}, AT) == "P@1"


@pytest.mark.parametrize(
    ("letter", "values", "says"),
    [
        ("", {}, "one letter"),
        ("r", {}, "one letter"),
        ("RR", {}, "one letter"),
        ("H", {2: "x"}, "start with field 3"),
        ("R", {1: "x"}, "start with field 2"),
        ("R", {0: "x"}, "start with field 2"),
    ],
)
def test_what_cannot_be_built(letter: str, values: dict[int, str], says: str) -> None:
    with pytest.raises(RecordError, match=says):
        build(letter, values)


def test_a_record_is_a_value() -> None:
    record = Record("L|1|N", STANDARD)
    assert record == Record("L|1|N", STANDARD) and hash(record) == hash(Record("L|1|N", STANDARD))
    assert record != Record("L|1|N", AT) and record != Record("L|1", STANDARD) and record != "L|1|N"
    assert repr(record).startswith("Record('L|1|N', Delimiters(")
    assert record.fields is record.fields
