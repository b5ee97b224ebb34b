"""labmw quarantine: what is not understood or not matched, and what a person does with it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.house import decide, require
from labmw.cli.options import (
    ByOption,
    ConfigOption,
    JsonOption,
    LanguageOption,
    WhyOption,
    configuration,
    console,
    fail,
    language_of,
)
from labmw.cli.writing import look, now, reason_given, who
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.store import Row

UNKNOWN = 1
UNUSABLE = 2

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
Entry = Annotated[
    int, typer.Argument(help="The entry's number, as `labmw quarantine list` shows it.", show_default=False)
]


@app.callback()
def quarantine() -> None:
    """Show what is in quarantine, say whose it is, read it again with a mended driver, or put it away."""


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List what waits for a person, oldest first, each with its number and why it is there.

    Exit codes: 0 nothing waits, 1 something does, 2 wrong usage, or the store cannot be read.
    """
    from labmw.store.statements import quarantine_open
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows = look(settings, lambda: ask(quarantine_open(settings.site.id)), tongue)
    if as_json:
        typer.echo(json.dumps([_told(row, tongue) for row in rows], ensure_ascii=False, indent=2))
    else:
        from rich.table import Table

        table = Table(
            "#", say("quarantine-when", tongue), say("quarantine-what", tongue), say("quarantine-why", tongue)
        )
        for row in rows:
            told = _told(row, tongue)
            what = " ".join(filter(None, (told["link"], told["specimen"], told["test"], told["value"])))
            table.add_row(str(row.id), _moment(settings, row.raised_at), what, told["why"])
        if rows:
            console().print(table)
        typer.echo(say("quarantine-counted", tongue, count=len(rows)))
    raise typer.Exit(UNKNOWN if rows else 0)


@app.command()
def show(
    entry: Entry, config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None
) -> None:
    """Show one entry whole: why it is there, the message it comes from, and what was decided.

    Exit codes: 0 shown, 1 unknown, 2 wrong usage, or the store cannot be read.
    """
    from labmw.store.statements.quarantine import quarantine_entry
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows = look(settings, lambda: ask(quarantine_entry(settings.site.id, entry)), tongue)
    if not rows:
        fail(say("quarantine-unknown", tongue, entry=entry), UNKNOWN)
    from labmw.watch.spoken import noted

    row = rows[0]
    told = {
        "entry": row.id, "state": row.state, "raised_at": row.raised_at, "link": row.link, "sender": row.sender, "message": row.message,
        "result": row.result, "reason": row.reason, "why": _why(row, tongue), "closed_at": row.closed_at, "closed_by": row.closed_by,
        "note": noted(row.note, tongue), "records": _records(row, tongue),
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    said: dict[str, object] = told | {
        "state": say(f"quarantine-state-{row.state}", tongue),
        "raised_at": _moment(settings, row.raised_at),
        "closed_at": _moment(settings, row.closed_at) if row.closed_at else "",
    }
    for name, value in said.items():
        if value not in (None, "", []):
            label = say(f"quarantine-shown-{name.replace('_', '-')}", tongue)
            grid.add_row(label, Text("\n".join(value) if isinstance(value, list) else str(value)))
    console().print(grid)


@app.command()
def assign(
    entry: Entry,
    specimen: Annotated[str, typer.Argument(help="Whose it is: the specimen's identifier.", show_default=False)],
    why: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Say whose a result is; the rules then judge it like any other. The tube must be known, with an order for the test.

    Exit codes: 0 done, 1 it cannot be done, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.deciding import assign as script
    from labmw.watch.inspection import packs_of

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    packs = packs_of(settings)[0]
    decision = _decision(settings, by, why, tongue)
    decide(settings, script(decision, entry, specimen.strip(), packs), tongue)
    typer.echo(say("quarantine-assigned", tongue, entry=entry, specimen=specimen.strip()))


@app.command()
def discard(
    entry: Entry, why: WhyOption, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None
) -> None:
    """Put an entry away: it is kept with its bytes, and goes nowhere.

    Exit codes: 0 done, 1 it cannot be done, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.deciding import discard as script

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    decide(settings, script(_decision(settings, by, why, tongue), entry), tongue)
    typer.echo(say("quarantine-discarded", tongue, entry=entry))


@app.command()
def replay(
    why: WhyOption,
    messages: Annotated[
        list[int] | None, typer.Argument(help="Messages (not entries); none means all.", show_default=False)
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Only what is there for this reason, such as unknown-code.")
    ] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Read what is in quarantine again with the drivers, mappings and packs of today, in the order in which it came.

    What is understood now goes its way, once; what is not stays. A running labmw must be restarted to use a mended driver for what comes next.

    Exit codes: 0 done, 1 nothing of the named messages is in quarantine or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.errors import LabmwError
    from labmw.fitting.again import replay_quarantine

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    told, decider = reason_given(why, tongue), who(by)
    require(settings, decider, "quarantine", tongue)
    try:
        found = asyncio.run(replay_quarantine(settings, reason=reason, messages=messages or (), by=decider, why=told))
    except LabmwError as problem:
        fail(say("store-unreadable", tongue, problem=problem), UNUSABLE)
    if messages and not found:
        fail(say("quarantine-nothing-there", tongue, numbers=", ".join(map(str, messages))), UNKNOWN)
    facts = {"messages": len(found), "left": sum(one.left for one in found), "stay": sum(one.stay for one in found)}
    typer.echo(say("quarantine-replayed", tongue, **facts))


def _decision(settings: Config, by: str | None, why: str, tongue: Language) -> Any:
    from labmw.lab.deciding import Decision

    made = Decision(settings.site.id, now(), who(by), reason_given(why, tongue))
    require(settings, made.by, "quarantine", tongue)
    return made


def _told(row: Row, tongue: Language) -> dict[str, Any]:
    return {
        "entry": row.id, "message": row.message, "result": row.result, "raised_at": row.raised_at, "link": row.link,
        "specimen": row.specimen or "", "test": row.code or "", "value": row.value or "", "reason": row.reason, "why": _why(row, tongue),
    }  # fmt: skip


def _records(row: Row, tongue: Language) -> list[str]:
    from labmw.store.encryption.envelope import Unreadable
    from labmw.watch.evidence import records
    from labmw.watch.veil import Veil

    if isinstance(row.raw, Unreadable):
        return [say(row.raw.why, tongue)]
    return [text.decode("utf-8", "backslashreplace") for text in records(Veil().over(bytes(row.raw)))]


def _why(row: Row, tongue: Language) -> str:
    facts = {name: fact for name, fact in json.loads(row.facts).items() if isinstance(fact, str | int)}
    return say(row.reason, tongue, **facts)


def _moment(settings: Config, stamp: str) -> str:
    from zoneinfo import ZoneInfo

    from labmw.watch.spoken import moment

    return moment(stamp, ZoneInfo(settings.site.timezone))
