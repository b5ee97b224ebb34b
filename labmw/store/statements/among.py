"""What bears on one message: the same questions as for one specimen, asked once for all of its results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import exists, or_, select, update

from labmw.store.schema import frame, material, message, order, patient, quarantine, result, session, specimen
from labmw.store.statements.words import given, given_number, given_texts
from labmw.store.together import AMONG
from labmw.store.transaction import Step

_FRAME: Final = select(frame.c.id).where(
    frame.c.site == given("site"), frame.c.session == given("session"), frame.c.seq == given_number("seq")
)
_MESSAGE: Final = select(
    message.c.id, message.c.digest, message.c.disposition, message.c.reason, message.c.reply
).where(
    message.c.site == given("site"),
    message.c.session == given("session"),
    message.c.last_frame == given_number("last"),
    message.c.place == given_number("place"),
)
_LAST_MESSAGE: Final = (
    select(message.c.id, message.c.first_frame, message.c.last_frame)
    .where(message.c.site == given("site"), message.c.session == given("session"))
    .order_by(message.c.last_frame.desc(), message.c.id.desc())
    .limit(1)
)
_SPECIMENS: Final = (
    select(specimen)
    .where(specimen.c.site == given("site"), specimen.c.identifier.in_(given_texts("identifiers")))
    .order_by(specimen.c.identifier, specimen.c.valid_from, specimen.c.id)
    .execution_options(**{AMONG: ("identifiers", "identifier")})
)
_PATIENTS: Final = (
    select(patient)
    .where(patient.c.site == given("site"), patient.c.identifier.in_(given_texts("identifiers")))
    .execution_options(**{AMONG: ("identifiers", "identifier")})
)
_ORDERS: Final = (
    select(order)
    .where(order.c.site == given("site"), order.c.specimen.in_(given_texts("identifiers")))
    .order_by(order.c.id)
    .execution_options(**{AMONG: ("identifiers", "specimen")})
)
_MATERIALS: Final = select(material.c.identifier).where(
    material.c.site == given("site"),
    material.c.identifier.in_(given_texts("identifiers")),
    material.c.valid_from <= given("at"),
    or_(material.c.valid_to.is_(None), material.c.valid_to >= given("at")),
)
_WINDOWS: Final = (
    select(material.c.identifier, material.c.valid_from, material.c.valid_to)
    .where(material.c.site == given("site"), material.c.identifier.in_(given_texts("identifiers")))
    .execution_options(**{AMONG: ("identifiers", "identifier")})
)
_IDENTITIES: Final = (
    select(
        result.c.id,
        result.c.identity,
        result.c.run,
        result.c.value,
        result.c.number,
        result.c.comparator,
        result.c.unit_raw,
        result.c.state,
        result.c.status,
        result.c.flags_raw,
        result.c.received_at,
        session.c.closing,
    )
    .select_from(
        result.join(message, message.c.id == result.c.message).outerjoin(
            session, (session.c.site == message.c.site) & (session.c.id == message.c.session)
        )
    )
    .where(result.c.site == given("site"), result.c.identity.in_(given_texts("identities")))
    .order_by(result.c.id)
    .execution_options(**{AMONG: ("identities", "identity")})
)
_TAKE_THE_PLACE: Final = {
    name: given(f"new_{name}")
    for name in (
        *(
            "analyzer",
            "serial",
            "patient",
            "loinc",
            "test_name",
            "number",
            "comparator",
            "unit",
            "range_raw",
            "flags_raw",
        ),
        *("flags", "status", "operator", "completed_at", "received_at", "serum_index", "comments", "driver"),
        *("driver_version", "mapping_version", "analyzer_software", "software_version", "state"),
    )
}
_SUPERSEDE: Final = (
    update(result)
    .where(
        result.c.id == given_number("result_id"), result.c.state.in_(("quarantined", "held", "blocked", "technical"))
    )
    .values(
        **_TAKE_THE_PLACE,
        message=given_number("new_message"),
        record=given_number("new_record"),
        ordinal=given_number("new_ordinal"),
        main=given_number("new_main"),
    )
    .returning(result.c.id)
)
_CLOSE_QUARANTINE: Final = (
    update(quarantine)
    .where(quarantine.c.result == given_number("result_id"), quarantine.c.state == "open")
    .values(state="replayed", closed_at=given("at"), closed_by=given("by"), note=given("why"))
    .returning(quarantine.c.id)
)
_CLOSE_MESSAGE: Final = (
    update(quarantine)
    .where(
        quarantine.c.message == given_number("message_id"),
        quarantine.c.result.is_(None),
        quarantine.c.state == "open",
        ~exists().where(result.c.message == given_number("message_id"), result.c.state == "quarantined"),
    )
    .values(state="replayed", closed_at=given("at"), closed_by=given("by"), note=given("why"))
    .returning(quarantine.c.id)
)


def frame_at(site: str, session: str, seq: int) -> Step:
    """The frame that a session already has under this number."""
    return Step(_FRAME, {"site": site, "session": session, "seq": seq})


def message_at(site: str, session: str, last: int, place: int) -> Step:
    """The message that already ends in this frame of this session: a resend after a late commit is recognised (law 3)."""
    return Step(_MESSAGE, {"site": site, "session": session, "last": last, "place": place})


def last_message_of_session(site: str, session: str) -> Step:
    """The newest message that a session's frames have made."""
    return Step(_LAST_MESSAGE, {"site": site, "session": session})


def specimens_among(site: str, identifiers: Sequence[str]) -> Step:
    """Every tube that ever carried one of these identifiers."""
    return Step(_SPECIMENS, {"site": site, "identifiers": list(identifiers)})


def patients_among(site: str, identifiers: Sequence[str]) -> Step:
    """The patients of these identifiers."""
    return Step(_PATIENTS, {"site": site, "identifiers": list(identifiers)})


def orders_among(site: str, specimens: Sequence[str]) -> Step:
    """What was asked for on these specimens."""
    return Step(_ORDERS, {"site": site, "identifiers": list(specimens)})


def materials_among(site: str, identifiers: Sequence[str], *, at: str) -> Step:
    """Which of these identifiers are registered control materials at a moment."""
    return Step(_MATERIALS, {"site": site, "identifiers": list(identifiers), "at": at})


def material_windows(site: str, identifiers: Sequence[str]) -> Step:
    """When each of these identifiers is a registered control material: what `materials_among` answers for one moment, for all of them."""
    return Step(_WINDOWS, {"site": site, "identifiers": list(identifiers)})


def results_of_identities(site: str, identities: Sequence[str]) -> Step:
    """Every run under these identities, oldest first, with how its session ended: what a possible repeat is compared with (law 5)."""
    return Step(_IDENTITIES, {"site": site, "identities": list(identities)})


def supersede_result(result_id: int, row: dict[str, Any]) -> Step:
    """Let a result sent again take the row of the one that waits for a person; answers no row when that one has moved on meanwhile."""
    numbers = ("message", "record", "ordinal", "main")
    values = {f"new_{name}": row[name] for name in (*_TAKE_THE_PLACE, *numbers)}
    return Step(_SUPERSEDE, {"result_id": result_id, **values})


def close_quarantine_of_result(result_id: int, *, at: str, by: str, why: str) -> Step:
    """Close what a person should have looked at: the matter has settled itself."""
    return Step(_CLOSE_QUARANTINE, {"result_id": result_id, "at": at, "by": by, "why": why})


def close_quarantine_of_message(message_id: int, *, at: str, by: str, why: str) -> Step:
    """Close what a message was held for, once none of its results lies in quarantine any more."""
    return Step(_CLOSE_MESSAGE, {"message_id": message_id, "at": at, "by": by, "why": why})
