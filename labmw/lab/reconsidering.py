"""A fact came late: what do the rules say now? What is held may leave, or be held for more; what has left goes on the recall list.

A person's decision is never undone, and nothing that has left is held back in silence. Only what changes is written: the same verdict once
more would say nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from labmw.lab.acting import act
from labmw.lab.afterwards import let_go, look_again_later
from labmw.lab.late import recall, told_of
from labmw.lab.practice import Practice
from labmw.lab.routes import Takes, everything
from labmw.lab.shadowing import Shadow
from labmw.lab.surroundings import Surroundings
from labmw.lab.verdict_rows import audit_row, verdict_row
from labmw.lab.verification import STATE_OF, Judged, conclude
from labmw.model import Reason, Verdict, VerdictLevel
from labmw.store import schema, statements
from labmw.store.statements import surroundings as stored
from labmw.store.transaction import Row, Transaction
from rules.pack import Packs

HELD = ("held", "blocked")


def reconsider(
    site: str,
    work: int,
    message: int,
    now: str,
    packs: Packs,
    destinations: Sequence[str],
    practice: Practice | None = None,
    *,
    takes: Takes = everything,
    shadows: Sequence[Shadow] = (),
    give_up: bool = False,
    why: str = "",
) -> Transaction[Judged]:
    """Judge once more what the rules have decided of a message; with `give_up` everything stays as it is, and with a person.

    Packs that are only watched have said what they say of it the first time.
    """
    practice = practice or Practice()
    if not (yield statements.finish_work(work)) or give_up:
        return Judged((), 0)
    rows = yield stored.judged_of_message(message)
    if not rows:
        return Judged((), 0)
    verdicts, left, known = yield from conclude(site, message, rows, packs, practice, now)
    verdicts = [(row, _of_a_later_run(row, verdict, known)) for row, verdict in verdicts]
    changed = [
        (row, _commented(row, verdict)) for row, verdict in verdicts if row.state in HELD and _differs(row, verdict)
    ]
    yield statements.insert_rows(
        schema.verdict, [verdict_row(site, row, verdict, packs, now, known.responsible) for row, verdict in changed]
    )
    yield statements.results_become([(row.id, row.state, STATE_OF[verdict.level]) for row, verdict in changed])
    yield statements.insert_rows(schema.audit, [audit_row(site, row, verdict, now, why) for row, verdict in changed])
    done = yield from act(site, changed, known, practice, now)
    reports = yield from let_go(site, changed, known, destinations, practice, now, takes)
    recalled = 0
    for row, verdict in verdicts:
        if row.state not in HELD and not verdict.released and not _of_today(row, verdict):
            worst = max(_against(verdict), key=lambda one: one.level)
            cause = worst.code if worst.code.startswith("reached-") else why or "late-fact"
            recalled += yield from recall(site, row.id, cause, told_of(worst), now)
    for row, reason in left:
        recalled += yield from recall(site, row.id, reason.code, told_of(reason), now)
    waiting = [one for one in verdicts if one[0].state in HELD]
    yield from look_again_later(site, message, waiting, known, now)
    told = tuple((row.link, verdict.level.name.lower(), _code(verdict)) for row, verdict in changed)
    return Judged(told, reports, any(one.ordered for one in done), (), recalled)


def _of_a_later_run(row: Row, verdict: Verdict, known: Surroundings) -> Verdict:
    """A run that was measured again since does not leave by a late fact: the later one speaks for the test."""
    if not verdict.released or not known.later_run(row) or row.state not in HELD:
        return verdict
    reason = Reason("later-run", VerdictLevel.HOLD, "labmw/later-run", (("test", row.test_name or row.code),))
    return replace(verdict, level=VerdictLevel.HOLD, reasons=(reason, *verdict.reasons))


OF_TODAY = frozenset(
    {"rerun", "later-run", "schedule", "no-rule", "pack-altered", "pack-broken", "pack-missing", "pack-twice"}
)
"""Reasons that are true now and were not when the result left, without anything being wrong with it."""


def _of_today(row: Row, verdict: Verdict) -> bool:
    """Whether only the present speaks against it: a stop, another run, the hour, other packs than those that let it go. No reason to recall."""
    if [one["pack"] if isinstance(one, dict) else one for one in json.loads(row.packs)] != list(verdict.packs):
        return True
    return not _against(verdict)


def _against(verdict: Verdict) -> list[Reason]:
    """What speaks against a result, whenever it is asked."""
    return [
        one
        for one in verdict.reasons
        if one.level > VerdictLevel.COMMENT and one.rule != "labmw/stop" and one.code not in OF_TODAY
    ]


def _commented(row: Row, verdict: Verdict) -> Verdict:
    """What a person has added to go out with it stays."""
    return replace(verdict, comments=tuple(dict.fromkeys((*json.loads(row.said), *verdict.comments))))


def _differs(row: Row, verdict: Verdict) -> bool:
    before = [(one["code"], one["level"], one["rule"]) for one in json.loads(row.reasons)]
    now = [(one.code, one.level.name.lower(), one.rule) for one in verdict.reasons]
    return int(verdict.level) != row.level or before != now


def _code(verdict: Verdict) -> str:
    return "" if verdict.released else max(verdict.reasons, key=lambda one: one.level).code
