"""What does a finding about one result do to the others? A verdict of scope panel, sample or visit holds them too, or puts on the recall list what has left.

Pure: rows in, verdicts out. The most severe wins, so the order does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labmw.lab.surroundings import LEFT, Surroundings, reasons_of
from labmw.model import Reason, Verdict, VerdictLevel
from labmw.store.transaction import Row

Judged = tuple[Row, Verdict]
STANDS = ("held", "blocked", "rejected")
"""States in which a stored finding still speaks for the tube: nobody has let its result go."""


def spread(judged: Sequence[Judged], known: Surroundings) -> tuple[list[Judged], list[tuple[Row, Reason]]]:
    """Return the verdicts with what reaches them, and what has left already and is reached now."""
    here = {row.id: row for row, _ in judged}
    added: dict[int, list[Reason]] = {number: [] for number in here}
    recalled: list[tuple[Row, Reason]] = []
    for row, verdict in judged:
        for reason in _reaching(verdict.reasons):
            for other in known.reached_by(row, reason.scope, reason.panel):
                if other.id in here:
                    added[other.id].append(_reached(row, reason))
                elif other.state in LEFT and other.state != "technical":
                    recalled.append((other, _reached(row, reason)))
    for other in known.rows:
        if other.id in here or other.state not in STANDS or other.decided_by != "rules":
            continue
        for reason in _reaching(reasons_of(other)):
            for row in known.reached_by(other, reason.scope, reason.panel):
                if row.id in here:
                    added[row.id].append(_reached(other, reason))
    return [(row, with_reasons(verdict, added[row.id])) for row, verdict in judged], recalled


def with_reasons(verdict: Verdict, more: Sequence[Reason]) -> Verdict:
    """The verdict with more to say against it; the most severe wins, each said once."""
    new = [one for one in dict.fromkeys(more) if one not in verdict.reasons]
    if not new:
        return verdict
    reasons = sorted((*verdict.reasons, *new), key=lambda one: -one.level)
    trace = (*verdict.trace, *((one.rule or one.code, "fired", one.code) for one in new))
    level = max(verdict.level, *(one.level for one in new))
    return replace(verdict, level=VerdictLevel(level), reasons=tuple(reasons), trace=trace)


def _reaching(reasons: Sequence[Reason]) -> list[Reason]:
    return [one for one in reasons if one.scope != "result" and one.level >= VerdictLevel.REVIEW]


def _reached(row: Row, reason: Reason) -> Reason:
    """What is said of a result that was reached; it reaches no further."""
    facts = (("test", row.test_name or row.code), ("specimen", row.specimen), ("rule", reason.rule))
    return Reason(f"reached-{reason.scope}", reason.level, reason.rule, facts)
