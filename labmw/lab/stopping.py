"""What is stopped? While the line is, at a site, an analyzer, a test or a rule, nothing of it leaves without a person.

Stopping takes one person and works with the next verdict; going on takes two. A jump of the release rate stops its analyzer by itself: rules that
suddenly let more through than they ever did have lost something they compared with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import sqrt
from typing import Final

from labmw.clock import read_stamp, stamp
from labmw.lab.deciding import Decision
from labmw.lab.late import look_again
from labmw.lab.rights import Rights, Undecidable
from labmw.model import Reason, Verdict, VerdictLevel
from labmw.store import schema, statements
from labmw.store.statements import stops as stored
from labmw.store.statements.audit import audited
from labmw.store.statements.recalls import held_since
from labmw.store.transaction import Row, Transaction

SCOPES: Final = ("site", "analyzer", "analyte", "rule")
RATE_RULE: Final = "labmw/release-rate"
MOST_HELD: Final = 5000  # messages judged again when a stop ends
WINDOW: Final = timedelta(hours=1)  # and what has passed of the present hour
BASELINE: Final = timedelta(days=7)
ENOUGH: Final = 40  # results in the window: fewer say nothing
ENOUGH_BEFORE: Final = 200  # in the baseline
JUMP: Final = 0.10  # of the share released; and three standard errors, so that chance alone does not stop an analyzer


@dataclass(frozen=True, slots=True)
class Stop:
    """One thing that is stopped."""

    scope: str
    target: str
    reason: str
    by: str
    at: str

    def against(self, row: Row, verdict: Verdict) -> bool:
        """Whether a result is stopped by it."""
        match self.scope:
            case "site":
                return True
            case "analyzer":
                return self.target in (row.link, row.analyzer)
            case "analyte":
                return bool(self.target == row.loinc)
            case _:
                return any(name == self.target for name, _, _ in verdict.trace)

    @property
    def why(self) -> Reason:
        """What is said of a result that it holds."""
        facts = (
            ("target", self.target or "–"),
            ("by", self.by),
            ("at", f"{self.at[:16].replace('T', ' ')} UTC"),
            ("why", self.reason),
        )
        return Reason(f"stopped-{self.scope}", VerdictLevel.HOLD, "labmw/stop", facts)


def stops(site: str) -> Transaction[tuple[Stop, ...]]:
    """What is stopped at this moment."""
    rows = yield stored.stops_open(site)
    return tuple(Stop(row.scope, row.target, row.reason, row.stopped_by, row.stopped_at) for row in rows)


def against(row: Row, verdict: Verdict, open_stops: Iterable[Stop]) -> list[Reason]:
    """The reasons for which a result is stopped."""
    return [one.why for one in open_stops if one.against(row, verdict)]


def stop(decision: Decision, rights: Rights, scope: str, target: str) -> Transaction[int]:
    """Stop; works with the next verdict. Raises Undecidable."""
    rights.require(decision.by, "stop")
    return (yield from _stop(decision.site, scope, target, decision.by, decision.at, decision.why))


def _stop(site: str, scope: str, target: str, by: str, at: str, why: str) -> Transaction[int]:
    known = yield stored.stops_of(site, scope, target)
    if known:
        return int(known[0].id)
    row = {"scope": scope, "target": target, "reason": why, "stopped_by": by, "stopped_at": at}
    made = yield statements.insert(schema.line_stop, site=site, **row)
    yield audited(site, at=at, who=by, what="line-stopped", subject=f"{scope}/{target}", why=why)
    return int(made[0].id)


def resume(decision: Decision, rights: Rights, scope: str, target: str) -> Transaction[str]:
    """Go on; the first of two people is written down ("asked"), with the second it goes on ("resumed"). Raises Undecidable."""
    rights.require(decision.by, "resume")
    rows = yield stored.stops_of(decision.site, scope, target)
    if not rows:
        raise Undecidable("stop-unknown", target=target or "–")
    said = "resumed"
    for row in rows:
        if row.asked_by is None:
            yield stored.ask_to_resume(row.id, by=decision.by, at=decision.at, why=decision.why)
            said = "asked"
        elif row.asked_by == decision.by:
            raise Undecidable("stop-same-person", by=decision.by, target=target or "–")
        elif not (yield stored.resume(row.id, by=decision.by, at=decision.at, why=decision.why)):
            raise Undecidable("stop-unknown", target=target or "–")
        else:
            yield from _look_again(decision, row)
    yield audited(
        decision.site,
        at=decision.at,
        who=decision.by,
        what=f"line-{said}",
        subject=f"{scope}/{target}",
        why=decision.why,
    )
    return said


def _look_again(decision: Decision, row: Row) -> Transaction[None]:
    """What was held meanwhile is judged again: two people have said that the rules may let go."""
    analyzer, loinc = (row.target if row.scope == one else "" for one in ("analyzer", "analyte"))
    held = yield held_since(decision.site, analyzer, loinc, since=row.stopped_at, limit=MOST_HELD)
    yield from look_again(decision.site, [one.message for one in held], "late-resumed", decision.at)


def watch_rate(site: str, judged: Sequence[tuple[Row, Verdict]], now: str) -> Transaction[list[str]]:
    """Count what was judged and released, and stop the analyzers whose share of releases has jumped; returns them.

    The share of the last hour or two is held against that of the seven days before. Bounded: four statements per analyzer.
    """
    moment = read_stamp(now)
    hour = stamp(moment.replace(minute=0, second=0, microsecond=0))
    stopped: list[str] = []
    for analyzer in dict.fromkeys(row.link for row, _ in judged):
        here = [verdict for row, verdict in judged if row.link == analyzer]
        released = sum(verdict.released for verdict in here)
        yield stored.count_judged(site, analyzer, hour, judged=len(here), released=released)
        since = stamp(read_stamp(hour) - WINDOW)
        (window,) = yield stored.judged_between(site, analyzer, since=since, before=stamp(moment + WINDOW))
        if (window.judged or 0) < ENOUGH:
            continue
        (known,) = yield stored.last_resumed(site, "analyzer", analyzer)
        # What was usual before a stop is no measure after it: two people have said that it may go on.
        start = max(stamp(read_stamp(since) - BASELINE), known.at or "")
        (before,) = yield stored.judged_between(site, analyzer, since=start, before=since)
        if jumped(window.judged, window.released, before.judged or 0, before.released or 0):
            share = f"{window.released / window.judged:.0%} / {before.released / before.judged:.0%}"
            yield from _stop(site, "analyzer", analyzer, RATE_RULE, now, share)
            stopped.append(analyzer)
    return stopped


def jumped(judged: int, released: int, judged_before: int, released_before: int) -> bool:
    """Whether more is released than chance explains: by a tenth of all results, and by three standard errors."""
    if judged < ENOUGH or judged_before < ENOUGH_BEFORE:
        return False
    usual, now = released_before / judged_before, released / judged
    error = sqrt(usual * (1 - usual) / judged)
    return now - usual > max(JUMP, 3 * error)
