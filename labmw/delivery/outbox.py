"""Who sends what next? Claims outbox rows with a lease, sends each, and writes down what the receiver said.

At least once on the wire, once in effect: MSH-10 and the bytes stay the same over every attempt, so a receiver can drop a repeat. What a
dead process had claimed comes back when its lease ends. A refusal (AE, AR) goes to a person: sending it again would not cure it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

import structlog

from labmw.clock import Clock, stamp
from labmw.delivery.breaker import Breaker
from labmw.delivery.mllp import Committed, Silent, Unreachable
from labmw.delivery.patience import Patience
from labmw.delivery.receipts import delivered, entry_in_audit, only_stored
from labmw.delivery.redelivery import still_current
from labmw.errors import DeliveryError, DeliveryWaits, StoreError
from labmw.metrics import DELIVERIES, STRAY_ACKS
from labmw.store import schema, statements
from labmw.store.encryption.envelope import Unreadable
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Store, Transaction
from protocols.hl7.acknowledgment import Acknowledgment

log = structlog.get_logger("labmw.delivery")

Compose = Callable[[Row], Transaction[bytes]]
"""A transaction that makes the message of one outbox row; raises DeliveryError when it cannot be written."""


class Sender(Protocol):
    """How messages get to a destination. `stray` is told of acknowledgments that nobody waits for."""

    stray: Callable[[Acknowledgment, bytes], None]

    async def deliver(self, control_id: str, message: bytes) -> tuple[Acknowledgment, bytes]:
        """Send one message and return its acknowledgment, read and raw; raises Unreachable, Silent or DeliveryError."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


After = Callable[[Row, bytes, str, str], Transaction[None]]
"""What follows in the transaction that keeps an answer: the outbox row, the bytes it answers, why they were refused ("" when taken), when."""

BATCH = 20
TAKEN = frozenset({"AA", "CA"})
COMMITTED_SENDS = 3  # of a message that the receiver has stored and not answered: once, and two resends


def _nothing(row: Row, payload: bytes, why: str, at: str) -> Transaction[None]:
    return
    yield


async def no_word(reply: bytes) -> None:
    """Nobody asks for an acknowledgment of an application reply."""


def nobody_waits(acknowledgment: Acknowledgment, raw: bytes) -> bool:
    """Acknowledgments come by the connection that carried the message, and by no other."""
    return False


@dataclass(slots=True)
class Outbox:
    """Empties the outbox towards one destination until it is cancelled."""

    site: str
    destination: str
    store: Store
    clock: Clock
    sender: Sender
    compose: Compose
    patience: Patience
    attempts: int = 50
    lease: float = 120.0  # seconds; longer than any acknowledgment may take
    rest: float = 1.0
    waits: float = 30.0  # seconds until a message that could not be sent yet is looked at again
    after: After = _nothing
    two_replies: bool = False  # an application reply follows the commit acknowledgment: CA alone delivers nothing
    confirm: Callable[[bytes], Awaitable[None]] = no_word  # an application reply is on the disk: say so if it asks
    overheard: Callable[[Acknowledgment, bytes], bool] = (
        nobody_waits  # tells the sender of one that came by another line
    )
    signal: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: Callable[[str, Mapping[str, str]], None] = lambda code, facts: None
    well: Callable[[str], None] = lambda code: None
    who: str = field(default_factory=lambda: f"pid {os.getpid()}")
    breaker: Breaker = field(init=False)
    unfinished: bool = False  # the store has failed in the middle of a step: what it claimed is ours still
    _confirmed: set[str] = field(default_factory=set)  # MSH-10 of what was answered by another line
    _silent: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """Specimens with a message that was not acknowledged, its MSH-10, and until when later ones of the specimen wait for it."""

    def __post_init__(self) -> None:
        self.sender.stray = self.stray
        self.breaker = Breaker(self.clock, self.patience)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self.signal.clear()
            try:
                wait = await self.step()
            except (
                Exception
            ) as error:  # the lines must not die of what happens here; what was claimed comes back after its lease
                log.exception("delivery failed; it goes on", destination=self.destination, why=str(error))
                wait = self.rest
            if wait <= 0:
                continue
            try:
                async with asyncio.timeout(wait):
                    # While the destination is down, new work does not cut the wait short: it would storm a LIS that is starting.
                    await (asyncio.get_running_loop().create_future() if self.breaker.wait else self.signal.wait())
            except TimeoutError:
                pass

    async def step(self) -> float:
        """Send what is due; return the seconds to wait until the next look (0: at once)."""
        if self.breaker.wait:
            return self.breaker.wait
        try:
            rows = await self.store.run(self._claim())
            self.unfinished = False
            for place, row in enumerate(rows):
                if (
                    place and row.priority != rows[0].priority
                ):  # look again: stat may only have waited for stat of its tube
                    await self.store.run(self._give_back(rows[place:], stamp(self.clock.now())))
                    break
                if self._waits(row) and not await self._put_away(self._silent[row.specimen][0]):
                    await self.store.run(self._give_back([row], stamp(self.clock.now() + timedelta(seconds=self.rest))))
                elif not await self._one(row):
                    await self.store.run(self._give_back(rows[place + 1 :], stamp(self.clock.now())))
                    return self.breaker.wait
        except StoreError as error:
            self.unfinished = True
            log.error("delivery waits for the store", why=str(error))
            return self.rest
        return 0.0 if rows else self.rest

    def _claim(self) -> Transaction[list[Row]]:
        now = self.clock.now()
        if self.unfinished:  # without this it would wait for its own lease
            yield statements.release_our_outbox(self.site, self.who)
        claimed = yield statements.claim_outbox(
            self.site,
            self.destination,
            limit=self.breaker.most(BATCH),
            now=stamp(now),
            until=stamp(now + timedelta(seconds=self.lease)),
            who=self.who,
        )
        # Stat first, then in the order of birth: RETURNING promises no order.
        return sorted(claimed, key=lambda row: (row.priority != "S", row.id))

    def _give_back(self, rows: Sequence[Row], due: str, why: str = "") -> Transaction[None]:
        """Return claimed rows unsent: the attempt does not count against them."""
        for row in rows:
            yield statements.give_back(row.id, who=self.who, due=due, error=why or row.last_error)

    async def _one(self, row: Row) -> bool:
        """Deliver one row; False when the destination is down and the rest must wait."""
        try:
            payload = await self.store.run(self._write(row))
        except StoreError:
            raise
        except DeliveryWaits as error:
            later = stamp(self.clock.now() + timedelta(seconds=self.waits))
            await self.store.run(self._give_back([row], later, str(error)))
            return True
        except Exception as error:  # whatever one row holds, the others go on and a person is told
            await self._bury(
                row, str(error) if isinstance(error, DeliveryError) else f"{type(error).__name__}: {error}"
            )
            return True
        if payload is None:
            return True
        try:
            acknowledgment, raw = await self.sender.deliver(row.control_id, payload)
        except Unreachable as error:
            self._down("lis-unreachable", str(error), error.reason)
            DELIVERIES.labels(self.destination, "unreachable").inc()
            await self.store.run(self._give_back([row], stamp(self.clock.now()), str(error)))
            return False
        except Committed as error:
            DELIVERIES.labels(self.destination, "committed").inc()
            await self._committed(row, str(error))
            return True
        except Silent as error:
            DELIVERIES.labels(self.destination, "silent").inc()
            if row.attempts >= self.attempts:
                await self._bury(row, f"no acknowledgment after {row.attempts} attempts: {error}")
                return True
            self._down("lis-silent", str(error), error.reason)
            # The others first, and one of them tries: a message that the receiver chokes on must not keep back those of other specimens.
            pause = max(self.patience.delay(row.attempts), self.breaker.wait) + self.rest
            due = self.clock.now() + timedelta(seconds=pause)
            self._silent[row.specimen] = (row.control_id, due + timedelta(seconds=self.lease))
            await self.store.run(self._retry(row.id, stamp(due), str(error)))
            return False
        except DeliveryError as error:
            await self._bury(row, str(error))
            return True
        self._heard_of(row.control_id)
        self._answers()
        if acknowledgment.code in TAKEN:
            self._up()
            DELIVERIES.labels(self.destination, "delivered").inc()
            await self.store.run(self._taken(row, payload, stamp(self.clock.now()), raw))
            await self._confirm(row, raw)
            return True
        DELIVERIES.labels(self.destination, "refused").inc()
        why = f"the receiver answered {acknowledgment.code}: {acknowledgment.text or 'without a text'}"
        await self._bury(row, why, payload, (acknowledgment.code, raw))
        await self._confirm(row, raw)
        if pause := self.breaker.was_refused():
            paused = {"count": str(self.breaker.refused), "seconds": f"{max(pause, 1):.0f}"}
            self.trouble("lis-refuses", {"destination": self.destination, "why": why, **paused})
        return not pause

    async def _confirm(self, row: Row, raw: bytes) -> None:
        """An application reply is on the disk: say so, unless the line has said it on which it came."""
        if row.control_id in self._confirmed:
            self._confirmed.discard(row.control_id)
        else:
            await self.confirm(raw)

    async def _committed(self, row: Row, why: str) -> None:
        """The receiver has stored a message and not said what it makes of it: sent again twice, then a person looks there."""
        if row.attempts >= COMMITTED_SENDS:
            await self._bury(row, why)
            return
        pause = self.patience.delay(row.attempts)
        due = self.clock.now() + timedelta(seconds=pause)
        self._silent[row.specimen] = (row.control_id, due + timedelta(seconds=self.lease))
        await self.store.run(self._retry(row.id, stamp(due), why))

    def _taken(self, row: Row, payload: bytes, now: str, receipt: bytes) -> Transaction[None]:
        if (yield from delivered(self.site, row.id, now, receipt)):  # else its answer has come by another way, too
            yield from self.after(row, payload, "", now)

    def _waits(self, row: Row) -> bool:
        """Whether a message must not overtake an earlier one of its specimen that was not acknowledged."""
        first, until = self._silent.get(row.specimen, ("", None))
        return until is not None and first != row.control_id and self.clock.now() < until

    async def _put_away(self, control_id: str) -> bool:
        """Whether a message that was not acknowledged is not to be sent again, because a person has decided so: then nothing waits for it."""
        rows = await self.store.run(self._numbered(control_id))
        if any(row.state in ("waiting", "claimed") for row in rows):
            return False
        self._heard_of(control_id)
        return True

    def _numbered(self, control_id: str) -> Transaction[Sequence[Row]]:
        return (yield statements.outbox_by_control_id(self.site, control_id))

    def _heard_of(self, control_id: str) -> None:
        for specimen in [one for one, (first, _) in self._silent.items() if first == control_id]:
            del self._silent[specimen]

    def _retry(self, entry: int, due: str, why: str) -> Transaction[None]:
        yield statements.outbox_retry(entry, who=self.who, due=due, error=why)

    def _write(self, row: Row) -> Transaction[bytes | None]:
        """Compose the message once and keep its bytes: every attempt sends the same. None when it is not to be sent any more.

        Looked up at the last moment: since it was claimed an INS may have been withdrawn from it, or the whole message.
        """
        (now,) = yield statements.outbox_numbered(row.id)
        if now.state != "claimed" or not (yield from still_current(row, sent=now.payload is not None)):
            return None
        if now.payload is not None:
            if isinstance(now.payload, Unreadable):
                raise DeliveryError(
                    f"its bytes cannot be read ({now.payload.why}); see `labmw check` for the key that is missing"
                )
            kept: bytes = now.payload
            return kept
        payload = yield from self.compose(row)
        yield statements.keep_payload(row.id, payload)
        return payload

    async def _bury(
        self, row: Row, why: str, payload: bytes | None = None, answer: tuple[str, bytes] | None = None
    ) -> None:
        """Give up on one message and show it to a person, with what the receiver answered; the others go on."""
        self._heard_of(row.control_id)
        log.error(
            "message to dead letters", destination=self.destination, outbox=row.id, control_id=row.control_id, why=why
        )
        await self.store.run(self._dead(row, stamp(self.clock.now()), why, payload, answer))

    def _dead(
        self, row: Row, now: str, why: str, payload: bytes | None, answer: tuple[str, bytes] | None
    ) -> Transaction[None]:
        if (yield statements.outbox_dead(row.id, who=self.who, error=why)):
            if answer is not None:
                code, raw = answer
                yield statements.insert(schema.receipt, site=self.site, outbox=row.id, at=now, code=code, data=raw)
            yield statements.results_of_outbox(row.id, becomes="dead")
            yield statements.insert(schema.audit, **entry_in_audit(self.site, now, "dead-letter", row.id, why))
            if payload is not None:
                yield from self.after(row, payload, why, now)

    def stray(self, acknowledgment: Acknowledgment, raw: bytes) -> None:
        """Deal with an acknowledgment that nobody waits for: a late one still proves that its own message was taken."""
        STRAY_ACKS.labels(self.destination).inc()
        log.warning(
            "acknowledgment for nothing outstanding",
            destination=self.destination,
            names=acknowledgment.control_id,
            code=acknowledgment.code,
        )
        if not acknowledgment.control_id or (self.two_replies and acknowledgment.code == "CA"):
            return
        self._heard_of(acknowledgment.control_id)
        try:
            future = self.store.submit(self.settle(acknowledgment, stamp(self.clock.now()), raw))
        except StoreError:
            return  # the next attempt will be acknowledged again
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def heard(self, acknowledgment: Acknowledgment, raw: bytes) -> None:
        """What has come by the line on which the receiver speaks is on the disk: whoever waits for it need not any more.

        Where it asks to be confirmed, it is on that line, and not by the sender.
        """
        if not acknowledgment.commit:
            self._heard_of(acknowledgment.control_id)
        if self.overheard(acknowledgment, raw) and not acknowledgment.commit:
            self._confirmed.add(acknowledgment.control_id)

    def settle(self, acknowledgment: Acknowledgment, now: str, raw: bytes) -> Transaction[bool]:
        """What an acknowledgment says of its message, by whichever way it came and however late; False when it answers nothing of ours."""
        rows = yield statements.outbox_by_control_id(self.site, acknowledgment.control_id)
        if not rows or rows[0].destination != self.destination:
            return False
        (row,) = rows[:1]
        if acknowledgment.code == "CA" and self.two_replies:
            return True  # stored there: what is made of it comes behind
        if acknowledgment.code in TAKEN:
            if row.state != "delivered":
                yield from self._taken(row, row.payload or b"", now, raw)
            return True
        open_ = row.state in ("waiting", "claimed") or (row.state == "delivered" and only_stored(row.receipt))
        if acknowledgment.code in ("AE", "AR", "CR") and open_:
            why = f"the receiver answered {acknowledgment.code}: {acknowledgment.text or 'without a text'}"
            yield from self._refused_late(row, now, why, (acknowledgment.code, raw))
        return True

    def _refused_late(self, row: Row, now: str, why: str, answer: tuple[str, bytes]) -> Transaction[None]:
        code, raw = answer
        yield statements.insert(schema.receipt, site=self.site, outbox=row.id, at=now, code=code, data=raw)
        yield change(schema.outbox, row.id, state="dead", last_error=why, claimed_by=None, claimed_until=None)
        was = "delivered" if row.state == "delivered" else "released"
        yield statements.results_of_outbox(row.id, was=was, becomes="dead")
        yield statements.insert(schema.audit, **entry_in_audit(self.site, now, "dead-letter", row.id, why))
        yield from self.after(row, row.payload or b"", why, now)

    def _down(self, code: str, why: str, reason: Mapping[str, str] = MappingProxyType({})) -> None:
        pause = self.breaker.failed()
        paused = {"count": str(self.breaker.failures), "seconds": f"{max(pause, 1):.0f}"}
        self.trouble(code, {**reason, "destination": self.destination, "why": why, **paused})
        if self.breaker.failures == 1:
            log.error("destination does not take messages; they wait", destination=self.destination, why=why)

    def _answers(self) -> None:
        """It is there and says something, be it no."""
        for code in ("lis-unreachable", "lis-silent"):
            self.well(code)

    def _up(self) -> None:
        if before := self.breaker.worked():
            log.info("destination takes messages again", destination=self.destination, after=before)
        self.well("lis-refuses")
