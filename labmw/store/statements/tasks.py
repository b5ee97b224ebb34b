"""What is asked of the store about what a person has to do by hand."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select, update

from labmw.store.schema import task
from labmw.store.statements.words import given, given_number, is_one_of
from labmw.store.transaction import Step

_ALL: Final = select(task).where(task.c.site == given("site")).order_by(task.c.raised_at, task.c.id)
_OPEN: Final = (
    select(task)
    .where(task.c.site == given("site"), is_one_of(task.c.state, "open"))
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


def open_tasks(site: str) -> Step:
    """What a person has to do by hand, oldest first."""
    return Step(_OPEN, {"site": site})


def every_task(site: str) -> Step:
    """What a person has to do, and what was done."""
    return Step(_ALL, {"site": site})


def task_numbered(site: str, number: int) -> Step:
    """One task."""
    return Step(_TASK, {"site": site, "number": number})


def close_task(site: str, kind: str, subject: str, *, at: str, by: str, why: str) -> Step:
    """The matter is settled."""
    return Step(_CLOSE, {"of_site": site, "of_kind": kind, "of_subject": subject, "at": at, "by": by, "why": why})
