"""Whose time is over, by the LIS's list of last activities, and what must stay all the same? A plan: nothing is destroyed by making one.

Source: intermediate archive 5 years and destruction 20 years after the last activity, genetics 30 (the programme of the national laboratory; CNIL's
guide of retention in health). Who is not on the LIS's list is kept: labmw does not know when a patient was last seen.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from io import StringIO
from typing import Any, Final

from labmw.clock import stamp
from labmw.config import Retention
from labmw.store import schema, statements
from labmw.store.statements import archive
from labmw.store.statements import retention as stored
from labmw.store.statements.audit import audited
from labmw.store.transaction import Row, Transaction

PATIENT_CLASSES: Final = ("raw", "messages", "results", "identity")
CHUNK: Final = 500


class UnusableList(Exception):
    """The LIS's list cannot be read: a code of the catalogue and the line."""

    def __init__(self, line: int, text: str) -> None:
        self.line, self.text = line, text
        super().__init__(f"line {line}: {text}")


@dataclass(frozen=True, slots=True)
class Activities:
    """The LIS's list: patient number to last activity, and the digest of the file."""

    last: Mapping[str, date]
    digest: str


@dataclass(frozen=True, slots=True)
class Due:
    """A patient whose time is over for some classes."""

    patient: str
    last: str
    classes: tuple[str, ...]
    results: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A patient whose time would be over, and why nothing is destroyed: a code of the catalogue."""

    patient: str
    why: str


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What would be destroyed, what is kept and why, and who has come into the intermediate archive."""

    site: str
    day: str
    activities: str  # digest of the LIS's list
    years: Mapping[str, int]
    due: tuple[Due, ...]
    kept: tuple[Kept, ...]
    archive: int
    qc_before: str
    qc: int
    audit_before: str
    audit: int
    facts: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The plan as it is written, signed and compared."""
        return {
            "schema": "labmw-retention/1",
            "site": self.site,
            "day": self.day,
            "activities": self.activities,
            "years": dict(self.years),
            "due": [[one.patient, one.last, list(one.classes), one.results] for one in self.due],
            "kept": [[one.patient, one.why] for one in self.kept],
            "archive": self.archive,
            "qc": {"before": self.qc_before, "results": self.qc},
            "audit": {"before": self.audit_before, "rows": self.audit},
        }

    @property
    def digest(self) -> str:
        """What a signature is over."""
        return digest_of(self.as_json())


def digest_of(plan: Mapping[str, Any]) -> str:
    """The digest of a plan as written."""
    text = json.dumps(plan, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_activities(raw: bytes) -> Activities:
    """Read `patient;last_activity`, a line for each patient, dates as 2006-01-31; raises UnusableList. One bad line spoils the list."""
    try:
        rows = list(csv.reader(StringIO(raw.decode("utf-8-sig")), delimiter=";"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnusableList(1, str(error)) from None
    if not rows or [cell.strip() for cell in rows[0]] != ["patient", "last_activity"]:
        raise UnusableList(1, ";".join(rows[0]) if rows else "")
    last: dict[str, date] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        try:
            patient, day = (cell.strip() for cell in row)
            if not patient or patient in last:
                raise ValueError
            last[patient] = date.fromisoformat(day)
        except ValueError:
            raise UnusableList(number, ";".join(row)[:100]) from None
    return Activities(last, hashlib.sha256(raw).hexdigest())


def years_after(day: date, years: int) -> date:
    """The same day so many years later; the 29th of February becomes the 1st of March."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, month=3, day=1)


def years_before(day: date, years: int) -> str:
    """The moment so many years before a day, as the store keeps it."""
    return stamp(datetime.combine(years_after(day, -years), datetime.min.time(), UTC))


def plan(
    site: str, terms: Retention, activities: Activities, today: date, *, archived: bool = True
) -> Transaction[RetentionPlan]:
    """Say whose time is over on a day; `archived`: also of whom everything is in the archive."""
    held = {row.patient for row in (yield stored.holds(site))}
    due: list[Due] = []
    kept: list[Kept] = []
    reached = 0
    candidates = [who for who, last in activities.last.items() if years_after(last, terms.archive) <= today]
    for start in range(0, len(candidates), CHUNK):
        some = candidates[start : start + CHUNK]
        here = {row.patient: row for row in (yield stored.last_here(site, some))}
        known = {row.identifier for row in (yield statements.patients_among(site, some))}
        genetic = {row.patient for row in (yield stored.genetic_among(site, some, terms.genetic_tests or [""]))}
        unfinished = {row.patient for row in (yield stored.unfinished_among(site, some))}
        seen = yield from last_seen(site, some)
        if archived:
            away = yield archive.named(site, "patient", some)
            known |= {row.value for row in away}
            genetic |= yield from _genetic_away(away, terms)
            for row in away:
                if row.last:
                    seen[row.value] = max(date.fromisoformat(row.last), seen.get(row.value, date.min))
        for who in some:
            if who not in known and who not in here:
                continue
            last = max(activities.last[who], seen.get(who, date.min))
            if years_after(last, terms.archive) > today:
                continue  # labmw has seen the patient since the list was made
            reached += 1
            classes = _classes(terms, last, today, genetic=who in genetic and bool(terms.genetic_tests))
            if not classes:
                continue
            if who in held or who in unfinished:
                kept.append(Kept(who, "retention-kept-hold" if who in held else "retention-kept-unfinished"))
            else:
                due.append(Due(who, last.isoformat(), classes, here[who].results if who in here else 0))
    qc_before, audit_before = years_before(today, terms.qc), years_before(today, terms.audit)
    qc = (yield stored.controls_counted(site, qc_before))[0].count
    rows = (yield stored.audit_counted(site, audit_before))[0].count
    years = {name: getattr(terms, name) for name in ("archive", *PATIENT_CLASSES, "qc", "audit", "genetics")}
    return RetentionPlan(
        site, today.isoformat(), activities.digest, years, tuple(due), tuple(kept), reached, qc_before, qc, audit_before, rows
    )  # fmt: skip


def last_seen(site: str, patients: Sequence[str]) -> Transaction[dict[str, date]]:
    """When labmw itself has last had a result or an order of these patients; who is not in it has none."""
    rows = [*(yield stored.last_here(site, patients)), *(yield stored.ordered_here(site, patients))]
    seen: dict[str, date] = {}
    for row in rows:
        seen[row.patient] = max(date.fromisoformat(row.last[:10]), seen.get(row.patient, date.min))
    return seen


def _genetic_away(away: Sequence[Row], terms: Retention) -> Transaction[set[str]]:
    """Who has a result of one of the genetic tests in the archive."""
    pieces = {row.id for row in away}
    tests = (yield archive.in_pieces(sorted(pieces), "test")) if pieces else []
    with_test = {row.piece for row in tests if row.value in terms.genetic_tests}
    return {row.value for row in away if row.id in with_test}


def _classes(terms: Retention, last: date, today: date, *, genetic: bool) -> tuple[str, ...]:
    least = terms.genetics if genetic else 0
    return tuple(
        name for name in PATIENT_CLASSES if years_after(last, max(getattr(terms, name), least)) <= today
    )  # fmt: skip


def known_here(site: str, patient: str) -> Transaction[bool]:
    """Whether there is anything of a patient, here or in the archive."""
    here = [*(yield statements.patients_among(site, [patient])), *(yield stored.last_here(site, [patient]))]
    return bool(here or (yield archive.named(site, "patient", [patient])))


def hold(site: str, patient: str, *, at: str, by: str, why: str) -> Transaction[None]:
    """Nothing of this patient is destroyed from now on."""
    yield statements.insert(schema.legal_hold, site=site, patient=patient, at=at, by=by, why=why)
    yield audited(site, at=at, who=by, what="legal-hold", subject=f"patient/{patient}", why=why)


def release(site: str, patient: str, *, at: str, by: str, why: str) -> Transaction[bool]:
    """End the holds on a patient; False when there is none."""
    if not (yield stored.release_hold(site, patient, at=at, by=by, why=why)):
        return False
    yield audited(site, at=at, who=by, what="legal-hold-released", subject=f"patient/{patient}", why=why)
    return True


def due_in(plan: Mapping[str, Any]) -> Sequence[Due]:
    """Who is due, of a plan as written."""
    return [Due(patient, last, tuple(classes), results) for patient, last, classes, results in plan["due"]]
