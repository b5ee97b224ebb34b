"""Has a result in words changed since last time? Negative to positive, or back; and the first time that it says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from labmw.model import VerdictLevel
from rules.checks.finding import About, Finding, Limits
from rules.checks.options import read_span
from rules.kleene import word
from rules.strict import Table
from rules.subject import Subject
from rules.vocabulary import POLICIES


@dataclass(frozen=True, slots=True)
class TransitionCheck:
    """From one of these words to one of those, within a window."""

    before: frozenset[str]
    after: frozenset[str]
    window: timedelta
    no_previous: VerdictLevel
    name: str = "transition"
    numeric: bool = False
    sourced: bool = False
    facts: frozenset[str] = frozenset({"value", "previous"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire when it went from one to the other; with nothing earlier to compare, unknown: a first positive is for a person."""
        now, at, said = one.case.result.value.strip(), one.case.result.completed, one.case.said_before
        shown = (("value", one.shown),)
        if now not in self.after:
            return Finding(False, "transition", (), f"{now!r} in {sorted(self.after)} -> false")
        if said is None or at is None:
            return Finding(None, "no-history", shown, "earlier words not available")
        near = [(text, when) for text, when in said if timedelta(0) < at - when <= self.window]
        if not near:
            hours = f"{self.window / timedelta(hours=1):g}"
            return Finding(None, "no-previous", (*shown, ("hours", hours)), "no earlier words", self.no_previous)
        last, when = max(near, key=lambda pair: pair[1])
        truth = last.strip() in self.before
        detail = f"{last!r} at {when.isoformat()} in {sorted(self.before)} -> {word(truth)}"
        return Finding(truth, "transition", (*shown, ("previous", last)) if truth else (), detail)


def read_transition(table: Table, about: About) -> TransitionCheck:
    """Read the keys of a rule about words."""
    ends = []
    for key in ("from", "to"):
        found = frozenset(table.texts(key, "list what the test says"))
        if not found:
            raise table.refuse(key, "is missing", f'write {key} = ["NEGATIVE"]')
        ends.append(found)
    no_previous = POLICIES[table.word("if_no_previous", POLICIES)]
    return TransitionCheck(ends[0], ends[1], read_span(table, "window"), no_previous)
