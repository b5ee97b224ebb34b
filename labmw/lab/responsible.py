"""Who answers for what leaves by itself? The biologist on the roster at that hour, named in the verdict; with a roster and nobody on it, nothing leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from labmw.model import Reason, Verdict, VerdictLevel
from labmw.store.statements import roster as stored
from labmw.store.transaction import Transaction

RULE: Final = "labmw/roster"


def on_duty(site: str, at: str) -> Transaction[str | None]:
    """Who stands on the roster now; None where nobody does. Asked only where the laboratory keeps one."""
    rows = yield stored.roster_at(site, at)
    return str(rows[-1].who) if rows else None


def answered_for(verdict: Verdict, who: str | None) -> Verdict:
    """A release that nobody answers for is held."""
    if who is not None or not verdict.released:
        return verdict
    reason = Reason("no-responsible", VerdictLevel.HOLD, RULE)
    return replace(
        verdict,
        level=VerdictLevel.HOLD,
        reasons=(reason, *verdict.reasons),
        trace=(*verdict.trace, (RULE, "fired", "nobody")),
    )
