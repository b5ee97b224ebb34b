"""How does an application reply reach who was already told that its message is stored? One per link, for what is owed after a CA.

The conversation writes the reply itself, after the commit acknowledgment. What it leaves to this part: noting that it has left; sending again what
the other side was asked to accept-acknowledge and has not, twice, under the same MSH-10; and, on a new connection, what the last process owed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from labmw.clock import Clock
from labmw.line.broadcast import Outlet
from labmw.line.health import LinkHealth
from labmw.line.received import Received, Stored
from labmw.line.tending import tend
from protocols.hl7.acknowledgment import Acknowledgment

log = structlog.get_logger("labmw.line")

UNDER_WAY = timedelta(seconds=5)  # a reply younger than that may be about to be written by its own conversation
REMEMBERED = 256  # replies just written: what the store does not know of yet is not sent twice


@dataclass(frozen=True, slots=True)
class Owed:
    """An application reply; `confirm`: the other side is asked to accept-acknowledge it (MSH-15)."""

    control_id: str
    raw: bytes
    confirm: bool = False


class Replies(Protocol):
    """Which replies are owed; every method raises StoreError."""

    async def owed(self, link: str, before: datetime) -> Sequence[Owed]:
        """The replies owed on a line since before a moment."""
        ...

    async def said(self, link: str, control_id: str) -> None:
        """A reply was written to the wire."""
        ...

    async def unconfirmed(self, link: str, control_id: str) -> None:
        """Nobody has confirmed a reply, however often it was sent."""
        ...

    async def confirmed(self, received: Received, told: Acknowledgment) -> Stored | None:
        """Keep a commit acknowledgment of a reply of ours; None when it names none."""
        ...


@dataclass(slots=True)
class _Open:
    """A reply that is to be confirmed: how often it was sent by this process, and when to send it again."""

    owed: Owed
    sends: int = 0
    due: float = 0.0


@dataclass(slots=True)
class Replying:
    """Sees the owed replies of one link through, until cancelled."""

    link: str
    replies: Replies
    health: LinkHealth
    clock: Clock
    patience: float = 60.0  # seconds until a reply that is to be confirmed is sent again
    resends: int = 2
    signal: asyncio.Event = field(default_factory=asyncio.Event)
    _began: datetime = field(init=False)
    _outlets: list[Outlet] = field(default_factory=list)  # the one that spoke last stands last
    _open: dict[str, _Open] = field(default_factory=dict)
    _written: list[str] = field(default_factory=list)  # of which the store is still to be told
    _known: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _given_up: set[str] = field(default_factory=set)
    _look: list[float] = field(default_factory=list)  # when the store is to be asked what is owed

    def __post_init__(self) -> None:
        self._began = self.clock.now()

    async def run(self) -> None:
        """See to it until cancelled; whatever goes wrong here leaves the line as it is."""
        await tend(self._step, self.signal, self.health, link=self.link, failing="replies cannot be seen through")

    def attach(self, outlet: Outlet) -> None:
        """A connection is there on which who is owed can be told."""
        if outlet in self._outlets:
            return
        self._outlets.append(outlet)
        self._known = deque((one for one in self._known if one not in self._given_up), REMEMBERED)  # now taken up
        now = self.clock.monotonic()
        self._look = sorted([*self._look, now, now + UNDER_WAY.total_seconds()])
        self.signal.set()

    def detach(self, outlet: Outlet) -> None:
        """A connection is gone."""
        if outlet in self._outlets:
            self._outlets.remove(outlet)

    def said(self, owed: Owed) -> None:
        """A conversation has written a reply itself."""
        self._known.append(owed.control_id)
        self._written.append(owed.control_id)
        if owed.confirm:
            self._open[owed.control_id] = _Open(owed, 1, self.clock.monotonic() + self.patience)
        self.signal.set()

    async def confirmed(self, received: Received, told: Acknowledgment) -> Stored | None:
        """Take a commit acknowledgment; None when it is for none of our replies."""
        kept = await self.replies.confirmed(received, told)
        if kept is not None and told.code != "CE":
            self._open.pop(told.control_id, None)
            self._given_up.discard(told.control_id)
            if not self._given_up:
                self.health.well("reply-unconfirmed")
            self.signal.set()
        return kept

    async def _step(self) -> float | None:
        """Do what is due; return the seconds until something is due by itself, None when nothing is."""
        while self._written:
            await self.replies.said(self.link, self._written[0])
            del self._written[0]
        now = self.clock.monotonic()
        if self._outlets and self._look and self._look[0] <= now:
            await self._take_up()
        for number, one in list(self._open.items()):
            if one.due <= now and self._outlets:
                await self._again(number, one)
        times = [one.due for one in self._open.values()] + self._look[:1] if self._outlets else []
        return max(0.0, min(times) - self.clock.monotonic()) if times else None

    async def _take_up(self) -> None:
        """Have sent what is owed and was not written by a conversation of ours."""
        new = False
        for one in await self.replies.owed(self.link, max(self._began, self.clock.now() - UNDER_WAY)):
            if one.control_id not in self._known:
                self._known.append(one.control_id)
                self._open[one.control_id] = _Open(one)
                new = True
        if not new:  # else there may be more than were asked for at once
            del self._look[0]

    async def _again(self, number: str, one: _Open) -> None:
        if one.sends > self.resends:
            del self._open[number]
            self._given_up.add(number)
            facts = {"count": str(len(self._given_up)), "times": str(one.sends), "seconds": f"{self.patience:g}"}
            self.health.trouble("reply-unconfirmed", **facts)
            log.error("nobody confirms a reply", link=self.link, control_id=number, times=one.sends)
            await self.replies.unconfirmed(self.link, number)
            return
        one.sends += 1
        one.due = self.clock.monotonic() + self.patience
        await self._outlets[-1].send(one.owed.raw)
        await self.replies.said(self.link, number)
        if not one.owed.confirm:
            self._open.pop(number, None)
