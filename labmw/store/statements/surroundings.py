"""What bears on a verdict beside the result itself: its tube's other results, the patient's other tests, the tubes taken with it.

Every answer is bounded: so many results of a tube, so many earlier ones of each test. A patient who is measured every hour for a year costs no more
than another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import and_, func, or_, select

from labmw.store.schema import message, order, previous, result, specimen, verdict, work
from labmw.store.statements.words import given, given_number, given_texts, is_one_of
from labmw.store.transaction import Step

BLOCKED: Final = 4  # VerdictLevel.BLOCK
_latest = select(func.max(verdict.c.id)).where(verdict.c.result == result.c.id).correlate(result).scalar_subquery()
_alive = is_one_of(
    result.c.state, "verify", "released", "held", "blocked", "technical", "delivered", "dead", "rejected"
)
_ON_TUBES: Final = (
    select(result, verdict.c.level, verdict.c.reasons, verdict.c.decided_by)
    .outerjoin(verdict, verdict.c.id == _latest)
    .where(
        result.c.site == given("site"),
        result.c.specimen.in_(given_texts("specimens")),
        result.c.main == 1,
        result.c.serum_index == "",
        _alive,
    )
    .order_by(result.c.id.desc())
    .limit(given_number("most"))
)


_own = (
    select(
        *(result.c.patient, result.c.loinc, result.c.completed_at, result.c.value, result.c.number),
        *(result.c.comparator, result.c.unit, result.c.analyzer),
        func.row_number()
        .over(
            partition_by=(result.c.patient, result.c.loinc),
            order_by=(result.c.completed_at.desc(), result.c.id.desc()),
        )
        .label("place"),
    )
    .where(
        result.c.site == given("site"),
        result.c.patient.in_(given_texts("patients")),
        result.c.loinc.in_(given_texts("loincs")),
        result.c.main == 1,
        is_one_of(result.c.state, "released", "delivered"),
        ~is_one_of(result.c.driver, "ilw", "hprim"),  # another laboratory's methods are not compared with ours
        result.c.completed_at >= given("since"),
        result.c.completed_at < given("before"),
    )
    .subquery("newest_own")
)
_OWN: Final = select(_own).where(_own.c.place <= given_number("deep"))
_told = (
    select(
        previous,
        func.row_number()
        .over(
            partition_by=(previous.c.patient, previous.c.loinc),
            order_by=(previous.c.completed_at.desc(), previous.c.id.desc()),
        )
        .label("place"),
    )
    .where(
        previous.c.site == given("site"),
        previous.c.patient.in_(given_texts("patients")),
        previous.c.loinc.in_(given_texts("loincs")),
        previous.c.completed_at >= given("since"),
        previous.c.completed_at < given("before"),
    )
    .subquery("newest_told")
)
_TOLD: Final = select(_told).where(_told.c.place <= given_number("deep"))
_TAKEN_WITH: Final = (
    select(specimen.c.identifier, specimen.c.patient, specimen.c.collected)
    .where(
        specimen.c.site == given("site"),
        specimen.c.patient.in_(given_texts("patients")),
        specimen.c.collected >= given("since"),
        specimen.c.collected <= given("before"),
    )
    .order_by(specimen.c.id.desc())
    .limit(given_number("most"))
)
_priority = (
    select(func.max(order.c.priority))
    .where(order.c.site == result.c.site, order.c.specimen == result.c.specimen, order.c.loinc == result.c.loinc)
    .scalar_subquery()
)
_OF_MESSAGE: Final = (  # by the rules alone: what a person has decided stays as it is
    select(
        result,
        *(message.c.terminated, _priority.label("priority"), verdict.c.level, verdict.c.reasons, verdict.c.packs),
        *(verdict.c.comments.label("said"), verdict.c.decided_at, verdict.c.decided_by),
    )
    .join(message, message.c.id == result.c.message)
    .join(verdict, verdict.c.id == _latest)
    .where(
        result.c.message == given_number("of_message"),
        # Blocked by the rules: not by the LIS, which says that a tube is another patient's, and which no rule overrules.
        or_(
            is_one_of(result.c.state, "held", "released", "delivered"),
            and_(is_one_of(result.c.state, "blocked"), verdict.c.level == BLOCKED),
        ),
        verdict.c.decided_by == "rules",
    )
    .order_by(result.c.id)
)
_decided_by_rules = (
    select(verdict.c.id).where(verdict.c.id == _latest, verdict.c.decided_by == "rules").correlate(result).exists()
)
_TUBES_OF_PATIENT: Final = (
    select(specimen.c.identifier)
    .where(specimen.c.site == given("site"), specimen.c.patient == given("patient"))
    .order_by(specimen.c.id.desc())
    .limit(given_number("most"))
)
_MESSAGES_ON: Final = (
    select(result.c.message)
    .where(
        result.c.site == given("site"),
        result.c.specimen.in_(given_texts("specimens")),
        result.c.main == 1,
        is_one_of(result.c.state, "held", "blocked", "released", "delivered"),
        result.c.received_at >= given("since"),
        _decided_by_rules,
    )
    .distinct()
    .order_by(result.c.message.desc())
    .limit(given_number("most"))
)
_AGAIN: Final = select(work.c.id, work.c.due_at).where(
    work.c.message == given_number("of_message"), work.c.kind == "again", work.c.due_at <= given("due")
)


def results_on_tubes(site: str, specimens: Sequence[str], *, limit: int) -> Step:
    """The results of these tubes, those taken back not counted, each with its latest verdict; the newest first, so many at most."""
    return Step(_ON_TUBES, {"site": site, "specimens": list(specimens), "most": limit})


def own_before(
    site: str, patients: Sequence[str], loincs: Sequence[str], *, since: str, before: str, last: int
) -> Step:
    """What we have released of these patients and tests, in numbers or words: the newest so many of each."""
    values = {"site": site, "patients": list(patients), "loincs": list(loincs)}
    return Step(_OWN, values | {"since": since, "before": before, "deep": last})


def told_before(
    site: str, patients: Sequence[str], loincs: Sequence[str], *, since: str, before: str, last: int
) -> Step:
    """What the LIS told of these patients and tests: the newest so many of each."""
    values = {"site": site, "patients": list(patients), "loincs": list(loincs)}
    return Step(_TOLD, values | {"since": since, "before": before, "deep": last})


def taken_with(site: str, patients: Sequence[str], *, since: str, before: str, limit: int) -> Step:
    """The tubes of these patients that were collected between two moments."""
    return Step(
        _TAKEN_WITH, {"site": site, "patients": list(patients), "since": since, "before": before, "most": limit}
    )


def judged_of_message(message: int) -> Step:
    """What the rules have decided of a message's results, and nobody else since; each with its verdict."""
    return Step(_OF_MESSAGE, {"of_message": message})


def judged_messages_on(site: str, specimens: Sequence[str], *, since: str, limit: int) -> Step:
    """The messages that brought what the rules have decided of these tubes, the newest first."""
    return Step(_MESSAGES_ON, {"site": site, "specimens": list(specimens), "since": since, "most": limit})


def tubes_of_patient(site: str, patient: str, *, limit: int) -> Step:
    """The tubes of a patient, the newest first."""
    return Step(_TUBES_OF_PATIENT, {"site": site, "patient": patient, "most": limit})


def again_waits(message: int, due: str) -> Step:
    """The second look at a message that waits already, due by then."""
    return Step(_AGAIN, {"of_message": message, "due": due})
