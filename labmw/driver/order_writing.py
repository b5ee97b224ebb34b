"""How is an answer written for this analyzer? Orders, "no work" and "not now" as LIS02-A2 records, by its dialect. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from labmw.driver.declaration import Driver
from labmw.driver.ordering import WORD, NoWork, OrderDialect
from labmw.errors import DriverError
from labmw.model import Patient, Sex
from labmw.tube_form import AS_WRITTEN
from protocols.astm.message import Message
from protocols.astm.record import STANDARD, Delimiters, build
from protocols.errors import ProtocolError

URGENCY = "SAPTCR"
"""Priorities (HL7 table 0485, LIS02-A2 8.4.6), the most urgent first; another one is as urgent as the last."""

Words = Mapping[str, str | tuple[str, ...]]
"""What the words of a template stand for: a text, or several components."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Who speaks to whom, and when. `analyzer` and `version` are H.5 and H.13 of what the analyzer said last, as components."""

    host: str
    now: datetime
    zone: ZoneInfo
    message: str = ""
    analyzer: tuple[str, ...] = ()
    version: str = ""
    delimiters: Delimiters = STANDARD
    encoding: str = "latin-1"


@dataclass(frozen=True, slots=True)
class TestToDo:
    """One test in the analyzer's own code."""

    __test__ = False  # not a pytest class

    code: str
    priority: str = "R"
    ordered: datetime | None = None
    dilution: str = ""  # 10 for 1 to 10; "" for the specimen as it is


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done with one tube. `written` and `parts` as the analyzer asked for it; `more` where it has work of the tube already."""

    specimen: str
    tests: tuple[TestToDo, ...] = ()
    patient: Patient | None = None
    kind: str = ""  # specimen type as ordered
    collected: datetime | None = None
    written: str = ""
    parts: tuple[str, ...] = ()
    more: bool = False


def dialect_of(driver: Driver, *, push: bool = False) -> OrderDialect:
    """The dialect of a driver; raises DriverError where it declares none, or, with `push`, where the family takes orders only when it asks."""
    if driver.orders is None:
        raise DriverError(f"driver {driver.name!r} does not say how orders are written; add `orders` to its file")
    if push and not driver.orders.keeps_worklist:
        raise DriverError(f'{driver.name} refuses orders that it has not asked for; set link.work to "asked"')
    return driver.orders


def _settled(driver: Driver, occasion: Occasion) -> tuple[OrderDialect, Occasion]:
    dialect = dialect_of(driver)
    return dialect, replace(occasion, delimiters=dialect.delimiters or occasion.delimiters)


def code_for(driver: Driver, loinc: str) -> str:
    """What is ordered of this family for a LOINC code; "" where it does not know the test, or its order code is the laboratory's own."""
    if driver.orders is not None and driver.orders.codes is not None:
        return driver.orders.codes.get(loinc, "")
    return next((code for code, test in driver.tests.items() if test.loinc == loinc and not test.index), "")


def write_orders(
    driver: Driver, occasion: Occasion, works: Sequence[Work], *, asked: bool, cancel: bool = False
) -> Message:
    """The message that gives work (or with `cancel` takes it back): `asked` for, or unasked.

    Raises:
        DriverError: the family has no dialect or cannot cancel, a specimen type has no place in it, or a text does not fit its characters.
    """
    dialect, occasion = _settled(driver, occasion)
    if cancel and not dialect.cancel:
        raise DriverError(f"{driver.name} cannot be told to forget an order; take the tube out of the analyzer")
    report = dialect.answer if asked else dialect.unasked
    records = [_header(dialect, occasion)]
    for number, work in enumerate((_named(driver, one) for one in works), 1):
        words = _words(dialect, occasion, work)
        records.append(_record("P", number, dialect.patient, words, occasion))
        action = dialect.cancel if cancel else dialect.add if work.more else dialect.new
        words = {**words, "action": action, "report": report, "material": _material(driver.name, dialect, work)}
        for place, tests in enumerate(_grouped(dialect, work.tests), 1):
            records.append(_order(dialect, place, tests, words, occasion))
    ending = dialect.end_of_answer if asked else dialect.end_unasked
    return _message([*records, _terminator(ending, occasion)], occasion)


def write_no_work(driver: Driver, occasion: Occasion, tubes: Sequence[Work]) -> Message:
    """The message that says that there is nothing to do for these tubes, or for anything when there is none. Raises DriverError."""
    dialect, occasion = _settled(driver, occasion)
    tubes = [_named(driver, one) for one in tubes]
    header = _header(dialect, occasion)
    if dialect.nothing is NoWork.TERMINATOR or not tubes:
        return _message([header, _terminator("I", occasion)], occasion)
    if dialect.nothing is NoWork.QUERY:
        return _message([header, *_returned(tubes, occasion), _terminator(dialect.end_of_answer, occasion)], occasion)
    report = {NoWork.NO_ORDER: "Y", NoWork.NO_PATIENT: "Z"}.get(dialect.nothing, dialect.answer)
    records = [header]
    for number, tube in enumerate(tubes, 1):
        words = {**_words(dialect, occasion, tube), "report": report, "material": _material(driver.name, dialect, tube)}
        words |= {"action": dialect.new if dialect.nothing is NoWork.EMPTY else "", "priority": ""}
        records.append(_record("P", number, dialect.patient, words, occasion))
        records.append(_order(dialect, 1, (), words, occasion))
    return _message([*records, _terminator(dialect.end_of_answer, occasion)], occasion)


def _named(driver: Driver, work: Work) -> Work:
    """A tube as this family writes it: as it was asked for, or with the padding and check digit that the driver declares."""
    if work.written or driver.tube == AS_WRITTEN:
        return work
    written = driver.tube.write(work.specimen)
    if not written:
        raise DriverError(f"{driver.name}: the tube {work.specimen} cannot be written as it wants tubes; order by hand")
    return replace(work, written=written)


def _returned(tubes: Sequence[Work], occasion: Occasion) -> list[str]:
    """The queries for these tubes, taken back: Q.3 as the analyzer wrote it, Q.13 = X."""
    found = []
    for number, tube in enumerate(tubes, 1):
        named = tube.parts or ("", tube.written or tube.specimen)
        values = {2: str(number), 3: named, 5: ("", "", "", "ALL"), 13: "X"}
        found.append(build("Q", values, occasion.delimiters))
    return found


def write_unable(driver: Driver, occasion: Occasion) -> Message | None:
    """The message that says that the query cannot be served; None where the family knows none, and is left to its own patience."""
    dialect, occasion = _settled(driver, occasion)
    if not dialect.unable:
        return None
    return _message([_header(dialect, occasion), _terminator(dialect.unable, occasion)], occasion)


def _grouped(dialect: OrderDialect, tests: Sequence[TestToDo]) -> list[tuple[TestToDo, ...]]:
    """The tests of each O record: one, or all of one priority (the attributes of one record hold for all its tests, LIS02-A2 8.4.5)."""
    tests = _once(tests)
    if dialect.tests == "records":
        return [(test,) for test in tests]
    if dialect.tests == "tube" and tests:
        first = min(tests, key=lambda test: URGENCY.find(test.priority) % len(URGENCY))
        return [tuple(replace(test, priority=first.priority) for test in tests)]
    groups: dict[str, list[TestToDo]] = {}
    for test in tests:
        groups.setdefault(test.priority, []).append(test)
    return [tuple(group) for group in groups.values()]


def _once(tests: Sequence[TestToDo]) -> list[TestToDo]:
    """Each code once in each dilution, as urgent as the most urgent test that it stands for: several tests may be ordered as one panel."""
    found: dict[tuple[str, str], TestToDo] = {}
    for test in tests:
        known = found.get((test.code, test.dilution))
        if known is None or URGENCY.find(test.priority) % len(URGENCY) < URGENCY.find(known.priority) % len(URGENCY):
            found[test.code, test.dilution] = test
    return list(found.values())


def _words(dialect: OrderDialect, occasion: Occasion, work: Work) -> dict[str, str | tuple[str, ...]]:
    patient = work.patient
    words: dict[str, str | tuple[str, ...]] = {f"q{place}": "" for place in range(1, 11)}
    words |= {f"q{place}": part for place, part in enumerate(work.parts[:10], 1)}
    words |= {
        "specimen": work.written or work.specimen,
        "collected": _time(work.collected, occasion.zone),
        "patient": patient.identifier if patient else "",
        "family": _name(patient.family, occasion.encoding) if patient else "",
        "given": _name(patient.given, occasion.encoding) if patient else "",
        "birth": patient.birth.strftime("%Y%m%d") if patient and patient.birth else "",
        "sex": patient.sex.value if patient and patient.sex is not Sex.OTHER else "U" if patient else "",
    }
    return words


def _material(name: str, dialect: OrderDialect, work: Work) -> str:
    if not dialect.materials:
        return work.kind
    found = dialect.materials.get(work.kind)
    if found is None:
        raise DriverError(
            f"{name}: a specimen of type {work.kind or 'unknown'} cannot be ordered; "
            "add it to `materials` of the driver's orders, or order it elsewhere"
        )
    return found


def _header(dialect: OrderDialect, occasion: Occasion) -> str:
    words: Words = {
        "host": occasion.host,
        "analyzer": occasion.analyzer or "",
        "model": occasion.analyzer[0] if occasion.analyzer else "",
        "version": occasion.version or "LIS02-A2",
        "now": _time(occasion.now, occasion.zone),
        "message": occasion.message,
    }
    values = {number: _fill(template, words) for number, template in dialect.header.items()}
    return build("H", values, occasion.delimiters)


def _record(letter: str, number: int, templates: Mapping[int, str], words: Words, occasion: Occasion) -> str:
    values: dict[int, str | tuple[str, ...]] = {2: str(number)}
    values |= {place: _fill(template, words) for place, template in templates.items()}
    return build(letter, values, occasion.delimiters)


def _order(dialect: OrderDialect, number: int, tests: Sequence[TestToDo], words: Words, occasion: Occasion) -> str:
    if tests:
        first = min((test.ordered for test in tests if test.ordered), default=None)
        priority = dialect.priorities.get(tests[0].priority, dialect.priorities.get("R", "R"))
        words = {**words, "priority": priority, "ordered": _time(first, occasion.zone)}
    words = {"ordered": "", "now": _time(occasion.now, occasion.zone), **words}
    values: dict[int, str | tuple[str, ...] | list[tuple[str, ...]]] = {2: str(number)}
    for place, template in dialect.order.items():
        if place != 5:
            values[place] = _fill(template, words)
        elif tests:
            values[5] = [
                _fill(template, {**words, "code": test.code, "dilution": _dilution(dialect, test)}) for test in tests
            ]
    return build("O", values, occasion.delimiters)


def _dilution(dialect: OrderDialect, test: TestToDo) -> str:
    found = dialect.dilutions.get(test.dilution)
    if found is None and test.dilution:
        raise DriverError(
            f"a dilution of 1 to {test.dilution} cannot be ordered; dilute by hand, or add it to `dilutions` of the driver"
        )
    return found or ""


def _terminator(code: str, occasion: Occasion) -> str:
    return build("L", {2: "1", 3: code}, occasion.delimiters)


def _fill(template: str, words: Words) -> tuple[str, ...]:
    """The components that a template comes to."""
    found: list[str] = []
    for piece in template.split("^"):
        alone = WORD.fullmatch(piece)
        meant = words.get(alone[1], "") if alone else ""
        if isinstance(meant, tuple):
            found += meant
        else:
            found.append(WORD.sub(lambda word: _text(words.get(word[1], "")), piece))
    return tuple(found) if any(found) else ("",)


def _text(meant: str | tuple[str, ...]) -> str:
    return meant if isinstance(meant, str) else " ".join(meant)


def _time(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y%m%d%H%M%S") if at else ""


def _name(text: str, encoding: str) -> str:
    """A name, or nothing where the analyzer's characters do not have it: it is not misspelt, and the identifier tells who it is."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return ""
    return text


def _message(records: Sequence[str], occasion: Occasion) -> Message:
    try:
        return Message.of(records, occasion.encoding)
    except ProtocolError as error:
        raise DriverError(f"the orders cannot be written: {error}") from error
