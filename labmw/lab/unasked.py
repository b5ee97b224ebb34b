"""What is an ASTM analyzer told without having asked? New orders where it keeps a worklist, and what is taken back; owed until it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from labmw.clock import stamp
from labmw.driver.order_writing import write_orders
from labmw.lab import awos
from labmw.lab.awos import State
from labmw.lab.host_query import (
    ORDER,
    UNWRITABLE,
    keep_said,
    new_number,
    occasion_of,
    say,
    unwritable,
    work_of,
)
from labmw.lab.law_messages import stop_waiting
from labmw.lab.law_orders import Tube
from labmw.lab.planning import open_orders
from labmw.lab.work_link import AstmLink
from labmw.line.host_query import Dispatch
from labmw.store import schema
from labmw.store.encryption.envelope import Unreadable
from labmw.store.statements import host_query as queries
from labmw.store.statements import worklist as stored
from labmw.store.transaction import Row, Transaction
from protocols.astm.message import Message

log = structlog.get_logger("labmw.lab")

MOST_OWED = 2000  # AWOS looked at in one step
AT_ONCE = 10  # tubes written in one step: a query that comes meanwhile is answered before the next


def write_unasked(site: str, link: AstmLink, heard: Message | None, now: datetime) -> Transaction[Sequence[Dispatch]]:
    """Give again what was sent and not taken; when there is nothing of the kind, write what is owed, one message per tube."""
    if again := (yield from _not_taken(site, link)):
        return again
    at = stamp(now)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in (yield stored.awos_wanted(site, link.name, most=MOST_OWED)):
        groups.setdefault((row.specimen, row.wanted), []).append(row)
    found: list[Dispatch] = []
    for (specimen, wanted), rows in list(groups.items())[:AT_ONCE]:
        found += yield from _write(site, link, heard, specimen, rows, now, at, cancel=wanted == "CA")
    return found


def _not_taken(site: str, link: AstmLink) -> Transaction[list[Dispatch]]:
    numbers = list(dict.fromkeys([row.control_id for row in (yield stored.awos_waiting(site, link.name))]))
    found: list[Dispatch] = []
    for number in numbers:
        for row in (yield stored.sent_message(site, link.name, number)):
            if isinstance(row.raw, Unreadable):
                yield from stop_waiting(site, number)
            elif row.kind == ORDER:
                found.append(Dispatch(number, tuple(line + b"\r" for line in row.raw.split(b"\r") if line)))
    return found


def _write(
    site: str,
    link: AstmLink,
    heard: Message | None,
    specimen: str,
    rows: Sequence[Row],
    now: datetime,
    at: str,
    *,
    cancel: bool,
) -> Transaction[list[Dispatch]]:
    if cancel and not link.dialect.cancel:
        for row in rows:  # it cannot be told: the tube has to be taken out by hand, and results may come
            yield stored.change(schema.awos, row.id, state=State.UNABLE, wanted="", updated_at=at)
        return []
    tube, _, doubt = yield from open_orders(site, link, Tube(specimen), now)
    if doubt and not cancel:  # whose tube it is, is for a person: it stays planned, and status shows it
        for row in rows:
            yield stored.change(schema.awos, row.id, wanted="", reason=doubt, updated_at=at)
        return []
    mine = {row.id for row in rows}
    there = yield queries.awos_of_tubes(site, link.name, [specimen])
    if cancel:  # a panel goes on as long as one of its tests is wanted: it cannot be taken back for another
        panels = {row.code for row in there if row.id not in mine and row.state in awos.LIVE and row.wanted != "CA"}
        for row in rows:
            if row.code in panels:
                yield stored.change(schema.awos, row.id, state=State.UNABLE, wanted="", updated_at=at)
        rows = [row for row in rows if row.code not in panels]
        if not rows:
            return []
    more = any(row.id not in mine and row.state in awos.LIVE - awos.UNSAID for row in there)
    number = new_number()
    work = work_of(link, tube, [(row.code, row.priority, row.created_at, row.dilution) for row in rows], more=more)
    occasion = occasion_of(link, heard, now, number)
    if why := unwritable(link, occasion, work, cancel=cancel):
        log.error("orders cannot be written for this analyzer", link=link.name, why=why)
        state = {"state": State.UNABLE} if cancel else {}
        for row in rows:
            yield stored.change(schema.awos, row.id, wanted="", reason=UNWRITABLE, updated_at=at, **state)
        return []
    message = write_orders(link.driver, occasion, [work], asked=False, cancel=cancel)
    yield from keep_said(site, link.name, message, ORDER, number, at)
    yield from say(rows, number, at, cancel=cancel)
    return [Dispatch(number, tuple(message.records_bytes()))]
