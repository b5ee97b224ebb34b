"""What has left and is in doubt, what must be told by telephone, and what rules have asked to be done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Text, literal, or_, select, update

from labmw.store.schema import action, added_test, alert, prescriber_call, recall, result
from labmw.store.statements.words import given, given_number, given_numbers, given_texts, is_one_of
from labmw.store.transaction import Step

_shown = (
    *(result.c.specimen, result.c.patient, result.c.code, result.c.test_name, result.c.loinc, result.c.value),
    *(result.c.unit_raw, result.c.state.label("result_state"), result.c.link),
)

# --- recalls ------------------------------------------------------------------------------------------------------------

_OF_RESULT: Final = select(recall).where(
    recall.c.site == given("site"), recall.c.result == given_number("number"), recall.c.cause == given("cause")
)
_OPEN: Final = (
    select(recall, *_shown)
    .join(result, result.c.id == recall.c.result)
    .where(recall.c.site == given("site"), is_one_of(recall.c.state, "open"))
    .order_by(recall.c.raised_at, recall.c.id)
)
_CLOSE: Final = (
    update(recall)
    .where(recall.c.site == given("of_site"), recall.c.id == given_number("entry"), recall.c.state == "open")
    .values(state="closed", closed_at=given("at"), closed_by=given("by"), note=given("why"))
    .returning(recall.c.id, recall.c.result)
)
_LEFT_SINCE: Final = (
    select(result.c.id, result.c.message)
    .where(
        result.c.site == given("site"),
        is_one_of(result.c.state, "released", "delivered"),
        or_(result.c.link == given("analyzer"), result.c.analyzer == given("analyzer")),
        result.c.loinc == given("loinc"),
        result.c.main == 1,
        result.c.received_at >= given("since"),
    )
    .order_by(result.c.id)
    .limit(given_number("most"))
)
_HELD_SINCE: Final = (
    select(result.c.message)
    .where(
        result.c.site == given("site"),
        is_one_of(result.c.state, "held"),
        or_(given("analyzer") == "", result.c.link == given("analyzer"), result.c.analyzer == given("analyzer")),
        or_(given("loinc") == "", result.c.loinc == given("loinc")),
        result.c.received_at >= given("since"),
    )
    .distinct()
    .limit(given_number("most"))
)


def recall_of(site: str, number: int, cause: str) -> Step:
    """The entry about a result for one cause."""
    return Step(_OF_RESULT, {"site": site, "number": number, "cause": cause})


def recalls_open(site: str) -> Step:
    """What has left and is in doubt, oldest first, each with its result."""
    return Step(_OPEN, {"site": site})


def close_recall(site: str, entry: int, *, at: str, by: str, why: str) -> Step:
    """Close an entry; answers its `result`, or no row when it was closed already."""
    return Step(_CLOSE, {"of_site": site, "entry": entry, "at": at, "by": by, "why": why})


def left_since(site: str, analyzer: str, loinc: str, *, since: str, limit: int) -> Step:
    """The results of a test on an analyzer (its link, or its serial number) that have left since a moment."""
    return Step(_LEFT_SINCE, {"site": site, "analyzer": analyzer, "loinc": loinc, "since": since, "most": limit})


def held_since(site: str, analyzer: str, loinc: str, *, since: str, limit: int) -> Step:
    """The messages with held results of a test on an analyzer since a moment; "" for any test, any analyzer."""
    return Step(_HELD_SINCE, {"site": site, "analyzer": analyzer, "loinc": loinc, "since": since, "most": limit})


# --- calls --------------------------------------------------------------------------------------------------------------

_ALERTS: Final = select(alert.c.result, alert.c.facts).where(
    alert.c.site == given("site"),
    alert.c.result.in_(given_numbers("results")),
    is_one_of(alert.c.kind, "critical"),
)
_TOLD: Final = (
    update(alert)
    .where(
        alert.c.site == given("of_site"),
        alert.c.result == given_number("number"),
        alert.c.kind == "critical",
        alert.c.state == "open",
    )
    .values(state="closed", closed_at=given("at"), closed_by=given("by"))
    .returning(alert.c.id)
)
_ASKED_CALLS: Final = select(action.c.result, action.c.facts).where(
    action.c.result.in_(given_numbers("results")), is_one_of(action.c.kind, "call")
)
_KNOWN: Final = (
    select(prescriber_call)
    .where(
        prescriber_call.c.site == given("site"),
        prescriber_call.c.patient == given("patient"),
        prescriber_call.c.loinc == given("loinc"),
        is_one_of(prescriber_call.c.state, "documented"),
        prescriber_call.c.called_at >= given("since"),
    )
    .order_by(prescriber_call.c.id)
)
_CALLS: Final = (
    select(prescriber_call, *_shown[:1], *_shown[2:])
    .join(result, result.c.id == prescriber_call.c.result)
    .where(prescriber_call.c.site == given("site"), is_one_of(prescriber_call.c.state, "open"))
    .order_by(prescriber_call.c.raised_at, prescriber_call.c.id)
)
_CALL: Final = (
    select(prescriber_call, *_shown[:1], *_shown[2:])
    .join(result, result.c.id == prescriber_call.c.result)
    .where(prescriber_call.c.site == given("site"), prescriber_call.c.id == given_number("entry"))
)
_DOCUMENT: Final = (
    update(prescriber_call)
    .where(prescriber_call.c.id == given_number("entry"), prescriber_call.c.state == "open")
    .values(
        state="documented",
        called_at=given("at"),
        called_by=given("by"),
        told=given("to"),
        read_back=given("back"),
        note=given("why"),
    )
    .returning(prescriber_call.c.id)
)


def alert_told(site: str, number: int, *, at: str, by: str) -> Step:
    """Close the alert of a critical value whose prescriber was told; answers no row when it was closed before."""
    return Step(_TOLD, {"of_site": site, "number": number, "at": at, "by": by})


def critical_among(site: str, results: Sequence[int]) -> Step:
    """The alerts that these results raised at intake, with their facts."""
    return Step(_ALERTS, {"site": site, "results": list(results)})


def calls_asked(results: Sequence[int]) -> Step:
    """The calls that rules have asked for about these results."""
    return Step(_ASKED_CALLS, {"results": list(results)})


def calls_known(site: str, patient: str, loinc: str, *, since: str) -> Step:
    """The calls about a patient's test that are documented since a moment."""
    return Step(_KNOWN, {"site": site, "patient": patient, "loinc": loinc, "since": since})


def calls_open(site: str) -> Step:
    """The calls that nobody has documented, oldest first, each with its result."""
    return Step(_CALLS, {"site": site})


def call_numbered(site: str, entry: int) -> Step:
    """One call, with its result."""
    return Step(_CALL, {"site": site, "entry": entry})


def document_call(entry: int, *, at: str, by: str, to: str, back: str, why: str) -> Step:
    """Write down that somebody was told; answers no row when the call is not open."""
    return Step(_DOCUMENT, {"entry": entry, "at": at, "by": by, "to": to, "back": back, "why": why})


# --- actions ------------------------------------------------------------------------------------------------------------

_ADDED: Final = select(action).where(
    action.c.site == given("site"),
    action.c.specimen == given("specimen"),
    action.c.patient == given("patient"),
    is_one_of(action.c.kind, "reflex", "add-on"),
    action.c.target.in_(given_texts("loincs")),
)
_ADDED_IN: Final = (
    select(
        *(added_test.c.id, result.c.specimen, result.c.patient, added_test.c.loinc, added_test.c.loinc.label("code")),
        *(added_test.c.test_name, added_test.c.protocol, literal("", Text()).label("run"), result.c.link),
    )
    .join(result, result.c.id == added_test.c.result)
    .where(added_test.c.outbox == given_number("entry"))
    .order_by(added_test.c.id)
)
_ACTIONS: Final = (
    select(action).where(action.c.site == given("site"), action.c.specimen == given("specimen")).order_by(action.c.id)
)


def added_in(entry: int) -> Step:
    """The tests of which an outbox message says that they were added, each as a result that has none yet."""
    return Step(_ADDED_IN, {"entry": entry})


def added_by_rules(site: str, specimen: str, patient: str, loincs: Sequence[str]) -> Step:
    """What rules have added, or proposed, among these tests of a tube."""
    return Step(_ADDED, {"site": site, "specimen": specimen, "patient": patient, "loincs": list(loincs)})


def actions_on(site: str, specimen: str) -> Step:
    """Everything that rules have asked to be done with a tube."""
    return Step(_ACTIONS, {"site": site, "specimen": specimen})
