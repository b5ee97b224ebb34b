"""What is raised beside a result when it comes in: doubts of its time and of its tube, and the alert of a critical value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from labmw.driver.reading import Reading, ResultRead
from labmw.lab.clockwork import Doubt, doubts_of_message, doubts_of_result
from labmw.lab.nouns import result_of
from labmw.lab.placement import QUARANTINED, VERIFY, Known, Placement
from labmw.line.received import Received
from labmw.model import Case
from labmw.store.json_text import json_escaped, json_facts
from rules.engine import critical
from rules.pack import Packs

Specimens = Callable[[str, str, str], frozenset[str]]
"""(link, driver, code): on which kinds of tube the laboratory measures this; empty: not compared."""


def doubt_rows(
    site: str,
    received: Received,
    reading: Reading,
    placements: Sequence[Placement],
    numbers: Sequence[int],
    known: Known,
    tolerance: float,
    specimens: Specimens,
) -> list[Mapping[str, Any]]:
    """What speaks against the times of the results that will be judged, at once or when they leave quarantine."""
    of_all = doubts_of_message(reading, received.received_at, tolerance)
    if reading.restated:
        of_all.append(("driver-restated", (("driver", reading.driver),)))
    rows: list[Mapping[str, Any]] = []
    for read, one, result in zip(reading.results, placements, numbers, strict=True):
        if one.state not in (VERIFY, QUARANTINED) or (one.repeat_of is not None and not one.supersedes):
            continue
        tubes = [tube for tube in known.specimens.get(read.specimen, ()) if tube.patient == one.patient]
        found: list[Doubt] = [*of_all, *doubts_of_result(read, tubes, received.received_at)]
        wanted, kinds = specimens(received.link, reading.driver, read.code), {tube.kind for tube in tubes if tube.kind}
        if wanted and kinds and not kinds & wanted:
            found.append(
                ("other-specimen", (("kind", ", ".join(sorted(kinds))), ("wanted", ", ".join(sorted(wanted)))))
            )
        rows += [{"site": site, "result": result, "code": code, "facts": json_facts(facts)} for code, facts in found]
    return rows


def alert_row(
    site: str,
    read: ResultRead,
    one: Placement,
    reading: Reading,
    known: Known,
    packs: Packs,
    result: int,
    at: str,
    moment: datetime,
) -> Mapping[str, Any] | None:
    """A critical value raises its alert here, whatever becomes of the result (house §4)."""
    if read.quantity is None or not read.loinc or not read.main or read.index:
        return None
    patient = known.patients.get(one.patient) if one.patient else None
    tubes = known.specimens.get(read.specimen, ())
    tube = next((tube for tube in tubes if tube.patient == one.patient), None)
    case = Case(result_of(read, one.key, reading), patient, tube, terminated=reading.terminated, now=moment)
    reason = critical(case, packs)
    if reason is None:
        return None
    facts = dict(reason.facts) | {"rule": reason.rule, "specimen": read.specimen, "test": read.test_name or read.code}
    return {
        "site": site,
        "result": result,
        "kind": "critical",
        "facts": json_escaped(facts),
        "raised_at": at,
        "state": "open",
    }
