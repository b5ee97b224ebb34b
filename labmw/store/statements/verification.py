"""What the rules must know of one message's results, and how their states move on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select, update

from labmw.store.schema import message, order, previous, result
from labmw.store.statements.words import given, given_number, given_texts, is_one_of
from labmw.store.transaction import Step

_specimens = given_texts("specimens")
_priority = (
    select(func.max(order.c.priority))
    .where(order.c.site == result.c.site, order.c.specimen == result.c.specimen, order.c.loinc == result.c.loinc)
    .scalar_subquery()
)
_WAITING: Final = (
    select(result, message.c.terminated, _priority.label("priority"))
    .join(message, message.c.id == result.c.message)
    .where(result.c.message == given_number("of_message"), is_one_of(result.c.state, "verify"))
    .order_by(result.c.id)
)
_INDICES: Final = (
    select(
        *(result.c.analyzer, result.c.specimen, result.c.patient, result.c.serum_index),
        *(result.c.number, result.c.comparator, result.c.flags, result.c.status),
    )
    .where(
        result.c.site == given("site"),
        result.c.specimen.in_(_specimens),
        result.c.serum_index != "",
        is_one_of(result.c.state, "detail"),
    )
    .order_by(result.c.id)
)
_RUNS: Final = (
    select(result.c.specimen, result.c.patient, result.c.loinc, func.count().label("count"))
    .where(
        result.c.site == given("site"),
        result.c.specimen.in_(_specimens),
        result.c.main == 1,
        is_one_of(result.c.state, "verify", "released", "held", "blocked", "technical", "delivered", "dead"),
    )
    .group_by(result.c.specimen, result.c.patient, result.c.loinc)
)
_IMPORTED: Final = (
    select(previous)
    .where(
        previous.c.site == given("site"),
        previous.c.patient.in_(given_texts("patients")),
        previous.c.loinc.in_(given_texts("loincs")),
        previous.c.completed_at >= given("since"),
        previous.c.completed_at < given("before"),
    )
    .order_by(previous.c.completed_at.desc(), previous.c.id.desc())
)
_OWN: Final = (
    select(
        result.c.patient,
        result.c.loinc,
        result.c.completed_at,
        result.c.number,
        result.c.comparator,
        result.c.unit,
        result.c.analyzer,
        result.c.specimen,
        result.c.driver,
    )
    .where(
        result.c.site == given("site"),
        result.c.patient.in_(given_texts("patients")),
        result.c.loinc.in_(given_texts("loincs")),
        result.c.main == 1,
        is_one_of(result.c.state, "released", "delivered"),
        result.c.completed_at >= given("since"),
        result.c.completed_at < given("before"),
    )
    .order_by(result.c.completed_at.desc(), result.c.id.desc())
)
_BECOME: Final = (
    update(result)
    .where(result.c.id == given_number("result_id"), result.c.state == given("was"))
    .values(state=given("becomes"))
)


def results_to_verify(message: int) -> Step:
    """A message's results that wait for the rules, each with its order's `priority` and whether the message was `terminated`."""
    return Step(_WAITING, {"of_message": message})


def indices_among(site: str, specimens: Sequence[str]) -> Step:
    """Serum indices measured on these specimens, oldest first."""
    return Step(_INDICES, {"site": site, "specimens": list(specimens)})


def runs_among(site: str, specimens: Sequence[str]) -> Step:
    """How many runs of each test these specimens have had, quarantine not counted."""
    return Step(_RUNS, {"site": site, "specimens": list(specimens)})


def imported_history(site: str, patients: Sequence[str], loincs: Sequence[str], *, since: str, before: str) -> Step:
    """Earlier results that came from the LIS, newest first."""
    return Step(
        _IMPORTED, {"site": site, "patients": list(patients), "loincs": list(loincs), "since": since, "before": before}
    )


def own_history(site: str, patients: Sequence[str], loincs: Sequence[str], *, since: str, before: str) -> Step:
    """Earlier results that we have released ourselves, newest first."""
    return Step(
        _OWN, {"site": site, "patients": list(patients), "loincs": list(loincs), "since": since, "before": before}
    )


def results_become(moves: Sequence[tuple[int, str, str]]) -> Step:
    """Move results from one state to the next: (result, was, becomes); one that is not in the first stays as it is."""
    return Step(_BECOME, [{"result_id": one, "was": was, "becomes": becomes} for one, was, becomes in moves])
