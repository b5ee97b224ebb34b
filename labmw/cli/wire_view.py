"""How are bytes of a wire shown to a person? Time, direction, sixteen bytes as hex, and the same as text with control characters named."""

from __future__ import annotations

import typer

from labmw.phrases import Language, say

WIDTH = 16  # bytes in a row
ROWS = 16  # of one piece; the rest is counted

_NAMES = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR", "SO", "SI",
    "DLE", "XON", "DC2", "XOFF", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
]  # fmt: skip
_TEXT = [f"<{_NAMES[byte]}>" if byte < 0x20 else chr(byte) if byte < 0x7F else f"<{byte:02X}>" for byte in range(256)]
_TEXT[0x7F] = "<DEL>"


def text(data: bytes) -> str:
    """Bytes as text: printable ASCII as it is, control characters by name, everything else as its number."""
    return "".join([_TEXT[byte] for byte in data])


def rows(when: str, direction: str, data: bytes, tongue: Language) -> list[str]:
    """The rows of one piece, never more than a screen of them."""
    found = []
    for number, at in enumerate(range(0, min(len(data), ROWS * WIDTH), WIDTH)):
        one = data[at : at + WIDTH]
        head = f"{when} {direction}" if not number else " " * (len(when) + 2)
        found.append(f"{head} {one.hex(' '):<{WIDTH * 3 - 1}}  {text(one)}")
    if len(data) > ROWS * WIDTH:
        found.append(" " * (len(when) + 3) + say("wire-more", tongue, count=len(data) - ROWS * WIDTH))
    return found


def draw(seconds: float, direction: str, data: bytes, tongue: Language) -> None:
    """Show one piece on standard output."""
    for row in rows(f"{seconds:10.3f}", direction, data, tongue):
        typer.echo(row)
