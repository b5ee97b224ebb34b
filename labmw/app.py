"""Build every part from the configuration and run it: the only place where parts meet.

python -m labmw.app CONFIG          the process that talks to analyzers and to the LIS (law 16)
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import structlog

from labmw.clock import SYSTEM, Clock, stamp
from labmw.config import Config, Destination, Link, Lis, address, content_of, load
from labmw.config import FileDrop as DropSettings
from labmw.delivery.astm import AstmAsking, AstmSender
from labmw.delivery.files import FileDrop
from labmw.delivery.inquiry import Asking, Hl7Asking, Inquiry, Said
from labmw.delivery.lis import LisReport
from labmw.delivery.lis02 import Lis02Writer
from labmw.delivery.mllp import MllpSender
from labmw.delivery.outbox import Outbox, Sender, no_word, nobody_waits
from labmw.delivery.patience import Patience
from labmw.delivery.settling import Settling
from labmw.dialect import DIALECTS
from labmw.driver import Driver, Reading
from labmw.driver import astm as astm_reading
from labmw.driver import hl7 as hl7_reading
from labmw.driver import law as law_reading
from labmw.driver import plain as plain_reading
from labmw.driver.declaration import Hl7Driver
from labmw.driver.order_writing import dialect_of
from labmw.errors import ConfigError, DriverError, PackError, StoreBusy, StoreError
from labmw.exchange import Exchanges
from labmw.lab.astm_worklist import AstmWorklist
from labmw.lab.awaited import Awaited
from labmw.lab.batch_envelopes import BatchEnvelopes
from labmw.lab.intake import LaboratoryIntake
from labmw.lab.law_orders import LawLink
from labmw.lab.lis_agreed import lis_terms
from labmw.lab.lis_feed import LisFeed
from labmw.lab.owed_replies import OwedReplies
from labmw.lab.practice import Practice
from labmw.lab.reconsidering import reconsider
from labmw.lab.replay import Replayed, received_again, replay
from labmw.lab.routes import routes
from labmw.lab.routing import Comparison, Route, Routing
from labmw.lab.sealing import seal
from labmw.lab.shadowing import Shadow
from labmw.lab.verification import Verification
from labmw.lab.work_link import AstmLink
from labmw.lab.worklist import LaboratoryWorklist
from labmw.line.blocks import Hl7Conversation
from labmw.line.broadcast import Broadcaster
from labmw.line.conversation import AstmConversation, Terms
from labmw.line.gathering import Gatherer, Gathering
from labmw.line.health import LinkHealth
from labmw.line.host_query import AskingConversation, Dispatcher
from labmw.line.law import LawConversation, LawLine
from labmw.line.link import Doorkeeper, LinkRunner, named_at
from labmw.line.lis import LisConversation
from labmw.line.lis_astm import AstmOutlet, LisAstmConversation
from labmw.line.plain import PlainConversation, gathering_of, plain_of
from labmw.line.presence import Presence
from labmw.line.received import Intake, Received, Stored
from labmw.line.recovery import recover
from labmw.line.registry import Ambiguous, Registry, reads
from labmw.line.replying import Replying
from labmw.line.transport import Wire
from labmw.mapping import site as mapping_site
from labmw.metrics import CERTIFICATE_ENDS
from labmw.store import open_store, schema, statements
from labmw.store.statements.quarantine import message_numbered, messages_in_quarantine
from labmw.store.transaction import Store, Transaction, ask
from labmw.tls.credentials import Credentials
from labmw.tls.settings import Tls
from labmw.watch.certificates import ends_of
from labmw.watch.inspection import packs_of, shadows_of
from labmw.watch.log import begin
from labmw.watch.packs_watch import falls_due, mark
from protocols.astm.datalink import Role
from protocols.astm.frame import MAX_TEXT_SERIAL
from protocols.astm.message import Message as AstmMessage
from protocols.astm.tolerance import STRICT
from protocols.errors import SettingError
from protocols.hl7.acknowledging import law_as_agreed
from protocols.hl7.acknowledgment import Acknowledgment
from protocols.hl7.datatypes import Code
from protocols.hl7.er7 import Message as Hl7Message
from protocols.hl7.profile import PERSONALITIES, LawProfile
from protocols.plain.message import PlainMessage
from rules.pack import Packs

log = structlog.get_logger("labmw.app")

EX_SOFTWARE, EX_TEMPFAIL, EX_CONFIG = 70, 75, 78  # sysexits.h
HEALTH_EVERY = 1.0  # seconds between looks at what changed on the links
PACKS_EVERY = 2.0  # seconds between looks at the files of rule packs
TAKE_UP_EVERY = 2.0  # seconds between looks for sessions that ended while the store was down
CERTIFICATES_EVERY = 30.0  # seconds between looks at certificate files; a new connection looks by itself
AHEAD = timedelta(minutes=10)
"""What is due later than that was written by a clock that ran ahead: no pause is so long by default."""
AWAY = timedelta(minutes=10)  # without a connection and a word for so long, an analyzer counts as away (routing)
REPLY_PATIENCE = 60.0  # seconds until an application reply that is to be confirmed is sent again
SEAL_EVERY = 10.0  # seconds between two seals of the audit
HEARTBEAT_EVERY = 15.0  # seconds at most between two writes of a link's state: how `labmw status` knows that we live


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
    store: Store = field(init=False)
    registry: Registry = field(init=False)
    packs: Packs = field(init=False)
    mappings: mapping_site.Mappings = field(init=False)
    shadows: tuple[Shadow, ...] = field(init=False, default=())
    links: dict[str, LinkRunner] = field(init=False, default_factory=dict)
    worklist: LaboratoryWorklist = field(init=False)
    awaited: Awaited = field(init=False)
    asked: AstmWorklist = field(init=False)
    routing: Routing = field(init=False)
    asking: type[AskingConversation] = AskingConversation
    law: type[LawConversation] = LawConversation
    _broadcasters: dict[str, Broadcaster] = field(init=False, default_factory=dict)
    _began: datetime = field(init=False)
    _dispatchers: dict[str, Dispatcher] = field(init=False, default_factory=dict)
    _replies: dict[str, Replying] = field(init=False, default_factory=dict)
    _health: dict[str, LinkHealth] = field(init=False, default_factory=dict)
    _presence: Presence = field(init=False, default_factory=Presence)
    _tasks: list[asyncio.Task[None]] = field(init=False, default_factory=list)
    _lines: list[asyncio.Task[None]] = field(init=False, default_factory=list)
    _outboxes: list[Outbox] = field(init=False, default_factory=list)
    _credentials: list[tuple[str, Credentials]] = field(init=False, default_factory=list)
    _astm_outlet: AstmOutlet = field(init=False, default_factory=AstmOutlet)
    _asker: MllpSender | None = field(init=False, default=None)

    async def start(self) -> None:
        """Open the store, take up what the last process left, and open the links. Raises StoreError, ConfigError."""
        site = self.config.site.id
        self._began = self.clock.now()
        unreadable = self.learn()
        self._tell_drivers()
        if unreadable is not None:
            log.error("signatures cannot be read: no pack judges, everything is held", why=str(unreadable))
        self._tell_packs()
        self._tell_mapping()
        settings = self.config.store
        keys = settings.key_file
        self.store = open_store(settings.url, group=settings.group, queue=settings.queue, serves=True, key_file=keys)
        await self.store.start()
        await self.store.run(_release_claims(site))
        await self.store.run(_bring_forward(site, self.clock.now()))  # it may have been set back while nothing ran
        self._outboxes = self._build_outboxes()
        self.routing = routing_of(self.config, self._available, self.clock)
        verification = Verification(
            site=site,
            store=self.store,
            clock=self.clock,
            packs=lambda: self.packs,
            destinations=[one.destination for one in self._outboxes],
            wake_delivery=self._wake_delivery,
            takes=routes(self.config),
            shadows=lambda: self.shadows,
            practice=Practice.of(self.config, {**self._law_links(), **self._astm_links()}),
            again=reconsider,
            wake_orders=self._wake_worklist,
        )
        tolerated = {link.name: link.clock_tolerance for link in self.config.link}
        partners = Exchanges(
            self.config,
            self.store,
            self.clock,
            self._health_of,
            self._credentials_for,
            self._replying_on,
            self._envelopes,
        )
        self._outboxes += partners.outboxes
        intake = LaboratoryIntake(
            site,
            self.store,
            self.clock,
            self._read,
            lambda: self.packs,
            verification.signal.set,
            settings.commit_timeout,
            asking=frozenset(link.name for link in self.config.link if link.work),
            presence=self._presence,
            clock_tolerance=lambda name: tolerated.get(name, 0.0),
            specimens=self._specimens,
        )
        feed = self._build_feed()
        by_line = _ByLine(intake, feed)
        try:
            found = await recover(site, self.store, by_line, self.clock, self._gathering)
        except StoreError as error:  # the store is there and cannot be written just now: to be tried again
            raise StoreBusy(f"what the last process left cannot be taken up yet: {error}") from error
        if found:
            log.warning("messages recovered that the last process had acknowledged in part", messages=found)
        if not self._outboxes:
            log.warning("no [lis] and no [[files]] in the configuration: what is released stays in labmw")
        self._spawn(self._tasks, "verification", verification.run())
        self.awaited = Awaited(
            site,
            self.store,
            self.clock,
            self._read,
            self._gathering,
            self._encoding,
            lambda: self.packs,
            verification.signal.set,
            lambda name: tolerated.get(name, 0.0),
            self._specimens,
        )
        self._spawn(self._tasks, "awaited", self.awaited.run())
        for one in self._outboxes:
            self._spawn(self._tasks, f"outbox {one.destination}", one.run())
        self._spawn(self._tasks, "health", self._write_health())
        self._spawn(self._tasks, "take-up", self._take_up(by_line))
        self._spawn(self._tasks, "audit", self._seal())
        self._spawn(self._tasks, "clock", self._watch_clock())
        self.worklist = LaboratoryWorklist(
            site, self.store, self.clock, self._law_links(), self.config.orders.max_age, settings.commit_timeout
        )
        self.worklist.wake = self._wake_orders
        self.asked = AstmWorklist(
            site, self.store, self.clock, self._astm_links(), self.config.orders.max_age, settings.commit_timeout
        )
        self.worklist.others = tuple(self.asked.links.values())
        doorkeeper = Doorkeeper(self.config.limits.connections)
        self._open_links(intake, doorkeeper)
        self._open_feed(feed, doorkeeper)
        self._open_inquiry(feed)
        partners.wake(self.worklist.signal.set, verification.signal.set, self._wake_delivery)
        for name, work in partners.work():
            self._spawn(self._tasks, name, work)
        for name, work in partners.lines(doorkeeper, self.links):
            self._spawn(self._lines, name, work)
        if self.worklist.links or self.worklist.others:
            self._spawn(self._tasks, "worklist", self.worklist.run())
        self._spawn(self._tasks, "rule packs", self._watch_packs())
        if self._credentials:
            self._spawn(self._tasks, "certificates", self._watch_certificates())
        log.info(
            "open", site=site, links=len(self.links), drivers=len(self.registry.drivers), packs=len(self.packs.active)
        )

    def learn(self) -> PackError | None:
        """Load drivers and packs; returns why no signature could be read."""
        self.registry = Registry.find([Path(self.config.drivers.folder)] if self.config.drivers.folder else [])
        self.packs, unreadable = packs_of(self.config)
        self.mappings = mapping_site.find(self.config.mapping.folder, self.config.mapping.signatures)
        self.shadows, _ = shadows_of(self.config, self.packs)
        return unreadable

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
        for one in self._outboxes:
            await one.sender.close()
        if self._asker:
            await self._asker.close()
        with contextlib.suppress(StoreError, AttributeError):
            await self.store.run(_health_rows([health.row() for health in self._health.values()]))
            await seal_audit(self.config.site.id, self.store, self.clock)
        if hasattr(self, "store"):
            await self.store.stop()

    # --- building ---------------------------------------------------------------------------------------------------------

    def _open_links(self, intake: LaboratoryIntake, doorkeeper: Doorkeeper) -> None:
        for link in self.config.link:
            health = self._health_of(link.name)
            try:
                terms = self._terms(link)
            except (DriverError, SettingError) as error:
                health.trouble("driver", why=str(error))
                log.error("link stays closed; the others are unaffected", link=link.name, why=str(error))
                continue
            tls = self._credentials_of(link.name, link.tls, server=bool(link.listen))
            talk = self._converse(link, terms, intake, health)
            runner = LinkRunner(link, talk, health, doorkeeper, tls, self._presence)
            self.links[link.name] = runner
            self._spawn(self._lines, f"link {link.name}", runner.run())
            if link.protocol == "law":
                self._spawn(self._lines, f"orders {link.name}", self._broadcasters[link.name].run())
            if link.name in self._dispatchers:
                self._spawn(self._lines, f"orders {link.name}", self._dispatchers[link.name].run())
            if link.orders:  # a second connection, which labmw opens (LAW's other topology)
                second = msgspec.structs.replace(link, listen="", connect=link.orders)
                tls = self._credentials_of(link.name, link.tls, server=False)
                orders = LinkRunner(second, self._converse(second, terms, intake, health), health, doorkeeper, tls)
                self._spawn(self._lines, f"orders of {link.name}", orders.run())

    def _build_feed(self) -> LisFeed | None:
        """What takes in what the LIS sends; None when it sends nothing."""
        lis, agreed = self.config.lis, lis_terms(self.config)
        if lis is None or agreed is None or not lis.speaks:
            return None
        return LisFeed(agreed, self.store, self.clock, commit_timeout=self.config.store.commit_timeout)

    def _open_feed(self, feed: LisFeed | None, doorkeeper: Doorkeeper) -> None:
        """Open the line on which the LIS sends: orders, identities, and what it releases."""
        lis = self.config.lis
        if lis is None or feed is None:
            return
        astm = lis.protocol == "astm"
        link = Link(
            name=lis.feed,
            listen=lis.listen,
            connect=lis.connect if astm else "",
            protocol=lis.protocol,
            role="instrument",
            allow=lis.allow,
            encoding=lis.encoding,
            connections=lis.connections,
            batch_reply=lis.batch_reply,
        )
        health, terms = self._health_of(link.name), self._terms(link)
        ltw = feed.terms.dialect.ltw
        agreed = replace(terms, two_replies=ltw.two_replies, reply_accept=ltw.reply_accept)
        replying = None if astm else self._replying_on(link.name, health, lis.ack_timeout)
        for outbox in self._outboxes:
            if outbox.destination == lis.name:
                feed.settle, feed.settled = outbox.settle, outbox.heard

        async def converse(wire: Wire) -> str:
            if astm:
                line = LisAstmConversation(wire, terms, self.store, feed, health, self.clock, self._astm_outlet)
                return await line.run()
            talk = LisConversation(
                wire, agreed, self.store, feed, health, self.clock, replying=replying, envelopes=self._envelopes
            )
            return await talk.run()

        tls = self._credentials_of(lis.feed, lis.tls, server=bool(link.listen))
        feed.wake = self._wake_for_orders
        self.links[link.name] = runner = LinkRunner(link, converse, health, doorkeeper, tls)
        self._spawn(self._lines, f"link {link.name}", runner.run())

    def _open_inquiry(self, feed: LisFeed | None) -> None:
        """Have the LIS asked about tubes that nobody has ordered anything on."""
        lis = self.config.lis
        if lis is None or not lis.query_patience:
            return
        zone = ZoneInfo(self.config.site.timezone)
        asking: Asking
        if lis.protocol == "astm":
            sender = AstmSender(self._astm_outlet, lis.query_patience)
            asking = question = AstmAsking(
                sender, self._lis02(lis), lis.sending_application, lis.name, zone, self.clock
            )
            if feed is not None:
                feed.heard = question.heard
        else:
            host, port = address("the configuration", "lis.connect", lis.connect)
            tls = self._credentials_of(lis.name, lis.tls, server=False)
            self._asker = MllpSender(host, port, patience=lis.query_patience, tls=tls)
            site, us = self.config.site.id, lis.sending_application
            asking = Hl7Asking(self._asker.deliver, us, site, lis.name, lis.facility, zone, self.clock)
        inquiry = Inquiry(self.config.site.id, self.store, asking, lis.query_patience)

        async def said_nothing(tube: str) -> bool:
            return await inquiry.about(tube) is Said.NOTHING

        self.worklist.inquire = self.asked.inquire = said_nothing

    @staticmethod
    def _lis02(lis: Lis) -> Lis02Writer:
        codes = {meant: code for code, meant in lis.tests.items() if isinstance(meant, str)}
        return Lis02Writer(codes, lis.encoding or "latin-1")

    def _converse(
        self, link: Link, terms: Terms, intake: LaboratoryIntake, health: LinkHealth
    ) -> Callable[[Wire], Coroutine[Any, Any, str]]:
        if link.protocol == "law":
            return self._converse_law(link, terms, intake, health)
        if link.work:
            return self._converse_asking(link, terms, intake, health)
        if link.protocol == "hl7":
            replying, envelopes = (
                self._replying_on(link.name, health, link.ack_timeout or REPLY_PATIENCE),
                self._envelopes,
            )

            async def converse_hl7(wire: Wire) -> str:
                line = Hl7Conversation(
                    wire, terms, self.store, intake, health, self.clock, replying=replying, envelopes=envelopes
                )
                return await line.run()

            return converse_hl7
        kind = PlainConversation if terms.plain else self.astm

        async def converse(wire: Wire) -> str:
            return await kind(wire, terms, self.store, intake, health, self.clock).run()

        return converse

    def _replying_on(self, name: str, health: LinkHealth, patience: float) -> Replying:
        """What sees the application replies of a line through that follow a commit acknowledgment."""
        if name not in self._replies:
            owed = OwedReplies(self.config.site.id, self.store, self.clock, self.config.store.commit_timeout)
            self._replies[name] = Replying(name, owed, health, self.clock, patience)
            self._spawn(self._lines, f"replies {name}", self._replies[name].run())
        return self._replies[name]

    @property
    def _envelopes(self) -> BatchEnvelopes:
        return BatchEnvelopes(self.config.site.id, self.store, self.clock, self.config.store.commit_timeout)

    def _converse_law(
        self, link: Link, terms: Terms, intake: LaboratoryIntake, health: LinkHealth
    ) -> Callable[[Wire], Coroutine[Any, Any, str]]:
        profile = profile_of(link)
        broadcaster = self._broadcasters.setdefault(
            link.name,
            Broadcaster(
                link.name,
                self.worklist,
                health,
                self.clock,
                link.ack_timeout or profile.reply_seconds,
                profile.resends,
                profile.in_flight,
                profile.commit_seconds,
            ),
        )
        # With a connection of their own, orders leave by it alone; who is dialled, or let in by name, may be told before it has spoken.
        outlet = link.connect or not link.orders
        law = LawLine(
            profile, self.worklist, broadcaster, trusted=bool(link.connect or link.allow), outlet=bool(outlet)
        )

        terms = replace(terms, two_replies=profile.two_replies, reply_accept=profile.reply_accept)
        patience = link.ack_timeout or profile.reply_seconds
        replying, envelopes = self._replying_on(link.name, health, patience), self._envelopes

        async def converse(wire: Wire) -> str:
            line = self.law(
                wire, terms, self.store, intake, health, self.clock, law, replying=replying, envelopes=envelopes
            )
            return await line.run()

        return converse

    def _converse_asking(
        self, link: Link, terms: Terms, intake: LaboratoryIntake, health: LinkHealth
    ) -> Callable[[Wire], Coroutine[Any, Any, str]]:
        dispatcher = self._dispatchers.setdefault(link.name, Dispatcher(link.name, self.asked, health, self.clock))
        trusted = bool(
            link.connect or link.serial or link.allow
        )  # who is at the other end is known before it has spoken

        async def converse(wire: Wire) -> str:
            line = self.asking(wire, terms, self.store, intake, health, self.clock, dispatcher, trusted=trusted)
            return await line.run()

        return converse

    def _astm_links(self) -> dict[str, AstmLink]:
        """What the worklist needs to know of the ASTM links that are told what to do, and whose driver can be used."""
        found: dict[str, AstmLink] = {}
        for link in self.config.link:
            with contextlib.suppress(DriverError, SettingError):
                if link.work and (driver := self._driver_of(link)):
                    found[link.name] = replace(astm_link(link, driver, self.config), routing=self.routing)
        return found

    def _law_links(self) -> dict[str, LawLink]:
        """What the worklist needs to know of the LAW links whose driver can be used."""
        found: dict[str, LawLink] = {}
        for link in self.config.link:
            with contextlib.suppress(DriverError):
                if link.protocol == "law" and (driver := self._driver_of(link)):
                    found[link.name] = replace(law_link(link, driver, self.config), routing=self.routing)
        return found

    def _wake_for_orders(self) -> None:
        """Orders are new or other than before: analyzers may be told, results may have waited for them, and some leave for other laboratories."""
        self.worklist.signal.set()
        self._wake_delivery()
        self.awaited.signal.set()

    def _available(self, link: str) -> bool:
        """Whether an analyzer can be reached: it is connected, or was a while ago (some connect for each message, and we have just begun)."""
        health = self._health.get(link)
        if health is not None and health.connected:
            return True
        last = max(filter(None, (self._began, health.heard_at if health else None, health.since if health else None)))
        return self.clock.now() - last < AWAY

    def _wake_orders(self, link: str) -> None:
        if link in self._broadcasters:
            self._broadcasters[link].wake()
        if link in self._dispatchers:
            self._dispatchers[link].wake()

    def _terms(self, link: Link) -> Terms:
        driver = self._driver_of(link)
        base = driver.tolerances if driver else STRICT
        # On a tap the incumbent may be busy when we would not be: its analyzer then calls again.
        own: dict[str, str | int | float | bool] = {"enq_in_transfer": "restart"} if link.tap else {}
        plain = plain_of(link, driver)
        tolerances = base if plain else base.changed(own | link.tolerances)
        encoding = link.encoding  # HL7: MSH-18 says it, unless the link overrules
        if link.protocol not in ("hl7", "law") and not encoding:
            encoding = driver.encoding if driver else "latin-1"
        return Terms(
            site=self.config.site.id,
            link=link.name,
            role=Role(link.role),
            tolerances=tolerances,
            encoding=encoding,
            driver=driver,
            commit_timeout=self.config.store.commit_timeout,
            message_bytes=self.config.limits.message_bytes,
            idle_timeout=link.idle_timeout,
            frame_text=driver.orders.frame if link.work and driver and driver.orders else MAX_TEXT_SERIAL,
            tap=link.tap,
            two_replies=link.acknowledge != "application",
            reply_accept="AL" if link.acknowledge == "confirmed" else "NE",
            batch_reply=link.batch_reply,
            plain=plain,
        )

    def _driver_of(self, link: Link) -> Driver | None:
        """The driver that a link names, under the site's mapping; None where each message's header chooses. Raises DriverError."""
        if link.driver == "auto":
            return None
        driver = self.registry.named(link.driver)
        if not reads(driver, content_of(link)):
            raise DriverError(
                f"driver {driver.name!r} reads {driver.protocol} and the link speaks {link.protocol}; correct link.driver or link.protocol"
            )
        if link.work:
            dialect_of(driver, push=link.work == "push")  # raises where the driver does not say how it is told
        return self.mappings.driver(driver, link.name, self.clock.now())

    def _gathering(self, name: str) -> Gatherer:
        """What puts the messages of a link together, as its line does; a link that is gone or broken is read to the standard."""
        most = self.config.limits.message_bytes
        link = next((one for one in self.config.link if one.name == name), None)
        if link is not None:
            with contextlib.suppress(DriverError, SettingError):
                return gathering_of(self._terms(link))
        return Gathering(most=most)

    def _encoding(self, name: str) -> str:
        """The character set that a link is set to; "" where messages say theirs."""
        return next((link.encoding for link in self.config.link if link.name == name), "")

    def _read(self, received: Received) -> Reading:
        """Read a message with its link's driver, or with the one that its header names; without its patients' names where they mean nothing."""
        link = next((one for one in self.config.link if one.name == received.link), None)
        reading = self._read_on(link, received)
        if link is None or link.names == "compare":
            return reading
        return replace(reading, patients=tuple(replace(one, name="") for one in reading.patients))

    def _read_on(self, link: Link | None, received: Received) -> Reading:
        zone = ZoneInfo((link.timezone if link else "") or self.config.site.timezone)
        driver: Driver | None = None
        if link is not None:
            with contextlib.suppress(DriverError):
                driver = self._driver_of(link)
        if driver is None and link is not None and link.senders:
            driver, station = self._at_address(link, received.peer)
            if station:
                return replace(self._read_with(driver, link, received, zone), station=station)
        return self._read_with(driver, link, received, zone)

    def _at_address(self, link: Link, peer: str) -> tuple[Driver | None, str]:
        """The driver of whoever sends from an address, where several analyzers dial one port; with the address."""
        name = named_at(peer, link.senders)
        with contextlib.suppress(DriverError):
            driver = self._driver_of(msgspec.structs.replace(link, driver=name)) if name else None
            return driver, peer.rpartition(":")[0] if driver else ""
        return None, ""

    def _read_with(self, driver: Driver | None, link: Link | None, received: Received, zone: ZoneInfo) -> Reading:
        """Read a message with this driver, or with the one that its header names."""
        message = received.message
        if isinstance(message, Hl7Message):
            found = driver or self._mapped(self.registry.recognise_hl7(message), received.link)
            if link is not None and link.protocol == "law":
                reader = self.registry.reader(found, "hl7")
                return law_reading.read(message, received.change, reader, profile_of(link), zone)
            plain = hl7_reading.read(message, self.registry.reader(found, "hl7"), zone=zone)
            # On a tap it answers the middleware that is there.
            return plain if link is None or link.tap else hl7_reading.unasked(plain, message, link.name)
        if isinstance(message, PlainMessage):
            found = driver or self._mapped(self.registry.recognise_plain(message), received.link)
            reader = self.registry.reader(found, message.protocol)
            return plain_reading.read(message, reader, zone=zone, tolerances_used=received.tolerances)
        assert isinstance(message, AstmMessage)
        found = driver or self._mapped(self.registry.recognise_message(message), received.link)
        return astm_reading.read(message, self.registry.reader(found), zone=zone, tolerances_used=received.tolerances)

    def _mapped(self, found: Driver | Ambiguous | None, link: str) -> Driver | Ambiguous | None:
        """A driver that a header chose, under the site's mapping."""
        return self.mappings.driver(found, link, self.clock.now()) if isinstance(found, Driver) else found

    def _specimens(self, link: str, driver: str, code: str) -> frozenset[str]:
        """On which kinds of tube the laboratory measures this."""
        if not self.mappings.configured:
            return frozenset()
        return mapping_site.specimens_of(self.mappings.now(self.clock.now()).version, link, driver, code)

    def _build_outboxes(self) -> list[Outbox]:
        """One for each destination: what one of them does not take, the others still get."""
        to_lis = self._build_outbox()
        further = [self._build_further(one) for one in self.config.destination]
        drops = [self._build_drop(drop) for drop in self.config.files]
        return ([to_lis] if to_lis is not None else []) + further + drops

    def _wake_worklist(self) -> None:
        self.worklist.signal.set()

    def _wake_delivery(self) -> None:
        for one in self._outboxes:
            one.signal.set()

    def _build_drop(self, drop: DropSettings) -> Outbox:
        lis, health = self.config.lis or Lis(connect="", name=drop.name), self._health_of(drop.name)
        zone = ZoneInfo(self.config.site.timezone)
        report = LisReport(
            self.config.site.id, lis.sending_application, lis.name, lis.facility, zone, lis.auto_release_text
        )
        return Outbox(
            site=self.config.site.id,
            destination=drop.name,
            store=self.store,
            clock=self.clock,
            sender=FileDrop(Path(drop.folder)),
            compose=report.compose,
            patience=Patience(drop.retry_base, cap=drop.retry_cap),
            trouble=lambda code, facts: health.trouble(code, **facts),
            well=health.well,
        )

    def _build_further(self, one: Destination) -> Outbox:
        site, health = self.config.site, self._health_of(one.name)
        lis, dialect = self.config.lis or Lis(connect="", name=one.name), DIALECTS[one.dialect]
        host, port = address("the configuration", "destination.connect", one.connect)
        tls = self._credentials_of(one.name, one.tls, server=False)
        zone = ZoneInfo(site.timezone)
        report = LisReport(
            site.id,
            lis.sending_application,
            one.name,
            one.facility,
            zone,
            lis.auto_release_text,
            dialect.ltw,
            lis.biological_validation,
        )
        sender = MllpSender(host, port, patience=one.ack_timeout, tls=tls, two_replies=dialect.two_replies)
        return Outbox(
            site=site.id,
            destination=one.name,
            store=self.store,
            clock=self.clock,
            sender=sender,
            compose=report.compose,
            patience=Patience(one.retry_base, cap=one.retry_cap),
            attempts=one.attempts,
            lease=max(120.0, 3 * one.ack_timeout),
            after=Settling(site.id, dialect).after,
            two_replies=dialect.two_replies,
            confirm=sender.confirm,
            trouble=lambda code, facts: health.trouble(code, **facts),
            well=health.well,
        )

    def _build_outbox(self) -> Outbox | None:
        lis, agreed = self.config.lis, lis_terms(self.config)
        if lis is None or agreed is None:
            return None
        host, port = address("the configuration", "lis.connect", lis.connect)
        health = self._health_of(lis.name)
        astm = lis.protocol == "astm"
        sender: Sender
        confirm: Callable[[bytes], Awaitable[None]] = no_word
        overheard: Callable[[Acknowledgment, bytes], bool] = nobody_waits
        if astm:
            sender = AstmSender(self._astm_outlet, lis.ack_timeout)
        else:
            tls = self._credentials_of(lis.name, lis.tls, server=False)
            sender = mllp = MllpSender(
                host, port, patience=lis.ack_timeout, tls=tls, two_replies=agreed.dialect.two_replies
            )
            confirm, overheard = mllp.confirm, mllp.heard
            if lis.tls:
                warn_days = lis.tls.warn_days
                mllp.met = lambda certificate: health.met(certificate, warn_days)
        report = LisReport(
            self.config.site.id,
            lis.sending_application,
            lis.name,
            lis.facility,
            ZoneInfo(self.config.site.timezone),
            lis.auto_release_text,
            agreed.dialect.ltw,
            agreed.validation,
            self._lis02(lis) if astm else None,
        )
        return Outbox(
            site=self.config.site.id,
            destination=lis.name,
            store=self.store,
            clock=self.clock,
            sender=sender,
            compose=report.compose,
            patience=Patience(lis.retry_base, lis.retry_factor, lis.retry_cap, lis.retry_jitter),
            attempts=lis.attempts,
            lease=max(120.0, 3 * lis.ack_timeout),
            after=Settling(self.config.site.id, agreed.dialect).after,
            two_replies=agreed.dialect.two_replies,
            confirm=confirm,
            overheard=overheard,
            trouble=lambda code, facts: health.trouble(code, **facts),
            well=health.well,
        )

    # --- telling ----------------------------------------------------------------------------------------------------------

    def _credentials_of(self, name: str, tls: Tls | None, *, server: bool) -> Credentials | None:
        """What a line or destination speaks TLS with; files that cannot be used are told, and looked at again and again."""
        if tls is None:
            return None
        credentials = Credentials(tls, server=server)
        credentials.refresh()
        if credentials.problem:
            log.error("certificate files cannot be used", link=name, why=credentials.problem)
        self._credentials.append((name, credentials))
        return credentials

    def _credentials_for(self, name: str, tls: Tls | None, server: bool) -> Credentials | None:
        return self._credentials_of(name, tls, server=server)

    def _look_at_certificates(self) -> None:
        """Take renewed certificates, tell those that cannot be used, and show until when each is valid."""
        problems: dict[str, str] = {}
        for name, credentials in self._credentials:
            if credentials.refresh():
                log.info("renewed certificate files are in use; open connections keep the old ones", link=name)
            problems[name] = problems.get(name) or credentials.problem
            for whose, ends in ends_of(credentials.tls).items():
                CERTIFICATE_ENDS.labels(name, whose).set(ends.timestamp())
        for name, why in problems.items():
            health = self._health_of(name)
            if why:
                health.trouble("certificate-files", why=why)
            else:
                health.well("certificate-files")

    async def _watch_certificates(self) -> None:
        while True:
            self._look_at_certificates()
            await asyncio.sleep(CERTIFICATES_EVERY)

    def _health_of(self, name: str) -> LinkHealth:
        if name not in self._health:
            self._health[name] = LinkHealth(self.config.site.id, name, self.clock)
        return self._health[name]

    def _tell_drivers(self) -> None:
        for file, error in self.registry.broken.items():
            log.error("driver file cannot be used", file=str(file), why=str(error))
        for name, file in self.registry.replaced.items():
            log.warning("the laboratory's own driver replaces the shipped one", driver=name, file=str(file))

    def _tell_mapping(self) -> None:
        for error in self.mappings.broken:
            log.error("a version of the mapping cannot be used", why=str(error))
        state = self.mappings.state(self.clock.now())
        if state.version is not None:
            log.info("mapping in force", mapping=state.version.name)
        elif self.mappings.configured:
            log.error("no mapping is in force: the codes it names go to quarantine", why=state.code)

    def _tell_packs(self) -> None:
        for broken in self.packs.broken:
            log.error(
                "rule pack cannot be used; what it would have judged is held", pack=broken.pack, why=str(broken.error)
            )
        for one in self.packs.inactive:
            log.warning("rule pack does not judge", pack=one.pack, why=one.code)

    async def _watch_packs(self) -> None:
        """Read the rule packs again when their files or signatures change, or a signature begins to hold: stopping must work at once."""
        known, at = await asyncio.to_thread(mark, self.config), self.clock.now()
        while True:
            await asyncio.sleep(PACKS_EVERY)
            seen, now = await asyncio.to_thread(mark, self.config), self.clock.now()
            if seen == known and not await asyncio.to_thread(falls_due, self.config, at, now):
                at = now
                continue
            packs, unreadable = await asyncio.to_thread(packs_of, self.config)
            known, at = seen, now
            if unreadable is not None:
                log.error("the signatures cannot be read; the packs in force stay in force", why=str(unreadable))
                continue
            self.packs = packs
            self.shadows, _ = await asyncio.to_thread(shadows_of, self.config, packs)
            log.info("rule packs were read again", active=[pack.name for pack in packs.active])
            self._tell_packs()

    async def _take_up(self, intake: Intake) -> None:
        """Hand over what ended while the store was down, as soon as it is back: it was acknowledged frame by frame."""
        while True:
            await asyncio.sleep(TAKE_UP_EVERY)
            for health in self._health.values():
                owed = set(health.owed)
                if not owed:
                    continue
                try:
                    await recover(self.config.site.id, self.store, intake, self.clock, self._gathering, owed)
                except StoreError as error:
                    log.warning("messages still wait in the journal for the store", link=health.link, why=str(error))
                else:
                    health.owed -= owed
                    health.well("store")

    async def _write_health(self) -> None:
        """Write each link's state when it changed, and now and then to say that we live."""
        written = 0.0
        while True:
            changed = [health for health in self._health.values() if health.changed]
            if self.clock.monotonic() - written >= HEARTBEAT_EVERY or any(health.changed for health in changed):
                rows = [health.row() for health in self._health.values()]
                for health in changed:
                    health.changed = False
                with contextlib.suppress(StoreError):
                    await self.store.run(_health_rows(rows))
                written = self.clock.monotonic()
            await asyncio.sleep(HEALTH_EVERY)

    async def _watch_clock(self) -> None:
        """A clock that is set back must not make anything wait for it: what would be due far ahead is due now."""
        site, before = self.config.site.id, self.clock.now()
        while True:
            await asyncio.sleep(TAKE_UP_EVERY)
            now = self.clock.now()
            if now < before:
                log.warning("the clock was set back; what waited for a later moment is due now", by=str(before - now))
                with contextlib.suppress(StoreError):
                    await self.store.run(_bring_forward(site, now))
            before = now

    async def _seal(self) -> None:
        """Seal the audit now and then, behind what writes it."""
        while True:
            await asyncio.sleep(SEAL_EVERY)
            with contextlib.suppress(StoreError):
                await seal_audit(self.config.site.id, self.store, self.clock)

    @staticmethod
    def _spawn(tasks: list[asyncio.Task[None]], name: str, work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.create_task(work, name=name))


def profile_of(link: Link) -> LawProfile:
    """How the analyzer of a LAW link speaks, with the acknowledgments that were agreed for the link."""
    return law_as_agreed(PERSONALITIES[link.profile], link.acknowledge)


def law_link(link: Link, driver: Driver, config: Config) -> LawLink:
    """What the worklist needs to know of a LAW link: what its analyzer measures, in its own codes; of two codes of one test, the first."""
    codes: dict[str, Code] = {}
    for code, test in driver.tests.items():
        if test.loinc and not test.index:
            system = "LN" if code == test.loinc else link.code_system
            codes.setdefault(test.loinc, Code(code, test.name or code, system))
    zone = ZoneInfo(link.timezone or config.site.timezone)
    return LawLink(
        link.name,
        codes,
        profile_of(link),
        zone,
        facility=config.site.name or config.site.id,
        push=link.push,
        patients=link.patients,
        anything=isinstance(driver, Hl7Driver) and driver.coded,
        only=frozenset(link.tests),
    )


def routing_of(config: Config, available: Callable[[str], bool], clock: Clock) -> Routing:
    """Which analyzer is to do which test, as the configuration says."""
    zone = ZoneInfo(config.site.timezone)
    routes: dict[str, Route] = {}
    for one in config.route:
        told = one.comparable
        comparison = Comparison(told.document, told.by, told.until) if told else None
        route = Route(tuple(one.links), tuple(one.urgent), one.by, comparison)
        routes |= dict.fromkeys(one.tests, route)
    return Routing(routes, available, lambda: clock.now().astimezone(zone).date())


def astm_link(link: Link, driver: Driver, config: Config) -> AstmLink:
    """What the worklist needs to know of an ASTM link that is told what to do; raises SettingError for a tolerance that there is not."""
    return AstmLink(
        link.name,
        driver,
        ZoneInfo(link.timezone or config.site.timezone),
        link.work == "push",
        link.patients,
        frozenset(link.tests),
        encoding=link.encoding or driver.encoding,
        tolerances=driver.tolerances.changed(link.tolerances),
    )


async def replay_quarantine(
    config: Config, *, reason: str, messages: Sequence[int], by: str, why: str
) -> list[Replayed]:
    """Read what lies in quarantine again with today's drivers and packs, in the order in which it came, beside a running daemon.

    `reason` and `messages` narrow it down; "" and none mean everything. Raises StoreError; what was replayed by then stays so.
    """
    site = config.site.id
    laboratory = Laboratory(config)
    laboratory.learn()
    store = open_store(config.store.url, key_file=config.store.key_file)
    await store.start()
    try:
        found = [row.message for row in await store.view(ask(messages_in_quarantine(site, reason)))]
        replayed: list[Replayed] = []
        for number in [one for one in found if not messages or one in messages]:
            (row,) = await store.view(ask(message_numbered(site, number)))
            again = await store.view(received_again(site, row, laboratory._gathering, laboratory._encoding))
            if again is None or row.link.endswith(
                " messages"
            ):  # a partner's: it has the answer, and sends what it mends
                replayed.append(Replayed(number))
                continue
            reading = await asyncio.to_thread(laboratory._read, again)
            at = stamp(laboratory.clock.now())
            tolerance = next((link.clock_tolerance for link in config.link if link.name == again.link), 0.0)
            script = replay(
                site,
                number,
                again,
                reading,
                packs=laboratory.packs,
                at=at,
                by=by,
                why=why,
                tolerance=tolerance,
                specimens=laboratory._specimens,
            )
            replayed.append(await store.run(script))
    finally:
        await store.stop()
    return replayed


async def seal_audit(site: str, store: Store, clock: Clock) -> None:
    """Seal all that has been written to the audit by now; raises StoreError."""
    while True:
        rows, newest = await store.run(seal(site, stamp(clock.now())))
        if rows == 0:
            return
        log.info("audit sealed", rows=rows, hash=newest)


def _release_claims(site: str) -> Transaction[None]:
    """We are the only process on this store: what a dead one had claimed is free at once, not when its lease ends."""
    yield statements.release_work(site)
    yield statements.release_outbox(site)


def _bring_forward(site: str, now: datetime) -> Transaction[None]:
    values = {"now": stamp(now), "latest": stamp(now + AHEAD)}
    yield statements.bring_work_forward(site, **values)
    yield statements.bring_outbox_forward(site, **values)


def _health_rows(rows: list[dict[str, Any]]) -> Transaction[None]:
    for row in rows:
        yield statements.insert_or_update(schema.link_state, **row)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    tasks.clear()


async def _run(config: Config) -> int:
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
        return asyncio.run(_run(config))
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
