"""How is the count shown? The three-sided table, the reasons, the planted cases, and by name whatever is lost or there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from labmw.cli.demo.count import Count, Outcome, Tally
from labmw.cli.demo.sides import Planted, Sides, Stored, reasons_of
from labmw.phrases import Language, say
from labmw.watch.trouble import reason_in_words

COLUMNS = ("sent", "stored", "details", "released", "held", "quarantined", "delivered", "received", "lost", "twice")
LISTED = 40  # lost results shown one by one; all are counted


def show(console: Console, sides: Sides, count: Count, language: Language) -> None:
    """Print everything."""
    console.print(_figures(count, language))
    for state, rows in (
        ("held", [row for row in sides.stored if row.state in ("held", "blocked")]),
        ("quarantined", [row for row in sides.stored if row.state == "quarantined"]),
    ):
        if rows:
            console.print(_reasons(state, rows, language))
    console.print(_planted(count.outcomes, language))
    _list(console, say("demo-lost", language, count=len(count.lost)), count.lost, language)
    _list(console, say("demo-twice", language, count=len(count.twice)), count.twice, language)
    _list(console, say("demo-strangers", language, count=len(count.strangers)), count.strangers, language)
    _list(console, say("demo-misgiven", language, count=len(count.misgiven)), count.misgiven, language)
    if count.unsent:
        console.print(Text(say("demo-unsent", language, count=count.unsent), "bold red"))
    if sides.held:
        states = Counter(one.state for one in sides.given)
        orders = ", ".join(f"{n} {say(f'awos-state-{state}', language)}" for state, n in sorted(states.items()))
        console.print(Text(say("demo-given", language, held=len(sides.held), given=orders), "dim"))
    facts = {"repeats": sides.repeats, **sides.receptions}
    console.print(Text(say("demo-repeats", language, **facts), "dim"))


def _figures(count: Count, language: Language) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        title=say("demo-table", language),
        title_justify="left",
        pad_edge=False,
        collapse_padding=True,
        show_footer=True,
    )
    total = count.total
    table.add_column("", footer=Text(say("demo-total", language), "bold"), no_wrap=True)
    for name in COLUMNS:
        number = getattr(total, name)
        table.add_column(
            say(f"demo-column-{name}", language),
            justify="right",
            overflow="fold",
            footer=_number(name, number, bold=True),
        )
    for tally in count.tallies:
        table.add_row(tally.name, *_row(tally))
    return table


def _row(tally: Tally) -> Iterable[Text]:
    return (_number(name, getattr(tally, name)) for name in COLUMNS)


def _number(name: str, number: int, *, bold: bool = False) -> Text:
    if name in ("lost", "twice"):
        return Text(str(number), "bold red" if number else "bold green")
    return Text(str(number), "bold" if bold else "" if number else "dim")


def _reasons(state: str, rows: Sequence[Stored], language: Language) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, title=say(f"demo-by-reason-{state}", language), title_justify="left", pad_edge=False
    )
    table.add_column("", justify="right", no_wrap=True)
    table.add_column(say("demo-reason", language), no_wrap=True)
    table.add_column(say("demo-in-words", language), ratio=1, overflow="fold")
    found = sorted(reasons_of(rows).items(), key=lambda item: (-len(item[1]), item[0]))
    for reason, facts in found:
        table.add_row(str(len(facts)), reason, Text(reason_in_words(reason, facts, language)))
    return table


def _planted(outcomes: Sequence[Outcome], language: Language) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=say("demo-planted", language), title_justify="left", pad_edge=False)
    for name in ("", "case", "specimen", "expected", "found"):
        table.add_column(
            say(f"demo-column-{name}", language) if name else "", overflow="fold", no_wrap=name in ("", "specimen")
        )
    for outcome in outcomes:
        mark = Text("✓", "bold green") if outcome.well else Text("✗", "bold red")
        case = outcome.case
        table.add_row(mark, case.case, case.specimen, expected(case, language), found(outcome, language))
    return table


def expected(case: Planted, language: Language) -> str:
    """Say where a planted case must end."""
    if not case.expect:
        return say("demo-expect-once", language, count=case.results)
    told = []
    for one in case.expect:
        state = say(f"state-{one['state']}", language)
        told.append(
            f"{one['test'] + ': ' if one['test'] else ''}{state}{', ' + one['reason'] if one['reason'] else ''}"
        )
    return "; ".join(told)


def found(outcome: Outcome, language: Language) -> str:
    """Say where it ended."""
    told = [
        f"{number} {say(f'state-{state}', language)}{f' ({reason})' if reason else ''}"
        for state, reason, number in outcome.found
    ]
    return "; ".join(told) or say("demo-found-nothing", language)


def _list(console: Console, title: str, rows: Sequence[tuple[str, ...]], language: Language) -> None:
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD, title=Text(title, "bold red"), title_justify="left", pad_edge=False)
    for name in ("analyzer", "specimen", "code", "value", "why"):
        table.add_column(say(f"demo-column-{name}", language), overflow="fold")
    for row in rows[:LISTED]:
        *what, why = row
        table.add_row(*what, say(f"demo-why-{why}", language))
    console.print(table)
    if len(rows) > LISTED:
        console.print(Text(say("demo-more", language, count=len(rows) - LISTED), "bold red"))


def row(count: Count) -> dict[str, object]:
    """The count as JSON."""
    listed = {"lost": count.lost, "twice": count.twice, "strangers": count.strangers, "misgiven": count.misgiven}
    names = ("analyzer", "specimen", "code", "value", "why")
    return {
        "schema": "labmw-demo/1",
        "well": count.well,
        "total": asdict(count.total),
        "analyzers": [asdict(tally) for tally in count.tallies],
        **{name: [dict(zip(names, one, strict=True)) for one in rows] for name, rows in listed.items()},
        "unsent": count.unsent,
        "planted": [
            {
                "case": one.case.case,
                "specimen": one.case.specimen,
                "well": one.well,
                "expect": list(one.case.expect),
                "found": one.found,
            }
            for one in count.outcomes
        ],
    }
