"""How is a catalogue written in a file? CSV for people, FHIR R4 for programs; what is written comes back equal.

FHIR: a Bundle of ActivityDefinition, one for each code, with the specimen (SpecimenDefinition), the unit (ObservationDefinition) and what is asked at order
entry (Questionnaire) contained. Documents that go along are questions of type attachment.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from labmw.errors import LabmwError
from labmw.lab.partner_catalogue import Entry, Fault, Question, faults_of, twice

COLUMNS = (
    "code", "name", "loinc", "nabm", "specimen", "tube", "volume", "unit", "stability", "temperature", "turnaround", "questions", "requires",
)  # fmt: skip
MOST = 20_000
LOINC, UCUM, NABM, V2_0487 = (
    "http://loinc.org",
    "http://unitsofmeasure.org",
    "urn:oid:1.2.250.1.213.2.5.1",
    "http://terminology.hl7.org/CodeSystem/v2-0487",
)


class UnreadableCatalogue(LabmwError):
    """The file is no catalogue at all."""


def to_csv(entries: Iterable[Entry]) -> str:
    """The catalogue as CSV. Questions: code=text, with ! where the answer is required; several are parted by |, and a | in a text is written after a backslash."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in entries:
        questions = "|".join(
            _escaped(f"{'!' if item.required else ''}{item.code}={item.text}") for item in one.questions
        )
        texts = [getattr(one, name) for name in COLUMNS[:10]]
        writer.writerow([*texts, one.turnaround or "", questions, "|".join(map(_escaped, one.requires))])
    return out.getvalue()


def from_csv(text: str) -> tuple[list[Entry], list[Fault]]:
    """The entries of a CSV file and what is wrong with it, line by line; raises UnreadableCatalogue for a header without `code`."""
    head = text.partition("\n")[0]
    reader = csv.DictReader(
        io.StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ","
    )  # as French Excel writes it
    try:
        names = reader.fieldnames or []
    except csv.Error as error:
        raise UnreadableCatalogue(f"its first line is no CSV ({error}); use {', '.join(COLUMNS)}") from None
    if "code" not in names or (unknown := [name for name in names if name not in COLUMNS]):
        told = f"unknown columns: {', '.join(unknown)}" if "code" in names else "there is no column `code`"
        raise UnreadableCatalogue(f"{told}; use {', '.join(COLUMNS)}")
    entries: list[tuple[int, Entry]] = []
    faults: list[Fault] = []
    for line, row in enumerate(_rows(reader), 2):
        if line > MOST:
            raise UnreadableCatalogue(f"more than {MOST} lines: cut it into several partners")
        if None in row or None in row.values():
            faults.append(Fault(line, "catalogue-columns"))
            continue
        hours = row.get("turnaround", "").strip() or "0"
        if not (hours.isascii() and hours.isdecimal() and len(hours) < 6):
            faults.append(Fault(line, "catalogue-turnaround", (("hours", hours),)))
            continue
        texts = {name: row.get(name, "").strip() for name in COLUMNS[:10]}
        entry = Entry(
            **texts,
            turnaround=int(hours),
            questions=tuple(_question(item) for item in _parts(row.get("questions", ""))),
            requires=tuple(_parts(row.get("requires", ""))),
        )
        faults += faults_of(line, entry)
        entries.append((line, entry))
    return [entry for _, entry in entries], faults + twice(entries)


def _rows(reader: csv.DictReader[str]) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise UnreadableCatalogue(f"it is no CSV ({error}): look for a quote that is never closed") from None


def _escaped(text: str) -> str:
    """A text among several that are parted by |."""
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _parts(text: str) -> list[str]:
    """The texts of a cell that are parted by |; a backslash keeps what follows it."""
    found = [""]
    kept = False
    for one in text:
        if kept or one not in "\\|":
            found[-1] += one
            kept = False
        elif one == "\\":
            kept = True
        else:
            found.append("")
    return [one.strip() for one in found if one.strip()]


def _question(text: str) -> Question:
    code, _, words = text.strip().partition("=")
    return Question(code.removeprefix("!").strip(), words.strip(), code.startswith("!"))


# --- FHIR R4 ------------------------------------------------------------------------------------------------------------------------


def to_fhir(entries: Sequence[Entry], partner: str, version: str, valid_from: str) -> str:
    """The catalogue as a Bundle (FHIR R4, JSON)."""
    resources = [_activity(number, one, partner, version, valid_from) for number, one in enumerate(entries, 1)]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
    return json.dumps(bundle, ensure_ascii=False, indent=2) + "\n"


def _activity(number: int, one: Entry, partner: str, version: str, valid_from: str) -> dict[str, Any]:
    system = f"urn:labmw:partner:{partner}"
    coding = [{"system": system, "code": one.code, "display": one.name}]
    coding += [{"system": LOINC, "code": one.loinc}] if one.loinc else []
    coding += [{"system": NABM, "code": one.nabm}] if one.nabm else []
    contained: list[dict[str, Any]] = []
    made: dict[str, Any] = {
        "resourceType": "ActivityDefinition",
        "id": f"{partner}-{number}".lower().replace("_", "-"),
        "version": version,
        "title": one.name or one.code,
        "status": "active",
        "effectivePeriod": {"start": valid_from},
        "kind": "ServiceRequest",
        "code": {"coding": coding},
    }
    if one.turnaround:
        made["timingDuration"] = {"value": one.turnaround, "unit": "h", "system": UCUM, "code": "h"}
    if any((one.specimen, one.tube, one.volume, one.stability, one.temperature)):
        contained.append(_specimen(one))
        made["specimenRequirement"] = [{"reference": "#specimen"}]
    if one.unit:
        unit = {"unit": {"coding": [{"system": UCUM, "code": one.unit}]}}
        code = {"coding": [{"system": LOINC, "code": one.loinc}] if one.loinc else coding[:1]}
        contained.append(
            {"resourceType": "ObservationDefinition", "id": "result", "code": code, "quantitativeDetails": unit}
        )
        made["observationResultRequirement"] = [{"reference": "#result"}]
    items = [
        {"linkId": item.code, "text": item.text, "type": "string", "required": item.required} for item in one.questions
    ]
    items += [{"linkId": item, "text": item, "type": "attachment", "required": True} for item in one.requires]
    if items:
        contained.append({"resourceType": "Questionnaire", "id": "order-entry", "status": "active", "item": items})
        made["relatedArtifact"] = [{"type": "composed-of", "resource": "#order-entry"}]
    return made | ({"contained": contained} if contained else {})


def _specimen(one: Entry) -> dict[str, Any]:
    container = {"description": one.tube, "minimumVolumeString": one.volume}
    handling = {"instruction": one.stability, "temperatureQualifier": {"text": one.temperature}}
    handling = {name: value for name, value in handling.items() if value and value != {"text": ""}}
    tested: dict[str, Any] = {
        "preference": "preferred",
        "container": {name: text for name, text in container.items() if text},
    }
    tested |= {"handling": [handling]} if handling else {}
    made: dict[str, Any] = {"resourceType": "SpecimenDefinition", "id": "specimen", "typeTested": [tested]}
    return made | ({"typeCollected": {"coding": [{"system": V2_0487, "code": one.specimen}]}} if one.specimen else {})


def from_fhir(text: str) -> tuple[list[Entry], list[Fault]]:
    """The entries of a Bundle and what is wrong with it; raises UnreadableCatalogue for anything that is no Bundle of ActivityDefinition."""
    try:
        bundle = json.loads(text)
    except (ValueError, RecursionError) as error:  # a number of ten thousand digits is a ValueError
        raise UnreadableCatalogue(f"it is not JSON ({error}); give a FHIR Bundle") from None
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise UnreadableCatalogue("it is no FHIR Bundle; give a Bundle of ActivityDefinition")
    entries: list[tuple[int, Entry]] = []
    faults: list[Fault] = []
    for place, item in enumerate(_list(bundle, "entry"), 1):
        resource = _dict(item, "resource")
        if resource.get("resourceType") != "ActivityDefinition":
            faults.append(Fault(place, "catalogue-resource", (("resource", str(resource.get("resourceType") or "-")),)))
            continue
        entry = _entry(resource)
        faults += faults_of(place, entry)
        entries.append((place, entry))
        if place > MOST:
            raise UnreadableCatalogue(f"more than {MOST} entries: cut it into several partners")
    return [entry for _, entry in entries], faults + twice(entries)


def _entry(resource: Mapping[str, Any]) -> Entry:
    inside = {str(_text(one, "resourceType")): one for one in _list(resource, "contained") if isinstance(one, dict)}
    codings = _list(_dict(resource, "code"), "coding")
    own: Any = next((one for one in codings if _text(one, "system") not in (LOINC, NABM)), {})
    specimen = inside.get("SpecimenDefinition", {})
    tested = next((one for one in _list(specimen, "typeTested") if isinstance(one, dict)), {})
    handling = next((one for one in _list(tested, "handling") if isinstance(one, dict)), {})
    container = _dict(tested, "container")
    units = _list(_dict(_dict(inside.get("ObservationDefinition", {}), "quantitativeDetails"), "unit"), "coding")
    asked = [one for one in _list(inside.get("Questionnaire", {}), "item") if isinstance(one, dict)]
    return Entry(
        code=_text(own, "code"),
        name=_text(own, "display"),
        loinc=_coded(codings, LOINC),
        nabm=_coded(codings, NABM),
        specimen=_coded(_list(_dict(specimen, "typeCollected"), "coding"), V2_0487),
        tube=_text(container, "description"),
        volume=_text(container, "minimumVolumeString"),
        unit=_coded(units, UCUM),
        stability=_text(handling, "instruction"),
        temperature=_text(_dict(handling, "temperatureQualifier"), "text"),
        turnaround=_hours(_dict(resource, "timingDuration")),
        questions=tuple(
            Question(_text(one, "linkId"), _text(one, "text"), bool(one.get("required")))
            for one in asked
            if one.get("type") != "attachment"
        ),
        requires=tuple(_text(one, "linkId") for one in asked if one.get("type") == "attachment"),
    )


_HOURS = {"h": 1, "d": 24, "wk": 168}


def _hours(duration: Mapping[str, Any]) -> int:
    """A turnaround in hours, 0 for none; -1 for what is no whole number of hours, days or weeks."""
    if not duration:
        return 0
    value, unit = duration.get("value"), _HOURS.get(_text(duration, "code") or _text(duration, "unit"))
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or unit is None
        or not 0 <= value <= 8760
        or value != int(value)
    ):
        return -1
    return int(value) * unit


def _list(one: Any, name: str) -> list[Any]:
    found = one.get(name) if isinstance(one, dict) else None
    return found if isinstance(found, list) else []


def _dict(one: Any, name: str) -> Mapping[str, Any]:
    found = one.get(name) if isinstance(one, dict) else None
    return found if isinstance(found, dict) else {}


def _text(one: Any, name: str) -> str:
    found = one.get(name) if isinstance(one, dict) else None
    return found.strip() if isinstance(found, str) else ""


def _coded(codings: Iterable[Any], system: str) -> str:
    return next((_text(one, "code") for one in codings if _text(one, "system") == system), "")
