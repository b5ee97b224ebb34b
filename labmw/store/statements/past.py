"""What has the laboratory measured and decided? Read whole, for replays and indicators; never in the path of a result."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from labmw.store.schema import (
    message,
    patient,
    previous,
    result,
    shadow_verdict,
    specimen,
    verdict,
    withdrawal,
)
from labmw.store.statements.words import given, is_one_of
from labmw.store.transaction import Step

NOT_JUDGED: Final = ("quarantined", "control", "detail", "verify")
_columns = (
    result.c.id, result.c.analyzer, result.c.link, result.c.specimen, result.c.patient, result.c.loinc, result.c.code, result.c.test_name,
    result.c.value, result.c.number, result.c.comparator, result.c.unit, result.c.flags, result.c.status, result.c.completed_at,
    result.c.received_at, result.c.driver, result.c.state, result.c.serum_index,
)  # fmt: skip
_RESULTS: Final = (
    select(*_columns)
    .join(message, message.c.id == result.c.message)
    .where(
        result.c.site == given("site"), result.c.main == 1, result.c.serum_index == "", message.c.terminated == 1, result.c.state.not_in(NOT_JUDGED),
        result.c.received_at >= given("since"), result.c.received_at < given("until"),
    )
    .order_by(result.c.id)
)  # fmt: skip
_INDICES: Final = (
    select(*_columns)
    .where(
        result.c.site == given("site"),
        is_one_of(result.c.state, "detail"),
        result.c.serum_index != "",
        result.c.received_at >= given("since"),
        result.c.received_at < given("until"),
    )
    .order_by(result.c.id)
)
_PATIENTS: Final = select(patient.c.identifier, patient.c.sex, patient.c.birth).where(patient.c.site == given("site"))
_SPECIMENS: Final = select(
    specimen.c.identifier, specimen.c.patient, specimen.c.kind, specimen.c.ward, specimen.c.collected
).where(specimen.c.site == given("site"))
_PREVIOUS: Final = select(previous).where(previous.c.site == given("site")).order_by(previous.c.id)
_VERDICTS: Final = (
    select(
        verdict.c.result, verdict.c.level, verdict.c.reasons, verdict.c.packs, verdict.c.decided_at, verdict.c.decided_by, verdict.c.responsible
    )
    .join(result, result.c.id == verdict.c.result)
    .where(verdict.c.site == given("site"), result.c.received_at >= given("since"), result.c.received_at < given("until"))
    .order_by(verdict.c.id)
)  # fmt: skip
_WITHDRAWN: Final = select(withdrawal.c.result, withdrawal.c.at, withdrawal.c.by, withdrawal.c.why).where(
    withdrawal.c.site == given("site")
)
_SHADOW: Final = (
    select(
        shadow_verdict.c.result, shadow_verdict.c.pack, shadow_verdict.c.level, shadow_verdict.c.active, shadow_verdict.c.reasons,
        shadow_verdict.c.decided_at, result.c.specimen, result.c.loinc, result.c.test_name, result.c.code, result.c.value, result.c.unit,
    )
    .join(result, result.c.id == shadow_verdict.c.result)
    .where(shadow_verdict.c.site == given("site"))
    .order_by(shadow_verdict.c.id)
)  # fmt: skip


def results_judged(site: str, since: str, until: str) -> Step:
    """Main results that went to the rules, received in a time; what an unterminated message brought is left out."""
    return Step(_RESULTS, {"site": site, "since": since, "until": until})


def indices_measured(site: str, since: str, until: str) -> Step:
    """Serum indices received in a time, oldest first."""
    return Step(_INDICES, {"site": site, "since": since, "until": until})


def patients_known(site: str) -> Step:
    """Sex and birth of every patient."""
    return Step(_PATIENTS, {"site": site})


def specimens_known(site: str) -> Step:
    """Kind, ward and collection of every tube."""
    return Step(_SPECIMENS, {"site": site})


def previous_known(site: str) -> Step:
    """Earlier results that came from the LIS."""
    return Step(_PREVIOUS, {"site": site})


def verdicts_given(site: str, since: str, until: str) -> Step:
    """Every verdict on results received in a time, in order: of the rules and of people."""
    return Step(_VERDICTS, {"site": site, "since": since, "until": until})


def results_withdrawn(site: str) -> Step:
    """Results that were taken back after they had left."""
    return Step(_WITHDRAWN, {"site": site})


def shadow_verdicts(site: str) -> Step:
    """What watched packs would have said, beside what was said."""
    return Step(_SHADOW, {"site": site})
