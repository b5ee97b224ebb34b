"""labmw outbox: what has not arrived, and what a person does about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from labmw.cli.writing import look, now, reason_given, who, write
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.store import Row, Transaction

UNKNOWN = 1
UNUSABLE = 2

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
Entry = Annotated[
    int, typer.Argument(help="The message's number, as `labmw outbox list` shows it.", show_default=False)
]


@app.callback()
def outbox() -> None:
    """Show what has not arrived at its destination; send it again, or hold it back."""


@app.command("list")
def list_(
    config: ConfigOption = None,
    specimen: Annotated[
        str, typer.Option("--specimen", help="Every message about a specimen, delivered ones too.")
    ] = "",
    most: Annotated[int, typer.Option("--most", help="So many at most.")] = 200,
    as_json: JsonOption = False,
    language: LanguageOption = None,
) -> None:
    """List the messages that have not arrived, by destination and in the order of sending.

    Exit codes: 0 nothing waits for a person, 1 a dead letter or a held message does, 2 wrong usage, or the store cannot be read.
    """
    from labmw.store.statements.mending import outbox_of_specimen, outbox_undelivered
    from labmw.store.transaction import ask

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    site = settings.site.id
    step = outbox_of_specimen(site, specimen) if specimen else outbox_undelivered(site, most=most)
    rows = look(settings, lambda: ask(step), tongue)
    if as_json:
        typer.echo(json.dumps([row.mapping() for row in rows], ensure_ascii=False, indent=2))
    else:
        from rich.table import Table

        heads = ("#", *(say(f"outbox-{name}", tongue) for name in ("to", "state", "specimen", "attempts", "error")))
        table = Table(*heads)
        for row in rows:
            state = say(f"outbox-is-{row.state}", tongue)
            table.add_row(str(row.id), row.destination, state, row.specimen, str(row.attempts), row.last_error[:200])
        if rows:
            console().print(table)
        typer.echo(say("outbox-counted", tongue, count=len(rows)))
    raise typer.Exit(UNKNOWN if any(row.state in ("dead", "held") for row in rows) else 0)


@app.command()
def show(
    entry: Entry,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    language: LanguageOption = None,
    identity: Annotated[bool, typer.Option("--identity", help="Show names too.")] = False,
) -> None:
    """Show one message: what it carries, its bytes as sent, and the receiver's acknowledgment.

    Exit codes: 0 shown, 1 unknown, 2 wrong usage, or the store cannot be read.
    """
    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    row, carried = look(settings, lambda: _whole(settings.site.id, entry), tongue)
    if row is None:
        fail(say("outbox-unknown", tongue, entry=entry), UNKNOWN)
    told: dict[str, Any] = {
        name: value for name, value in row.mapping().items() if name not in ("payload", "receipt", "site")
    }
    told["results"] = [one.mapping() for one in carried]
    told["sent"], told["receipt"] = (_lines(part, identity) for part in (row.payload, row.receipt))
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    told["results"] = [
        " ".join(str(one[name]) for name in ("specimen", "code", "value", "unit_raw", "state"))
        for one in told["results"]
    ]
    for name, value in told.items():
        if value not in (None, "", []):
            grid.add_row(name, Text("\n".join(value) if isinstance(value, list) else str(value)))
    console().print(grid)


@app.command()
def retry(
    entry: Entry, why: WhyOption, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None
) -> None:
    """Send a message again at once: a dead letter, a held one, or one whose turn comes later. The same bytes under the same number.

    Exit codes: 0 done, 1 it cannot be done, 2 wrong usage, or the store cannot be written.
    """
    from labmw.delivery.mending import retry as script

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    told = reason_given(why, tongue)
    _decide(settings, script(settings.site.id, entry, at=now(), by=who(by), why=told), tongue)
    typer.echo(say("outbox-retried", tongue, entry=entry))


@app.command()
def hold(
    entry: Entry, why: WhyOption, by: ByOption = None, config: ConfigOption = None, language: LanguageOption = None
) -> None:
    """Keep a message back; `labmw outbox retry` lets it go.

    Exit codes: 0 done, 1 it cannot be done, 2 wrong usage, or the store cannot be written.
    """
    from labmw.delivery.mending import hold as script

    settings = configuration(config, UNUSABLE)
    tongue = language_of(settings, language)
    told = reason_given(why, tongue)
    _decide(settings, script(settings.site.id, entry, at=now(), by=who(by), why=told), tongue)
    typer.echo(say("outbox-held", tongue, entry=entry))


def _decide(settings: Config, script: Transaction[Any], tongue: Language) -> None:
    from labmw.delivery.mending import NotNow

    try:
        write(settings, script, tongue=tongue)
    except NotNow as problem:
        state = say(f"outbox-is-{problem.state}", tongue) if problem.state != "not known" else ""
        code = "outbox-not-now" if state else "outbox-unknown"
        fail(say(code, tongue, entry=problem.entry, state=state), UNKNOWN)


def _whole(site: str, entry: int) -> Transaction[tuple[Row | None, list[Row]]]:
    from labmw.store.statements.mending import outbox_entry, results_carried

    rows = yield outbox_entry(site, entry)
    return (rows[0] if rows else None), (yield results_carried(entry))


def _lines(data: bytes | None, identity: bool) -> list[str]:
    from labmw.watch.veil import Veil

    if data is None:
        return []
    shown = bytes(data) if identity else Veil().over(bytes(data))
    return [line for line in shown.decode("utf-8", "backslashreplace").replace("\n", "\r").split("\r") if line]
