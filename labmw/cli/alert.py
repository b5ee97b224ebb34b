"""labmw alert: which critical values has nobody acted on yet, and who has?"""

from __future__ import annotations

import json
from typing import Annotated

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
    language_of,
)
from labmw.cli.writing import look, now, reason_given, who
from labmw.phrases import say

OPEN = 1
UNUSABLE = 2

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def alert() -> None:
    """Show the critical values that nobody has closed; note that somebody has acted on one."""


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List the alerts that nobody has closed, oldest first.

    Exit codes: 0 none is open, 1 some are, 2 wrong usage, or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.store.statements import alerts_open
    from labmw.store.transaction import ask
    from labmw.watch.spoken import moment

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    rows = look(settings, lambda: ask(alerts_open(settings.site.id)), tongue)
    if as_json:
        found = [row.mapping() | {"facts": json.loads(row.facts)} for row in rows]
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        from rich.table import Table

        heads = (say(f"alert-{name}", tongue) for name in ("when", "specimen", "test", "value"))
        table = Table("#", *heads)
        zone = ZoneInfo(settings.site.timezone)
        for row in rows:
            test = json.loads(row.facts).get("test") or row.code
            table.add_row(str(row.id), moment(row.raised_at, zone), row.specimen, test, f"{row.value} {row.unit_raw}")
        if rows:
            console().print(table)
        typer.echo(say("alert-counted", tongue, count=len(rows)))
    raise typer.Exit(OPEN if rows else 0)


@app.command()
def close(
    number: Annotated[
        int, typer.Argument(help="The alert's number, as `labmw alert list` shows it.", show_default=False)
    ],
    why: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Close an alert: say in --why whom you called, and when.

    Exit codes: 0 closed, 1 it is not open, or no role that may, 2 wrong usage, or the store cannot be written.
    """
    from labmw.lab.deciding import Decision, close_alert

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    decision = Decision(settings.site.id, now(), who(by), reason_given(why, tongue))
    require(settings, decision.by, "call", tongue)
    decide(settings, close_alert(decision, number), tongue)
    typer.echo(say("alert-noted", tongue, alert=number, by=decision.by))
