"""labmw call: which critical values have still to be told to who treats the patient, and who has told them?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labmw.cli.house import decide, rights_of
from labmw.cli.options import ByOption, ConfigOption, JsonOption, LanguageOption, configuration, fail, language_of
from labmw.cli.writing import UNUSABLE, look, now, who
from labmw.phrases import say

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from labmw.store import Row

OPEN = 1

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def call() -> None:
    """Show the calls to prescribers that are owed; document one that was made."""


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False, language: LanguageOption = None) -> None:
    """List the calls that nobody has documented, oldest first.

    Exit codes: 0 none is owed, 1 some are, 2 wrong usage, or the store cannot be read.
    """
    from zoneinfo import ZoneInfo

    from labmw.store.statements.recalls import calls_open
    from labmw.store.transaction import ask
    from labmw.watch.spoken import moment

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    zone = ZoneInfo(settings.site.timezone)
    rows = look(settings, lambda: ask(calls_open(settings.site.id)), tongue)
    if as_json:
        told = [_told(row) for row in rows]
        typer.echo(json.dumps({"schema": "labmw-calls/1", "calls": told}, ensure_ascii=False, indent=2))
    else:
        for row in rows:
            facts = _told(row) | {"since": moment(row.raised_at, zone)}
            typer.echo(say(f"call-owed-{row.direction}" if row.direction else "call-owed", tongue, **facts))
        typer.echo(say("call-counted", tongue, count=len(rows)))
    raise typer.Exit(OPEN if rows else 0)


@app.command()
def document(
    number: Annotated[
        int, typer.Argument(help="The call's number, as `labmw call list` shows it.", show_default=False)
    ],
    told: Annotated[str, typer.Option("--told", help="Whom you have told.", show_default=False)],
    read_back: Annotated[
        str, typer.Option("--read-back", help="The value as he or she read it back.", show_default=False)
    ],
    at: Annotated[
        str,
        typer.Option("--at", help="When, such as 14:05 or 2026-11-01T14:05; now when left out.", show_default=False),
    ] = "",
    note: Annotated[str, typer.Option("--reason", "--note", help="Anything else that was said.")] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    language: LanguageOption = None,
) -> None:
    """Document a call: who was told, when, and what was read back. A value that was read back wrongly is refused: call again.

    Exit codes: 0 documented, 1 refused (not owed, read back wrongly, no role that may), 2 wrong usage, or the store cannot be written.
    """
    from zoneinfo import ZoneInfo

    from labmw.lab.calling import document as script
    from labmw.lab.deciding import Decision

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    moment = _moment(at, ZoneInfo(settings.site.timezone)) if at else now()
    if moment is None:
        fail(say("call-at", tongue, at=at), UNUSABLE)
    decision = Decision(settings.site.id, now(), who(by), note.strip())
    row = decide(settings, script(decision, rights_of(settings), number, told, read_back, moment), tongue)
    typer.echo(say("call-documented", tongue, told=told, by=decision.by, **_told(row)))


def _told(row: Row) -> dict[str, Any]:
    return {
        "number": row.id, "result": row.result, "specimen": row.specimen, "patient": row.patient, "test": row.test_name or row.code,
        "value": f"{row.value} {row.unit_raw}".strip(), "direction": row.direction, "since": row.raised_at,
    }  # fmt: skip


def _moment(text: str, zone: ZoneInfo) -> str | None:
    """A time of today, or a moment, on the laboratory's own clock."""
    from datetime import datetime, time

    from labmw.clock import SYSTEM, stamp

    today = SYSTEM.now().astimezone(zone).date()
    try:
        moment = datetime.combine(today, time.fromisoformat(text)) if "T" not in text else datetime.fromisoformat(text)
    except ValueError:
        return None
    return stamp(moment.replace(tzinfo=zone) if moment.tzinfo is None else moment)
