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
from labmw.errors import ConfigError
from labmw.model import Patient, Sex

LARGEST = 2**22  # bytes
REMEDY = "see tests/data/worklist.toml, where every key is explained"


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
    """Read one file; raises ConfigError."""
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise ConfigError(name, "", f"is larger than {LARGEST} bytes", "a worklist is a few tubes")
        table = tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        raise ConfigError(name, "", f"cannot be read ({error.strerror})", "check the path") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(name, "", f"is not TOML ({error})", "mend the place it names") from None
    try:
        file_ = msgspec.convert(table, _File)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        raise ConfigError(name, where.rstrip("`").lstrip(".") or "the file", problem, REMEDY) from None
    tubes: dict[str, Work] = {}
    for place, one in enumerate(file_.tube):
        specimen = one.specimen.strip()
        if not specimen or not one.tests:
            raise ConfigError(name, f"tube[{place}]", "has no specimen or no test", REMEDY)
        for key in ("collected", "ordered"):
            moment: datetime | None = getattr(one, key)
            if moment is not None and moment.tzinfo is None:
                raise ConfigError(
                    name, f"tube[{place}].{key}", "has no time zone", 'write it like "2026-03-15T07:30:00Z"'
                )
        tests = tuple(TestToDo(code, one.priority, one.ordered) for code in one.tests)
        known = tubes.get(specimen)
        tubes[specimen] = replace(known, tests=known.tests + tests) if known else _work(specimen, one, tests)
    return Worklist(file_.fresh, tuple(tubes.values()))


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
