"""What did labmw make of what it heard on a tap?"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from labmw.store.schema import result, verdict
from labmw.store.statements.words import given
from labmw.store.transaction import Step

_HEARD: Final = (
    select(
        result.c.id,
        result.c.specimen,
        result.c.code,
        result.c.loinc,
        result.c.value,
        result.c.completed_raw,
        result.c.state,
        verdict.c.reasons,
    )
    .outerjoin(verdict, verdict.c.result == result.c.id)
    .where(
        result.c.site == given("site"),
        result.c.link == given("link"),
        result.c.main == 1,
        result.c.state != "control",
        result.c.received_at >= given("since"),
    )
    .order_by(result.c.id, verdict.c.id)
)


def heard_on(site: str, link: str, since: str) -> Step:
    """The main results of a line since a moment, each with its verdict's reasons (NULL before it was judged); the newest verdict is the last."""
    return Step(_HEARD, {"site": site, "link": link, "since": since})
