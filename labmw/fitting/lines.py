"""How does each link to an analyzer get its line? As what it speaks and whether it is told what to do, with what its conversation needs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import structlog

from labmw.config import Link
from labmw.errors import DriverError
from labmw.fitting.ground import Ground, Work
from labmw.fitting.reading import Readers, profile_of
from labmw.fitting.replies import Replies
from labmw.lab.astm_worklist import AstmWorklist
from labmw.lab.hl7_worklist import Hl7Worklist
from labmw.lab.intake import LaboratoryIntake
from labmw.lab.work_link import asking_of
from labmw.lab.worklist import LaboratoryWorklist
from labmw.line.blocks import Hl7Conversation
from labmw.line.broadcast import Broadcaster
from labmw.line.conversation import AstmConversation, Terms
from labmw.line.health import LinkHealth
from labmw.line.hl7_asking import AskingHl7Conversation
from labmw.line.host_query import AskingConversation, Dispatcher
from labmw.line.law import LawConversation, LawLine
from labmw.line.link import Doorkeeper, LinkRunner
from labmw.line.plain import PlainConversation
from labmw.line.presence import Presence
from labmw.line.transport import Wire
from protocols.errors import SettingError

log = structlog.get_logger("labmw.app")

REPLY_PATIENCE = 60.0  # seconds until an application reply that is to be confirmed is sent again

Converse = Callable[[Wire], Coroutine[Any, Any, str]]


@dataclass(slots=True)
class Lines:
    """The lines to analyzers. `astm`, `asking` and `law` are what talks over them; the demonstration and tests put what does it wrongly."""

    ground: Ground
    readers: Readers
    replies: Replies
    intake: LaboratoryIntake
    worklist: LaboratoryWorklist
    asked: AstmWorklist
    asked_hl7: Hl7Worklist
    presence: Presence
    astm: type[AstmConversation]
    asking: type[AskingConversation]
    law: type[LawConversation]
    _broadcasters: dict[str, Broadcaster] = field(default_factory=dict)
    _dispatchers: dict[str, Dispatcher] = field(default_factory=dict)

    def open(self, doorkeeper: Doorkeeper, links: dict[str, LinkRunner]) -> Iterator[Work]:
        """Open each link whose driver can be used; `links` gets what runs it."""
        for link in self.ground.config.link:
            health = self.ground.health_of(link.name)
            try:
                terms = self.readers.terms(link)
            except (DriverError, SettingError) as error:
                health.trouble("driver", why=str(error))
                log.error("link stays closed; the others are unaffected", link=link.name, why=str(error))
                continue
            tls = self.ground.credentials_of(link.name, link.tls, server=bool(link.listen))
            talk = self._converse(link, terms, health)
            runner = LinkRunner(link, talk, health, doorkeeper, tls, self.presence)
            links[link.name] = runner
            yield f"link {link.name}", runner.run()
            if link.protocol == "law":
                yield f"orders {link.name}", self._broadcasters[link.name].run()
            if link.name in self._dispatchers:
                yield f"orders {link.name}", self._dispatchers[link.name].run()
            if link.orders:  # a second connection, which labmw opens (LAW's other topology)
                second = msgspec.structs.replace(link, listen="", connect=link.orders)
                tls = self.ground.credentials_of(link.name, link.tls, server=False)
                orders = LinkRunner(second, self._converse(second, terms, health), health, doorkeeper, tls)
                yield f"orders of {link.name}", orders.run()

    def wake(self, link: str) -> None:
        """There is work for the analyzer of a link."""
        if link in self._broadcasters:
            self._broadcasters[link].wake()
        if link in self._dispatchers:
            self._dispatchers[link].wake()
        if link in self.asked_hl7.links:
            self.asked_hl7.signal.set()

    def _converse(self, link: Link, terms: Terms, health: LinkHealth) -> Converse:
        if link.protocol == "law":
            return self._converse_law(link, terms, health)
        if link.work and link.protocol == "astm":
            return self._converse_asking(link, terms, health)
        if link.protocol == "hl7":
            replying, envelopes = (
                self.replies.on(link.name, health, link.ack_timeout or REPLY_PATIENCE),
                self.replies.envelopes,
            )

            dialect = asking_of(terms.driver) if link.work and terms.driver else None

            async def converse_hl7(wire: Wire) -> str:
                ground = self.ground
                parts = (wire, terms, ground.store, self.intake, health, ground.clock)
                if dialect is None:
                    return await Hl7Conversation(*parts, replying=replying, envelopes=envelopes).run()
                asking = AskingHl7Conversation(*parts, self.asked_hl7, dialect, replying=replying, envelopes=envelopes)
                return await asking.run()

            return converse_hl7
        kind = PlainConversation if terms.plain else self.astm

        async def converse(wire: Wire) -> str:
            return await kind(wire, terms, self.ground.store, self.intake, health, self.ground.clock).run()

        return converse

    def _converse_law(self, link: Link, terms: Terms, health: LinkHealth) -> Converse:
        profile = profile_of(link)
        broadcaster = self._broadcasters.setdefault(
            link.name,
            Broadcaster(
                link.name,
                self.worklist,
                health,
                self.ground.clock,
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
        replying, envelopes = self.replies.on(link.name, health, patience), self.replies.envelopes

        async def converse(wire: Wire) -> str:
            line = self.law(
                wire,
                terms,
                self.ground.store,
                self.intake,
                health,
                self.ground.clock,
                law,
                replying=replying,
                envelopes=envelopes,
            )
            return await line.run()

        return converse

    def _converse_asking(self, link: Link, terms: Terms, health: LinkHealth) -> Converse:
        dispatcher = self._dispatchers.setdefault(
            link.name, Dispatcher(link.name, self.asked, health, self.ground.clock)
        )
        trusted = bool(
            link.connect or link.serial or link.allow
        )  # who is at the other end is known before it has spoken

        async def converse(wire: Wire) -> str:
            line = self.asking(
                wire, terms, self.ground.store, self.intake, health, self.ground.clock, dispatcher, trusted=trusted
            )
            return await line.run()

        return converse
