"""What another laboratory sends: sub-orders and results. ONE transaction keeps the message, does what it says, and writes its reply (law 3).

A message that cannot be understood is answered AE with its place; a result for a sub-order that we never sent AE 204 (law 4); both are kept and wait for
a person. The same bytes under the same MSH-10 get the reply that was stored, and change nothing.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from labmw.clock import Clock, stamp
from labmw.driver.timestamp import zone_of_message
from labmw.errors import StoreError
from labmw.lab.law_messages import keep_received
from labmw.lab.lis_feed import Settle
from labmw.lab.lis_told import Doubt, Told, quarantine
from labmw.lab.owing import owe
from labmw.lab.partner_orders import take_sub_orders
from labmw.lab.partner_results import take_sub_results
from labmw.lab.unread import is_the_message, storable, unreadable
from labmw.line.received import Received, Stored
from labmw.metrics import MESSAGES, PARTNER_RESULTS, SUB_ORDERS
from labmw.metrics import QUARANTINED as QUARANTINED_COUNT
from labmw.store import schema, statements
from labmw.store.statements.worklist import change
from labmw.store.transaction import Store, Transaction
from labmw.terms import PartnerTerms
from protocols.errors import Hl7Error
from protocols.hl7.acknowledgment import Acknowledgment, ErrorDetail, Location, mode, read_ack
from protocols.hl7.datatypes import EntityId
from protocols.hl7.envelope import answering, msa, msh, read_header, seal
from protocols.hl7.er7 import Message
from protocols.hl7.ilw_orders import read_sub_orders
from protocols.hl7.ilw_results import read_sub_results
from protocols.hl7.ltw_reply import write_order_reply
from protocols.hl7.ltw_values import OrderAnswer, Orders
from protocols.hl7.report import Report

log = structlog.get_logger("labmw.lab")

MOST = 1000
"""Sub-orders or observations in one message: all of it is one transaction, and the analyzers' lines wait behind it."""
_ORDERS = {("OML", "O21"), ("OML", "O33"), ("OML", "O35")}
_RESULTS = {("ORU", "R01"), ("OUL", "R22")}


@dataclass(frozen=True, slots=True)
class _Unfit:
    """A message that is kept and not done."""

    code: str  # MSA-1
    errors: tuple[ErrorDetail, ...]
    doubt: Doubt | None


Content = Orders | Report | Acknowledgment | _Unfit


@dataclass(slots=True)
class PartnerFeed:
    """Takes what one partner sends; fills `labmw.line.received.Intake`."""

    terms: PartnerTerms
    store: Store
    clock: Clock
    wake_orders: Callable[[], None] = lambda: None
    wake_verification: Callable[[], None] = lambda: None
    wake_delivery: Callable[[], None] = lambda: None
    settle: Settle | None = None  # where two acknowledgments were agreed: the second may come by this line
    settled: Callable[[Acknowledgment, bytes], None] = lambda acknowledgment, raw: None
    commit_timeout: float = 10.0

    async def take(self, received: Received) -> Stored:
        """Keep one message and do what it says; raises StoreError, and then nothing may be acknowledged."""
        message = received.message
        assert isinstance(message, Message)
        received = replace(received, control_id=storable(received.control_id))
        try:
            content = self._read(message)
            kept = await self._store(received, message, content)
            if isinstance(content, Acknowledgment):
                self.settled(content, received.raw)
            return kept
        except Exception as error:
            if not is_the_message(error):
                raise
            log.exception("a message of a partner cannot be done; it is kept whole, in quarantine", why=str(error))
        why = ErrorDetail("207", "the message could not be processed; it is kept, ask the laboratory")
        doubt = Doubt("interlab-message-failed", (("type", _named(message)), ("partner", self.terms.partner.name)))
        try:
            return await self._store(received, message, _Unfit("AE", (why,), doubt))
        except Exception as error:
            if not is_the_message(error):
                raise
            raise StoreError(f"a message of a partner cannot be kept ({error}); report this fault") from error

    async def refuse(self, received: Received, why: str) -> Stored:
        """Keep what cannot be read at all, shown to a person and answered AE; raises StoreError."""
        message = received.message
        assert isinstance(message, Message)
        facts = (("type", "file"), ("problem", why), ("place", received.peer), ("partner", self.terms.partner.name))
        unfit = _Unfit("AE", (ErrorDetail("100", why),), Doubt("interlab-message-malformed", facts))
        return await self._store(replace(received, control_id=storable(received.control_id)), message, unfit)

    def _read(self, message: Message) -> Content:
        kind = (message.code, message.trigger)
        if message.code == "ACK" or message.first("MSA") is not None:
            return self._acknowledgment(message)
        if (unread := unreadable(message)) is not None:
            code, error = unread
            return _Unfit(code, (error,), None) if code == "AR" else self._malformed(message, (error,))
        try:
            if kind in _ORDERS:
                orders = read_sub_orders(message, self.terms.profile)
                if orders.problems or not orders.orders:
                    nothing = ErrorDetail("101", "the message holds no order", Location("ORC"))
                    return self._malformed(message, orders.problems or (nothing,))
                return orders if len(orders.orders) <= MOST else self._too_many(message, len(orders.orders))
            if kind in _RESULTS and self.terms.partner.performs_for_us:
                report = read_sub_results(message)
                count = sum(len(order.observations) for order in report.orders)
                if not report.orders:
                    return self._malformed(
                        message, (ErrorDetail("101", "the message holds no result", Location("OBR")),)
                    )
                return report if count <= MOST else self._too_many(message, count)
        except Hl7Error as error:
            return self._malformed(message, (ErrorDetail("100", str(error)),))
        served = ErrorDetail("200", f"{_named(message)} is not served on this line", Location("MSH", field=9))
        return _Unfit("AR", (served,), None)

    def _acknowledgment(self, message: Message) -> Content:
        try:
            return storable(read_ack(message))
        except Hl7Error as error:
            unreadable_ = Doubt("reply-unreadable", (("type", _named(message)),))
            return _Unfit("AE", (ErrorDetail("100", str(error)),), unreadable_)

    def _malformed(self, message: Message, errors: tuple[ErrorDetail, ...]) -> _Unfit:
        place = errors[0].location
        where = (place.segment if place else "") + (f"-{place.field}" if place and place.field else "")
        facts = (
            ("type", _named(message)), ("problem", errors[0].text), ("place", where), ("partner", self.terms.partner.name),
        )  # fmt: skip
        return _Unfit("AE", errors, Doubt("interlab-message-malformed", facts))

    def _too_many(self, message: Message, count: int) -> _Unfit:
        text = f"{count} in one message, and {MOST} at most are done: send them in several"
        return self._malformed(message, (ErrorDetail("100", text),))

    async def _store(self, received: Received, message: Message, content: Content) -> Stored:
        tally: Counter[tuple[str, str]] = Counter()
        script = self._script(received, message, content, tally)
        kept = await self.store.run(script, timeout=self.commit_timeout)
        if kept.repeat:
            return kept
        partner = self.terms.partner.name
        MESSAGES.labels(received.link, kept.disposition).inc()
        for (what, label), count in tally.items():
            if what == "answer":
                SUB_ORDERS.labels(partner, label).inc(count)
            elif what == "result":
                PARTNER_RESULTS.labels(partner, label).inc(count)
            elif what == "quarantined":
                QUARANTINED_COUNT.labels(received.link, label).inc(count)
        if kept.reason:
            log.warning("message of a partner not done, or not all of it", link=received.link, reason=kept.reason)
        if tally["wake", "orders"]:
            self.wake_orders()
        if tally["wake", "verification"]:
            self.wake_verification()
        self.wake_delivery()
        return kept

    def _script(
        self, received: Received, message: Message, content: Content, tally: Counter[tuple[str, str]]
    ) -> Transaction[Stored]:
        site = self.terms.lis.site
        digest = hashlib.sha256(received.raw).hexdigest()
        same = yield statements.message_at(site, received.session, received.last, received.place)
        if not any(row.digest == digest for row in same):
            for step in received.before:  # noqa: UP028 -- `yield from` a sequence cannot be sent the rows
                yield step
            same = []
            if received.control_id:
                same = yield statements.messages_by_control_id(site, received.link, received.control_id)
        for row in same:
            if row.digest == digest:
                return Stored(row.id, row.disposition, row.reason, 0, repeat=True, reply=row.reply or b"")
        now = self.clock.now()
        header = storable(read_header(message.header))
        kinds: dict[type, str] = {Orders: "order", Report: "result", Acknowledgment: "ack"}
        kind = kinds.get(type(content), "other")
        kept = yield from keep_received(site, received, kind, stamp(now), "accepted", "", {}, None, header)
        told = Told(self.terms.lis, kept.message, now, zone_of_message(header.when, self.terms.lis.zone))
        doubts, reply = yield from self._do(told, received, message, content, tally)
        refused = isinstance(content, _Unfit) and content.doubt is None
        disposition = "refused" if refused else "quarantined" if doubts else "accepted"
        reason = _unserved(content) if refused else doubts[0].reason if doubts else ""
        facts = {"type": _named(message)} if refused else dict(doubts[0].facts) if doubts else {}
        tolerances = (*received.tolerances, *(("control_id_reused",) if same else ()))
        for doubt in doubts:
            tally["quarantined", doubt.reason] += 1
        yield change(
            schema.message,
            kept.message,
            disposition=disposition,
            reason=reason,
            facts=json.dumps(facts, sort_keys=True, ensure_ascii=False),
            tolerances=json.dumps(tolerances),
            reply=reply,
            reply_key=None,
        )
        yield from owe(site, received, kept.message, reply, stamp(now))
        return Stored(kept.message, disposition, reason, 0, reply=reply, tolerances=tolerances)

    def _do(
        self, told: Told, received: Received, message: Message, content: Content, tally: Counter[tuple[str, str]]
    ) -> Transaction[tuple[list[Doubt], bytes]]:
        if isinstance(content, _Unfit):
            if content.doubt is not None:
                yield from quarantine(told, content.doubt)
            reply = self._acknowledge(told, received, message, content.code, content.errors)
            return ([content.doubt] if content.doubt else []), reply
        if isinstance(content, Acknowledgment):
            return (yield from self._answered(told, received, content)), b""
        if isinstance(content, Orders):
            taken = yield from take_sub_orders(told, self.terms, content)
            for answer in taken.answers:
                tally["answer", answer.control] += 1
            tally["wake", "orders"] += taken.opened
            return taken.doubts, self._order_reply(told, received, message, content, taken.answers)
        results = yield from take_sub_results(told, self.terms, content, message)
        for fate, count in results.tally.items():
            tally["result", fate] += count
        tally["wake", "verification"] += results.verify
        code = "AE" if results.errors else "AA"
        return results.doubts, self._acknowledge(told, received, message, code, tuple(results.errors))

    def _answered(self, told: Told, received: Received, said: Acknowledgment) -> Transaction[list[Doubt]]:
        """An answer by the partner's own line: what it settles came on the connection that carried our message, or comes when that is sent again."""
        if self.settle is not None and (yield from self.settle(said, told.at, received.raw)):
            return []
        rows = yield statements.outbox_by_control_id(told.site, said.control_id)
        if said.control_id and any(row.destination == self.terms.partner.name for row in rows):
            return []
        doubt = Doubt("reply-to-nothing", (("control_id", said.control_id or "-"), ("link", received.link)))
        yield from quarantine(told, doubt)
        return [doubt]

    def _order_reply(
        self, told: Told, received: Received, message: Message, orders: Orders, answers: Sequence[OrderAnswer]
    ) -> bytes:
        """ORL, or a plain acknowledgment where the partner expects no more."""
        if not self.terms.profile.reply_with_content or not mode(message).owes_application(accepted=True):
            return self._acknowledge(told, received, message, "AA", ())
        try:
            return write_order_reply(
                orders, answers, control_id=_number(), when=self._when(told), accept=received.accept
            )
        except Hl7Error as error:  # its own fields cannot be sent back: what was done is done, and said without them
            log.warning("the reply to sub-orders cannot be written in full", why=str(error))
            return self._acknowledge(told, received, message, "AA", ())

    def _acknowledge(
        self, told: Told, received: Received, message: Message, code: str, errors: tuple[ErrorDetail, ...]
    ) -> bytes:
        """The acknowledgment, with every error that the partner can mend: where it is, and what is wrong."""
        if len(errors) < 2 or mode(message).enhanced:
            return received.reply(code, errors[0] if errors else None) if received.reply else b""
        header = answering(read_header(message.header), _number(), self._when(told))
        header = replace(header, profile=EntityId.read(message.header, 21))
        rows = [
            msh(header, ("ACK", message.trigger, "ACK")),
            *msa(Acknowledgment(code, message.control_id, errors=errors[:50])),
        ]
        try:
            return seal(rows)
        except Hl7Error:
            return received.reply(code, errors[0]) if received.reply else b""

    def _when(self, told: Told) -> str:
        return told.now.astimezone(self.terms.lis.zone).strftime("%Y%m%d%H%M%S%z")


def _unserved(content: Content) -> str:
    version = isinstance(content, _Unfit) and content.errors[0].code == "203"
    return "unsupported-version" if version else "unsupported-type"


def _number() -> str:
    return uuid.uuid4().hex[:20].upper()


def _named(message: Message) -> str:
    return storable(f"{message.code}^{message.trigger}")
