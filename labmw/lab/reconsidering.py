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
from labmw.lab.spreading import Judged as WithVerdict
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
    gone = yield from _under_their_packs(site, message, rows, verdicts, packs, practice, now)
    for row, verdict in gone:
        if not verdict.released and _against(verdict):
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


def _under_their_packs(
    site: str,
    message: int,
    rows: Sequence[Row],
    verdicts: Sequence[WithVerdict],
    packs: Packs,
    practice: Practice,
    now: str,
) -> Transaction[list[WithVerdict]]:
    """What has left, judged by the packs that let it go: that others are in force today is no reason to recall.

    Where a version was not kept nobody can say what it would say now, and today's verdict stands: it is shown rather than passed over.
    """
    found: list[WithVerdict] = []
    others: dict[tuple[str, ...], list[Row]] = {}
    for row, verdict in verdicts:
        if row.state in HELD:
            continue
        let_go_by = _packs_of(row)
        if let_go_by == verdict.packs or packs.former(let_go_by) is None:
            found.append((row, verdict))
        else:
            others.setdefault(let_go_by, []).append(row)
    for names, mine in others.items():
        before = packs.former(names)
        assert before is not None
        again, _, _ = yield from conclude(site, message, rows, before, practice, now)
        found += [(row, verdict) for row, verdict in again if row in mine]
    return found


def _packs_of(row: Row) -> tuple[str, ...]:
    """The versions by which the stored verdict of a result was given."""
    return tuple(one["pack"] if isinstance(one, dict) else one for one in json.loads(row.packs))


def _against(verdict: Verdict) -> list[Reason]:
    """What speaks against a result, whenever it is asked; not a stop, another run, or the hour."""
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
