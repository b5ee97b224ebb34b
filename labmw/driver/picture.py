"""Which histograms, scattergrams, curves and pictures stand in a message? Kept whole with it, and named here by what they are, for whoever shows them.

Nothing is measured from them, and nothing of them is delivered. What is not known to be a picture is none: M records also hold lots and reactions.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from protocols.astm.message import Message
from protocols.astm.record import Record
from protocols.errors import ProtocolError
from protocols.hl7.er7 import Message as Hl7Message
from protocols.hl7.segment import Segment

Kind = Literal["histogram", "scattergram", "curve", "image"]

_FILES: Final[Mapping[str, Kind]] = {"SCAT_": "scattergram", "DIST_": "histogram"}
"""Beginnings of R.3.5 of a Sysmex XN whose R.4 names a picture file on the analyzer: SCAT_WDF, DIST_RBC (a published capture of an XN-550)."""
_FILE: Final = re.compile(r"\.(png|bmp|jpg|jpeg|gif)\s*", re.ASCII | re.IGNORECASE)
LARGEST: Final = 2**22  # bytes of one array when unpacked; the largest matrix captured has 60,528
_WORDS: Final[Mapping[str, Kind]] = {
    "HISTOGRAM": "histogram",
    "MATRIX": "scattergram",
    "SCATTERGRAM": "scattergram",
    "SCATTERGRAPH": "scattergram",
    "CURVE": "curve",
    "IMAGE": "image",
    "PICTURE": "image",
}
"""M.3 of Horiba Yumizen (HISTOGRAM, MATRIX: the captures of the corpus), and the same words as other makers write them."""
_TITLES: Final[tuple[tuple[str, Kind], ...]] = (
    ("histogram", "histogram"),
    ("scatter", "scattergram"),
    ("curve", "curve"),
)
"""Words in OBX-3.2 of a BC-5380 (captures of the corpus)."""
FLOATS: Final = "FLOATLE-stream/deflate:base64"
"""Horiba: 32-bit numbers, low byte first, deflated, as base64. The first ones are limits and a count; what each means no source that we read tells."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One of them: what it is, its name and what it is of, how it is written, and how large it is as sent (bytes)."""

    record: int  # its place among the records or segments of the message, from 1
    kind: Kind
    name: str
    of: str = ""
    form: str = ""
    size: int = 0
    data: str = ""

    def numbers(self) -> tuple[float, ...]:
        """The numbers of an array whose form is known; () for a picture and for what cannot be unpacked."""
        if self.form != FLOATS:
            return ()
        try:
            packed = base64.b64decode(self.data, validate=True)
            unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
            found = unpacker.decompress(packed, LARGEST)
        except (binascii.Error, ValueError, zlib.error):
            return ()
        if unpacker.unconsumed_tail or not unpacker.eof:
            return ()
        return struct.unpack(f"<{len(found) // 4}f", found[: len(found) // 4 * 4])


def pictures_of(message: object) -> list[Picture]:
    """The pictures of a message, however it was sent; none where it cannot be taken apart."""
    try:
        if isinstance(message, Message):
            return _of_astm(message)
        return _of_hl7(message) if isinstance(message, Hl7Message) else []
    except ProtocolError:
        return []


def pictures_in(protocol: str, raw: bytes) -> list[Picture]:
    """The same of a message as it is stored."""
    try:
        messages = [Hl7Message.parse(raw)] if protocol == "hl7" else Message.parse(raw) if protocol == "astm" else []
    except ProtocolError:
        return []
    return [one for message in messages for one in pictures_of(message)]


def shown(pictures: list[Picture]) -> list[dict[str, str | int]]:
    """What JSON says of them: all but their content. `points`: how many numbers an array holds whose form is known."""
    names = ("record", "kind", "name", "of", "form", "size")
    return [{name: getattr(one, name) for name in names} | {"points": len(one.numbers())} for one in pictures]


def _of_astm(message: Message) -> list[Picture]:
    """The pictures in the M records of a message, array by array."""
    found: list[Picture] = []
    for place, record in enumerate(message.records, 1):
        if record.type == "R":
            found += _file(place, record)
            continue
        kind = _WORDS.get(record.field(3).strip().upper()) if record.type == "M" else None
        if kind is None:
            continue
        arrays = [field.partition(record.delimiters.component) for field in record.fields[5:] if field]
        for form, _, data in arrays or [("", "", "")]:
            found.append(Picture(place, kind, record.field(5), record.field(4), form, len(data), data))
    return found


def _file(place: int, record: Record) -> list[Picture]:
    """A picture that stays on the analyzer: the message names its file."""
    code, path = record.component(3, 5), record.field(4)
    kind = next((kind for start, kind in _FILES.items() if code.startswith(start)), None)
    named = _FILE.fullmatch(path[path.rfind(".") :]) if kind and "." in path else None
    if kind is None or named is None:
        return []
    return [Picture(place, kind, code, path, f"file {named[1].upper()}", len(path))]


def _of_hl7(message: Hl7Message) -> list[Picture]:
    """The pictures in a message: OBX of type ED."""
    placed = enumerate(message.segments, 1)
    return [_observed(place, one) for place, one in placed if one.name == "OBX" and one.field(2) == "ED"]


def _observed(place: int, obx: Segment) -> Picture:
    title = obx.component(3, 2) or obx.component(3, 1)
    kind: Kind = next((kind for word, kind in _TITLES if word in title.lower()), "image")
    data = obx.component(5, 5)
    return Picture(place, kind, title, obx.component(3, 1), obx.component(5, 3) or obx.component(5, 2), len(data), data)
