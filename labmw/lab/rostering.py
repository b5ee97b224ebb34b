"""What does a person decide about the roster of responsible biologists? Who stands there and who no longer, with author and reason."""

from __future__ import annotations

from labmw.lab.deciding import Decision
from labmw.lab.rights import Undecidable
from labmw.store import schema, statements
from labmw.store.statements.audit import audited
from labmw.store.statements.control import end
from labmw.store.transaction import Transaction


def add_to_roster(decision: Decision, who: str, starts: str, ends: str) -> Transaction[int]:
    """Put somebody on the roster."""
    if not starts < ends or not who:
        raise Undecidable("roster-times")
    rows = yield statements.insert(
        schema.roster,
        site=decision.site,
        who=who,
        starts=starts,
        ends=ends,
        set_at=decision.at,
        set_by=decision.by,
        why=decision.why,
    )
    number = int(rows[0].id)
    yield audited(
        decision.site, at=decision.at, who=decision.by, what="roster-added", subject=f"roster/{number}", why=decision.why, person=who, starts=starts,
        ends=ends,
    )  # fmt: skip
    return number


def end_on_roster(decision: Decision, number: int) -> Transaction[None]:
    """Take an entry off."""
    if not (yield end(schema.roster, decision.site, number, at=decision.at)):
        raise Undecidable("roster-unknown", number=number)
    yield audited(
        decision.site,
        at=decision.at,
        who=decision.by,
        what="roster-ended",
        subject=f"roster/{number}",
        why=decision.why,
    )
