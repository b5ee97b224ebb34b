"""What does each of the three sides say? The simulators' report, plain SQL on the store, and what the LIS has received.

Nothing of the daemon is used here: neither its statements nor its idea of a key. A fault it has would otherwise be counted with.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

Facts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sent:
    """One result as an analyzer sent it, however often it was transmitted."""

    analyzer: str
    specimen: str
    code: str
    detail: str
    value: str
    completed: str
    main: bool
    acknowledged: bool

    @property
    def key(self) -> tuple[str, ...]:
        """What a result sent and a result stored have in common."""
        return self.analyzer, self.specimen, self.code, self.value, self.completed


@dataclass(frozen=True, slots=True)
class Stored:
    """One row of the store, with why it is where it is."""

    id: int
    analyzer: str
    specimen: str
    code: str
    value: str
    shown: str  # as it goes out: comparator and number, else the text
    completed: str
    main: bool
    state: str
    reasons: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """What a result sent and a result stored have in common."""
        return self.analyzer, self.specimen, self.code, self.value, self.completed

    @property
    def report(self) -> tuple[str, ...]:
        """What a result stored and a result reported have in common."""
        return self.specimen, self.code, plain(self.shown)


@dataclass(frozen=True, slots=True)
class Reported:
    """One observation that the LIS has received; a message sent again under the same identifier counts once."""

    specimen: str
    code: str
    value: str

    @property
    def report(self) -> tuple[str, ...]:
        """What a result stored and a result reported have in common."""
        return self.specimen, self.code, plain(self.value)


@dataclass(frozen=True, slots=True)
class Planted:
    """A case that the scenario planted, and where it must end; without `expect`, every result of it is there once."""

    case: str
    analyzer: str
    specimen: str
    results: int
    expect: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """One order as an analyzer has it, or as the store believes it to be with the analyzer (AWOS)."""

    analyzer: str
    awos: str
    specimen: str
    code: str
    state: str


@dataclass(frozen=True, slots=True)
class Sides:
    """Everything that is counted."""

    analyzers: tuple[str, ...]
    sent: tuple[Sent, ...]
    stored: tuple[Stored, ...]
    reported: tuple[Reported, ...]
    planted: tuple[Planted, ...] = ()
    repeats: int = 0  # retransmissions that the store has recognised
    held: tuple[Given, ...] = ()  # by the analyzers that are given work
    given: tuple[Given, ...] = ()  # says the store
    receptions: Mapping[str, int] = field(default_factory=dict)  # of the LIS: received, distinct


def read(report: Path, store: Path) -> Sides:
    """Read all three."""
    told: Mapping[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    lis = told["lis"] or {"observations": [], "received": 0, "distinct": 0}
    with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as database:
        stored = _stored(database)
        (repeats,) = database.execute("SELECT count(*) FROM repeat").fetchone()
        given = tuple(Given(*row) for row in database.execute(_GIVEN))
    return Sides(
        analyzers=tuple(one["name"] for one in told["analyzers"]),
        sent=tuple(_sent(one["name"], row) for one in told["analyzers"] for row in one["results"]),
        stored=stored,
        reported=tuple(Reported(row["specimen"], row["local"], row["value"]) for row in lis["observations"]),
        planted=tuple(_planted(row) for row in told["planted"]),
        repeats=repeats,
        held=tuple(Given(one["name"], **row) for one in told["analyzers"] for row in one.get("orders", [])),
        given=given,
        receptions={"received": lis["received"], "distinct": lis["distinct"]},
    )


def _sent(analyzer: str, row: Mapping[str, Any]) -> Sent:
    return Sent(
        analyzer,
        row["specimen"],
        row["code"],
        row["detail"],
        row["value"],
        row["completed"],
        row["main"],
        row["acknowledged"],
    )


def _planted(row: Mapping[str, Any]) -> Planted:
    return Planted(row["case"], row["analyzer"], row["specimen"], len(row["results"]), tuple(row["expect"]))


_GIVEN = "SELECT link, awos, specimen, code, state FROM awos WHERE parent = '' ORDER BY id"
_RESULTS = """
SELECT result.id, result.link, result.specimen, result.code, result.value, result.comparator, result.number,
       result.completed_raw, result.main, result.state,
       (SELECT reasons FROM verdict WHERE verdict.result = result.id ORDER BY verdict.id DESC LIMIT 1)
FROM result ORDER BY result.id
"""
_QUARANTINE = """
SELECT result.id, quarantine.reason, quarantine.facts
FROM quarantine JOIN result
  ON quarantine.result = result.id OR (quarantine.result IS NULL AND quarantine.message = result.message)
WHERE quarantine.state = 'open' AND result.state = 'quarantined'
"""


def _stored(database: sqlite3.Connection) -> tuple[Stored, ...]:
    why: dict[int, list[tuple[str, tuple[tuple[str, str], ...]]]] = {}
    for result, reason, facts in database.execute(_QUARANTINE):
        why.setdefault(result, []).append((reason, _facts(json.loads(facts))))
    found = []
    for number, link, specimen, code, value, comparator, decimal, completed, main, state, verdict in database.execute(
        _RESULTS
    ):
        reasons = why.get(number, [])
        if not reasons and verdict and state in ("held", "blocked"):
            reasons = [(one["code"], _facts(one["facts"])) for one in json.loads(verdict)]
        shown = f"{comparator}{decimal}" if decimal else value
        found.append(Stored(number, link, specimen, code, value, shown, completed, bool(main), state, tuple(reasons)))
    return tuple(found)


def _facts(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in facts.items())


def plain(text: str) -> str:
    """A number however it is written ("4.20", "4.2"), and any other text as it stands."""
    sign = text[: len(text) - len(text.lstrip("<>="))]
    try:
        number = Decimal(text.removeprefix(sign).strip())
    except InvalidOperation:
        return text
    return f"{sign}{number.normalize():f}" if number.is_finite() else text


def reasons_of(rows: Sequence[Stored]) -> dict[str, list[Facts]]:
    """Group rows by the reason that weighs most, each with its facts."""
    found: dict[str, list[Facts]] = {}
    for row in rows:
        reason, facts = row.reasons[0] if row.reasons else ("unexplained", ())
        found.setdefault(reason, []).append(dict(facts))
    return found
