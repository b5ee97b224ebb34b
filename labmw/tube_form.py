"""How does a family write the identifier of a tube on the wire? Padded to a length, with a check digit behind it, or as it is; read and written.

A barcode reader may be set to send the check digit of its symbology along, and some analyzers fill identifiers up. Both are declared, never guessed: an
identifier that is not of the declared form names no tube, because what is left of it could be another patient's. Whose identifiers
themselves begin with the character that fills them up cannot declare it: read back, they would lose it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

_CODE_39: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"


def luhn(text: str) -> str:
    """The mod 10 digit with weights 2 and 1 from the right (ISO/IEC 7812-1, annex B); "" for what is not all digits."""
    if not (text.isascii() and text.isdecimal()):
        return ""
    doubled = [int(figure) * (2 if place % 2 == 0 else 1) for place, figure in enumerate(reversed(text))]
    return str(-sum(one - 9 if one > 9 else one for one in doubled) % 10)


def mod43(text: str) -> str:
    """The check character of Code 39 (ISO/IEC 16388, annex A); "" for what Code 39 cannot write."""
    if not text or any(one not in _CODE_39 for one in text):
        return ""
    return _CODE_39[sum(map(_CODE_39.index, text)) % 43]


CHECKS: Final[Mapping[str, Callable[[str], str]]] = {"luhn": luhn, "mod43": mod43}


@dataclass(frozen=True, slots=True)
class TubeForm:
    """`pad` fills the identifier up on the left to `length` characters; behind that stands the check character that `check` names."""

    pad: str = ""
    length: int = 0
    check: Literal["", "luhn", "mod43"] = ""

    def read(self, sent: str) -> str:
        """The identifier that was sent; "" where it is not of this form."""
        text = sent.strip()
        if not self.check:
            return self._unpadded(text)
        # The check character of Code 39 may be a blank, which the wire loses: then the text is all body.
        bodies = {
            body for body, mark in ((text[:-1], text[-1:]), (text, " ")) if mark and CHECKS[self.check](body) == mark
        }
        found = {one for body in bodies if (one := self._unpadded(body))}
        return found.pop() if len(found) == 1 else ""

    def _unpadded(self, body: str) -> str:
        if not self.pad:
            return body
        return body.lstrip(self.pad) if len(body) == self.length else ""

    def write(self, identifier: str) -> str:
        """An identifier as this family wants it; "" where it cannot be written so."""
        body = identifier.rjust(self.length, self.pad) if self.pad else identifier
        mark = CHECKS[self.check](body) if self.check else ""
        if self.check and not mark:
            return ""
        # What would come back as another tube's is not written: one that begins with the padding, or is too long.
        return body + mark if self.read(body + mark) == identifier else ""


AS_WRITTEN: Final = TubeForm()


def faults(form: TubeForm) -> list[str]:
    """What is wrong with a declared form, one sentence each."""
    found: list[str] = []
    if bool(form.pad) != bool(form.length) or len(form.pad) > 1 or not 0 <= form.length <= 64:
        found.append("tube: pad is one character and length a number up to 64, both or neither")
    if form.pad and (not form.pad.isascii() or not form.pad.isalnum()):
        found.append("tube: pad is a letter or a digit; blanks at the ends are taken off without being declared")
    if form.check and form.check not in CHECKS:
        found.append(f"tube: there is no check {form.check!r}; use {', '.join(sorted(CHECKS))}")
    return found
