"""Is this still the analyzer that the line was opened for? Its serial number and software version, as every message gives them.

The first pair of a line is taken as it is. Another one stops automatic release on the line until a named person accepts it: a new version may
round, flag or name otherwise, and a new instrument has not been compared yet. Decision 0051.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labmw.driver.reading import Reading
from labmw.model import Reason, Verdict, VerdictLevel
from labmw.store import schema, statements
from labmw.store.statements import analyzers
from labmw.store.statements.audit import audited
from labmw.store.transaction import Row, Transaction

LONGEST = 200  # characters of a serial number or version; a longer one is cut, in the store and in comparisons


@dataclass(frozen=True, slots=True)
class Identity:
    """What an analyzer says it is."""

    link: str
    serial: str
    software: str

    def __str__(self) -> str:
        return " / ".join(filter(None, (self.serial, self.software))) or "-"


def identity_of(link: str, reading: Reading) -> Identity | None:
    """What a message says of its analyzer; None when it says nothing."""
    serial, software = reading.serial[:LONGEST], reading.software[:LONGEST]
    return Identity(link, serial, software) if serial or software else None


def note(site: str, one: Identity, message: int, at: str) -> Transaction[None]:
    """Keep an analyzer that this process has not met yet, in the transaction of its message: accepted when it is the first of its line."""
    known = yield analyzers.of_link(site, one.link)
    if any((row.serial, row.software) == (one.serial, one.software) for row in known):
        return
    first = not known
    row = {
        "site": site,
        "link": one.link,
        "serial": one.serial,
        "software": one.software,
        "first_seen": at,
        "message": message,
    }
    decided = (
        {"state": "accepted", "decided_at": at, "decided_by": "labmw", "why": "first seen"}
        if first
        else {"state": "waiting"}
    )
    yield statements.insert_once(schema.analyzer, **row, **decided)
    if not first:
        was = str(Identity(one.link, known[-1].serial, known[-1].software))
        yield audited(
            site,
            at=at,
            who="labmw",
            what="analyzer-changed",
            subject=f"link/{one.link}",
            was=was,
            now=str(one),
            message=message,
        )


def accept(site: str, link: str, *, at: str, by: str, why: str) -> Transaction[list[Row]]:
    """A person accepts what an analyzer says it is now; returns what was waiting."""
    waiting = yield analyzers.waiting_on(site, link)
    for row in waiting:
        yield analyzers.decide(row.id, at=at, by=by, why=why)
        said = {"serial": row.serial, "software": row.software}
        yield audited(site, at=at, who=by, what="analyzer-accepted", subject=f"link/{link}", why=why, **said)
    return list(waiting)


def reasons(waiting: Sequence[Row]) -> list[Reason]:
    """Why nothing of a line is released by itself."""
    return [
        Reason(
            "analyzer-changed",
            VerdictLevel.HOLD,
            "labmw/analyzer",
            (("link", row.link), ("now", str(Identity(row.link, row.serial, row.software)))),
        )
        for row in waiting
    ]


def withheld(verdict: Verdict, why: Sequence[Reason]) -> Verdict:
    """The verdict with further reasons to hold: it can only become more severe."""
    if not why:
        return verdict
    level = max(verdict.level, *(one.level for one in why))
    trace = tuple(
        (one.rule, "fired", " ".join((one.code, *(f"{key}={value}" for key, value in one.facts)))) for one in why
    )
    ordered = sorted(
        (*verdict.reasons, *why), key=lambda one: (-one.level, not one.rule.startswith("labmw/"), one.rule)
    )
    return Verdict(level, tuple(ordered), verdict.packs, (*trace, *verdict.trace), verdict.comments)
