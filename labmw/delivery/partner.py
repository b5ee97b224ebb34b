"""What is said to another laboratory, and what follows from its answer? One outbox for each partner; the answer is kept in the step that closes the row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from labmw.delivery.mllp import Silent
from labmw.delivery.outbox import Sender
from labmw.delivery.partner_files import message_of, written_for
from labmw.delivery.partner_orders import write_said
from labmw.delivery.partner_results import write_reported
from labmw.lab.elsewhere import CANNOT_CANCEL
from labmw.lab.lis_told import raise_task
from labmw.lab.partner_orders import not_done
from labmw.lab.partner_reflex import is_unnumbered, not_wanted, numbered
from labmw.lab.sub_orders import Cause, again, move, note
from labmw.store import schema
from labmw.store.statements import interlab as stored
from labmw.store.statements import tasks
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Step, Transaction
from labmw.terms import PartnerTerms
from protocols.errors import Hl7Error, HprimError
from protocols.hl7.acknowledgment import Acknowledgment
from protocols.hl7.datatypes import Code
from protocols.hl7.er7 import Message
from protocols.hl7.ilw_results import read_sub_results, said_of
from protocols.hl7.ilw_states import Event, State
from protocols.hl7.ltw_reply import OrderReply, read_order_reply
from protocols.hl7.ltw_results import asking

log = structlog.get_logger("labmw.delivery")

TAKEN_BACK = "interlab-message-refused"
PASSING = frozenset({"206", "207"})
"""Table 0357: a record that is locked, an internal error. Both pass: such a message is sent again, and a person is told while it lasts."""

_EVENTS = {
    "OK": Event.ACCEPTED,
    "NA": Event.ACCEPTED,
    "UA": Event.REFUSED,
    "CR": Event.CANCEL_DONE,
    "RQ": Event.CANCEL_DONE,
    "UC": Event.CANCEL_UNABLE,
    "UM": Event.CANCEL_UNABLE,
}
"""What ORC-1 of an answer means for a sub-order of ours; to a status that we have told, OK only says that it was heard."""


@dataclass(frozen=True, slots=True)
class PartnerReport:
    """Composes messages for one partner: sub-orders and what is said of them, or results."""

    terms: PartnerTerms
    auto_release_text: str

    def compose(self, outbox: Row) -> Transaction[bytes]:
        """Make the message of one outbox row; raises DeliveryError, DeliveryWaits."""
        said = yield stored.said_in(outbox.id)
        if said:
            message = yield from write_said(self.terms, outbox, said)
        else:
            message = yield from write_reported(self.terms, self.auto_release_text, outbox)
        if self.terms.partner.files is None:  # a file is answered by a file
            message = asking(message, self.terms.lis.dialect.ltw)
        return (yield from written_for(self.terms, outbox, message))


@dataclass(frozen=True, slots=True)
class PartnerAnswers:
    """Moves sub-orders on by what a partner answers, in the transaction that keeps the answer."""

    terms: PartnerTerms

    def after(self, row: Row, payload: bytes, why: str, at: str) -> Transaction[None]:
        """The partner has taken (`why` "") or refused a message."""
        site, partner = self.terms.lis.site, self.terms.partner.name
        said = yield stored.said_in(row.id)
        receipts = yield stored.receipt_of(row.id)
        cause = Cause(site, at, None, partner)
        if why:
            yield from self._refused(row, said, why, cause)
            return
        yield _mended(row, cause)
        if not said:
            yield from self._reported(payload, cause)
            return
        replies = _replies(receipts[0].receipt if receipts else b"")
        for one in said:
            yield from self._answered(one, _reply_to(one, replies), cause)

    def answered(self, row: Row, acknowledgment: Acknowledgment, message: Message, at: str) -> Transaction[None]:
        """A partner has answered by a file what was laid down for it earlier."""
        cause = Cause(self.terms.lis.site, at, None, self.terms.partner.name)
        said = yield stored.said_in(row.id)
        if not acknowledgment.accepted:
            why = f"the partner answered {acknowledgment.code}: {acknowledgment.text or 'without a text'}"
            yield change(schema.outbox, row.id, state="dead", last_error=why)  # `labmw outbox retry` lays it down again
            yield from self._refused(row, said, why, cause)
            return
        yield _mended(row, cause)
        replies = _replies(message.raw)
        for one in said:
            yield from self._answered(one, _reply_to(one, replies), cause)

    def _refused(self, row: Row, said: Sequence[Row], why: str, cause: Cause) -> Transaction[None]:
        """The whole message: a person mends it."""
        partner = self.terms.partner.name
        for one in said:
            yield from note(one, "message-refused", one.state, cause, {"why": why, "control_id": row.control_id})
        orders = ", ".join(one.number for one in said) or "-"
        facts = {"partner": partner, "why": why, "control_id": row.control_id, "orders": orders}
        yield from raise_task(cause.site, TAKEN_BACK, f"outbox/{row.id}", row.specimen, facts, cause.at)

    def _answered(self, row: Row, reply: OrderReply | None, cause: Cause) -> Transaction[None]:
        if row.control == "SN" and reply is not None:
            if reply.control == "UA":
                why = reply.reason or Code("")
                told = Cause(cause.site, cause.at, None, cause.by, why.code, why.text or why.code)
                yield from not_wanted(row, told)
            elif reply.placer is not None and is_unnumbered(row):
                yield from numbered(row, reply.placer, cause)
            return
        if row.role == "subcontractor":
            refused = reply is not None and reply.control == "UA"
            yield from note(row, "told-refused" if refused else "told", row.state, cause, {"status": row.said_status})
            return
        if row.control == "SC":  # that it is on its way: whatever is answered, the sub-order stays where it is
            refused = reply is not None and reply.control == "UA"
            yield from note(row, "told-refused" if refused else "told", row.state, cause, {"about": row.about})
            return
        if row.control in ("NW", "RO") and row.state == State.CREATED:
            yield from move(row, Event.SENT, cause)
            now = yield from again(row)
        else:
            now = row
        event = _EVENTS.get(reply.control) if reply is not None else None
        if event is None and self.terms.profile.answer_accepts:
            event = Event.CANCEL_DONE if row.control in ("CA", "RP") else Event.ACCEPTED
        if event is None:
            yield from note(now, "taken", now.state, cause)
            return
        if event is Event.CANCEL_UNABLE and reply is not None and reply.status == "CA":
            event = (
                Event.CANCEL_DONE
            )  # asked again, the first answer having been lost: it cannot be cancelled because it is
        columns: dict[str, object] = {}
        if reply is not None and reply.filler is not None:
            columns = {"filler": reply.filler.id, "filler_authority": reply.filler.authority}
        code = reply.reason if reply is not None else None
        if code is not None:
            cause = Cause(cause.site, cause.at, None, cause.by, code.code or code.text, code.text or code.code)
        was = now.state
        yield from move(now, event, cause, None, **columns)
        if event is Event.REFUSED and was != State.CANCEL_SENT:
            yield from not_done(now, cause)
        if event is Event.CANCEL_UNABLE:
            facts = {"order": row.number, "partner": row.partner, "why": cause.text or "-"}
            yield from raise_task(cause.site, CANNOT_CANCEL, f"sub-order/{row.number}", row.specimen, facts, cause.at)

    def _reported(self, payload: bytes, cause: Cause) -> Transaction[None]:
        """The requester has our results: the sub-orders are as far as the message said."""
        try:
            report = read_sub_results(message_of(payload, self.terms.partner.files))
        except (Hl7Error, HprimError) as error:
            log.error("a report of ours cannot be read back", why=str(error))
            return
        for order in report.orders:
            event = said_of(order)
            if event is None or order.placer is None:
                continue
            for row in (yield stored.sub_orders_numbered(cause.site, "subcontractor", cause.by, [order.placer.id])):
                yield from move(row, event, cause, {"status": order.status})


def _mended(row: Row, cause: Cause) -> Step:
    """The partner has taken what it had refused: nobody has to see to it any more."""
    return tasks.close_task(cause.site, TAKEN_BACK, f"outbox/{row.id}", at=cause.at, by="labmw", why="taken")


def _reply_to(row: Row, replies: Sequence[OrderReply]) -> OrderReply | None:
    """What is said of one sub-order: by the requester's number, or by ours of a test that we have added and that has none yet."""
    if row.control == "SN":
        return next((one for one in replies if one.filler is not None and one.filler.id == row.filler), None)
    return next((one for one in replies if one.placer is not None and one.placer.id == row.number), None)


def _replies(receipt: bytes | None) -> Sequence[OrderReply]:
    """What an ORL says of each order; nothing for a plain acknowledgment."""
    if not receipt:
        return ()
    try:
        _, _, replies = read_order_reply(Message.parse(receipt))
    except Hl7Error:
        return ()
    return replies


class PatientSender:
    """A sender for whom a partner's internal error is silence: it is told, and the message is sent again until it passes."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    @property
    def stray(self) -> Callable[[Acknowledgment, bytes], None]:
        """Who hears of acknowledgments that nobody waits for."""
        return self._sender.stray

    @stray.setter
    def stray(self, heard: Callable[[Acknowledgment, bytes], None]) -> None:
        self._sender.stray = heard

    async def deliver(self, control_id: str, message: bytes) -> tuple[Acknowledgment, bytes]:
        """Send one message and return its acknowledgment; raises as the sender does, and Silent for an error that passes."""
        acknowledgment, raw = await self._sender.deliver(control_id, message)
        codes = {error.code for error in acknowledgment.errors}
        if acknowledgment.code in ("AE", "CE") and codes and codes <= PASSING:
            text = next((error.text for error in acknowledgment.errors if error.text), "") or acknowledgment.text
            raise Silent(
                f"the partner answered {acknowledgment.code} {', '.join(sorted(codes))} ({text or 'without a text'}); it is sent again, ask the partner if it lasts"
            )
        return acknowledgment, raw

    async def close(self) -> None:
        """Hang up."""
        await self._sender.close()
