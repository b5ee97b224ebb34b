"""What has a partner laid into its folder? Whole files are taken in order, answered by a file, and put away; half-written ones are waited for.

A file is whole when it has not changed for a while and ends as its format ends. One that stays without its end is kept and refused: its sender is told.
Taken twice, it changes nothing: the same bytes get the same answer. Nothing is deleted; what was taken lies in `taken` beside what comes.
A file is set aside under a name of its own before it is read: once its answer is seen, its sender may lay the next one down under the same name.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from labmw.clock import Clock, stamp
from labmw.delivery.partner import PartnerAnswers
from labmw.delivery.partner_files import charset_of, message_of
from labmw.delivery.patience import Patience
from labmw.errors import PlaceError, StoreError
from labmw.lab.partner_feed import PartnerFeed
from labmw.line.file_place import ASIDE, FileGone, FilePlace, State, shown
from labmw.line.health import LinkHealth
from labmw.line.received import Received
from labmw.metrics import TOLERANCES
from labmw.partner import Exchange
from labmw.store import schema, statements
from labmw.store.encryption.shredding import write_anew
from labmw.store.statements import partners as stored
from labmw.store.transaction import Row, Store, Transaction
from protocols.errors import Hl7Error, HprimError
from protocols.hl7.acknowledgment import ErrorDetail, ack, read_ack
from protocols.hl7.er7 import Message
from protocols.hl7.escapes import escape
from protocols.hl7.separators import STANDARD
from protocols.hprim_hl7 import to_hprim

log = structlog.get_logger("labmw.line")

KEPT = 65536  # bytes of a file that is too large; the rest lies where it was put away
_SUFFIXES = frozenset({".hpr", ".hl7", ".ack", ".txt"})
_NUMBER = re.compile(r"(\d{1,9})\.[A-Za-z0-9]+$")


@dataclass(slots=True)
class PartnerFolder:
    """Watches one folder until it is cancelled."""

    feed: PartnerFeed
    answers: PartnerAnswers
    store: Store
    clock: Clock
    health: LinkHealth
    limit: int  # bytes of one file at most
    into: FilePlace
    out: FilePlace
    wake: Callable[[], None] = lambda: None
    failures: int = 0  # looks in a row that the place did not bear
    _seen: dict[str, tuple[State, float]] = field(default_factory=dict)
    _unread: list[PlaceError] = field(default_factory=list)  # of this look: files that may not be read

    @property
    def exchange(self) -> Exchange:
        """The folders."""
        files = self.feed.terms.partner.files
        assert files is not None
        return files

    async def run(self) -> None:
        """Look again and again; a place that cannot be used less and less often."""
        terms = self.feed.terms.partner
        patience = Patience(max(terms.retry_base, self.exchange.every), cap=max(terms.retry_cap, self.exchange.every))
        while True:
            wait = self.exchange.every
            try:
                await self.step()
                self._well()
            except PlaceError as error:
                self.failures += 1
                wait = patience.delay(self.failures)
                facts = {**error.facts, "reason": error.code, "why": str(error)}
                self.health.trouble("partner-folder", **facts)
                if self.failures == 1:
                    log.error("a partner's folder cannot be used", link=self.health.link, why=str(error))
            except StoreError as error:
                log.error("files of a partner wait for the store", link=self.health.link, why=str(error))
            except Exception as error:  # whatever it is, the lines and the next look go on
                log.exception("a partner's folder could not be looked through", link=self.health.link, why=str(error))
            await asyncio.sleep(wait)

    def _well(self) -> None:
        if self.failures:
            log.info("a partner's folder can be used again", link=self.health.link, after=self.failures)
        self.failures = 0
        self.health.well("partner-folder")
        if self._unread:
            first = self._unread[0]
            self.health.trouble("partner-file", **first.facts, reason=first.code, why=str(first))
        else:
            self.health.well("partner-file")

    async def step(self) -> int:
        """Take what is whole, in the order of the names; return how many files."""
        taken = 0
        lying = {one.name: one.state for one in await self.into.look()}
        self._seen = {name: seen for name, seen in self._seen.items() if name in lying}
        self._unread.clear()
        stuck = {name.removeprefix(ASIDE) for name in lying if name.startswith(ASIDE)}
        for name in sorted(stuck):
            if await self._one(name):
                stuck.discard(name)
                taken += 1
        for name, state in lying.items():
            if name.startswith(".") or name in stuck or Path(name).suffix.lower() not in _SUFFIXES:
                continue
            settled = self._settled(name, state)
            if not settled or not await self._whole(name, patient=settled < 2):
                continue
            try:
                mine = await self.into.set_aside(name, state)
            except FileGone:
                continue
            if mine:
                taken += await self._one(name)
        return taken

    async def _one(self, name: str) -> bool:
        """Take one file; one that cannot be taken is told, tried again, and does not stop the others."""
        try:
            await self._take(name)
        except FileGone:
            return False
        except PlaceError as error:
            if error.code != "place-file-denied":
                raise
            self._unread.append(error)
            return False
        except StoreError:
            raise
        except Exception as error:
            log.exception("a file of a partner could not be taken; it is tried again", file=name, why=str(error))
            return False
        return True

    def _settled(self, name: str, state: State) -> int:
        """0 while a file still changes, 1 when it has not for a while, 2 when it has not for ten times as long."""
        now = self.clock.monotonic()
        before, since = self._seen.get(name, (None, now))
        if before != state:
            self._seen[name] = (state, now)
            return 0 if self.exchange.settle else 1
        quiet = now - since
        return 0 if quiet < self.exchange.settle else 2 if quiet >= 10 * self.exchange.settle else 1

    async def _whole(self, name: str, *, patient: bool) -> bool:
        """Whether a file can be taken now: it is whole, or it has rested so long that its end will not come."""
        if not patient:
            return True
        try:
            data = await self.into.read(name, self.limit)
        except FileGone:  # its sender took it back
            return False
        except PlaceError as error:
            if error.code != "place-file-denied":
                raise
            self._unread.append(error)
            return False
        if len(data) > self.limit:
            return True
        try:
            message_of(data, self.exchange)
        except (Hl7Error, HprimError):
            return False
        return True

    async def _take(self, name: str) -> None:
        data = await self.into.read(f"{ASIDE}{name}", self.limit)
        if len(data) > self.limit:
            await self._refuse(name, data[:KEPT], f"it is larger than {self.limit} bytes")
        else:
            try:
                message = message_of(data, self.exchange)
            except (Hl7Error, HprimError) as error:
                await self._refuse(name, data, str(error))
            else:
                self.health.heard()
                if Path(name).suffix.lower() == ".ack":
                    await self.store.run(self._answered(name, data, message))
                    self.wake()
                else:
                    await self._message(name, data, message)
        await self.into.put_away(name, hashlib.sha256(data).hexdigest())

    async def _message(self, name: str, data: bytes, message: Message) -> None:
        digest = hashlib.sha256(data).hexdigest()
        other = charset_of(data, self.exchange)
        known = await self.store.view(_same(self.feed.terms.lis.site, self.feed.terms.partner.name, digest))
        row = self._row(name, digest, "duplicate" if known else "taken")
        row["detail"] = f"charset {other}" if other else ""
        received = self._received(name, data, message, digest, row)
        if other:
            TOLERANCES.labels(self.health.link, "charset").inc()
            self.health.trouble("partner-charset", file=shown(name), found=other, agreed=self.exchange.encoding)
            received = replace(received, tolerances=("charset",))
        else:
            self.health.well("partner-charset")
        stored_ = await self.feed.take(replace(received, before=()) if known else received)
        if known or stored_.repeat:
            await self.store.run(_keep(row | {"state": "duplicate", "message": stored_.message}))
        self.health.message()
        agreed = self.exchange.encoding
        await self._reply(
            name, stored_.reply, f"the file is in {other} and not in {agreed}: agree on one" if other else ""
        )

    async def _refuse(self, name: str, data: bytes, why: str) -> None:
        """A file that cannot be read is kept, shown and answered."""
        digest = hashlib.sha256(data).hexdigest()
        partner = self.feed.terms.partner
        sender = f"{escape(partner.application or partner.name, STANDARD)}|{escape(partner.facility, STANDARD)}"
        head = f"MSH|^~\\&|{sender}|||||ORM|{escape(shown(name), STANDARD)}|P|2.5.1\r"
        message = Message.parse(head.encode())
        row = self._row(name, digest, "rejected") | {"detail": why[:500]}
        received = self._received(name, data, message, digest, row)
        kept = await self.feed.refuse(received, why)
        log.warning("a file of a partner cannot be read; it is kept, and its sender is told", file=shown(name), why=why)
        await self._reply(name, kept.reply)

    def _received(self, name: str, data: bytes, message: Message, digest: str, row: dict[str, object]) -> Received:
        return Received(
            link=self.feed.terms.partner.feed,
            session=f"file {shown(name)} {digest[:16]}",
            peer=shown(name),
            protocol=self.exchange.format,
            first=1,
            last=1,
            place=0,
            received_at=self.clock.now(),
            raw=data,
            message=message,
            before=(statements.insert(schema.partner_file, **row),),
            control_id=message.control_id or shown(name),
            reply=lambda code, error: self._acknowledge(message, code, error),
        )

    def _acknowledge(self, message: Message, code: str, error: ErrorDetail | None) -> bytes:
        now = self.clock.now().astimezone(self.feed.terms.lis.zone)
        number = hashlib.sha256(message.raw).hexdigest()[:20].upper()
        return ack(message, code, control_id=number, when=now.strftime("%Y%m%d%H%M%S%z"), error=error)

    async def _reply(self, name: str, reply: bytes, remark: str = "") -> None:
        if not reply:
            return
        answer = f"{Path(name).stem}.ACK"
        data = reply
        if self.exchange.format == "hprim":
            data = to_hprim(reply, shown(answer), self.exchange.encoding, remark=remark)
        await self.out.lay(answer, data, replace=True)  # what comes again is answered again; the newest counts

    def _row(self, name: str, digest: str, state: str) -> dict[str, object]:
        number = _NUMBER.search(name)
        return {
            "site": self.feed.terms.lis.site, "partner": self.feed.terms.partner.name, "direction": "in", "name": shown(name),
            "number": int(number[1]) if number else None, "digest": digest, "state": state, "at": stamp(self.clock.now()),
        }  # fmt: skip

    def _answered(self, name: str, data: bytes, message: Message) -> Transaction[None]:
        """An answer of the partner: kept as the receipt of the message that it names, which moves on by it."""
        site, now = self.feed.terms.lis.site, stamp(self.clock.now())
        digest = hashlib.sha256(data).hexdigest()
        row = self._row(name, digest, "taken")
        row["number"] = None
        acknowledgment = read_ack(message)
        found = yield statements.outbox_by_control_id(site, acknowledgment.control_id)
        mine = [one for one in found if one.destination == self.feed.terms.partner.name]
        if not mine or mine[0].receipt == data:
            row["state"] = "duplicate" if mine else "rejected"
            row["detail"] = "" if mine else f"answers {acknowledgment.control_id}, which was never sent"
            yield statements.insert(schema.partner_file, **row)
            return
        yield statements.insert(schema.partner_file, **row)
        yield from write_anew(schema.outbox, mine[0], receipt=data)
        yield from self.answers.answered(mine[0], acknowledgment, message, now)


def _same(site: str, partner: str, digest: str) -> Transaction[list[Row]]:
    return (yield stored.same_file(site, partner, digest))


def _keep(row: dict[str, object]) -> Transaction[None]:
    yield statements.insert(schema.partner_file, **row)
