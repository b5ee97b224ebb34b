"""What is an ASTM analyzer told, in which order, and what is written down of it? The dispatcher stepped by hand, on a clock moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from labmw.clock import Clock
from labmw.errors import StoreError
from labmw.line.health import LinkHealth
from labmw.line.host_query import RETRY, Dispatch, Dispatcher
from labmw.line.speaking import NOT_SENT, TAKEN


@dataclass(eq=False)
class Line:
    """A connection that takes messages, or refuses them."""

    outcomes: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    async def deliver(self, records: Sequence[bytes], tag: str, within: float | None = None) -> str:
        self.sent.append(tag)
        self.meanwhile()
        return self.outcomes.pop(0) if self.outcomes else TAKEN


@dataclass
class Book:
    """What is asked and owed, in memory."""

    asked: list[list[str]] = field(default_factory=list)  # each query with the messages of its answer
    owed: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    store_fails: int = 0
    overdue_in: float | None = None

    async def answers(self, link: str) -> Sequence[Dispatch]:
        return [Dispatch(one, (), 15.0) for one in (self.asked.pop(0) if self.asked else [])]

    async def overdue(self, link: str) -> float | None:
        return self.overdue_in

    async def due(self, link: str) -> Sequence[Dispatch]:
        return [Dispatch(one, ()) for one in self.owed]

    async def taken(self, link: str, control_id: str) -> None:
        if self.store_fails:
            self.store_fails -= 1
            raise StoreError("the disk is full")
        self.told.append((control_id, TAKEN))
        if control_id in self.owed:
            self.owed.remove(control_id)

    async def failed(self, link: str, control_id: str, reason: str) -> None:
        self.told.append((control_id, reason))


class Scene:
    """One dispatcher with its clock."""

    def __init__(self, *owed: str) -> None:
        self.time = 0.0
        clock = Clock(now=lambda: datetime(2026, 1, 1, tzinfo=UTC), monotonic=lambda: self.time)
        self.book = Book(owed=list(owed))
        self.health = LinkHealth("T", "astm", clock)
        self.dispatcher = Dispatcher("astm", self.book, self.health, clock)

    def step(self, seconds: float = 0.0) -> float | None:
        """Let time pass, and the dispatcher do what is due."""
        self.time += seconds
        if seconds:
            self.dispatcher.wake()
        return asyncio.run(self.dispatcher._step())


def test_nothing_is_said_before_somebody_is_there() -> None:
    scene = Scene("P1")
    scene.book.overdue_in = 3.5
    assert scene.step() == 3.5
    line = Line()
    scene.dispatcher.attach(line)
    assert scene.step() is None
    assert line.sent == ["P1"]
    assert scene.book.told == [("P1", TAKEN)]


def test_answers_go_before_what_nobody_asked_for() -> None:
    scene, line = Scene("P1", "P2"), Line()
    scene.book.asked = [["A1", "A2"], ["B1"]]
    scene.dispatcher.attach(line)
    scene.step()
    assert line.sent == ["A1", "A2", "B1", "P1", "P2"]


def test_a_query_that_comes_while_orders_are_pushed_is_answered_before_the_next_order() -> None:
    scene, line = Scene("P1", "P2"), Line()

    def asks() -> None:
        if line.sent == ["P1"]:
            scene.book.asked.append(["A1"])
            scene.dispatcher.wake()

    line.meanwhile = asks
    scene.dispatcher.attach(line)
    assert scene.step() == 0.0
    scene.step()
    assert line.sent == ["P1", "A1", "P2"]


def test_the_rest_of_an_answer_that_was_not_taken_is_not_sent_and_settled_so() -> None:
    scene, line = Scene(), Line(["six-refusals"])
    scene.book.asked = [["A1", "A2"], ["B1"]]
    scene.dispatcher.attach(line)
    scene.step()
    assert line.sent == ["A1", "B1"]
    assert scene.book.told == [("A1", "six-refusals"), ("A2", NOT_SENT), ("B1", TAKEN)]


def test_an_order_that_was_not_taken_is_tried_again_later_and_on_a_new_connection_at_once() -> None:
    scene, line = Scene("P1"), Line(["frame-unanswered", "frame-unanswered"])
    scene.dispatcher.attach(line)
    assert scene.step() == RETRY[0]
    assert "orders-not-taken" in scene.health.troubles
    scene.step(RETRY[0] / 2)
    assert line.sent == ["P1"]
    assert scene.step(RETRY[0]) == RETRY[1]
    assert line.sent == ["P1", "P1"]
    other = Line()
    scene.dispatcher.detach(line)
    scene.dispatcher.attach(other)
    scene.step()
    assert other.sent == ["P1"]
    assert "orders-not-taken" not in scene.health.troubles


def test_an_answer_is_given_although_an_order_was_not_taken() -> None:
    scene, line = Scene("P1"), Line(["frame-unanswered"])
    scene.dispatcher.attach(line)
    scene.step()
    scene.book.asked = [["A1"]]
    scene.dispatcher.wake()
    scene.step()
    assert line.sent == ["P1", "A1"]


def test_what_was_taken_is_written_down_before_anything_else_is_sent() -> None:
    scene, line = Scene("P1", "P2"), Line()
    scene.book.store_fails = 1
    scene.dispatcher.attach(line)
    scene.step()
    assert scene.book.told == [("P1", TAKEN), ("P2", TAKEN)]
    assert line.sent == ["P1", "P2"]


@given(st.lists(st.sampled_from(["attach", "detach", "step", "later", "ask", "refuse", "lose"]), max_size=40))
def test_whatever_happens_every_message_is_settled_and_nothing_owed_is_forgotten(happenings: list[str]) -> None:
    scene, lines, asked = Scene("P1", "P2"), [], 0
    everything: list[Line] = []
    for one in happenings:
        match one:
            case "attach":
                lines.append(Line())
                everything.append(lines[-1])
                scene.dispatcher.attach(lines[-1])
            case "detach" if lines:
                scene.dispatcher.detach(lines.pop(0))
            case "refuse" if lines:
                lines[-1].outcomes.append("six-refusals")
            case "lose" if lines:
                gone = lines[-1]
                gone.meanwhile = lambda gone=gone: scene.dispatcher.detach(gone)  # type: ignore[misc]
                gone.outcomes.append("hang-up")
            case "ask":
                asked += 1
                scene.book.asked.append([f"A{asked}"])
                scene.dispatcher.wake()
            case "later":
                scene.step(RETRY[-1])
            case _:
                scene.step()
    last = Line()
    everything.append(last)
    scene.dispatcher.attach(last)
    for _ in range(5):
        scene.step(RETRY[-1])
    settled = [number for number, _ in scene.book.told]
    assert scene.book.owed == []
    assert {f"A{number}" for number in range(1, asked + 1)} <= set(settled)
    for number in range(1, asked + 1):
        assert settled.count(f"A{number}") == 1  # an answer is tried once
    for name in ("P1", "P2"):
        assert scene.book.told.count((name, TAKEN)) == 1  # and an order is taken once
