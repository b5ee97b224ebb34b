"""A plain link fed by a test, with an owner who keeps every block; what it said and what it told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from protocols.astm.events import Deadline, Event, FrameReceived
from protocols.plain.links import LINKS
from protocols.plain.receiver import Receiver
from protocols.plain.tolerance import PLAIN

CONTROLS = {0x02: "STX", 0x03: "ETX", 0x04: "EOT", 0x05: "ENQ", 0x06: "ACK", 0x15: "NAK"}


@dataclass
class Owner:
    """Accepts every block at once, lets pauses pass, and keeps what happened."""

    machine: Receiver
    events: list[Event] = field(default_factory=list)
    said: bytes = b""
    texts: list[bytes] = field(default_factory=list)

    def feed(self, data: bytes) -> None:
        self.take(self.machine.receive(data))

    def take(self, events: list[Event]) -> None:
        waiting = list(events)
        while waiting:
            event = waiting.pop(0)
            self.events.append(event)
            if isinstance(event, FrameReceived):
                self.texts.append(event.frame.text)
                waiting = self.machine.accept() + waiting
                waiting += self.pass_pauses()
        self.take_pauses()
        self.said += self.machine.data_to_send()

    def pass_pauses(self) -> list[Event]:
        timer = self.machine.timer
        return self.machine.expire(timer) if timer is not None and timer.name is Deadline.TURNAROUND else []

    def take_pauses(self) -> None:
        events = self.pass_pauses()
        if events:
            self.take(events)


def owner(link: str, **settings: object) -> Owner:
    """A fresh link with its owner."""
    one = LINKS[link]
    return Owner(Receiver(one, PLAIN.changed(settings, one.uses, one.name)))


def played(link: str, pieces: Iterable[bytes], **settings: object) -> Owner:
    """A link after these pieces and the end of the wire."""
    one = owner(link, **settings)
    for piece in pieces:
        one.feed(piece)
    one.take(one.machine.hang_up())
    return one
