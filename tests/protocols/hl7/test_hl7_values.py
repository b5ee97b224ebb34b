"""A value leaves as the type it is, and comes back as what was meant, or is kept as sent."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Hl7Error
from protocols.hl7.datatypes import LONGEST_KEPT, Code, EntityId, Person
from protocols.hl7.fields import numbers
from protocols.hl7.segment import Field, Segment, segment
from protocols.hl7.separators import STANDARD, Separators
from protocols.hl7.values import COMPARATORS, SEPARATORS, Coded, Document, Numeric, Text, Unread, Value, decode, encode

NUMBERS = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=D("-1e9"), max_value=D("1e9"), places=None
).filter(lambda d: len(d.as_tuple().digits) < 20 and abs(d.adjusted()) < 20)


def obx(kind: str, content: Field) -> Segment:
    return segment(["OBX", "1", kind, None, None, content])


@pytest.mark.parametrize(
    ("value", "kind", "sent"),
    [
        (Numeric(D("5.420")), "NM", "5.420"),
        (Numeric(D("1E+3")), "NM", "1000"),
        (Numeric(D("-0.5")), "NM", "-0.5"),
        (Numeric(D("100"), ">"), "SN", ">^100"),
        (Numeric(D("1"), "", ":", D("10")), "SN", "^1^:^10"),
        (Numeric(D("2"), "", "+"), "SN", "^2^+"),
        (Text("positive & more"), "ST", r"positive \T\ more"),
        (Text("one\ntwo"), "FT", r"one\.br\two"),
        (Text("x" * 200), "TX", "x" * 200),
        (Coded(Code("3092008", "S. aureus", "SCT")), "CE", "3092008^S. aureus^SCT"),
        (Document("application", "pdf", b"%PDF"), "ED", "^application^pdf^Base64^JVBERg=="),
    ],
)
def test_there_and_back(value: Value, kind: str, sent: str) -> None:
    written = obx(*encode(value))
    assert (written.field(2), written.field(5)) == (kind, sent)
    assert decode(written) == value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Numeric(D("NaN")), "finite Decimal"),
        (Numeric(D("-Infinity")), "finite Decimal"),
        (Numeric(0.3), "finite Decimal"),  # type: ignore[arg-type]
        (Numeric(D("1E+400000")), "digits"),
        (Numeric(D("1E-400000")), "digits"),
        (Numeric(D("1"), "="), "comparator '='"),
        (Numeric(D("1"), "<", "x", D("2")), "separator 'x'"),
        (Numeric(D("1"), "<", "", D("2")), "separator ''"),
        (Numeric(D("1"), "<", "-", D("sNaN")), "finite Decimal"),
        (Text(" \n"), "text is empty"),
        (Coded(Code("x")), "coding system"),
        (Coded(Code("", "x", "LN")), "coding system"),
        (Document("application", "pdf", b""), "content"),
        (Unread("ZZ", "x"), "forward the segment"),
    ],
)
def test_refused(value: Value, says: str) -> None:
    with pytest.raises(Hl7Error, match=says):
        encode(value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("OBX|1|NM|||", None),
        ("OBX|1|NM", None),
        ("OBX|1|NM|||+1.", Numeric(D("1"))),
        ("OBX|1|NM|||.5", Numeric(D("0.5"))),
        ("OBX|1|NM|||7,41", Unread("NM", "7,41")),
        ("OBX|1|NM|||1e3", Unread("NM", "1e3")),
        ("OBX|1|NM|||***.**", Unread("NM", "***.**")),
        ("OBX|1|NM||| 1", Unread("NM", " 1")),
        ("OBX|1|NM|||NaN", Unread("NM", "NaN")),
        ("OBX|1|NM|||٣", Unread("NM", "٣")),
        ("OBX|1|NM|||" + "9" * 41, Unread("NM", "9" * 41)),
        ("OBX|1|NM|||1~2", Unread("NM", "1~2")),
        ("OBX|1|NM|||1^2", Unread("NM", "1^2")),
        ('OBX|1|NM|||""', Unread("NM", '""')),
        ("OBX|1|SN|||<^5", Numeric(D("5"), "<")),
        ("OBX|1|SN|||<5", Unread("SN", "<5")),
        ("OBX|1|SN|||~^5", Unread("SN", "~^5")),
        ("OBX|1|SN|||^5^-^x", Unread("SN", "^5^-^x")),
        ("OBX|1|SN|||<>^5", Unread("SN", "<>^5")),
        ("OBX|1|TX|||one~two", Text("one\ntwo")),
        ("OBX|1|ST|||R&D ^ x", Text("R&D ^ x")),
        ("OBX|1|CWE|||^^", Unread("CWE", "^^")),
        ("OBX|1|CWE|||A^b^c", Coded(Code("A", "b", "c"))),
        ("OBX|1|CE|||A~B", Unread("CE", "A~B")),
        ("OBX|1|ED|||^a^b^Base64^***", Unread("ED", "^a^b^Base64^***")),
        ("OBX|1|ED|||^a^b^Base64^JVBé", Unread("ED", "^a^b^Base64^JVBé")),
        ("OBX|1|ED|||^a^b^Hex^00", Unread("ED", "^a^b^Hex^00")),
        ("OBX|1||||x", Unread("", "x")),
    ],
)
def test_reading(line: str, expected: Value | None) -> None:
    assert decode(Segment(line)) == expected


@given(NUMBERS, st.sampled_from(COMPARATORS), st.sampled_from([s for s in SEPARATORS if s]), st.none() | NUMBERS)
def test_any_number_comes_back_with_its_digits(number: D, comparator: str, separator: str, second: D | None) -> None:
    for value in (Numeric(number), Numeric(number, comparator), Numeric(number, comparator, separator, second)):
        read = decode(obx(*encode(value)))
        assert isinstance(read, Numeric) and read == value
        assert f"{read.number:f}" == f"{number:f}"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_any_text_comes_back(text: str) -> None:
    assert decode(obx(*encode(Text(text)))) == Text(text)


FIELD_TEXTS = st.text('ab^~&\\F"', max_size=12) | st.text("a", min_size=LONGEST_KEPT - 1, max_size=LONGEST_KEPT + 2)


@given(
    FIELD_TEXTS, st.integers(1, 6), st.integers(1, 3), st.sampled_from([STANDARD, Separators("!", "&", "+", "/", "^")])
)
def test_what_is_kept_of_a_field_is_what_it_says(text: str, n: int, repetition: int, separators: Separators) -> None:
    line = Segment(separators.field.join(["OBX", *[""] * (n - 1), text.replace(separators.field, "")]), separators)
    for _ in range(2):  # read, and remembered
        assert Code.read(line, n, repetition) == (
            Code(*parts) if any(parts := plainly(line, n, 6, repetition)) else None
        )
        person = Person.read(line, n, repetition)
        name = plainly(line, n, 7, repetition)
        assert (person is None) <= (not any(name))
        assert person is None or [person.id, person.family, person.given] == name[:3]
        several = [EntityId.read(line, n, one) for one in range(1, len(line.repetitions(n)) + 1)]
        assert numbers(line, n) == tuple(one for one in several if one is not None)


def plainly(line: Segment, n: int, count: int, repetition: int) -> list[str]:
    return [line.component(n, c, repetition=repetition) for c in range(1, count + 1)]
