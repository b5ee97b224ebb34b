"""labmw rules roster: who is the responsible biologist, from when to when; each automatic release names whoever stands there."""

from __future__ import annotations

import json
from typing import Annotated

import typer

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
from labmw.cli.qc_words import UNUSABLE, decide, decision, instant
from labmw.cli.writing import look
from labmw.phrases import say

roster = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Who is the responsible biologist, when."
)


@roster.command("add")
def add(
    person: Annotated[str, typer.Argument(help="The responsible biologist.", show_default=False)],
    since: Annotated[str, typer.Option("--from", help="From: 2026-12-01T08:00.", show_default=False)],
    until: Annotated[str, typer.Option("--until", help="Until: 2026-12-01T18:00.", show_default=False)],
    why: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Put a biologist on the roster. Once there is one, nothing leaves by itself at an hour at which nobody stands there.

    Exit codes: 0 done, 1 the end is not after the beginning, 2 wrong usage.
    """
    from labmw.clock import stamp
    from labmw.lab.rostering import add_to_roster

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    start, end = instant(since, settings, "--from", tongue), instant(until, settings, "--until", tongue)
    number = decide(
        settings,
        add_to_roster(decision(settings, why, by, tongue, act="rules"), person.strip(), stamp(start), stamp(end)),
        tongue,
    )
    typer.echo(say("roster-added", tongue, number=number, who=person))


@roster.command("end")
def end(
    number: Annotated[int, typer.Argument(help="Its number, as the list shows it.", show_default=False)],
    why: WhyOption,
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Take an entry off the roster, at once.

    Exit codes: 0 done, 1 it is not there, 2 wrong usage.
    """
    from labmw.lab.rostering import end_on_roster

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    decide(settings, end_on_roster(decision(settings, why, by, tongue, act="rules"), number), tongue)
    typer.echo(say("roster-ended", tongue, number=number))


@roster.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List who is responsible now and later.

    Exit codes: 0 somebody is responsible now, 1 nobody is, 2 wrong usage, or the store cannot be read.
    """
    from labmw.cli.rules_view import rostered
    from labmw.cli.writing import now
    from labmw.store.statements.roster import roster_from
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    at = now()
    rows = look(settings, lambda: ask(roster_from(settings.site.id, at)), tongue)
    if as_json:
        typer.echo(json.dumps([row.mapping() for row in rows], ensure_ascii=False, indent=2))
    else:
        rostered(console(), tongue, settings, rows)
    raise typer.Exit(0 if any(row.starts <= at for row in rows) else 1)
