"""Which work stands in a worklist file? TOML, read strictly; each error names file, key and remedy.

    fresh = true                        # false: as if the LIS had been silent for too long
    [[tube]]
    specimen = "1068687"
    tests = ["2823-3", "002"]           # LOINC codes that the driver maps, or the analyzer's own codes
    priority = "S"                      # S, A, P, C or R; R when left out
    kind = "SER"                        # specimen type (HL7 table 0487)
    collected = 2026-03-15T07:30:00Z
    patient = { identifier = "PAT000417", family = "DUPONT", given = "LEA", birth = 1985-04-12, sex = "F" }

Two tables may name one specimen: their tests are taken together.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import msgspec

from labmw.driver import Driver
from labmw.driver.asking import Asked, What
from labmw.driver.declaration import Hl7Driver
from labmw.driver.order_writing import TestToDo, Work, code_for
from labmw.errors import WorklistError
from labmw.model import Patient, Sex
from labmw.phrases import say

LARGEST = 2**22  # bytes
_SAID = (
    ("worklist-unknown", re.compile(r"Object contains unknown field `(?P<key>.*)`")),
    ("worklist-missing", re.compile(r"Object missing required field `(?P<key>.*)`")),
    ("worklist-type", re.compile(r"Expected `(?P<wanted>.*)`, got `(?P<got>.*)`")),
    ("worklist-value", re.compile(r"Invalid enum value (?P<got>.*)")),
)
"""What msgspec says of a table that is not of this form, and the phrase for it."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class _Patient(_Strict, frozen=True):
    identifier: str = ""
    family: str = ""
    given: str = ""
    birth: date | None = None
    sex: Literal["F", "M", "O", "U"] = "U"


class _Tube(_Strict, frozen=True):
    specimen: str
    tests: list[str]
    priority: Literal["S", "A", "P", "C", "R"] = "R"
    kind: str = ""
    collected: datetime | None = None
    ordered: datetime | None = None
    patient: _Patient | None = None


class _File(_Strict, frozen=True):
    fresh: bool = True
    tube: list[_Tube] = []


@dataclass(frozen=True, slots=True)
class Worklist:
    """What is known to be done; `fresh`: and nothing else is."""

    fresh: bool
    tubes: tuple[Work, ...]

    def work_for(self, asked: Asked, driver: Driver) -> list[Work]:
        """The work of the tubes that a query asks for, in the analyzer's own codes; tests that it does not know are not its."""
        if asked.what is What.TUBES:
            wanted = [one.identifier for one in asked.tubes]
            found = [work for name in wanted for work in self.tubes if work.specimen == name]
        elif asked.what is What.RANGE:
            found = [one for one in self.tubes if _between(one.specimen, asked)]
        elif asked.what is What.ALL:
            found = list(self.tubes)
        else:
            found = []
        return [replace(work, tests=tuple(_coded(work.tests, driver))) for work in found]


def read_worklist(path: Path) -> Worklist:
    """Read one file; raises WorklistError."""
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise _refused("worklist-large", file=name, bytes=LARGEST)
        table = tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        raise _refused("worklist-unread", file=name, why=error.strerror) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refused("worklist-no-toml", file=name, why=error) from None
    try:
        file_ = msgspec.convert(table, _File)
    except msgspec.ValidationError as error:
        raise _misplaced(name, str(error)) from None
    tubes: dict[str, Work] = {}
    for place, one in enumerate(file_.tube):
        specimen = one.specimen.strip()
        if not specimen or not one.tests:
            raise _refused("worklist-empty", file=name, where=f"tube[{place}]")
        for key in ("collected", "ordered"):
            moment: datetime | None = getattr(one, key)
            if moment is not None and moment.tzinfo is None:
                raise _refused("worklist-zone", file=name, where=f"tube[{place}].{key}")
        tests = tuple(TestToDo(code, one.priority, one.ordered) for code in one.tests)
        known = tubes.get(specimen)
        tubes[specimen] = replace(known, tests=known.tests + tests) if known else _work(specimen, one, tests)
    return Worklist(file_.fresh, tuple(tubes.values()))


def _refused(code: str, **facts: object) -> WorklistError:
    told = {name: str(fact) for name, fact in facts.items()}
    return WorklistError(say(code, "en", **told), code, told)


def _misplaced(file: str, problem: str) -> WorklistError:
    """A key that is none, or holds what it cannot: said with its place, in the reader's language where msgspec's own sentence is known."""
    problem, _, where = problem.partition(" - at `$")
    place = where.rstrip("`").lstrip(".") or "-"
    for code, form in _SAID:
        if found := form.fullmatch(problem):
            return _refused(code, file=file, where=place, **found.groupdict())
    return _refused("worklist-wrong", file=file, where=place, why=problem)


def _work(specimen: str, one: _Tube, tests: tuple[TestToDo, ...]) -> Work:
    told = one.patient
    patient = Patient("", told.identifier, told.family, told.given, told.birth, Sex(told.sex)) if told else None
    return Work(specimen, tests, patient, one.kind, one.collected)


def _coded(tests: Sequence[TestToDo], driver: Driver) -> list[TestToDo]:
    """Tests in the analyzer's own codes. What looks like a LOINC code and is not mapped is another analyzer's."""
    found: dict[str, TestToDo] = {}
    any_loinc = isinstance(driver, Hl7Driver) and driver.coded  # IHE LAW as written takes LOINC codes as they are
    for test in tests:
        code = code_for(driver, test.code) or ("" if _is_loinc(test.code) and not any_loinc else test.code)
        if code:
            found.setdefault(code, replace(test, code=code))
    return list(found.values())


def _is_loinc(text: str) -> bool:
    number, hyphen, digit = text.rpartition("-")
    return bool(hyphen) and number.isdecimal() and len(number) <= 7 and digit.isdecimal() and len(digit) == 1


def _between(specimen: str, asked: Asked) -> bool:
    return specimen.isdecimal() and len(specimen) == len(asked.first) and asked.first <= specimen <= asked.last
