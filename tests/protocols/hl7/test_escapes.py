"""A text keeps its meaning through a field, and what is no escape sequence is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Hl7Error
from protocols.hl7.escapes import NULL, escape, unescape
from protocols.hl7.separators import STANDARD, UNDECLARED, Separators

ODD = Separators("$", "%", "*", "!", "@", "#")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"1\S\2.14", "1^2.14"),
        (r"\F\\S\\T\\R\\E\ ", "|^&~\\ "),
        (r"R\T\D", "R&D"),
        (r"first\.br\second", "first\nsecond"),
        (r"a\X0D0A\b", "a\r\nb"),
        (r"L\XC3A9\a", "Léa"),
        (r"\X41\\x42\ ", r"A\x42\ "),
        # not ours to change
        (r"\H\bold\N\ ", r"\H\bold\N\ "),
        (r"\H\F\N\ ", r"\H\F\N\ "),
        (r"\.sp3\line\.in+4\ ", r"\.sp3\line\.in+4\ "),
        (r"\Zlocal\ \C2842\ \M245B\ ", r"\Zlocal\ \C2842\ \M245B\ "),
        (r"\XZZ\ \X1\ \XFF\ ", r"\XZZ\ \X1\ \XFF\ "),
        (r"\P\ ", r"\P\ "),  # no truncation character declared
        # an escape character that begins nothing does not swallow the next sequence
        (r"50\ug \S\x", r"50\ug ^x"),
        ("C:\\dir\\", "C:\\dir\\"),
        ("\\", "\\"),
        ("\\F", "\\F"),
        ("\\\\\\", "\\\\\\"),
    ],
)
def test_reading(sent: str, meant: str) -> None:
    assert unescape(sent) == meant


def test_hexadecimal_is_in_the_encoding_of_the_message() -> None:
    assert unescape(r"L\XE9\a", STANDARD, "iso8859-1") == "Léa"
    assert unescape(r"L\XE9\a", STANDARD, "utf-8") == r"L\XE9\a"


def test_truncation_character_of_2_7() -> None:
    assert unescape("a!P!b!T!c", ODD) == "a#b@c"
    assert escape("a#b@c", ODD) == "a!P!b!T!c"


def test_a_text_of_two_quotes_is_not_a_deletion() -> None:
    assert escape(NULL) == r"\X2222\ ".strip()
    assert unescape(escape(NULL)) == NULL


def test_nothing_can_be_escaped_without_an_escape_character() -> None:
    separators = Separators("|", "^", "~", UNDECLARED, UNDECLARED)
    assert escape("plain & simple\\", separators) == "plain & simple\\"
    assert unescape("a\\S\\b", separators) == "a\\S\\b"
    for text in ("a|b", "a^b", "a\rb", "a\nb", NULL):
        with pytest.raises(Hl7Error, match="no escape character"):
            escape(text, separators)


@given(TEXTS, st.sampled_from([STANDARD, ODD]))
def test_any_text_comes_back(text: str, separators: Separators) -> None:
    sent = escape(text, separators)
    assert unescape(sent, separators) == text
    for separator in (
        separators.field,
        separators.component,
        separators.repetition,
        separators.subcomponent,
        "\r",
        "\n",
    ):
        assert separator not in sent
    assert sent != NULL


@given(st.text("\\FSTREXHNPCMZ.br04|^&~\n"))
def test_reading_never_fails_and_is_bounded(text: str) -> None:
    assert len(unescape(text)) <= len(text)
