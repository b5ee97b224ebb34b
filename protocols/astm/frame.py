"""What is a frame, how is it summed, written, and a record cut into several?

    <STX> FN text <ETB> C1 C2 <CR> <LF>      more of the same record follows
    <STX> FN text <ETX> C1 C2 <CR> <LF>      last, or only, frame of a record

Source: E1381-95 §6.3 (frames, 240 characters, checksum), LIS01-A2 (up to 64,000 characters with overhead).
"""

from typing import Final, NamedTuple
from zlib import adler32

from protocols.astm.control import ETB, ETX, RESTRICTED
from protocols.errors import FrameError

OVERHEAD: Final = 7
"""STX, FN, ETB or ETX, C1, C2, CR, LF."""
MAX_TEXT_SERIAL: Final = 240
"""Characters of text in a frame of E1381; kept on serial lines, where an 8-bit sum is weak protection."""
MAX_TEXT: Final = 64_000 - OVERHEAD
"""Characters of text in a frame of LIS01-A2."""

HEX_SUMS: Final = tuple(b"%02X" % value for value in range(256))


class Frame(NamedTuple):
    """One frame whose checksum and form were found good: its number, its text, whether it ends a record, its bytes.

    A tuple, because one is made for every frame and a frozen dataclass takes twice as long to make.
    """

    number: int
    text: bytes
    last: bool
    raw: bytes


def checksum(body: bytes) -> bytes:
    """Sum of the bytes from the frame number up to and including ETB or ETX, modulo 256, as two hex digits.

    Source: E1381-95 §6.3; that the end character is counted is what every implementation does.
    """
    # The low half of Adler-32 is 1 + the sum, exact as long as it stays below 65,521: 256 bytes always do.
    if len(body) <= 256:
        return HEX_SUMS[(adler32(body) - 1) & 0xFF]
    return HEX_SUMS[sum((adler32(body[at : at + 256]) - 1) & 0xFF for at in range(0, len(body), 256)) & 0xFF]


def encode(number: int, text: bytes, last: bool) -> bytes:
    """The bytes of one frame.

    Raises:
        FrameError: number is not 0..7, the text is too long or holds a character that a frame may not contain.
    """
    if not 0 <= number <= 7:
        raise FrameError(f"frame number {number} is outside 0..7: count modulo 8, starting with 1")
    if len(text) > MAX_TEXT:
        raise FrameError(f"frame text of {len(text)} bytes: cut the record, a frame carries at most {MAX_TEXT}")
    check_text(text)
    body = b"%d%b%c" % (number, text, ETX if last else ETB)
    return b"\x02%b%b\r\n" % (body, checksum(body))


def check_text(text: bytes) -> None:
    """Refuse text that a frame may not contain.

    Raises:
        FrameError: names the first restricted character and its place. Source: E1381-95 §6.6.
    """
    if len(text.translate(None, RESTRICTED)) != len(text):
        at = next(index for index, byte in enumerate(text) if byte in RESTRICTED)
        raise FrameError(
            f"character 0x{text[at]:02X} at byte {at} may not be sent in a frame: escape it as &X{text[at]:02X}&"
        )


def cut(record: bytes, limit: int = MAX_TEXT_SERIAL) -> list[tuple[bytes, bool]]:
    """The texts of the frames that carry one record, each with a flag that is true for the last.

    Raises:
        FrameError: limit is outside 1..63,993.
    """
    if not 1 <= limit <= MAX_TEXT:
        raise FrameError(f"frame text limit {limit}: choose 1 to {MAX_TEXT}, 240 on a serial line")
    starts = range(0, len(record), limit) or range(1)
    return [(record[at : at + limit], at + limit >= len(record)) for at in starts]
