"""What is to be played? A scenario is one TOML file, read strictly; each error names file, key and remedy."""

from __future__ import annotations

import tomllib
import zoneinfo
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from protocols.hl7.profile import PERSONALITIES
from simulators.analyzers import DIALECTS, LAW_IMMUNOASSAY, MENUS
from simulators.errors import ScenarioError
from simulators.faults import Faults
from simulators.lis import Behaviour, Outage

Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: an unknown key is an error."""


class OutageTable(_Strict, frozen=True):
    """The LIS is away: from when, and for how many seconds of the scenario."""

    seconds: Seconds
    after_messages: Count | None = None
    after_seconds: Seconds | None = None


class LisTable(_Strict, frozen=True):
    """The simulated LIS: where it listens and what it does to every n-th message (0: never)."""

    listen: str = "127.0.0.1:0"
    delay: Seconds = 0.0
    error_every: Count = 0
    silent_every: Count = 0
    late_every: Count = 0
    late_seconds: Seconds = 5.0
    mismatch_every: Count = 0
    outage: list[OutageTable] = []

    def behaviour(self) -> Behaviour:
        """Return it as the LIS takes it."""
        outages = tuple(Outage(one.seconds, one.after_messages, one.after_seconds) for one in self.outage)
        return Behaviour(
            delay=self.delay,
            error_every=self.error_every,
            silent_every=self.silent_every,
            late_every=self.late_every,
            late_seconds=self.late_seconds,
            mismatch_every=self.mismatch_every,
            outages=outages,
        )


class Expected(_Strict, frozen=True):
    """Where a planted case must end in labmw: passed on in the report, for whoever counts."""

    state: str
    reason: str = ""
    test: str = ""  # the test code it is about; empty: every result of the message


class Unknown(_Strict, frozen=True):
    """A result under a test code that no driver knows."""

    code: str
    value: str
    unit: str = ""


class Planted(_Strict, frozen=True):
    """A sample with something about it. Values are texts and are written as they stand, wrong ones too."""

    case: str
    at: Count | None = None  # place among the analyzer's messages, from 0; else spread evenly
    tests: list[str] = []  # instead of the analyzer's
    values: dict[str, str] = {}
    flags: dict[str, str] = {}
    unknown: list[Unknown] = []
    before: dict[str, str] = {}  # earlier results of this patient, some weeks ago
    ordered: bool = True
    terminated: bool = True
    times: Annotated[int, msgspec.Meta(ge=1)] = 1  # transmissions of the whole message
    hang_up_after: Count | None = None  # acknowledged frames
    pause: Seconds = 1.0  # seconds until the analyzer resumes
    expect: list[Expected] = []


class Capture(_Strict, frozen=True):
    """A recording to be played: a file of the corpus when it is there, else another one beside the simulators."""

    corpus: str = ""
    otherwise: str = ""
    file: str = ""


class FaultTable(_Strict, frozen=True):
    """What the line does, per direction: the fields of `simulators.faults.Faults`."""

    to_labmw: dict[str, float | int] = {}
    from_labmw: dict[str, float | int] = {}


class AnalyzerTable(_Strict, frozen=True):
    """One analyzer: its family, its plug (exactly one of connect, listen, pty), its work, its line."""

    name: str
    dialect: str
    connect: str = ""  # "host:port" of labmw
    listen: str = ""  # "host:port" where labmw dials
    pty: str = ""  # where to put the name of the serial device (a symbolic link)
    samples: Count = 0
    tests: list[str] = []  # what is measured in every sample; empty: everything the dialect knows
    history: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5  # share of patients with earlier results
    think: Seconds = 0.3  # seconds of the scenario before each message
    start: Seconds = 0.0  # seconds of the scenario before the first
    packing: Literal["", "record", "message"] = ""
    frame_text: Count = 0
    forgets: Literal["message", "record"] = "message"  # what an acknowledgment allows it to forget
    patience: Seconds = 120.0
    asks: bool = False  # it asks for the work of each tube before it reports
    planted: list[Planted] = []
    capture: Capture | None = None
    faults: FaultTable = FaultTable()


class LawPlanted(_Strict, frozen=True):
    """A tube with something about it on an analyzer that speaks IHE LAW. Without `expect`, every result of it must be there once."""

    case: str
    values: dict[str, str] = {}
    first_runs: dict[str, str] = {}  # measured twice: the first run, which is no candidate
    failed: list[str] = []  # tests for which no result could be produced
    added: dict[str, str] = {}  # tests that the analyzer adds by itself, under the first of the ordered ones
    strange: list[str] = []  # tests reported under an AWOS that nobody has given
    control: str = ""  # no patient's tube: this control material
    ordered: bool = True
    times: Annotated[int, msgspec.Meta(ge=1)] = 1  # how often the report is sent
    expect: list[Expected] = []


class LawTable(_Strict, frozen=True):
    """One analyzer that speaks IHE LAW: it asks for the work of each tube, does it, and reports."""

    name: str
    connect: str  # "host:port" of labmw
    menu: str = LAW_IMMUNOASSAY
    profile: str = "generic"
    samples: Count = 0
    history: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    think: Seconds = 0.3
    start: Seconds = 0.0
    patience: Seconds = 5.0  # real seconds until a message without reply is sent again
    resends: Count = 8
    planted: list[LawPlanted] = []


class Material(_Strict, frozen=True):
    """A control material that labmw should know."""

    identifier: str
    name: str = ""
    lot: str = ""


class Scenario(_Strict, frozen=True):
    """The whole file."""

    name: str = ""
    seed: int = 1
    timezone: str = "Europe/Paris"
    hours_ago: Seconds = 2.0  # when the first sample was measured
    settle: Seconds = 3.0  # real seconds without a message after which the LIS goes home, once the analyzers are done
    lis: LisTable | None = None
    analyzer: list[AnalyzerTable] = []
    law: list[LawTable] = []
    material: list[Material] = []


def load(path: Path) -> Scenario:
    """Read and check one scenario; raises ScenarioError."""
    name = str(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(name, "", f"cannot be read ({error})", "give the path of a scenario in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(name, "", f"is not TOML ({error})", "mend the line it names") from None
    return read(table, name)


def read(table: dict[str, Any], name: str) -> Scenario:
    """Check a scenario; raises ScenarioError."""
    try:
        scenario = msgspec.convert(table, Scenario)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        key = where.rstrip("`").lstrip(".") or "the file"
        raise ScenarioError(name, key, problem, "see simulators/scenarios/demo.toml, where every key is used") from None
    _check(scenario, name)
    return scenario


def _check(scenario: Scenario, file: str) -> None:
    try:
        zoneinfo.ZoneInfo(scenario.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ScenarioError(
            file, "timezone", f"{scenario.timezone!r} is not a time zone", 'write it like "Europe/Paris"'
        ) from None
    if scenario.lis:
        address(file, "lis.listen", scenario.lis.listen)
    names = [*(one.name for one in scenario.analyzer), *(one.name for one in scenario.law)]
    for index, one in enumerate(scenario.analyzer):
        key = f"analyzer[{index}] ({one.name})"
        if names.count(one.name) > 1:
            raise ScenarioError(file, f"{key}.name", "is used twice", "give each analyzer its own name")
        if one.dialect not in DIALECTS:
            raise ScenarioError(
                file, f"{key}.dialect", f"{one.dialect!r} is not known", f"use one of {', '.join(sorted(DIALECTS))}"
            )
        plugs = [way for way in ("connect", "listen", "pty") if getattr(one, way)]
        if len(plugs) != 1:
            raise ScenarioError(
                file, key, f"has {' and '.join(plugs) or 'no plug'}", "set exactly one of connect, listen and pty"
            )
        for way in ("connect", "listen"):
            if text := getattr(one, way):
                address(file, f"{key}.{way}", text)
        if one.asks and not DIALECTS[one.dialect].query:
            raise ScenarioError(file, f"{key}.asks", f"{one.dialect} does not ask here", "leave it out")
        if one.forgets == "record" and (one.packing or DIALECTS[one.dialect].packing) == "message":
            raise ScenarioError(
                file, f"{key}.forgets", "needs one record per frame", 'set packing = "record", or forgets = "message"'
            )
        _check_tests(one, file, key)
        for way in ("to_labmw", "from_labmw"):
            faults(getattr(one.faults, way), file, f"{key}.faults.{way}")
    for index, table in enumerate(scenario.law):
        key = f"law[{index}] ({table.name})"
        if names.count(table.name) > 1:
            raise ScenarioError(file, f"{key}.name", "is used twice", "give each analyzer its own name")
        _check_law(table, file, key)


def _check_law(one: LawTable, file: str, key: str) -> None:
    address(file, f"{key}.connect", one.connect)
    for name, known in ((one.menu, MENUS), (one.profile, PERSONALITIES)):
        if name not in known:
            raise ScenarioError(file, key, f"{name!r} is not known", f"use one of {', '.join(sorted(known))}")
    tests = MENUS[one.menu].assays
    for case in one.planted:
        for code in (*case.values, *case.first_runs, *case.failed, *case.strange):
            if code not in tests:
                raise ScenarioError(
                    file, key, f"test {code!r} is not one of {one.menu}", f"use some of {', '.join(tests)}"
                )


def _check_tests(one: AnalyzerTable, file: str, key: str) -> None:
    known = DIALECTS[one.dialect].assays
    used = [
        *one.tests,
        *(code for case in one.planted for code in (*case.tests, *case.values, *case.flags, *case.before)),
    ]
    for code in used:
        if code not in known:
            raise ScenarioError(
                file, key, f"test {code!r} is not one of {one.dialect}", f"use some of {', '.join(known)}"
            )


def address(file: str, key: str, text: str) -> tuple[str, int]:
    """Split "host:port"; raises ScenarioError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ScenarioError(file, key, f"{text!r} is not host:port", 'write it like "127.0.0.1:4001"')
    return host.strip("[]"), int(port)


def faults(table: dict[str, float | int], file: str, key: str) -> Faults:
    """Return how bad a line is; raises ScenarioError for a fault nobody knows or a chance outside 0 to 1."""
    known = {one.name for one in fields(Faults)}
    for name in table:
        if name not in known:
            raise ScenarioError(file, f"{key}.{name}", "is not a fault", f"use some of {', '.join(sorted(known))}")
    values: dict[str, Any] = dict(table)
    try:
        return Faults(**values)
    except ValueError as error:
        raise ScenarioError(file, key, str(error), "give each fault as a chance per piece") from None
