"""What is asked of the store about who patients are: merged numbers, the INS, and everything that names or follows a patient."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Table, Update, and_, delete, or_, select, update
from sqlalchemy.sql.dml import ReturningDelete

from labmw.store.schema import (
    awos,
    ins,
    message,
    message_patient,
    outbox,
    outbox_result,
    partner_document,
    patient_alias,
    patient_history,
    previous,
    provisional,
    quarantine,
    receipt,
    result,
    specimen,
    sub_order,
    sub_order_item,
    sub_order_said,
    withdrawal,
)
from labmw.store.statements.words import given, given_number, given_texts
from labmw.store.transaction import Step

_ALIASES: Final = select(patient_alias).where(
    patient_alias.c.site == given("site"), patient_alias.c.identifier.in_(given_texts("identifiers"))
)
_ALIAS_MOVES: Final = (
    update(patient_alias)
    .where(patient_alias.c.site == given("of_site"), patient_alias.c.patient == given("was"))
    .values(patient=given("becomes"))
    .returning(patient_alias.c.id)
)
_INS: Final = select(ins).where(ins.c.site == given("site"), ins.c.patient.in_(given_texts("patients")))
_INS_HOLDERS: Final = select(ins).where(ins.c.site == given("site"), ins.c.number.in_(given_texts("numbers")))
_MESSAGES_OF: Final = (
    select(message.c.id, message.c.raw, message.c.reply, message.c.data_key, message.c.reply_key)
    .join(message_patient, message_patient.c.message == message.c.id)
    .where(message_patient.c.site == given("site"), message_patient.c.patient == given("patient"))
    .order_by(message.c.id)
)
_QUARANTINED_OF: Final = (
    select(message.c.id, message.c.raw, message.c.reply, message.c.data_key, message.c.reply_key)
    .join(quarantine, quarantine.c.message == message.c.id)
    .where(
        quarantine.c.site == given("site"),
        quarantine.c.result.is_(None),
        or_(
            message.c.link == given("link"), message.c.link.like("% messages")
        ),  # the LIS, and partners (labmw.partner)
    )
    .order_by(message.c.id)
)
# By the patient's tubes: the history of results has no index by patient that also holds what was given up or taken back.
_tubes = select(specimen.c.identifier).where(specimen.c.site == given("site"), specimen.c.patient == given("patient"))
_carries = (
    select(outbox_result.c.outbox)
    .join(result, result.c.id == outbox_result.c.result)
    .where(outbox_result.c.outbox == outbox.c.id, result.c.patient == given("patient"))
    .exists()
)
_takes_back = (
    select(withdrawal.c.outbox)
    .join(result, result.c.id == withdrawal.c.result)
    .where(withdrawal.c.outbox == outbox.c.id, result.c.patient == given("patient"))
    .exists()
)
_says = (
    select(sub_order_said.c.outbox)
    .join(sub_order, sub_order.c.id == sub_order_said.c.sub_order)
    .where(
        sub_order_said.c.site == given("site"),
        sub_order_said.c.outbox == outbox.c.id,
        sub_order.c.patient == given("patient"),
    )
    .exists()
)
_OUTBOX_OF: Final = (
    select(outbox.c.id, outbox.c.payload, outbox.c.state, outbox.c.receipt, outbox.c.payload_key, outbox.c.receipt_key)
    .where(
        outbox.c.site == given("site"),
        outbox.c.specimen.in_(_tubes),
        outbox.c.payload.is_not(None),
        or_(_carries, _takes_back, _says),
    )
    .order_by(outbox.c.id)
)
_REFUSALS_OF: Final = (
    select(receipt)
    .join(outbox, outbox.c.id == receipt.c.outbox)
    .where(outbox.c.site == given("site"), outbox.c.specimen.in_(_tubes), or_(_carries, _takes_back, _says))
    .order_by(receipt.c.id)
)
_DOCUMENTS_OF: Final = (
    select(partner_document)
    .join(sub_order, sub_order.c.id == partner_document.c.sub_order)
    .where(sub_order.c.site == given("site"), sub_order.c.specimen.in_(_tubes), sub_order.c.patient == given("patient"))
    .order_by(partner_document.c.id)
)
_ITEMS_OF: Final = (
    select(sub_order_item)
    .join(sub_order, sub_order.c.id == sub_order_item.c.sub_order)
    .where(
        sub_order.c.site == given("site"),
        sub_order.c.specimen.in_(_tubes),
        sub_order.c.patient == given("patient"),
        sub_order_item.c.data.is_not(None),
    )
    .order_by(sub_order_item.c.id)
)
_PREVIOUS_OF: Final = select(previous).where(previous.c.site == given("site"), previous.c.patient == given("patient"))
_HISTORY: Final = (
    select(patient_history)
    .where(patient_history.c.site == given("site"), patient_history.c.patient == given("patient"))
    .order_by(patient_history.c.id)
)


def aliases_of(site: str, identifiers: Sequence[str]) -> Step:
    """Which of these patient numbers were merged into another."""
    return Step(_ALIASES, {"site": site, "identifiers": list(identifiers)})


def aliases_move(site: str, was: str, becomes: str) -> Step:
    """Whoever meant one patient by an older number means another one now."""
    return Step(_ALIAS_MOVES, {"of_site": site, "was": was, "becomes": becomes})


def ins_of(site: str, patients: Sequence[str]) -> Step:
    """The INS of these patients."""
    return Step(_INS, {"site": site, "patients": list(patients)})


def ins_holders(site: str, numbers: Sequence[str]) -> Step:
    """Whoever has one of these INS."""
    return Step(_INS_HOLDERS, {"site": site, "numbers": list(numbers)})


def messages_of_patient(site: str, patient: str) -> Step:
    """The messages that name a patient, with the reply they got."""
    return Step(_MESSAGES_OF, {"site": site, "patient": patient})


def messages_in_doubt(site: str, link: str) -> Step:
    """The messages of a line that went into quarantine as a whole: whom they name is not known. Reads every message of a site."""
    return Step(_QUARANTINED_OF, {"site": site, "link": link})


def outbox_of_patient(site: str, patient: str) -> Step:
    """The messages written about a patient, sent or not."""
    return Step(_OUTBOX_OF, {"site": site, "patient": patient})


def kept_about(site: str, patient: str) -> list[tuple[Table, Step]]:
    """Everything else in which bytes about a patient stand in a column `data`: refusals of destinations, documents, what goes with a sub-order."""
    values = {"site": site, "patient": patient}
    return [
        (receipt, Step(_REFUSALS_OF, values)),
        (partner_document, Step(_DOCUMENTS_OF, values)),
        (sub_order_item, Step(_ITEMS_OF, values)),
    ]


def previous_of_patient(site: str, patient: str) -> Step:
    """The imported results of a patient."""
    return Step(_PREVIOUS_OF, {"site": site, "patient": patient})


def history_of_patient(site: str, patient: str) -> Step:
    """What happened to an identity."""
    return Step(_HISTORY, {"site": site, "patient": patient})


_ON_TUBES: Final = (result, awos, sub_order)
"""Tables whose rows follow a patient into another, found by his or her tubes."""


def moves(site: str, was: str, becomes: str) -> list[Step]:
    """Everything that belonged to one patient belongs to another; the tubes last, by which the rest is found."""
    values = {"of_site": site, "was": was, "becomes": becomes}
    return [Step(_move(table), values) for table in (*_ON_TUBES, provisional, specimen)]


@cache
def _move(table: Table) -> Update:
    where = and_(table.c.site == given("of_site"), table.c.patient == given("was"))
    if table in _ON_TUBES:
        tubes = select(specimen.c.identifier).where(
            specimen.c.site == given("of_site"), specimen.c.patient == given("was")
        )
        where = and_(where, table.c.specimen.in_(tubes))
    return update(table).where(where).values(patient=given("becomes")).returning(table.c.id)


def drop(table: Table, number: int) -> Step:
    """Delete one row."""
    return Step(_drop(table), {"row_id": number})


@cache
def _drop(table: Table) -> ReturningDelete[Any]:
    return delete(table).where(table.c.id == given_number("row_id")).returning(table.c.id)
