"""Which analyzers have spoken on a line, and what is doubtful about the times of their results?"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select, update

from labmw.store.schema import analyzer, doubt, result
from labmw.store.statements.words import given, given_number, is_one_of
from labmw.store.transaction import Step

_OF_LINK: Final = (
    select(analyzer).where(analyzer.c.site == given("site"), analyzer.c.link == given("link")).order_by(analyzer.c.id)
)
_WAITING_ON: Final = (
    select(analyzer)
    .where(analyzer.c.site == given("site"), analyzer.c.link == given("link"), is_one_of(analyzer.c.state, "waiting"))
    .order_by(analyzer.c.id)
)
_WAITING: Final = (
    select(analyzer)
    .where(analyzer.c.site == given("site"), is_one_of(analyzer.c.state, "waiting"))
    .order_by(analyzer.c.link, analyzer.c.id)
)
_DECIDE: Final = (
    update(analyzer)
    .where(analyzer.c.id == given_number("number"), is_one_of(analyzer.c.state, "waiting"))
    .values(state="accepted", decided_at=given("at"), decided_by=given("by"), why=given("reason"))
)
_DOUBTS: Final = (
    select(doubt)
    .join(result, result.c.id == doubt.c.result)
    .where(result.c.message == given_number("of_message"))
    .order_by(doubt.c.id)
)


def of_link(site: str, link: str) -> Step:
    """Every analyzer that has spoken on a line, the first one first."""
    return Step(_OF_LINK, {"site": site, "link": link})


def waiting_on(site: str, link: str) -> Step:
    """The analyzers of a line that nobody has accepted yet."""
    return Step(_WAITING_ON, {"site": site, "link": link})


def waiting(site: str) -> Step:
    """The analyzers that nobody has accepted yet, on every line."""
    return Step(_WAITING, {"site": site})


def decide(number: int, *, at: str, by: str, why: str) -> Step:
    """A person accepts one."""
    return Step(_DECIDE, {"number": number, "at": at, "by": by, "reason": why})


def doubts_of_message(message: int) -> Step:
    """What speaks against a message's results beside their values."""
    return Step(_DOUBTS, {"of_message": message})
