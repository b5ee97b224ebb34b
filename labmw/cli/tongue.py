"""In which language is help shown, before any command has read its options or its configuration?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labmw.phrases import Language

FIXED = "\u00a0"
"""A space at which no line may be broken."""
LARGEST = 1 << 20  # bytes of a configuration that is looked into; a whole one has some ten thousand
UNSAID: Language = "fr"
"""What a configuration means that says nothing of it, see labmw.config.Site."""


def terminal() -> Language:
    """The language of the terminal, as POSIX locales tell it; English for every other than French."""
    locale = next(filter(None, (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "fr" if locale.startswith("fr") else "en"


def of_help(words: Sequence[str]) -> Language:
    """What the command line asks for, else the language of the site whose configuration is named, else the terminal's.

    The configuration is only looked into: one that cannot be used says nothing here, the command will say what is wrong.
    """
    given = _given(words, "--language", "-l")
    if given == "fr":
        return "fr"
    if given == "en":
        return "en"
    return _of_site(_given(words, "--config", "-c") or os.environ.get("LABMW_CONFIG", "")) or terminal()


def _given(words: Sequence[str], name: str, letter: str) -> str:
    """What an option is given as, the last time; empty when it is not."""
    found = ""
    for word, following in pairwise([*words, ""]):
        if word == "--":
            break
        if word in (name, letter):
            found = following
        elif word.startswith(f"{name}="):
            found = word.removeprefix(f"{name}=")
        elif word.startswith(letter) and len(word) > len(letter):
            found = word.removeprefix(letter)
    return found


def _of_site(path: str) -> Language | None:
    if not path:
        return None
    import tomllib

    try:
        file = Path(path)
        if not file.is_file() or file.stat().st_size > LARGEST:
            return None
        site = tomllib.loads(file.read_text(encoding="utf-8")).get("site")
    except (OSError, ValueError):  # ValueError: no TOML, no UTF-8, or a null byte in the path
        return None
    language = site.get("language", UNSAID) if isinstance(site, dict) else None
    return language if language in ("en", "fr") else None
