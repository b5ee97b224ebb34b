"""Put the parts of the laboratory together from the configuration and run them: the only place where all of them meet.

python -m labmw.app CONFIG          the process that talks to analyzers and to the LIS (law 16)

How each part is built stands in `labmw.fitting`, and for other laboratories in `labmw.exchange`.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from labmw.clock import SYSTEM, Clock
from labmw.config import Config, load
from labmw.delivery.outbox import Outbox
from labmw.errors import ConfigError, PackError, StoreBusy, StoreError
from labmw.exchange import Exchanges
from labmw.fitting import outboxes
from labmw.fitting.ground import Ground
from labmw.fitting.knowledge import Knowledge
from labmw.fitting.lines import Lines
from labmw.fitting.lis_line import LisLine
from labmw.fitting.reading import Readers
from labmw.fitting.replies import Replies
from labmw.fitting.rounds import Rounds, bring_forward, health_rows, release_claims, seal_audit
from labmw.fitting.work_links import astm_links, hl7_links, law_links, reached, routing_of
from labmw.lab.astm_worklist import AstmWorklist
from labmw.lab.awaited import Awaited
from labmw.lab.hl7_worklist import Hl7Worklist
from labmw.lab.intake import LaboratoryIntake
from labmw.lab.lis_feed import LisFeed
from labmw.lab.practice import Practice
from labmw.lab.reconsidering import reconsider
from labmw.lab.routes import routes
from labmw.lab.verification import Verification
from labmw.lab.worklist import LaboratoryWorklist
from labmw.line.conversation import AstmConversation
from labmw.line.health import LinkHealth
from labmw.line.host_query import AskingConversation
from labmw.line.law import LawConversation
from labmw.line.link import Doorkeeper, LinkRunner
from labmw.line.lis_astm import AstmOutlet
from labmw.line.presence import Presence
from labmw.line.received import Received, Stored
from labmw.line.recovery import recover
from labmw.store import open_store
from labmw.store.transaction import Store
from labmw.watch.log import begin
from rules.pack import Packs

log = structlog.get_logger("labmw.app")

EX_SOFTWARE, EX_TEMPFAIL, EX_CONFIG = 70, 75, 78  # sysexits.h


class PartDied(Exception):
    """A part that must always run has ended: the process must not go on without it as if nothing were."""


@dataclass(frozen=True, slots=True)
class _ByLine:
    """Hands a message that comes to light after a restart to whoever takes in the messages of its line."""

    analyzers: LaboratoryIntake
    lis: LisFeed | None

    async def take(self, received: Received) -> Stored:
        """Store a message in one transaction."""
        if self.lis is not None and received.link == self.lis.terms.feed:
            return await self.lis.take(received)
        return await self.analyzers.take(received)


@dataclass(slots=True)
class Laboratory:
    """The lines process: everything between the analyzers and the LIS."""

    config: Config
    clock: Clock = SYSTEM
    astm: type[AstmConversation] = AstmConversation
    asking: type[AskingConversation] = AskingConversation
    law: type[LawConversation] = LawConversation
    store: Store = field(init=False)
    knowledge: Knowledge = field(init=False)
    readers: Readers = field(init=False)
    worklist: LaboratoryWorklist = field(init=False)
    asked: AstmWorklist = field(init=False)
    asked_hl7: Hl7Worklist = field(init=False)
    awaited: Awaited = field(init=False)
    verification: Verification = field(init=False)
    intake: LaboratoryIntake = field(init=False)
    links: dict[str, LinkRunner] = field(init=False, default_factory=dict)
    outboxes: list[Outbox] = field(init=False, default_factory=list)
    health: dict[str, LinkHealth] = field(init=False, default_factory=dict)
    _presence: Presence = field(init=False, default_factory=Presence)
    _lis: LisLine | None = field(init=False, default=None)
    _tasks: list[asyncio.Task[None]] = field(init=False, default_factory=list)
    _lines: list[asyncio.Task[None]] = field(init=False, default_factory=list)

    async def start(self) -> None:
        """Open the store, take up what the last process left, and open the links. Raises StoreError, ConfigError."""
        site, settings = self.config.site.id, self.config.store
        self.knowledge = Knowledge.read(self.config)
        self.knowledge.tell(self.clock)
        self.readers = Readers(self.config, self.clock, self.knowledge)
        keys = settings.key_file
        self.store = open_store(settings.url, group=settings.group, queue=settings.queue, serves=True, key_file=keys)
        await self.store.start()
        await self.store.run(release_claims(site))
        await self.store.run(bring_forward(site, self.clock.now()))  # it may have been set back while nothing ran

        ground = Ground(self.config, self.clock, self.store, self.health)
        replies, outlet = Replies(ground), AstmOutlet()
        partners = Exchanges(
            self.config,
            self.store,
            self.clock,
            ground.health_of,
            ground.credentials_of,
            replies.on,
            replies.envelopes,
        )
        to_others = outboxes.build(ground, outlet)
        self.outboxes = to_others + partners.outboxes
        self._build_laboratory(ground, [one.destination for one in to_others])
        self._lis = lis = LisLine(ground, self.readers, replies, outlet)
        by_line = _ByLine(self.intake, lis.feed)
        try:
            found = await recover(site, self.store, by_line, self.clock, self.readers.gathering)
        except StoreError as error:  # the store is there and cannot be written just now: to be tried again
            raise StoreBusy(f"what the last process left cannot be taken up yet: {error}") from error
        if found:
            log.warning("messages recovered that the last process had acknowledged in part", messages=found)
        if not self.outboxes:
            log.warning("no [lis] and no [[files]] in the configuration: what is released stays in labmw")

        lines = Lines(
            ground,
            self.readers,
            replies,
            self.intake,
            self.worklist,
            self.asked,
            self.asked_hl7,
            self._presence,
            self.astm,
            self.asking,
            self.law,
        )
        self.worklist.wake = lines.wake
        if inquire := lis.inquiry():
            self.worklist.inquire = self.asked.inquire = self.asked_hl7.inquire = inquire
        partners.wake(self.worklist.signal.set, self.verification.signal.set, self._wake_delivery)
        doorkeeper, rounds = Doorkeeper(self.config.limits.connections), Rounds(ground, self.readers, by_line)

        self._run("verification", self.verification.run())
        self._run("awaited", self.awaited.run())
        for one in self.outboxes:
            self._run(f"outbox {one.destination}", one.run())
        for work in (*rounds.work(), *partners.work()):
            self._run(*work)
        opened = (
            lines.open(doorkeeper, self.links),
            lis.open(doorkeeper, self.links, self.outboxes, self._wake_for_orders),
        )
        for opening in (*opened, partners.lines(doorkeeper, self.links), replies.work()):
            for name, talk in opening:
                self._lines.append(asyncio.create_task(talk, name=name))
        if self.worklist.links or self.worklist.others:
            self._run("worklist", self.worklist.run())
        if self.asked_hl7.links:
            self._run("taken back", self.asked_hl7.run())
        self._run("rule packs", self.knowledge.watch(self.clock))
        if ground.credentials:
            self._run("certificates", rounds.watch_certificates())
        drivers, packs = len(self.knowledge.registry.drivers), len(self.packs.active)
        log.info("open", site=site, links=len(self.links), drivers=drivers, packs=packs)

    @property
    def packs(self) -> Packs:
        """The rule packs as they were read last."""
        return self.knowledge.packs

    def _build_laboratory(self, ground: Ground, destinations: list[str]) -> None:
        """What judges results, takes them in, waits for their orders, and knows what analyzers are to do."""
        site, commit_timeout = self.config.site.id, self.config.store.commit_timeout
        routing = routing_of(self.config, reached(ground), self.clock)
        law, astm = law_links(ground, self.readers, routing), astm_links(ground, self.readers, routing)
        hl7 = hl7_links(ground, self.readers, routing)
        tolerated = {link.name: link.clock_tolerance for link in self.config.link}
        self.verification = Verification(
            site=site,
            store=self.store,
            clock=self.clock,
            packs=lambda: self.packs,
            destinations=destinations,
            wake_delivery=self._wake_delivery,
            takes=routes(self.config),
            shadows=lambda: self.knowledge.shadows,
            practice=Practice.of(self.config, {**law, **astm, **hl7}),
            again=reconsider,
            wake_orders=self._wake_worklist,
        )
        self.intake = LaboratoryIntake(
            site,
            self.store,
            self.clock,
            self.readers.read,
            lambda: self.packs,
            self.verification.signal.set,
            commit_timeout,
            asking=frozenset(link.name for link in self.config.link if link.work),
            presence=self._presence,
            clock_tolerance=lambda name: tolerated.get(name, 0.0),
            specimens=self.readers.specimens,
        )
        self.awaited = Awaited(
            site,
            self.store,
            self.clock,
            self.readers.read,
            self.readers.gathering,
            self.readers.encoding,
            lambda: self.packs,
            self.verification.signal.set,
            lambda name: tolerated.get(name, 0.0),
            self.readers.specimens,
        )
        max_age = self.config.orders.max_age
        self.worklist = LaboratoryWorklist(site, self.store, self.clock, law, max_age, commit_timeout)
        self.asked = AstmWorklist(site, self.store, self.clock, astm, max_age, commit_timeout)
        self.asked_hl7 = Hl7Worklist(site, self.store, self.clock, hl7, max_age, commit_timeout)
        self.worklist.others = (*self.asked.links.values(), *self.asked_hl7.links.values())

    async def wait(self, stop: asyncio.Event) -> None:
        """Run until asked to stop; raises PartDied with what a part died of."""
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([stopping, *self._tasks, *self._lines], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task is not stopping:
                    error = None if task.cancelled() else task.exception()
                    why = f"{type(error).__name__}: {error}" if error else "it ended by itself"
                    raise PartDied(f"{task.get_name()}: {why}") from error
        finally:
            stopping.cancel()

    async def stop(self) -> None:
        """Drain: no more bytes from the lines, then the steps under way, then the store."""
        await _end(self._lines)
        await _end(self._tasks)
        for one in self.outboxes:
            await one.sender.close()
        if self._lis is not None:
            await self._lis.close()
        with contextlib.suppress(StoreError, AttributeError):
            await self.store.run(health_rows([health.row() for health in self.health.values()]))
            await seal_audit(self.config.site.id, self.store, self.clock)
        if hasattr(self, "store"):
            await self.store.stop()

    def _wake_for_orders(self) -> None:
        """Orders are new or other than before: analyzers may be told, results may have waited for them, and some leave for other laboratories."""
        self.worklist.signal.set()
        self._wake_delivery()
        self.awaited.signal.set()

    def _wake_worklist(self) -> None:
        self.worklist.signal.set()

    def _wake_delivery(self) -> None:
        for one in self.outboxes:
            one.signal.set()

    def _run(self, name: str, part: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(part, name=name))


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    tasks.clear()


async def _serve(config: Config) -> int:
    laboratory = Laboratory(config)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await laboratory.start()
        await laboratory.wait(stop)
    finally:
        await laboratory.stop()
    log.info("closed")
    return 0


def _open_files(connections: int) -> None:
    """Ask the system for as many open files as connections may need, beside our own."""
    wanted = connections + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning(
            "fewer open files are allowed than limits.connections needs; raise the limit",
            allowed=allowed,
            wanted=wanted,
        )


def main(arguments: list[str]) -> int:
    """Run the lines process; exit 78 when the configuration or the store cannot be used, so that nobody restarts it in vain.

    75 when the store cannot be written just now, and 70 when a part has died: then it is worth while to start again.
    """
    begin("lines")
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m labmw.app CONFIG\n")
        return 2
    try:
        config = load(Path(arguments[0]))
        _open_files(config.limits.connections)
        return asyncio.run(_serve(config))
    except StoreBusy as error:
        log.error("cannot start yet", why=str(error))
        return EX_TEMPFAIL
    except (ConfigError, PackError, StoreError) as error:
        log.error("cannot start", why=str(error))
        return EX_CONFIG
    except PartDied as error:
        log.error("a part of the daemon has died; start it again", why=str(error))
        return EX_SOFTWARE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
