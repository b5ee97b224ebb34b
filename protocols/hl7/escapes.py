r"""How is a text with separators in it written inside a field? Escape sequences such as ``\F\``."""

from __future__ import annotations

import re
from functools import lru_cache

from protocols.errors import Hl7Error
from protocols.hl7.separators import STANDARD, UNDECLARED, Separators

NULL = '""'
"""The field that says "delete what you have", not "nothing to say"."""


@lru_cache(maxsize=64)
def _sequence(escape: str) -> re.Pattern[str]:
    # Every well-formed sequence is one match, also those that stay verbatim (highlighting, formatting, character set
    # switches, local ones): otherwise the F of "\H\F\N\" would be taken for a separator. HL7 2.5.1 chapter 2.7.
    mark = re.escape(escape)
    inside = f"[^{mark}]"
    body = (
        rf"([FSTREPHN]|X(?:[0-9A-Fa-f]{{2}})+|C[0-9A-Fa-f]{{4}}|M[0-9A-Fa-f]{{4,6}}|\.[a-z]{{2}}{inside}*|Z{inside}*)"
    )
    return re.compile(mark + body + mark)


def unescape(text: str, separators: Separators = STANDARD, encoding: str = "utf-8") -> str:
    r"""Text as meant: ``\F\ \S\ \T\ \R\ \E\ \P\``, ``\Xdd..\`` and ``\.br\`` (a line feed) are decoded.

    Every other sequence, and an escape character that begins none, stays as it is. Hexadecimal bytes are in the
    message's own encoding, and stay verbatim when they are no text in it.
    """
    if separators.escape not in text:
        return text

    def meaning(match: re.Match[str]) -> str:
        body = match[1]
        if body[0] == "X":
            try:
                return bytes.fromhex(body[1:]).decode(encoding)
            except UnicodeDecodeError:
                return match[0]
        return {
            "F": separators.field,
            "S": separators.component,
            "T": separators.subcomponent,
            "R": separators.repetition,
            "E": separators.escape,
            "P": separators.truncation.replace(UNDECLARED, ""),
            ".br": "\n",
        }.get(body) or match[0]

    return _sequence(separators.escape).sub(meaning, text)


@lru_cache(maxsize=64)
def _replacements(separators: Separators) -> dict[int, str]:
    mark = separators.escape
    controls = {code: f"{mark}X{code:02X}{mark}" for code in (*range(0x20), 0x7F)}
    names = zip("FSRETP", separators, strict=True)  # in the order in which MSH declares them
    named = {ord(character): f"{mark}{letter}{mark}" for letter, character in names if character != UNDECLARED}
    return controls | {ord("\n"): f"{mark}.br{mark}"} | named


def escape(text: str, separators: Separators = STANDARD) -> str:
    r"""Text as sent: separators as ``\F\`` and so on, a line feed as ``\.br\``, other control characters as ``\Xdd\``.

    A text of two quotes is sent in hexadecimal, so that it is not read as a deletion.
    Raises: Hl7Error when something has to be escaped and the message declares no escape character.
    """
    escaped = (
        f"{separators.escape}X2222{separators.escape}" if text == NULL else text.translate(_replacements(separators))
    )
    if separators.escape == UNDECLARED and escaped != text:
        raise Hl7Error(f"{text[:40]!r} must be escaped, and MSH-2 declares no escape character: declare ^~\\&")
    return escaped
