"""What is the matter with this line, by what passed over it? From pieces and their times to sentences; pure.

The order is that in which a person looks: does anything arrive, can it be read, who speaks, who answers, in which pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from labmw.watch.finding import Finding, error, good, warning
from protocols.astm.control import ACK, ENQ, EOT, NAK
from protocols.capture import FROM_INSTRUMENT, FROM_LABMW, Piece
from protocols.linescan import Score, score
from protocols.recognition import Recognised, recognise

MID_FRAME = Decimal("0.3")
"""Seconds of pause inside a frame that no serial line makes by itself: at 1200 baud a character takes 0.01 s."""
FRAGMENTS = 3
"""Pieces of a frame on average from which on a device server is said to cut them."""
DENSE = 32  # bytes; with fewer nothing is said of how they were cut
_WHOLE = re.compile(rb"\x02[0-7][^\x02]*?[\x17\x03]..", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """What one knows of a line beside its bytes."""

    name: str
    serial: bool = False
    setting: str = ""  # as it is read, such as 9600 8N1
    seven: bool = False  # seven bits are read: the parity bit was taken off by the port
    broken: int = 0  # bytes that the port marked


def diagnose(line: Line, pieces: Sequence[Piece]) -> list[Finding]:
    """Everything there is to say, the gravest first; one good finding where all is well."""
    came = b"".join(piece.data for piece in pieces if piece.direction == FROM_INSTRUMENT)
    if not came:
        return [error(line.name, "wire-nothing", link=line.name, setting=line.setting or "TCP")]
    said = recognise(came)
    found = list(unreadable(line, came, said)) or [*_talk(line, pieces, came, said), *_cut(line, pieces, said)]
    return rank(found) or [protocol(line.name, said)]


def rank(found: Sequence[Finding]) -> list[Finding]:
    """The gravest first."""
    return sorted(found, key=lambda one: ("error", "warning", "good").index(one.weight.value))


def protocol(name: str, said: Recognised) -> Finding:
    """What is spoken on the line, and how sure that is."""
    if said.protocol == "nothing":
        return warning(name, "wire-heard-nothing")
    if said.certain:
        return good(name, f"wire-{said.protocol}", good=said.good, bad=said.bad)
    weigh = warning if said.protocol in ("unknown", "text", "tls", "http", "telnet", "proxy") or said.bad else good
    damaged = said.bad and said.protocol == "astm"
    return weigh(name, "wire-astm-damaged" if damaged else f"wire-{said.protocol}", good=said.good, bad=said.bad)


def unreadable(line: Line, came: bytes, said: Recognised) -> Iterator[Finding]:
    """The bytes themselves are wrong: speed or parity."""
    judged = score(came[-4096:], line.broken)
    if said.certain or said.protocol in ("tls", "http", "proxy", "telnet"):
        return
    if line.serial and not line.seven and judged.eighth != "none":
        yield error(line.name, "wire-wrong-parity", setting=line.setting, parity=f"7{judged.eighth[0].upper()}1")
    elif line.serial and line.broken * 4 > len(came) and not _odd_without_marks(judged):
        yield error(line.name, "wire-wrong-parity", setting=line.setting, parity="8E1, 8O1")
    elif judged.wrong:
        share = f"{100 * judged.odd // judged.total} %"
        yield error(line.name, "wire-wrong-baud" if line.serial else "wire-rubbish", setting=line.setting, share=share)


def _odd_without_marks(judged: Score) -> bool:
    return judged.odd > judged.broken


def _talk(line: Line, pieces: Sequence[Piece], came: bytes, said: Recognised) -> Iterator[Finding]:
    """Who speaks, who answers."""
    calls = answered = strangers = clashes = 0
    waiting = asked = (
        False  # the analyzer waits for an answer to its ENQ; we have said something that is to be answered
    )
    for piece in pieces:
        for byte in piece.data if said.protocol in ("astm", "astm-call") else b"":
            if piece.direction == FROM_LABMW:
                answered += waiting and byte in (ACK, NAK)
                clashes += waiting and byte == ENQ
                waiting, asked = False, byte not in (ACK, NAK)
            elif byte == ENQ:
                clashes += asked
                calls, waiting, asked = calls + 1, True, False
            elif byte in (ACK, NAK):
                strangers += not asked
                asked = False
            elif byte == EOT or byte >= 0x20:
                waiting = False
    if strangers:
        yield error(line.name, "wire-two-masters", count=strangers)
    elif clashes > 1:
        yield error(line.name, "wire-contention", count=clashes)
    if calls and waiting and not answered and not strangers:
        yield warning(line.name, "wire-call-unanswered", count=calls)
    if said.bad and said.protocol == "astm":
        yield warning(line.name, "wire-astm-damaged", bad=said.bad, good=said.good)


def _cut(line: Line, pieces: Sequence[Piece], said: Recognised) -> Iterator[Finding]:
    """In which pieces frames arrive: a device server that packs badly makes the analyzer or us run into timers."""
    if line.serial or said.protocol not in ("astm", "hl7"):
        return
    came = [piece for piece in pieces if piece.direction == FROM_INSTRUMENT]
    total = sum(len(piece.data) for piece in came)
    if total < DENSE:
        return
    stream, starts, at = b"".join(piece.data for piece in came), [], 0
    for piece in came:
        starts.append((at, piece.seconds))
        at += len(piece.data)
    spans = [match.span() for match in _WHOLE.finditer(stream)]
    inside = [
        (place, seconds - starts[number - 1][1])
        for number, (place, seconds) in enumerate(starts)
        if number and any(begin < place < end for begin, end in spans)
    ]
    slow = [pause for _, pause in inside if pause > MID_FRAME]
    if slow:
        yield warning(line.name, "wire-packing-slow", count=len(slow), seconds=f"{max(slow):.1f}")
    elif spans and len(inside) >= FRAGMENTS * len(spans):
        yield warning(line.name, "wire-packing-small", pieces=len(inside) + len(spans), frames=len(spans))
