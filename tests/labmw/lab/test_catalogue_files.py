"""A catalogue comes back from CSV and from FHIR as it was written, and what is wrong with a file is told line by line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from labmw.lab.catalogue_files import UnreadableCatalogue, from_csv, from_fhir, to_csv, to_fhir
from labmw.lab.partner_catalogue import Entry, Question

WORDS = some.text(some.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=20).map(
    str.strip
)
NAMED = WORDS.filter(bool)
QUESTIONS = some.builds(Question, some.from_regex(r"[A-Za-z0-9.-]{1,12}", fullmatch=True), WORDS, some.booleans())
ENTRIES = some.builds(
    Entry,
    code=NAMED,
    name=WORDS,
    loinc=some.sampled_from(["", "1742-6", "14749-6"]),
    nabm=some.sampled_from(["", "0552", "HN4172"]),
    specimen=some.sampled_from(["", "SER", "PLAS"]),
    tube=WORDS,
    volume=WORDS,
    unit=some.sampled_from(["", "U/L", "mmol/L"]),
    stability=WORDS,
    temperature=WORDS,
    turnaround=some.integers(0, 8760),
    questions=some.lists(QUESTIONS, max_size=3).map(tuple),
    requires=some.lists(some.sampled_from(["prescription", "consent"]), unique=True).map(tuple),
)


@given(some.lists(ENTRIES, max_size=5, unique_by=lambda one: (one.code, one.loinc)))
def test_what_is_written_comes_back(entries: list[Entry]) -> None:
    assert from_csv(to_csv(entries)) == (entries, [])
    assert from_fhir(to_fhir(entries, "SPE", "v1", "2026-01-01T00:00:00.000000Z")) == (entries, [])


def test_every_fault_is_told_with_its_line() -> None:
    text = (
        "code,loinc,unit,turnaround\n,1742-6,U/L,1\nA,1742-7,U/L,1\nB,,furlongs,1\nC,,,soon\nD,,,1,2\nE,1742-6,U/L,48\n"
    )
    entries, faults = from_csv(text)
    assert [(one.line, one.reason) for one in faults] == [
        (2, "catalogue-no-code"), (3, "catalogue-loinc"), (4, "catalogue-unit"), (5, "catalogue-turnaround"), (6, "catalogue-columns"),
    ]  # fmt: skip
    assert [one.code for one in entries] == ["", "A", "B", "E"]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "code,furlongs\nA,1\n"])
def test_what_is_no_csv_catalogue_is_refused(text: str) -> None:
    with pytest.raises(UnreadableCatalogue):
        from_csv(text)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, '{"resourceType": "Patient"}'])
def test_what_is_no_bundle_is_refused(text: str) -> None:
    with pytest.raises(UnreadableCatalogue):
        from_fhir(text)


def test_a_strange_resource_is_told_and_never_guessed() -> None:
    bundle = {
        "resourceType": "Bundle",
        "entry": [{"resource": {"resourceType": "Patient"}}, 7, {"resource": {"resourceType": "ActivityDefinition"}}],
    }
    entries, faults = from_fhir(json.dumps(bundle))
    assert [one.reason for one in faults] == ["catalogue-resource", "catalogue-resource", "catalogue-no-code"]
    assert [one.code for one in entries] == [""]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("code,name\nA,x\nB,y\nA,z\n", 4, "catalogue-twice"),
        ("code,name\nA,\0\n", 2, "catalogue-text"),
        (f"code,name\nA,{'x' * 501}\n", 2, "catalogue-text"),
        ("code,questions\nA,!=\n", 2, "catalogue-question"),
        ("code,questions\nA,two words=x\n", 2, "catalogue-question"),
    ],
)
def test_what_would_be_guessed_or_could_not_be_kept_is_a_fault(text: str, line: int, reason: str) -> None:
    assert [(one.line, one.reason) for one in from_csv(text)[1]] == [(line, reason)]


def test_a_semicolon_parts_columns_too() -> None:
    assert from_csv("code;name\nA;x, y\n") == ([Entry("A", "x, y")], [])


@pytest.mark.parametrize("text", ['code,name\nA,"' + "x" * 200_000, '"' + "x" * 200_000])
def test_a_quote_that_is_never_closed_is_no_traceback(text: str) -> None:
    with pytest.raises(UnreadableCatalogue):
        from_csv(text)


def activity(**more: object) -> str:
    code = {"coding": [{"code": more.pop("code", "A")}]}
    resource = {"resourceType": "ActivityDefinition", "code": code, **more}
    return json.dumps({"resourceType": "Bundle", "entry": [{"resource": resource}]})


@pytest.mark.parametrize(
    ("duration", "hours"),
    [({"value": 2, "code": "d"}, 48), ({"value": 48.0, "unit": "h"}, 48), ({"value": 1, "code": "wk"}, 168), ({}, 0)],
)
def test_a_turnaround_is_read_in_its_own_unit(duration: dict[str, object], hours: int) -> None:
    entries, faults = from_fhir(activity(timingDuration=duration))
    assert ([one.turnaround for one in entries], faults) == ([hours], [])


@pytest.mark.parametrize(
    "duration", [{"value": 30, "code": "min"}, {"value": 2}, {"value": True, "code": "h"}, {"value": "2", "code": "h"}, {"value": 1.5, "code": "h"}, {"value": 1e300, "code": "h"}]
)  # fmt: skip
def test_a_turnaround_in_anything_else_is_a_fault(duration: dict[str, object]) -> None:
    assert [one.reason for one in from_fhir(activity(timingDuration=duration))[1]] == ["catalogue-turnaround"]


def test_what_no_store_can_keep_is_a_fault() -> None:
    assert [one.reason for one in from_fhir(activity(code="A\ud800"))[1]] == ["catalogue-text"]
    with pytest.raises(UnreadableCatalogue):
        from_fhir("[" + "9" * 10_000 + "]")
