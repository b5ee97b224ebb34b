"""What the laboratory knows: patients, specimens, orders, control materials, results and their history."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select, update

from labmw.store.schema import material, order, patient, previous, result, specimen
from labmw.store.statements.words import given, given_number, is_one_of
from labmw.store.transaction import Step

_PATIENT: Final = select(patient).where(patient.c.site == given("site"), patient.c.identifier == given("identifier"))
_SPECIMENS: Final = (
    select(specimen)
    .where(specimen.c.site == given("site"), specimen.c.identifier == given("identifier"))
    .order_by(specimen.c.valid_from, specimen.c.id)
)
_ORDERS: Final = (
    select(order).where(order.c.site == given("site"), order.c.specimen == given("specimen")).order_by(order.c.id)
)
_MATERIALS: Final = (
    select(material)
    .where(material.c.site == given("site"), material.c.identifier == given("identifier"))
    .order_by(material.c.valid_from, material.c.id)
)
_RESULT_BY_KEY: Final = select(result).where(result.c.site == given("site"), result.c.key == given("key"))
_RESULTS_OF_TEST: Final = (
    select(result)
    .where(
        result.c.site == given("site"),
        result.c.specimen == given("specimen"),
        result.c.code == given("code"),
        result.c.detail == given("detail"),
    )
    .order_by(result.c.id)
)
_RESULTS_OF_MESSAGE: Final = select(result).where(result.c.message == given_number("message")).order_by(result.c.id)
_RESULTS_OF_SPECIMEN: Final = (
    select(result)
    .where(result.c.site == given("site"), result.c.specimen == given("specimen"))
    .order_by(result.c.received_at, result.c.id)
)
_SET_STATE: Final = (
    update(result)
    .where(result.c.id == given_number("result"), result.c.state == given("was"))
    .values(state=given("becomes"))
    .returning(result.c.id)
)
_PREVIOUS: Final = (
    select(previous)
    .where(
        previous.c.site == given("site"),
        previous.c.patient == given("patient"),
        previous.c.loinc == given("loinc"),
        previous.c.completed_at < given("before"),
    )
    .order_by(previous.c.completed_at.desc(), previous.c.id.desc())
    .limit(given_number("most"))
)
# A result without a completion time is ordered by when it came.
_when = func.coalesce(result.c.completed_at, result.c.received_at)
_EARLIER: Final = (
    select(result, _when.label("when"))
    .where(
        result.c.site == given("site"),
        result.c.patient == given("patient"),
        result.c.patient != "",
        result.c.loinc == given("loinc"),
        result.c.main == 1,
        is_one_of(result.c.state, "released", "delivered"),
        _when < given("before"),
    )
    .order_by(_when.desc(), result.c.id.desc())
    .limit(given_number("most"))
)


def patient_by_identifier(site: str, identifier: str) -> Step:
    """The patient of this identifier."""
    return Step(_PATIENT, {"site": site, "identifier": identifier})


def specimens_by_identifier(site: str, identifier: str) -> Step:
    """Every tube that ever carried this identifier: kind and window decide which one is meant (law 6)."""
    return Step(_SPECIMENS, {"site": site, "identifier": identifier})


def orders_of_specimen(site: str, specimen: str) -> Step:
    """What was asked for on this specimen."""
    return Step(_ORDERS, {"site": site, "specimen": specimen})


def materials_by_identifier(site: str, identifier: str) -> Step:
    """The control materials registered under this identifier."""
    return Step(_MATERIALS, {"site": site, "identifier": identifier})


def result_by_key(site: str, key: str) -> Step:
    """The result under one `ResultKey.text()`, if there is one."""
    return Step(_RESULT_BY_KEY, {"site": site, "key": key})


def results_of_test(site: str, specimen: str, code: str, detail: str = "") -> Step:
    """Every run of one test on one specimen, oldest first: what a possible repeat is compared with (law 5)."""
    return Step(_RESULTS_OF_TEST, {"site": site, "specimen": specimen, "code": code, "detail": detail})


def results_of_message(message: int) -> Step:
    """The results of one message, in the order they were stored."""
    return Step(_RESULTS_OF_MESSAGE, {"message": message})


def results_of_specimen(site: str, specimen: str) -> Step:
    """Every result of one specimen, oldest first."""
    return Step(_RESULTS_OF_SPECIMEN, {"site": site, "specimen": specimen})


def set_result_state(result: int, *, was: str, becomes: str) -> Step:
    """Move a result from one state to the next; answers no row when it is not in the first (somebody else was quicker)."""
    return Step(_SET_STATE, {"result": result, "was": was, "becomes": becomes})


def previous_results(site: str, patient: str, loinc: str, *, before: str, most: int = 20) -> Step:
    """The imported history of a patient and test before a moment, newest first."""
    return Step(_PREVIOUS, {"site": site, "patient": patient, "loinc": loinc, "before": before, "most": most})


def earlier_results(site: str, patient: str, loinc: str, *, before: str, most: int = 20) -> Step:
    """Our own released or delivered main results of a patient and test before a moment, newest first; `when` is their time."""
    return Step(_EARLIER, {"site": site, "patient": patient, "loinc": loinc, "before": before, "most": most})
