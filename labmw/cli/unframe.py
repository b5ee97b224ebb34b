"""What messages does a file of recorded bytes hold, if it had come over the line? Bytes in, messages out; nothing is answered."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from protocols.astm.control import ENQ, EOT
from protocols.astm.datalink import DataLink
from protocols.astm.events import Event, FrameReceived, FrameRefused, SessionClosed, SessionOpened
from protocols.astm.frame import Frame, checksum
from protocols.astm.message import Assembly, Message
from protocols.astm.record import STANDARD
from protocols.astm.tolerance import Tolerances

LARGEST = 64 * 2**20  # bytes; more is not a message of an analyzer
_LENIENT = Tolerances(
    max_frame=LARGEST,
    checksum="none",
    lower_case_checksum=True,
    frame_numbers="off",
    trailer="optional",
    enq_in_transfer="restart",
    implicit_session=True,
    resynchronise=True,
    numbered_records=True,
    record_line_feeds=True,
)
"""What is needed to look at anything at all: never used to believe it."""


@dataclass(frozen=True, slots=True)
class Found:
    """One message of the file; `fault` is the code of why a line would have refused a frame of it."""

    message: Message
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Unframed:
    """What the file holds: its messages, what is known of its frames, the tolerances that were needed."""

    messages: tuple[Found, ...] = ()
    frames: dict[str, Any] | None = None
    used: tuple[str, ...] = ()
    sent_again: int = 0  # frames refused and then received whole


@dataclass(slots=True)
class _Session:
    """Frames and messages as one pass of the link machine gives them."""

    assembly: Assembly
    found: list[Message] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    refused: list[FrameRefused] = field(default_factory=list)
    empty: int = 0
    broken: bool = False  # a session with a refused frame did not end with its messages whole
    _from: tuple[int, int] = (0, 0)  # how many messages and refusals there were when this session began

    def take(self, event: Event) -> None:
        if isinstance(event, FrameReceived):
            self.frames.append(event.frame)
            self.found += self.assembly.feed(event.frame)
        elif isinstance(event, FrameRefused):
            self.refused.append(event)
        elif isinstance(event, SessionClosed | SessionOpened):
            self.close()
            if isinstance(event, SessionClosed) and not event.frames:
                self.empty += 1

    def close(self) -> None:
        rest = self.assembly.close()
        if rest is not None:
            self.found.append(rest)
        here = self.found[self._from[0] :]
        if len(self.refused) > self._from[1] and not (here and all(one.terminated for one in here)):
            self.broken = True
        self._from = (len(self.found), len(self.refused))


def peek(data: bytes, kind: str) -> list[Message]:
    """Every message as it can be made out with all tolerances: enough to see who sent it, not to believe it."""
    if kind == "records":
        return [found.message for found in records(data, _LENIENT, "latin-1").messages]
    return _pass(data, _lenient_for(kind), "latin-1", Counter()).found


def frames(data: bytes, kind: str, tolerances: Tolerances, encoding: str) -> Unframed:
    """The messages of framed bytes with the tolerances of their link; what it would have refused is shown and marked."""
    used: Counter[str] = Counter()
    link = replace(tolerances, implicit_session=True)  # a recording may begin in the middle of a session
    strict = _pass(data, link, encoding, used)
    named = [name for name, count in used.items() if count]
    if not strict.broken:
        messages = tuple(Found(message) for message in strict.found)
        return Unframed(messages, _summary(data, strict.frames, [], strict.empty), tuple(named), len(strict.refused))
    lenient = _pass(data, _lenient_for(kind), encoding, Counter())
    fault = "fault-" + strict.refused[0].fault.name.lower().replace("_", "-")
    good = {(message.raw, message.terminated) for message in strict.found}
    shown = tuple(Found(one, "" if (one.raw, one.terminated) in good else fault) for one in lenient.found)
    return Unframed(shown, _summary(data, lenient.frames, strict.refused, lenient.empty), tuple(named))


def records(data: bytes, tolerances: Tolerances, encoding: str) -> Unframed:
    """The messages of records without frames; a fragment without header is read with the standard's delimiters."""
    used: Counter[str] = Counter()
    start = data.lstrip(b"\xef\xbb\xbf\r\n\t \x00")
    fragment = start[:1] not in (b"H", b"h")
    tolerances = replace(tolerances, record_line_feeds=b"\n" in data)
    if fragment:
        used["delimiters of the standard"] += 1
    assembly = Assembly(
        encoding,
        tolerances,
        max_message=2 * max(len(data), 1),
        delimiters=STANDARD if fragment else None,
    )
    messages = assembly.feed(Frame(0, start, True, b""))
    rest = assembly.close()
    found = [*messages, rest] if rest is not None else messages
    used.update(assembly.used)
    return Unframed(tuple(Found(message) for message in found), None, tuple(used))


def _lenient_for(kind: str) -> Tolerances:
    return replace(_LENIENT, frame_numbers="absent") if kind == "stx-etx" else _LENIENT


def _pass(data: bytes, tolerances: Tolerances, encoding: str, used: Counter[str]) -> _Session:
    machine = DataLink(tolerances=tolerances, max_pending=len(data) + 1)
    session = _Session(Assembly(encoding, tolerances))
    waiting = deque(machine.receive(data))
    while waiting:
        event = waiting.popleft()
        session.take(event)
        machine.data_to_send()
        if isinstance(event, FrameReceived):
            waiting += machine.accept()
    for event in machine.hang_up():
        session.take(event)
    session.close()
    used.update(machine.used)
    used.update(session.assembly.used)
    return session


def _summary(data: bytes, seen: Sequence[Frame], refused: Sequence[FrameRefused], empty: int) -> dict[str, Any]:
    """Count frames as the corpus does: numbers, checksums, line ends."""
    sums: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    invalid = []
    at = 0
    for index, frame in enumerate(seen):
        start = max(data.find(frame.raw, at), at)
        end = frame.raw.find(b"\x03" if frame.last else b"\x17", 1)
        at = start + end + 1
        sent, tail = _trailer(data[at : at + 4])
        computed = checksum(frame.raw[1 : end + 1])
        state = "absent" if not sent else "valid" if sent.upper() == computed else "invalid"
        sums[state] += 1
        if state == "invalid":
            wrong = {"index": index, "number": str(frame.number), "sent": sent.decode(), "computed": computed.decode()}
            invalid.append(wrong)
        ends[tail] += 1
    return {
        "kind": "lis01",
        "count": len(seen),
        "etx": sum(frame.last for frame in seen),
        "etb": sum(not frame.last for frame in seen),
        "numbers": "".join(str(frame.number) for frame in seen),
        "enq": data.count(ENQ) - sum(frame.raw.count(ENQ) for frame in seen),
        "eot": data.count(EOT) - sum(frame.raw.count(EOT) for frame in seen),
        "empty_sessions": empty,
        "checksum": {name: sums[name] for name in ("valid", "invalid", "absent")},
        "invalid_frames": invalid,
        "longest_text": max((len(frame.text) for frame in seen), default=0),
        "line_end": dict(ends),
        "refused": len(refused),
    }


_TRAILER = re.compile(rb"([0-9A-Fa-f]{2})?(\r\n|\r|\n)?")
_ENDS = {b"\r\n": "CRLF", b"\r": "CR", b"\n": "LF"}


def _trailer(after: bytes) -> tuple[bytes, str]:
    """The checksum digits and the line end behind ETX or ETB, as far as they are there."""
    match = _TRAILER.match(after)
    digits, tail = match.groups() if match else (None, None)
    return digits or b"", _ENDS.get(tail or b"", "none")
