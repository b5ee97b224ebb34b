"""When is an application reply sent again that follows a commit acknowledgment? Stepped by hand, on a clock that is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from labmw.clock import Clock
from labmw.errors import StoreError
from labmw.line.health import LinkHealth
from labmw.line.received import Received, Stored
from labmw.line.replying import UNDER_WAY, Owed, Replying
from protocols.hl7.acknowledgment import Acknowledgment

LOOKS = UNDER_WAY.total_seconds()


@dataclass(eq=False)
class Line:
    """A connection that keeps what was sent on it."""

    sent: list[bytes] = field(default_factory=list)

    async def send(self, raw: bytes) -> None:
        self.sent.append(raw)


@dataclass
class Kept:
    """The owed replies of one line, in memory, each with the moment of its transaction."""

    open: dict[str, tuple[Owed, datetime]] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)
    broken: bool = False

    async def owed(self, link: str, before: datetime) -> Sequence[Owed]:
        if self.broken:
            raise StoreError("away")
        return [one for one, at in self.open.values() if at < before]

    async def said(self, link: str, control_id: str) -> None:
        self.told.append(("said", control_id))
        if control_id in self.open and not self.open[control_id][0].confirm:
            del self.open[control_id]

    async def unconfirmed(self, link: str, control_id: str) -> None:
        self.told.append(("unconfirmed", control_id))

    async def confirmed(self, received: Received, told: Acknowledgment) -> Stored | None:
        return Stored(1, "accepted", "", 0) if self.open.pop(told.control_id, None) else None


class Scene:
    """The replies of one link, with their clock; some were owed by an earlier process."""

    def __init__(self, *earlier: Owed, patience: float = 60.0) -> None:
        self.time = 0.0
        clock = Clock(now=self.now, monotonic=lambda: self.time)
        self.kept = Kept({one.control_id: (one, self.now() - timedelta(hours=1)) for one in earlier})
        self.health = LinkHealth("T", "line", clock)
        self.replying = Replying("line", self.kept, self.health, clock, patience)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time)

    def step(self, seconds: float = 0.0) -> float | None:
        """Let time pass, and what is due be done."""
        self.time += seconds
        return asyncio.run(self.replying._step())

    def says(self, one: Owed) -> None:
        """A conversation has stored a message, and written the reply itself."""
        self.kept.open[one.control_id] = (one, self.now())
        self.replying.said(one)

    def hears(self, control_id: str, code: str = "CA") -> Stored | None:
        """A commit acknowledgment of a reply comes."""
        return asyncio.run(self.replying.confirmed(None, Acknowledgment(code, control_id)))  # type: ignore[arg-type]


def reply(number: str, *, confirm: bool = True) -> Owed:
    return Owed(number, number.encode(), confirm)


@pytest.mark.parametrize("patience", [1.0, 60.0])  # shorter than the second look, and longer
def test_a_reply_that_nobody_confirms_leaves_twice_more_and_then_on_the_next_connection(patience: float) -> None:
    scene, line = Scene(patience=patience), Line()
    scene.step(1)
    scene.says(reply("A"))
    scene.step(0.1)
    scene.replying.attach(line)
    for _ in range(12):
        scene.step(patience)
    assert line.sent == [b"A"] * 2, "the first was written by the conversation"
    assert scene.kept.told[-1] == ("unconfirmed", "A") and "reply-unconfirmed" in scene.health.troubles
    scene.replying.detach(line)
    scene.replying.attach(other := Line())
    scene.step()
    assert other.sent == [b"A"]
    assert scene.hears("A") is not None
    assert "reply-unconfirmed" not in scene.health.troubles
    for _ in range(5):
        scene.step(patience)
    assert other.sent == [b"A"]


def test_what_the_last_process_owed_leaves_once_where_no_word_is_asked_for() -> None:
    scene, line = Scene(reply("A", confirm=False), reply("B", confirm=False)), Line()
    assert scene.step() is None, "without a connection nothing is due"
    scene.replying.attach(line)
    scene.step()
    for _ in range(3):
        scene.step(LOOKS)
    assert line.sent == [b"A", b"B"]
    assert scene.kept.open == {}


def test_what_a_conversation_is_about_to_write_is_left_to_it() -> None:
    scene, line = Scene(), Line()
    scene.replying.attach(line)
    scene.kept.open["A"] = (reply("A", confirm=False), scene.now())  # stored, and not written yet
    scene.step()
    assert line.sent == []
    scene.step(LOOKS)
    assert line.sent == []
    scene.replying.attach(other := Line())
    scene.step(1)  # older than anybody takes: it has died between the two
    assert other.sent + line.sent == [b"A"]


def test_a_reply_that_was_not_stored_there_is_still_owed() -> None:
    scene, line = Scene(), Line()
    scene.replying.attach(line)
    scene.says(reply("A"))
    scene.step()
    scene.kept.open["A"] = (reply("A"), scene.now())
    scene.hears("A", "CE")
    scene.kept.open["A"] = (reply("A"), scene.now())
    scene.step(60)
    assert line.sent == [b"A"]
    assert scene.hears("NOBODYS") is None


def test_while_the_store_is_away_nothing_is_forgotten() -> None:
    scene, line = Scene(reply("A", confirm=False)), Line()
    scene.kept.broken = True
    scene.replying.attach(line)
    with pytest.raises(StoreError):
        scene.step()
    scene.kept.broken = False
    scene.step()
    assert line.sent == [b"A"]
