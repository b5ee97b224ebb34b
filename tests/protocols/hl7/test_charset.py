"""Whatever MSH-18 says, no byte is lost, and a mismatch is reported."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocols.errors import Hl7Error
from protocols.hl7 import charset


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("", "ascii"),
        ("ASCII", "ascii"),
        ("8859/1", "iso8859-1"),
        ("8859/15", "iso8859-15"),
        ("UNICODE UTF-8", "utf-8"),
        ("UTF-8", "utf-8"),
        ("utf8", "utf-8"),
        ("UNICODE", "utf-8"),
        ("ISO8859-1", "iso8859-1"),
        ("ISO-8859-15", "iso8859-15"),
        ("GB 18030-2000", "gb18030"),
        ("ISO IR87", "iso2022_jp"),
        ("UNICODE UTF-16", None),
        ("8859/10", None),
        ("nonsense", None),
    ],
)
def test_names(name: str, encoding: str | None) -> None:
    assert charset.encoding_of(name) == encoding


def test_declared_and_right() -> None:
    assert charset.decode("Léa".encode(), "UNICODE UTF-8") == ("Léa", "utf-8", None)
    assert charset.decode("Léa €".encode("iso8859-15"), "8859/15") == ("Léa €", "iso8859-15", None)


def test_nothing_declared_and_utf_8_sent() -> None:
    text, encoding, problem = charset.decode("Léa".encode(), "")
    assert (text, encoding) == ("Léa", "utf-8")
    assert problem and "empty" in problem and "read as UTF-8" in problem


def test_unknown_name_matters_only_when_there_is_something_to_decode() -> None:
    assert charset.decode(b"Lea", "KLINGON").problem is None
    problem = charset.decode("Léa".encode(), "KLINGON").problem
    assert problem and "KLINGON" in problem


@pytest.mark.parametrize("declared", ["", "ASCII", "UNICODE UTF-8", "KLINGON"])
def test_undecodable_bytes_are_kept_and_reported(declared: str) -> None:
    raw = "Léa µ".encode("iso8859-1")
    text, encoding, problem = charset.decode(raw, declared)
    assert text.encode(encoding, "surrogateescape") == raw
    assert problem and "set the encoding of this sender" in problem


def test_the_encoding_set_for_a_sender_wins() -> None:
    raw = "Léa".encode("iso8859-1")
    assert charset.decode(raw, "UNICODE UTF-8", "latin-1") == ("Léa", "iso8859-1", None)
    problem = charset.decode(raw, "8859/1", "utf-8").problem
    assert problem and "utf-8" in problem


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-7", "hz", "utf-8-sig", "cp037", "hex", "rot13", "undefined", "unknown", "", "a\0b"]
)
def test_encodings_that_cannot_carry_a_message(encoding: str) -> None:
    with pytest.raises(Hl7Error, match="not an encoding for HL7"):
        charset.decode(b"MSH", "", encoding)


def test_a_bad_byte_among_characters_of_several_bytes() -> None:
    text, encoding, problem = charset.decode(b"MSH \xb0\xa1\xff|", "GB 18030-2000")
    assert text.encode(encoding) == b"MSH \xb0\xa1\xff|"
    assert problem and "does not fit byte" in problem


@pytest.mark.parametrize(("raw", "encoding"), [(b"MSH \xfa\x54", "cp932"), (b"MSH \x1b(B\x1b(Babc", "iso2022_jp")])
def test_two_spellings_of_one_character_are_not_made_one(raw: bytes, encoding: str) -> None:
    assert raw.decode(encoding).encode(encoding) != raw
    text, actual, problem = charset.decode(raw, "", encoding)
    assert text.encode(actual) == raw
    assert problem and "cannot give the bytes back" in problem


@example(b"\x1b\xa9", "ISO IR87")
@given(
    st.binary(),
    st.sampled_from(
        [
            "",
            "UNICODE UTF-8",
            "8859/1",
            "8859/8",
            "WINDOWS-1252",
            "ISO IR87",
            "ISO IR14",
            "ISO IR159",
            "GB 18030-2000",
            "KS X 1001",
            "BIG-5",
        ]
    ),
)
@example(b"\x1b\x80", "ISO IR87")  # read, and not written again
def test_every_byte_comes_back(raw: bytes, declared: str) -> None:
    text, encoding, _ = charset.decode(raw, declared)
    assert text.encode(encoding, "surrogateescape") == raw


@given(
    st.binary(),
    st.sampled_from(["shift_jis", "gb18030", "euc_kr", "iso2022_jp", "cp1252", "UTF8", "latin-1", "euc_jp"]),
)
def test_every_byte_comes_back_with_an_override(raw: bytes, override: str) -> None:
    text, encoding, _ = charset.decode(raw, "", override)
    assert text.encode(encoding, "surrogateescape") == raw
