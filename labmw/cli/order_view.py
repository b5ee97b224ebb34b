"""How are orders drawn? One table per specimen, one line per AWOS; and the list, one line per order and AWOS."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from labmw.lab.fitness import Failed
from labmw.phrases import Language, codes, say
from labmw.store import Row
from labmw.watch.orders import TIMES, Given, Ordered, SpecimenOrders
from labmw.watch.spoken import duration, moment, since
from labmw.watch.stages import Staged

STATES = {
    "resulted": "bold green", "accepted": "green", "in-process": "green", "planned": "dim", "broadcast": "yellow",
    "refused": "bold red", "cancelled": "dim", "unable": "yellow", "not-performed": "bold red", "open": "yellow", "done": "green",
}  # fmt: skip

STAGES = {
    "expected": "dim", "seen": "", "queried": "", "sent": "green", "running": "green", "resulted": "yellow", "released": "bold green",
}  # fmt: skip


def draw(console: Console, found: SpecimenOrders, language: Language, zone: ZoneInfo) -> None:
    """Print the orders of one specimen."""
    table = _table(say("order-title", language, specimen=found.specimen))
    for name in ("test", "order", "awos", "analyzer", "state", "times", "results"):
        table.add_column(say(f"order-column-{name}", language), overflow="fold", no_wrap=name == "awos")
    for one in found.tests:
        for line in _lines(one, language, zone):
            table.add_row(*line)
    console.print(table)
    for row in found.to_present:
        console.print(
            Text(
                _printable(say("order-present", language, link=row.link, why=say(row.reason, language))), "bold yellow"
            )
        )


def _lines(one: Ordered, language: Language, zone: ZoneInfo) -> list[list[Text]]:
    order = one.order
    name = Text(_printable(_name(one, language)))
    if order is not None and order.test_name:
        name.append(f"\n{_printable(order.loinc)}", "dim")
    state = _state("order-state", order.state, language) if order is not None else Text("–", "dim")
    for failed in one.failed:
        state.append(f"\n{_failed(failed, language, zone)}", "bold yellow")
    if not one.given:
        return [[name, state, Text("–"), Text(say("order-nobody", language), "dim"), Text(""), Text(""), Text("")]]
    return [
        [
            name if place == 0 else Text(""),
            state if place == 0 else Text(""),
            Text(_printable(given.row.awos)),
            Text(_printable(given.row.link)),
            _of(given, language),
            Text(_times(given.row, language, zone)),
            Text(_results(given)),
        ]
        for place, given in enumerate(one.given)
    ]


def _name(one: Ordered, language: Language) -> str:
    if one.order is not None:
        return str(one.order.test_name or one.order.loinc)
    if one.control and one.given:
        row = one.given[0].row
        return f"{row.test_name or row.code} ({say('order-of-control', language)})"
    return say("order-by-analyzer", language)


def _of(given: Given, language: Language) -> Text:
    row = given.row
    text = _state("awos-state", row.state, language)
    if row.waits and row.state != "broadcast":
        text.append(f"\n{say('order-waits-cancel', language)}", "yellow")
    if row.wanted:
        text.append(f"\n{say(f'order-wanted-{row.wanted}', language)}", "yellow")
    if row.reason:
        code = f"awos-reason-{row.reason}"
        text.append(f"\n{_printable(say(code, language) if code in codes() else row.reason)}", "dim")
    return text


def _times(row: Row, language: Language, zone: ZoneInfo) -> str:
    values = [(name, getattr(row, f"{name}_at")) for name in TIMES]
    return "\n".join(say(f"order-time-{name}", language, at=moment(at, zone)) for name, at in values if at)


def _results(given: Given) -> str:
    lines = []
    for one in given.results:
        run = one.run.rpartition("/")[2]
        lines.append(
            _printable(
                f"{one.value} {one.unit_raw.partition('^')[0]}".strip() + f" ({run or '–'}, {one.status or '–'})"
            )
        )
    return "\n".join(lines)


def draw_list(console: Console, rows: Sequence[Staged], language: Language, zone: ZoneInfo, now: datetime) -> None:
    """Print a list of ordered tests with their stages."""
    if not rows:
        console.print(Text(say("order-none", language), "dim"))
        return
    table = _table(say("order-listed", language, count=len(rows)))
    for name in ("specimen", "test", "priority", "ordered", "stage", "since", "analyzer", "place"):
        table.add_column(
            say(f"order-column-{name}", language), overflow="fold", no_wrap=name in {"ordered", "priority"}
        )
    for one in rows:
        order = one.order
        table.add_row(
            Text(_printable(order.specimen)),
            Text(_printable(order.test_name or order.loinc)),
            Text(_printable(order.priority), "bold red" if order.priority == "S" else ""),
            Text(duration(since(order.ordered_at, now), language) if order.ordered_at else "–"),
            _stage(one, language, zone),
            Text(moment(one.since, zone)[5:16] if one.since else "–"),
            Text(_printable(one.analyzer) or "–"),
            Text(_printable("/".join(filter(None, (one.carrier, one.position)))) or "–"),
        )
    console.print(table)


def _stage(one: Staged, language: Language, zone: ZoneInfo) -> Text:
    """The stage, and under it what is wrong: cancelled, refused, not performed, not acknowledged, quality control."""
    name = one.stage.name.lower()
    text = Text(say(f"order-stage-{name}", language), STAGES[name])
    if one.order.state == "cancelled":
        text.append(f"\n{say('order-state-cancelled', language)}", "dim")
    given = one.awos
    if given is not None and given.state in {"refused", "not-performed", "unable", "broadcast"}:
        text.append(f"\n{say(f'awos-state-{given.state}', language)}", STATES[given.state])
    if given is not None and given.reason and given.state != "resulted":
        code = f"awos-reason-{given.reason}"
        text.append(f"\n{_printable(say(code, language) if code in codes() else given.reason)}", "dim")
    if (code := f"order-result-{one.result}") in codes():
        text.append(f"\n{say(code, language)}", "bold red" if one.result == "quarantined" else "yellow")
    for failed in one.failed:
        text.append(f"\n{_failed(failed, language, zone)}", "bold yellow")
    return text


def _failed(one: Failed, language: Language, zone: ZoneInfo) -> str:
    """Which control keeps a test from an analyzer."""
    facts = {"link": one.link, "level": one.level or "–", "rule": one.rule or "–", "at": moment(one.at, zone)[5:16]}
    return _printable(say("order-qc-out", language, **facts))


def _table(title: str) -> Table:
    return Table(box=box.SIMPLE_HEAD, title=Text(_printable(title), "bold"), title_justify="left", pad_edge=False)


def _state(kind: str, state: str, language: Language) -> Text:
    return Text(say(f"{kind}-{state}", language), STATES.get(state, ""))


def _printable(text: Any) -> str:
    """What came over the wire may not steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in str(text))
