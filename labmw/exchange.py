"""Which parts does the work with other laboratories need? For each partner an outbox, a line on which it is heard, and what takes in what it says.

Like `labmw.app`, which calls it, this is a place where parts meet.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labmw.clock import Clock
from labmw.config import Config, Link, address
from labmw.delivery.mllp import MllpSender
from labmw.delivery.outbox import Outbox, Sender, no_word, nobody_waits
from labmw.delivery.partner import PartnerAnswers, PartnerReport, PatientSender
from labmw.delivery.partner_files import PartnerDrop
from labmw.delivery.partner_printing import ReportPrinting
from labmw.delivery.patience import Patience
from labmw.lab.partner_agreed import partner_terms
from labmw.lab.partner_feed import PartnerFeed
from labmw.line.conversation import Terms
from labmw.line.file_place import FilePlace
from labmw.line.health import LinkHealth
from labmw.line.link import Doorkeeper, LinkRunner
from labmw.line.lis import LisConversation
from labmw.line.local_folder import LocalFolder
from labmw.line.received import Envelopes
from labmw.line.replying import Replying
from labmw.line.sftp_folder import SftpFolder
from labmw.line.transport import Wire
from labmw.partner import Exchange, Partner
from labmw.partner_folder import PartnerFolder
from labmw.sftp.session import SftpSession
from labmw.store.transaction import Store
from labmw.terms import PartnerTerms
from labmw.tls.credentials import Credentials
from labmw.tls.settings import Tls
from protocols.astm.datalink import Role
from protocols.astm.tolerance import STRICT

Work = tuple[str, Coroutine[Any, Any, None]]
"""A task's name, and what it does."""


@dataclass(slots=True)
class Exchanges:
    """Everything between this laboratory and others."""

    config: Config
    store: Store
    clock: Clock
    health_of: Callable[[str], LinkHealth]
    credentials_of: Callable[[str, Tls | None, bool], Credentials | None]
    replying_on: Callable[[str, LinkHealth, float], Replying]
    envelopes: Envelopes
    outboxes: list[Outbox] = field(default_factory=list)
    feeds: dict[str, PartnerFeed] = field(default_factory=dict)
    senders: dict[str, MllpSender] = field(default_factory=dict)  # by partner, those that are dialled
    places: dict[str, tuple[FilePlace, FilePlace]] = field(default_factory=dict)  # of a partner: its files, and ours

    def __post_init__(self) -> None:
        for partner in self.config.partners:
            if partner.files is not None:
                self.places[partner.name] = places_of(partner.files)
            terms = partner_terms(self.config, partner)
            self.feeds[partner.feed] = PartnerFeed(
                terms, self.store, self.clock, commit_timeout=self.config.store.commit_timeout
            )
            if (sender := self._sender(partner)) is not None:
                self.outboxes.append(outbox := self._outbox(partner, terms, sender))
                if outbox.two_replies:
                    feed = self.feeds[partner.feed]
                    feed.settle, feed.settled = outbox.settle, outbox.heard

    def _sender(self, partner: Partner) -> Sender | None:
        if partner.files is not None:
            return PartnerDrop(partner.files, self.places[partner.name][1])
        if not partner.connect:
            return None
        host, port = address("the configuration", f"partners ({partner.name}).connect", partner.connect)
        tls = self.credentials_of(partner.name, partner.tls, False)
        agreed = self.feeds[partner.feed].terms.lis.dialect
        mllp = MllpSender(host, port, patience=partner.ack_timeout, tls=tls, two_replies=agreed.two_replies)
        if partner.tls:
            warn_days, health = partner.tls.warn_days, self.health_of(partner.name)
            mllp.met = lambda certificate: health.met(certificate, warn_days)
        self.senders[partner.name] = mllp
        return PatientSender(mllp)

    def _outbox(self, partner: Partner, terms: PartnerTerms, sender: Sender) -> Outbox:
        health, mllp, two = self.health_of(partner.name), self.senders.get(partner.name), terms.lis.dialect.two_replies
        text = self.config.lis.auto_release_text if self.config.lis else AUTO_RELEASE[self.config.site.language]
        return Outbox(
            site=self.config.site.id,
            destination=partner.name,
            store=self.store,
            clock=self.clock,
            sender=sender,
            compose=PartnerReport(terms, text).compose,
            patience=Patience(partner.retry_base, cap=partner.retry_cap),
            attempts=partner.attempts,
            lease=max(120.0, 2 * partner.ack_timeout),
            waits=1.0,
            after=PartnerAnswers(terms).after,
            two_replies=two,
            confirm=mllp.confirm if mllp else no_word,
            overheard=mllp.heard if mllp else nobody_waits,
            trouble=lambda code, facts: health.trouble(code, **facts),
            well=health.well,
        )

    def wake(self, orders: Callable[[], None], verification: Callable[[], None], delivery: Callable[[], None]) -> None:
        """Whom to tell that a partner has said something."""
        for feed in self.feeds.values():
            feed.wake_orders, feed.wake_verification, feed.wake_delivery = orders, verification, delivery

    def work(self) -> Iterator[Work]:
        """What runs beside the lines."""
        for one in self.outboxes:
            partner = next(item for item in self.config.partners if item.name == one.destination)
            if partner.report == "pdf" and not partner.performs_for_us:
                terms = self.feeds[partner.feed].terms
                yield f"reports for {partner.name}", ReportPrinting(terms, self.store, self.clock, one.signal.set).run()

        for partner in self.config.partners:
            if partner.files is not None:
                yield f"files of {partner.name}", self._folder(partner).run()

    def _folder(self, partner: Partner) -> PartnerFolder:
        feed, limit = self.feeds[partner.feed], self.config.limits.message_bytes
        health = self.health_of(partner.feed)
        answers = PartnerAnswers(feed.terms)
        into, out = self.places[partner.name]
        return PartnerFolder(feed, answers, self.store, self.clock, health, limit, into, out, feed.wake_delivery)

    def lines(self, doorkeeper: Doorkeeper, links: dict[str, LinkRunner]) -> Iterator[Work]:
        """The lines on which partners are heard."""
        for partner in self.config.partners:
            if partner.listen:
                links[partner.feed] = runner = self._line(partner, doorkeeper)
                yield f"link {partner.feed}", runner.run()

    def _line(self, partner: Partner, doorkeeper: Doorkeeper) -> LinkRunner:
        link = Link(
            name=partner.feed,
            listen=partner.listen,
            protocol="hl7",
            allow=partner.allow,
            encoding=partner.encoding,
            connections=partner.connections,
        )
        health, feed = self.health_of(link.name), self.feeds[partner.feed]
        terms = Terms(
            site=self.config.site.id,
            link=link.name,
            role=Role.COMPUTER,
            tolerances=STRICT,
            encoding=link.encoding,
            driver=None,
            commit_timeout=self.config.store.commit_timeout,
            message_bytes=self.config.limits.message_bytes,
            idle_timeout=link.idle_timeout,
            two_replies=feed.terms.lis.dialect.ltw.two_replies,
            reply_accept=feed.terms.lis.dialect.ltw.reply_accept,
        )

        replying = self.replying_on(link.name, health, partner.ack_timeout)

        async def converse(wire: Wire) -> str:
            line = LisConversation(
                wire, terms, self.store, feed, health, self.clock, replying=replying, envelopes=self.envelopes
            )
            return await line.run()

        tls = self.credentials_of(partner.feed, partner.tls, True)
        return LinkRunner(link, converse, health, doorkeeper, tls)


def places_of(files: Exchange) -> tuple[FilePlace, FilePlace]:
    """Where a partner's files come from and ours go: two folders here, or two of its server over one connection."""
    if files.sftp is None:
        return LocalFolder(Path(files.into)), LocalFolder(Path(files.out))
    session = SftpSession(files.sftp)
    return SftpFolder(session, files.into), SftpFolder(session, files.out)


AUTO_RELEASE = {
    "fr": "Résultat validé automatiquement selon les règles du laboratoire, sans relecture par un biologiste.",
    "en": "Result released automatically by the rules of the laboratory, not reviewed by a biologist.",
}
