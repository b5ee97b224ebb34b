"""What is stopped, who stopped it, and how often each analyzer's results leave by themselves."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as row_or_conflict

from labmw.store.schema import line_stop, release_hour
from labmw.store.statements.words import given, given_number
from labmw.store.transaction import Step

_open = line_stop.c.resumed_at.is_(None)
_OPEN: Final = select(line_stop).where(line_stop.c.site == given("site"), _open).order_by(line_stop.c.id)
_OF: Final = (
    select(line_stop)
    .where(
        line_stop.c.site == given("site"),
        line_stop.c.scope == given("scope"),
        line_stop.c.target == given("target"),
        _open,
    )
    .order_by(line_stop.c.id)
)
_ASK: Final = (
    update(line_stop)
    .where(line_stop.c.id == given_number("stop"), _open)
    .values(asked_by=given("by"), asked_at=given("at"), asked_why=given("why"))
    .returning(line_stop.c.id)
)
_RESUME: Final = (
    update(line_stop)
    .where(line_stop.c.id == given_number("stop"), _open, line_stop.c.asked_by != given("by"))
    .values(resumed_by=given("by"), resumed_at=given("at"), resumed_why=given("why"))
    .returning(line_stop.c.id)
)
_RESUMED: Final = select(func.max(line_stop.c.resumed_at).label("at")).where(
    line_stop.c.site == given("site"), line_stop.c.scope == given("scope"), line_stop.c.target == given("target")
)
_hour = row_or_conflict(release_hour)
_COUNT: Final = _hour.on_conflict_do_update(
    index_elements=("site", "analyzer", "hour"),
    set_={
        "judged": release_hour.c.judged + _hour.excluded.judged,
        "released": release_hour.c.released + _hour.excluded.released,
    },
).returning(release_hour.c.id)
_HOURS: Final = (
    select(
        func.sum(release_hour.c.judged).label("judged"),
        func.sum(release_hour.c.released).label("released"),
    )
    .where(
        release_hour.c.site == given("site"),
        release_hour.c.analyzer == given("analyzer"),
        release_hour.c.hour >= given("since"),
        release_hour.c.hour < given("before"),
    )
)  # fmt: skip


def stops_open(site: str) -> Step:
    """What is stopped now, oldest first."""
    return Step(_OPEN, {"site": site})


def stops_of(site: str, scope: str, target: str) -> Step:
    """What is stopped of one scope and target."""
    return Step(_OF, {"site": site, "scope": scope, "target": target})


def ask_to_resume(stop: int, *, by: str, at: str, why: str) -> Step:
    """The first of two people says that it may go on; answers no row when it goes on already."""
    return Step(_ASK, {"stop": stop, "by": by, "at": at, "why": why})


def resume(stop: int, *, by: str, at: str, why: str) -> Step:
    """The second one says so; answers no row when it goes on already, or was the first."""
    return Step(_RESUME, {"stop": stop, "by": by, "at": at, "why": why})


def last_resumed(site: str, scope: str, target: str) -> Step:
    """One row: when this was last let go on (`at`), NULL when never."""
    return Step(_RESUMED, {"site": site, "scope": scope, "target": target})


def count_judged(site: str, analyzer: str, hour: str, *, judged: int, released: int) -> Step:
    """Add to how many results of an analyzer the rules judged and released in an hour."""
    values = {"site": site, "analyzer": analyzer, "hour": hour, "judged": judged, "released": released}
    return Step(_COUNT, values)


def judged_between(site: str, analyzer: str, *, since: str, before: str) -> Step:
    """One row: how many results of an analyzer were judged and released in these hours; NULL for none."""
    return Step(_HOURS, {"site": site, "analyzer": analyzer, "since": since, "before": before})
