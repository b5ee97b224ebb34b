"""What does a partner perform? Its catalogue in versions: kept whole or not at all, valid from a moment, and what of our routes it leaves unmapped."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labmw.driver.check import loinc_check_digit
from labmw.lab.lis_told import audit
from labmw.partner import Partner
from labmw.quantity import is_ucum
from labmw.store import schema, statements
from labmw.store.statements import partners as stored
from labmw.store.transaction import Row, Transaction

_LOINC = re.compile(r"\d{1,7}-\d", re.ASCII)
_QUESTION = re.compile(r"[^\s=|!\\\x00-\x1f]{1,64}")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
LONGEST = 500  # characters of one text
_TEXTS = ("code", "name", "loinc", "nabm", "specimen", "tube", "volume", "unit", "stability", "temperature")


@dataclass(frozen=True, slots=True)
class Question:
    """What has to be answered when the test is ordered."""

    code: str
    text: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One code of a partner's catalogue and the analyte of ours that it stands for. `turnaround` in hours, 0 when it is not said."""

    code: str
    name: str = ""
    loinc: str = ""
    nabm: str = ""  # code of the French list of biology acts (NABM) or of acts outside it (HN)
    specimen: str = ""
    tube: str = ""
    volume: str = ""
    unit: str = ""  # UCUM; a result in another unit goes to quarantine
    stability: str = ""
    temperature: str = ""
    turnaround: int = 0
    questions: tuple[Question, ...] = ()
    requires: tuple[str, ...] = ()  # prescription, consent, questionnaire


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one line: a phrase and its facts."""

    line: int
    reason: str
    facts: tuple[tuple[str, str], ...] = ()


def faults_of(line: int, entry: Entry) -> list[Fault]:
    """What is wrong with an entry."""
    found = []
    if not entry.code:
        found.append(Fault(line, "catalogue-no-code"))
    if entry.loinc and not (_LOINC.fullmatch(entry.loinc) and loinc_check_digit(entry.loinc)):
        found.append(Fault(line, "catalogue-loinc", (("loinc", entry.loinc),)))
    if entry.unit and not is_ucum(entry.unit):
        found.append(Fault(line, "catalogue-unit", (("unit", entry.unit),)))
    for text in (*(getattr(entry, name) for name in _TEXTS), *entry.requires, *(one.text for one in entry.questions)):
        if len(text) > LONGEST or _UNPRINTABLE.search(text):
            found.append(
                Fault(line, "catalogue-text", (("text", _UNPRINTABLE.sub("?", text[:40])), ("most", str(LONGEST))))
            )
    for one in entry.questions:
        if not _QUESTION.fullmatch(one.code):
            found.append(Fault(line, "catalogue-question", (("code", _UNPRINTABLE.sub("?", one.code[:40])),)))
    if not 0 <= entry.turnaround <= 8760:
        found.append(Fault(line, "catalogue-turnaround", (("hours", str(entry.turnaround)),)))
    return found


def twice(entries: Sequence[tuple[int, Entry]]) -> list[Fault]:
    """The entries, each with its line, that repeat a code for the same test: which of them counts cannot be told."""
    seen: set[tuple[str, str]] = set()
    found = []
    for line, entry in entries:
        if (entry.code, entry.loinc) in seen:
            found.append(
                Fault(line, "catalogue-twice", (("code", entry.code[:40]), ("loinc", entry.loinc[:40] or "–")))
            )
        seen.add((entry.code, entry.loinc))
    return found


def keep_catalogue(
    site: str, partner: str, version: str, valid_from: str, entries: Sequence[Entry], by: str, at: str
) -> Transaction[bool]:
    """Keep a version, valid from a moment; earlier ones end there. False when there is a version of this name already."""
    for row in (yield stored.catalogue_versions(site)):
        if (row.partner, row.version) == (partner, version):
            return False
    for entry in entries:
        yield statements.insert(
            schema.catalogue_entry,
            site=site,
            partner=partner,
            **{name: getattr(entry, name) for name in _TEXTS},
            turnaround=entry.turnaround,
            questions=json.dumps([_question(one) for one in entry.questions], ensure_ascii=False),
            requires=json.dumps(list(entry.requires), ensure_ascii=False),
            version=version,
            valid_from=valid_from,
        )
    yield stored.end_catalogue(site, partner, version, valid_from)
    yield from audit(site, at, by, "catalogue-imported", f"partner/{partner}", f"{version}: {len(entries)}")
    return True


def _question(one: Question) -> Mapping[str, Any]:
    return {"code": one.code, "text": one.text, "required": one.required}


def entry_of(row: Row) -> Entry:
    """Make the noun from its row."""
    questions = tuple(
        Question(one["code"], one.get("text", ""), bool(one.get("required", True))) for one in json.loads(row.questions)
    )
    texts = {name: getattr(row, name) for name in _TEXTS}
    return Entry(**texts, turnaround=int(row.turnaround), questions=questions, requires=tuple(json.loads(row.requires)))


@dataclass(frozen=True, slots=True)
class Unmapped:
    """One thing that is not mapped: `route` a test of ours that leaves and that the catalogue does not know, `entry` a code without analyte of ours."""

    what: str
    code: str
    name: str = ""


def unmapped(partner: Partner, rows: Sequence[Row]) -> list[Unmapped]:
    """What of our routes the catalogue leaves open, and what of the catalogue has no analyte of ours."""
    named = {row.loinc for row in rows if row.loinc}
    for meant in partner.tests.values():
        named |= {meant} if isinstance(meant, str) else set(meant)
    routed = dict.fromkeys(loinc for route in partner.routes for loinc in route.tests)
    found = [Unmapped("route", loinc) for loinc in routed if loinc not in named]
    return found + [
        Unmapped("entry", row.code, row.name) for row in rows if not row.loinc and row.code not in partner.tests
    ]
