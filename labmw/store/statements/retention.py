"""What is asked of the store when something's time is over: whose it is, what hangs on it, and what stands where it was."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Column, Table, Text, delete, func, or_, select, union, update
from sqlalchemy.sql.base import Executable

from labmw.store import schema
from labmw.store.schema import (
    archive_move,
    archive_piece,
    audit,
    audit_seal,
    certificate,
    legal_hold,
    message,
    message_patient,
    order,
    outbox,
    outbox_result,
    result,
    session,
    specimen,
    tombstone,
    withdrawal,
)
from labmw.store.statements.words import given, given_number, given_numbers, given_texts, is_one_of
from labmw.store.transaction import Step

_numbers = given_numbers("numbers")


def referring(table: Table) -> list[tuple[Table, Column[Any]]]:
    """Every column that refers to the number of a row of this table."""
    return [
        (other, column)
        for other in schema.metadata.sorted_tables
        for column in other.c
        if any(key.column is table.c.id for key in column.foreign_keys)
    ]


@cache
def _select_by(table: Table, column: str) -> Executable:
    return select(table).where(table.c[column].in_(_values_of(table, column))).order_by(table.c.id)


@cache
def _delete_by(table: Table, column: str) -> Executable:
    return delete(table).where(table.c[column].in_(_values_of(table, column)))


def _values_of(table: Table, column: str) -> Any:
    text = isinstance(table.c[column].type, Text)
    return given_texts("texts") if text else _numbers


def rows_by(table: Table, column: str, values: Sequence[Any]) -> Step:
    """The rows of a table whose column has one of these values. Of texts: of any site (a store with several sites has them in the key)."""
    name = "texts" if isinstance(table.c[column].type, Text) else "numbers"
    return Step(_select_by(table, column), {name: list(values)})


def remove(table: Table, numbers: Sequence[int]) -> Step:
    """Delete rows by their number."""
    return Step(_delete_by(table, "id"), {"numbers": list(numbers)})


@cache
def _of_patient(table: Table, column: str) -> Executable:
    return (
        select(table)
        .where(table.c.site == given("site"), table.c[column].in_(given_texts("patients")))
        .order_by(table.c.id)
    )


def of_patient(table: Table, site: str, patients: Sequence[str], column: str = "patient") -> Step:
    """The rows of a table that are a patient's, or a tube's (`column`)."""
    return Step(_of_patient(table, column), {"site": site, "patients": list(patients)})


# --- who is due, and who is kept ----------------------------------------------------------------------------------------------

_LAST_HERE: Final = (
    select(result.c.patient, func.max(result.c.received_at).label("last"), func.count().label("results"))
    .where(result.c.site == given("site"), result.c.patient.in_(given_texts("patients")))
    .group_by(result.c.patient)
)
_ORDERED_HERE: Final = (
    select(specimen.c.patient, func.max(order.c.updated_at).label("last"))
    .join(order, (order.c.site == specimen.c.site) & (order.c.specimen == specimen.c.identifier))
    .where(
        specimen.c.site == given("site"),
        specimen.c.patient.in_(given_texts("patients")),
        order.c.updated_at.is_not(None),
    )
    .group_by(specimen.c.patient)
)
_GENETIC: Final = (
    select(result.c.patient)
    .where(
        result.c.site == given("site"),
        result.c.patient.in_(given_texts("patients")),
        result.c.loinc.in_(given_texts("loincs")),
    )
    .distinct()
)
_UNFINISHED: Final = (
    select(result.c.patient)
    .where(
        result.c.site == given("site"),
        result.c.patient.in_(given_texts("patients")),
        or_(
            is_one_of(result.c.state, "verify", "released"),
            select(schema.alert.c.id)
            .where(schema.alert.c.result == result.c.id, schema.alert.c.state == "open")
            .exists(),
            select(schema.quarantine.c.id)
            .where(schema.quarantine.c.result == result.c.id, schema.quarantine.c.state == "open")
            .exists(),
            select(schema.lookback_line.c.id)
            .where(schema.lookback_line.c.result == result.c.id, schema.lookback_line.c.state == "open")
            .exists(),
        ),
    )
    .distinct()
)
_HOLDS: Final = (
    select(legal_hold)
    .where(legal_hold.c.site == given("site"), legal_hold.c.released_at.is_(None))
    .order_by(legal_hold.c.id)
)
_RELEASE: Final = (
    update(legal_hold)
    .where(
        legal_hold.c.site == given("of_site"),
        legal_hold.c.patient == given("of_patient"),
        legal_hold.c.released_at.is_(None),
    )
    .values(released_at=given("at"), released_by=given("by_whom"), released_why=given("because"))
    .returning(legal_hold.c.id)
)


def last_here(site: str, patients: Sequence[str]) -> Step:
    """When the last result of each of these patients came, and how many there are."""
    return Step(_LAST_HERE, {"site": site, "patients": list(patients)})


def ordered_here(site: str, patients: Sequence[str]) -> Step:
    """When the last order on a tube of each of these patients came or changed."""
    return Step(_ORDERED_HERE, {"site": site, "patients": list(patients)})


def genetic_among(site: str, patients: Sequence[str], loincs: Sequence[str]) -> Step:
    """Which of these patients have a result of one of these tests."""
    return Step(_GENETIC, {"site": site, "patients": list(patients), "loincs": list(loincs)})


def unfinished_among(site: str, patients: Sequence[str]) -> Step:
    """Which of these patients have something that waits for a step or a person."""
    return Step(_UNFINISHED, {"site": site, "patients": list(patients)})


def holds(site: str) -> Step:
    """The legal holds that stand."""
    return Step(_HOLDS, {"site": site})


def release_hold(site: str, patient: str, *, at: str, by: str, why: str) -> Step:
    """End the holds on a patient; answers those that were ended."""
    values = {"of_site": site, "of_patient": patient, "at": at, "by_whom": by, "because": why}
    return Step(_RELEASE, values)


# --- what hangs on what -----------------------------------------------------------------------------------------------------

_NAMED_IN: Final = select(message_patient.c.message, message_patient.c.patient).where(
    message_patient.c.message.in_(_numbers)
)
_MEASURED_IN: Final = (
    select(result.c.message, result.c.patient, result.c.state, result.c.received_at)
    .where(result.c.message.in_(_numbers))
    .distinct()
)
_IN_SESSIONS: Final = select(message.c.id, message.c.session).where(
    message.c.site == given("site"), message.c.session.in_(given_texts("sessions"))
)
_SESSIONS: Final = select(session).where(session.c.site == given("site"), session.c.id.in_(given_texts("sessions")))
_BYTES_LEFT: Final = union(
    *(
        select(one.c.site).where(one.c.site == given("site"), one.c.session == given("of_session"))
        for one in (schema.journal, schema.frame)
    )
)
_OTHERS_TUBES: Final = select(specimen.c.identifier).where(
    specimen.c.site == given("site"),
    specimen.c.identifier.in_(given_texts("tubes")),
    specimen.c.patient != given("patient"),
)
_CARRIERS: Final = union(
    *(
        select(one.c.outbox.label("outbox")).where(one.c.result.in_(_numbers))
        for one in (outbox_result, withdrawal, schema.redelivery)
    )
)
_EMPTY_MESSAGE: Final = (
    update(message)
    .where(message.c.id == given_number("number"))
    .values(raw=b"", reply=None, facts="{}", sender="", data_key=None, reply_key=None)
    .returning(message.c.id)
)
_EMPTY_OUTBOX: Final = (
    update(outbox)
    .where(outbox.c.id.in_(_numbers))
    .values(payload=None, receipt=b"", payload_key=None, receipt_key=None)
)
_CONTROLS: Final = (
    select(result.c.id)
    .where(result.c.site == given("site"), is_one_of(result.c.state, "control"), result.c.received_at < given("before"))
    .order_by(result.c.id)
    .limit(given_number("most"))
)
_CONTROLS_COUNTED: Final = select(func.count().label("count")).where(
    result.c.site == given("site"), is_one_of(result.c.state, "control"), result.c.received_at < given("before")
)


def named_in(numbers: Sequence[int]) -> Step:
    """Which patients these messages name."""
    return Step(_NAMED_IN, {"numbers": list(numbers)})


def measured_in(numbers: Sequence[int]) -> Step:
    """Whose results these messages hold, in which state, since when."""
    return Step(_MEASURED_IN, {"numbers": list(numbers)})


def messages_in(site: str, sessions: Sequence[str]) -> Step:
    """The messages of these sessions."""
    return Step(_IN_SESSIONS, {"site": site, "sessions": list(sessions)})


def sessions_named(site: str, sessions: Sequence[str]) -> Step:
    """These sessions."""
    return Step(_SESSIONS, {"site": site, "sessions": list(sessions)})


def bytes_left(site: str, session_: str) -> Step:
    """One row when something of a session's bytes is still there."""
    return Step(_BYTES_LEFT, {"site": site, "of_session": session_})


def tubes_of_others(site: str, patient: str, tubes: Sequence[str]) -> Step:
    """Which of these tube numbers were another patient's too."""
    return Step(_OTHERS_TUBES, {"site": site, "patient": patient, "tubes": list(tubes)})


def carriers(numbers: Sequence[int]) -> Step:
    """The messages that carry these results, or take them back."""
    return Step(_CARRIERS, {"numbers": list(numbers)})


def empty_message(number: int) -> Step:
    """Take the contents out of a message; its digest stays."""
    return Step(_EMPTY_MESSAGE, {"number": number})


def empty_outbox(numbers: Sequence[int]) -> Step:
    """Take the contents out of messages that were sent."""
    return Step(_EMPTY_OUTBOX, {"numbers": list(numbers)})


def controls_before(site: str, before: str, *, most: int) -> Step:
    """Results of control materials that came before a moment."""
    return Step(_CONTROLS, {"site": site, "before": before, "most": most})


def controls_counted(site: str, before: str) -> Step:
    """How many there are."""
    return Step(_CONTROLS_COUNTED, {"site": site, "before": before})


# --- the audit, and what stands where something was ------------------------------------------------------------------------------

_CERTIFICATES_OF: Final = ("destroyed", "archived", "archive-returned")
_sealed_until = select(func.max(audit_seal.c.last)).where(audit_seal.c.site == given("site")).scalar_subquery()
_AUDIT_BEFORE: Final = (
    select(audit)
    .where(
        audit.c.site == given("site"),
        audit.c.at < given("before"),
        audit.c.id <= _sealed_until,
        audit.c.what.not_in(_CERTIFICATES_OF),  # a certificate stays
    )
    .order_by(audit.c.id)
    .limit(given_number("most"))
)
_AUDIT_COUNTED: Final = select(func.count().label("count")).where(
    audit.c.site == given("site"),
    audit.c.at < given("before"),
    audit.c.id <= _sealed_until,
    audit.c.what.not_in(_CERTIFICATES_OF),
)
_CERTIFICATES: Final = select(certificate).where(certificate.c.site == given("site")).order_by(certificate.c.id)
_OF_PLAN: Final = select(certificate).where(certificate.c.site == given("site"), certificate.c.plan == given("plan"))
_STONES: Final = select(tombstone).where(tombstone.c.certificate == given_number("number")).order_by(tombstone.c.id)
_returned = (  # rows of the audit that are back from the archive stand for themselves again
    select(archive_piece.c.id)
    .join(archive_move, archive_move.c.id == archive_piece.c.move)
    .where(
        archive_move.c.certificate == tombstone.c.certificate,
        archive_piece.c["class"] == tombstone.c["class"],
        is_one_of(archive_piece.c.state, "returning", "returned"),
    )
    .exists()
)
_STONES_BETWEEN: Final = (
    select(tombstone.c.row, tombstone.c.digest)
    .where(
        ~_returned,
        tombstone.c.site == given("site"),
        tombstone.c.kind == given("kind"),
        tombstone.c.row > given_number("after"),
        tombstone.c.row <= given_number("last"),
    )
    .order_by(tombstone.c.row)
)
_ORDERS_OF: Final = select(order).where(order.c.site == given("site"), order.c.specimen.in_(given_texts("tubes")))


def audit_before(site: str, before: str, *, most: int) -> Step:
    """Sealed rows of the audit from before a moment."""
    return Step(_AUDIT_BEFORE, {"site": site, "before": before, "most": most})


def audit_counted(site: str, before: str) -> Step:
    """How many there are."""
    return Step(_AUDIT_COUNTED, {"site": site, "before": before})


def certificates(site: str) -> Step:
    """Every destruction."""
    return Step(_CERTIFICATES, {"site": site})


def certificate_of(site: str, plan: str) -> Step:
    """The destruction of a plan."""
    return Step(_OF_PLAN, {"site": site, "plan": plan})


def tombstones_of(number: int) -> Step:
    """What a destruction has left."""
    return Step(_STONES, {"number": number})


def tombstones_between(site: str, kind: str, after: int, last: int) -> Step:
    """The digests of destroyed rows with numbers after one, up to another."""
    return Step(_STONES_BETWEEN, {"site": site, "kind": kind, "after": after, "last": last})


def orders_on(site: str, tubes: Sequence[str]) -> Step:
    """The orders on these tubes."""
    return Step(_ORDERS_OF, {"site": site, "tubes": list(tubes)})
