"""How does work reach a LAW analyzer? One sender per link: what the worklist owes it, over whichever connection it can be told on.

A reply is matched by MSA-2 = MSH-10 and never by order: on one connection both sides may have several messages open (protocol notes C.4).
A message without reply is sent again, the same bytes under the same MSH-10, as often as the profile says; then `labmw status` says that the
analyzer does not answer, and the connection stays. What speaks of AWOS is owed until it is answered, also by the next process. After a commit
acknowledgment (CA) nothing is sent again: the analyzer has it, and its reply is waited for, on whichever connection it comes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from labmw.clock import Clock
from labmw.line.health import LinkHealth
from labmw.line.orders import Broadcast, Worklist
from labmw.line.tending import tend
from labmw.metrics import ORDERS_SENT, ORDERS_UNANSWERED

log = structlog.get_logger("labmw.line")

STEPS_ASIDE = 5.0  # seconds after which a message without reply no longer holds up the next: an analyzer that asks waits for its answer
REMEMBERED = 64  # numbers just answered: what the store still listed as waiting when it was asked is not sent again


class Outlet(Protocol):
    """A connection that can carry a message to the analyzer."""

    async def send(self, raw: bytes) -> None:
        """Write one message as a block."""
        ...


@dataclass(slots=True)
class _Open:
    """A message on its way: how often it was sent by this process, and when to send it again."""

    broadcast: Broadcast
    outlet: Outlet | None
    sends: int = 0
    due: float = 0.0
    committed: bool = False


@dataclass(slots=True)
class Broadcaster:
    """Sends what the worklist owes one analyzer, until cancelled."""

    link: str
    worklist: Worklist
    health: LinkHealth
    clock: Clock
    patience: float  # seconds until a message is sent again
    resends: int
    in_flight: int  # messages without reply at once
    reply_patience: float = 0.0  # seconds from a commit acknowledgment to the reply; 0 = patience
    signal: asyncio.Event = field(default_factory=asyncio.Event)
    _outlets: list[Outlet] = field(default_factory=list)  # the one that spoke last stands last
    _queue: list[Broadcast] = field(default_factory=list)
    _open: dict[str, _Open] = field(default_factory=dict)
    _answered: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _given_up: set[str] = field(default_factory=set)
    _look: bool = True  # whether the store may owe this analyzer something we do not know of
    _resume: bool = False  # whether a connection is new, so that what is unanswered is sent on it

    async def run(self) -> None:
        """Send until cancelled; whatever goes wrong here leaves the line as it is."""
        await tend(self._step, self.signal, self.health, link=self.link, failing="orders cannot be sent")

    def attach(self, outlet: Outlet) -> None:
        """A connection is there to send on: the last one that spoke is used."""
        if outlet in self._outlets:
            if self._outlets[-1] is not outlet:
                self._outlets.remove(outlet)
                self._outlets.append(outlet)
            return
        self._outlets.append(outlet)
        self._resume = self._look = True
        self.signal.set()

    def detach(self, outlet: Outlet) -> None:
        """A connection is gone, and with it what only it could carry."""
        if outlet in self._outlets:
            self._outlets.remove(outlet)
        for number, one in list(self._open.items()):
            if one.outlet is outlet and not one.committed:
                del self._open[number]  # what lasts is in the store, and sent again on the next connection

    def put(self, broadcasts: Iterable[Broadcast], replaced: Iterable[str] = ()) -> None:
        """Send these, the answer to a query, instead of those messages which said the same and were not answered."""
        gone = set(replaced)
        self._queue[:] = [one for one in self._queue if one.control_id not in gone]
        for number in gone:
            self._open.pop(number, None)
        self._add(broadcasts)
        self.signal.set()

    def _add(self, broadcasts: Iterable[Broadcast]) -> None:
        """Queue what is neither on its way nor just answered."""
        known = {*self._open, *self._answered, *(one.control_id for one in self._queue)}
        self._queue += [one for one in broadcasts if one.control_id not in known]

    def _await(self, committed: Iterable[Broadcast]) -> None:
        """Wait for the replies to what an earlier process was told is stored."""
        for one in committed:
            if one.control_id not in self._open and one.control_id not in self._answered:
                due = self.clock.monotonic() + (self.reply_patience or self.patience)
                self._open[one.control_id] = _Open(one, None, 1, due, committed=True)

    def wake(self) -> None:
        """The worklist owes this analyzer something."""
        self._look = True
        self.signal.set()

    def committed(self, control_id: str) -> None:
        """The analyzer has stored a message, and will reply to it."""
        if (one := self._open.get(control_id)) is not None:
            one.committed, one.due = True, self.clock.monotonic() + (self.reply_patience or self.patience)
            self.signal.set()

    def settled(self, control_id: str) -> None:
        """A reply has come; what it says is the worklist's business."""
        self._open.pop(control_id, None)
        self._answered.append(control_id)
        self._given_up.clear()
        self.health.well("law-unanswered")
        self.signal.set()

    async def _step(self) -> float | None:
        """Do what is due; return the seconds until something is due by itself, None when nothing is."""
        if not self._outlets:
            return None
        if self._resume:
            self._resume = False
            waiting = await self.worklist.waiting(self.link)
            self._add(one for one in waiting if not one.committed)
            self._await(one for one in waiting if one.committed)
        await self._again()
        while self._busy() < self.in_flight:
            if not self._queue and self._look:
                self._look = False
                found = await self.worklist.due(self.link, self.in_flight)
                self._add(found)  # not `+=` around the await: what a query has put there meanwhile would be lost
                self._look = bool(self._queue)
            if not self._queue or not self._outlets:  # the connection may have gone while the store was asked
                break
            broadcast = self._queue[0]
            if broadcast.again:
                await self.worklist.sending_again(self.link, broadcast.control_id)
                if not self._outlets or not self._queue or self._queue[0] is not broadcast:
                    continue  # a query has put something else there meanwhile, or nobody is there to be told
            one = _Open(self._queue.pop(0), self._outlets[-1])
            self._open[broadcast.control_id] = one
            await self._send(one)
        if not self._open:
            return None
        rest = min(one.due for one in self._open.values()) - self.clock.monotonic()
        return max(0.0, min(rest, STEPS_ASIDE) if self._queue or self._look else rest)

    def _busy(self) -> int:
        """How many messages the analyzer is probably working on."""
        since = self.clock.monotonic() + self.patience - STEPS_ASIDE
        return sum(one.due > since and not one.committed for one in self._open.values())

    async def _again(self) -> None:
        now = self.clock.monotonic()
        for number, one in list(self._open.items()):
            if one.due > now:
                continue
            if one.sends <= self.resends and not one.committed:
                if one.broadcast.lasting:
                    await self.worklist.sending_again(self.link, number)
                    if number not in self._open:
                        continue  # answered meanwhile, or its connection has gone
                log.warning("no reply in time; sent again", link=self.link, control_id=number, times=one.sends + 1)
                await self._send(one)
                continue
            self._open.pop(number, None)
            self._given_up.add(number)
            ORDERS_UNANSWERED.labels(self.link).inc()
            facts = {"count": str(len(self._given_up)), "times": str(one.sends), "seconds": f"{self.patience:g}"}
            self.health.trouble("law-unanswered", **facts)
            log.error("the analyzer does not answer", link=self.link, control_id=number, times=one.sends)
            if one.broadcast.lasting:
                await self.worklist.unanswered(self.link, number)

    async def _send(self, one: _Open) -> None:
        one.sends += 1
        one.outlet, one.due = self._outlets[-1], self.clock.monotonic() + self.patience
        ORDERS_SENT.labels(self.link).inc()
        await self._outlets[-1].send(one.broadcast.raw)
