"""What is asked of the store about what a person has to do by hand."""

from __future__ import annotations

from typing import Final

from sqlalchemy import or_, select, update

from labmw.store.schema import task
from labmw.store.statements.words import given, given_number, is_one_of
from labmw.store.transaction import Step

_TASKS: Final = (
    select(task)
    .where(task.c.site == given("site"), or_(given("every") == "1", is_one_of(task.c.state, "open")))
    .order_by(task.c.raised_at, task.c.id)
)
_TASK: Final = select(task).where(task.c.site == given("site"), task.c.id == given_number("number"))
_CLOSE: Final = (
    update(task)
    .where(
        task.c.site == given("of_site"),
        task.c.kind == given("of_kind"),
        task.c.subject == given("of_subject"),
        is_one_of(task.c.state, "open"),
    )
    .values(state="done", closed_at=given("at"), closed_by=given("by"), note=given("why"))
    .returning(task.c.id)
)


def tasks(site: str, *, closed: bool = False) -> Step:
    """What a person has to do by hand, oldest first; with `closed` what was done too."""
    return Step(_TASKS, {"site": site, "every": "1" if closed else ""})


def task_numbered(site: str, number: int) -> Step:
    """One task."""
    return Step(_TASK, {"site": site, "number": number})


def close_task(site: str, kind: str, subject: str, *, at: str, by: str, why: str) -> Step:
    """The matter is settled."""
    return Step(_CLOSE, {"of_site": site, "of_kind": kind, "of_subject": subject, "at": at, "by": by, "why": why})
