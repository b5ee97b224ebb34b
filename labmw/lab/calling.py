"""Who has to be called about a critical value, and has it been done? The alert stands from intake; the call follows validation.

A repeat is called again, unless a call is documented about the same test of the same patient, in the same direction, for a value at least as severe.
A call counts for so long only (24 hours unless the laboratory says otherwise): what a prescriber knew last week he or she is told again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from labmw.clock import read_stamp, stamp
from labmw.lab.deciding import Decision
from labmw.lab.rights import Rights, Undecidable
from labmw.quantity import read_number
from labmw.store import schema, statements
from labmw.store.statements import recalls as stored
from labmw.store.statements.audit import audited
from labmw.store.transaction import Row, Transaction

DIRECTIONS: Final = {"<": "low", ">": "high"}
FLAGS: Final = {"critical-low": "low", "critical-high": "high"}
LONGEST: Final = 500


def after_release(site: str, rows: Sequence[Row], at: str, window: timedelta = timedelta(hours=24)) -> Transaction[int]:
    """Open a call for each released result that is critical, or that a rule wants called; returns how many are open."""
    if not rows:
        return 0
    numbers = [row.id for row in rows]
    facts: dict[int, Mapping[str, Any]] = {}
    for one in (yield stored.calls_asked(numbers)):
        facts[one.result] = json.loads(one.facts)
    for one in (yield stored.critical_among(site, numbers)):
        facts[one.result] = json.loads(one.facts)
    opened = 0
    for row in rows:
        if row.id not in facts:
            continue
        direction = direction_of(facts[row.id], row.flags)
        covering = yield from _covering(site, row, direction, stamp(read_stamp(at) - window))
        made = yield statements.insert_once(
            schema.prescriber_call,
            site=site,
            result=row.id,
            patient=row.patient,
            loinc=row.loinc,
            direction=direction,
            number=row.number,
            unit=row.unit,
            facts=json.dumps(dict(facts[row.id]), sort_keys=True, ensure_ascii=False),
            raised_at=at,
            state="open" if covering is None else "covered",
            covered_by=covering,
        )
        opened += bool(made) and covering is None
    return opened


def direction_of(facts: Mapping[str, Any], flags: str) -> str:
    """Whether a value is critically low or high; "" where that cannot be told."""
    said = DIRECTIONS.get(str(facts.get("sign", "")))
    if said:
        return said
    found = {FLAGS[flag] for flag in json.loads(flags) if flag in FLAGS}
    return found.pop() if len(found) == 1 else ""


def _covering(site: str, row: Row, direction: str, since: str) -> Transaction[int | None]:
    """The documented call that makes another needless; none where anything that it rests on is unknown."""
    if not direction or not row.patient or not row.number:
        return None
    now = Decimal(row.number)
    for one in (yield stored.calls_known(site, row.patient, row.loinc, since=since)):
        if one.direction != direction or one.unit != row.unit or not one.number:
            continue
        said = Decimal(one.number)
        if said <= now if direction == "low" else said >= now:
            return int(one.id)
    return None


def document(
    decision: Decision, rights: Rights, number: int, told: str, read_back: str, called_at: str
) -> Transaction[Row]:
    """Write down who was told, when, and what was read back; raises Undecidable where the value was read back wrongly.

    The read-back must name the number of the result, in any notation: `6,8`, `6.8 mmol/L`.
    """
    rights.require(decision.by, "call")
    rows = yield stored.call_numbered(decision.site, number)
    if not rows or rows[0].state != "open":
        raise Undecidable("call-unknown", number=number)
    (row,) = rows
    if not told.strip() or not read_back.strip():
        raise Undecidable("call-incomplete", number=number)
    if len(told) > LONGEST or len(read_back) > LONGEST:
        raise Undecidable("call-long", most=LONGEST)
    if called_at > decision.at or called_at < row.raised_at[:16]:
        raise Undecidable("call-time", at=called_at, since=row.raised_at)
    if not agrees(read_back, row.number, row.value):
        raise Undecidable("call-read-back", value=f"{row.value} {row.unit_raw}".strip(), read_back=read_back)
    done = yield stored.document_call(
        number, at=called_at, by=decision.by, to=told.strip(), back=read_back.strip(), why=decision.why
    )
    if not done:
        raise Undecidable("call-unknown", number=number)
    yield stored.alert_told(decision.site, row.result, at=decision.at, by=decision.by)  # nobody need act on it any more
    yield audited(
        decision.site, at=decision.at, who=decision.by, what="called", subject=f"result/{row.result}", why=decision.why,
        told=told.strip(), read_back=read_back.strip(), called_at=called_at,
    )  # fmt: skip
    return row


def agrees(read_back: str, number: str | None, value: str) -> bool:
    """Whether what was read back says the value: one number in it is the result's, and no other number is there; words are compared as they are."""
    if not number:
        return " ".join(value.casefold().split()) in " ".join(read_back.casefold().split())
    found = [one for word in read_back.split() if (one := _number(word)) is not None]
    return len(found) == 1 and found[0] == Decimal(number)


def _number(word: str) -> Decimal | None:
    text = word.strip("<>=≤≥()[];:").replace(",", ".").rstrip(".")
    if not text or not text[0].isdigit():
        return None
    try:
        found = read_number(text)
        return None if found is None else found[1]
    except (InvalidOperation, ValueError):
        return None
