"""How is a recorded conversation kept in a file, and what kind of file is this? The .wire format.

``# comment`` lines, then one line per piece as it was read or written: seconds since the start, direction, bytes in hexadecimal::

    # cobas e 411, serial line 2
    0.000 > 05
    0.004 < 06

``>`` is from the instrument to labmw, ``<`` from labmw to the instrument.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from protocols.errors import CaptureError

FROM_INSTRUMENT = ">"
FROM_LABMW = "<"

Kind = Literal["lis01", "stx-etx", "records", "mllp", "segments", "wire", "unknown"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that went over the wire in one read or write, and when."""

    seconds: Decimal  # since the start of the recording
    direction: str  # ">" from the instrument to labmw, "<" from labmw
    data: bytes


_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", re.ASCII)


def dumps(pieces: Iterable[Piece], comment: str = "") -> str:
    """The text of a capture file.

    Raises: CaptureError for a piece that the format cannot hold.
    """
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    for piece in pieces:
        if piece.direction not in (FROM_INSTRUMENT, FROM_LABMW):
            raise CaptureError(f"direction {piece.direction!r}: write > for the instrument or < for labmw")
        seconds = f"{piece.seconds:f}"
        if not _SECONDS.fullmatch(seconds):
            raise CaptureError(f"time {piece.seconds}: write the seconds since the start, to the nanosecond at most")
        if not piece.data:
            raise CaptureError(f"the piece at {piece.seconds} s is empty: leave it out")
        lines.append(f"{seconds} {piece.direction} {piece.data.hex()}")
    return "".join(line + "\n" for line in lines)


_LINE = re.compile(rf"({_SECONDS.pattern})\s+([<>])\s+((?:[0-9A-Fa-f]{{2}}\s*)+)", re.ASCII)


def loads(text: str) -> list[Piece]:
    """The pieces of a capture file, in its order; spaces between bytes are allowed.

    Raises: CaptureError naming the line that is not of the format, or at which time goes backwards.
    """
    pieces: list[Piece] = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        match = _LINE.fullmatch(content)
        if not match:
            raise CaptureError(f"line {number}: {content[:60]!r} is not 'seconds direction hex', such as '0.125 > 05'")
        seconds = Decimal(match[1])
        if pieces and seconds < pieces[-1].seconds:
            raise CaptureError(
                f"line {number}: {seconds} s is before the line above; put the lines in the order of time"
            )
        pieces.append(Piece(seconds, match[2], bytes.fromhex(match[3])))
    return pieces


def pieces_to_bytes(pieces: Iterable[Piece], direction: str = FROM_INSTRUMENT) -> bytes:
    """Everything that went in one direction."""
    return b"".join(piece.data for piece in pieces if piece.direction == direction)


_HEADER = re.compile(rb"(?:MSH|BHS|FHS)[^\w\s]")
_RECORDS = re.compile(rb"H[^\w\s][^\w\s]{3}")
_FRAGMENT = re.compile(rb"[PORCQMSL]\|[0-9]*\|")
_FRAME = re.compile(rb"\x02[0-7]")
_PIECE = re.compile(rf"{_SECONDS.pattern}\s+[<>]\s+[0-9A-Fa-f]{{2}}", re.ASCII)


def sniff(data: bytes) -> Kind:
    """What a file of recorded bytes most likely is, by how it begins.

    ``lis01``: numbered and checked frames. ``stx-etx``: records between STX and ETX without number. ``records``: ASTM
    records without frames. ``mllp`` and ``segments``: HL7 with and without its envelope. ``wire``: a capture with times.
    """
    start = data[:4096].lstrip(b"\xef\xbb\xbf\r\n\t \x00")
    if not start:
        return "unknown"
    if start[0] == 0x0B:
        return "mllp"
    if _HEADER.match(start):
        return "segments"
    stx = start.find(b"\x02")
    if stx >= 0 and (start[0] in b"\x02\x04\x05\x06\x15"):
        return "lis01" if _FRAME.match(start, stx) else "stx-etx"
    if start[0] in b"\x04\x05":
        return "lis01"
    if _RECORDS.match(start) or _FRAGMENT.match(start):
        return "records"
    return "wire" if _is_wire(start) else "unknown"


def _is_wire(start: bytes) -> bool:
    lines = (line.strip() for line in start.decode("latin-1").split("\n"))
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return _PIECE.match(first) is not None
