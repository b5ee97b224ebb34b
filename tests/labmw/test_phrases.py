"""The catalogue: every code in both languages with the same facts, and saying one never fails."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw import phrases
from labmw.errors import LabmwError
from labmw.phrases import LONGEST_FACT, codes, facts_of, read, say


@dataclass(frozen=True)
class Page:
    """A file of phrases that is not on the disk."""

    text: str
    name: str = "page.toml"

    def read_text(self, encoding: str) -> str:
        return self.text.encode("latin-1").decode(encoding) if "\xff" in self.text else self.text


GOOD = Page('["no-order"]\nen = "No order for {test}."\nfr = "Pas de demande pour {test}."')


def test_the_shipped_catalogue_is_read_whole() -> None:
    """Both languages, the same facts, no code twice: `read` refuses anything else, for every file there is."""
    assert codes() == phrases._catalogue().keys()
    assert codes()


@pytest.mark.parametrize("code", sorted(codes()))
def test_a_shipped_code_says_something_in_both_languages(code: str) -> None:
    assert all(part.isalnum() or part == "" for part in code.replace("_", "-").split("-")), "codes are kebab-case"
    facts = {name: f"<{name}>" for name in facts_of(code)}
    for language in ("en", "fr"):
        sentence = say(code, language, **facts)
        assert sentence.strip() == sentence
        assert "{" not in sentence.replace("{{", "")
        assert all(f"<{name}>" in sentence for name in facts)


def test_a_sentence_with_its_facts() -> None:
    assert read([GOOD])["no-order"] == phrases.Phrase(
        "No order for {test}.", "Pas de demande pour {test}.", frozenset({"test"})
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('["a"]\nen = "x"', 'needs en = "..." and fr = "..."'),
        ('["a"]\nfr = "x"', "needs en"),
        ('["a"]\nen = "x"\nfr = "x"\nde = "x"', "nothing else"),
        ('["a"]\nen = "x"\nfr = 1', "needs en"),
        ('a = "x"', "needs en"),
        ('["a"]\nen = "{x}"\nfr = "{y}"', "x, y stands in one language only"),
        ('["a"]\nen = " "\nfr = "x"', "is empty"),
        ('["a"]\nen = "{x.secret}"\nfr = "{x.secret}"', "more than a name"),
        ('["a"]\nen = "{x[0]}"\nfr = "{x[0]}"', "more than a name"),
        ('["a"]\nen = "{x:>99999999}"\nfr = "{x:>99999999}"', "more than a name"),
        ('["a"]\nen = "{x!r}"\nfr = "{x!r}"', "more than a name"),
        ('["a"]\nen = "{}"\nfr = "{}"', "more than a name"),
        ('["a"]\nen = "{x"\nfr = "{x"', "a brace that is meant"),
        ('["a"]\nen = ', "not TOML"),
        ('["a"]\nen = "\xff"\nfr = "x"', "not TOML in UTF-8"),
    ],
)
def test_a_page_that_cannot_be_used_is_named(text: str, says: str) -> None:
    with pytest.raises(LabmwError, match=r"page\.toml") as caught:
        read([Page(text)])
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("code", "facts", "en", "fr"),
    [
        ("identity-mismatch", {"specimen": "S1", "what": "birth"}, "(they differ in: date of birth)", "date de naissance"),
        ("flag", {"value": "9", "flags": "critical-high clot"}, "critically high, clot", "haut critique, caillot"),
        ("flag", {"value": "9", "flags": "critical-high WHAT"}, "critical-high WHAT", "critical-high WHAT"),
        ("not-performed", {"flags": "QNS^Quantity"}, "QNS^Quantity", "QNS^Quantity"),
        ("reagent", {"lot": "L", "module": "M", "value": "9", "why": "expiry"}, "it has expired", "il est périmé"),
    ],
)  # fmt: skip
def test_a_code_inside_a_sentence_is_said_in_words(code: str, facts: dict[str, str], en: str, fr: str) -> None:
    assert en in say(code, "en", **facts)
    assert fr in say(code, "fr", **facts)


def test_a_code_in_two_files_is_refused() -> None:
    with pytest.raises(LabmwError, match=r"other\.toml: no-order: is in page\.toml too"):
        read([GOOD, Page(GOOD.text, "other.toml")])


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrases, "_catalogue", lambda: read([GOOD]))


@pytest.mark.usefixtures("catalogue")
def test_saying() -> None:
    assert say("no-order", "en", test="TSH") == "No order for TSH."
    assert say("no-order", "fr", test="TSH", unused=1) == "Pas de demande pour TSH."
    assert say("no-order", "fr") == "Pas de demande pour …."
    assert say("not-written", "fr", test="TSH", value=4) == "not-written (test: TSH, value: 4)"
    assert say("not-written", "en") == "not-written"
    assert codes() == {"no-order"}
    assert facts_of("no-order") == {"test"}


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("fact", "shown"),
    [
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("{test} {0} %s", "{test} {0} %s"),
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("évidence µ", "évidence µ"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
    ],
)
def test_a_hostile_fact_cannot_write_to_a_terminal(fact: str, shown: str) -> None:
    assert say("no-order", "en", test=fact) == f"No order for {shown}."


@given(st.text(), st.text(st.characters(), max_size=1000))
def test_saying_never_fails_and_stays_short(code: str, fact: str) -> None:
    sentence = say(code, "en", fact=fact)
    assert sentence.isprintable() or not code.isprintable()
    assert len(sentence) <= len(code) * 1 + 10 * LONGEST_FACT + 20
