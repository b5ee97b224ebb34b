"""labmw task: what has a person to do by hand, and who has done it?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from labmw.cli.options import ConfigOption, JsonOption, LanguageOption, configuration, console, fail, language_of
from labmw.cli.writing import UNUSABLE, look, now, who, write
from labmw.phrases import say

if TYPE_CHECKING:
    from labmw.store import Row, Transaction

UNKNOWN = 1

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def task() -> None:
    """Show what a person has to do by hand, and note that it is done."""


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="What was done too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """List tasks, oldest first: corrections that the LIS did not take, differences from it, orders typed while it was away.

    Exit codes: 0, also when there is none; 2 wrong usage, or the configuration or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from rich.table import Table

    from labmw.store.statements import tasks
    from labmw.store.transaction import ask
    from labmw.watch.spoken import moment, noted

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    zone = ZoneInfo(settings.site.timezone)
    site = settings.site.id
    rows = look(settings, lambda: ask(tasks.every_task(site) if every else tasks.open_tasks(site)), tongue)
    if as_json:
        found = [{**row.mapping(), "facts": json.loads(row.facts)} for row in rows]
        typer.echo(json.dumps({"schema": "labmw-tasks/1", "tasks": found}, ensure_ascii=False, indent=2))
        return
    if not rows:
        typer.echo(say("task-none", tongue))
        return
    table = Table(box=None, pad_edge=False)
    for head in ("task-number", "task-since", "task-what"):
        table.add_column(say(head, tongue), overflow="fold")
    for row in rows:
        sentence = say(f"task-{row.kind}", tongue, **_facts(row))
        if row.state != "open":
            closed = moment(row.closed_at, zone)
            sentence += " " + say(
                "task-closed", tongue, by=row.closed_by, at=closed, note=noted(row.note, tongue) or "—"
            )
        table.add_row(str(row.id), moment(row.raised_at, zone), sentence)
    console().print(table)


@app.command()
def done(
    number: Annotated[
        int, typer.Argument(help="The task's number, as `labmw task list` shows it.", show_default=False)
    ],
    note: Annotated[str, typer.Option("--note", help="What was done.")] = "",
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Note that a task is done. Of a correction this says: the LIS now holds what the refused message said.

    Exit codes: 0 noted, 1 there is no such open task, 2 wrong usage, or the store cannot be written.
    """
    from labmw.store.statements import tasks
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows = look(settings, lambda: ask(tasks.task_numbered(settings.site.id, number)), tongue)
    if not rows or rows[0].state != "open":
        fail(say("task-unknown", tongue, number=number), UNKNOWN)
    write(settings, _done(settings.site.id, rows[0], who(), note, now()), tongue=tongue)
    typer.echo(say("task-done", tongue, number=number))


def _facts(row: Row) -> dict[str, str]:
    facts: dict[str, str] = json.loads(row.facts)
    return facts


def _done(site: str, row: Row, by: str, note: str, at: str) -> Transaction[None]:
    from labmw.delivery.settling import CORRECT_BY_HAND, corrected_by_hand
    from labmw.lab.lis_told import audit
    from labmw.store.statements import tasks

    yield tasks.close_task(site, row.kind, row.subject, at=at, by=by, why=note)
    if row.kind == CORRECT_BY_HAND:
        yield from corrected_by_hand(row.subject, by, at)
    yield from audit(site, at, by, "task-done", f"task/{row.id}", note)
