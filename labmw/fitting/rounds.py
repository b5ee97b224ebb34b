"""What is looked at again and again? Certificates, the state of the lines, the clock, the audit, and what waits in the journal for a store that was down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from labmw.clock import Clock, stamp
from labmw.errors import StoreError
from labmw.fitting.ground import Ground, Work
from labmw.fitting.reading import Readers
from labmw.lab.sealing import seal
from labmw.line.received import Intake
from labmw.line.recovery import recover
from labmw.metrics import CERTIFICATE_ENDS
from labmw.store import schema, statements
from labmw.store.transaction import Store, Transaction
from labmw.watch.certificates import ends_of

log = structlog.get_logger("labmw.app")

HEALTH_EVERY = 1.0  # seconds between looks at what changed on the links
TAKE_UP_EVERY = 2.0  # seconds between looks for sessions that ended while the store was down
CERTIFICATES_EVERY = 30.0  # seconds between looks at certificate files; a new connection looks by itself
AHEAD = timedelta(minutes=10)
"""What is due later than that was written by a clock that ran ahead: no pause is so long by default."""
SEAL_EVERY = 10.0  # seconds between two seals of the audit
HEARTBEAT_EVERY = 15.0  # seconds at most between two writes of a link's state: how `labmw status` knows that we live


@dataclass(frozen=True, slots=True)
class Rounds:
    """Each of them ends only when it is told to; a store that is down is waited for."""

    ground: Ground
    readers: Readers
    intake: Intake

    def work(self) -> Iterator[Work]:
        """All of them, but for certificates, which are looked at once lines have some."""
        yield "health", self.write_health()
        yield "take-up", self.take_up()
        yield "audit", self.seal()
        yield "clock", self.watch_clock()

    def look_at_certificates(self) -> None:
        """Take renewed certificates, tell those that cannot be used, and show until when each is valid."""
        problems: dict[str, Mapping[str, str]] = {}
        for name, credentials in self.ground.credentials:
            if credentials.refresh():
                log.info("renewed certificate files are in use; open connections keep the old ones", link=name)
            told = {"why": credentials.problem, **credentials.reason} if credentials.problem else {}
            problems[name] = problems.get(name) or told
            for whose, ends in ends_of(credentials.tls).items():
                CERTIFICATE_ENDS.labels(name, whose).set(ends.timestamp())
        for name, why in problems.items():
            health = self.ground.health_of(name)
            if why:
                health.trouble("certificate-files", **why)
            else:
                health.well("certificate-files")

    async def watch_certificates(self) -> None:
        """Look at the files of certificates now and then."""
        while True:
            self.look_at_certificates()
            await asyncio.sleep(CERTIFICATES_EVERY)

    async def take_up(self) -> None:
        """Hand over what ended while the store was down, as soon as it is back: it was acknowledged frame by frame."""
        while True:
            await asyncio.sleep(TAKE_UP_EVERY)
            for health in self.ground.health.values():
                owed = set(health.owed)
                if not owed:
                    continue
                try:
                    await recover(
                        self.ground.site,
                        self.ground.store,
                        self.intake,
                        self.ground.clock,
                        self.readers.gathering,
                        owed,
                    )
                except StoreError as error:
                    log.warning("messages still wait in the journal for the store", link=health.link, why=str(error))
                else:
                    health.owed -= owed
                    health.well("store")

    async def write_health(self) -> None:
        """Write each link's state when it changed, and now and then to say that we live."""
        written = 0.0
        while True:
            changed = [health for health in self.ground.health.values() if health.changed]
            if self.ground.clock.monotonic() - written >= HEARTBEAT_EVERY or any(health.changed for health in changed):
                rows = [health.row() for health in self.ground.health.values()]
                for health in changed:
                    health.changed = False
                with contextlib.suppress(StoreError):
                    await self.ground.store.run(health_rows(rows))
                written = self.ground.clock.monotonic()
            await asyncio.sleep(HEALTH_EVERY)

    async def watch_clock(self) -> None:
        """A clock that is set back must not make anything wait for it: what would be due far ahead is due now."""
        site, before = self.ground.site, self.ground.clock.now()
        while True:
            await asyncio.sleep(TAKE_UP_EVERY)
            now = self.ground.clock.now()
            if now < before:
                log.warning("the clock was set back; what waited for a later moment is due now", by=str(before - now))
                with contextlib.suppress(StoreError):
                    await self.ground.store.run(bring_forward(site, now))
            before = now

    async def seal(self) -> None:
        """Seal the audit now and then, behind what writes it."""
        while True:
            await asyncio.sleep(SEAL_EVERY)
            with contextlib.suppress(StoreError):
                await seal_audit(self.ground.site, self.ground.store, self.ground.clock)


async def seal_audit(site: str, store: Store, clock: Clock) -> None:
    """Seal all that has been written to the audit by now; raises StoreError."""
    while True:
        rows, newest = await store.run(seal(site, stamp(clock.now())))
        if rows == 0:
            return
        log.info("audit sealed", rows=rows, hash=newest)


def release_claims(site: str) -> Transaction[None]:
    """We are the only process on this store: what a dead one had claimed is free at once, not when its lease ends."""
    yield statements.release_work(site)
    yield statements.release_outbox(site)


def bring_forward(site: str, now: datetime) -> Transaction[None]:
    """What would be due far ahead of `now` is due now."""
    values = {"now": stamp(now), "latest": stamp(now + AHEAD)}
    yield statements.bring_work_forward(site, **values)
    yield statements.bring_outbox_forward(site, **values)


def health_rows(rows: list[dict[str, Any]]) -> Transaction[None]:
    """Write the state of lines."""
    for row in rows:
        yield statements.insert_or_update(schema.link_state, **row)
