"""What follows a verdict, in its own transaction? Reports, calls, runs that go to rest, and the second look at what waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from labmw.clock import read_stamp, stamp
from labmw.lab.average import follow
from labmw.lab.calling import after_release
from labmw.lab.late import look_again, tubes_changed
from labmw.lab.practice import Practice
from labmw.lab.reporting import report_all
from labmw.lab.routes import Takes, everything
from labmw.lab.spreading import Judged as WithVerdict
from labmw.lab.surroundings import Surroundings
from labmw.lab.validation import replace_runs
from labmw.store.transaction import Row, Transaction

WAITS: Final = "panel-incomplete"
"""The reason of a result that waits for its siblings; its facts say for how many hours."""


def let_go(
    site: str,
    verdicts: Sequence[WithVerdict],
    known: Surroundings | None,
    destinations: Sequence[str],
    practice: Practice,
    now: str,
    takes: Takes = everything,
) -> Transaction[int]:
    """What follows a release: the reports, the calls, and the runs that need not be decided any more. Answers how many messages leave."""
    released = [row for row, verdict in verdicts if verdict.released]
    for row in released:
        if known is not None and known.other_run(row):
            yield from replace_runs(site, row, now, "rules")
    if known is not None and known.averaged and released:
        yield from follow(site, released, known.wards, now)
    reports = yield from report_all(site, destinations, released, now, takes)
    yield from after_release(site, released, now, practice.call_window)
    return reports


def look_again_later(
    site: str, message: int, verdicts: Sequence[WithVerdict], known: Surroundings, now: str
) -> Transaction[None]:
    """What waits for siblings is judged again when its time is over: a row on the disk, which a restart keeps."""
    if due := _overdue(verdicts, known, now):
        yield from look_again(site, [message], "late-waited", now, due)


def tell_siblings(site: str, message: int, rows: Sequence[Row], known: Surroundings, now: str) -> Transaction[None]:
    """What lies on these tubes already is judged again, now that these are here."""
    others = {(row.specimen, row.patient) for row in known.rows if row.message != message}
    tubes = sorted({row.specimen for row in rows if (row.specimen, row.patient) in others})
    yield from tubes_changed(site, tubes, "late-sibling", now, but=message)


def _overdue(verdicts: Sequence[WithVerdict], known: Surroundings, now: str) -> str:
    """When the first of the results that wait for their panel has waited long enough; "" when none waits."""
    moments = [
        known.received(row) + timedelta(hours=float(dict(reason.facts)["hours"]))
        for row, verdict in verdicts
        for reason in verdict.reasons
        if reason.code == WAITS
    ]
    return stamp(max(min(moments), read_stamp(now))) if moments else ""
