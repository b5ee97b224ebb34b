"""What is sent when, and again, to a LAW analyzer? The sender stepped by hand, on a clock that is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from labmw.clock import Clock
from labmw.line.broadcast import STEPS_ASIDE, Broadcaster
from labmw.line.health import LinkHealth
from labmw.line.orders import Answer, Broadcast
from labmw.line.received import Received, Stored
from protocols.hl7.law import Query, WorkReply

PATIENCE, RESENDS = 60.0, 2


@dataclass
class Line:
    """A connection that keeps what was sent on it."""

    sent: list[bytes] = field(default_factory=list)

    async def send(self, raw: bytes) -> None:
        self.sent.append(raw)


@dataclass
class Owed:
    """What the laboratory owes one analyzer, in memory; `meanwhile` happens while it is asked."""

    new: list[Broadcast] = field(default_factory=list)
    unsettled: dict[str, Broadcast] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    async def due(self, link: str, most: int) -> Sequence[Broadcast]:
        found, self.new = self.new[:most], self.new[most:]
        self.unsettled |= {one.control_id: one for one in found}
        self.meanwhile()
        return found

    async def waiting(self, link: str) -> Sequence[Broadcast]:
        return [Broadcast(one.control_id, one.raw, again=True) for one in self.unsettled.values()]

    async def sending_again(self, link: str, control_id: str) -> None:
        self.told.append(("again", control_id))
        self.meanwhile()

    async def unanswered(self, link: str, control_id: str) -> None:
        self.told.append(("unanswered", control_id))

    async def query(self, received: Received, query: Query) -> Answer:
        raise AssertionError("a sender asks for nothing")

    async def reply(self, received: Received, reply: WorkReply) -> Stored:
        raise AssertionError("a sender hears nothing")


class Scene:
    """One sender with its clock."""

    def __init__(self, *numbers: str, in_flight: int = 1) -> None:
        self.time = 0.0
        clock = Clock(now=lambda: datetime(2026, 1, 1, tzinfo=UTC), monotonic=lambda: self.time)
        self.owed = Owed([message(one) for one in numbers])
        self.health = LinkHealth("T", "law", clock)
        self.sender = Broadcaster("law", self.owed, self.health, clock, PATIENCE, RESENDS, in_flight)

    def step(self, seconds: float = 0.0) -> float | None:
        """Let time pass, and the sender do what is due."""
        self.time += seconds
        return asyncio.run(self.sender._step())

    def answer(self, number: str) -> None:
        """The analyzer replies."""
        self.owed.unsettled.pop(number, None)
        self.sender.settled(number)


def message(number: str) -> Broadcast:
    return Broadcast(number, number.encode())


def test_nothing_leaves_without_a_connection() -> None:
    scene = Scene("A")
    assert scene.step() is None and scene.owed.new


def test_the_same_bytes_leave_three_times_then_status_says_it() -> None:
    scene, line = Scene("A"), Line()
    scene.sender.attach(line)
    assert (scene.step() or 0) > 0
    scene.step(PATIENCE - 1)
    assert line.sent == [b"A"]
    scene.step(1)
    scene.step(PATIENCE)
    assert line.sent == [b"A"] * 3
    assert scene.step(PATIENCE) is None
    assert scene.owed.told == [("again", "A"), ("again", "A"), ("unanswered", "A")]
    assert "law-unanswered" in scene.health.troubles
    scene.step(10 * PATIENCE)
    assert len(line.sent) == 3
    scene.sender.attach(other := Line())  # it comes back: what is owed goes out again
    scene.step()
    assert other.sent == [b"A"]
    scene.answer("A")
    assert scene.health.troubles == {}


def test_one_at_a_time_unless_the_family_bears_more() -> None:
    scene, line = Scene("A", "B", "C"), Line()
    scene.sender.attach(line)
    scene.step()
    assert line.sent == [b"A"]
    scene.answer("A")
    scene.step()
    assert line.sent == [b"A", b"B"]
    scene.step(STEPS_ASIDE)  # B has no reply: it steps aside, so that the next query is not kept waiting for it
    assert line.sent == [b"A", b"B", b"C"]
    several, wide = Scene("A", "B", "C", in_flight=2), Line()
    several.sender.attach(wide)
    several.step()
    assert wide.sent == [b"A", b"B"]


def test_what_was_answered_is_not_sent_again_on_the_next_connection() -> None:
    scene, line, other = Scene("A", "B", in_flight=5), Line(), Line()
    scene.sender.attach(line)
    scene.step()
    scene.sender.settled("A")  # the store has not noted it yet
    scene.sender.detach(line)
    scene.sender.attach(other)
    scene.step()
    assert other.sent == [b"B"]
    assert scene.owed.told == [("again", "B")]


def test_a_connection_that_goes_while_the_store_is_asked_takes_no_order_with_it() -> None:
    scene, line, other = Scene("A"), Line(), Line()
    scene.sender.attach(line)
    scene.owed.meanwhile = lambda: scene.sender.detach(line)
    scene.step()
    assert line.sent == []
    scene.owed.meanwhile = lambda: None
    scene.sender.attach(other)
    scene.step()
    assert other.sent == [b"A"]


def test_the_answer_to_a_query_takes_the_place_of_what_said_the_same() -> None:
    scene, line = Scene("A"), Line()
    scene.sender.attach(line)
    scene.step()
    scene.sender.put([message("A2")], replaced=["A"])
    scene.step()
    assert line.sent == [b"A", b"A2"]
    scene.step(PATIENCE)
    assert line.sent == [b"A", b"A2", b"A2"]


def test_the_connection_that_spoke_last_is_used() -> None:
    scene, first, second = Scene("A"), Line(), Line()
    for line in (first, second, first):
        scene.sender.attach(line)
    scene.step()
    assert (first.sent, second.sent) == ([b"A"], [])


@given(
    st.lists(st.sampled_from(["attach", "detach", "step", "late", "answer", "during"]), max_size=40), st.integers(1, 3)
)
def test_whatever_happens_everything_owed_is_sent_in_the_end(happenings: list[str], in_flight: int) -> None:
    scene = Scene("A", "B", "C", in_flight=in_flight)
    lines: list[Line] = []
    seen: set[bytes] = set()
    for one in happenings:
        match one:
            case "attach":
                lines.append(Line())
                scene.sender.attach(lines[-1])
            case "detach" if lines:
                gone = lines.pop(0)
                seen |= set(gone.sent)
                scene.sender.detach(gone)
            case "during" if lines:
                scene.owed.meanwhile = lambda line=lines[0]: scene.sender.detach(line)  # type: ignore[misc]
                scene.step()
                scene.owed.meanwhile = lambda: None
                seen |= set(lines.pop(0).sent)
            case "answer" if lines and lines[-1].sent:
                scene.answer(lines[-1].sent[-1].decode())
            case "late":
                scene.step(PATIENCE)
            case _:
                scene.step()
    lines.append(Line())
    scene.sender.attach(lines[-1])
    for _ in range(20):
        scene.step(STEPS_ASIDE)
    for line in lines:
        seen |= set(line.sent)
    assert seen == {b"A", b"B", b"C"}
