"""What waits to be done: claimed for a while, finished by deletion, and free again when its claimer dies."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Text, case, delete, func, literal, or_, select, update

from labmw.store.schema import work
from labmw.store.statements.words import given, given_number, is_free
from labmw.store.transaction import Step

# FOR UPDATE SKIP LOCKED keeps two PostgreSQL workers apart; SQLite has one writer and does not write it.
_next = (
    select(work.c.id)
    .where(
        work.c.site == given("site"),
        work.c.kind == given("of_kind"),
        work.c.due_at <= given("now"),
        is_free(work.c.claimed_until),
    )
    .order_by(work.c.due_at, work.c.id)
    .limit(given_number("most"))
    .with_for_update(skip_locked=True)
)
_CLAIM: Final = (
    update(work)
    .where(work.c.id.in_(_next))
    .values(claimed_by=given("who"), claimed_until=given("until"), attempts=work.c.attempts + 1)
    .returning(work)
)
_FINISH: Final = delete(work).where(work.c.id == given_number("work")).returning(work.c.id)
_POSTPONE: Final = (
    update(work)
    .where(work.c.id == given_number("work"), work.c.claimed_by == given("who"))
    .values(due_at=given("due"), claimed_by=None, claimed_until=None)
    .returning(work.c.id)
)
_claimed = work.alias("claimed")
_begun = (
    select(func.min(_claimed.c.id))
    .where(_claimed.c.site == given("at_site"), _claimed.c.claimed_by.is_not(None))
    .scalar_subquery()
)
_RELEASE: Final = (
    update(work)
    .where(work.c.site == given("at_site"), work.c.claimed_by.is_not(None))
    .values(
        claimed_by=None,
        claimed_until=None,
        attempts=case((work.c.id == _begun, work.c.attempts), else_=work.c.attempts - 1),
    )
)
_OURS: Final = (
    update(work)
    .where(work.c.site == given("at_site"), work.c.claimed_by == given("who"))
    .values(claimed_by=None, claimed_until=None, attempts=work.c.attempts - 1)
)
_BRING_FORWARD: Final = (
    update(work)
    .where(
        work.c.site == given("at_site"), or_(work.c.due_at > given("latest"), work.c.claimed_until > given("latest"))
    )
    .values(due_at=given("now"), claimed_by=None, claimed_until=None)
    .returning(work.c.id)
)
# What is to be judged again at a later moment waits from that moment on; until then nothing is late.
_since = case((work.c.kind == literal("again", Text(), literal_execute=True), work.c.due_at), else_=work.c.created_at)
_WAITING: Final = (
    select(work.c.kind, func.count().label("count"), func.min(_since).label("oldest"))
    .where(work.c.site == given("site"))
    .group_by(work.c.kind)
    .order_by(work.c.kind)
)


def claim_work(site: str, *, limit: int, now: str, until: str, who: str, kind: str = "verify") -> Step:
    """Take the oldest work that is due and free, until a moment; answers the rows, in no particular order.

    Work whose claim has run out is free: its claimer died. `attempts` counts the claims, this one included.
    """
    return Step(_CLAIM, {"site": site, "of_kind": kind, "now": now, "until": until, "who": who, "most": limit})


def finish_work(work: int) -> Step:
    """Done, in the transaction that holds its outcome; answers no row when it was done already (then undo: raise)."""
    return Step(_FINISH, {"work": work})


def postpone_work(work: int, *, who: str, due: str) -> Step:
    """Give it back, to be claimed from `due` on; answers no row when the claim was lost."""
    return Step(_POSTPONE, {"work": work, "who": who, "due": due})


def bring_work_forward(site: str, *, now: str, latest: str) -> Step:
    """Make due what would wait beyond a moment: the clock was set back under it. Answers what was."""
    return Step(_BRING_FORWARD, {"at_site": site, "now": now, "latest": latest})


def work_waiting(site: str) -> Step:
    """Per kind: `count`, and since when the `oldest` waits (to come, where it is not due yet)."""
    return Step(_WAITING, {"site": site})


def release_work(site: str) -> Step:
    """Free every claim: for a process that starts as the only owner of its store, so that a dead one's work need not wait for its end.

    Work is done in the order of its numbers: the oldest claim was under way when its process died, and its attempt counts. The others had
    not been begun: theirs does not, or a few kills would make the rules give up on what they have never looked at.
    """
    return Step(_RELEASE, {"at_site": site})


def release_our_work(site: str, who: str) -> Step:
    """Free what a step of this process claimed and the store did not let it finish: it is taken up at once, and does not count as an attempt."""
    return Step(_OURS, {"at_site": site, "who": who})
