"""How are sub-orders shown? Tables for people, dictionaries for scripts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from labmw.lab.sub_orders import service_of
from labmw.phrases import Language, say
from labmw.watch.spoken import duration, moment, since

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.lab.partner_reconciliation import Reconciliation
    from labmw.lab.partner_watch import PartnerNow, SubOrderStory
    from labmw.store import Row

STYLES = {
    "final": "green", "corrected": "bold yellow", "refused": "bold red", "returned": "bold red", "withdrawn": "bold red", "cancelled": "dim",
    "created": "yellow", "cancel-sent": "yellow",
}  # fmt: skip


def _table(language: Language, *names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(say(f"interlab-column-{name}", language), overflow="fold")
    return table


def state_of(row: Row, language: Language) -> Text:
    """The state in words and colour."""
    return Text(say(f"interlab-state-{row.state}", language), STYLES.get(row.state, ""))


def draw_partners(console: Console, found: Sequence[PartnerNow], language: Language) -> None:
    """One line for each partner."""
    if not found:
        console.print(say("interlab-no-partners", language))
        return
    table = _table(language, "partner", "role", "way", "orders", "late", "waiting")
    for one in found:
        states = ", ".join(f"{count} {say(f'interlab-state-{state}', language)}" for state, count in one.states)
        late = Text(str(one.late), "bold red" if one.late else "dim")
        waiting = Text(f"{one.waiting} + {one.dead}†" if one.dead else str(one.waiting), "bold red" if one.dead else "")
        table.add_row(one.name, say(f"interlab-role-{one.role}", language), one.way, states or "–", late, waiting)
    console.print(table)
    for one in found:
        for code, facts in one.troubles:
            told = dict(facts)
            if "reason" in told:  # why, in the language of whoever reads
                told["why"] = say(told["reason"], language, **told)
            console.print(Text(say(code, language, **told), "bold red"))


def order_as_json(row: Row) -> dict[str, Any]:
    """One sub-order for scripts."""
    kept = row.mapping()
    for name in ("service", "tests", "missing"):
        kept[name] = json.loads(kept[name])
    return kept


def draw_orders(console: Console, rows: Sequence[Row], settings: Config, language: Language) -> None:
    """One line for each sub-order."""
    zone = ZoneInfo(settings.site.timezone)
    table = _table(language, "order", "partner", "specimen", "test", "state", "since", "why")
    for row in rows:
        missing = json.loads(row.missing)
        why = (
            say("interlab-lacks", language, missing=", ".join(missing))
            if missing and row.state == "created"
            else row.reason_text
        )
        table.add_row(
            row.number, row.partner, row.specimen, service_of(row).text, state_of(row, language), moment(row.updated_at, zone), Text(why)
        )  # fmt: skip
    if rows:
        console.print(table)
    console.print(say("interlab-counted", language, count=len(rows)))


def draw_late(console: Console, rows: Sequence[Row], settings: Config, language: Language) -> None:
    """One line for each sub-order that is late."""
    from labmw.clock import SYSTEM

    zone, now = ZoneInfo(settings.site.timezone), SYSTEM.now()
    if not rows:
        console.print(say("interlab-none-late", language))
        return
    table = _table(language, "order", "partner", "specimen", "test", "state", "due", "overdue")
    for row in rows:
        table.add_row(
            row.number, row.partner, row.specimen, service_of(row).text, state_of(row, language), moment(row.due_at, zone),
            Text(duration(since(row.due_at, now), language), "bold red"),
        )  # fmt: skip
    console.print(table)
    console.print(say("interlab-late", language, count=len(rows)))


def story_as_json(one: SubOrderStory) -> dict[str, Any]:
    """A sub-order's story for scripts; documents by their digest."""
    return {
        "schema": "labmw-sub-order/1",
        **order_as_json(one.row),
        "events": [row.mapping() | {"facts": json.loads(row.facts)} for row in one.events],
        "messages": [row.mapping() for row in one.sayings],
        "results": [row.mapping() for row in one.performed],
        "documents": [
            {name: value for name, value in row.mapping().items() if name != "data"} for row in one.documents
        ],
        "items": [{name: value for name, value in row.mapping().items() if name != "data"} for row in one.items],
    }


def _event(event: str, language: Language) -> str:
    """What happened, in words."""
    _, contradiction, what = event.partition("contradiction-")
    if contradiction:
        return say("interlab-event-contradiction", language, event=_event(what, language))
    return say(f"interlab-event-{event}", language)


def draw_story(console: Console, one: SubOrderStory, settings: Config, language: Language) -> None:
    """A sub-order's story for people."""
    zone, row = ZoneInfo(settings.site.timezone), one.row
    head = say(
        "interlab-story", language, order=row.number, partner=row.partner, specimen=row.specimen, test=service_of(row).text,
        filler=row.filler or "–", state=say(f"interlab-state-{row.state}", language),
    )  # fmt: skip
    console.print(Text(head, "bold"))
    events = _table(language, "when", "event", "state", "by", "why")
    for event in one.events:
        facts = ", ".join(f"{name}={value}" for name, value in json.loads(event.facts).items() if value)
        state = say(f"interlab-state-{event.state}", language)
        events.add_row(moment(event.at, zone), _event(event.event, language), state, event.by, Text(event.why or facts))
    console.print(events)
    if one.performed:
        results = _table(language, "when", "test", "value", "status", "fate", "laboratory", "biologist", "result")
        for version in one.performed:
            value = f"{version.value} {version.unit}".strip()
            results.add_row(
                moment(version.at, zone), version.test_name or version.code, Text(value), version.status,
                say(f"interlab-fate-{version.fate}", language), Text(f"{version.laboratory} {version.laboratory_id}".strip()),
                Text(version.biologist), say(f"state-{version.state}", language),
            )  # fmt: skip
        console.print(results)
    for document in one.documents:
        code = "interlab-document" if document.whole else "interlab-document-incomplete"
        console.print(say(code, language, kind=document.kind, size=len(document.data), when=moment(document.at, zone)))


def draw_reconciliation(console: Console, found: Reconciliation, cap: float, language: Language) -> None:
    """What does not agree, partner by partner, and the share that went elsewhere."""
    for one in found.differences:
        facts = dict(one.facts)
        if "state" in facts:
            kind = "state-of-tube" if one.what == "reconcile-tube" else "state"
            facts["state"] = say(f"interlab-{kind}-{facts['state']}", language)
        console.print(Text(say(one.what, language, partner=one.partner, **facts)))
    share = say(
        "interlab-share",
        language,
        transmitted=found.transmitted,
        total=found.total,
        share=f"{found.share:.1f}",
        cap=f"{cap:g}",
    )
    console.print(Text(share, "bold red" if found.share >= cap and found.total else ""))
    code = "interlab-agrees" if not found.differences else "interlab-differs"
    console.print(say(code, language, count=len(found.differences), days=found.days))
