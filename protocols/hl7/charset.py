"""In which character set is this message written? MSH-18 says so, sometimes in its own words."""

from __future__ import annotations

import codecs
from functools import lru_cache
from typing import NamedTuple

from protocols.errors import Hl7Error

# HL7 table 0211, and below each line the names met in the field for the same thing; compared without case, spaces and / _ - .
_ENCODINGS = {
    "": "ascii",  # 2.5.1, MSH-18: nothing said means ASCII
    "ASCII": "ascii",
    "USASCII": "ascii",
    **{f"8859{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    **{f"ISO8859{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",  # not in the table, and common
    "UNICODE": "utf-8",  # in the table as UCS-2, which cannot begin with the bytes M S H: senders mean UTF-8
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
    "ISOIR14": "shift_jis",
    "ISOIR87": "iso2022_jp",
    "ISOIR159": "iso2022_jp_2",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "KSX1001": "euc_kr",
    "BIG5": "big5",
}
_IGNORED = str.maketrans("", "", " /_-.")


class Decoded(NamedTuple):
    """A message as text, the encoding that turns it back into its bytes, and what was wrong with the declared one."""

    text: str
    encoding: str
    problem: str | None


@lru_cache(maxsize=64)
def encoding_of(name: str) -> str | None:
    """The Python codec of a name in MSH-18, None when labmw does not know it."""
    return _ENCODINGS.get(name.upper().translate(_IGNORED))


def decode(raw: bytes, declared: str, override: str | None = None) -> Decoded:
    """Decode without losing a byte: what is no text in the encoding becomes lone surrogates (PEP 383).

    A message that declares ASCII, or nothing, or an unknown name, and is valid UTF-8, is read as UTF-8.
    Raises: Hl7Error when ``override`` is not an encoding that MLLP can carry.
    """
    if override is not None:
        return _bijective(raw, usable(override), declared, override)
    encoding = encoding_of(declared)
    if encoding is not None and (encoding != "ascii" or raw.isascii()):
        return _bijective(raw, encoding, declared)
    said = _said(declared)
    problem = f"{said} does not fit the bytes" if encoding else f"{said} is not a known character set"
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        unknown = _bijective(raw, encoding or "utf-8", declared)
        return unknown._replace(problem=f"{problem} and they are not UTF-8; {_REMEDY}")
    return Decoded(text, "utf-8", None if raw.isascii() else f"{problem}, read as UTF-8; {_REMEDY}")


def usable(encoding: str) -> str:
    """The codec's own name, if the framing and MSH can be read in it.

    Raises: Hl7Error for an unknown codec, and for one in which ASCII is not ASCII (UTF-16 cannot travel in MLLP).
    """
    try:
        codec = codecs.lookup(encoding)
        if codec.encode(_PROBE)[0] == _PROBE.encode():
            return codec.name
    except (LookupError, ValueError, TypeError):
        pass
    raise Hl7Error(f"{encoding!r} is not an encoding for HL7: set utf-8, iso8859-1, iso8859-15, cp1252 ...")


def _bijective(raw: bytes, encoding: str, declared: str, override: str | None = None) -> Decoded:
    problem = None
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        problem = f"{_said(declared, override)} does not fit byte {error.start}; {_REMEDY}"
        if encoding not in _ONE_TO_ONE:
            # Only in these can a bad byte be told from the good ones around it.
            return Decoded(raw.decode("latin-1"), "latin-1", problem)
        text = raw.decode(encoding, "surrogateescape")
    if encoding in _ONE_TO_ONE or _gives_back(text, encoding, raw):
        return Decoded(text, encoding, problem)
    # Some codecs of several bytes read two spellings as one character. The bytes are worth more than the characters.
    return Decoded(
        raw.decode("latin-1"), "latin-1", f"{_said(declared, override)} cannot give the bytes back; {_REMEDY}"
    )


def _gives_back(text: str, encoding: str, raw: bytes) -> bool:
    """Whether a text comes to the same bytes again; some codecs read more than they write (ISO 2022 JP takes ESC 80)."""
    try:
        return text.encode(encoding) == raw
    except UnicodeEncodeError:
        return False


def _said(declared: str, override: str | None = None) -> str:
    if override is not None:
        return f"the encoding {override} set for this sender"
    return f"MSH-18 {declared!r}" if declared.strip() else "MSH-18 (empty, so ASCII)"


_PROBE = "MSH|^~\\&|1\r"
_REMEDY = "set the encoding of this sender"
_ONE_TO_ONE = frozenset({"ascii", "utf-8", "cp1252", *(f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15))})
