"""Who is on the roster of responsible biologists?"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from labmw.store.schema import roster
from labmw.store.statements.words import given
from labmw.store.transaction import Step

_OPEN: Final = select(roster).where(roster.c.site == given("site"), roster.c.ended_at.is_(None))
_AT: Final = _OPEN.where(roster.c.starts <= given("at"), roster.c.ends > given("at")).order_by(roster.c.id)
_FROM: Final = _OPEN.where(roster.c.ends > given("at")).order_by(roster.c.starts, roster.c.id)


def roster_at(site: str, at: str) -> Step:
    """Who stands there at a moment, the newest entry last."""
    return Step(_AT, {"site": site, "at": at})


def roster_from(site: str, at: str) -> Step:
    """Who stands there from a moment on."""
    return Step(_FROM, {"site": site, "at": at})
