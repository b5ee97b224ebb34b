"""Who did what, when and why: one row each, and the seals that chain them."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import select

from labmw.store.schema import audit, audit_seal
from labmw.store.statements.words import given, given_number, given_texts
from labmw.store.statements.writing import insert
from labmw.store.transaction import Step

_AFTER: Final = (
    select(audit)
    .where(audit.c.site == given("site"), audit.c.id > given_number("after"))
    .order_by(audit.c.id)
    .limit(given_number("most"))
)
_LAST_SEAL: Final = (
    select(audit_seal).where(audit_seal.c.site == given("site")).order_by(audit_seal.c.last.desc()).limit(1)
)
_SEALS: Final = (
    select(audit_seal)
    .where(audit_seal.c.site == given("site"), audit_seal.c.last > given_number("after"))
    .order_by(audit_seal.c.last)
    .limit(given_number("most"))
)
_ABOUT: Final = (
    select(audit)
    .where(audit.c.site == given("site"), audit.c.subject.in_(given_texts("subjects")))
    .order_by(audit.c.id)
)


def audited(site: str, *, at: str, who: str, what: str, subject: str, why: str = "", **detail: Any) -> Step:
    """Write down what somebody did, in the transaction in which it is done."""
    told = json.dumps(detail, ensure_ascii=False, sort_keys=True)
    return insert(audit, site=site, at=at, who=who, what=what, subject=subject, why=why, detail=told)


def audit_after(site: str, after: int, *, most: int) -> Step:
    """The rows after one, in the order in which they were written."""
    return Step(_AFTER, {"site": site, "after": after, "most": most})


def last_seal(site: str) -> Step:
    """The newest seal; no row when nothing was sealed yet."""
    return Step(_LAST_SEAL, {"site": site})


def seals_after(site: str, last: int, *, most: int) -> Step:
    """The seals that end after a row, in order."""
    return Step(_SEALS, {"site": site, "after": last, "most": most})


def audit_about(site: str, subjects: list[str]) -> Step:
    """Everything that was done to these subjects, in order."""
    return Step(_ABOUT, {"site": site, "subjects": subjects})
