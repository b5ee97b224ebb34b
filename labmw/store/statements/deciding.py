"""What a person decides about is found, and moved on: results with their latest verdict, and what carries them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete, exists, func, select, update

from labmw.store.schema import alert, awos, awos_result, message, order, outbox, outbox_result, result, verdict
from labmw.store.statements.words import given, given_number, given_texts, is_one_of
from labmw.store.transaction import Step

_latest = select(func.max(verdict.c.id)).where(verdict.c.result == result.c.id).correlate(result).scalar_subquery()
_priority = (
    select(func.max(order.c.priority))
    .where(order.c.site == result.c.site, order.c.specimen == result.c.specimen, order.c.loinc == result.c.loinc)
    .scalar_subquery()
)
_decided = (
    message.c.terminated,
    verdict.c.level,
    verdict.c.reasons,
    verdict.c.trace,
    verdict.c.packs,
    verdict.c.comments.label("said"),
    verdict.c.decided_at,
    verdict.c.decided_by,
    verdict.c.stage,
    _priority.label("priority"),
)
_joined = result.join(message, message.c.id == result.c.message).outerjoin(verdict, verdict.c.id == _latest)
_ON: Final = (
    select(result, *_decided)
    .select_from(_joined)
    .where(
        result.c.site == given("site"),
        result.c.specimen == given("specimen"),
        result.c.main == 1,
        result.c.serum_index == "",
    )
    .order_by(result.c.id)
)
_NUMBERED: Final = (
    select(result, *_decided)
    .select_from(_joined)
    .where(result.c.site == given("site"), result.c.id == given_number("number"))
)
_critical = exists().where(alert.c.site == result.c.site, alert.c.result == result.c.id, alert.c.kind == "critical")
_UNDECIDED: Final = (
    select(result, *_decided, _critical.label("critical"))
    .select_from(_joined)
    .where(result.c.site == given("site"), is_one_of(result.c.state, "held", "technical", "blocked"))
    .order_by(_critical.desc(), _priority.desc(), result.c.received_at, result.c.id)
    .limit(given_number("most"))
)
_MOVE: Final = (
    update(result)
    .where(result.c.id == given_number("result_id"), result.c.state.in_(given_texts("states")))
    .values(state=given("becomes"))
    .returning(result.c.id)
)
_CARRIERS: Final = (
    select(outbox.c.id, outbox.c.destination, outbox.c.state, outbox.c.payload)
    .join(outbox_result, outbox_result.c.outbox == outbox.c.id)
    .where(outbox_result.c.result == given_number("number"))
    .order_by(outbox.c.id)
)
_KEEP_BACK: Final = (  # nothing of it was ever written, so nothing of it can be anywhere
    update(outbox)
    .where(
        outbox.c.id == given_number("entry"), is_one_of(outbox.c.state, "waiting", "held"), outbox.c.payload.is_(None)
    )
    .values(state="held")
    .returning(outbox.c.id)
)
_UNLOAD: Final = delete(outbox_result).where(
    outbox_result.c.outbox == given_number("entry"), outbox_result.c.result == given_number("number")
)
_DROP_EMPTY: Final = (
    delete(outbox)
    .where(outbox.c.id == given_number("entry"), ~exists().where(outbox_result.c.outbox == outbox.c.id))
    .returning(outbox.c.id)
)
_RUNS: Final = (
    select(result, *_decided)
    .select_from(_joined)
    .where(
        result.c.site == given("site"),
        result.c.specimen == given("specimen"),
        result.c.patient == given("patient"),
        result.c.loinc == given("loinc"),
        result.c.main == 1,
        result.c.id != given_number("number"),
        is_one_of(result.c.state, "verify", "released", "held", "blocked", "technical", "delivered", "dead"),
    )
    .order_by(result.c.id)
)
_AWOS: Final = (
    select(awos)
    .join(awos_result, awos_result.c.awos == awos.c.id)
    .where(awos_result.c.result == given_number("number"))
    .order_by(awos.c.id.desc())
    .limit(1)
)


def results_on(site: str, specimen: str) -> Step:
    """The results of a tube that stand for themselves, each with its latest verdict (`said` are its comments) and its order's priority."""
    return Step(_ON, {"site": site, "specimen": specimen})


def result_decided(site: str, number: int) -> Step:
    """One result, the same."""
    return Step(_NUMBERED, {"site": site, "number": number})


def results_undecided(site: str, *, limit: int) -> Step:
    """What waits for a person, `critical` and stat first, then the oldest: so many at most."""
    return Step(_UNDECIDED, {"site": site, "most": limit})


def move_result(result_id: int, *, states: tuple[str, ...], becomes: str) -> Step:
    """Move a result on from one of these states; answers no row when it has left them."""
    return Step(_MOVE, {"result_id": result_id, "states": list(states), "becomes": becomes})


def carriers(number: int) -> Step:
    """The messages that carry a result, to whomever."""
    return Step(_CARRIERS, {"number": number})


def keep_back(entry: int) -> Step:
    """Keep a message that was never written; answers no row when it is on its way or gone."""
    return Step(_KEEP_BACK, {"entry": entry})


def unload(entry: int, number: int) -> Step:
    """Take a result out of a message that is kept back."""
    return Step(_UNLOAD, {"entry": entry, "number": number})


def drop_empty(entry: int) -> Step:
    """Drop a message that carries nothing any more; answers no row when it still does."""
    return Step(_DROP_EMPTY, {"entry": entry})


def other_runs(site: str, specimen: str, patient: str, loinc: str, number: int) -> Step:
    """The other runs of a result's test on its tube, those rejected not counted, each with its latest verdict."""
    return Step(_RUNS, {"site": site, "specimen": specimen, "patient": patient, "loinc": loinc, "number": number})


def awos_of_result(number: int) -> Step:
    """The AWOS that a result answers; no row where it answers none."""
    return Step(_AWOS, {"number": number})
