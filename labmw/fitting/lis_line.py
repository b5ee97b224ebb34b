"""How does the laboratory hear its LIS? On a line of its own where the LIS sends orders, identities and results, and by asking about a tube that nobody knows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from labmw.config import Link, address
from labmw.delivery.astm import AstmAsking, AstmSender
from labmw.delivery.inquiry import Asking, Hl7Asking, Inquiry, Said
from labmw.delivery.mllp import MllpSender
from labmw.delivery.outbox import Outbox
from labmw.fitting.ground import Ground, Work
from labmw.fitting.outboxes import lis02_of
from labmw.fitting.reading import Readers
from labmw.fitting.replies import Replies
from labmw.lab.lis_agreed import lis_terms
from labmw.lab.lis_feed import LisFeed
from labmw.line.link import Doorkeeper, LinkRunner
from labmw.line.lis import LisConversation
from labmw.line.lis_astm import AstmOutlet, LisAstmConversation
from labmw.line.transport import Wire


@dataclass(slots=True)
class LisLine:
    """`feed` is what takes in what the LIS sends; None when it sends nothing."""

    ground: Ground
    readers: Readers
    replies: Replies
    outlet: AstmOutlet
    feed: LisFeed | None = field(init=False)
    _asker: MllpSender | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        config = self.ground.config
        lis, agreed = config.lis, lis_terms(config)
        self.feed = None
        if lis is not None and agreed is not None and lis.speaks:
            self.feed = LisFeed(
                agreed, self.ground.store, self.ground.clock, commit_timeout=config.store.commit_timeout
            )

    def open(
        self,
        doorkeeper: Doorkeeper,
        links: dict[str, LinkRunner],
        outboxes: Sequence[Outbox],
        wake: Callable[[], None],
    ) -> Iterator[Work]:
        """Open the line on which the LIS sends: orders, identities, and what it releases; `wake` is told when orders have changed."""
        lis, feed = self.ground.config.lis, self.feed
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
        health, terms = self.ground.health_of(link.name), self.readers.terms(link)
        ltw = feed.terms.dialect.ltw
        agreed = replace(terms, two_replies=ltw.two_replies, reply_accept=ltw.reply_accept)
        replying = None if astm else self.replies.on(link.name, health, lis.ack_timeout)
        for outbox in outboxes:
            if outbox.destination == lis.name:
                feed.settle, feed.settled = outbox.settle, outbox.heard

        async def converse(wire: Wire) -> str:
            if astm:
                line = LisAstmConversation(wire, terms, self.ground.store, feed, health, self.ground.clock, self.outlet)
                return await line.run()
            talk = LisConversation(
                wire,
                agreed,
                self.ground.store,
                feed,
                health,
                self.ground.clock,
                replying=replying,
                envelopes=self.replies.envelopes,
            )
            return await talk.run()

        tls = self.ground.credentials_of(lis.feed, lis.tls, server=bool(link.listen))
        feed.wake = wake
        links[link.name] = runner = LinkRunner(link, converse, health, doorkeeper, tls)
        yield f"link {link.name}", runner.run()

    def inquiry(self) -> Callable[[str], Awaitable[bool]] | None:
        """Asks the LIS about a tube that nobody has ordered anything on, and says whether it knows nothing either; None where it is not asked."""
        feed, lis = self.feed, self.ground.config.lis
        if lis is None or not lis.query_patience:
            return None
        zone = ZoneInfo(self.ground.config.site.timezone)
        asking: Asking
        if lis.protocol == "astm":
            sender = AstmSender(self.outlet, lis.query_patience)
            asking = question = AstmAsking(
                sender, lis02_of(lis), lis.sending_application, lis.name, zone, self.ground.clock
            )
            if feed is not None:
                feed.heard = question.heard
        else:
            host, port = address("the configuration", "lis.connect", lis.connect)
            tls = self.ground.credentials_of(lis.name, lis.tls, server=False)
            self._asker = MllpSender(host, port, patience=lis.query_patience, tls=tls)
            site, us = self.ground.config.site.id, lis.sending_application
            asking = Hl7Asking(self._asker.deliver, us, site, lis.name, lis.facility, zone, self.ground.clock)
        inquiry = Inquiry(self.ground.config.site.id, self.ground.store, asking, lis.query_patience)

        async def said_nothing(tube: str) -> bool:
            return await inquiry.about(tube) is Said.NOTHING

        return said_nothing

    async def close(self) -> None:
        """Close what the LIS is asked over."""
        if self._asker:
            await self._asker.close()
