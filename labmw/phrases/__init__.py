"""How is a reason said to a person? One catalogue of sentences, in English and French.

Each `labmw/phrases/*.toml` holds tables named by a code, with `en` and `fr`; `{fact}` marks where a fact goes.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple, Protocol

from labmw.errors import LabmwError

Language = Literal["en", "fr"]
LONGEST_FACT = 600  # characters; facts come from the wire and must not flood a screen
_UNSAID = "…"
_WORDS = {"what": "trait", "flags": "flag", "why": "because", "priority": "priority"}
"""Facts that may hold codes: `what = "sex"` is said as the phrase `trait-sex`, where there is one."""


class Phrase(NamedTuple):
    """One sentence in both languages, and the facts it needs."""

    en: str
    fr: str
    facts: frozenset[str]


class Page(Protocol):
    """A file of phrases (a path, or a file inside an installed package)."""

    @property
    def name(self) -> str:
        """The file's name."""

    def read_text(self, encoding: str) -> str:
        """Its text."""


def say(code: str, language: Language, /, **facts: object) -> str:
    """The sentence for a code, with its facts.

    Never fails: a code nobody has written a phrase for is shown with its facts, a fact that was not given as an ellipsis.
    Facts may come from the wire: control characters are spelled out and long texts cut.
    """
    told = {name: said(fact, language) if isinstance(fact, LabmwError) else str(fact) for name, fact in facts.items()}
    shown = {name: _printable(_worded(name, fact, language)) for name, fact in told.items()}
    phrase = _catalogue().get(code)
    if phrase is None:
        known = ", ".join(f"{name}: {fact}" for name, fact in shown.items())
        return f"{code} ({known})" if known else code
    for name in phrase.facts - shown.keys():
        shown[name] = _UNSAID
    return (phrase.fr if language == "fr" else phrase.en).format_map(shown)


def said(error: LabmwError, language: Language) -> str:
    """What went wrong, in the reader's language where the error has a phrase; else its English message."""
    return say(error.code, language, **error.facts) if error.code else str(error)


def codes() -> frozenset[str]:
    """Every code that has a phrase."""
    return frozenset(_catalogue())


def facts_of(code: str) -> frozenset[str]:
    """The facts that a code's sentence needs; raises KeyError for an unknown code."""
    return _catalogue()[code].facts


def read(pages: Iterable[Page]) -> dict[str, Phrase]:
    """Read pages of phrases; raises LabmwError naming file, code and what is wrong with it."""
    phrases: dict[str, Phrase] = {}
    where: dict[str, str] = {}
    for page in pages:
        try:
            tables = tomllib.loads(page.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LabmwError(f"{page.name}: is not TOML in UTF-8 ({error}); mend the line it names") from None
        for code, table in tables.items():
            if code in phrases:
                raise LabmwError(f"{page.name}: {code}: is in {where[code]} too; keep one of them")
            phrases[code], where[code] = _phrase(f"{page.name}: {code}", table), page.name
    return phrases


def _phrase(where: str, table: object) -> Phrase:
    if (
        not isinstance(table, dict)
        or table.keys() != {"en", "fr"}
        or not all(isinstance(text, str) for text in table.values())
    ):
        raise LabmwError(f'{where}: needs en = "..." and fr = "..." and nothing else')
    needs = {language: _facts(f"{where}: {language}", text) for language, text in table.items()}
    if needs["en"] != needs["fr"]:
        different = ", ".join(sorted(needs["en"] ^ needs["fr"]))
        raise LabmwError(f"{where}: {different} stands in one language only; say the same in both")
    return Phrase(table["en"], table["fr"], needs["en"])


def _facts(where: str, text: str) -> frozenset[str]:
    if not text.strip():
        raise LabmwError(f"{where}: is empty; write the sentence")
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise LabmwError(f"{where}: {error}; write a brace that is meant as {{{{ or }}}}") from None
    names = [(name, form, conversion) for _, name, form, conversion in parts if name is not None]
    for name, form, conversion in names:
        if not name.isidentifier() or form or conversion:
            raise LabmwError(f"{where}: {{{name}}} is more than a name; write {{name}} and give the text it stands for")
    return frozenset(name for name, _, _ in names)


def _worded(name: str, fact: str, language: Language) -> str:
    """A fact in words, where it is a code, or several, that have some."""
    kind = _WORDS.get(name)
    if kind is None or len(fact) > LONGEST_FACT:
        return fact
    found = [_catalogue().get(f"{kind}-{code}") for code in fact.replace(",", " ").split()]
    words = [(one.fr if language == "fr" else one.en) for one in found if one is not None and not one.facts]
    return ", ".join(words) if words and len(words) == len(found) else fact


def _printable(fact: str) -> str:
    if len(fact) > LONGEST_FACT:
        fact = fact[: LONGEST_FACT - 1] + "…"
    return fact if fact.isprintable() else "".join(c if c.isprintable() else _spelled(c) for c in fact)


def _spelled(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


@lru_cache(maxsize=1)
def _catalogue() -> dict[str, Phrase]:
    folder = files("labmw.phrases")
    return read(sorted((page for page in folder.iterdir() if page.name.endswith(".toml")), key=lambda page: page.name))
