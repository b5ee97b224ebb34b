"""A long upload on a slow store: 125 frames, each answered after an 8 ms flush, stay inside every deadline."""

from dataclasses import dataclass, field

import pytest

from protocols.astm.datalink import DataLink, Deadline, Event, FrameReceived, MessageSent, Role, SendFailed, Timer
from protocols.astm.events import AnswerTooLate
from protocols.astm.frame import cut

BAUD = 9600  # ten bits for each character
MESSAGE = [b"H|\\^&\r", b"P|1\r", *(b"M|%d|" % number + b"A" * 470 + b"\r" for number in range(1, 62)), b"L|1|N\r"]


@dataclass
class Clock:
    """Virtual time, and the deadline that each station was told of."""

    now: float = 0.0
    started: dict[str, tuple[Timer, float]] = field(default_factory=dict)
    slack: dict[Deadline, float] = field(default_factory=dict)

    def watch(self, name: str, link: DataLink) -> None:
        timer = link.timer
        if timer is None:
            self.started.pop(name, None)
        elif name not in self.started or self.started[name][0].serial != timer.serial:
            self.started[name] = (timer, self.now)

    def pass_to(self, moment: float, links: dict[str, DataLink]) -> list[Event]:
        """Let time pass; deadlines that fall on the way expire."""
        events: list[Event] = []
        while True:
            due = [(began + timer.seconds, name, timer) for name, (timer, began) in self.started.items()]
            if not due or min(due)[0] > moment:
                break
            self.now, name, timer = min(due)
            events += links[name].expire(timer)
            self.watch(name, links[name])
        self.now = moment
        for timer, began in self.started.values():
            left = began + timer.seconds - moment
            self.slack[timer.name] = min(left, self.slack.get(timer.name, left))
        return events


def upload(flush: float) -> tuple[Clock, int, list[Event]]:
    assert sum(len(cut(record)) for record in MESSAGE) == 125
    clock, sender, receiver = Clock(), DataLink(Role.INSTRUMENT), DataLink()
    links = {"sender": sender, "receiver": receiver}
    seen = sender.send(MESSAGE, "upload")
    frames = 0
    while out := sender.data_to_send():
        for name, link in links.items():
            clock.watch(name, link)
        seen += clock.pass_to(clock.now + len(out) * 10 / BAUD, links)
        events = receiver.receive(out)
        clock.watch("receiver", receiver)
        if any(isinstance(event, FrameReceived) for event in events):
            seen += clock.pass_to(clock.now + flush, links)
            frames += 1
            receiver.accept()
        seen += events
        clock.watch("receiver", receiver)
        answer = receiver.data_to_send()
        seen += clock.pass_to(clock.now + len(answer) * 10 / BAUD, links)
        seen += sender.receive(answer)
    return clock, frames, seen


def test_125_frames_at_8_ms() -> None:
    clock, frames, seen = upload(0.008)
    assert frames == 125 and MessageSent("upload") in seen
    assert clock.slack[Deadline.FRAME_REPLY] > 14.5
    assert clock.slack[Deadline.RECEIVE] > 29.5
    assert clock.slack[Deadline.ANSWER] > 13.9
    assert clock.now < 60


@pytest.mark.parametrize("flush", [14.5, 20.0])
def test_a_store_that_is_too_slow_is_noticed(flush: float) -> None:
    _, frames, seen = upload(flush)
    assert frames == 1
    assert any(isinstance(event, AnswerTooLate) for event in seen)
    assert MessageSent("upload") not in seen
    assert (SendFailed("upload", "frame-unanswered") in seen) is (flush > 15)
