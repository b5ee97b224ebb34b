"""What messages does a file of recorded bytes hold, if it had come over a plain link? Bytes in, messages out; nothing is answered."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from labmw.line.texts import TextGathering
from protocols.astm.control import ENQ
from protocols.astm.events import Event, FrameReceived, FrameRefused, SessionClosed
from protocols.plain.links import LINKS
from protocols.plain.message import NAMES, Name, PlainMessage
from protocols.plain.receiver import Receiver
from protocols.plain.tolerance import PlainTolerances
from protocols.recognition import Protocol, recognise

_BY_ENVELOPE: Final[dict[Protocol, Name]] = {
    "tags": "tags",
    "beckman-au": "au",
    "beckman-pk": "pk",
    "stx-text": "stx",
    "rapid": "rapid",
}


@dataclass(frozen=True, slots=True)
class FoundText:
    """One message of the file; `fault` is the code of why a line would have refused it."""

    message: PlainMessage
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Unplained:
    """What the file holds, and what is known of its blocks."""

    messages: tuple[FoundText, ...]
    blocks: dict[str, Any]
    used: tuple[str, ...]


def link_of(data: bytes, protocol: str) -> Name | None:
    """The plain link that these bytes were sent on: the one that a driver was named for, else the one that they look like; None for none."""
    for name in NAMES:
        if name == protocol:
            return name
    return _BY_ENVELOPE.get(recognise(data).protocol) if not protocol else None


def texts(data: bytes, name: Name, wire: PlainTolerances, encoding: str) -> Unplained:
    """The messages of recorded bytes with the settings of their link; what it would have refused is shown and marked."""
    machine = Receiver(LINKS[name], wire, max_pending=len(data) + 1)
    gathering = TextGathering(name, encoding, max(len(data), 1))
    found: list[FoundText] = []
    count = refused = seq = 0
    # A recording may begin in the middle of a session; to a link without sessions an ENQ is nothing.
    waiting: deque[Event] = deque([*machine.receive(bytes([ENQ])), *machine.receive(data)])
    while True:
        while waiting:
            event = waiting.popleft()
            if isinstance(event, FrameReceived):
                count, seq = count + 1, seq + 1
                found += [_found(one.message) for one in gathering.feed(event.frame, seq)]
                waiting.extendleft(reversed(machine.accept()))
            elif isinstance(event, FrameRefused):
                refused += 1
                fault = "fault-" + event.fault.name.lower().replace("_", "-")
                found.append(FoundText(PlainMessage(name, (event.raw.strip(b"\x02"),), encoding), fault))
            elif isinstance(event, SessionClosed) and (rest := gathering.rest(seq)) is not None:
                found.append(_found(rest.message))
        timer = machine.timer  # a pause, or the end of the recording
        if timer is None:
            break
        waiting += machine.expire(timer)
    blocks = {"kind": name, "count": count, "refused": refused}
    return Unplained(tuple(found), blocks, tuple(sorted(one for one, times in machine.used.items() if times)))


def _found(message: object) -> FoundText:
    assert isinstance(message, PlainMessage)
    return FoundText(message)
