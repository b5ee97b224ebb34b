"""What does every part that listens to the LIS need to know of the message it works on, and what may it have to object?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from labmw.clock import stamp
from labmw.driver.timestamp import read_time
from labmw.store import schema, statements
from labmw.store.transaction import Transaction
from labmw.terms import LisTerms


@dataclass(frozen=True, slots=True)
class Told:
    """One message of the LIS that is in the store, and the moment it came."""

    terms: LisTerms
    message: int
    now: datetime
    zone: tzinfo  # of its times without an offset

    @property
    def site(self) -> str:
        """The laboratory."""
        return self.terms.site

    @property
    def at(self) -> str:
        """The moment, as the store keeps it."""
        return stamp(self.now)

    def time(self, text: str) -> datetime | None:
        """A time as sent; None when it is none, or a day without an hour."""
        return read_time(text, self.zone).at


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why something the LIS says was not done: for a person, and in the reply."""

    reason: str
    facts: tuple[tuple[str, str], ...] = ()


def quarantine(told: Told, doubt: Doubt) -> Transaction[None]:
    """Show a person what was not done."""
    yield statements.insert(
        schema.quarantine,
        site=told.site,
        message=told.message,
        reason=doubt.reason,
        facts=json.dumps(dict(doubt.facts), sort_keys=True, ensure_ascii=False),
        raised_at=told.at,
    )


def raise_task(
    site: str, kind: str, subject: str, specimen: str, facts: Mapping[str, str], at: str
) -> Transaction[None]:
    """Ask a person for something that labmw cannot do; once per kind and subject, open again if it comes up again."""
    row: dict[str, Any] = {"site": site, "kind": kind, "subject": subject, "specimen": specimen, "raised_at": at}
    text = json.dumps(dict(facts), sort_keys=True, ensure_ascii=False)
    yield statements.insert_or_update(
        schema.task, **row, facts=text, state="open", closed_at=None, closed_by="", note=""
    )


def audit(site: str, at: str, who: str, what: str, subject: str, why: str = "") -> Transaction[None]:
    """Keep who did what; never an INS."""
    yield statements.insert(schema.audit, site=site, at=at, who=who, what=what, subject=subject, why=why)
