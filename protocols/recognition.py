"""Which protocol is spoken on this line? Bytes in, a named guess with its evidence out; nothing is answered.

A frame with the right checksum or a whole MLLP block is proof; everything else is a guess and is called one. The rest of the list are
envelopes that one meets on analyzers' lines, and things that are no analyzer at all (a TLS handshake, a browser, a device server's Telnet).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from protocols.astm.control import ACK, CR, ENQ, EOT, ETB, ETX, LF, NAK, STX
from protocols.astm.frame import checksum
from protocols.plain.check import SUM, XOR, Check

Protocol = Literal[
    "nothing", "astm", "astm-call", "astm-unnumbered", "astm-bare", "hl7", "hl7-bare", "tags", "beckman-au", "beckman-pk", "rapid", "poct1-a",
    "stx-text", "tls", "http", "telnet", "proxy", "text", "unknown",
]  # fmt: skip
"""astm: numbered frames. astm-call: ENQ and no more. astm-unnumbered: records between STX and ETX. astm-bare: records without frames.
hl7: MLLP. hl7-bare: segments without MLLP. tags: bioMérieux `<RS>` fields. beckman-au, beckman-pk: texts of fixed columns. rapid: Siemens RAPIDPoint. stx-text: other text
between STX and ETX."""

MOST: Final = 256 * 1024
"""Bytes that are looked at; a line that was not recognised in so many is not recognised by more."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a line seems to speak, how many envelopes were whole and how many were not, and the first header that was seen whole."""

    protocol: Protocol
    good: int = 0
    bad: int = 0
    header: bytes = b""

    @property
    def certain(self) -> bool:
        """True when an envelope proves it: a checksum that is right, or a whole block that begins with a header."""
        return self.protocol in ("astm", "hl7", "tags", "beckman-au", "beckman-pk", "rapid") and self.good > 0


_OPEN: Final = 4096  # bytes of an envelope without its end, beyond which it is taken for none
_FRAME: Final = re.compile(rb"\x02([0-7][^\x02]*?[\x17\x03])", re.DOTALL)  # two hex digits ought to follow
_UNNUMBERED: Final = re.compile(rb"\x02(H[^\w\s][^\x02\x03]*|[PORCQMSL]\|[^\x02\x03]*)\x03", re.DOTALL)
_BLOCK: Final = re.compile(rb"\x0b((?:MSH|BHS|FHS)[^\x0b\x1c]*)\x1c", re.DOTALL)
_STX_TEXT: Final = re.compile(rb"\x02[^\x02\x03]{1,8192}\x03", re.DOTALL)
_AU: Final = re.compile(
    rb"\x02((?:RB|RE|R |RH|Rh|DB|DE|D |DH|d |dH|DQ|DR|DA|SB|SE|S |SH|M |QR|QD)[^\x02\x03\x17]{0,4096}[\x03\x17])",
    re.DOTALL,
)
_PK: Final = re.compile(rb"\x02(?:SB|QR|QD|M )")
_SUMMED: Final = re.compile(rb"\x02([\r\n]*\x1e[^\x02\x03\x1d]{0,65536}\x1d)", re.DOTALL)
_RAPID: Final = re.compile(rb"(\x02[A-Z_]{2,32}\x1c\x1e[^\x02\x03]{0,65536}\x03)", re.DOTALL)
_TAGS: Final = re.compile(rb"\x1e[a-z][a-z0-9]{1,3}[^\x1e\x1d]*(?=[\x1e\x1d])")
_ASTM_HEADER: Final = re.compile(
    rb"(?:\x02[0-7]?|^|[\r\n])(H([^\w\s])[^\w\s]{3}\2[^\r\x02\x03\x17]*)[\r\x03]", re.DOTALL
)
_HL7_HEADER: Final = re.compile(rb"(?:\x0b|^|[\r\n])(MSH[^\w\s][^\r\x0b\x1c]*)\r")
_BARE_RECORDS: Final = re.compile(rb"(?:^|[\r\n])H[^\w\s][^\w\s]{3}")
_BARE_SEGMENTS: Final = re.compile(rb"(?:^|[\r\n])MSH[^\w\s][^\w\s]{2,4}")
_CALLS: Final = frozenset((ENQ, EOT, ACK, NAK))
_STRANGERS: Final[tuple[tuple[Protocol, re.Pattern[bytes]], ...]] = (
    ("tls", re.compile(rb"\x16\x03[\x00-\x04]..\x01", re.DOTALL)),
    ("http", re.compile(rb"(?:GET|POST|HEAD|PUT|OPTIONS|CONNECT) \S+ HTTP/")),
    ("proxy", re.compile(rb"PROXY (?:TCP4|TCP6|UNKNOWN)|\r\n\r\n\x00\r\nQUIT\n")),
    ("telnet", re.compile(rb"\xff[\xfb-\xfe].")),
)


def recognise(data: bytes) -> Recognised:
    """What these bytes, from the beginning of a connection or from the middle of a line, most likely are."""
    data = data[:MOST]
    if not data:
        return Recognised("nothing")
    good, bad = _frames(data)
    if good:
        return Recognised("astm", good, bad, header_of(data))
    blocks = len(_BLOCK.findall(data))
    if blocks:
        return Recognised("hl7", blocks, data.count(b"\x0b") - blocks, header_of(data))
    for name, pattern in _STRANGERS:
        if pattern.match(data):
            return Recognised(name)
    plain: tuple[tuple[Protocol, re.Pattern[bytes], Check], ...] = (
        ("tags", _SUMMED, SUM),
        (_beckman(data), _AU, XOR),
        ("rapid", _RAPID, SUM),
    )
    for protocol, pattern, check in plain:
        good, wrong = _checked(data, pattern, check)
        if good:
            return Recognised(protocol, good, wrong)
    return Recognised(_guess(data, bad), 0, bad, header_of(data))


def begun(data: bytes) -> bool:
    """Whether an envelope has begun at the end of these bytes and may still be ended by what comes: until then a guess is too early."""
    start = max(data.rfind(b"\x02"), data.rfind(b"\x0b"))
    end = max(data.rfind(mark) for mark in (b"\x03", b"\x17", b"\x1c"))
    return start > end and len(data) - start <= _OPEN


def header_of(data: bytes) -> bytes:
    """The first H record or MSH segment that stands whole in these bytes; b"" when there is none."""
    found = _ASTM_HEADER.search(data) or _HL7_HEADER.search(data)
    return found[1] if found else b""


def sender_of(header: bytes, encoding: str = "latin-1") -> str:
    """What a header calls its sender: H.5, or MSH-3 "|" MSH-4, as a driver recognises it; "" for no header."""
    text = header.decode(encoding, "replace")
    if text.startswith("MSH"):
        fields = text.split(text[3])
        return "|".join([*fields, "", "", ""][2:4])
    if text.startswith("H"):
        return [*text.split(text[1]), *[""] * 5][4]
    return ""


def _frames(data: bytes) -> tuple[int, int]:
    """How many numbered frames have the right checksum, and how many have not."""
    good = bad = 0
    for frame in _FRAME.finditer(data):
        digits = data[frame.end() : frame.end() + 2]
        if digits.upper() == checksum(frame[1]):
            good += 1
        elif len(digits) == 2 and digits[0] != STX:  # else it has not come yet, or a link without sums goes on
            bad += 1
    return good, bad


def _beckman(data: bytes) -> Protocol:
    return "beckman-pk" if _PK.search(data) else "beckman-au"


def _checked(data: bytes, pattern: re.Pattern[bytes], check: Check) -> tuple[int, int]:
    """How many blocks of a plain link have the right check, and how many have not."""
    good = bad = 0
    for block in pattern.finditer(data):
        sent = data[block.end() : block.end() + check.size]
        if len(sent) == check.size:  # else it has not come yet
            good, bad = (good + 1, bad) if check.holds(block[1], sent) else (good, bad + 1)
    return good, bad


def _guess(data: bytes, bad: int) -> Protocol:
    if bad:
        return "astm"
    if data.count(b"<HEL.R01") or data.count(b"<?xml"):
        return "poct1-a"
    if _UNNUMBERED.search(data):
        return "astm-unnumbered"
    if _TAGS.search(data):
        return "tags"
    if _RAPID.search(data):
        return "rapid"
    if _AU.search(data):
        return _beckman(data)
    if _STX_TEXT.search(data):
        return "stx-text"
    if _BARE_SEGMENTS.search(data):
        return "hl7-bare"
    if _BARE_RECORDS.search(data):
        return "astm-bare"
    if all(byte in _CALLS for byte in data):
        return "astm-call"
    readable = sum(0x20 <= byte < 0x7F or byte in (CR, LF, 0x09, STX, ETX, ETB, ENQ, EOT, ACK, NAK) for byte in data)
    return "text" if readable >= 0.95 * len(data) and len(data) >= 8 else "unknown"


__all__ = ["MOST", "Protocol", "Recognised", "begun", "header_of", "recognise", "sender_of"]
