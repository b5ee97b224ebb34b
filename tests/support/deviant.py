"""Messages that break one rule: an example, and what is changed in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from protocols.hl7.er7 import Segment

EXAMPLES = Path(__file__).parents[1] / "examples"
Edit = Callable[[list[Segment]], list[Segment]]

COMPOSED = {
    "adt_a40": r"""
MSH|^~\&|DPI|HOP|LABMW|LAB|20260315081700+0100||ADT^A40^ADT_A39|D-1|P|2.5.1||||||UNICODE UTF-8
EVN||20260315081700+0100
PID|||P2^^^HOP^PI||ESSAI^Ada^^^^^L||19850412|F
MRG|P1^^^HOP^PI
""",
    "ssu_u03": r"""
MSH|^~\&|TRACK-1|LAB|LABMW|LAB|20260315081700+0100||SSU^U03^SSU_U03|T-1|P|2.5.1||||||UNICODE UTF-8
EQU|TRACK-1|20260315081700+0100
SAC|||26031500123
""",
}
"""Types that are not among the examples."""


def example(name: str) -> bytes:
    """The example whose file begins so, or one of those composed above."""
    if name in COMPOSED:
        return COMPOSED[name].strip().replace("\n", "\r").encode() + b"\r"
    [path] = EXAMPLES.glob(f"{name}*.hl7")
    return path.read_bytes()


def _place(text: str) -> tuple[str, int, int, int]:
    match = re.fullmatch(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\.(\d+))?)?", text)
    assert match, text
    return match[1], int(match[2] or 1), int(match[3] or 0), int(match[4] or 0)


def _index(segments: list[Segment], name: str, number: int) -> int:
    return [at for at, item in enumerate(segments) if item.name == name][number - 1]


def put(place: str, value: str) -> Edit:
    """Write a field (OBX[2]-11) or a component of one (OBR-4.3)."""
    name, number, n, c = _place(place)

    def edit(segments: list[Segment]) -> list[Segment]:
        at = _index(segments, name, number)
        cells = segments[at].fields.copy()
        cells += [""] * (n + 1 - len(cells))
        if c:
            parts = cells[n].split("^")
            parts += [""] * (c - len(parts))
            parts[c - 1] = value
            cells[n] = "^".join(parts)
        else:
            cells[n] = value
        if name == "MSH":
            cells[1:3] = [cells[2]]
        segments[at] = Segment("|".join(cells))
        return segments

    return edit


def drop(place: str) -> Edit:
    """Leave a segment out."""
    name, number, _, _ = _place(place)

    def edit(segments: list[Segment]) -> list[Segment]:
        del segments[_index(segments, name, number)]
        return segments

    return edit


def after(place: str, line: str) -> Edit:
    """Put a line after a segment."""
    name, number, _, _ = _place(place)

    def edit(segments: list[Segment]) -> list[Segment]:
        segments.insert(_index(segments, name, number) + 1, Segment(line))
        return segments

    return edit


def changed(name: str, *edits: Edit) -> bytes:
    """The example with these changes."""
    segments = [Segment(line) for line in example(name).decode().split("\r") if line]
    for edit in edits:
        segments = edit(segments)
    return "".join(item.line + "\r" for item in segments).encode()
